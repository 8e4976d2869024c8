//! The thread that writes `hot.db`: it gathers what arrives into groups, commits them, and folds and forgets
//! in between.
//!
//! A group is committed when the first samples that somebody waits for waited `group_commit_ms`, when any waited five
//! times as long, when it fills a block, or when somebody flushes. Tickets are committed after the transaction, whose end is an fsync. When a commit fails everything
//! stays queued and is tried again each second; after a failure of the disk the connection is opened anew first.

mod names;
mod seal;
mod upkeep;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use geminus_core::Clock;
use rusqlite::{Connection, TransactionBehavior};

use super::commit::{Group, Written};
use super::fold::Fold;
use super::place::Placer;
use super::recorder::{Parcel, Work};
use super::{FILE, PAGE_BYTES};
use crate::block::Packer;
use crate::sqlite::number;
use crate::stats::{Gauges, add};
use crate::{Fault, Options, StoreError};

/// How long after a failure it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Samples that nobody waits for are worth a larger group: a commit costs by the series in it more than by the samples.
const UNAWAITED_FACTOR: u32 = 5;
/// SQLite's way of saying that there is no quota.
const NO_QUOTA_PAGES: u64 = 4_294_967_294;

/// What a wait was for, so that its end means that it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Nothing,
    Group,
    Retry,
    Upkeep,
}

#[derive(Debug)]
pub(crate) struct Writer {
    dir: PathBuf,
    options: Options,
    clock: Arc<dyn Clock>,
    gauges: Arc<Gauges>,
    work: Receiver<Work>,
    /// `None` after the disk failed, until it was opened anew.
    connection: Option<Connection>,
    packer: Packer,
    placer: Placer,
    group: Group,
    backlog: VecDeque<Parcel>,
    backlog_points: usize,
    /// When the oldest parcel came that somebody waits for.
    awaited_since: Option<Duration>,
    flushes: Vec<Sender<Result<(), StoreError>>>,
    folds: Vec<Sender<Result<(), StoreError>>>,
    fold: Option<Fold>,
    retry_at: Option<Duration>,
    upkeep_at: Duration,
    /// When the oldest mixed block was written, as far as this process knows.
    mixed_since: Option<Duration>,
    unchecked_bytes: usize,
    closing: bool,
}

impl Writer {
    pub(crate) fn new(
        dir: PathBuf,
        options: Options,
        clock: Arc<dyn Clock>,
        gauges: Arc<Gauges>,
        work: Receiver<Work>,
        connection: Connection,
    ) -> Result<Self, StoreError> {
        let failed = |cause| StoreError::Folder { path: dir.join(FILE.name), cause };
        let placer = Placer::new(options.seal_after_s > 0).map_err(failed)?;
        let packer = Packer::new().map_err(failed)?;
        set_quota(&connection, options.quota_mib)?;
        let upkeep_at = clock.monotonic();
        let writer = Self {
            dir,
            options,
            clock,
            gauges,
            work,
            connection: Some(connection),
            packer,
            placer,
            group: Group::default(),
            backlog: VecDeque::new(),
            backlog_points: 0,
            awaited_since: None,
            flushes: Vec::new(),
            folds: Vec::new(),
            fold: None,
            retry_at: None,
            upkeep_at,
            mixed_since: Some(upkeep_at),
            unchecked_bytes: 0,
            closing: false,
        };
        writer.count_mixed()?;
        Ok(writer)
    }

    /// Runs until the store closes.
    pub(crate) fn run(mut self) {
        while !self.ended() {
            let due = self.receive();
            self.commit_if_due(due);
            self.fold_on();
            self.keep_up(due);
            self.answer();
        }
        self.finish();
    }

    fn ended(&self) -> bool {
        self.closing && (self.backlog.is_empty() || self.retry_at.is_some())
    }

    fn receive(&mut self) -> Awaited {
        let (wait, awaited) = self.patience();
        match self.work.recv_timeout(wait) {
            Ok(work) => {
                self.accept(work);
                while self.backlog_points < self.options.block_points_max {
                    match self.work.try_recv() {
                        Ok(work) => self.accept(work),
                        Err(_) => break,
                    }
                }
                Awaited::Nothing
            }
            Err(RecvTimeoutError::Timeout) => awaited,
            Err(RecvTimeoutError::Disconnected) => {
                self.closing = true;
                Awaited::Nothing
            }
        }
    }

    fn patience(&self) -> (Duration, Awaited) {
        let until = |at: Duration| at.saturating_sub(self.clock.monotonic());
        if let Some(at) = self.retry_at {
            return (until(at), Awaited::Retry);
        }
        let folding = self.fold.as_ref().is_some_and(|fold| !fold.writes() || self.backlog.is_empty());
        if self.closing || !self.flushes.is_empty() || !self.folds.is_empty() || folding {
            return (Duration::ZERO, Awaited::Nothing);
        }
        match self.backlog.front() {
            Some(_) if self.backlog_points >= self.options.block_points_max => {
                (Duration::ZERO, Awaited::Group)
            }
            Some(first) => (until(self.commit_at(first)), Awaited::Group),
            None => (until(self.upkeep_at), Awaited::Upkeep),
        }
    }

