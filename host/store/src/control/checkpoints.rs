//! Checkpoints: the state of a twin at moments from which its rows can be answered again.
//!
//! They are taken where a version or a state begins (a border) and now and then in between. How many are kept is a
//! matter of `thin`; a total of bytes bounds all of them together, beyond which the oldest go. Each has a CRC: a
//! damaged one is passed over, said in the log and listed in [`ControlReader::damage`].

mod save;
mod thin;

use geminus_core::Timestamp;
use rusqlite::Row;
use save::{Writer, settle};

use super::shared::Shared;
use super::{
    Control, ControlReader, DamagedState, column_from_number, fits, names_fit, number_from_column,
    time_from_column,
};
use crate::StoreError;
use crate::snapshots::STATE_BYTES_MAX;
use crate::sqlite::column_from_time;

/// Most bytes of all checkpoints together.
const CHECKPOINT_BYTES_MAX: u64 = 1 << 30;

/// Why a checkpoint was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Border {
    /// A host started, with restored state or cold.
    Start,
    /// Another version became authoritative; this is the state that it goes on from.
    Switch,
    /// State was put back after a fault, or begun anew.
    Restore,
    /// Time went by.
    Periodic,
}

/// A twin's state, from which every later row of the twin follows until the next border.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the binding.
    pub binding: String,
    /// Id of the twin.
    pub twin: String,
    /// Time of the last row of the twin before it; rows after it go on from this state.
    pub row_time: Timestamp,
    /// Rows that the state has seen, by which warm-up is counted.
    pub rows: u64,
    /// Number of the incarnation that wrote the state.
    pub incarnation: u32,
    /// Number of the state schema that the bytes are in; 0 for a cold beginning, which has no bytes.
    pub schema: u32,
    /// Why it was taken.
    pub border: Border,
    /// The state.
    pub bytes: Vec<u8>,
}

impl Border {
    fn column(self) -> i64 {
        match self {
            Self::Start => 0,
            Self::Switch => 1,
            Self::Restore => 2,
            Self::Periodic => 3,
        }
    }

    fn from_column(column: i64) -> Self {
        match column {
            0 => Self::Start,
            1 => Self::Switch,
            2 => Self::Restore,
            _ => Self::Periodic,
        }
    }
}

impl Control {
    /// Saves checkpoints in one commit and forgets what is beyond the limits: of each (binding, twin) the latest 64
    /// borders are kept, the last 3 periodic ones, and of the others one an hour for 72 hours. Blocks, for
    /// 10,000 twins some tenths of a second.
    ///
    /// # Errors
    /// When a state is over 64 MiB or cannot be written; then none of them is saved.
    pub fn checkpoint_save(&self, checkpoints: &[Checkpoint]) -> Result<(), StoreError> {
        self.save_within(checkpoints, CHECKPOINT_BYTES_MAX)
    }

    fn save_within(&self, checkpoints: &[Checkpoint], bytes_max: u64) -> Result<(), StoreError> {
        for checkpoint in checkpoints {
            names_fit(&[&checkpoint.binding, &checkpoint.twin])?;
            fits("a state's number of bytes", checkpoint.bytes.len(), STATE_BYTES_MAX)?;
        }
        if checkpoints.is_empty() {
            return Ok(());
        }
        self.shared.write("saving checkpoints", |transaction| {
            let mut writer = Writer::new(transaction)?;
            checkpoints.iter().try_for_each(|checkpoint| writer.save(checkpoint))?;
            let balance = writer.balance;
            settle(transaction, balance, bytes_max)
        })?;
        self.shared.checkpoint();
        Ok(())
    }
}

