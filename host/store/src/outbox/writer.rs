//! The thread that writes `outbox.db`: whoever waits at the same time shares one commit, and each gets his own answer. What one asks that
//! cannot be is undone alone; when the file cannot be written nobody is told that something was kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use geminus_core::Timestamp;
use rusqlite::{Connection, Savepoint, Transaction, TransactionBehavior};

use super::keep::{Counts, forget, keep, keep_target, told};
use super::{CommandChange, FILE, TargetRow};
use crate::stats::Health;
use crate::{Fault, StoreError};

/// Most calls of one commit.
const BATCH_MAX: usize = 256;
/// Commits after which the log is checkpointed.
const CHECKPOINT_COMMITS: u32 = 500;

type Reply<T> = Sender<Result<T, StoreError>>;

/// What the outbox's thread is asked to do.
#[derive(Debug)]
pub(crate) enum Work {
    /// Keep these changes, all or none.
    Save(Vec<CommandChange>, Reply<()>),
    /// The journal has been told of these changes.
    Told(Vec<([u8; 16], u32)>, Reply<()>),
    /// Keep who asked for a target.
    Target(TargetRow, Reply<()>),
    /// Forget some commands that have not changed since; how many, is the answer.
    Prune(Timestamp, Reply<u64>),
    /// End after what came before.
    Close,
}

/// What a call is answered once its commit is durable.
enum Answer {
    Kept(Reply<()>, Result<(), StoreError>),
    Forgotten(Reply<u64>, Result<u64, StoreError>),
}

#[derive(Debug)]
pub(crate) struct Writer {
    dir: PathBuf,
    connection: Option<Connection>,
    queue: Receiver<Work>,
    health: Arc<Health>,
    counts: Counts,
    commits: u32,
}

impl Writer {
    pub(crate) fn new(
        dir: &Path,
        connection: Connection,
        queue: Receiver<Work>,
        health: Arc<Health>,
    ) -> Result<Self, StoreError> {
        let counts = Counts::of(&connection)?;
        Ok(Self { dir: dir.to_owned(), connection: Some(connection), queue, health, counts, commits: 0 })
    }

    /// Runs until the store closes.
    pub(crate) fn run(mut self) {
        let mut closing = false;
        while !closing {
            let Ok(first) = self.queue.recv() else { break };
            let mut batch = Vec::new();
            let more = self.queue.try_iter().take(BATCH_MAX - 1);
            for work in std::iter::once(first).chain(more) {
                match work {
                    Work::Close => closing = true,
                    work => batch.push(work),
                }
                if closing {
                    break;
                }
            }
            if !batch.is_empty() {
                self.commit(batch);
            }
        }
        self.finish();
    }

    fn commit(&mut self, batch: Vec<Work>) {
        let (mut answers, done) = match self.connect() {
            Ok(mut connection) => {
                let result = transact(&mut connection, batch, self.counts);
                self.connection = Some(connection);
                result
            }
            Err(error) => (batch.into_iter().filter_map(|work| work.unanswered()).collect(), Err(error)),
        };
        match done {
            Ok(counts) => {
                self.counts = counts;
                if self.health.recover() {
                    tracing::info!(file = FILE.name, "the outbox can be written again");
                }
            }
            Err(error) => {
                if error.fault() == Fault::Io {
                    self.connection = None;
                }
                let reason = error.to_string();
                if self.health.fail(&reason) {
                    tracing::error!(
                        file = FILE.name,
                        reason,
                        "the outbox cannot be written: nothing is sent"
                    );
                }
                answers.iter_mut().for_each(|answer| answer.take_back(&reason));
            }
        }
        answers.into_iter().for_each(Answer::give);
        self.checkpoint();
    }

    /// The connection; opened anew, and the counts with it, when the disk failed under the last one.
    fn connect(&mut self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let connection = FILE.reopen_writer(&self.dir)?;
        self.counts = Counts::of(&connection)?;
        Ok(connection)
    }

    fn checkpoint(&mut self) {
        self.commits += 1;
        if self.commits < CHECKPOINT_COMMITS {
            return;
        }
        self.commits = 0;
        let done = self.connection.as_ref().map(|connection| FILE.checkpoint(connection, "PASSIVE"));
        if let Some(Err(error)) = done {
            tracing::warn!(%error, "the outbox's log stays long");
        }
    }

