//! The linear Kalman filter: state `x`, covariance `P`, model `F`, `B`, `Q`, measurement `H`, `R`.
//!
//! Names and conventions follow filterpy's `KalmanFilter`. A measurement may be missing wholly or in part; what
//! is missing has no influence, it is never a zero. The covariance is updated in Joseph form and kept exactly
//! symmetric. Sources: Bar-Shalom, Li, Kirubarajan, *Estimation with Applications to Tracking and Navigation*,
//! §5.2 (filter), §5.4 (NIS); Bucy and Joseph, *Filtering for Stochastic Processes*, 1968 (update of `P`).
#![expect(clippy::indexing_slicing, reason = "indices run over the dimensions that stand in the types")]
#![expect(non_snake_case, reason = "F, H, Q, R, P, S are the names of the field")]

use nalgebra::{SMatrix, SVector};

const LN_2_PI: f64 = 1.837_877_066_409_345_5;

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

/// What a measurement had to say: measured minus predicted, and how surprising that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Innovation<const M: usize> {
    /// `z − H x`; NaN for what was not measured.
    pub y: SVector<f64, M>,
    /// Covariance of `y`, `H P Hᵀ + R`. Rows and columns of what was not measured are those of the unit matrix.
    pub S: SMatrix<f64, M, M>,
    /// Normalised innovation squared, `yᵀ S⁻¹ y`: chi-square with `observed` degrees of freedom when the model holds.
    pub nis: f64,
    /// Natural logarithm of the density of what was measured.
    pub log_likelihood: f64,
    /// How many measurements there were, 1 … `M`.
    pub observed: usize,
}

/// `S` was not positive definite: `R` or `P` is not a covariance, or something is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPositiveDefinite;

impl core::fmt::Display for NotPositiveDefinite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("innovation covariance is not positive definite")
    }
}

impl core::error::Error for NotPositiveDefinite {}

impl<const N: usize, const M: usize, const U: usize> Kalman<N, M, U> {
    /// Advances one interval: `x ← F x + B u`, `P ← F P Fᵀ + Q`.
    pub fn predict(&mut self, u: &SVector<f64, U>) {
        self.x = self.F * self.x + self.B * u;
        self.P = symmetric(self.F * self.P * self.F.transpose() + self.Q);
    }

    /// Takes in the measurement `z` and says how surprising it was; `None` when nothing was measured, and then
    /// nothing changes. A measurement that is not finite counts as missing.
    ///
    /// A missing row of `H` is set to zero and its part of `R` to the unit matrix. `S` is then block diagonal, so
    /// the result equals that of the smaller filter without the row, also when `R` is full.
    ///
    /// # Errors
    /// When `S` is not positive definite; the filter has not changed.
    pub fn update(
        &mut self,
        z: &SVector<Option<f64>, M>,
    ) -> Result<Option<Innovation<M>>, NotPositiveDefinite> {
        let (mut H, mut R) = (self.H, self.R);
        let predicted = self.H * self.x;
        let mut y = SVector::<f64, M>::zeros();
        let mut observed = 0;
        for i in 0..M {
            if let Some(value) = z[i].filter(|value| value.is_finite()) {
                y[i] = value - predicted[i];
                observed += 1;
            } else {
                H.row_mut(i).fill(0.0);
                R.row_mut(i).fill(0.0);
                R.column_mut(i).fill(0.0);
                R[(i, i)] = 1.0;
            }
        }
        if observed == 0 {
            return Ok(None);
        }
        let PHt = self.P * H.transpose();
        let S = symmetric(H * PHt + R);
        let cholesky = S.cholesky().ok_or(NotPositiveDefinite)?;
        let K = cholesky.solve(&PHt.transpose()).transpose();
        let I_KH = SMatrix::<f64, N, N>::identity() - K * H;
        self.x += K * y;
        self.P = symmetric(I_KH * self.P * I_KH.transpose() + K * R * K.transpose());

        let nis = y.dot(&cholesky.solve(&y));
        let L = cholesky.l_dirty();
        let ln_det_S = 2.0 * (0..M).map(|i| libm::log(L[(i, i)])).sum::<f64>();
        let log_likelihood = -0.5 * (nis + ln_det_S + dimension(observed) * LN_2_PI);
        for i in 0..M {
            if z[i].is_none_or(|value| !value.is_finite()) {
                y[i] = f64::NAN;
            }
        }
        Ok(Some(Innovation { y, S, nis, log_likelihood, observed }))
    }
}

/// `(X + Xᵀ) / 2`: exactly symmetric.
pub(crate) fn symmetric<const N: usize>(X: SMatrix<f64, N, N>) -> SMatrix<f64, N, N> {
    (X + X.transpose()) * 0.5
}

#[expect(clippy::cast_precision_loss, reason = "a number of measurements is far below 2^53")]
fn dimension(count: usize) -> f64 {
    count as f64
}