    fn commit_at(&self, first: &Parcel) -> Duration {
        commit_at(first.at, self.awaited_since, Duration::from_millis(self.options.group_commit_ms))
    }

    fn accept(&mut self, work: Work) {
        match work {
            Work::Parcel(parcel) => {
                if !parcel.tickets.is_empty() {
                    self.awaited_since.get_or_insert(parcel.at);
                }
                self.backlog_points += parcel.samples.len();
                self.backlog.push_back(parcel);
            }
            Work::Series(names, reply) => {
                let numbers = match self.connection.as_mut() {
                    Some(connection) => names::number(connection, &names),
                    None => Err(self.not_writable()),
                };
                answer_one(&reply, numbers);
            }
            Work::Classes(classes, reply) => {
                let done = match self.connection.as_mut() {
                    Some(connection) => names::classify(connection, &classes),
                    None => Err(self.not_writable()),
                };
                answer_one(&reply, done);
            }
            Work::Split(blocks, reply) => {
                let done = self.split(&blocks);
                answer_one(&reply, self.sealed(done));
            }
            Work::Seal(order, reply) => {
                let done = self.seal(&order);
                answer_one(&reply, self.sealed(done));
            }
            Work::Flush(reply) => self.flushes.push(reply),
            Work::Fold(reply) => self.folds.push(reply),
            Work::Quota(mib) => {
                self.options.quota_mib = mib;
                let set = self.connection.as_ref().map(|connection| set_quota(connection, mib));
                if let Some(Err(error)) = set {
                    tracing::warn!(%error, "the quota of history could not be set");
                }
            }
            Work::Close => self.closing = true,
        }
    }

    fn commit_if_due(&mut self, awaited: Awaited) {
        let now = self.clock.monotonic();
        let wanted = self.closing || !self.flushes.is_empty() || !self.folds.is_empty();
        let due = match self.retry_at {
            Some(at) => awaited == Awaited::Retry || now >= at,
            None => {
                let waited = self.backlog.front().is_some_and(|first| now >= self.commit_at(first));
                waited
                    || awaited == Awaited::Group
                    || self.backlog_points >= self.options.block_points_max
                    || wanted
            }
        };
        if due && (!self.backlog.is_empty() || self.retry_at.is_some()) {
            self.commit();
        }
    }

    /// Commits the samples at the front of the queue, with a slice of folding when one is at hand.
    fn commit(&mut self) {
        let began = self.clock.monotonic();
        let parcels = self.parcels_of_a_group();
        self.group.fill(self.backlog.iter().take(parcels));
        match self.transact() {
            Ok(written) => self.committed(parcels, written, began),
            Err(error) => self.failed(&error),
        }
    }

    fn parcels_of_a_group(&self) -> usize {
        let mut points = 0;
        let full = self.backlog.iter().position(|parcel| {
            points += parcel.samples.len();
            points >= self.options.block_points_max
        });
        full.map_or(self.backlog.len(), |at| at + 1)
    }