impl ControlReader {
    /// The last whole checkpoint of a twin whose state has seen no row at or after `time`. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn checkpoint_before(
        &self,
        binding: &str,
        twin: &str,
        time: Timestamp,
    ) -> Result<Option<Checkpoint>, StoreError> {
        self.select(binding, twin, "c.row_time < ?3 AND ?4 = ?4", "DESC", (time, time), 1)
            .map(|mut found| found.pop())
    }

    /// The whole checkpoints of a twin with `from` ≤ row time < `to`, in order of time. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn checkpoints(
        &self,
        binding: &str,
        twin: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        self.select(binding, twin, "c.row_time >= ?3 AND c.row_time < ?4", "ASC", (from, to), usize::MAX)
    }

    /// Borders and periodic checkpoints of a twin without their states, in order of time: row time, why, and the
    /// incarnation that goes on from there. Their CRC is not looked at, as it covers the state. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn borders(&self, binding: &str, twin: &str) -> Result<Vec<(Timestamp, Border, u32)>, StoreError> {
        self.shared.read("reading borders", |connection| {
            let mut select = connection.prepare(
                "SELECT row_time, border, incarnation FROM checkpoint
                 WHERE holder = (SELECT id FROM holder WHERE binding = ?1 AND twin = ?2) ORDER BY row_time, id",
            )?;
            let rows = select.query_map((binding, twin), |row| {
                let border = Border::from_column(row.get(1)?);
                Ok((time_from_column(row.get(0)?), border, number_from_column(row.get(2)?)))
            })?;
            rows.collect()
        })
    }

    fn select(
        &self,
        binding: &str,
        twin: &str,
        filter: &str,
        order: &str,
        bounds: (Timestamp, Timestamp),
        limit: usize,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let sql = format!(
            "SELECT row_time, border, rows, incarnation, schema, crc, state FROM checkpoint c
             WHERE c.holder = (SELECT id FROM holder WHERE binding = ?1 AND twin = ?2) AND {filter}
             ORDER BY c.row_time {order}, c.id {order}"
        );
        let bounds = (column_from_time(bounds.0), column_from_time(bounds.1));
        let shared: &Shared = &self.shared;
        shared.read("reading checkpoints", |connection| {
            let mut select = connection.prepare(&sql)?;
            let rows =
                select.query_map((binding, twin, bounds.0, bounds.1), |row| read(row, binding, twin))?;
            let mut found = Vec::new();
            for row in rows {
                match row? {
                    (checkpoint, true) => found.push(checkpoint),
                    (damaged, false) => shared.remember(DamagedState {
                        table: "checkpoint",
                        binding: damaged.binding,
                        twin: damaged.twin,
                        row_time: damaged.row_time,
                    }),
                }
                if found.len() >= limit {
                    break;
                }
            }
            Ok(found)
        })
    }
}

/// The checkpoint in a row, and whether it is as it was saved.
fn read(row: &Row<'_>, binding: &str, twin: &str) -> rusqlite::Result<(Checkpoint, bool)> {
    let checkpoint = Checkpoint {
        binding: binding.to_owned(),
        twin: twin.to_owned(),
        row_time: time_from_column(row.get(0)?),
        border: Border::from_column(row.get(1)?),
        rows: row.get::<_, i64>(2)?.cast_unsigned(),
        incarnation: number_from_column(row.get(3)?),
        schema: number_from_column(row.get(4)?),
        bytes: row.get(6)?,
    };
    let whole = row.get::<_, i64>(5)? == crc(&checkpoint);
    Ok((checkpoint, whole))
}

/// Covers the bytes and everything that says what they mean.
fn crc(checkpoint: &Checkpoint) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [&checkpoint.binding, &checkpoint.twin] {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    hasher.update(&column_from_time(checkpoint.row_time).to_le_bytes());
    hasher.update(&checkpoint.border.column().to_le_bytes());
    hasher.update(&column_from_number(checkpoint.rows).to_le_bytes());
    hasher.update(&checkpoint.incarnation.to_le_bytes());
    hasher.update(&checkpoint.schema.to_le_bytes());
    hasher.update(&checkpoint.bytes);
    i64::from(hasher.finalize())
}

#[cfg(test)]
mod tests;
