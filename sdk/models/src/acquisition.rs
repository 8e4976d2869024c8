//! Expected improvement: by how much a trial at a point is expected to be better than the best so far.
//!
//! With `gain = best − mean − ξ` when less is better, `mean − best − ξ` when more is, and `z = gain / σ`:
//!
//! ```text
//! EI = gain Φ(z) + σ φ(z)
//! ```
//!
//! Mean, deviation and best are all in the unit of the output; σ is that of the output itself, without noise. Source:
//! Jones, Schonlau, Welch, *J. Global Optimization* 13 (1998), eq. 15.

const INVERSE_SQRT_2_PI: f64 = 0.398_942_280_401_432_7;

/// Which outputs are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Lower ones.
    Minimise,
    /// Higher ones.
    Maximise,
}

impl Goal {
    /// By how much `value` is better than `than`; negative when it is worse.
    #[must_use]
    pub fn gain(self, value: f64, than: f64) -> f64 {
        match self {
            Self::Minimise => than - value,
            Self::Maximise => value - than,
        }
    }
}

/// Expected improvement over `best`, 0 or more. `xi` is the least improvement that counts. `None` when a number is not
/// finite or the deviation is negative: no improvement may be read from that.
#[must_use]
pub fn expected_improvement(mean: f64, deviation: f64, best: f64, goal: Goal, xi: f64) -> Option<f64> {
    let gain = goal.gain(mean, best) - xi;
    if !gain.is_finite() || !deviation.is_finite() || deviation < 0.0 {
        return None;
    }
    if deviation == 0.0 {
        return Some(gain.max(0.0));
    }
    let z = gain / deviation;
    Some((gain * normal_probability(z) + deviation * normal_density(z)).max(0.0))
}

/// φ, the density of the standard normal distribution.
#[must_use]
pub fn normal_density(z: f64) -> f64 {
    INVERSE_SQRT_2_PI * libm::exp(-0.5 * z * z)
}

/// Φ, the probability that a standard normal number is below `z`.
#[must_use]
pub fn normal_probability(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_symmetric_in_the_goal() {
        for (mean, deviation, best) in [(1.0, 0.3, 0.8), (-2.0, 1.5, -1.0), (0.0, 0.01, 5.0)] {
            let least = expected_improvement(mean, deviation, best, Goal::Minimise, 0.01);
            let most = expected_improvement(-mean, deviation, -best, Goal::Maximise, 0.01);
            assert_eq!(least, most);
        }
        assert!(expected_improvement(0.0, 0.1, 1.0, Goal::Minimise, 0.0).is_some_and(|ei| ei > 0.99));
        assert!(expected_improvement(0.0, 0.1, 1.0, Goal::Maximise, 0.0).is_some_and(|ei| ei < 1e-9));
    }

    #[test]
    fn without_deviation_it_is_the_gain_and_without_numbers_there_is_none() {
        assert_eq!(expected_improvement(1.0, 0.0, 3.0, Goal::Minimise, 0.5), Some(1.5));
        assert_eq!(expected_improvement(4.0, 0.0, 3.0, Goal::Minimise, 0.5), Some(0.0));
        for (mean, deviation, best) in
            [(f64::NAN, 1.0, 0.0), (0.0, f64::NAN, 0.0), (0.0, -1.0, 0.0), (0.0, 1.0, f64::INFINITY)]
        {
            assert_eq!(expected_improvement(mean, deviation, best, Goal::Maximise, 0.0), None);
        }
    }
}
