//! The thread that writes `journal.db`: it takes what is queued, chains it and commits it. After a failure it
//! keeps the batch and tries again each second; after a failure of the disk it opens the file anew first.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use geminus_core::{Clock, Event, Timestamp};
use rusqlite::{Connection, TransactionBehavior};

use super::chain::Head;
use super::checkpoint::Checkpoint;
use super::seal::Sealer;
use super::{FILE, Gauges};
use crate::sqlite::column_from_time;
use crate::{Fault, StoreError};

/// Most entries of one commit.
const BATCH_MAX: usize = 1_000;
/// How long after a failure it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Commits after which the log is checkpointed.
const CHECKPOINT_COMMITS: u32 = 500;

/// What the journal's thread is asked to do.
#[derive(Debug)]
pub(crate) enum Note {
    Event(Timestamp, Box<Event>),
    /// An event whose writer waits for its number, which comes when it is durable.
    Record(Timestamp, Box<Event>, Sender<Result<u64, StoreError>>),
    /// Commit what came before, then answer.
    Flush(Sender<Result<(), StoreError>>),
    /// Commit what came before and end.
    Close,
}

#[derive(Debug)]
pub(crate) struct Writer {
    dir: PathBuf,
    connection: Option<Connection>,
    queue: Receiver<Note>,
    gauges: Arc<Gauges>,
    clock: Arc<dyn Clock>,
    head: Head,
    sealer: Sealer,
    /// Entries that wait for a commit: time and bytes.
    batch: Vec<(i64, String)>,
    /// How many of them a failed commit held, which may have reached the file all the same.
    tried: usize,
    flushes: Vec<Sender<Result<(), StoreError>>>,
    /// Who waits for the number of an entry, by its place in the batch.
    records: Vec<(usize, Sender<Result<u64, StoreError>>)>,
    retry_at: Option<Duration>,
    commits: u32,
    closing: bool,
}

