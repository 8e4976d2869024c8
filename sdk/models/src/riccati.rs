//! Where the covariance of a Kalman filter settles, without running it for hours.
//!
//! Solves `P = F (P − P Hᵀ (H P Hᵀ + R)⁻¹ H P) Fᵀ + Q` by the doubling algorithm of Anderson, *Second-order
//! convergent algorithms for the steady-state Riccati equation*, Int. J. Control 28(2), 1978: k passes stand for
//! 2ᵏ filter steps. For models at load and for tests, not for a step.
#![expect(non_snake_case, reason = "F, H, Q, R, P are the names of the field")]

use nalgebra::SMatrix;

use crate::kalman::symmetric;

/// Passes at most: 2⁴⁰ filter steps.
const PASSES_MAX: usize = 40;
/// Relative change of `P` under which it has settled.
const SETTLED: f64 = 1e-14;
/// Plain filter steps that wash out the rounding of the doubling.
const POLISH: usize = 4;

/// Covariance *before* the measurement (prior), as `scipy.linalg.solve_discrete_are(Fᵀ, Hᵀ, Q, R)` gives it.
/// `None` when it does not settle (an unstable state that no sensor sees) or `R` is singular.
#[must_use]
pub fn steady_state<const N: usize, const M: usize>(
    F: &SMatrix<f64, N, N>,
    H: &SMatrix<f64, M, N>,
    Q: &SMatrix<f64, N, N>,
    R: &SMatrix<f64, M, M>,
) -> Option<SMatrix<f64, N, N>> {
    let identity = SMatrix::<f64, N, N>::identity();
    let mut a = F.transpose();
    let mut g = H.transpose() * R.cholesky()?.inverse() * H;
    let mut p = *Q;
    for _ in 0..PASSES_MAX {
        let w = (identity + g * p).try_inverse()?;
        let next = symmetric(p + a.transpose() * p * w * a);
        g = symmetric(g + a * w * g * a.transpose());
        a = a * w * a;
        let change = (next - p).norm();
        p = next;
        if !change.is_finite() {
            return None;
        }
        if change <= SETTLED * p.norm() {
            return (0..POLISH).try_fold(p, |p, _| filter_step(F, H, Q, R, &p));
        }
    }
    None
}

/// One step of the filter's covariance: update, then predict.
fn filter_step<const N: usize, const M: usize>(
    F: &SMatrix<f64, N, N>,
    H: &SMatrix<f64, M, N>,
    Q: &SMatrix<f64, N, N>,
    R: &SMatrix<f64, M, M>,
    p: &SMatrix<f64, N, N>,
) -> Option<SMatrix<f64, N, N>> {
    let PHt = p * H.transpose();
    let K = (H * PHt + R).cholesky()?.solve(&PHt.transpose()).transpose();
    let I_KH = SMatrix::<f64, N, N>::identity() - K * H;
    let after = I_KH * p * I_KH.transpose() + K * R * K.transpose();
    Some(symmetric(F * after * F.transpose() + Q))
}
