//! `control.db`: snapshots of behavior state, by binding and twin, and the history of plugin activations.
//!
//! The last three generations of each twin's state are kept, each with its CRC, so that a damaged one costs a step
//! back and not the state. Everything here blocks for a commit or a read: call it off the hot path.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use geminus_core::{Clock, Timestamp};
use rusqlite::{Connection, TransactionBehavior};

use crate::StoreError;
use crate::sqlite::{File, column_from_count, column_from_time};

/// Generations of a twin's state that are kept.
const GENERATIONS: i64 = 3;
/// Most bytes of one twin's state.
const STATE_BYTES_MAX: usize = 64 << 20;

const FILE: File = File {
    name: "control.db",
    page_bytes: 4096,
    migrations: &["
        CREATE TABLE snapshot(binding TEXT NOT NULL, twin TEXT NOT NULL, generation INTEGER NOT NULL, plugin TEXT NOT NULL,
            digest TEXT NOT NULL, schema INTEGER NOT NULL, row_time INTEGER NOT NULL, saved INTEGER NOT NULL,
            crc INTEGER NOT NULL, state BLOB NOT NULL, PRIMARY KEY(binding, twin, generation)) STRICT;
        CREATE TABLE activation(id INTEGER PRIMARY KEY, time INTEGER NOT NULL, plugin TEXT NOT NULL, version TEXT NOT NULL,
            digest TEXT NOT NULL, outcome TEXT NOT NULL) STRICT"],
};

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

/// A plugin version that was put to work, or was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// When.
    pub time: Timestamp,
    /// Name of the plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Its digest, as `sha256:…`.
    pub digest: String,
    /// What came of it, in a word or a sentence: `activated`, `refused: …`.
    pub outcome: String,
}

/// Saves and loads states and activations. Clones share one connection, which one caller uses at a time.
#[derive(Clone, Debug)]
pub struct Snapshots {
    connection: Arc<Mutex<Connection>>,
    clock: Arc<dyn Clock>,
}

impl Snapshots {
    pub(crate) fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let connection = FILE.open_writer(dir)?;
        FILE.check(&connection)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), clock })
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
        let failed = StoreError::database(FILE.name, "saving states");
        let mut connection = self.lock();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        {
            let mut last = transaction
                .prepare("SELECT coalesce(max(generation), 0) FROM snapshot WHERE binding = ?1 AND twin = ?2")
                .map_err(&failed)?;
            let mut insert = transaction
                .prepare("INSERT INTO snapshot VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
                .map_err(&failed)?;
            let mut prune = transaction
                .prepare("DELETE FROM snapshot WHERE binding = ?1 AND twin = ?2 AND generation <= ?3")
                .map_err(&failed)?;
            for (twin, row_time, bytes) in states {
                let generation: i64 =
                    1 + last.query_row((&by.binding, twin), |row| row.get::<_, i64>(0)).map_err(&failed)?;
                let row_time = column_from_time(*row_time);
                let crc = crc(by, twin, row_time, bytes);
                insert
                    .execute((
                        &by.binding,
                        twin,
                        generation,
                        &by.plugin,
                        &by.digest,
                        by.schema,
                        row_time,
                        saved,
                        crc,
                        bytes,
                    ))
                    .map_err(&failed)?;
                prune.execute((&by.binding, twin, generation - GENERATIONS)).map_err(&failed)?;
            }
        }
        transaction.commit().map_err(&failed)?;
        FILE.checkpoint(&connection, "PASSIVE")
    }

    /// The newest whole state of each of these twins under a binding. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load<T: AsRef<str>>(&self, binding: &str, twins: &[T]) -> Result<Loaded, StoreError> {
        let failed = StoreError::database(FILE.name, "loading states");
        let connection = self.lock();
        let mut select = connection
            .prepare(
                "SELECT plugin, digest, schema, row_time, saved, crc, state FROM snapshot
                 WHERE binding = ?1 AND twin = ?2 ORDER BY generation DESC",
            )
            .map_err(&failed)?;
        let mut loaded = Loaded::default();
        for twin in twins.iter().map(AsRef::as_ref) {
            let rows = select.query_map((binding, twin), |row| read(row, binding, twin)).map_err(&failed)?;
            for row in rows {
                match row.map_err(&failed)? {
                    (state, true) => {
                        loaded.states.push(state);
                        break;
                    }
                    (state, false) => {
                        tracing::error!(
                            binding,
                            twin,
                            saved_ms = state.saved.millis(),
                            "damaged state passed over"
                        );
                        loaded.damaged.push((state.twin, state.saved));
                    }
                }
            }
        }
        Ok(loaded)
    }

    /// Remembers that a plugin version was put to work, or refused. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record_activation(&self, activation: &Activation) -> Result<(), StoreError> {
        self.lock()
            .execute(
                "INSERT INTO activation(time, plugin, version, digest, outcome) VALUES (?1, ?2, ?3, ?4, ?5)",
                (
                    column_from_time(activation.time),
                    &activation.plugin,
                    &activation.version,
                    &activation.digest,
                    &activation.outcome,
                ),
            )
            .map_err(StoreError::database(FILE.name, "recording an activation"))?;
        Ok(())
    }

    /// The latest activations, newest first. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn activations(&self, limit: usize) -> Result<Vec<Activation>, StoreError> {
        let failed = StoreError::database(FILE.name, "reading activations");
        let connection = self.lock();
        let mut select = connection
            .prepare(
                "SELECT time, plugin, version, digest, outcome FROM activation ORDER BY id DESC LIMIT ?1",
            )
            .map_err(&failed)?;
        let rows = select
            .query_map([column_from_count(limit)], |row| {
                Ok(Activation {
                    time: Timestamp(row.get::<_, i64>(0)?.cast_unsigned()),
                    plugin: row.get(1)?,
                    version: row.get(2)?,
                    digest: row.get(3)?,
                    outcome: row.get(4)?,
                })
            })
            .map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
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
