//! What the writer does between commits: folding, retention, checkpoints of its log.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Awaited, Writer};
use crate::hot::fold::Fold;
use crate::hot::{FILE, retention};
use crate::sqlite::column_from_time;
use crate::stats::add;
use crate::{Class, StoreError};

/// How often retention, folding by age and the file's size are looked at.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);
/// Bytes written to the log after which it is checkpointed.
const CHECKPOINT_BYTES: usize = 16 << 20;

impl Writer {
    pub(super) fn checkpoint_if_long(&mut self) {
        if self.unchecked_bytes > CHECKPOINT_BYTES {
            self.checkpoint();
        }
    }

    /// Begins a fold when one is due and works on the one that runs.
    pub(super) fn fold_on(&mut self) {
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

    pub(super) fn count_mixed(&self) -> Result<(), StoreError> {
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
    pub(super) fn keep_up(&mut self, awaited: Awaited) {
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
    pub(super) fn retain(&mut self) -> Result<bool, StoreError> {
        let Some(connection) = self.connection.as_ref() else { return Ok(false) };
        let mut removed = (0, false);
        let cutoff = |hours: u64| {
            let kept = Duration::from_secs(hours.saturating_mul(3600));
            column_from_time(self.clock.now().minus(kept))
        };
        if self.options.keep.is_empty() && self.options.retention_hours > 0 {
            removed = retention::remove_older(connection, cutoff(self.options.retention_hours))?;
        } else if !self.options.keep.is_empty() {
            let kept = Class::ALL.map(|class| (class, self.options.kept(class).hours));
            for (class, hours) in kept.into_iter().filter(|(_, hours)| *hours > 0) {
                let (gone, more) = retention::remove_older_of(connection, class, cutoff(hours))?;
                removed = (removed.0 + gone, removed.1 || more);
            }
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
}
