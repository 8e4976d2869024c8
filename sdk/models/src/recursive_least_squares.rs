//! Parameters of a model that is linear in them, kept in step with an asset that ages: recursive least squares.
//!
//! ```text
//! z = φᵀ θ + noise          S = φᵀ P φ + R          K = P φ / S
//! θ ← θ + K (z − φᵀ θ)      P ← ((I − K φᵀ) P (I − K φᵀ)ᵀ + K R Kᵀ) / λ
//! ```
//!
//! `φ` must be known exactly (inputs, clean regressors). Where it holds noisy measurements of the state itself, the result
//! is biased: estimate state and parameters together then, as `thermal_calibration` does. Forgetting (`λ` below 1) lets old rows
//! fade with a memory of 1 / (1 − λ) rows, but inflates `P` without end while nothing is excited (windup): so variances have
//! an upper bound, and only rows that excite something forget. Sources: Ljung, *System Identification*, §11.2; Åström,
//! Wittenmark, *Adaptive Control*, §11.5 (windup).
#![expect(non_snake_case, reason = "P, R, S, K are the names of the field")]

use nalgebra::{SMatrix, SVector};

use crate::EstimationError;
use crate::correction::{Innovation, Residual, correct, symmetric};
use crate::estimation_error::{covariance, finite, invertible};

/// `N` parameters of one measured quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct RecursiveLeastSquares<const N: usize> {
    /// Parameters.
    pub theta: SVector<f64, N>,
    /// Covariance of their error.
    pub P: SMatrix<f64, N, N>,
    /// Variance of the measurement noise, above 0.
    pub R: f64,
    /// Forgetting factor λ, above 0 and at most 1; 1 never forgets.
    pub forgetting: f64,
    /// Upper bound of each variance: the windup guard. Infinite for none.
    pub variance_max: SVector<f64, N>,
}

impl<const N: usize> RecursiveLeastSquares<N> {
    /// Whether it can run. For the time of loading.
    ///
    /// # Errors
    /// The field to mend.
    pub fn check(&self) -> Result<(), EstimationError> {
        finite("theta", &self.theta)?;
        covariance("P", &self.P)?;
        let out_of = |field, expect| Err(EstimationError::OutOfRange { field, expect });
        if !(self.R > 0.0 && self.R.is_finite()) {
            return out_of("R", "finite and above 0");
        }
        if !(self.forgetting > 0.0 && self.forgetting <= 1.0) {
            return out_of("forgetting", "above 0 and at most 1");
        }
        match self.variance_max.iter().all(|bound| *bound > 0.0) {
            true => Ok(()),
            false => out_of("variance_max", "above 0 for every parameter"),
        }
    }

    /// Takes in that `z` was measured with regressors `phi`. `None` when nothing was measured: nothing changes, nothing is forgotten.
    ///
    /// # Errors
    /// The field to mend; parameters and covariance have then not changed.
    pub fn update(
        &mut self,
        z: Option<f64>,
        phi: &SVector<f64, N>,
    ) -> Result<Option<Innovation<1>>, EstimationError> {
        finite("phi", phi)?;
        if !(self.forgetting > 0.0 && self.forgetting <= 1.0) {
            return Err(EstimationError::OutOfRange { field: "forgetting", expect: "above 0 and at most 1" });
        }
        let predicted = phi.dot(&self.theta);
        let residual = Residual::new(&SVector::<_, 1>::new(z), |_, value| value - predicted);
        let R = SMatrix::<f64, 1, 1>::new(self.R);
        let innovation = correct(&mut self.theta, &mut self.P, &phi.transpose(), &R, &residual)?;
        if innovation.is_some() && phi.amax() > 0.0 {
            self.P /= self.forgetting;
            bound(&mut self.P, &self.variance_max);
        }
        Ok(innovation)
    }

    /// How far the parameters have gone from those of `reference`, which are known to `P_reference` (zero: exactly).
    ///
    /// # Errors
    /// When the covariances together have no inverse, or something is not finite.
    pub fn drift(
        &self,
        reference: &SVector<f64, N>,
        P_reference: &SMatrix<f64, N, N>,
    ) -> Result<Drift<N>, EstimationError> {
        Drift::new(&self.theta, &self.P, reference, P_reference)
    }
}

/// How far parameters have gone from their reference, and whether that is more than chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift<const N: usize> {
    /// Parameter minus reference.
    pub change: SVector<f64, N>,
    /// Standard deviation of each change.
    pub deviation: SVector<f64, N>,
    /// `changeᵀ (P + P_reference)⁻¹ change`: chi-square with `N` degrees of freedom while nothing has drifted. With forgetting
    /// `P` is what the last rows know.
    pub statistic: f64,
}

impl<const N: usize> Drift<N> {
    /// Of parameters with covariance `P` from a reference with covariance `P_reference`.
    ///
    /// # Errors
    /// When the covariances together have no inverse, or something is not finite.
    pub fn new(
        theta: &SVector<f64, N>,
        P: &SMatrix<f64, N, N>,
        reference: &SVector<f64, N>,
        P_reference: &SMatrix<f64, N, N>,
    ) -> Result<Self, EstimationError> {
        finite("theta", theta)?;
        finite("reference", reference)?;
        let both = symmetric(P + P_reference);
        invertible("P + P_reference", &both)?;
        let cholesky =
            both.cholesky().ok_or(EstimationError::NotPositiveDefinite { field: "P + P_reference" })?;
        let change = theta - reference;
        Ok(Self {
            change,
            deviation: both.diagonal().map(libm::sqrt),
            statistic: change.dot(&cholesky.solve(&change)),
        })
    }
}

/// Scales rows and columns of `P` so that no variance exceeds its bound; correlations stay as they are, and so `P` stays
/// a covariance.
pub(crate) fn bound<const N: usize>(P: &mut SMatrix<f64, N, N>, variance_max: &SVector<f64, N>) {
    for i in 0..N {
        if P[(i, i)] > variance_max[i] {
            let scale = libm::sqrt(variance_max[i] / P[(i, i)]);
            P.row_mut(i).iter_mut().for_each(|element| *element *= scale);
            P.column_mut(i).iter_mut().for_each(|element| *element *= scale);
        }
    }
}
