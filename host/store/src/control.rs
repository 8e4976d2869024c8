//! `control.db`: what is in force and what was decided. Packages and incarnations, assignments, activations,
//! rollouts, strikes, quarantines, alarms, crashes, last commands, checkpoints for replay, and (in [`crate::Snapshots`]) the state
//! that a restart needs.
//!
//! Decides nothing: it keeps what the manager thread says and gives it back. Each call is one commit with an fsync
//! or one read, and blocks for it: call it off the hot path. Whatever grows has a named limit here; what is beyond it
//! is forgotten, the oldest first.

mod activations;
mod alarms;
mod assignments;
mod checkpoints;
mod commanded;
mod crashes;
mod incarnations;
mod packages;
mod quarantines;
mod rollouts;
pub(crate) mod shared;
mod strikes;

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use geminus_core::{Clock, Timestamp};

use crate::sqlite::{File, column_from_time};
use crate::{Options, Snapshots, StoreError};
pub use activations::{Activation, ActivationFilter};
pub use alarms::AlarmRecord;
pub use assignments::{Assignment, LedgerChange};
pub use checkpoints::{Border, Checkpoint};
pub use commanded::Commanded;
pub use crashes::Crash;
pub use incarnations::Incarnation;
pub use packages::PackageRecord;
pub use quarantines::Quarantine;
pub use rollouts::{Release, RolloutRecord};
pub use shared::DamagedState;
use shared::Shared;
pub use strikes::Strike;

/// Most bytes of a name, an id or a digest.
const NAME_BYTES_MAX: usize = 1024;
/// Most bytes of a message; a longer one is cut.
const MESSAGE_BYTES_MAX: usize = 4096;
/// Most bytes of one JSON document: a declaration, a plan, the state of a rollout, its evidence.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// The file and its schemas: 1 is that of "First light", 2 knows rollouts, 3 quarantines, 4 what was commanded, 5 alarms.
pub(crate) const FILE: File = File {
    name: "control.db",
    page_bytes: 4096,
    migrations: &[
        "
        CREATE TABLE snapshot(binding TEXT NOT NULL, twin TEXT NOT NULL, generation INTEGER NOT NULL, plugin TEXT NOT NULL,
            digest TEXT NOT NULL, schema INTEGER NOT NULL, row_time INTEGER NOT NULL, saved INTEGER NOT NULL,
            crc INTEGER NOT NULL, state BLOB NOT NULL, PRIMARY KEY(binding, twin, generation)) STRICT;
        CREATE TABLE activation(id INTEGER PRIMARY KEY, time INTEGER NOT NULL, plugin TEXT NOT NULL, version TEXT NOT NULL,
            digest TEXT NOT NULL, outcome TEXT NOT NULL) STRICT",
        "
        ALTER TABLE activation ADD COLUMN binding TEXT NOT NULL DEFAULT '';
        ALTER TABLE activation ADD COLUMN twins INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE activation ADD COLUMN rollout INTEGER;
        CREATE TABLE package(id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, name TEXT NOT NULL, version TEXT NOT NULL,
            declaration TEXT NOT NULL, bytes INTEGER NOT NULL, arrived INTEGER NOT NULL, source TEXT NOT NULL) STRICT;
        CREATE TABLE incarnation(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, binding TEXT NOT NULL,
            plugin TEXT NOT NULL, digest TEXT NOT NULL, parameters BLOB NOT NULL, since INTEGER NOT NULL) STRICT;
        CREATE TABLE assignment(binding TEXT NOT NULL, twin TEXT NOT NULL, digest TEXT NOT NULL, since INTEGER NOT NULL,
            PRIMARY KEY(binding, twin)) STRICT, WITHOUT ROWID;
        CREATE TABLE rollout(id INTEGER PRIMARY KEY, binding TEXT NOT NULL, plugin TEXT NOT NULL, from_version TEXT,
            from_digest TEXT, to_version TEXT NOT NULL, to_digest TEXT NOT NULL, automatic INTEGER NOT NULL,
            by TEXT NOT NULL, started INTEGER NOT NULL, phase TEXT NOT NULL, changed INTEGER NOT NULL, ended INTEGER,
            plan TEXT NOT NULL, document TEXT NOT NULL, evidence TEXT) STRICT;
        CREATE UNIQUE INDEX rollout_open ON rollout(binding) WHERE ended IS NULL;
        CREATE TABLE strike(id INTEGER PRIMARY KEY, binding TEXT NOT NULL, twin TEXT NOT NULL, digest TEXT NOT NULL,
            time INTEGER NOT NULL, message TEXT NOT NULL) STRICT;
        CREATE INDEX strike_by_twin ON strike(binding, twin, digest, time);
        CREATE INDEX strike_by_age ON strike(time);
        CREATE TABLE crash(digest TEXT PRIMARY KEY, count INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL)
            STRICT, WITHOUT ROWID;
        CREATE TABLE holder(id INTEGER PRIMARY KEY, binding TEXT NOT NULL, twin TEXT NOT NULL, UNIQUE(binding, twin)) STRICT;
        CREATE TABLE checkpoint(id INTEGER PRIMARY KEY, holder INTEGER NOT NULL, row_time INTEGER NOT NULL,
            border INTEGER NOT NULL, rows INTEGER NOT NULL, incarnation INTEGER NOT NULL, schema INTEGER NOT NULL,
            crc INTEGER NOT NULL, state BLOB NOT NULL) STRICT;
        CREATE INDEX checkpoint_by_time ON checkpoint(holder, row_time, id, border);
        CREATE TABLE mark(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        "
        CREATE TABLE quarantine(id INTEGER PRIMARY KEY, binding TEXT NOT NULL, twin TEXT NOT NULL, digest TEXT NOT NULL,
            since INTEGER NOT NULL, strikes INTEGER NOT NULL, reason TEXT NOT NULL, UNIQUE(binding, twin, digest)) STRICT",
        "
        CREATE TABLE commanded(id INTEGER PRIMARY KEY, binding TEXT NOT NULL, twin TEXT NOT NULL, document TEXT NOT NULL,
            UNIQUE(binding, twin)) STRICT",
        "
        CREATE TABLE alarm(twin TEXT NOT NULL, name TEXT NOT NULL, changed INTEGER NOT NULL, document TEXT NOT NULL,
            PRIMARY KEY(twin, name)) STRICT, WITHOUT ROWID",
    ],
};

/// Reads `control.db`, also beside a running host. Clones share one connection, which one caller uses at a time.
#[derive(Clone, Debug)]
pub struct ControlReader {
    shared: Arc<Shared>,
}

/// Reads and writes `control.db`. Clones share one connection, also with [`Snapshots`].
#[derive(Clone, Debug)]
pub struct Control {
    reader: ControlReader,
    clock: Arc<dyn Clock>,
    was_clean: bool,
}

impl ControlReader {
    /// Opens the `control.db` of a data folder for reading, whether or not a host has it open.
    ///
    /// # Errors
    /// When there is none, or another version of Geminus wrote it.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Ok(Self { shared: Arc::new(Shared::open_reader(dir)?) })
    }

    /// Damaged states that reading met since start, at most the first 100.
    #[must_use]
    pub fn damage(&self) -> Vec<DamagedState> {
        self.shared.damage()
    }
}

