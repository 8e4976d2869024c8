//! Remaining useful life with an interval, from an indicator that wears towards a limit.
//!
//! The indicator is taken as a Wiener process, `dx = drift dt + diffusion dW`. The time until it first reaches the limit
//! then follows the inverse Gaussian distribution (Chhikara, Folks 1989; for wear: Si et al., EJOR 213, 2011). Drift and
//! diffusion are the maximum-likelihood ones of the increments. That the drift itself is an estimate, with deviation
//! `diffusion / √span`, makes the interval wider: the drift is averaged over its normal distribution (Whitmore 1986).
//! Without drift towards the limit there is no answer: `None`, not infinity.

use crate::chi_square::normal_cdf;

/// Increments before an estimate is given.
pub const INCREMENTS_MIN: u32 = 3;
/// Halvings of an interval, beyond which its ends are neighbours.
const HALVINGS: u32 = 200;
/// Logarithm of the longest time that is looked at; its square is still a number.
const TIME_LOG_MAX: f64 = 100.0;

/// What is remembered of an indicator. Fields are public so that a behavior can keep them in its state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wear {
    /// Increments seen.
    pub increments: u32,
    /// Time that they span, in the unit of time of the caller.
    pub span: f64,
    /// Sum of the increments.
    pub rise: f64,
    /// Sum of squared increments, each divided by its time.
    pub squares: f64,
    /// The last value.
    pub last: Option<f64>,
}

/// Time that remains, in the caller's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remaining {
    /// Time that the drift takes, as if there were no chance in it.
    pub mean: f64,
    /// It is shorter than this with half of what the interval leaves out.
    pub low: f64,
    /// It is longer than this with the other half. Infinite while the drift may as well be none.
    pub high: f64,
}

impl Wear {
    /// Takes in a value, `elapsed` after the last. A value that is not finite, or a time that is not above 0, is
    /// passed over (the first value needs no time).
    pub fn push(&mut self, value: f64, elapsed: f64) {
        if !value.is_finite() {
            return;
        }
        let Some(last) = self.last else {
            self.last = Some(value);
            return;
        };
        if !(elapsed > 0.0 && elapsed.is_finite()) {
            return;
        }
        let rise = value - last;
        self.increments = self.increments.saturating_add(1);
        self.span += elapsed;
        self.rise += rise;
        self.squares += rise * rise / elapsed;
        self.last = Some(value);
    }

    /// Drift per time, and diffusion per root of time; `None` before [`INCREMENTS_MIN`] increments.
    #[must_use]
    pub fn drift_and_diffusion(&self) -> Option<(f64, f64)> {
        if self.increments < INCREMENTS_MIN {
            return None;
        }
        let drift = self.rise / self.span;
        let variance = (self.squares - self.rise * drift) / f64::from(self.increments);
        Some((drift, libm::sqrt(variance.max(0.0))))
    }

    /// Time until `limit` is reached, with an interval that holds with probability `coverage`. `None` before there are
    /// enough increments, without drift towards the limit, for a limit that is not finite, and for a coverage beyond
    /// 0 … 1. Zero once the limit is reached.
    #[must_use]
    pub fn remaining(&self, limit: f64, coverage: f64) -> Option<Remaining> {
        let (drift, diffusion) = self.drift_and_diffusion()?;
        let left = limit - self.last?;
        if !(left.is_finite() && coverage > 0.0 && coverage < 1.0) {
            return None;
        }
        // A limit below the first value is approached by falling.
        let falls = left < 0.0 && drift < 0.0;
        let (left, drift) = if falls { (-left, -drift) } else { (left, drift) };
        if left <= 0.0 {
            return Some(Remaining { mean: 0.0, low: 0.0, high: 0.0 });
        }
        if drift <= 0.0 {
            return None;
        }
        let mean = left / drift;
        if diffusion <= 0.0 {
            return Some(Remaining { mean, low: mean, high: mean });
        }
        let law = FirstPassage { left, drift, diffusion, drift_deviation: diffusion / libm::sqrt(self.span) };
        let tail = 0.5 * (1.0 - coverage);
        let (low, high) = (law.point(tail)?, law.point(1.0 - tail)?);
        Some(Remaining { mean, low, high })
    }
}

/// The time in which a Wiener process with an uncertain drift first covers a distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirstPassage {
    /// Distance, above 0.
    pub left: f64,
    /// Mean drift per time.
    pub drift: f64,
    /// Standard deviation per root of time, above 0.
    pub diffusion: f64,
    /// Standard deviation of the drift itself; 0 when it is known.
    pub drift_deviation: f64,
}

