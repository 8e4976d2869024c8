//! `/metrics`: what the rooms count, under the names of the catalogue.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use geminus_api::metrics::{Exposition, Histogram, catalogue};
use geminus_behavior::Rule;
use geminus_ingest::Reason;
use geminus_rollout::Phase;
use geminus_twin::BindingIndex;

use super::Rooms;
use crate::runtime::cohorts::TwinCharge;
use crate::runtime::cohorts::costs::Cost;
use crate::runtime::meters::Account;
use crate::runtime::{commands, lane, proposals};

/// Priorities as metrics name them, in the order of [`Totals::by_priority`].
const PRIORITIES: [&str; 5] = ["journal", "low", "medium", "high", "critical"];
impl Rooms {
    /// Writes every number of the catalogue that the rooms know.
    pub(super) fn measure(&self, out: &mut Exposition) {
        out.value(&catalogue::START_TIME, &[], self.started.0 as f64 / 1e9);
        let counters = self.counters();
        let accepted = counters.samples - counters.late - counters.duplicates - counters.refused;
        out.count(&catalogue::SAMPLES, &["accepted"], accepted);
        out.count(&catalogue::SAMPLES, &["late"], counters.late);
        out.count(&catalogue::SAMPLES, &["duplicate"], counters.duplicates);
        out.count(&catalogue::SAMPLES, &["refused"], self.refused());
        for reason in Reason::ALL {
            out.count(&catalogue::SAMPLES_REFUSED, &[reason.name()], self.refused_for(&[reason]));
        }
        // Refused by the twin, not by the source: too far from this host's clock on either side.
        out.count(&catalogue::SAMPLES_REFUSED, &["outside-window"], counters.refused);
        for source in self.sources.iter() {
            let handle = &source.handle;
            out.count(&catalogue::SOURCE_CONNECTED, &[&source.name], u64::from(handle.connected()));
            let reconnects = handle.connections().saturating_sub(1);
            out.count(&catalogue::SOURCE_RECONNECTS, &[&source.name], reconnects);
        }
        self.certificates.measure(out);
        if let Some((server, shown)) = &self.opcua_server {
            out.count(&catalogue::OPCUA_SESSIONS, &[], server.sessions());
            out.count(&catalogue::OPCUA_SUBSCRIPTIONS, &[], server.subscriptions());
            out.count(&catalogue::OPCUA_VALUES, &["pushed"], server.pushed());
            out.count(&catalogue::OPCUA_VALUES, &["replaced"], shown.replaced());
        }
        let totals = self.totals();
        for (state, count) in [("live", totals.live), ("stale", totals.stale), ("waiting", totals.waiting)] {
            out.count(&catalogue::TWINS, &[state], count);
        }
        for (priority, count) in PRIORITIES.iter().zip(totals.by_priority) {
            out.count(&catalogue::ALERTS_ACTIVE, &[priority], count);
        }
        for (phase, count) in commands::ENDS.iter().zip(self.command_meters.ended()) {
            out.count(&catalogue::COMMANDS_ENDED, &[phase.name()], count);
        }
        out.histogram(&catalogue::COMMAND_VERIFIED_SECONDS, &[], &self.command_meters.verified());
        self.binding_metrics(out);
        self.twin_metrics(out);
        self.store_metrics(out);
        for (number, meters) in self.meters.iter().enumerate() {
            let name = format!("shard-{number}");
            out.count(&catalogue::QUEUE_DEPTH, &[&name], meters.waiting());
            out.count(&catalogue::QUEUE_CAPACITY, &[&name], lane::LANE_SAMPLES_MAX as u64);
        }
    }

