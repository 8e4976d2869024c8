//! The linear Kalman filter: state `x`, covariance `P`, model `F`, `B`, `Q`, measurement `H`, `R`.
//!
//! Names and conventions follow filterpy's `KalmanFilter`. A measurement may be missing wholly or in part; what
//! is missing has no influence, it is never a zero. The covariance is updated in Joseph form and kept exactly
//! symmetric. Sources: Bar-Shalom, Li, Kirubarajan, *Estimation with Applications to Tracking and Navigation*,
//! §5.2 (filter), §5.4 (NIS, NEES); the measurement step itself stands in `correction`.
#![expect(clippy::indexing_slicing, reason = "indices run over the dimensions that stand in the types")]
#![expect(non_snake_case, reason = "F, H, Q, R, P, S are the names of the field")]

use nalgebra::{SMatrix, SVector};

pub use crate::correction::Innovation;
pub(crate) use crate::correction::symmetric;
use crate::correction::{Residual, believable, correct};
use crate::estimation_error::{covariance, finite, invertible};
use crate::{EstimationError, ZeroOrderHold};

/// A filter with `N` states, `M` measurements and `U` inputs. Public fields, as in filterpy: what varies over
/// time (`F` with the interval, say) is replaced between calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Kalman<const N: usize, const M: usize, const U: usize> {
    /// State estimate.
    pub x: SVector<f64, N>,
    /// Covariance of the estimate's error, symmetric.
    pub P: SMatrix<f64, N, N>,
    /// State transition over one interval.
    pub F: SMatrix<f64, N, N>,
    /// Effect of the input over one interval.
    pub B: SMatrix<f64, N, U>,
    /// Process noise covariance of one interval.
    pub Q: SMatrix<f64, N, N>,
    /// What the sensors see of the state.
    pub H: SMatrix<f64, M, N>,
    /// Measurement noise covariance, positive definite.
    pub R: SMatrix<f64, M, M>,
}

impl<const N: usize, const M: usize, const U: usize> Kalman<N, M, U> {
    /// Whether everything is what it should be: finite, `P` and `Q` covariances, `R` one with an inverse. For the time of loading:
    /// it computes eigenvalues.
    ///
    /// # Errors
    /// The field to mend.
    pub fn check(&self) -> Result<(), EstimationError> {
        finite("x", &self.x)?;
        covariance("P", &self.P)?;
        finite("F", &self.F)?;
        finite("B", &self.B)?;
        covariance("Q", &self.Q)?;
        finite("H", &self.H)?;
        invertible("R", &self.R)
    }

    /// Advances one interval: `x ← F x + B u`, `P ← F P Fᵀ + Q`. What is not finite stays so and is refused by
    /// the next `update`.
    pub fn predict(&mut self, u: &SVector<f64, U>) {
        self.x = self.F * self.x + self.B * u;
        self.P = symmetric(self.F * self.P * self.F.transpose() + self.Q);
    }

    /// Advances over an interval of any length, whose model becomes `F`, `B`, `Q`: for measurements that come
    /// irregularly. Making the model costs more than the step; keep it while the interval stays the same.
    pub fn predict_over(&mut self, interval: &ZeroOrderHold<N, U>, u: &SVector<f64, U>) {
        (self.F, self.B, self.Q) = (interval.F, interval.G, interval.Q);
        self.predict(u);
    }

    /// Takes in the measurement `z` and says how surprising it was; `None` when nothing was measured, and then
    /// nothing changes. A measurement that is not finite counts as missing.
    ///
    /// # Errors
    /// The field to mend when `S` is not positive definite or something is not finite; the filter has not changed.
    pub fn update(&mut self, z: &SVector<Option<f64>, M>) -> Result<Option<Innovation<M>>, EstimationError> {
        let predicted = self.H * self.x;
        let residual = Residual::new(z, |i, value| value - predicted[i]);
        correct(&mut self.x, &mut self.P, &self.H, &self.R, &residual)
    }

    /// One row: predicts with the input, then takes in what was measured.
    ///
    /// # Errors
    /// As [`update`](Self::update); the filter has then gone one interval ahead.
    pub fn step(
        &mut self,
        u: &SVector<f64, U>,
        z: &SVector<Option<f64>, M>,
    ) -> Result<Option<Innovation<M>>, EstimationError> {
        self.predict(u);
        self.update(z)
    }

    /// [`nees`] of this filter's belief.
    ///
    /// # Errors
    /// As there.
    pub fn nees(&self, truth: &SVector<f64, N>) -> Result<f64, EstimationError> {
        nees(truth, &self.x, &self.P)
    }
}

/// Normalised estimation error squared, `(truth − x)ᵀ P⁻¹ (truth − x)`: chi-square with `N` degrees of freedom when
/// the filter is as sure of itself as it may be. For simulations, where the truth is known.
///
/// # Errors
/// When `P` has no inverse, or something is not finite.
pub fn nees<const N: usize>(
    truth: &SVector<f64, N>,
    x: &SVector<f64, N>,
    P: &SMatrix<f64, N, N>,
) -> Result<f64, EstimationError> {
    finite("truth", truth)?;
    believable(x, P)?;
    let cholesky = P.cholesky().ok_or(EstimationError::NotPositiveDefinite { field: "P" })?;
    let error = truth - x;
    Ok(error.dot(&cholesky.solve(&error)))
}
