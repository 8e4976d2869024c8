//! What is made of the levels: whether they can be relied on, what flows the model does not know, and how far its
//! predictions were off.

use std::fmt;

use geminus_models::{SVector, ZeroOrderHold};
use geminus_sdk::{Pack, Quality, Reading, State, math};

use crate::tanks::Tanks;
use crate::{Measured, TankParameters};

/// A decision's levels and the speed that was in force then.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Seen {
    /// m
    pub upper: f64,
    /// m
    pub lower: f64,
    /// %
    pub speed: f64,
}

/// The plan that stands.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Plan {
    /// Speed of the first interval, %.
    pub speed: f64,
    /// Lower level at its end, m.
    pub next: f64,
    /// Lower level at the end of the plan, m.
    pub last: f64,
    /// By how much it leaves the limits of a level, m.
    pub excess: f64,
}

/// What is remembered from row to row. Schema 1.
#[derive(Clone, Debug, Default, PartialEq, State)]
#[state(schema = 1)]
pub struct Watch {
    /// At the last decision; none before the first and after a gap.
    pub seen: Option<Seen>,
    /// Seconds since the last decision, or since the first row.
    pub age: f64,
    /// Integral of the pump's speed over the seconds since then for which it is known, % s.
    pub pumped: f64,
    /// Those seconds.
    pub pumped_s: f64,
    /// Rates of the levels that the model does not know, upper and lower, m/s.
    pub unknown: [f64; 2],
    /// Running average of the squares of prediction errors of the lower level, m², that began with 0.
    pub square: f64,
    /// Part of that average that errors have filled, 0 … 1.
    pub filled: f64,
    /// None while nothing is known.
    pub plan: Option<Plan>,
}

/// Levels that can be relied on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Levels {
    pub(crate) seen: Seen,
    /// m, within the limits.
    pub(crate) wanted: f64,
}

