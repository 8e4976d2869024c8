//! The Kalman filter in steady state: one gain for ever, found at load from the Riccati equation.
//!
//! ```text
//! P' = F (P' − P' Hᵀ S⁻¹ H P') Fᵀ + Q     S = H P' Hᵀ + R     K = P' Hᵀ S⁻¹
//! step   x' = F x + B u     x = x' + K (z − H x')
//! ```
//!
//! A step costs a few products of matrix and vector. It holds only for rows at an even interval in which every sensor
//! speaks; a row in which one is silent is a prediction. For anything else use [`Kalman`](crate::Kalman). Sources:
//! Anderson, Moore, *Optimal Filtering*, ch. 4; `riccati` solves the equation.
#![expect(non_snake_case, reason = "F, H, Q, R, P, K, S are the names of the field")]

use nalgebra::{SMatrix, SVector};

use crate::correction::{Innovation, Residual, symmetric};
use crate::estimation_error::{finite, invertible};
use crate::{EstimationError, Kalman, riccati};

/// A filter whose gain has settled.
#[derive(Clone, Debug, PartialEq)]
pub struct SteadyState<const N: usize, const M: usize, const U: usize> {
    /// State estimate.
    pub x: SVector<f64, N>,
    /// State transition over the interval.
    F: SMatrix<f64, N, N>,
    B: SMatrix<f64, N, U>,
    H: SMatrix<f64, M, N>,
    K: SMatrix<f64, N, M>,
    S: SMatrix<f64, M, M>,
    P_prior: SMatrix<f64, N, N>,
    P: SMatrix<f64, N, N>,
}

impl<const N: usize, const M: usize, const U: usize> SteadyState<N, M, U> {
    /// Where a filter settles, starting from its estimate. For the time of loading: this solves the Riccati equation.
    ///
    /// # Errors
    /// The field to mend, or `Unsettled` when there is no steady state.
    pub fn new(filter: &Kalman<N, M, U>) -> Result<Self, EstimationError> {
        filter.check()?;
        let Kalman { x, F, B, Q, H, R, .. } = filter.clone();
        let P_prior = riccati::steady_state(&F, &H, &Q, &R).ok_or(EstimationError::Unsettled)?;
        let PHt = P_prior * H.transpose();
        let S = symmetric(H * PHt + R);
        invertible("S", &S)?;
        let K = S
            .cholesky()
            .ok_or(EstimationError::NotPositiveDefinite { field: "S" })?
            .solve(&PHt.transpose())
            .transpose();
        let I_KH = SMatrix::<f64, N, N>::identity() - K * H;
        let P = symmetric(I_KH * P_prior * I_KH.transpose() + K * R * K.transpose());
        Ok(Self { x, F, B, H, K, S, P_prior, P })
    }

    /// One row: predicts with the input and takes in what was measured. `None` when a sensor was silent: the row is
    /// then a prediction, and its covariance is larger than [`P`](Self::P).
    ///
    /// # Errors
    /// When the estimate, an input or the prediction is not finite; the estimate has then not changed.
    pub fn step(
        &mut self,
        u: &SVector<f64, U>,
        z: &SVector<Option<f64>, M>,
    ) -> Result<Option<Innovation<M>>, EstimationError> {
        finite("u", u)?;
        let x_prior = self.F * self.x + self.B * u;
        finite("x", &x_prior)?;
        let predicted = self.H * x_prior;
        let residual = Residual::new(z, |i, value| value - predicted.get(i).copied().unwrap_or(f64::NAN));
        if residual.observed < M {
            self.x = x_prior;
            return Ok(None);
        }
        let cholesky = self.S.cholesky().ok_or(EstimationError::NotPositiveDefinite { field: "S" })?;
        let innovation = residual.judged(self.S, &cholesky)?;
        let x = x_prior + self.K * residual.y;
        finite("x", &x)?;
        self.x = x;
        Ok(Some(innovation))
    }

    /// The gain.
    #[must_use]
    pub fn K(&self) -> &SMatrix<f64, N, M> {
        &self.K
    }

    /// Covariance of the prediction.
    #[must_use]
    pub fn P_prior(&self) -> &SMatrix<f64, N, N> {
        &self.P_prior
    }

    /// Covariance of the estimate after a whole measurement.
    #[must_use]
    pub fn P(&self) -> &SMatrix<f64, N, N> {
        &self.P
    }
}
