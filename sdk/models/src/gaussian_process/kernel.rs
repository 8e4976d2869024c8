//! The covariance of two points: a constant times Matérn 5/2 with a length for each input, and white noise.
//!
//! ```text
//! k(a, b) = amplitude · (1 + √5 r + 5/3 r²) exp(−√5 r),    r² = Σ_d ((a_d − b_d) / length_d)²
//! ```
//!
//! and `noise` besides where both are the same observation. All are about outputs in units of their own spread.
//! Source: Rasmussen and Williams, *Gaussian Processes for Machine Learning*, eq. 4.17 and §5.1.
#![expect(
    clippy::indexing_slicing,
    reason = "indices run below the dimensions, which are checked when they come in"
)]

use crate::bad_input::{self, BadInput};

const SQRT_5: f64 = 2.236_067_977_499_79;

/// What shapes the covariance.
#[derive(Clone, Debug, PartialEq)]
pub struct Hyperparameters {
    /// Prior variance, in squares of the outputs' spread; above 0.
    pub amplitude: f64,
    /// Over which distance the output changes, for each input, in its unit; above 0.
    pub lengths: Vec<f64>,
    /// Variance of the noise of one observation, in squares of the outputs' spread; 0 or more.
    pub noise: f64,
}

impl Hyperparameters {
    /// # Errors
    /// `Length`, `NotFinite` or `Range` for the first that cannot be worked with.
    pub fn check(&self, inputs: usize) -> Result<(), BadInput> {
        let above_zero = |value: f64| value > 0.0;
        bad_input::finite("amplitude", &[self.amplitude], 1)?;
        bad_input::within("amplitude", &[self.amplitude], "above 0", above_zero)?;
        bad_input::finite("lengths", &self.lengths, inputs)?;
        bad_input::within("lengths", &self.lengths, "above 0", above_zero)?;
        bad_input::finite("noise", &[self.noise], 1)?;
        bad_input::within("noise", &[self.noise], "0 or more", |noise| noise >= 0.0)
    }

    /// Covariance of the outputs at two points, without noise.
    #[must_use]
    pub fn covariance(&self, a: &[f64], b: &[f64]) -> f64 {
        let square = self.lengths.iter().enumerate().map(|(d, length)| {
            let steps = (a[d] - b[d]) / length;
            steps * steps
        });
        self.amplitude * matern(square.sum()).0
    }
}

/// Matérn 5/2 at the squared distance `r²`, and what it grows by per unit of `(Δ_d / length_d)²` when the logarithm of
/// `length_d` does: `5/3 (1 + √5 r) exp(−√5 r)`.
pub(super) fn matern(r_squared: f64) -> (f64, f64) {
    let s = SQRT_5 * r_squared.sqrt();
    let decay = libm::exp(-s);
    ((1.0 + s + 5.0 / 3.0 * r_squared) * decay, 5.0 / 3.0 * (1.0 + s) * decay)
}