/// Why nothing can be concluded from a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Doubt {
    /// No level in this row, and none lately.
    Silent,
    /// An input without a number that can be relied on.
    Unreliable(&'static str),
    /// A number that no tank and no pump has.
    Implausible(&'static str, f64),
    /// A speed outside its limits: somebody else has stopped the pump or runs it.
    Elsewhere(f64),
}

/// Twice the highest level is what a sensor may say; more is a broken one.
const PLAUSIBLE: f64 = 2.0;

impl Measured {
    /// What this row tells, `None` when it tells no level.
    ///
    /// # Errors
    /// The doubt, when what it tells cannot be relied on.
    pub(crate) fn levels(&self, p: &TankParameters) -> Result<Option<Levels>, Doubt> {
        let inputs = [("upper level", self.upper_level), ("lower level", self.lower_level)];
        if inputs.iter().all(|(_, reading)| reading.quality() == Quality::Missing) {
            return Ok(None);
        }
        let good = |name, reading: Reading, most: f64| match (reading.quality(), reading.value()) {
            (Quality::Good, Some(value)) if (0.0..=most).contains(&value) => Ok(value),
            (Quality::Good, Some(value)) => Err(Doubt::Implausible(name, value)),
            _ => Err(Doubt::Unreliable(name)),
        };
        let [(upper, upper_reading), (lower, lower_reading)] = inputs;
        let highest = PLAUSIBLE * p.level_highest;
        let seen = Seen {
            upper: good(upper, upper_reading, highest)?,
            lower: good(lower, lower_reading, highest)?,
            speed: good("pump speed", self.pump_speed, 100.0)?,
        };
        if seen.speed < p.speed_lowest - p.deadband || seen.speed > p.speed_highest + p.deadband {
            return Err(Doubt::Elsewhere(seen.speed));
        }
        let wanted = match self.wanted_level.quality() {
            Quality::Missing => p.level_wanted,
            _ => good("wanted level", self.wanted_level, highest)?,
        };
        Ok(Some(Levels { seen, wanted: wanted.clamp(p.level_lowest, p.level_highest) }))
    }
}

impl Watch {
    /// A row has come; the speed that it tells is the one in force since the row before.
    pub(crate) fn grow_older(&mut self, seconds: f64, speed: Reading) {
        self.age += seconds;
        if let (Quality::Good, Some(speed)) = (speed.quality(), speed.value())
            && (0.0..=100.0).contains(&speed)
        {
            self.pumped += speed * seconds;
            self.pumped_s += seconds;
        }
    }

    /// A decision was made from what was seen.
    pub(crate) fn remember(&mut self, seen: Seen) {
        (self.seen, self.age) = (Some(seen), 0.0);
        (self.pumped, self.pumped_s) = (0.0, 0.0);
    }

    /// Compares with what was predicted from the last decision, over the time since then.
    pub(crate) fn learn(
        &mut self,
        now: &Levels,
        model: &ZeroOrderHold<2, 3>,
        tanks: &Tanks,
        p: &TankParameters,
    ) {
        let Some(before) = self.seen else { return };
        let from = SVector::from([before.upper, before.lower]) - tanks.balance.levels;
        // What was proposed from `before` was in force soon after it, so its own speed says little of the time since.
        let speed = if self.pumped_s > 0.0 { self.pumped / self.pumped_s } else { before.speed };
        let inputs = SVector::from([speed - tanks.balance.speed, self.unknown[0], self.unknown[1]]);
        let predicted = tanks.balance.levels + model.F * from + model.G * inputs;
        let errors = [now.seen.upper - predicted.x, now.seen.lower - predicted.y];
        let part = -math::expm1(-self.age / p.smoothing);
        for (unknown, error) in self.unknown.iter_mut().zip(errors) {
            *unknown += part * error / self.age;
        }
        self.square += part * (errors[1] * errors[1] - self.square);
        self.filled += part * (1.0 - self.filled);
    }

    /// After a gap all begins anew, but for what flows were not known.
    pub(crate) fn forget(&mut self) {
        (self.seen, self.plan) = (None, None);
        (self.pumped, self.pumped_s) = (0.0, 0.0);
    }

    /// Root mean square of prediction errors, m; none before the first.
    pub(crate) fn error(&self) -> Option<f64> {
        (self.filled > 0.0).then(|| math::sqrt(self.square / self.filled))
    }

    /// 1 when predictions are exact, ½ when they are off by `half`, and before there was one. A measure for an interlock
    /// to hold a limit against, no probability.
    pub(crate) fn confidence(&self, half: f64) -> f64 {
        let share = self.error().map_or(1.0, |error| error / half);
        1.0 / (1.0 + share * share)
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("no level was told"),
            Self::Unreliable(name) => write!(f, "the {name} cannot be relied on"),
            Self::Elsewhere(speed) => write!(f, "the pump runs at {speed:.1} %, outside its limits"),
            Self::Implausible(name, value) => write!(f, "the {name} cannot be {value:.3e}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pump is moved right after a decision. Held against the speed before the move, the upper tank would seem to have
    /// an inflow that nobody knows.
    #[test]
    fn a_speed_that_changed_after_the_decision_is_no_unknown_flow() {
        let p: TankParameters = geminus_sdk::parameter::from_json(b"{}").expect("defaults");
        let tanks = Tanks::new(&p).expect("a balance");
        let model = tanks.over(20.0);
        let (start, level) = (tanks.balance.speed, tanks.balance.levels);
        let mut watch = Watch::default();
        watch.remember(Seen { upper: level.x, lower: level.y, speed: start });
        for _ in 0..4 {
            watch.grow_older(5.0, Reading::good(start + 8.0));
        }
        let there = level + model.G * SVector::from([8.0, 0.0, 0.0]);
        let seen = Seen { upper: there.x, lower: there.y, speed: start + 8.0 };
        watch.learn(&Levels { seen, wanted: 1.5 }, &model, &tanks, &p);
        assert!(watch.unknown.iter().all(|rate| rate.abs() < 1e-15), "{:?}", watch.unknown);
        assert!(watch.error().is_some_and(|error| error < 1e-12), "{watch:?}");
        // A tank that stands higher than that has one.
        let higher = Seen { upper: there.x + 0.1, ..seen };
        watch.learn(&Levels { seen: higher, wanted: 1.5 }, &model, &tanks, &p);
        let part = -math::expm1(-20.0 / p.smoothing);
        assert!((watch.unknown[0] - part * 0.1 / 20.0).abs() < 1e-12, "{:?}", watch.unknown);
    }
}
