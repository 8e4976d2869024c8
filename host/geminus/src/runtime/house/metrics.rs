//! `/metrics`: what the rooms count, under the names of the catalogue.

use geminus_api::metrics::{Exposition, Histogram, catalogue};
use geminus_ingest::Reason;

use super::Rooms;
use crate::runtime::field::Source;
use crate::runtime::{lane, meters, proposals};

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
            let of = |source: &Source| source.handle.stats().refusals().of(reason);
            let refused = self.sources.iter().map(of).sum();
            out.count(&catalogue::SAMPLES_REFUSED, &[reason.name()], refused);
        }
        // Refused by the twin, not by the source: too far from this host's clock on either side.
        out.count(&catalogue::SAMPLES_REFUSED, &["outside-window"], counters.refused);
        for source in self.sources.iter() {
            let stats = source.handle.stats();
            out.count(&catalogue::SOURCE_CONNECTED, &[&source.name], u64::from(stats.connected()));
            let reconnects = stats.connections().saturating_sub(1);
            out.count(&catalogue::SOURCE_RECONNECTS, &[&source.name], reconnects);
        }
        let totals = self.totals();
        for (state, count) in [("live", totals.live), ("stale", totals.stale), ("waiting", totals.waiting)] {
            out.count(&catalogue::TWINS, &[state], count);
        }
        for (priority, count) in PRIORITIES.iter().zip(totals.by_priority) {
            out.count(&catalogue::ALERTS_ACTIVE, &[priority], count);
        }
        self.binding_metrics(out);
        self.store_metrics(out);
        for (number, meters) in self.meters.iter().enumerate() {
            let name = format!("shard-{number}");
            out.count(&catalogue::QUEUE_DEPTH, &[&name], meters.waiting());
            out.count(&catalogue::QUEUE_CAPACITY, &[&name], lane::LANE_SAMPLES_MAX as u64);
        }
    }

    fn binding_metrics(&self, out: &mut Exposition) {
        use std::sync::atomic::Ordering::Relaxed;
        for (place, binding) in self.plant.bindings.iter().enumerate() {
            let label = binding.name.as_str();
            let parts: Vec<_> = self.meters.iter().filter_map(|meters| meters.bindings.get(place)).collect();
            let sum = |read: fn(&meters::BindingMeters) -> u64| parts.iter().map(|part| read(part)).sum();
            out.count(&catalogue::ROWS, &[label], sum(|part| part.rows.load(Relaxed)));
            out.count(&catalogue::STEP_CALLS, &[label], sum(|part| part.calls.load(Relaxed)));
            out.count(&catalogue::FUEL, &[label], sum(|part| part.fuel.load(Relaxed)));
            out.count(&catalogue::QUARANTINED, &[label], sum(|part| part.quarantined.load(Relaxed)));
            let seconds: u64 = sum(|part| part.step_ns.load(Relaxed));
            out.value(&catalogue::STEP_SECONDS, &[label], seconds as f64 / 1e9);
            let mut faults = std::collections::BTreeMap::new();
            for part in &parts {
                let part = part.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                part.iter().for_each(|(kind, count)| *faults.entry(*kind).or_insert(0) += count);
            }
            for (kind, count) in faults {
                out.count(&catalogue::FAULTS, &[label, kind], count);
            }
        }
        for (verdict, count) in proposals::VERDICTS.iter().zip(self.verdicts()) {
            out.count(&catalogue::PROPOSALS, &[verdict], count);
        }
        let board = self.board.lock();
        out.count(&catalogue::SWAPS, &["done"], board.swaps_done);
        out.count(&catalogue::SWAPS, &["refused"], board.swaps_refused);
        out.histogram(&catalogue::SWAP_PAUSE_SECONDS, &[], &board.pauses);
    }

    fn store_metrics(&self, out: &mut Exposition) {
        let stats = self.store.stats();
        out.count(&catalogue::STORE_POINTS, &[], stats.points_written);
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
