//! What a shard counts, for `/metrics`, `/livez` and the page. Written by the shard, read by anyone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use geminus_twin::BindingIndex;
use geminus_twin::shard::Counters;

use super::message::Totals;
use super::proposals::VERDICTS;

/// Counts of one binding in one shard.
#[derive(Debug, Default)]
pub(crate) struct BindingMeters {
    pub(crate) rows: AtomicU64,
    pub(crate) calls: AtomicU64,
    pub(crate) step_ns: AtomicU64,
    pub(crate) fuel: AtomicU64,
    pub(crate) memory_bytes: AtomicU64,
    pub(crate) quarantined: AtomicU64,
    /// By kind; faults are rare, so a lock does not matter.
    pub(crate) faults: Mutex<BTreeMap<&'static str, u64>>,
}

/// Counts of one shard.
#[derive(Debug)]
pub(crate) struct ShardMeters {
    beat_ms: AtomicU64,
    waiting: AtomicU64,
    counters: Mutex<Counters>,
    totals: Mutex<(Totals, [u64; VERDICTS.len()])>,
    pub(crate) bindings: Vec<BindingMeters>,
}

impl ShardMeters {
    pub(crate) fn new(bindings: usize) -> Self {
        Self {
            beat_ms: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            counters: Mutex::default(),
            totals: Mutex::default(),
            bindings: std::iter::repeat_with(BindingMeters::default).take(bindings).collect(),
        }
    }

    /// The loop has turned.
    pub(crate) fn beat(&self, now: Duration) {
        self.beat_ms.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long ago the loop turned last.
    pub(crate) fn silence(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_millis(self.beat_ms.load(Ordering::Relaxed)))
    }

    pub(crate) fn stepped(&self, index: BindingIndex, rows: usize, spent: Duration, fuel: u64) {
        let Some(meters) = self.bindings.get(index.0 as usize) else { return };
        meters.rows.fetch_add(rows as u64, Ordering::Relaxed);
        meters.calls.fetch_add(1, Ordering::Relaxed);
        meters.step_ns.fetch_add(u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        meters.fuel.fetch_add(fuel, Ordering::Relaxed);
    }

    pub(crate) fn fault(&self, index: BindingIndex, kind: &'static str) {
        let Some(meters) = self.bindings.get(index.0 as usize) else { return };
        *meters.faults.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }

    pub(crate) fn instance(&self, index: BindingIndex, memory_bytes: usize, quarantined: usize) {
        let Some(meters) = self.bindings.get(index.0 as usize) else { return };
        meters.memory_bytes.store(memory_bytes as u64, Ordering::Relaxed);
        meters.quarantined.store(quarantined as u64, Ordering::Relaxed);
    }

    pub(crate) fn note(&self, counters: Counters, waiting: usize) {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner) = counters;
        self.waiting.store(waiting as u64, Ordering::Relaxed);
    }

    pub(crate) fn note_totals(&self, totals: Totals, verdicts: [u64; VERDICTS.len()]) {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = (totals, verdicts);
    }

    /// Twins by state and alerts, as they were last counted.
    pub(crate) fn totals(&self) -> Totals {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Proposals by verdict.
    pub(crate) fn verdicts(&self) -> [u64; VERDICTS.len()] {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// As of the last tick.
    pub(crate) fn counters(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Samples that wait on the lane, as of the last tick.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }
}
