//! What a shard counts, for `/metrics`, `/livez` and the page. Written by the shard, read by anyone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use geminus_api::metrics::Histogram;
use geminus_behavior::Rule;
use geminus_twin::BindingIndex;
use geminus_twin::shard::Counters;

use super::cohorts::TwinCharge;
use super::message::Totals;
use super::proposals::VERDICTS;

/// Counts of one binding in one shard.
#[derive(Debug, Default)]
pub(crate) struct BindingMeters {
    pub(crate) quarantined: AtomicU64,
    /// By kind; faults are rare, so a lock does not matter.
    pub(crate) faults: Mutex<BTreeMap<&'static str, u64>>,
}

/// What one plugin version has cost under one binding in one shard.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) binding: BindingIndex,
    /// As in `1.2.0`.
    pub(crate) version: String,
    pub(crate) rows: AtomicU64,
    pub(crate) calls: AtomicU64,
    pub(crate) step_ns: AtomicU64,
    pub(crate) fuel: AtomicU64,
    /// Calls that took longer than they may.
    pub(crate) misses: AtomicU64,
    /// Rows that it was compared in, on trial.
    pub(crate) compared: AtomicU64,
    /// Rows that made it fail for a twin.
    pub(crate) strikes: AtomicU64,
    /// Commands whose step was limited because they were among its first.
    pub(crate) limited: AtomicU64,
    /// Instances that were built because something broke one.
    pub(crate) rebuilds: AtomicU64,
    /// What was cut, in the order of [`Rule::ALL`].
    pub(crate) cut: [AtomicU64; Rule::ALL.len()],
    pub(crate) memory_bytes: AtomicU64,
    pub(crate) twins: AtomicU64,
}

impl Account {
    fn new(binding: BindingIndex, version: String) -> Self {
        let zero = AtomicU64::default;
        Self {
            binding,
            version,
            rows: zero(),
            calls: zero(),
            step_ns: zero(),
            fuel: zero(),
            misses: zero(),
            compared: zero(),
            strikes: zero(),
            limited: zero(),
            rebuilds: zero(),
            cut: std::array::from_fn(|_| zero()),
            memory_bytes: zero(),
            twins: zero(),
        }
    }

    pub(crate) fn stepped(&self, rows: usize, spent: Duration, fuel: u64, misses: u64) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.step_ns.fetch_add(u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.fuel.fetch_add(fuel, Ordering::Relaxed);
        self.misses.fetch_add(misses, Ordering::Relaxed);
    }

    pub(crate) fn rebuilt(&self, times: u64) {
        self.rebuilds.fetch_add(times, Ordering::Relaxed);
    }

    /// Something was done more often than it may, and not taken.
    pub(crate) fn cut(&self, rule: Rule, count: u64) {
        if let Some(cut) = self.cut.get(rule as usize) {
            cut.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn holds(&self, memory_bytes: usize, twins: usize) {
        self.memory_bytes.store(memory_bytes as u64, Ordering::Relaxed);
        self.twins.store(twins as u64, Ordering::Relaxed);
    }
}

/// Counts of one shard.
#[derive(Debug)]
pub(crate) struct ShardMeters {
    beat_ms: AtomicU64,
    waiting: AtomicU64,
    counters: Mutex<Counters>,
    totals: Mutex<(Totals, [u64; VERDICTS.len()])>,
    pub(crate) bindings: Vec<BindingMeters>,
    accounts: Mutex<Vec<Arc<Account>>>,
    /// By twin, behavior and version.
    charges: Mutex<Vec<TwinCharge>>,
    pauses: Mutex<Histogram>,
    /// For measurements.
    #[cfg(feature = "bench")]
    pub(crate) tap: super::tap::Tap,
}

impl ShardMeters {
    pub(crate) fn new(bindings: usize) -> Self {
        Self {
            beat_ms: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            counters: Mutex::default(),
            totals: Mutex::default(),
            accounts: Mutex::default(),
            charges: Mutex::default(),
            pauses: Mutex::new(super::house::pause_histogram()),
            #[cfg(feature = "bench")]
            tap: super::tap::Tap::default(),
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

    /// The account of a version under a binding, opened when it has none.
    pub(crate) fn account(&self, binding: BindingIndex, version: &str) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) =
            accounts.iter().find(|known| known.binding == binding && known.version == version)
        {
            return Arc::clone(known);
        }
        let account = Arc::new(Account::new(binding, version.to_owned()));
        accounts.push(Arc::clone(&account));
        account
    }

    /// All accounts.
    pub(crate) fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn fault(&self, index: BindingIndex, kind: &'static str) {
        let Some(meters) = self.bindings.get(index.0 as usize) else { return };
        *meters.faults.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }

    pub(crate) fn apart(&self, index: BindingIndex, quarantined: usize) {
        let Some(meters) = self.bindings.get(index.0 as usize) else { return };
        meters.quarantined.store(quarantined as u64, Ordering::Relaxed);
    }

    /// Rows of a shard waited for so long, because a trial moved some twins.
    pub(crate) fn paused(&self, pause: Duration) {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = pause.as_secs_f64();
        let place = pauses.bounds.iter().position(|bound| seconds <= *bound).unwrap_or(pauses.bounds.len());
        if let Some(count) = pauses.counts.get_mut(place) {
            *count += 1;
        }
        pauses.sum += seconds;
    }

    /// How long rows waited.
    pub(crate) fn pauses(&self) -> Histogram {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note(&self, counters: Counters, waiting: usize) {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner) = counters;
        self.waiting.store(waiting as u64, Ordering::Relaxed);
    }

    pub(crate) fn note_totals(&self, totals: Totals, verdicts: [u64; VERDICTS.len()]) {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = (totals, verdicts);
    }

    pub(crate) fn note_charges(&self, charges: Vec<TwinCharge>) {
        *self.charges.lock().unwrap_or_else(PoisonError::into_inner) = charges;
    }

    /// What each twin costs, as it was last noted; nothing where the site has too many.
    pub(crate) fn charges(&self) -> Vec<TwinCharge> {
        self.charges.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
