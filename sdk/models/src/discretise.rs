//! From a continuous model `dx/dt = A x + B u + w` to one interval: `x⁺ = F x + G u`, noise covariance `Q`.
//!
//! `u` is held over the interval (zero-order hold), `w` is white with covariance density `Qc`:
//!
//! ```text
//! F(t) = exp(A t)     G(t) = ∫₀ᵗ exp(A s) ds B     Q(t) = ∫₀ᵗ exp(A s) Qc exp(A s)ᵀ ds
//! ```
//!
//! These are the integrals of Van Loan, *Computing integrals involving the matrix exponential*, IEEE TAC 23(3),
//! 1978. His block exponential contains exp(−A t), which overflows when the interval is long against the fastest
//! time constant; a twin that comes back after a day meets that. So the three series are summed for a short
//! interval and doubled: `F(2t) = F F`, `G(2t) = F G + G`, `Q(2t) = F Q Fᵀ + Q`.
#![expect(non_snake_case, reason = "A, B, F, G, Q are the names of the field")]

use nalgebra::SMatrix;

use crate::kalman::symmetric;

/// Largest `‖A‖∞ t` that the series are summed for.
const STEP_NORM_MAX: f64 = 0.25;
/// Terms of each series: with `STEP_NORM_MAX` (and twice that for `Q`) what is cut off is below 1e-17.
const TERMS: u32 = 14;
/// Doublings at most: `‖A‖ t` up to 0.25 · 2⁶⁰.
const DOUBLINGS_MAX: u32 = 60;

/// The discrete model of one interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZeroOrderHold<const N: usize, const U: usize> {
    /// State transition `exp(A t)`.
    pub F: SMatrix<f64, N, N>,
    /// Effect of an input that is held over the interval (`B` of the filter).
    pub G: SMatrix<f64, N, U>,
    /// Covariance that the process noise gathers over the interval.
    pub Q: SMatrix<f64, N, N>,
}

impl<const N: usize, const U: usize> ZeroOrderHold<N, U> {
    /// Of `A` (1/s), `B` (state per input and second) and `Qc` (state² per second, symmetric) over `dt_s` ≥ 0
    /// seconds. Everything is NaN when something is not finite.
    #[must_use]
    pub fn new(A: &SMatrix<f64, N, N>, B: &SMatrix<f64, N, U>, Qc: &SMatrix<f64, N, N>, dt_s: f64) -> Self {
        let mut doublings = 0;
        let mut step_s = dt_s;
        let norm = norm_infinity(A);
        while norm * step_s > STEP_NORM_MAX && doublings < DOUBLINGS_MAX {
            step_s *= 0.5;
            doublings += 1;
        }
        let mut model = Self::series(A, B, Qc, step_s);
        for _ in 0..doublings {
            model = model.twice();
        }
        model
    }

    fn series(A: &SMatrix<f64, N, N>, B: &SMatrix<f64, N, U>, Qc: &SMatrix<f64, N, N>, step_s: f64) -> Self {
        let identity = SMatrix::<f64, N, N>::identity();
        let mut term = identity;
        let mut noise_term = Qc * step_s;
        let (mut F, mut hold, mut Q) = (identity, identity * step_s, noise_term);
        for k in 1..=TERMS {
            term = A * term * (step_s / f64::from(k));
            F += term;
            hold += term * (step_s / f64::from(k + 1));
            let spread = A * noise_term;
            noise_term = (spread + spread.transpose()) * (step_s / f64::from(k + 1));
            Q += noise_term;
        }
        Self { F, G: hold * B, Q: symmetric(Q) }
    }

    fn twice(&self) -> Self {
        let F = self.F;
        Self { F: F * F, G: F * self.G + self.G, Q: symmetric(F * self.Q * F.transpose() + self.Q) }
    }
}

fn norm_infinity<const N: usize>(A: &SMatrix<f64, N, N>) -> f64 {
    (0..N).map(|i| A.row(i).iter().map(|a| a.abs()).sum::<f64>()).fold(0.0, f64::max)
}