    fn transact(&mut self) -> Result<Written, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => self.connection.insert(connection),
            None => {
                let connection = FILE.reopen_writer(&self.dir)?;
                set_quota(&connection, self.options.quota_mib)?;
                self.connection.insert(connection)
            }
        };
        let failed = |step| StoreError::database(FILE.name, step);
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed("beginning a commit"))?;
        let written = self.group.insert(&transaction, &mut self.packer, self.options.block_points_max)?;
        if let Some(fold) = self.fold.as_mut().filter(|fold| fold.writes()) {
            let slice = Duration::from_millis(self.options.fold_slice_ms);
            let before = fold.bytes;
            fold.step(&transaction, &mut self.placer, self.clock.as_ref(), slice)?;
            self.unchecked_bytes += fold.bytes - before;
        }
        transaction.commit().map_err(failed("committing"))?;
        Ok(written)
    }

    fn committed(&mut self, parcels: usize, written: Written, began: Duration) {
        let gauges = &self.gauges;
        for parcel in self.backlog.drain(..parcels) {
            let points = parcel.samples.len();
            self.backlog_points -= points;
            gauges.queue_points.fetch_sub(points as u64, Ordering::Relaxed);
            parcel.tickets.into_iter().for_each(geminus_core::Ticket::commit);
        }
        self.awaited_since =
            self.backlog.iter().find(|parcel| !parcel.tickets.is_empty()).map(|parcel| parcel.at);
        let now = self.clock.monotonic();
        add(&gauges.points_written, self.group.sorted.len());
        add(&gauges.points_duplicate, self.group.duplicates);
        add(&gauges.points_refused, self.group.refused);
        add(&gauges.blocks_written, written.blocks);
        add(&gauges.bytes_written, written.bytes);
        add(&gauges.mixed_blocks, written.blocks);
        add(&gauges.mixed_points, self.group.sorted.len());
        add(&gauges.commits, 1);
        gauges.commit.add(now.saturating_sub(began));
        if written.blocks > 0 {
            self.mixed_since.get_or_insert(now);
        }
        self.unchecked_bytes += written.bytes;
        self.retry_at = None;
        if gauges.health.recover() {
            tracing::info!(file = FILE.name, "history can be written again");
        }
        self.checkpoint_if_long();
    }

    fn failed(&mut self, error: &StoreError) {
        self.fold = None;
        if error.fault() == Fault::Io {
            self.connection = None;
        }
        self.retry_at = Some(self.clock.monotonic() + RETRY_AFTER);
        let reason = error.to_string();
        if self.gauges.health.fail(&reason) {
            tracing::error!(file = FILE.name, reason, "history cannot be written; trying again each second");
        }
        let waiting: Vec<_> = self.flushes.drain(..).chain(self.folds.drain(..)).collect();
        waiting.iter().for_each(|reply| answer_one(reply, Err(self.not_writable())));
    }

    fn not_writable(&self) -> StoreError {
        let reason = self.gauges.health.reason().unwrap_or_default();
        StoreError::NotWritable { file: FILE.name, reason }
    }

    /// Answers those who wait, once what they wait for is done.
    fn answer(&mut self) {
        if !self.backlog.is_empty() || self.retry_at.is_some() {
            return;
        }
        self.flushes.drain(..).for_each(|reply| answer_one(&reply, Ok(())));
        let folded = self.fold.is_none() && self.gauges.mixed_blocks.load(Ordering::Relaxed) == 0;
        if !self.folds.is_empty() && folded {
            match self.retain() {
                Ok(true) => (),
                Ok(false) => self.folds.drain(..).for_each(|reply| answer_one(&reply, Ok(()))),
                Err(error) => self.failed(&error),
            }
        }
    }

    /// The end: whatever could not be committed is given up, which voids its tickets.
    fn finish(mut self) {
        let late = self.work.try_iter().map(|work| match work {
            Work::Parcel(parcel) => parcel.samples.len(),
            _ => 0,
        });
        let lost = self.backlog_points + late.sum::<usize>();
        if lost > 0 {
            tracing::error!(points = lost, "closing: samples that could not be written are given up");
            add(&self.gauges.points_dropped, lost);
            self.gauges.queue_points.fetch_sub(lost as u64, Ordering::Relaxed);
        }
        self.backlog.clear();
        if let Some(connection) = self.connection.take() {
            let marked = connection.execute("INSERT OR REPLACE INTO state VALUES ('closed', 1)", []);
            let done = marked
                .map_err(StoreError::database(FILE.name, "marking it closed"))
                .and_then(|_| FILE.checkpoint(&connection, "TRUNCATE"));
            if let Err(error) = done {
                tracing::warn!(%error, "history was not closed cleanly; it is whole, but will be checked at start");
            }
        }
        let refuse = || Err(StoreError::Closed);
        self.flushes.drain(..).chain(self.folds.drain(..)).for_each(|reply| answer_one(&reply, refuse()));
    }
}

/// Whoever asked may have gone; then nobody needs the answer.
fn answer_one<T>(reply: &Sender<T>, answer: T) {
    if reply.send(answer).is_err() {
        tracing::debug!("an answer of the history writer came too late");
    }
}

/// When what waits is committed at the latest: the oldest samples came at `first`, the oldest of those that somebody waits
/// for at `awaited`.
fn commit_at(first: Duration, awaited: Option<Duration>, wait: Duration) -> Duration {
    let of_any = first + wait * UNAWAITED_FACTOR;
    awaited.map_or(of_any, |since| of_any.min(since + wait))
}

fn set_quota(connection: &Connection, mib: u64) -> Result<(), StoreError> {
    let pages = match mib {
        0 => NO_QUOTA_PAGES,
        _ => (mib << 20) / u64::from(PAGE_BYTES),
    };
    number(connection, &format!("PRAGMA max_page_count={pages}"))
        .map_err(StoreError::database(FILE.name, "setting its quota"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_waited_for_is_committed_first_and_nobody_waits_for_ever() {
        let ms = Duration::from_millis;
        for (first, awaited, expect) in
            [(100, None, 125), (100, Some(100), 105), (100, Some(110), 115), (100, Some(124), 125)]
        {
            assert_eq!(commit_at(ms(first), awaited.map(ms), ms(5)), ms(expect), "{first} {awaited:?}");
        }
    }
}
