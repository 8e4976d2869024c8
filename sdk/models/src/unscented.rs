//! The unscented Kalman filter: a nonlinear model without Jacobians, by Merwe's scaled sigma points.
//!
//! ```text
//! λ = α² (n + κ) − n        points x, x ± columns of chol((n + λ) P)
//! Wm₀ = λ / (n + λ)         Wc₀ = Wm₀ + 1 − α² + β        Wmᵢ = Wcᵢ = 1 / (2 (n + λ))
//! mean = Σ Wm f(point)      covariance = Σ Wc (f(point) − mean)(f(point) − mean)ᵀ + noise
//! K = Pxz S⁻¹               P ← P − K S Kᵀ
//! ```
//!
//! Points are drawn anew from the prediction before a measurement, as filterpy 2 does, so that process noise
//! counts in them. Sources: van der Merwe, *Sigma-Point Kalman Filters for Probabilistic Inference in Dynamic
//! State-Space Models*, 2004; Julier, Uhlmann, *Unscented filtering and nonlinear estimation*, Proc. IEEE 92(3),
//! 2004. Names follow filterpy's `UnscentedKalmanFilter`.
#![expect(clippy::indexing_slicing, reason = "indices run over the dimensions that stand in the types")]
#![expect(non_snake_case, reason = "F, H, Q, R, P, K, S are the names of the field")]

use nalgebra::{SMatrix, SVector};

use crate::EstimationError;
use crate::correction::{Innovation, Residual, believable, symmetric};
use crate::estimation_error::{covariance, finite, invertible};
use crate::kalman::nees;

/// How far sigma points lie from the mean, and what they weigh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MerweScaled {
    /// Spread, above 0, at most 1: small keeps points near the mean. Much below 0.01 loses digits in the weights.
    pub alpha: f64,
    /// Knowledge of the distribution: 2 for a normal one.
    pub beta: f64,
    /// Above −n; usually 3 − n, or 0.
    pub kappa: f64,
}

impl Default for MerweScaled {
    fn default() -> Self {
        Self { alpha: 0.1, beta: 2.0, kappa: 0.0 }
    }
}

/// Weights of the centre for mean and covariance, of every other point, and `n + λ`.
#[derive(Clone, Copy, Debug)]
struct Weights {
    covariance_centre: f64,
    other: f64,
    spread: f64,
}

/// What a function makes of the sigma points, in columns.
struct Points<const K: usize, const N: usize> {
    centre: SVector<f64, K>,
    above: SMatrix<f64, K, N>,
    below: SMatrix<f64, K, N>,
}

/// A filter with `N` states and `M` measurements.
#[derive(Clone, Debug, PartialEq)]
pub struct Unscented<const N: usize, const M: usize> {
    /// State estimate.
    pub x: SVector<f64, N>,
    /// Covariance of the estimate's error, symmetric and positive definite.
    pub P: SMatrix<f64, N, N>,
    /// Process noise covariance of one interval; replace it when the interval changes.
    pub Q: SMatrix<f64, N, N>,
    /// Measurement noise covariance, positive definite.
    pub R: SMatrix<f64, M, M>,
    /// Sigma points.
    pub points: MerweScaled,
}

impl<const N: usize, const M: usize> Unscented<N, M> {
    /// Whether `x` is finite, `P` and `R` are covariances with an inverse, `Q` is a covariance, and the sigma points
    /// are sound. For the time of loading.
    ///
    /// # Errors
    /// The field to mend.
    pub fn check(&self) -> Result<(), EstimationError> {
        finite("x", &self.x)?;
        invertible("P", &self.P)?;
        covariance("Q", &self.Q)?;
        invertible("R", &self.R)?;
        self.points.weights::<N>().map(|_| ())
    }

    /// Advances one interval with the model `f`, which is called at 2 N + 1 points.
    ///
    /// # Errors
    /// When `P` has no Cholesky factor, or `f` gives what is not finite; the filter has then not changed.
    pub fn predict(
        &mut self,
        f: impl FnMut(&SVector<f64, N>) -> SVector<f64, N>,
    ) -> Result<(), EstimationError> {
        let weights = self.points.weights::<N>()?;
        let spread = self.sigma_points(weights)?.through(f);
        let x = spread.mean(weights);
        let P = symmetric(Points::covariance(weights, &spread.less(&x), &spread.less(&x)) + self.Q);
        finite("f(x)", &x)?;
        believable(&x, &P)?;
        (self.x, self.P) = (x, P);
        Ok(())
    }