impl FirstPassage {
    /// Probability that the time is at most `time`. It does not end at 1 while the drift may lead away; NaN for a
    /// distance or diffusion that is not above 0.
    #[must_use]
    pub fn cdf(&self, time: f64) -> f64 {
        let Self { left, drift, diffusion, drift_deviation } = *self;
        if time.is_nan() || drift.is_nan() || !(left > 0.0 && diffusion > 0.0 && drift_deviation >= 0.0) {
            return f64::NAN;
        }
        if time <= 0.0 {
            return 0.0;
        }
        let (variance, spread) = (diffusion * diffusion, drift_deviation * drift_deviation);
        let deviation = libm::sqrt(time) * libm::sqrt(spread * time + variance);
        let near = (drift * time - left) / deviation;
        let ratio = left / variance;
        let far = -(2.0 * spread * ratio * time + drift * time + left) / deviation;
        // The factor overflows where the tail beside it vanishes: both go into one exponent.
        let factor = 2.0 * drift * ratio + 2.0 * spread * ratio * ratio;
        (normal_cdf(near) + libm::exp(factor + log_normal_cdf(far))).clamp(0.0, 1.0)
    }

    /// The time that is exceeded with probability `1 − probability`; infinite when that is never reached, `None` unless
    /// the probability is within 0 … 1, without its ends, and the process is one.
    #[must_use]
    pub fn point(&self, probability: f64) -> Option<f64> {
        if !(probability > 0.0 && probability < 1.0) || self.cdf(1.0).is_nan() {
            return None;
        }
        let (mut low, mut high) = (-TIME_LOG_MAX, TIME_LOG_MAX);
        if self.cdf(libm::exp(high)) < probability {
            return Some(f64::INFINITY);
        }
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            if self.cdf(libm::exp(middle)) < probability { low = middle } else { high = middle }
        }
        Some(libm::exp(0.5 * (low + high)))
    }
}

/// Logarithm of the normal distribution function, also far to the left, where the function itself is zero.
fn log_normal_cdf(x: f64) -> f64 {
    if x > -30.0 {
        return libm::log(normal_cdf(x));
    }
    // Mills' ratio by its asymptotic series; the next term is below 1e-9 of the sum here.
    let square = x * x;
    let series = 1.0 - 1.0 / square * (1.0 - 3.0 / square * (1.0 - 5.0 / square * (1.0 - 7.0 / square)));
    -0.5 * square - libm::log(-x) - 0.918_938_533_204_672_8 + libm::log(series)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wear(values: impl IntoIterator<Item = f64>) -> Wear {
        let mut wear = Wear::default();
        values.into_iter().for_each(|value| wear.push(value, 1.0));
        wear
    }

    #[test]
    fn wear_along_a_line_ends_where_the_line_does() {
        let line = wear((0..10).map(f64::from));
        assert_eq!(line.remaining(29.0, 0.9), Some(Remaining { mean: 20.0, low: 20.0, high: 20.0 }));
        assert_eq!(line.remaining(5.0, 0.9), Some(Remaining { mean: 0.0, low: 0.0, high: 0.0 }), "reached");
        let down = wear((0..10).map(|k| 1.0 - 0.05 * f64::from(k)));
        let left = down.remaining(0.2, 0.9).expect("falls towards the limit");
        assert!((left.mean - 7.0).abs() < 1e-9, "{left:?}");
    }

    #[test]
    fn what_cannot_be_said_is_none() {
        assert_eq!(Wear::default().remaining(1.0, 0.9), None, "an empty history");
        assert_eq!(wear([0.0, 1.0, 2.0]).remaining(9.0, 0.9), None, "two increments");
        assert_eq!(wear([0.0; 9]).remaining(9.0, 0.9), None, "no drift");
        assert_eq!(wear([3.0, 2.0, 1.0, 0.0]).remaining(9.0, 0.9), None, "drift the other way");
        let worn = wear([0.0, 1.0, 1.5, 3.0]);
        for (limit, coverage) in
            [(f64::NAN, 0.9), (f64::INFINITY, 0.9), (9.0, 0.0), (9.0, 1.0), (9.0, f64::NAN)]
        {
            assert_eq!(worn.remaining(limit, coverage), None, "{limit} {coverage}");
        }
        let mut same = worn;
        for (value, elapsed) in [(f64::NAN, 1.0), (4.0, 0.0), (4.0, f64::NAN)] {
            same.push(value, elapsed);
        }
        assert_eq!(same, worn, "what is not a step is passed over");
    }
}
