//! One condition over one point of a twin: what its samples say, and its silence.

use geminus_alarm::{Detector, Key, Signal};
use geminus_core::{Quality, Sample};
use geminus_twin::shard::Moment;

/// One condition over one point.
pub(super) struct Look {
    key: Key,
    /// Whether it suppresses by design, instead of raising.
    guards: bool,
    detector: Detector,
    reference: f64,
    value: f64,
    quality: Quality,
    /// Source time of the newest value, and monotonic time at which it was heard.
    newest: u64,
    heard: u64,
    /// Nanoseconds without a sample after which it is silent, where that matters.
    span: Option<u64>,
    said: Option<bool>,
}

/// What a series is for a look.
#[derive(Clone, Copy)]
pub(super) enum Port {
    Value,
    Reference,
}

impl Look {
    /// What the detector knows from an earlier run counts as said. `span`: after which the point is silent.
    pub(super) fn new((key, guards): (Key, bool), detector: Detector, span: Option<u64>) -> Self {
        Self {
            key,
            guards,
            said: detector.holds(),
            detector,
            reference: f64::NAN,
            value: f64::NAN,
            quality: Quality::Missing,
            newest: 0,
            heard: 0,
            span,
        }
    }

    /// A deviation from this number.
    pub(super) fn refer_to(&mut self, value: f64) {
        self.reference = value;
    }

    /// Takes a sample of the point or of its reference; gives what there is to say.
    pub(super) fn take(&mut self, sample: &Sample, port: Port, now: Moment) -> Option<Signal> {
        match port {
            Port::Reference => {
                self.reference = if sample.quality.usable() { sample.value } else { f64::NAN };
            }
            Port::Value if sample.time.0 < self.newest => return None,
            Port::Value => {
                (self.value, self.quality) = (sample.value, sample.quality);
                (self.newest, self.heard) = (sample.time.0, now.monotonic);
            }
        }
        self.judge()
    }

    /// A point that has fallen silent.
    pub(super) fn silence(&mut self, now: Moment) -> Option<Signal> {
        let span = self.span.filter(|_| self.heard > 0 && self.quality != Quality::Stale)?;
        if now.monotonic - self.heard.min(now.monotonic) <= span {
            return None;
        }
        self.quality = Quality::Stale;
        self.judge()
    }

    fn judge(&mut self) -> Option<Signal> {
        let holds = self.detector.read(self.value, self.quality, self.reference)?;
        if self.said.replace(holds) == Some(holds) {
            return None;
        }
        let Self { key, value, .. } = *self;
        Some(match self.guards {
            true => Signal::Design { key, holds },
            false => Signal::Condition { key, holds, value, detail: String::new(), words: None },
        })
    }
}

#[cfg(test)]
mod tests {
    use geminus_alarm::Condition;
    use geminus_core::{SeriesId, TwinIndex};

    use super::*;

    fn look(condition: Condition) -> Look {
        let key = Key { twin: TwinIndex(0), alarm: 0 };
        Look::new((key, false), Detector::new(condition, 0.0, None), Some(5_000_000_000))
    }

    fn sample(second: u64, value: f64) -> Sample {
        let time = geminus_core::Timestamp(second * 1_000_000_000);
        Sample { series: SeriesId(0), quality: Quality::Good, value, time, received: time }
    }

    fn at(second: u64) -> Moment {
        Moment { wall: geminus_core::Timestamp(second), monotonic: second * 1_000_000_000 }
    }

    fn holds(signal: Option<Signal>) -> Option<bool> {
        match signal {
            Some(Signal::Condition { holds, .. }) => Some(holds),
            _ => None,
        }
    }

    #[test]
    fn only_changes_are_said_and_late_samples_say_nothing() {
        let mut look = look(Condition::High { limit: 5.0 });
        assert_eq!(holds(look.take(&sample(10, 1.0), Port::Value, at(1))), Some(false));
        assert_eq!(holds(look.take(&sample(11, 6.0), Port::Value, at(1))), Some(true));
        assert_eq!(holds(look.take(&sample(12, 7.0), Port::Value, at(1))), None);
        assert_eq!(holds(look.take(&sample(9, 1.0), Port::Value, at(1))), None);
        assert_eq!(holds(look.take(&sample(13, 5.0), Port::Value, at(1))), Some(false));
    }

    #[test]
    fn a_reference_is_a_point_too() {
        let mut look = look(Condition::Deviation { limit: 2.0 });
        assert_eq!(holds(look.take(&sample(10, 1.0), Port::Value, at(1))), None);
        assert_eq!(holds(look.take(&sample(10, 2.0), Port::Reference, at(1))), Some(false));
        assert_eq!(holds(look.take(&sample(11, 4.0), Port::Reference, at(1))), Some(true));
    }

    #[test]
    fn a_point_that_falls_silent_cannot_be_used() {
        let mut look = look(Condition::BadQuality);
        assert_eq!(holds(look.silence(at(100))), None, "it has never spoken");
        assert_eq!(holds(look.take(&sample(10, 1.0), Port::Value, at(100))), Some(false));
        assert_eq!(holds(look.silence(at(105))), None);
        assert_eq!(holds(look.silence(at(106))), Some(true));
        assert_eq!(holds(look.silence(at(107))), None);
        assert_eq!(holds(look.take(&sample(11, 1.0), Port::Value, at(108))), Some(false));
    }
}
