//! What the desk counts: how commands ended, and how long it took until they were verified.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use geminus_api::metrics::Histogram;
use geminus_command::{Phase, Record};

/// States that are counted when a command comes to one, in the order of [`Meters::ended`].
pub(crate) const ENDS: [Phase; 7] = [
    Phase::TransportAcked,
    Phase::Verified,
    Phase::Refused,
    Phase::Expired,
    Phase::Superseded,
    Phase::Failed,
    Phase::Indeterminate,
];
/// Bounds of the time from sending to the read-back, in seconds.
const BOUNDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Counts since the host started.
#[derive(Debug)]
pub(crate) struct Meters {
    ended: [AtomicU64; ENDS.len()],
    verified: Mutex<Histogram>,
}

impl Default for Meters {
    fn default() -> Self {
        let verified = Histogram { bounds: BOUNDS.to_vec(), counts: vec![0; BOUNDS.len() + 1], sum: 0.0 };
        Self { ended: Default::default(), verified: Mutex::new(verified) }
    }
}

impl Meters {
    /// A command has come to another state. One that is `transport-acked` has ended where nothing is read back.
    pub(crate) fn passed(&self, record: &Record) {
        let phase = record.phase();
        let ends = phase != Phase::TransportAcked || record.is_over();
        if let Some(place) = ENDS.iter().position(|end| *end == phase && ends)
            && let Some(count) = self.ended.get(place)
        {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let (Phase::Verified, Some(sent)) = (phase, record.sent()) else { return };
        let seconds = record.since().since(sent).as_secs_f64();
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let place = verified.bounds.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = verified.counts.get_mut(place) {
            *count += 1;
        }
        verified.sum += seconds;
    }

    /// How many commands have come to each of [`ENDS`]. One that is settled late is counted at each.
    pub(crate) fn ended(&self) -> [u64; ENDS.len()] {
        std::array::from_fn(|place| self.ended.get(place).map_or(0, |count| count.load(Ordering::Relaxed)))
    }

    /// Seconds from sending to the read-back.
    pub(crate) fn verified(&self) -> Histogram {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
