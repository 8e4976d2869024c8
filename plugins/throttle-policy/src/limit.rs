//! The load limit: how low the temperature wants it, how far it may be given back, and when what is wished for is
//! proposed. Down goes as fast as steps and intervals allow, up by a slow ramp and only once the winding is clearly cooler.

use geminus_sdk::{Pack, math};

use crate::ThrottleParameters;

/// Part of a step that rounding may be wrong by.
const ROUNDING: f64 = 1e-9;

/// What was proposed last.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Asked {
    /// %
    pub value: f64,
    /// Seconds since then.
    pub age: f64,
}

/// What is remembered of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Limit {
    /// How far load has been given back, %. Follows reductions when they are proposed.
    pub level: f64,
    /// None before the first proposal.
    pub asked: Option<Asked>,
}

/// Why something is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Less load.
    Less,
    /// Load is given back.
    More,
    /// The last proposal has expired and nobody has followed it, as far as one knows.
    Again,
}

/// Where the temperature stands, in terms of the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Demand {
    /// Limit that the temperature wants, load_minimum to load_full.
    pub(crate) target: f64,
    /// Whether load may be given back.
    pub(crate) released: bool,
}

impl Demand {
    /// Of the worst temperature that is expected, °C. Without a forecast nothing is given back.
    pub(crate) fn of(worst: f64, forecast: bool, p: &ThrottleParameters) -> Self {
        let onset = p.limit_temperature - p.margin;
        let share = ((worst - onset) / p.margin).clamp(0.0, 1.0);
        Self {
            target: p.load_full - share * (p.load_full - p.load_minimum),
            released: forecast && worst < onset - p.hysteresis,
        }
    }
}

impl Limit {
    pub(crate) fn free(p: &ThrottleParameters) -> Self {
        Self { level: p.load_full, asked: None }
    }

    /// What the machine may do as far as this policy has asked, %.
    pub(crate) fn standing(&self, p: &ThrottleParameters) -> f64 {
        self.asked.map_or(p.load_full, |asked| asked.value)
    }

    /// What is wished for now, %.
    pub(crate) fn wished(&self, demand: Demand, p: &ThrottleParameters) -> f64 {
        self.level.min(demand.target).clamp(p.load_minimum, p.load_full)
    }

    /// A machine that is cool without having followed counts as where it is.
    pub(crate) fn follow(&mut self, present: Option<f64>, p: &ThrottleParameters) {
        if let (Some(asked), Some(present)) = (&mut self.asked, present)
            && asked.age >= p.valid_for
            && present > asked.value + p.deadband
        {
            asked.value = present.min(p.load_full);
        }
    }

    /// Gives back by the ramp, no further than one proposal can follow.
    pub(crate) fn ramp(&mut self, seconds: f64, p: &ThrottleParameters) {
        let standing = self.standing(p);
        let most = (standing + p.step_max).min(p.load_full);
        self.level = (self.level.max(standing) + p.ramp / 60.0 * seconds).min(most);
    }

    /// What is to be proposed now, and why. `present` is the read-back, where one is told.
    pub(crate) fn next(
        &self,
        demand: Demand,
        present: Option<f64>,
        p: &ThrottleParameters,
    ) -> Option<(f64, Change)> {
        if self.asked.is_some_and(|asked| asked.age < p.interval_min) {
            return None;
        }
        let standing = self.standing(p);
        // Steps are taken from what is in force: a machine that has not followed is led down from where it is.
        let base = present.map_or(standing, |present| present.max(standing));
        let lowest = up_to_step(base - p.step_max, p.step).clamp(p.load_minimum, p.load_full);
        let wished = down_to_step(self.wished(demand, p), p);
        if standing - wished >= p.deadband || (wished <= p.load_minimum && wished < standing) {
            let value = wished.max(lowest);
            if value < standing {
                return Some((value, Change::Less));
            }
        }
        // Somebody else limits further than was asked for here: that is not ours to lift. And to a machine that has
        // not followed there is nothing to give back.
        let elsewhere =
            present.is_some_and(|present| present < standing - p.deadband || present > wished + p.deadband);
        if demand.released && !elsewhere {
            let gained = wished - standing;
            if gained >= p.deadband || (gained > 0.0 && wished >= p.load_full) {
                return Some((wished, Change::More));
            }
        }
        let expired = self.asked.is_some_and(|asked| asked.age >= p.valid_for);
        // Without a read-back only the temperature tells: it still wants as little as was asked for.
        let ignored = match present {
            Some(present) => !demand.released && present > standing + p.deadband,
            None => demand.target <= standing,
        };
        let again = expired && ignored && standing < p.load_full;
        again.then(|| (standing.max(lowest), Change::Again))
    }

    /// Notes what was proposed. A reduction takes the level with it; from there load is given back.
    pub(crate) fn note(&mut self, value: f64, change: Change) {
        if change == Change::Less {
            self.level = self.level.min(value);
        }
        self.asked = Some(Asked { value, age: 0.0 });
    }
}

/// The multiple of `step` at or below, or the end of the range.
fn down_to_step(value: f64, p: &ThrottleParameters) -> f64 {
    if value >= p.load_full {
        return p.load_full;
    }
    (math::floor(value / p.step + ROUNDING) * p.step).clamp(p.load_minimum, p.load_full)
}