impl Writer {
    pub(crate) fn new(
        dir: &Path,
        connection: Connection,
        queue: Receiver<Note>,
        gauges: Arc<Gauges>,
        clock: Arc<dyn Clock>,
        (head, sealer): (Head, Sealer),
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            connection: Some(connection),
            queue,
            gauges,
            clock,
            head,
            sealer,
            batch: Vec::new(),
            tried: 0,
            flushes: Vec::new(),
            records: Vec::new(),
            retry_at: None,
            commits: 0,
            closing: false,
        }
    }

    /// Runs until the store closes.
    pub(crate) fn run(mut self) {
        while !(self.closing && (self.batch.is_empty() || self.retry_at.is_some())) {
            let waited = self.receive();
            let due = self.retry_at.is_none_or(|at| waited || self.closing || self.clock.monotonic() >= at);
            if due {
                self.commit();
            }
        }
        self.finish();
    }

    /// Waits for something to do; true when the wait ran out. Beyond a full batch events stay in the queue,
    /// whose bound then holds for them.
    fn receive(&mut self) -> bool {
        let first = match self.retry_at {
            None => match self.sealer.due_at(self.head) {
                None => self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => self.queue.recv_timeout(at.saturating_sub(self.clock.monotonic())),
            },
            Some(at) if self.batch.len() < BATCH_MAX => {
                self.queue.recv_timeout(at.saturating_sub(self.clock.monotonic()))
            }
            Some(at) => {
                // A receiver that nobody sends to: the plain way to wait without taking from the queue.
                let wait = at.saturating_sub(self.clock.monotonic());
                crossbeam_channel::never::<Note>().recv_timeout(wait)
            }
        };
        match first {
            Ok(note) => self.accept(note),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => self.closing = true,
        }
        while self.batch.len() < BATCH_MAX {
            match self.queue.try_recv() {
                Ok(note) => self.accept(note),
                Err(_) => break,
            }
        }
        false
    }

    fn accept(&mut self, note: Note) {
        match note {
            Note::Event(time, event) => self.take(time, &event, None),
            Note::Record(time, event, reply) => self.take(time, &event, Some(reply)),
            Note::Flush(reply) => self.flushes.push(reply),
            Note::Close => self.closing = true,
        }
    }

    fn take(&mut self, time: Timestamp, event: &Event, reply: Option<Sender<Result<u64, StoreError>>>) {
        match serde_json::to_string(event) {
            Ok(body) => {
                self.records.extend(reply.map(|reply| (self.batch.len(), reply)));
                self.batch.push((column_from_time(time), body));
            }
            Err(error) => {
                self.gauges.dropped.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, kind = event.kind, "an event cannot be written as JSON");
                if let Some(reply) = reply {
                    send(&reply, Err(refused(&format!("the event cannot be written as JSON: {error}"))));
                }
            }
        }
    }

    /// Whether the end of the chain is to be signed now though nothing is written.
    fn seal_due(&self) -> bool {
        self.sealer.due_at(self.head).is_some_and(|at| self.closing || self.clock.monotonic() >= at)
    }

    fn commit(&mut self) {
        if self.batch.is_empty() && self.retry_at.is_none() && !self.seal_due() {
            return self.answer(None);
        }
        match self.transact() {
            Ok((head, checkpoint)) => {
                self.head = head;
                if let Some(checkpoint) = checkpoint {
                    self.sealer.sealed(&checkpoint, self.clock.monotonic());
                }
                let before = head.seq.cast_unsigned() - self.batch.len() as u64;
                for (at, reply) in self.records.drain(..) {
                    send(&reply, Ok(before + at as u64 + 1));
                }
                self.gauges.written.fetch_add(self.batch.len() as u64, Ordering::Relaxed);
                self.batch.clear();
                self.tried = 0;
                self.retry_at = None;
                if self.gauges.health.recover() {
                    tracing::info!(file = FILE.name, "the journal can be written again");
                }
                self.answer(None);
                self.checkpoint();
            }
            Err(error) => {
                self.tried = self.batch.len();
                if error.fault() == Fault::Io {
                    self.connection = None;
                }
                self.retry_at = Some(self.clock.monotonic() + RETRY_AFTER);
                let reason = error.to_string();
                if self.gauges.health.fail(&reason) {
                    tracing::error!(
                        file = FILE.name,
                        reason,
                        "the journal cannot be written; trying again each second"
                    );
                }
                self.answer(Some(&reason));
            }
        }
    }

    fn transact(&mut self) -> Result<(Head, Option<Checkpoint>), StoreError> {
        let seal_due = self.closing || self.sealer.is_time(self.clock.monotonic());
        let connection = match self.connection.take() {
            Some(connection) => self.connection.insert(connection),
            None => self.connection.insert(FILE.reopen_writer(&self.dir)?),
        };
        let failed = StoreError::database(FILE.name, "committing entries");
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let mut head = Head::load(&transaction)?;
        let tried = self.batch.get(..self.tried).unwrap_or_default();
        let landed =
            tried.iter().fold(self.head, |head, (time, body)| head.next(*time, body.as_bytes())) == head;
        let skipped = if landed { tried.len() } else { 0 };
        {
            let mut insert = transaction
                .prepare("INSERT INTO entry(seq, time, body, hash) VALUES (?1, ?2, ?3, ?4)")
                .map_err(&failed)?;
            for (time, body) in self.batch.iter().skip(skipped) {
                head = head.next(*time, body.as_bytes());
                insert.execute((head.seq, time, body, head.hash)).map_err(&failed)?;
            }
        }
        transaction
            .execute("INSERT OR REPLACE INTO head(only, seq, hash) VALUES (1, ?1, ?2)", (head.seq, head.hash))
            .map_err(&failed)?;
        let checkpoint = match self.sealer.wants(head, seal_due) {
            true => Some(self.sealer.sign(&transaction, head, self.clock.now())?),
            false => None,
        };
        transaction.commit().map_err(failed)?;
        Ok((head, checkpoint))
    }

    fn checkpoint(&mut self) {
        self.commits += 1;
        if self.commits < CHECKPOINT_COMMITS {
            return;
        }
        self.commits = 0;
        let done = self.connection.as_ref().map(|connection| FILE.checkpoint(connection, "PASSIVE"));
        if let Some(Err(error)) = done {
            tracing::warn!(%error, "the journal's log stays long");
        }
    }

    fn answer(&mut self, reason: Option<&str>) {
        for reply in self.flushes.drain(..) {
            send(&reply, reason.map_or(Ok(()), |reason| Err(refused(reason))));
        }
        // Those of a commit that succeeded have their numbers already.
        for (_, reply) in self.records.drain(..) {
            send(&reply, Err(refused(reason.unwrap_or("it is closed"))));
        }
    }

    fn finish(mut self) {
        let queued = self.queue.try_iter().filter(|note| matches!(note, Note::Event(..))).count();
        let lost = self.batch.len() + queued;
        if lost > 0 {
            self.gauges.dropped.fetch_add(lost as u64, Ordering::Relaxed);
            tracing::error!(
                entries = lost,
                "closing while the journal cannot be written: entries are given up"
            );
        }
        self.answer(Some("it is closed"));
        if let Some(connection) = self.connection.take()
            && let Err(error) = FILE.checkpoint(&connection, "TRUNCATE")
        {
            tracing::debug!(%error, "the journal's log stays beside it");
        }
    }
}

fn refused(reason: &str) -> StoreError {
    StoreError::NotWritable { file: FILE.name, reason: reason.to_owned() }
}

/// Answers whoever still waits.
fn send<T>(reply: &Sender<Result<T, StoreError>>, answer: Result<T, StoreError>) {
    if reply.send(answer).is_err() {
        tracing::debug!("whoever waited for the journal has gone");
    }
}
