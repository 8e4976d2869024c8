//! Process noise of chains of integrators: position, speed, acceleration, jerk of something that wanders.
//!
//! Names follow filterpy: `Q_discrete_white_noise`, `Q_continuous_white_noise`. Noise of any other linear model comes
//! with its interval from [`ZeroOrderHold`](crate::ZeroOrderHold) (Van Loan). Source: Bar-Shalom, Li, Kirubarajan,
//! *Estimation with Applications to Tracking and Navigation*, §6.2 and §6.3.

use nalgebra::{SMatrix, SVector};

use crate::EstimationError;

/// `Γ Γᵀ variance` with the last derivative's noise held over the interval: `Γ = (dt²/2, dt)` for N = 2 (noise is
/// acceleration), `(dt²/2, dt, 1)` for 3, `(dt³/6, dt²/2, dt, 1)` for 4. `variance` is that of the noise of one interval.
///
/// # Errors
/// `OutOfRange` for another N, `dt_s` not above 0, or a negative variance.
pub fn discrete_white_noise<const N: usize>(
    dt_s: f64,
    variance: f64,
) -> Result<SMatrix<f64, N, N>, EstimationError> {
    if !(2..=4).contains(&N) {
        return Err(EstimationError::OutOfRange { field: "N", expect: "2, 3 or 4 states" });
    }
    check(dt_s, "variance", variance)?;
    // With two states the noise is one derivative below the last state, with more it is the last state's own.
    let highest = if N == 2 { 2 } else { N - 1 };
    let gamma = SVector::<f64, N>::from_fn(|i, _| power(dt_s, highest - i) / factorial(highest - i));
    Ok(gamma * gamma.transpose() * variance)
}

/// White noise of `density` (state² of the last derivative per second) that drives the last derivative all the time:
/// `Q_ij = density · dt^(a+b+1) / (a! b! (a+b+1))` with a = N−1−i, b = N−1−j.
///
/// # Errors
/// `OutOfRange` for `dt_s` not above 0 or a negative density.
pub fn continuous_white_noise<const N: usize>(
    dt_s: f64,
    density: f64,
) -> Result<SMatrix<f64, N, N>, EstimationError> {
    check(dt_s, "density", density)?;
    Ok(SMatrix::from_fn(|i, j| {
        let (a, b) = (N - 1 - i, N - 1 - j);
        density * power(dt_s, a + b + 1) / (factorial(a) * factorial(b) * count(a + b + 1))
    }))
}

fn check(dt_s: f64, field: &'static str, intensity: f64) -> Result<(), EstimationError> {
    if !(dt_s > 0.0 && dt_s.is_finite()) {
        return Err(EstimationError::OutOfRange { field: "dt_s", expect: "finite and above 0" });
    }
    match intensity >= 0.0 && intensity.is_finite() {
        true => Ok(()),
        false => Err(EstimationError::OutOfRange { field, expect: "finite and not negative" }),
    }
}

fn power(base: f64, exponent: usize) -> f64 {
    (0..exponent).fold(1.0, |product, _| product * base)
}

fn factorial(n: usize) -> f64 {
    (1..=n).map(count).product()
}

#[expect(clippy::cast_precision_loss, reason = "a number of states is far below 2^53")]
fn count(n: usize) -> f64 {
    n as f64
}
