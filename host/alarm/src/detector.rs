//! Whether a condition holds: limits with a deadband, so that a value that trembles around one is not told again and
//! again.

use geminus_core::Quality;

/// What is looked for in the values of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// Above the limit.
    High {
        /// In the unit of the point.
        limit: f64,
    },
    /// Below the limit.
    Low {
        /// In the unit of the point.
        limit: f64,
    },
    /// Further from the reference than the limit, to either side.
    Deviation {
        /// In the unit of the point.
        limit: f64,
    },
    /// Not usable: bad, stale or without a number.
    BadQuality,
}

/// One condition over one point of one twin.
#[derive(Clone, Copy, Debug)]
pub struct Detector {
    condition: Condition,
    deadband: f64,
    /// `None` until the first usable value.
    holds: Option<bool>,
}

impl Detector {
    /// `holds`: what an earlier run knew. The deadband is how far on the good side of the limit a value must be for the
    /// condition to be over.
    #[must_use]
    pub fn new(condition: Condition, deadband: f64, holds: Option<bool>) -> Self {
        Self { condition, deadband, holds }
    }

    /// Whether the condition holds after this value; `None` while that is not known. A value that cannot be used says
    /// nothing about a limit. `reference` is for deviations only.
    pub fn read(&mut self, value: f64, quality: Quality, reference: f64) -> Option<bool> {
        let usable = quality.usable() && value.is_finite();
        let (holds, deadband) = (self.holds == Some(true), self.deadband);
        let beyond = |excess: f64| if holds { excess > -deadband } else { excess > 0.0 };
        let found = match self.condition {
            Condition::BadQuality => Some(!usable),
            _ if !usable => None,
            Condition::High { limit } => Some(beyond(value - limit)),
            Condition::Low { limit } => Some(beyond(limit - value)),
            Condition::Deviation { .. } if !reference.is_finite() => None,
            Condition::Deviation { limit } => Some(beyond((value - reference).abs() - limit)),
        };
        self.holds = found.or(self.holds);
        self.holds
    }

    /// What it said last.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        self.holds
    }
}

/// A deadband for an alert of a behavior, which knows its limit better than the host: once raised, it holds until the
/// output that it is about is a deadband away from every value at which the alert stood.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    deadband: f64,
    holds: bool,
    low: f64,
    high: f64,
}

impl Hold {
    /// `holds`: what an earlier run knew.
    #[must_use]
    pub fn new(deadband: f64, holds: bool) -> Self {
        Self { deadband, holds, low: f64::INFINITY, high: f64::NEG_INFINITY }
    }

    /// Whether the alarm's condition holds after a row with or without the alert. An output that is not known clears
    /// nothing.
    pub fn read(&mut self, alert: bool, output: f64) -> bool {
        if alert {
            self.holds = true;
            if output.is_finite() {
                (self.low, self.high) = (self.low.min(output), self.high.max(output));
            }
        } else if self.holds && self.is_clear(output) {
            *self = Self::new(self.deadband, false);
        }
        self.holds
    }

    fn is_clear(&self, output: f64) -> bool {
        let away = (output - self.high).max(self.low - output);
        // After a restart no value of the alert is known, and away is infinite.
        output.is_finite() && away >= self.deadband
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(condition: Condition, deadband: f64, steps: &[(f64, Quality, Option<bool>)]) {
        let mut detector = Detector::new(condition, deadband, None);
        for (place, (value, quality, expect)) in steps.iter().enumerate() {
            let found = detector.read(*value, *quality, 10.0);
            assert_eq!(found, *expect, "{condition:?}, step {place}: {value} {quality:?}");
        }
    }

    #[test]
    fn limits_have_a_deadband_on_the_good_side() {
        use Quality::{Bad, Good, Stale, Uncertain};
        let (yes, no) = (Some(true), Some(false));
        check(
            Condition::High { limit: 100.0 },
            2.0,
            &[
                (f64::NAN, Good, None),
                (100.0, Good, no),
                (100.1, Uncertain, yes),
                (98.1, Good, yes),
                (0.0, Bad, yes),
                (98.0, Good, no),
                (99.9, Good, no),
            ],
        );
        check(
            Condition::Low { limit: 5.0 },
            1.0,
            &[(5.0, Good, no), (4.9, Good, yes), (5.9, Good, yes), (6.0, Good, no)],
        );
        check(
            Condition::Deviation { limit: 3.0 },
            1.0,
            &[(13.0, Good, no), (13.1, Good, yes), (7.5, Good, yes), (8.0, Good, no), (6.9, Good, yes)],
        );
        check(
            Condition::BadQuality,
            0.0,
            &[(1.0, Good, no), (1.0, Stale, yes), (f64::NAN, Bad, yes), (2.0, Uncertain, no)],
        );
    }

    #[test]
    fn without_a_reference_a_deviation_says_nothing() {
        let mut detector = Detector::new(Condition::Deviation { limit: 3.0 }, 0.0, None);
        assert_eq!(detector.read(99.0, Quality::Good, f64::NAN), None);
        assert_eq!(detector.read(99.0, Quality::Good, 10.0), Some(true));
    }

    #[test]
    fn what_an_earlier_run_knew_keeps_its_deadband() {
        let condition = Condition::High { limit: 100.0 };
        assert_eq!(Detector::new(condition, 2.0, Some(true)).read(99.0, Quality::Good, 0.0), Some(true));
        assert_eq!(Detector::new(condition, 2.0, None).read(99.0, Quality::Good, 0.0), Some(false));
    }

    #[test]
    fn an_alert_that_trembles_is_held() {
        let mut hold = Hold::new(0.05, false);
        assert!(!hold.read(false, 0.51));
        for (alert, index) in [(true, 0.49), (false, 0.51), (true, 0.495), (false, 0.52), (false, f64::NAN)] {
            assert!(hold.read(alert, index), "{alert} {index}");
        }
        assert!(hold.read(false, 0.544));
        assert!(!hold.read(false, 0.546), "0.05 above 0.495");
        assert!(!hold.read(false, 0.51), "and it stays over");
        assert!(hold.read(true, 0.2), "raised anew from where it is now");
        assert!(!hold.read(false, 0.26));
    }

    #[test]
    fn an_alert_from_below_is_held_too_and_one_from_an_earlier_run_is_cleared() {
        let mut hold = Hold::new(2.0, false);
        assert!(hold.read(true, 101.0) && hold.read(false, 99.5));
        assert!(!hold.read(false, 99.0));
        let mut known = Hold::new(2.0, true);
        assert!(known.read(false, f64::NAN));
        assert!(!known.read(false, 99.9));
    }
}
