//! The extended Kalman filter: a nonlinear model, linearised at the estimate in every step.
//!
//! ```text
//! predict   x ← f(x)              P ← F P Fᵀ + Q        F = ∂f/∂x at x before
//! update    y = z − h(x)          as in the linear filter with H = ∂h/∂x at x
//! ```
//!
//! `f` and `h` are closures, so inputs, intervals and parameters are what they capture. Jacobians are given in
//! closed form, or taken by [`jacobian`]. Names follow filterpy's `ExtendedKalmanFilter`. Source: Bar-Shalom, Li,
//! Kirubarajan, *Estimation with Applications to Tracking and Navigation*, §10.3.
#![expect(clippy::indexing_slicing, reason = "indices run over the dimensions that stand in the types")]
#![expect(non_snake_case, reason = "F, H, Q, R, P are the names of the field")]

use nalgebra::{SMatrix, SVector};

use crate::EstimationError;
use crate::correction::{Innovation, Residual, correct, symmetric};
use crate::estimation_error::{covariance, finite, invertible};
use crate::kalman::nees;

/// Step of the numeric Jacobian as a part of the size of a state: the cube root of the machine's precision, where
/// what the difference cuts off (third derivative) and what rounding adds are alike.
const DIFFERENCE: f64 = 6.055_454_452_393_343e-6;

/// A filter with `N` states and `M` measurements.
#[derive(Clone, Debug, PartialEq)]
pub struct Extended<const N: usize, const M: usize> {
    /// State estimate.
    pub x: SVector<f64, N>,
    /// Covariance of the estimate's error, symmetric.
    pub P: SMatrix<f64, N, N>,
    /// Process noise covariance of one interval; replace it when the interval changes.
    pub Q: SMatrix<f64, N, N>,
    /// Measurement noise covariance, positive definite.
    pub R: SMatrix<f64, M, M>,
}

impl<const N: usize, const M: usize> Extended<N, M> {
    /// Whether `x` is finite, `P` and `Q` are covariances, and `R` one with an inverse. For the time of loading.
    ///
    /// # Errors
    /// The field to mend.
    pub fn check(&self) -> Result<(), EstimationError> {
        finite("x", &self.x)?;
        covariance("P", &self.P)?;
        covariance("Q", &self.Q)?;
        invertible("R", &self.R)
    }

    /// Advances one interval with the model `f` and its Jacobian `F`, both called at the estimate before.
    ///
    /// # Errors
    /// `NotFinite` for `f(x)` or `F`; the filter has then not changed.
    pub fn predict(
        &mut self,
        f: impl FnOnce(&SVector<f64, N>) -> SVector<f64, N>,
        F: impl FnOnce(&SVector<f64, N>) -> SMatrix<f64, N, N>,
    ) -> Result<(), EstimationError> {
        let (x, F) = (f(&self.x), F(&self.x));
        finite("f(x)", &x)?;
        finite("F", &F)?;
        self.x = x;
        self.P = symmetric(F * self.P * F.transpose() + self.Q);
        Ok(())
    }

    /// Takes in the measurement `z`, of which the sensors `h` and their Jacobian `H` were expected. `None` when
    /// nothing was measured; a measurement that is not finite counts as missing.
    ///
    /// # Errors
    /// The field to mend; the filter has then not changed.
    pub fn update(
        &mut self,
        z: &SVector<Option<f64>, M>,
        h: impl FnOnce(&SVector<f64, N>) -> SVector<f64, M>,
        H: impl FnOnce(&SVector<f64, N>) -> SMatrix<f64, M, N>,
    ) -> Result<Option<Innovation<M>>, EstimationError> {
        self.update_by(z, h, H, |_, measured, predicted| measured - predicted)
    }

    /// As [`update`](Self::update), with the difference of measurement `i` taken by `difference(i, measured,
    /// predicted)`: for angles, say, that wrap.
    ///
    /// # Errors
    /// As there.
    pub fn update_by(
        &mut self,
        z: &SVector<Option<f64>, M>,
        h: impl FnOnce(&SVector<f64, N>) -> SVector<f64, M>,
        H: impl FnOnce(&SVector<f64, N>) -> SMatrix<f64, M, N>,
        mut difference: impl FnMut(usize, f64, f64) -> f64,
    ) -> Result<Option<Innovation<M>>, EstimationError> {
        let predicted = h(&self.x);
        let residual = Residual::new(z, |i, value| difference(i, value, predicted[i]));
        finite("h(x)", &residual.y)?;
        let H = H(&self.x);
        correct(&mut self.x, &mut self.P, &H, &self.R, &residual)
    }

    /// [`nees`] of this filter's belief.
    ///
    /// # Errors
    /// As there.
    pub fn nees(&self, truth: &SVector<f64, N>) -> Result<f64, EstimationError> {
        nees(truth, &self.x, &self.P)
    }
}

/// The Jacobian of `f` at `x` by central differences, with an error of about 1e-10 of `f`'s size where `f` is smooth.
/// `scale` says what counts as a usual size of each state, so that a state near zero gets a sensible step. Calls
/// `f` 2 N times.
pub fn jacobian<const K: usize, const N: usize>(
    mut f: impl FnMut(&SVector<f64, N>) -> SVector<f64, K>,
    x: &SVector<f64, N>,
    scale: &SVector<f64, N>,
) -> SMatrix<f64, K, N> {
    let mut J = SMatrix::<f64, K, N>::zeros();
    for j in 0..N {
        let step = DIFFERENCE * x[j].abs().max(scale[j].abs());
        let (mut above, mut below) = (*x, *x);
        above[j] += step;
        below[j] -= step;
        // The step as it was really taken, rounding included.
        J.set_column(j, &((f(&above) - f(&below)) / (above[j] - below[j])));
    }
    J
}