    fn binding_metrics(&self, out: &mut Exposition) {
        let books: Vec<_> = self.meters.iter().flat_map(|meters| meters.accounts()).collect();
        for (place, binding) in (0..).zip(&self.plant.bindings) {
            let label = binding.name.as_str();
            let own: Vec<_> = books.iter().filter(|account| account.binding == BindingIndex(place)).collect();
            let sum = |read: fn(&Account) -> u64| own.iter().map(|account| read(account)).sum();
            out.count(&catalogue::ROWS, &[label], sum(|account| account.rows.load(Relaxed)));
            out.count(&catalogue::STEP_CALLS, &[label], sum(|account| account.calls.load(Relaxed)));
            out.count(&catalogue::FUEL, &[label], sum(|account| account.fuel.load(Relaxed)));
            let nanos: u64 = sum(|account| account.step_ns.load(Relaxed));
            out.value(&catalogue::STEP_SECONDS, &[label], nanos as f64 / 1e9);
            let parts: Vec<_> =
                self.meters.iter().filter_map(|meters| meters.bindings.get(place as usize)).collect();
            let apart = parts.iter().map(|part| part.quarantined.load(Relaxed)).sum();
            out.count(&catalogue::QUARANTINED, &[label], apart);
            let mut faults = BTreeMap::new();
            for part in &parts {
                let part = part.faults.lock().unwrap_or_else(PoisonError::into_inner);
                part.iter().for_each(|(kind, count)| *faults.entry(*kind).or_insert(0) += count);
            }
            for (kind, count) in faults {
                out.count(&catalogue::FAULTS, &[label, kind], count);
            }
            Self::version_metrics(out, label, &own);
        }
        for (verdict, count) in proposals::VERDICTS.iter().zip(self.verdicts()) {
            out.count(&catalogue::PROPOSALS, &[verdict], count);
        }
        self.rollout_metrics(out);
    }

    /// By version, summed over shards.
    fn version_metrics(out: &mut Exposition, behavior: &str, own: &[&Arc<Account>]) {
        let mut versions: Vec<&str> = own.iter().map(|account| account.version.as_str()).collect();
        versions.sort_unstable();
        versions.dedup();
        for version in versions {
            let of: Vec<_> = own.iter().filter(|account| account.version == version).collect();
            let sum = |read: fn(&Account) -> u64| of.iter().map(|account| read(account)).sum::<u64>();
            let labels = [behavior, version];
            out.count(&catalogue::BEHAVIOR_ROWS, &labels, sum(|account| account.rows.load(Relaxed)));
            out.count(&catalogue::BEHAVIOR_FUEL, &labels, sum(|account| account.fuel.load(Relaxed)));
            let nanos = sum(|account| account.step_ns.load(Relaxed));
            out.value(&catalogue::BEHAVIOR_STEP_SECONDS, &labels, nanos as f64 / 1e9);
            // What was dropped holds none, which is not the same as holding nothing.
            if sum(|account| account.twins.load(Relaxed)) > 0 {
                let memory = sum(|account| account.memory_bytes.load(Relaxed));
                out.count(&catalogue::BEHAVIOR_MEMORY, &labels, memory);
            }
            let misses = sum(|account| account.misses.load(Relaxed));
            out.count(&catalogue::BEHAVIOR_DEADLINE_MISSES, &labels, misses);
            out.count(&catalogue::BEHAVIOR_STRIKES, &labels, sum(|account| account.strikes.load(Relaxed)));
            out.count(&catalogue::BEHAVIOR_REBUILDS, &labels, sum(|account| account.rebuilds.load(Relaxed)));
            for rule in Rule::ALL {
                let cut = of.iter().filter_map(|account| account.cut.get(rule as usize));
                let cut = cut.map(|count| count.load(Relaxed)).sum();
                out.count(&catalogue::BEHAVIOR_CUT, &[behavior, version, rule.name()], cut);
            }
            out.count(&catalogue::SHADOW_ROWS, &labels, sum(|account| account.compared.load(Relaxed)));
            out.count(&catalogue::BUMPLESS_LIMITS, &labels, sum(|account| account.limited.load(Relaxed)));
        }
    }

