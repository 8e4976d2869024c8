//! The settings of a batch: how they stand in the surrogate, what they cost, and whether readings of them can be used.
//!
//! Tempering goes with the logarithm of the soak time (Hollomon and Jaffe), hardening with that of the quench rate, so the
//! surrogate sees both as decades. Energy is known by a formula and needs no surrogate.

use std::fmt;

use geminus_sdk::{Quality, Reading, math};

use crate::{FurnaceParameters, Measured};

/// Settings as the surrogate sees them: temperature in °C, decades of the soak time in min and of the quench rate in K/s.
pub(crate) type Point = [f64; 3];

/// Settings of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Settings {
    /// °C
    pub(crate) temperature: f64,
    /// min
    pub(crate) soak_time: f64,
    /// K/s
    pub(crate) quench_rate: f64,
}

/// Why a reading cannot be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Doubt {
    /// No number, or none that its source vouches for.
    Unreliable(&'static str),
    /// A number that no furnace and no steel has.
    Implausible(&'static str, f64),
    /// Settings outside the bounds: nothing is to be learned there.
    Beyond(&'static str, f64),
}

impl Settings {
    pub(crate) fn point(self) -> Point {
        [self.temperature, math::log10(self.soak_time), math::log10(self.quench_rate)]
    }

    /// Back from a point, never outside the bounds.
    pub(crate) fn at([temperature, soak, quench]: Point, p: &FurnaceParameters) -> Self {
        Self {
            temperature: temperature.clamp(p.temperature_lowest, p.temperature_highest),
            soak_time: math::exp10(soak).clamp(p.soak_shortest, p.soak_longest),
            quench_rate: math::exp10(quench).clamp(p.quench_slowest, p.quench_fastest),
        }
    }

    /// kWh: to heat the charge, to keep it warm, and for the quench.
    pub(crate) fn energy(self, p: &FurnaceParameters) -> f64 {
        let above = (self.temperature - p.room_temperature).max(0.0);
        above * (p.heat_capacity + p.heat_loss * self.soak_time / 60.0) + p.quench_energy * self.quench_rate
    }
}

/// Lowest and highest point that is proposed.
pub(crate) fn bounds(p: &FurnaceParameters) -> (Point, Point) {
    let corner =
        |temperature, soak_time, quench_rate| Settings { temperature, soak_time, quench_rate }.point();
    (
        corner(p.temperature_lowest, p.soak_shortest, p.quench_slowest),
        corner(p.temperature_highest, p.soak_longest, p.quench_fastest),
    )
}

/// The part of the bounds that is within reach of a point inside them.
pub(crate) fn around(at: Point, p: &FurnaceParameters) -> (Point, Point) {
    let (mut lower, mut upper) = bounds(p);
    for ((lower, upper), at) in lower.iter_mut().zip(&mut upper).zip(at) {
        let reach = p.reach * (*upper - *lower);
        (*lower, *upper) = (lower.max(at - reach), upper.min(at + reach));
    }
    (lower, upper)
}

/// How far two points are from each other in each setting, as parts of its range.
pub(crate) fn moves(from: Point, to: Point, p: &FurnaceParameters) -> Point {
    let (lower, upper) = bounds(p);
    let mut moves = [0.0; 3];
    for (((share, from), to), (lower, upper)) in
        moves.iter_mut().zip(from).zip(to).zip(lower.into_iter().zip(upper))
    {
        *share = (to - from).abs() / (upper - lower);
    }
    moves
}

const NAMES: [&str; 3] = ["temperature", "soak time", "quench rate"];

impl Measured {
    /// The settings, good or uncertain.
    ///
    /// # Errors
    /// The doubt about the first that cannot be used, also when it is far outside the bounds.
    pub(crate) fn settings(&self, p: &FurnaceParameters) -> Result<Settings, Doubt> {
        let number = |name, reading: Reading| reading.value().ok_or(Doubt::Unreliable(name));
        let positive = |name, reading| match number(name, reading)? {
            value if value > 0.0 => Ok(value),
            value => Err(Doubt::Implausible(name, value)),
        };
        let [temperature, soak, quench] = NAMES;
        let settings = Settings {
            temperature: number(temperature, self.temperature)?,
            soak_time: positive(soak, self.soak_time)?,
            quench_rate: positive(quench, self.quench_rate)?,
        };
        // Once the width of its range beyond it a setting is a mistake.
        settings.within(p, 1.0).map_err(|(name, value)| Doubt::Implausible(name, value))?;
        Ok(settings)
    }

    /// Settings and hardness of a finished batch from which something may be learned.
    ///
    /// # Errors
    /// The doubt, when one is not good or not possible.
    pub(crate) fn batch(&self, p: &FurnaceParameters) -> Result<(Settings, f64), Doubt> {
        let readings = [self.temperature, self.soak_time, self.quench_rate];
        for (name, reading) in NAMES.into_iter().zip(readings).chain([("hardness", self.hardness)]) {
            if reading.quality() != Quality::Good {
                return Err(Doubt::Unreliable(name));
            }
        }
        let settings = self.settings(p)?;
        settings.within(p, 1e-9).map_err(|(name, value)| Doubt::Beyond(name, value))?;
        match self.hardness.value() {
            Some(hardness) if (0.0..=100.0).contains(&hardness) => Ok((settings, hardness)),
            Some(hardness) => Err(Doubt::Implausible("hardness", hardness)),
            None => Err(Doubt::Unreliable("hardness")),
        }
    }
}

impl Settings {
    /// Whether every setting is inside its bounds, wider by `share` of their width.
    fn within(self, p: &FurnaceParameters, share: f64) -> Result<(), (&'static str, f64)> {
        let (lower, upper) = bounds(p);
        let values = [self.temperature, self.soak_time, self.quench_rate];
        let places = self.point().into_iter().zip(lower.into_iter().zip(upper));
        for ((name, value), (place, (lower, upper))) in NAMES.into_iter().zip(values).zip(places) {
            let margin = share * (upper - lower);
            if !(lower - margin..=upper + margin).contains(&place) {
                return Err((name, value));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} °C, {:.1} min, {:.2} K/s", self.temperature, self.soak_time, self.quench_rate)
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreliable(name) => write!(f, "its {name} cannot be relied on"),
            Self::Implausible(name, value) => write!(f, "its {name} cannot be {value:.4e}"),
            Self::Beyond(name, value) => write!(f, "its {name}, {value:.4}, is outside the bounds"),
        }
    }
}
