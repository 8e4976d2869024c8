//! `records.db`: context records of other systems, each kept once for its twin, source and id, as its source said it last.
//!
//! Sent again it changes nothing; corrected it takes the place of what was there; an older version than what is kept is
//! passed over; one that its source takes back stays as a mark, so that a late older version does not bring it back. Of each
//! twin the newest are kept, and all of them together are bounded. Each call is one commit with an fsync or one read, and
//! blocks for it.

mod file;
mod query;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use geminus_core::{ContextRecord, Timestamp};
use rusqlite::{Connection, TransactionBehavior};

use crate::sqlite::{File, number};
use crate::{Fault, StoreError};
pub use query::RecordFilter;

/// Most records that are taken in one call.
pub const RECORDS_AT_ONCE_MAX: usize = 1_000;
/// Most records that are kept of one twin; beyond it those with the earliest times are forgotten.
pub const RECORDS_OF_TWIN_MAX: usize = 20_000;
/// Most records that are kept of all twins together; beyond it new ones are refused.
const RECORDS_MAX: usize = 1_000_000;
/// Most bytes of the name of who brings records.
const BY_BYTES_MAX: usize = 1_024;
/// Pages of the log after which SQLite moves it into the file.
const LOG_PAGES: u32 = 1_000;

/// The file and its schema.
const FILE: File = File {
    name: "records.db",
    page_bytes: 4096,
    migrations: &["
        CREATE TABLE record(number INTEGER PRIMARY KEY AUTOINCREMENT, twin TEXT NOT NULL, source TEXT NOT NULL,
            id TEXT NOT NULL, kind TEXT NOT NULL, time INTEGER NOT NULL, until INTEGER, changed INTEGER,
            removed INTEGER NOT NULL, revision INTEGER NOT NULL, received INTEGER NOT NULL, corrected INTEGER,
            by TEXT NOT NULL, document TEXT NOT NULL, UNIQUE(twin, source, id)) STRICT;
        CREATE INDEX record_by_time ON record(twin, time, number)"],
};

/// A record as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRecord {
    /// Never changes, and is no other record's.
    pub number: u64,
    /// Id of the twin.
    pub twin: String,
    /// As its source said it last.
    pub record: ContextRecord,
    /// How often it was corrected.
    pub revision: u32,
    /// When it came first.
    pub received: Timestamp,
    /// When it was corrected last; `None` when it never was.
    pub corrected: Option<Timestamp>,
    /// Who brought it as it stands.
    pub by: String,
}

/// What became of a record that was brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filed {
    /// It was not known.
    New,
    /// It takes the place of what was kept.
    Corrected,
    /// It is taken back.
    Removed,
    /// It is kept already, in the very same words.
    Same,
    /// A newer version of it is kept.
    Older,
}

/// What became of the records of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filing {
    /// Of each, in the order in which they were brought.
    pub each: Vec<Filed>,
    /// How many of the twin's earliest were forgotten to make room.
    pub forgotten: u64,
}

/// Reads and writes `records.db`. Clones share one connection, which one caller uses at a time.
#[derive(Clone, Debug)]
pub struct Records {
    dir: Arc<PathBuf>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
enum State {
    Open {
        connection: Connection,
        /// How many records there are.
        count: usize,
    },
    /// The disk failed under it.
    Lost,
    Closed,
}

impl Records {
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        let state = State::open(FILE.open_writer(dir)?)?;
        if let State::Open { connection, .. } = &state {
            FILE.check(connection)?;
        }
        Ok(Self { dir: Arc::new(dir.to_owned()), state: Arc::new(Mutex::new(state)) })
    }

    /// Keeps records of a twin: all of them or, when it fails, none. `by` is who brings them, `now` when. They were checked
    /// ([`ContextRecord::check`]). Blocks for a commit.
    ///
    /// # Errors
    /// When there are too many at once or altogether, or they cannot be written.
    pub fn keep(
        &self,
        twin: &str,
        records: &[ContextRecord],
        by: &str,
        now: Timestamp,
    ) -> Result<Filing, StoreError> {
        self.keep_within(twin, records, (by, now), (RECORDS_OF_TWIN_MAX, RECORDS_MAX))
    }

    fn keep_within(
        &self,
        twin: &str,
        records: &[ContextRecord],
        (by, now): (&str, Timestamp),
        (of_twin_max, all_max): (usize, usize),
    ) -> Result<Filing, StoreError> {
        fits("the number of records", records.len(), RECORDS_AT_ONCE_MAX)?;
        fits("the number of bytes of who brings records", by.len(), BY_BYTES_MAX)?;
        self.with("keeping records", |connection, count| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let (mut filing, mut all) = (Filing::default(), *count);
            for record in records {
                let (filed, is_more) = file::file(&transaction, twin, record, by, now)?;
                filing.each.push(filed);
                all += usize::from(is_more);
            }
            let forgotten = file::forget(&transaction, twin, of_twin_max)?;
            all = all.saturating_sub(forgotten);
            filing.forgotten = forgotten as u64;
            if all > *count && all > all_max {
                return Ok(None);
            }
            transaction.commit()?;
            *count = all;
            Ok(Some(filing))
        })?
        .ok_or(StoreError::Exhausted {
            what: "context records",
            limit: all_max,
            instead: "bring fewer of each asset, or those of fewer assets",
        })
    }

    /// Moves the log into the file and lets go of it; clones are told that the store is closed.
    pub(crate) fn close(&self) {
        let before = std::mem::replace(&mut *self.lock(), State::Closed);
        if let State::Open { connection, .. } = before
            && let Err(error) = FILE.checkpoint(&connection, "TRUNCATE")
        {
            tracing::debug!(%error, "records.db keeps its log beside it");
        }
    }

    /// After a fault of the disk the file is opened anew at the next call.
    fn with<T>(
        &self,
        step: &'static str,
        work: impl FnOnce(&mut Connection, &mut usize) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut state = self.lock();
        if matches!(*state, State::Lost) {
            *state = State::open(FILE.reopen_writer(&self.dir)?)?;
        }
        let State::Open { connection, count } = &mut *state else { return Err(StoreError::Closed) };
        let result = work(connection, count).map_err(StoreError::database(FILE.name, step));
        if matches!(&result, Err(error) if error.fault() == Fault::Io) {
            *state = State::Lost;
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const COUNT: &str = "SELECT count(*) FROM record";

impl State {
    fn open(connection: Connection) -> Result<Self, StoreError> {
        let failed = StoreError::database(FILE.name, "setting it up");
        connection.execute_batch(&format!("PRAGMA wal_autocheckpoint={LOG_PAGES}")).map_err(&failed)?;
        let count = usize::try_from(number(&connection, COUNT).map_err(failed)?).unwrap_or(usize::MAX);
        Ok(Self::Open { connection, count })
    }
}

/// Refuses what is over a limit.
fn fits(what: &'static str, found: usize, limit: usize) -> Result<(), StoreError> {
    match found <= limit {
        true => Ok(()),
        false => Err(StoreError::TooLarge { what, found, limit }),
    }
}
