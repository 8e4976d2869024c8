//! What the journal must know of the store itself: that history cannot be written, that it can again and what was
//! given up meanwhile, that blocks were found damaged. Compares the store's own counts, once a second.
//!
//! The journal keeps entries in memory while its own file cannot be written, so that these land when there is room.

use std::time::Duration;

use geminus_core::{Event, Severity};
use geminus_store::Stats;

/// How often the counts are compared.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two entries about samples that are given up although the store can be written.
const QUIET_LOOKS: u32 = 60;

/// What the last look saw.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Points given up before the store failed, while it is failing.
    failing: Option<u64>,
    /// Points given up of which the journal knows.
    dropped: u64,
    /// Looks until it may be told again of points that are given up.
    quiet: u32,
    damaged: u64,
}

impl Ledger {
    /// What is new since the last look.
    pub(super) fn look(&mut self, stats: &Stats) -> Vec<Event> {
        let mut news = Vec::new();
        self.quiet = self.quiet.saturating_sub(1);
        match (self.failing, stats.writable) {
            (None, false) => {
                self.failing = Some(self.dropped);
                let reason = stats.reason.clone().unwrap_or_else(|| "for no known reason".to_owned());
                let message = format!("history cannot be written: {reason}; it is tried again each second");
                let facts = serde_json::json!({ "reason": reason });
                news.push(Event::new("store-failed", Severity::Error, message).facts(facts));
            }
            (Some(before), true) => {
                self.failing = None;
                let lost = stats.points_dropped.saturating_sub(before);
                self.dropped = stats.points_dropped;
                let (severity, end) = match lost {
                    0 => (Severity::Info, "no sample was given up".to_owned()),
                    lost => (Severity::Error, format!("{lost} samples were given up meanwhile")),
                };
                let message = format!("history can be written again; {end}");
                let facts = serde_json::json!({ "points_dropped": lost });
                news.push(Event::new("store-back", severity, message).facts(facts));
            }
            (Some(_), false) => {}
            (None, true) => news.extend(self.overrun(stats)),
        }
        let damaged = stats.blocks_damaged.saturating_sub(self.damaged);
        if damaged > 0 {
            self.damaged = stats.blocks_damaged;
            let message = format!(
                "{damaged} blocks of history are damaged and were set aside; their samples are missing, the log names \
                 them"
            );
            let facts = serde_json::json!({ "blocks": damaged });
            news.push(Event::new("history-damaged", Severity::Error, message).facts(facts));
        }
        news
    }

    /// Samples that are given up because the store is slower than the field, at most once a minute.
    fn overrun(&mut self, stats: &Stats) -> Option<Event> {
        let lost = stats.points_dropped.saturating_sub(self.dropped);
        if lost == 0 || self.quiet > 0 {
            return None;
        }
        (self.dropped, self.quiet) = (stats.points_dropped, QUIET_LOOKS);
        let message = format!("{lost} samples were given up: they come faster than history can be written");
        let facts = serde_json::json!({ "points_dropped": lost });
        Some(Event::new("samples-dropped", Severity::Error, message).facts(facts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(writable: bool, points_dropped: u64, blocks_damaged: u64) -> Stats {
        let reason = (!writable).then(|| "the disk is full".to_owned());
        Stats { writable, reason, points_dropped, blocks_damaged, ..Stats::default() }
    }

    #[test]
    fn each_change_is_told_once_with_what_was_lost() {
        let mut ledger = Ledger::default();
        let mut check = |stats: Stats, expect: &[(&str, &str)]| {
            let told = ledger.look(&stats);
            let told: Vec<(&str, &str)> = told.iter().map(|event| (&*event.kind, &*event.message)).collect();
            assert_eq!(told.len(), expect.len(), "{told:?}");
            for ((kind, message), (wanted, part)) in told.into_iter().zip(expect) {
                assert!(kind == *wanted && message.contains(part), "{kind}: {message}");
            }
        };
        check(stats(true, 0, 0), &[]);
        check(stats(false, 0, 0), &[("store-failed", "the disk is full")]);
        check(stats(false, 70, 0), &[]);
        check(stats(true, 100, 0), &[("store-back", "100 samples were given up")]);
        check(stats(true, 100, 0), &[]);
        check(stats(false, 100, 0), &[("store-failed", "")]);
        check(stats(true, 100, 0), &[("store-back", "no sample")]);
        check(stats(true, 107, 2), &[("samples-dropped", "7 samples"), ("history-damaged", "2 blocks")]);
        for _ in 1..QUIET_LOOKS {
            check(stats(true, 108, 2), &[]);
        }
        check(stats(true, 110, 3), &[("samples-dropped", "3 samples"), ("history-damaged", "1 blocks")]);
    }
}
