//! What the store counts of itself: gauges that its threads keep, and the picture of them that others get.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// The store at one moment. Counts are since start unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Points that were committed.
    pub points_written: u64,
    /// Points that came twice inside one group and were stored once. Others are found when they are folded.
    pub points_duplicate: u64,
    /// Points that were dropped because the queue was full or the store closed.
    pub points_dropped: u64,
    /// Points whose time lies beyond the year 2262, where the file's times end.
    pub points_refused: u64,
    /// Points that wait for a commit now.
    pub queue_points: u64,
    /// Mixed blocks that were committed.
    pub blocks_written: u64,
    /// Bytes of those blocks.
    pub bytes_written: u64,
    /// Points that were folded into blocks of one series.
    pub points_folded: u64,
    /// Bytes that folding wrote.
    pub bytes_folded: u64,
    /// Folds that were completed.
    pub folds: u64,
    /// Mixed blocks that wait for folding now.
    pub mixed_blocks: u64,
    /// Points of those.
    pub mixed_points: u64,
    /// Blocks that retention removed.
    pub blocks_retired: u64,
    /// Blocks found damaged while folding: set aside in the table `damaged`, named in the log.
    pub blocks_damaged: u64,
    /// Points that were moved from hot.db into files.
    pub points_sealed: u64,
    /// Bytes of those files; what was replaced by a later revision counts again.
    pub bytes_sealed: u64,
    /// Those files.
    pub files_sealed: u64,
    /// Attempts to move history into files that failed.
    pub seals_failed: u64,
    /// Pages of hot.db in use, in bytes, as last looked at.
    pub file_bytes: u64,
    /// Commits that succeeded.
    pub commits: u64,
    /// How long commits took, fsync included.
    pub commit: Spread,
    /// Whether the last attempt to write history succeeded.
    pub writable: bool,
    /// Why not, when it did not.
    pub reason: Option<String>,
    /// The journal's own.
    pub journal: JournalStats,
}

/// The journal at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JournalStats {
    /// Entries that were committed since start.
    pub entries_written: u64,
    /// Events that were dropped because the queue was full or the journal closed.
    pub entries_dropped: u64,
    /// Whether the last attempt to write succeeded and nothing was dropped since.
    pub writable: bool,
    /// Why not, when it is not.
    pub reason: Option<String>,
}

/// How a duration spreads, in milliseconds. Percentiles are upper edges of buckets 19 % wide; the most is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Half were at most this long.
    pub p50_ms: f64,
    /// 99 of 100 were at most this long.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// Buckets for each doubling.
const STEPS: u32 = 4;
/// 4 × 26 buckets from 1 µs reach a minute.
const BUCKETS: usize = 104;

/// A histogram of durations that one thread fills and others read.
#[derive(Debug)]
pub(crate) struct Durations {
    buckets: [AtomicU64; BUCKETS],
    max_us: AtomicU64,
}

impl Default for Durations {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::new(0)), max_us: AtomicU64::new(0) }
    }
}

impl Durations {
    pub(crate) fn add(&self, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let at = ((micros.max(1) as f64).log2() * f64::from(STEPS)).ceil() as usize;
        if let Some(bucket) = self.buckets.get(at.min(BUCKETS - 1)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.max_us.fetch_max(micros, Ordering::Relaxed);
    }

    pub(crate) fn spread(&self) -> Spread {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let max_ms = self.max_us.load(Ordering::Relaxed) as f64 / 1000.0;
        let total: u64 = counts.iter().sum();
        let edge = |share: f64| {
            let wanted = (total as f64 * share).ceil().max(1.0) as u64;
            let mut seen = 0;
            let at = counts.iter().position(|count| {
                seen += count;
                seen >= wanted
            });
            at.map_or(0.0, |at| ((at as f64 / f64::from(STEPS)).exp2() / 1000.0).min(max_ms))
        };
        Spread { p50_ms: edge(0.5), p99_ms: edge(0.99), max_ms }
    }
}

/// Whether a file takes writes, and the last reason why not.
#[derive(Debug)]
pub(crate) struct Health {
    writable: AtomicBool,
    reason: Mutex<Option<String>>,
}

impl Default for Health {
    fn default() -> Self {
        Self { writable: AtomicBool::new(true), reason: Mutex::new(None) }
    }
}

impl Health {
    pub(crate) fn writable(&self) -> bool {
        self.writable.load(Ordering::Acquire)
    }