    /// Takes in the measurement `z`, whose expectation `h` gives at 2 N + 1 points. `None` when nothing was
    /// measured; a measurement that is not finite counts as missing.
    ///
    /// # Errors
    /// When `P` or `S` has no Cholesky factor, or `h` gives what is not finite; the filter has then not changed.
    pub fn update(
        &mut self,
        z: &SVector<Option<f64>, M>,
        h: impl FnMut(&SVector<f64, N>) -> SVector<f64, M>,
    ) -> Result<Option<Innovation<M>>, EstimationError> {
        believable(&self.x, &self.P)?;
        if z.iter().flatten().all(|value| !value.is_finite()) {
            return Ok(None);
        }
        let weights = self.points.weights::<N>()?;
        let points = self.sigma_points(weights)?;
        let seen = points.through(h);
        let predicted = seen.mean(weights);
        let residual = Residual::new(z, |i, value| value - predicted[i]);
        finite("h(x)", &residual.y)?;
        let (about_x, about_z) = (points.less(&self.x), seen.less(&predicted).of_present(&residual));
        let S = symmetric(Points::covariance(weights, &about_z, &about_z) + residual.noise(&self.R));
        let Pxz = Points::covariance(weights, &about_x, &about_z);
        let cholesky = S.cholesky().ok_or_else(|| match invertible("R", &self.R) {
            Err(field) => field,
            Ok(()) => EstimationError::NotPositiveDefinite { field: "S" },
        })?;
        let K = cholesky.solve(&Pxz.transpose()).transpose();
        let innovation = residual.judged(S, &cholesky)?;
        let x = self.x + K * residual.y;
        let P = symmetric(self.P - K * S * K.transpose());
        believable(&x, &P)?;
        (self.x, self.P) = (x, P);
        Ok(Some(innovation))
    }

    /// [`nees`] of this filter's belief.
    ///
    /// # Errors
    /// As there.
    pub fn nees(&self, truth: &SVector<f64, N>) -> Result<f64, EstimationError> {
        nees(truth, &self.x, &self.P)
    }

    fn sigma_points(&self, weights: Weights) -> Result<Points<N, N>, EstimationError> {
        let cholesky = (self.P * weights.spread)
            .cholesky()
            .ok_or(EstimationError::NotPositiveDefinite { field: "P" })?;
        let away = cholesky.l();
        let around = |sign: f64| SMatrix::from_fn(|i, j| self.x[i] + sign * away[(i, j)]);
        Ok(Points { centre: self.x, above: around(1.0), below: around(-1.0) })
    }
}

impl MerweScaled {
    #[expect(clippy::cast_precision_loss, reason = "a number of states is far below 2^53")]
    fn weights<const N: usize>(self) -> Result<Weights, EstimationError> {
        let Self { alpha, beta, kappa } = self;
        let n = N as f64;
        let out_of = |field, expect| Err(EstimationError::OutOfRange { field, expect });
        if !(alpha > 0.0 && alpha <= 1.0) {
            return out_of("alpha", "above 0 and at most 1");
        }
        if !(n + kappa > 0.0 && kappa.is_finite()) {
            return out_of("kappa", "above minus the number of states");
        }
        if !beta.is_finite() {
            return out_of("beta", "finite, usually 2");
        }
        let spread = alpha * alpha * (n + kappa);
        Ok(Weights {
            covariance_centre: (spread - n) / spread + (1.0 - alpha * alpha + beta),
            other: 0.5 / spread,
            spread,
        })
    }
}

impl<const N: usize> Points<N, N> {
    fn through<const K: usize>(
        &self,
        mut f: impl FnMut(&SVector<f64, N>) -> SVector<f64, K>,
    ) -> Points<K, N> {
        let mut image = Points { centre: f(&self.centre), above: SMatrix::zeros(), below: SMatrix::zeros() };
        for j in 0..N {
            image.above.set_column(j, &f(&self.above.column(j).into_owned()));
            image.below.set_column(j, &f(&self.below.column(j).into_owned()));
        }
        image
    }
}

impl<const K: usize, const N: usize> Points<K, N> {
    /// The weighted mean, as the centre plus weighted differences: the weights sum to 1, and so no large ones cancel.
    fn mean(&self, weights: Weights) -> SVector<f64, K> {
        let mut away = SVector::zeros();
        for j in 0..N {
            away += (self.above.column(j) - self.centre) + (self.below.column(j) - self.centre);
        }
        self.centre + away * weights.other
    }

    fn less(&self, mean: &SVector<f64, K>) -> Self {
        let mut less = Self { centre: self.centre - mean, above: self.above, below: self.below };
        for j in 0..N {
            less.above.column_mut(j).iter_mut().zip(mean).for_each(|(a, m)| *a -= m);
            less.below.column_mut(j).iter_mut().zip(mean).for_each(|(b, m)| *b -= m);
        }
        less
    }

    /// Only what was measured: a sensor that is silent may be expected to say anything, even what is not finite.
    fn of_present(mut self, residual: &Residual<K>) -> Self {
        for i in (0..K).filter(|i| !residual.present[*i]) {
            self.centre[i] = 0.0;
            self.above.row_mut(i).fill(0.0);
            self.below.row_mut(i).fill(0.0);
        }
        self
    }

    /// `Σ Wc a bᵀ` of two sets of differences from their means.
    fn covariance<const L: usize>(weights: Weights, a: &Points<L, N>, b: &Self) -> SMatrix<f64, L, K> {
        let others = a.above * b.above.transpose() + a.below * b.below.transpose();
        a.centre * b.centre.transpose() * weights.covariance_centre + others * weights.other
    }
}