/// The multiple of `step` at or above.
fn up_to_step(value: f64, step: f64) -> f64 {
    math::ceil(value / step - ROUNDING) * step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(json: &str) -> ThrottleParameters {
        geminus_sdk::parameter::from_json(json.as_bytes()).expect("parameters")
    }

    fn asked(value: f64, age: f64) -> Limit {
        Limit { level: value, asked: Some(Asked { value, age }) }
    }

    #[test]
    fn between_margin_and_limit_the_load_goes_down_in_proportion() {
        let p = parameters("{}");
        let check = |worst: f64, target: f64, released: bool| {
            let demand = Demand::of(worst, true, &p);
            assert!((demand.target - target).abs() < 1e-9, "{worst}: {demand:?}");
            assert_eq!(demand.released, released, "{worst}");
        };
        check(20.0, 100.0, true);
        check(139.9, 100.0, true);
        check(140.0, 100.0, false);
        check(145.0, 100.0, false);
        check(150.0, 70.0, false);
        check(155.0, 40.0, false);
        check(1e300, 40.0, false);
        assert!(!Demand::of(20.0, false, &p).released, "without a forecast nothing is given back");
    }

    #[test]
    fn what_is_proposed_and_when() {
        let p = parameters("{}");
        let free = Limit::free(&p);
        let hot = |target: f64| Demand { target, released: false };
        let cool = Demand { target: 100.0, released: true };
        let check = |limit: Limit, demand: Demand, present: Option<f64>, expect: Option<(f64, Change)>| {
            assert_eq!(limit.next(demand, present, &p), expect, "{limit:?} {demand:?} {present:?}");
        };
        check(free, cool, None, None);
        check(free, hot(98.5), None, Some((98.0, Change::Less)));
        check(free, hot(99.0), None, None);
        check(free, hot(40.0), None, Some((90.0, Change::Less)));
        check(asked(90.0, 11.9), hot(40.0), None, None);
        check(asked(90.0, 12.0), hot(40.0), None, Some((80.0, Change::Less)));
        check(asked(41.0, 12.0), hot(40.0), None, Some((40.0, Change::Less)));
        // The machine has not followed: no step from where it is not, and again when the proposal has expired.
        check(asked(90.0, 12.0), hot(40.0), Some(100.0), None);
        check(asked(90.0, 120.0), hot(40.0), Some(100.0), Some((90.0, Change::Again)));
        check(asked(60.0, 120.0), hot(100.0), Some(100.0), Some((90.0, Change::Again)));
        check(asked(60.0, 120.0), hot(100.0), Some(60.4), None);
        check(asked(60.0, 119.0), hot(60.0), None, None);
        check(asked(60.0, 120.0), hot(60.0), None, Some((60.0, Change::Again)));
        check(asked(60.0, 120.0), hot(61.0), None, None);
        check(asked(100.0, 1e9), hot(100.0), None, None);
    }

    #[test]
    fn load_comes_back_by_the_ramp_and_not_past_somebody_elses_limit() {
        let p = parameters("{}");
        let cool = Demand { target: 100.0, released: true };
        let mut limit = asked(60.0, 60.0);
        limit.ramp(59.0, &p);
        assert_eq!(limit.next(cool, None, &p), None);
        limit.ramp(1.0, &p);
        assert_eq!(limit.next(cool, None, &p), Some((62.0, Change::More)));
        assert_eq!(limit.next(cool, Some(30.0), &p), None);
        assert_eq!(limit.next(cool, Some(60.5), &p), Some((62.0, Change::More)));
        assert_eq!(limit.next(cool, Some(100.0), &p), None);
        assert_eq!(limit.next(Demand { released: false, ..cool }, None, &p), None);
        limit.ramp(1e9, &p);
        assert_eq!(limit.level, 70.0, "no further than one step");
        let mut last = asked(99.0, 60.0);
        last.ramp(30.0, &p);
        assert_eq!(last.next(cool, None, &p), Some((100.0, Change::More)), "the last bit is not left over");
        let mut ignored = asked(60.0, 119.0);
        ignored.follow(Some(95.0), &p);
        assert_eq!(ignored.standing(&p), 60.0);
        ignored = asked(60.0, 120.0);
        ignored.follow(Some(95.0), &p);
        ignored.ramp(60.0, &p);
        assert_eq!(ignored.next(cool, Some(95.0), &p), Some((97.0, Change::More)), "from where it is");
        ignored.follow(Some(100.0), &p);
        ignored.ramp(0.0, &p);
        assert_eq!((ignored.standing(&p), ignored.next(cool, Some(100.0), &p)), (100.0, None), "free again");
    }

    #[test]
    fn steps_round_to_less_load() {
        let p = parameters(r#"{"step": 0.1, "load_full": 99.95, "load_minimum": 40.03}"#);
        let check = |value: f64, expect: f64| {
            let got = down_to_step(value, &p);
            assert!((got - expect).abs() < 1e-9, "{value}: {got}");
        };
        check(99.99, 99.95);
        check(99.94, 99.9);
        check(70.3, 70.3);
        check(40.0, 40.03);
        assert!((up_to_step(70.21, 0.1) - 70.3).abs() < 1e-9);
        assert!((up_to_step(70.3, 0.1) - 70.3).abs() < 1e-9);
    }
}
