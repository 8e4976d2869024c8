//! Rollouts: what was planned, how far it came, and the evidence, as documents that other rooms give meaning to.

use geminus_core::Timestamp;
use rusqlite::{OptionalExtension, Row};

use super::{
    Control, ControlReader, DOCUMENT_BYTES_MAX, column_from_number, fits, names_fit, time_from_column,
};
use crate::StoreError;
use crate::sqlite::{column_from_count, column_from_time};

/// Most rollouts that are remembered; those under way are never forgotten.
const ROLLOUTS_MAX: u32 = 1_000;

const COLUMNS: &str =
    "id, binding, plugin, from_version, from_digest, to_version, to_digest, automatic, by, started,
    phase, changed, ended, plan, document";

/// A version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its version.
    pub version: String,
    /// Its digest, as `sha256:…`.
    pub digest: String,
}

/// A rollout as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutRecord {
    /// Its number, from 1; 0 until [`Control::rollout_begin`] gave it one.
    pub id: u64,
    /// Name of the binding.
    pub binding: String,
    /// Name of the plugin.
    pub plugin: String,
    /// The version that ran before; `None` when none did.
    pub from: Option<Release>,
    /// The version that is rolled out.
    pub to: Release,
    /// Whether a file that arrived began it.
    pub automatic: bool,
    /// Who began it.
    pub by: String,
    /// When it began.
    pub started: Timestamp,
    /// The phase it is in.
    pub phase: String,
    /// When the phase or a document was written last; set by the store.
    pub changed: Timestamp,
    /// When it ended; `None` while it is under way.
    pub ended: Option<Timestamp>,
    /// The plan as JSON, at most 1 MiB. Never changes.
    pub plan: String,
    /// The machine's state and whatever belongs to it as JSON, at most 1 MiB.
    pub document: String,
    /// Evidence as JSON, at most 1 MiB; `None` while there is none, and always in lists.
    pub evidence: Option<String>,
}

impl Control {
    /// Begins a rollout and gives it its number; `id` and `changed` of the record are not looked at. Of the ones that
    /// ended, those before the latest 1,000 rollouts are forgotten. Blocks.
    ///
    /// # Errors
    /// When another one of this binding is under way, a document is over 1 MiB, or it cannot be written.
    pub fn rollout_begin(&self, rollout: &RolloutRecord) -> Result<u64, StoreError> {
        names_fit(&[&rollout.binding, &rollout.plugin, &rollout.by, &rollout.phase])?;
        names_fit(&[&rollout.to.version, &rollout.to.digest])?;
        let documents = [Some(&rollout.plan), Some(&rollout.document), rollout.evidence.as_ref()];
        documents.into_iter().flatten().try_for_each(|document| document_fits(document))?;
        let now = column_from_time(self.clock.now());
        let begun = self.shared.write("beginning a rollout", |transaction| {
            let open: Option<i64> = transaction
                .query_row(
                    "SELECT id FROM rollout WHERE binding = ?1 AND ended IS NULL",
                    [&rollout.binding],
                    |row| row.get(0),
                )
                .optional()?;
            if let Some(open) = open {
                return Ok(Err(open.cast_unsigned()));
            }
            let from = rollout.from.as_ref();
            transaction.execute(
                "INSERT INTO rollout(binding, plugin, from_version, from_digest, to_version, to_digest, automatic, by,
                    started, phase, changed, ended, plan, document, evidence)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                (
                    &rollout.binding,
                    &rollout.plugin,
                    from.map(|from| &from.version),
                    from.map(|from| &from.digest),
                    &rollout.to.version,
                    &rollout.to.digest,
                    rollout.automatic,
                    &rollout.by,
                    column_from_time(rollout.started),
                    &rollout.phase,
                    now,
                    rollout.ended.map(column_from_time),
                    &rollout.plan,
                    &rollout.document,
                    &rollout.evidence,
                ),
            )?;
            let id = transaction.last_insert_rowid();
            transaction.execute(
                "DELETE FROM rollout WHERE ended IS NOT NULL
                   AND id <= (SELECT id FROM rollout ORDER BY id DESC LIMIT 1 OFFSET ?1)",
                [ROLLOUTS_MAX],
            )?;
            Ok(Ok(id.cast_unsigned()))
        })?;
        begun.map_err(|open| StoreError::RolloutOpen { binding: rollout.binding.clone(), open })
    }

    /// Writes down how far a rollout is. One that ended stays ended, whatever `ended` says. Blocks.
    ///
    /// # Errors
    /// When there is no such rollout, the document is over 1 MiB, or it cannot be written.
    pub fn rollout_save(
        &self,
        id: u64,
        phase: &str,
        document: &str,
        ended: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        names_fit(&[phase])?;
        document_fits(document)?;
        let now = column_from_time(self.clock.now());
        let changed = self.shared.write("saving a rollout", |transaction| {
            transaction.execute(
                "UPDATE rollout SET phase = ?2, document = ?3, ended = coalesce(ended, ?4), changed = ?5 WHERE id = ?1",
                (column_from_number(id), phase, document, ended.map(column_from_time), now),
            )
        })?;
        found(changed, id)
    }

    /// Writes down a rollout's evidence, instead of what was there. Blocks.
    ///
    /// # Errors
    /// When there is no such rollout, the evidence is over 1 MiB, or it cannot be written.
    pub fn rollout_evidence(&self, id: u64, evidence: &str) -> Result<(), StoreError> {
        document_fits(evidence)?;
        let now = column_from_time(self.clock.now());
        let changed = self.shared.write("saving evidence of a rollout", |transaction| {
            transaction.execute(
                "UPDATE rollout SET evidence = ?2, changed = ?3 WHERE id = ?1",
                (column_from_number(id), evidence, now),
            )
        })?;
        found(changed, id)
    }
}