impl Control {
    pub(crate) fn open(dir: &Path, options: &Options, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::open_writer(dir, options)?);
        let was_clean = shared.read("reading the mark of the last run", |connection| {
            connection.query_row("SELECT NOT EXISTS(SELECT 1 FROM mark WHERE key = 'running')", [], |row| {
                row.get(0)
            })
        })?;
        Ok(Self { reader: ControlReader { shared }, clock, was_clean })
    }

    /// Reads `control.db` beside a running host: the same as [`ControlReader::open`].
    ///
    /// # Errors
    /// When there is none, or another version of Geminus wrote it.
    pub fn read_only(dir: &Path) -> Result<ControlReader, StoreError> {
        ControlReader::open(dir)
    }

    /// Says that a host runs from now on. A run that ends without [`Control::mark_stopped`] was not clean. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn mark_running(&self) -> Result<(), StoreError> {
        let now = column_from_time(self.clock.now());
        self.shared.write("marking the run", |transaction| {
            transaction.execute("INSERT OR REPLACE INTO mark VALUES ('running', ?1)", [now]).map(drop)
        })
    }

    /// Says that the host came to its end in order. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn mark_stopped(&self) -> Result<(), StoreError> {
        self.shared.write("marking the end of the run", |transaction| {
            transaction.execute("DELETE FROM mark WHERE key = 'running'", []).map(drop)
        })
    }

    /// Whether the run before this one ended in order, as it was when the store was opened; true when there was none.
    #[must_use]
    pub fn was_clean(&self) -> bool {
        self.was_clean
    }

    pub(crate) fn snapshots(&self) -> Snapshots {
        Snapshots::new(Arc::clone(&self.reader.shared), Arc::clone(&self.clock))
    }

    /// Checkpoints the log and lets go of the file; clones are told that the store is closed.
    pub(crate) fn close(&self) {
        self.shared.close();
    }
}

impl Deref for Control {
    type Target = ControlReader;

    fn deref(&self) -> &ControlReader {
        &self.reader
    }
}

/// A time from its column.
fn time_from_column(column: i64) -> Timestamp {
    Timestamp(column.cast_unsigned())
}

/// A number as SQLite's signed one.
fn column_from_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of 32 bits from its column.
fn number_from_column(column: i64) -> u32 {
    u32::try_from(column).unwrap_or(u32::MAX)
}

/// Refuses what is over a limit.
fn fits(what: &'static str, found: usize, limit: usize) -> Result<(), StoreError> {
    match found <= limit {
        true => Ok(()),
        false => Err(StoreError::TooLarge { what, found, limit }),
    }
}

/// Refuses names that are no names.
fn names_fit(names: &[&str]) -> Result<(), StoreError> {
    names.iter().try_for_each(|name| fits("a name's number of bytes", name.len(), NAME_BYTES_MAX))
}

/// As much of a message as is kept.
fn cut(message: &str) -> &str {
    message.get(..message.floor_char_boundary(MESSAGE_BYTES_MAX)).unwrap_or(message)
}
