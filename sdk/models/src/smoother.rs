//! What was the state then, knowing what came later? The smoother of Rauch, Tung and Striebel over a run of a filter.
//!
//! ```text
//! K = P Fᵀ P'⁻¹     x ← x + K (xₛ − x')     P ← P + K (Pₛ − P') Kᵀ
//! ```
//!
//! with `F`, `x'`, `P'` of the step to the next row and `xₛ`, `Pₛ` smoothed there. `x'` is kept with the run, so inputs need no
//! second look (filterpy's `rts_smoother` leaves them out). For looking back over stored rows, not for a step. Source:
//! Rauch, Tung, Striebel, *Maximum likelihood estimates of linear dynamic systems*, AIAA Journal 3(8), 1965.
#![expect(non_snake_case, reason = "F, P, K are the names of the field")]

use nalgebra::{SMatrix, SVector};

use crate::EstimationError;
use crate::correction::{believable, symmetric};

/// One row of a filter's run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Filtered<const N: usize> {
    /// State transition from the row before to this one; of no account in the first row.
    pub F: SMatrix<f64, N, N>,
    /// Prediction, before this row was measured.
    pub x_prior: SVector<f64, N>,
    /// Its covariance.
    pub P_prior: SMatrix<f64, N, N>,
    /// Estimate with this row's measurement; `smooth` replaces it.
    pub x: SVector<f64, N>,
    /// Its covariance; `smooth` replaces it.
    pub P: SMatrix<f64, N, N>,
}

/// Replaces `x` and `P` of every row by those that know all rows. An empty run and one row stay as they are.
///
/// # Errors
/// When some `P_prior` has no inverse or something is not finite; rows later than that are then smoothed, it and
/// earlier ones are not.
pub fn smooth<const N: usize>(run: &mut [Filtered<N>]) -> Result<(), EstimationError> {
    let mut next: Option<Filtered<N>> = None;
    for row in run.iter_mut().rev() {
        if let Some(next) = next {
            let cholesky =
                next.P_prior.cholesky().ok_or(EstimationError::NotPositiveDefinite { field: "P_prior" })?;
            let K = cholesky.solve(&(next.F * row.P)).transpose();
            let x = row.x + K * (next.x - next.x_prior);
            let P = symmetric(row.P + K * (next.P - next.P_prior) * K.transpose());
            believable(&x, &P)?;
            (row.x, row.P) = (x, P);
        }
        next = Some(*row);
    }
    Ok(())
}
