//! A flood held back to a rate: message k is due at a known time, whatever the client does.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use geminus_core::Clock;

/// When each message is due. The schedule starts with the first question, when a client has subscribed.
#[derive(Debug)]
pub struct Pace {
    per_second: f64,
    clock: Arc<dyn Clock>,
    start: OnceLock<Duration>,
}

impl Pace {
    /// `per_second` messages, evenly, on the monotonic time of `clock`.
    #[must_use]
    pub fn new(per_second: f64, clock: Arc<dyn Clock>) -> Self {
        Self { per_second, clock, start: OnceLock::new() }
    }

    /// Monotonic time at which message `k` is due; `None` before a client has subscribed.
    #[must_use]
    pub fn at(&self, k: u64) -> Option<Duration> {
        Some(*self.start.get()? + Duration::from_secs_f64(k as f64 / self.per_second))
    }

    /// How many messages are due by now.
    pub(super) fn due(&self) -> u64 {
        let now = self.clock.monotonic();
        let start = *self.start.get_or_init(|| now);
        (now.saturating_sub(start).as_secs_f64() * self.per_second) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::{ManualClock, Timestamp};

    #[test]
    fn messages_are_due_evenly_from_the_first_question_on() {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let pace = Pace::new(1_000.0, Arc::<ManualClock>::clone(&clock));
        clock.advance(Duration::from_secs(5));
        assert_eq!(pace.at(0), None);
        assert_eq!(pace.due(), 0);
        clock.advance(Duration::from_millis(250));
        assert_eq!(pace.due(), 250);
        assert_eq!(pace.at(250), Some(Duration::from_millis(5_250)));
    }
}