    pub(crate) fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether this is news.
    pub(crate) fn fail(&self, reason: &str) -> bool {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        self.writable.swap(false, Ordering::AcqRel)
    }

    /// Returns whether this is news.
    pub(crate) fn recover(&self) -> bool {
        if self.writable() {
            return false;
        }
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = None;
        !self.writable.swap(true, Ordering::AcqRel)
    }
}

/// What the history writer and its recorders keep count of.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) points_written: AtomicU64,
    pub(crate) points_duplicate: AtomicU64,
    pub(crate) points_dropped: AtomicU64,
    pub(crate) points_refused: AtomicU64,
    pub(crate) queue_points: AtomicU64,
    pub(crate) blocks_written: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) points_folded: AtomicU64,
    pub(crate) bytes_folded: AtomicU64,
    pub(crate) folds: AtomicU64,
    pub(crate) mixed_blocks: AtomicU64,
    pub(crate) mixed_points: AtomicU64,
    pub(crate) blocks_retired: AtomicU64,
    pub(crate) blocks_damaged: AtomicU64,
    pub(crate) points_sealed: AtomicU64,
    pub(crate) bytes_sealed: AtomicU64,
    pub(crate) files_sealed: AtomicU64,
    pub(crate) seals_failed: AtomicU64,
    pub(crate) file_bytes: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) commit: Durations,
    pub(crate) health: Health,
}

/// Adds to a gauge.
pub(crate) fn add(gauge: &AtomicU64, count: usize) {
    gauge.fetch_add(count as u64, Ordering::Relaxed);
}

impl Gauges {
    pub(crate) fn stats(&self, journal: JournalStats) -> Stats {
        let of = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        Stats {
            points_written: of(&self.points_written),
            points_duplicate: of(&self.points_duplicate),
            points_dropped: of(&self.points_dropped),
            points_refused: of(&self.points_refused),
            queue_points: of(&self.queue_points),
            blocks_written: of(&self.blocks_written),
            bytes_written: of(&self.bytes_written),
            points_folded: of(&self.points_folded),
            bytes_folded: of(&self.bytes_folded),
            folds: of(&self.folds),
            mixed_blocks: of(&self.mixed_blocks),
            mixed_points: of(&self.mixed_points),
            blocks_retired: of(&self.blocks_retired),
            blocks_damaged: of(&self.blocks_damaged),
            points_sealed: of(&self.points_sealed),
            bytes_sealed: of(&self.bytes_sealed),
            files_sealed: of(&self.files_sealed),
            seals_failed: of(&self.seals_failed),
            file_bytes: of(&self.file_bytes),
            commits: of(&self.commits),
            commit: self.commit.spread(),
            writable: self.health.writable(),
            reason: self.health.reason(),
            journal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_upper_edges_and_the_most_is_exact() {
        let durations = Durations::default();
        assert_eq!(durations.spread(), Spread::default());
        for _ in 0..98 {
            durations.add(Duration::from_micros(1000));
        }
        durations.add(Duration::from_micros(7000));
        durations.add(Duration::from_micros(50_000));
        let spread = durations.spread();
        assert!((1.0..1.2).contains(&spread.p50_ms), "{spread:?}");
        assert!((7.0..8.5).contains(&spread.p99_ms), "{spread:?}");
        assert!((spread.max_ms - 50.0).abs() < 1e-9);
        durations.add(Duration::from_secs(1_000_000));
        assert!(durations.spread().max_ms > 1e8);
    }

    #[test]
    fn health_tells_news_once() {
        let health = Health::default();
        assert!(!health.recover());
        assert!(health.fail("no room"));
        assert!(!health.fail("still no room"));
        assert_eq!(health.reason().as_deref(), Some("still no room"));
        assert!(health.recover());
        assert_eq!((health.writable(), health.reason()), (true, None));
    }
}