impl ControlReader {
    /// The latest rollouts, newest first, without their evidence. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rollouts(&self, limit: usize) -> Result<Vec<RolloutRecord>, StoreError> {
        self.shared.read("reading rollouts", |connection| {
            let sql = format!("SELECT {COLUMNS}, NULL FROM rollout ORDER BY id DESC LIMIT ?1");
            connection.prepare(&sql)?.query_map([column_from_count(limit)], read)?.collect()
        })
    }

    /// The rollouts that are under way, oldest first, without their evidence. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rollouts_open(&self) -> Result<Vec<RolloutRecord>, StoreError> {
        self.shared.read("reading open rollouts", |connection| {
            let sql = format!("SELECT {COLUMNS}, NULL FROM rollout WHERE ended IS NULL ORDER BY id");
            connection.prepare(&sql)?.query_map([], read)?.collect()
        })
    }

    /// One rollout with all that is known of it. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rollout(&self, id: u64) -> Result<Option<RolloutRecord>, StoreError> {
        self.shared.read("reading a rollout", |connection| {
            let sql = format!("SELECT {COLUMNS}, evidence FROM rollout WHERE id = ?1");
            connection.prepare(&sql)?.query_row([column_from_number(id)], read).optional()
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<RolloutRecord> {
    let from: (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
    Ok(RolloutRecord {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        binding: row.get(1)?,
        plugin: row.get(2)?,
        from: from.0.zip(from.1).map(|(version, digest)| Release { version, digest }),
        to: Release { version: row.get(5)?, digest: row.get(6)? },
        automatic: row.get(7)?,
        by: row.get(8)?,
        started: time_from_column(row.get(9)?),
        phase: row.get(10)?,
        changed: time_from_column(row.get(11)?),
        ended: row.get::<_, Option<i64>>(12)?.map(time_from_column),
        plan: row.get(13)?,
        document: row.get(14)?,
        evidence: row.get(15)?,
    })
}

fn document_fits(document: &str) -> Result<(), StoreError> {
    fits("a document's number of bytes", document.len(), DOCUMENT_BYTES_MAX)
}

fn found(changed: usize, id: u64) -> Result<(), StoreError> {
    match changed {
        0 => Err(StoreError::NoRollout { id }),
        _ => Ok(()),
    }
}
