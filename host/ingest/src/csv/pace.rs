//! When a row is due, and which time it carries.

use std::time::Duration;

use geminus_core::{Clock, Timestamp};

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as it is taken.
    Unpaced,
    /// So many times faster than it was recorded; must be above 0.
    Speed(f64),
}

/// Which times the values carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stamp {
    /// Those of the recording.
    #[default]
    Keep,
    /// The time of sending, rising by at least a millisecond from row to row.
    Now,
    /// Those of the recording, moved on by so much: for the second and further times that it is played.
    Moved(Duration),
}

/// Keeps the times of one play.
#[derive(Debug)]
pub(super) struct Timeline {
    pace: Pace,
    stamp: Stamp,
    /// Recorded and monotonic time of the first row.
    start: Option<(Timestamp, Duration)>,
    last: Timestamp,
}

const TICK: Duration = Duration::from_millis(1);

impl Timeline {
    pub(super) fn new(pace: Pace, stamp: Stamp) -> Self {
        Self { pace, stamp, start: None, last: Timestamp(0) }
    }

    /// How long to wait until a row recorded at `time` is due.
    pub(super) fn wait(&mut self, time: Timestamp, clock: &dyn Clock) -> Option<Duration> {
        let now = clock.monotonic();
        let (first, start) = *self.start.get_or_insert((time, now));
        let Pace::Speed(speed) = self.pace else { return None };
        let after = Duration::try_from_secs_f64(time.since(first).as_secs_f64() / speed).ok()?;
        let wait = (start + after).saturating_sub(now);
        (wait >= TICK).then_some(wait)
    }

    /// The time that goes out.
    pub(super) fn stamp(&mut self, time: Timestamp, clock: &dyn Clock) -> Timestamp {
        match self.stamp {
            Stamp::Keep => time,
            Stamp::Moved(by) => time.plus(by),
            Stamp::Now => {
                self.last = Timestamp::from_millis(clock.now().millis()).max(self.last.plus(TICK));
                self.last
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::ManualClock;

    #[test]
    fn rows_are_due_by_the_recording_and_the_speed() {
        let clock = ManualClock::new(Timestamp::from_millis(5_000));
        let mut line = Timeline::new(Pace::Speed(10.0), Stamp::Keep);
        let second = |n: u64| Timestamp::from_millis(1_000 * n);
        assert_eq!(line.wait(second(100), &clock), None);
        assert_eq!(line.wait(second(101), &clock), Some(Duration::from_millis(100)));
        clock.advance(Duration::from_millis(150));
        assert_eq!(line.wait(second(101), &clock), None, "already due");
        assert_eq!(line.wait(second(99), &clock), None, "a time that goes back is due");
        assert_eq!(Timeline::new(Pace::Unpaced, Stamp::Keep).wait(second(1), &clock), None);
        assert_eq!(line.stamp(second(7), &clock), second(7));
    }

    #[test]
    fn new_stamps_rise() {
        let clock = ManualClock::new(Timestamp(5_000_400_000));
        let mut line = Timeline::new(Pace::Unpaced, Stamp::Now);
        let old = Timestamp(0);
        assert_eq!(line.stamp(old, &clock), Timestamp::from_millis(5_000));
        assert_eq!(line.stamp(old, &clock), Timestamp::from_millis(5_001));
        clock.advance(Duration::from_secs(1));
        assert_eq!(line.stamp(old, &clock), Timestamp::from_millis(6_000));
    }
}
