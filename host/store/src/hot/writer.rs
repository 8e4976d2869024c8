//! The thread that writes `hot.db`: it gathers what arrives into groups, commits them, and folds and forgets
//! in between.
//!
//! A group is committed when its first samples waited `group_commit_ms`, when it fills a block, or when somebody
//! flushes. Tickets are committed after the transaction, whose end is an fsync. When a commit fails everything
//! stays queued and is tried again each second; after a failure of the disk the connection is opened anew first.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use geminus_core::{Clock, SeriesId};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::commit::{Group, Written};
use super::fold::Fold;
use super::place::Placer;
use super::recorder::{Parcel, Work};
use super::{FILE, PAGE_BYTES, retention};
use crate::block::Packer;
use crate::sqlite::{column_from_time, number};
use crate::stats::{Gauges, add};
use crate::{Fault, Options, StoreError};

/// How long after a failure it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often retention, folding by age and the file's size are looked at.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);
/// Bytes written to the log after which it is checkpointed.
const CHECKPOINT_BYTES: usize = 16 << 20;
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
        let failed = |source| StoreError::Folder { path: dir.join(FILE.name), source };
        let (packer, placer) = (Packer::new().map_err(failed)?, Placer::new().map_err(failed)?);
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
            Some(first) => {
                (until(first.at + Duration::from_millis(self.options.group_commit_ms)), Awaited::Group)
            }
            None => (until(self.upkeep_at), Awaited::Upkeep),
        }
    }

    fn accept(&mut self, work: Work) {
        match work {
            Work::Parcel(parcel) => {
                self.backlog_points += parcel.samples.len();
                self.backlog.push_back(parcel);
            }
            Work::Series(names, reply) => {
                let numbers = self.number_series(&names);
                answer_one(&reply, numbers);
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
                let waited = self.backlog.front().is_some_and(|first| {
                    now >= first.at + Duration::from_millis(self.options.group_commit_ms)
                });
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

    fn checkpoint_if_long(&mut self) {
        if self.unchecked_bytes > CHECKPOINT_BYTES {
            self.checkpoint();
        }
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
        let refuse = || StoreError::NotWritable { file: FILE.name, reason: reason.clone() };
        self.flushes
            .drain(..)
            .chain(self.folds.drain(..))
            .for_each(|reply| answer_one(&reply, Err(refuse())));
    }

    /// Begins a fold when one is due and works on the one that runs.
    fn fold_on(&mut self) {
        if self.retry_at.is_some() || self.closing {
            return;
        }
        if let Err(error) = self.fold_slice() {
            self.failed(&error);
        }
    }

    fn fold_slice(&mut self) -> Result<(), StoreError> {
        let Some(connection) = self.connection.as_ref() else { return Ok(()) };
        if self.fold.is_none() && self.fold_due() {
            self.fold = Fold::begin(connection, self.options.fold_points)?;
        }
        let Some(fold) = self.fold.as_mut() else { return Ok(()) };
        if fold.done() {
            return self.close_fold();
        }
        if !fold.writes() {
            let slice = Duration::from_millis(self.options.fold_slice_ms);
            return fold.step(connection, &mut self.placer, self.clock.as_ref(), slice);
        }
        if self.backlog.is_empty() {
            self.group.fill(std::iter::empty());
            self.transact()?;
            self.checkpoint_if_long();
        }
        Ok(())
    }

    fn close_fold(&mut self) -> Result<(), StoreError> {
        let Some(fold) = self.fold.take_if(|fold| fold.done()) else { return Ok(()) };
        add(&self.gauges.points_folded, fold.points);
        add(&self.gauges.bytes_folded, fold.bytes);
        add(&self.gauges.blocks_damaged, fold.damaged_blocks);
        add(&self.gauges.folds, 1);
        self.mixed_since = None;
        self.count_mixed()?;
        if self.gauges.mixed_blocks.load(Ordering::Relaxed) > 0 {
            self.mixed_since = Some(self.clock.monotonic());
        }
        Ok(())
    }

    fn fold_due(&self) -> bool {
        let (blocks, points) = (&self.gauges.mixed_blocks, &self.gauges.mixed_points);
        let (blocks, points) = (blocks.load(Ordering::Relaxed), points.load(Ordering::Relaxed));
        let now = self.clock.monotonic();
        let old = self
            .mixed_since
            .is_some_and(|since| now.saturating_sub(since) >= Duration::from_secs(self.options.fold_every_s));
        let asked = !self.folds.is_empty() && self.backlog.is_empty();
        blocks > 0
            && (asked
                || old
                || blocks >= self.options.fold_blocks as u64
                || points >= self.options.fold_points as u64)
    }

    fn count_mixed(&self) -> Result<(), StoreError> {
        let Some(connection) = self.connection.as_ref() else { return Ok(()) };
        let failed = StoreError::database(FILE.name, "counting mixed blocks");
        let (blocks, points): (i64, i64) = connection
            .query_row("SELECT count(*), coalesce(sum(points), 0) FROM mixed", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .map_err(failed)?;
        self.gauges.mixed_blocks.store(blocks.cast_unsigned(), Ordering::Relaxed);
        self.gauges.mixed_points.store(points.cast_unsigned(), Ordering::Relaxed);
        Ok(())
    }

    /// Retention, the checkpoint of an idle log, and the file's size, once a second.
    fn keep_up(&mut self, awaited: Awaited) {
        let now = self.clock.monotonic();
        if self.retry_at.is_some() || (awaited != Awaited::Upkeep && now < self.upkeep_at) {
            return;
        }
        self.upkeep_at = now + UPKEEP_EVERY;
        match self.retain() {
            Ok(true) => self.upkeep_at = now,
            Ok(false) => (),
            Err(error) => self.failed(&error),
        }
        if self.backlog.is_empty() && self.unchecked_bytes > 0 {
            self.checkpoint();
        }
    }

    /// Removes some of what is too old or too much; returns whether there may be more.
    fn retain(&mut self) -> Result<bool, StoreError> {
        let Some(connection) = self.connection.as_ref() else { return Ok(false) };
        let mut removed = (0, false);
        if self.options.retention_hours > 0 {
            let kept = Duration::from_secs(self.options.retention_hours.saturating_mul(3600));
            removed = retention::remove_older(connection, column_from_time(self.clock.now().minus(kept)))?;
        }
        if !removed.1 && self.options.retention_mib > 0 {
            let above =
                retention::remove_above(connection, self.options.retention_mib.saturating_mul(1 << 20))?;
            removed = (removed.0 + above.0, above.1);
        }
        add(&self.gauges.blocks_retired, removed.0);
        self.gauges.file_bytes.store(retention::used_bytes(connection)?, Ordering::Relaxed);
        Ok(removed.1)
    }

    fn checkpoint(&mut self) {
        self.unchecked_bytes = 0;
        let done = self.connection.as_ref().map(|connection| FILE.checkpoint(connection, "PASSIVE"));
        if let Some(Err(error)) = done {
            self.failed(&error);
        }
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

    fn number_series(&mut self, names: &[(String, String)]) -> Result<Vec<SeriesId>, StoreError> {
        let closed = || StoreError::NotWritable { file: FILE.name, reason: "its disk failed".to_owned() };
        let connection = self.connection.as_mut().ok_or_else(closed)?;
        let failed = StoreError::database(FILE.name, "numbering series");
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let mut numbers = Vec::with_capacity(names.len());
        {
            let mut find = transaction
                .prepare("SELECT id FROM series WHERE twin = ?1 AND point = ?2")
                .map_err(&failed)?;
            let mut insert = transaction
                .prepare("INSERT INTO series(twin, point) VALUES (?1, ?2) RETURNING id")
                .map_err(&failed)?;
            for (twin, point) in names {
                let found: Option<i64> =
                    find.query_row((twin, point), |row| row.get(0)).optional().map_err(&failed)?;
                let id = match found {
                    Some(id) => id,
                    None => insert.query_row((twin, point), |row| row.get(0)).map_err(&failed)?,
                };
                let limit = StoreError::TooLarge {
                    what: "the number of series",
                    found: names.len(),
                    limit: u32::MAX as usize,
                };
                numbers.push(SeriesId(u32::try_from(id).map_err(|_| limit)?));
            }
        }
        transaction.commit().map_err(failed)?;
        Ok(numbers)
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

fn set_quota(connection: &Connection, mib: u64) -> Result<(), StoreError> {
    let pages = match mib {
        0 => NO_QUOTA_PAGES,
        _ => (mib << 20) / u64::from(PAGE_BYTES),
    };
    number(connection, &format!("PRAGMA max_page_count={pages}"))
        .map_err(StoreError::database(FILE.name, "setting its quota"))?;
    Ok(())
}
