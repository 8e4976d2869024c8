//! Read-back: which sample of a feedback point shows that a command was carried out. That the transport delivered it
//! shows nothing, and neither does a value that was there before.

use std::time::Duration;

use geminus_core::{Quality, Timestamp};
use serde::{Deserialize, Serialize};

use crate::exact;

/// How far a source's clock may be ahead of the host's. Beyond it a source time says nothing about before and after.
pub const SOURCE_AHEAD_MAX: Duration = Duration::from_secs(2);

/// Where a target can be read back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// Name of the point.
    pub point: String,
    /// How far the value may be off, in the unit of the target. Finite, not negative.
    #[serde(with = "exact")]
    pub tolerance: f64,
    /// How long after sending it must show, in milliseconds.
    pub within_ms: u64,
}

impl Feedback {
    pub(crate) fn within(&self) -> Duration {
        Duration::from_millis(self.within_ms)
    }

    /// Whether `sample` shows `value`, sent at `sent`: good, measured after sending by the source's clock, received
    /// after sending and in time by the host's, and inside the tolerance. Whatever is in doubt shows nothing.
    #[must_use]
    pub fn shows(&self, sample: &ReadBack, value: f64, sent: Timestamp) -> bool {
        sample.quality == Quality::Good
            && sample.time > sent
            && sample.received > sent
            && sample.time <= sample.received.plus(SOURCE_AHEAD_MAX)
            && sample.received < sent.plus(self.within())
            && (sample.value - value).abs() <= self.tolerance
    }
}

/// A sample of the feedback point, in the unit of the target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadBack {
    /// Its value.
    #[serde(with = "exact")]
    pub value: f64,
    /// Its quality.
    pub quality: Quality,
    /// When the source says it was so.
    pub time: Timestamp,
    /// When the host received it.
    pub received: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Timestamp = Timestamp(1_000_000_000_000);

    fn check(change: impl Fn(&mut ReadBack), shows: bool) {
        let feedback = Feedback { point: "limit".to_owned(), tolerance: 0.5, within_ms: 5_000 };
        let after = SENT.plus(Duration::from_millis(100));
        let mut sample = ReadBack { value: 40.4, quality: Quality::Good, time: after, received: after };
        change(&mut sample);
        assert_eq!(feedback.shows(&sample, 40.0, SENT), shows, "{sample:?}");
    }

    #[test]
    fn only_a_fresh_good_sample_near_the_value_and_in_time_shows_anything() {
        check(|_| (), true);
        check(|s| s.value = 39.5, true);
        check(|s| s.value = 40.6, false);
        check(|s| s.value = f64::NAN, false);
        for quality in [Quality::Uncertain, Quality::Bad, Quality::Stale, Quality::Missing] {
            check(|s| s.quality = quality, false);
        }
        check(|s| s.time = SENT, false);
        check(|s| s.received = SENT, false);
        check(|s| s.time = SENT.minus(Duration::from_secs(1)), false);
        // Delivered late, measured early, by a source whose clock is an hour ahead.
        check(|s| s.time = SENT.plus(Duration::from_secs(3_600)), false);
        check(|s| s.time = s.received.plus(SOURCE_AHEAD_MAX), true);
        check(|s| s.received = SENT.plus(Duration::from_millis(4_999)), true);
        check(|s| s.received = SENT.plus(Duration::from_millis(5_000)), false);
    }
}