    fn finish(self) {
        // Whoever still waits finds the channel closed, and is told so.
        drop(self.queue);
        if let Some(connection) = self.connection
            && let Err(error) = FILE.checkpoint(&connection, "TRUNCATE")
        {
            tracing::debug!(%error, "the outbox's log stays beside it");
        }
    }
}

impl Work {
    /// An answer that says that nothing was done, to be filled in with the reason.
    fn unanswered(self) -> Option<Answer> {
        match self {
            Self::Save(_, reply) | Self::Told(_, reply) | Self::Target(_, reply) => {
                Some(Answer::Kept(reply, Ok(())))
            }
            Self::Prune(_, reply) => Some(Answer::Forgotten(reply, Ok(0))),
            Self::Close => None,
        }
    }
}

impl Answer {
    /// Nothing of the batch may be taken for kept.
    fn take_back(&mut self, reason: &str) {
        let error = || StoreError::NotWritable { file: FILE.name, reason: reason.to_owned() };
        match self {
            Self::Kept(_, result) => *result = Err(error()),
            Self::Forgotten(_, result) => *result = Err(error()),
        }
    }

    fn give(self) {
        let gone = match self {
            Self::Kept(reply, result) => reply.send(result).is_err(),
            Self::Forgotten(reply, result) => reply.send(result).is_err(),
        };
        if gone {
            tracing::debug!("whoever wrote to the outbox has gone");
        }
    }
}

/// All of a batch in one commit, and what each is to be told if that succeeds.
fn transact(
    connection: &mut Connection,
    batch: Vec<Work>,
    before: Counts,
) -> (Vec<Answer>, Result<Counts, StoreError>) {
    let failed = StoreError::database(FILE.name, "committing commands");
    let mut counts = before;
    let mut answers = Vec::with_capacity(batch.len());
    let mut batch = batch.into_iter();
    let done = (|| {
        let mut transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        for work in batch.by_ref() {
            let (answer, broken) = one(&mut transaction, work, &mut counts);
            answers.extend(answer);
            if let Some(error) = broken {
                return Err(error);
            }
        }
        transaction.commit().map_err(&failed)?;
        Ok(counts)
    })();
    answers.extend(batch.filter_map(Work::unanswered));
    (answers, done)
}

/// One call, undone by itself when it cannot be. The second is what makes the whole batch fail.
fn one(
    transaction: &mut Transaction<'_>,
    work: Work,
    counts: &mut Counts,
) -> (Option<Answer>, Option<StoreError>) {
    match work {
        Work::Save(changes, reply) => {
            let (result, broken) = own(transaction, |savepoint| {
                let mut after = *counts;
                changes.iter().try_for_each(|change| keep(savepoint, change, &mut after))?;
                *counts = after;
                Ok(())
            });
            (Some(Answer::Kept(reply, result)), broken)
        }
        Work::Told(changes, reply) => {
            let (result, broken) = own(transaction, |savepoint| told(savepoint, &changes));
            (Some(Answer::Kept(reply, result)), broken)
        }
        Work::Target(row, reply) => {
            let (result, broken) = own(transaction, |savepoint| keep_target(savepoint, &row));
            (Some(Answer::Kept(reply, result)), broken)
        }
        Work::Prune(before, reply) => {
            let (result, broken) = own(transaction, |savepoint| forget(savepoint, before));
            if let Ok(forgotten) = result {
                counts.commands =
                    counts.commands.saturating_sub(usize::try_from(forgotten).unwrap_or(usize::MAX));
            }
            (Some(Answer::Forgotten(reply, result)), broken)
        }
        Work::Close => (None, None),
    }
}

/// Runs `work` so that it leaves nothing behind when it fails. A fault of the disk is everybody's.
fn own<T>(
    transaction: &mut Transaction<'_>,
    work: impl FnOnce(&Savepoint<'_>) -> Result<T, StoreError>,
) -> (Result<T, StoreError>, Option<StoreError>) {
    let failed = StoreError::database(FILE.name, "keeping a change by itself");
    let result = transaction.savepoint().map_err(&failed).and_then(|savepoint| {
        let done = work(&savepoint)?;
        savepoint.commit().map_err(&failed)?;
        Ok(done)
    });
    match result {
        Err(error) if error.fault() != Fault::Other => {
            let told = StoreError::NotWritable { file: FILE.name, reason: error.to_string() };
            (Err(told), Some(error))
        }
        result => (result, None),
    }
}
