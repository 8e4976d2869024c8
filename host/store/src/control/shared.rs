//! The connection that all of `control.db` is read and written by. After the disk failed it is opened anew, as the
//! writers of the other files do, because what its cache says can no longer be trusted.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use geminus_core::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::FILE;
use crate::{Fault, Options, StoreError};

/// A file up to this size is checked at each start, a larger one only after a run that did not close it.
const CHECK_ALWAYS_BYTES: u64 = 16 << 20;
/// Commits after which the log is checkpointed.
const CHECKPOINT_COMMITS: u32 = 100;
/// Most damaged states that are remembered.
const DAMAGE_MAX: usize = 100;

/// A state that could not be read and was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedState {
    /// Table of `control.db` that holds it: `snapshot` or `checkpoint`.
    pub table: &'static str,
    /// Name of the binding.
    pub binding: String,
    /// Id of the twin.
    pub twin: String,
    /// Time of the last row that the state has seen, as its column says.
    pub row_time: Timestamp,
}

#[derive(Debug)]
enum State {
    Open(Connection),
    /// The disk failed under it.
    Lost,
    Closed,
}

/// One connection and what was found damaged by it.
#[derive(Debug)]
pub(crate) struct Shared {
    dir: PathBuf,
    writes: bool,
    state: Mutex<State>,
    commits: Mutex<u32>,
    damage: Mutex<Vec<DamagedState>>,
}

impl Shared {
    pub(crate) fn open_writer(dir: &Path, options: &Options) -> Result<Self, StoreError> {
        let connection = FILE.open_writer(dir)?;
        let closed = connection
            .execute("DELETE FROM mark WHERE key = 'closed'", [])
            .map_err(StoreError::database(FILE.name, "marking it open"))?;
        let path = dir.join(FILE.name);
        let bytes = std::fs::metadata(&path).map_err(|cause| StoreError::Folder { path, cause })?.len();
        let small = bytes <= CHECK_ALWAYS_BYTES;
        if small || (closed == 0 && bytes <= options.check_mib_max.saturating_mul(1 << 20)) {
            FILE.check(&connection)?;
        } else if closed == 0 {
            tracing::warn!(bytes, "control.db was not closed and is too large to check at start");
        }
        Ok(Self::new(dir, true, connection))
    }

    pub(crate) fn open_reader(dir: &Path) -> Result<Self, StoreError> {
        Ok(Self::new(dir, false, FILE.open_reader(dir)?))
    }

    fn new(dir: &Path, writes: bool, connection: Connection) -> Self {
        let state = Mutex::new(State::Open(connection));
        Self { dir: dir.to_owned(), writes, state, commits: Mutex::default(), damage: Mutex::default() }
    }

    /// Reads. `step` names what for, should it fail.
    pub(crate) fn read<T>(
        &self,
        step: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut state = self.lock();
        let connection = self.connection(&mut state)?;
        let result = work(connection).map_err(StoreError::database(FILE.name, step));
        lose_if_failed(&mut state, &result);
        result
    }

    /// Writes in one commit: all of it or nothing. `step` names what, should it fail.
    pub(crate) fn write<T>(
        &self,
        step: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut state = self.lock();
        let connection = self.connection(&mut state)?;
        let result = transact(connection, work).map_err(StoreError::database(FILE.name, step));
        lose_if_failed(&mut state, &result);
        if result.is_ok() {
            self.count_commit(&mut state);
        }
        result
    }

    /// Moves the log into the file after a commit of many bytes, so that it does not stay long.
    pub(crate) fn checkpoint(&self) {
        checkpoint(&mut self.lock());
    }

    pub(crate) fn close(&self) {
        let before = std::mem::replace(&mut *self.lock(), State::Closed);
        if let State::Open(connection) = before
            && self.writes
        {
            let marked = connection.execute("INSERT OR REPLACE INTO mark VALUES ('closed', 1)", []);
            let done = marked
                .map_err(StoreError::database(FILE.name, "marking it closed"))
                .and_then(|_| FILE.checkpoint(&connection, "TRUNCATE"));
            if let Err(error) = done {
                tracing::debug!(%error, "control.db keeps its log beside it");
            }
        }
    }

    pub(crate) fn damage(&self) -> Vec<DamagedState> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says in the log, once for each, that a state was passed over.
    pub(crate) fn remember(&self, damaged: DamagedState) {
        let mut known = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(&damaged) && known.len() < DAMAGE_MAX {
            let DamagedState { table, binding, twin, row_time } = &damaged;
            tracing::error!(
                table,
                binding,
                twin,
                row_time_ms = row_time.millis(),
                "damaged state passed over"
            );
            known.push(damaged);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, opened anew if the disk failed under the last one.
    fn connection<'s>(&self, state: &'s mut State) -> Result<&'s mut Connection, StoreError> {
        if matches!(state, State::Lost) {
            *state = State::Open(match self.writes {
                true => FILE.reopen_writer(&self.dir)?,
                false => FILE.open_reader(&self.dir)?,
            });
        }
        match state {
            State::Open(connection) => Ok(connection),
            State::Lost | State::Closed => Err(StoreError::Closed),
        }
    }

    fn count_commit(&self, state: &mut State) {
        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        *commits += 1;
        if *commits >= CHECKPOINT_COMMITS {
            *commits = 0;
            checkpoint(state);
        }
    }
}

fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

fn lose_if_failed<T>(state: &mut State, result: &Result<T, StoreError>) {
    if matches!(result, Err(error) if error.fault() == Fault::Io) {
        *state = State::Lost;
    }
}

/// What was committed is durable whether or not this succeeds, so a failure is only told.
fn checkpoint(state: &mut State) {
    if let State::Open(connection) = state
        && let Err(error) = FILE.checkpoint(connection, "PASSIVE")
    {
        tracing::warn!(%error, "the log of control.db stays long");
        lose_if_failed(state, &Err::<(), _>(error));
    }
}
