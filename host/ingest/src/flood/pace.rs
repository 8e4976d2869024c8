//! When a flood began, and a rate to hold it back to: message k is due at a known time, whatever the client does.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use geminus_core::Clock;

/// When each message is due. The schedule starts when a client has subscribed.
#[derive(Debug)]
pub struct Pace {
    /// `None`: all at once.
    per_second: Option<f64>,
    clock: Arc<dyn Clock>,
    start: OnceLock<Duration>,
}

impl Pace {
    /// `per_second` messages, evenly, on the monotonic time of `clock`.
    #[must_use]
    pub fn new(per_second: f64, clock: Arc<dyn Clock>) -> Self {
        Self { per_second: Some(per_second), clock, start: OnceLock::new() }
    }

    /// As fast as it is read; only the beginning is noted.
    #[must_use]
    pub fn unlimited(clock: Arc<dyn Clock>) -> Self {
        Self { per_second: None, clock, start: OnceLock::new() }
    }

    /// Monotonic time at which message `k` is due; `None` before a client has subscribed.
    #[must_use]
    pub fn at(&self, k: u64) -> Option<Duration> {
        let after = |rate| Duration::from_secs_f64(k as f64 / rate);
        Some(*self.start.get()? + self.per_second.map_or(Duration::ZERO, after))
    }

    /// Starts the schedule, once.
    pub(super) fn begin(&self) {
        self.start.get_or_init(|| self.clock.monotonic());
    }

    /// How many messages are due by now.
    pub(super) fn due(&self) -> u64 {
        let (Some(rate), Some(start)) = (self.per_second, self.start.get()) else { return u64::MAX };
        (self.clock.monotonic().saturating_sub(*start).as_secs_f64() * rate) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::{ManualClock, Timestamp};

    #[test]
    fn messages_are_due_evenly_from_the_beginning_on() {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let pace = Pace::new(1_000.0, Arc::<ManualClock>::clone(&clock));
        clock.advance(Duration::from_secs(5));
        assert_eq!(pace.at(0), None);
        pace.begin();
        assert_eq!(pace.due(), 0);
        clock.advance(Duration::from_millis(250));
        assert_eq!(pace.due(), 250);
        assert_eq!(pace.at(250), Some(Duration::from_millis(5_250)));
        pace.begin();
        assert_eq!(pace.at(0), Some(Duration::from_secs(5)), "it begins once");

        let unlimited = Pace::unlimited(clock);
        unlimited.begin();
        assert_eq!((unlimited.due(), unlimited.at(9)), (u64::MAX, Some(Duration::from_millis(5_250))));
    }
}
