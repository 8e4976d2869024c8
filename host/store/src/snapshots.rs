//! Snapshots of behavior state, by binding and twin, in `control.db`: what a restart goes on from.
//!
//! The last three generations of each twin's state are kept, each with its CRC, so that a damaged one costs a step
//! back and not the state. The name of a binding is opaque here, so the two sides of a rollout are kept apart by
//! naming them apart: `thermal` and `thermal@standby` have three generations each. [`Snapshots::forget`] drops a side
//! that has ended. Everything here blocks for a commit or a read: call it off the hot path.

use std::sync::Arc;

use geminus_core::{Clock, Timestamp};

use crate::control::shared::Shared;
use crate::sqlite::column_from_time;
use crate::{DamagedState, StoreError};

/// Generations of a twin's state that are kept.
const GENERATIONS: i64 = 3;
/// Most bytes of one twin's state.
pub(crate) const STATE_BYTES_MAX: usize = 64 << 20;

/// Who made the states of one save: one plugin version, for one binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Name of the binding of a behavior to twins.
    pub binding: String,
    /// `name@version` of the plugin.
    pub plugin: String,
    /// Digest of the plugin, as `sha256:…`.
    pub digest: String,
    /// Number of the state schema that the bytes are in.
    pub schema: u32,
}

/// A twin's state as it was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSnapshot {
    /// Id of the twin.
    pub twin: String,
    /// Who made it.
    pub by: Generation,
    /// Time of the last row that the state has seen.
    pub row_time: Timestamp,
    /// When it was saved.
    pub saved: Timestamp,
    /// The state.
    pub bytes: Vec<u8>,
}

/// What loading found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The newest whole state of each twin that has one, in the order asked for.
    pub states: Vec<StateSnapshot>,
    /// Twins and save times of newer states that were damaged and passed over.
    pub damaged: Vec<(String, Timestamp)>,
}

/// Saves and loads states. Clones share one connection, also with [`crate::Control`].
#[derive(Clone, Debug)]
pub struct Snapshots {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

impl Snapshots {
    pub(crate) fn new(shared: Arc<Shared>, clock: Arc<dyn Clock>) -> Self {
        Self { shared, clock }
    }

    /// Saves the states of some twins in one commit: (twin, time of the last row, bytes). Older generations
    /// than the last three of each twin are removed. Blocks.
    ///
    /// # Errors
    /// When a state is over 64 MiB or cannot be written; then none of them is saved.
    pub fn save(&self, by: &Generation, states: &[(String, Timestamp, Vec<u8>)]) -> Result<(), StoreError> {
        if let Some((_, _, bytes)) = states.iter().find(|(_, _, bytes)| bytes.len() > STATE_BYTES_MAX) {
            return Err(StoreError::TooLarge {
                what: "a state's number of bytes",
                found: bytes.len(),
                limit: STATE_BYTES_MAX,
            });
        }
        let saved = column_from_time(self.clock.now());
        self.shared.write("saving states", |transaction| {
            let mut last = transaction.prepare(
                "SELECT coalesce(max(generation), 0) FROM snapshot WHERE binding = ?1 AND twin = ?2",
            )?;
            let mut insert = transaction
                .prepare("INSERT INTO snapshot VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
            let mut prune = transaction
                .prepare("DELETE FROM snapshot WHERE binding = ?1 AND twin = ?2 AND generation <= ?3")?;
            let (binding, plugin, digest) = (&by.binding, &by.plugin, &by.digest);
            for (twin, row_time, bytes) in states {
                let generation = 1 + last.query_row((binding, twin), |row| row.get::<_, i64>(0))?;
                let time = column_from_time(*row_time);
                let crc = crc(by, twin, time, bytes);
                insert.execute((
                    binding, twin, generation, plugin, digest, by.schema, time, saved, crc, bytes,
                ))?;
                prune.execute((binding, twin, generation - GENERATIONS))?;
            }
            Ok(())
        })?;
        self.shared.checkpoint();
        Ok(())
    }

    /// The newest whole state of each of these twins under a binding. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load<T: AsRef<str>>(&self, binding: &str, twins: &[T]) -> Result<Loaded, StoreError> {
        self.load_by(binding, twins, None)
    }