    /// By twin, where the site is small enough for that. One version may have a twin on both sides of a trial, with
    /// other parameters: that is one series.
    fn twin_metrics(&self, out: &mut Exposition) {
        let all = self.plant.has_metrics_by_twin();
        let left_out = if all { 0 } else { self.plant.twins.len() as u64 };
        out.count(&catalogue::TWINS_LEFT_OUT, &[], left_out);
        if !all {
            return;
        }
        let charges: Vec<TwinCharge> = self.meters.iter().flat_map(|meters| meters.charges()).collect();
        let mut costs: BTreeMap<(&str, &str, &str), (Cost, u64)> = BTreeMap::new();
        for TwinCharge { twin, binding, account, charge } in &charges {
            let (Some(twin), Some(binding)) = (self.plant.twin(*twin), self.plant.binding(*binding)) else {
                continue;
            };
            let (cost, memory) = costs.entry((&*twin.id, &*binding.name, &*account.version)).or_default();
            *cost = cost.plus(charge.cost);
            *memory += charge.memory_bytes();
        }
        for ((twin, behavior, version), (cost, memory)) in costs {
            let labels = [twin, behavior, version];
            out.count(&catalogue::TWIN_ROWS, &labels, cost.rows);
            out.count(&catalogue::TWIN_FUEL, &labels, cost.fuel);
            out.value(&catalogue::TWIN_STEP_SECONDS, &labels, cost.step_ns as f64 / 1e9);
            out.count(&catalogue::TWIN_MEMORY, &labels, memory);
            out.count(&catalogue::TWIN_DEADLINE_MISSES, &labels, cost.misses);
            out.count(&catalogue::TWIN_FAULTS, &labels, cost.faults);
        }
    }

    fn rollout_metrics(&self, out: &mut Exposition) {
        let board = self.board.lock();
        let mut phases: BTreeMap<Phase, u64> = BTreeMap::new();
        for document in board.rollouts.values() {
            *phases.entry(document.phase()).or_default() += 1;
        }
        for phase in Phase::ALL.into_iter().filter(|phase| !phase.is_end()) {
            out.count(&catalogue::ROLLOUTS, &[phase.name()], phases.get(&phase).copied().unwrap_or(0));
        }
        for (phase, count) in &board.ended {
            out.count(&catalogue::ROLLOUTS_ENDED, &[phase.name()], *count);
        }
        out.count(&catalogue::SWAPS, &["done"], board.swaps_done);
        out.count(&catalogue::SWAPS, &["refused"], board.swaps_refused);
        drop(board);
        let mut all = pause_histogram();
        for pauses in self.meters.iter().map(|meters| meters.pauses()) {
            all.counts.iter_mut().zip(pauses.counts).for_each(|(sum, count)| *sum += count);
            all.sum += pauses.sum;
        }
        out.histogram(&catalogue::SWAP_PAUSE_SECONDS, &[], &all);
    }

    fn store_metrics(&self, out: &mut Exposition) {
        let stats = self.store.stats();
        out.count(&catalogue::STORE_POINTS, &[], stats.points_written);
        out.count(&catalogue::STORE_POINTS_DROPPED, &[], stats.points_dropped);
        out.count(&catalogue::STORE_BLOCKS_DAMAGED, &[], stats.blocks_damaged);
        out.count(&catalogue::STORE_BYTES, &["hot.db"], stats.file_bytes);
        let commit = &stats.commit;
        for (spread, millis) in [("p50", commit.p50_ms), ("p99", commit.p99_ms), ("max", commit.max_ms)] {
            out.value(&catalogue::STORE_COMMIT_SECONDS, &[spread], millis / 1e3);
        }
        out.count(&catalogue::JOURNAL_ENTRIES, &["written"], stats.journal.entries_written);
        out.count(&catalogue::JOURNAL_ENTRIES, &["dropped"], stats.journal.entries_dropped);
        out.count(&catalogue::STORE_WRITABLE, &[], u64::from(Self::store_view(&stats).writable));
        out.count(&catalogue::QUEUE_DEPTH, &["store"], stats.queue_points);
    }
}

/// Bounds of the histogram of swap pauses, in seconds.
pub(crate) fn pause_histogram() -> Histogram {
    let bounds = vec![0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0];
    let counts = vec![0; bounds.len() + 1];
    Histogram { bounds, counts, sum: 0.0 }
}