    /// The newest whole state that this version wrote of each of these twins, and of those of which it wrote none the
    /// newest whole one of all. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load_by<T: AsRef<str>>(
        &self,
        binding: &str,
        twins: &[T],
        digest: Option<&str>,
    ) -> Result<Loaded, StoreError> {
        self.shared.read("loading states", |connection| {
            let mut select = connection.prepare(
                "SELECT plugin, digest, schema, row_time, saved, crc, state FROM snapshot
                 WHERE binding = ?1 AND twin = ?2 ORDER BY digest IS ?3 DESC, generation DESC",
            )?;
            let mut loaded = Loaded::default();
            for twin in twins.iter().map(AsRef::as_ref) {
                let rows = select.query_map((binding, twin, digest), |row| read(row, binding, twin))?;
                for row in rows {
                    match row? {
                        (state, true) => {
                            loaded.states.push(state);
                            break;
                        }
                        (state, false) => {
                            self.shared.remember(damaged(&state));
                            loaded.damaged.push((state.twin, state.saved));
                        }
                    }
                }
            }
            Ok(loaded)
        })
    }

    /// The newest whole state of a twin that was saved before `than`: the step back when going on from a newer one did
    /// not help. Damaged ones are passed over, see [`crate::ControlReader::damage`]. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn older(
        &self,
        binding: &str,
        twin: &str,
        than: Timestamp,
    ) -> Result<Option<StateSnapshot>, StoreError> {
        self.shared.read("looking for an older state", |connection| {
            let mut select = connection.prepare(
                "SELECT plugin, digest, schema, row_time, saved, crc, state FROM snapshot
                 WHERE binding = ?1 AND twin = ?2 AND saved < ?3 ORDER BY generation DESC",
            )?;
            let rows =
                select.query_map((binding, twin, column_from_time(than)), |row| read(row, binding, twin))?;
            for row in rows {
                match row? {
                    (state, true) => return Ok(Some(state)),
                    (state, false) => self.shared.remember(damaged(&state)),
                }
            }
            Ok(None)
        })
    }

    /// Drops all states under a binding's name, as of a side of a rollout that has ended; returns how many. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn forget(&self, binding: &str) -> Result<usize, StoreError> {
        self.shared.write("forgetting states", |transaction| {
            transaction.execute("DELETE FROM snapshot WHERE binding = ?1", [binding])
        })
    }
}

fn damaged(state: &StateSnapshot) -> DamagedState {
    DamagedState {
        table: "snapshot",
        binding: state.by.binding.clone(),
        twin: state.twin.clone(),
        row_time: state.row_time,
    }
}

/// The state in a row, and whether it is as it was saved.
fn read(row: &rusqlite::Row<'_>, binding: &str, twin: &str) -> rusqlite::Result<(StateSnapshot, bool)> {
    let schema = u32::try_from(row.get::<_, i64>(2)?).unwrap_or(u32::MAX);
    let by = Generation { binding: binding.to_owned(), plugin: row.get(0)?, digest: row.get(1)?, schema };
    let row_time: i64 = row.get(3)?;
    let bytes: Vec<u8> = row.get(6)?;
    let whole = row.get::<_, i64>(5)? == crc(&by, twin, row_time, &bytes);
    let saved = Timestamp(row.get::<_, i64>(4)?.cast_unsigned());
    let row_time = Timestamp(row_time.cast_unsigned());
    Ok((StateSnapshot { twin: twin.to_owned(), by, row_time, saved, bytes }, whole))
}

/// Covers the bytes and everything that says what they mean.
fn crc(by: &Generation, twin: &str, row_time: i64, bytes: &[u8]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [&by.binding, &by.plugin, &by.digest, twin] {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    hasher.update(&by.schema.to_le_bytes());
    hasher.update(&row_time.to_le_bytes());
    hasher.update(bytes);
    i64::from(hasher.finalize())
}
