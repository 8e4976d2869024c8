//! The Kalman filter in square-root form: carries a factor of `P` instead of `P`, so that no rounding can make `P`
//! anything but a covariance, and digits last twice as long.
//!
//! ```text
//! predict   [F Pᵣ | Qᵣ]  ──Householder──►  [Pᵣ' | 0]
//! update    [R½ | H Pᵣ]                    [S½ | 0  ]
//!           [0  | Pᵣ  ]  ──Householder──►  [K̄  | Pᵣ']      x ← x + K̄ S½⁻¹ y
//! ```
//!
//! with `P = Pᵣ Pᵣᵀ`. Use it where a sensor is far sharper than the belief (ratios of 1e6 and more), or rows never end;
//! otherwise the Joseph form of [`Kalman`](crate::Kalman) is as good and cheaper. Sources: Kaminski, Bryson, Schmidt,
//! *Discrete square root filtering: a survey*, IEEE TAC 16(6), 1971; Kailath, Sayed, Hassibi, *Linear Estimation*, ch. 12.
#![expect(clippy::indexing_slicing, reason = "indices run over the dimensions that stand in the types")]
#![expect(non_snake_case, reason = "F, H, Q, R, P, K, S are the names of the field")]

use nalgebra::{SMatrix, SVector};

use crate::correction::{Innovation, Residual};
use crate::estimation_error::{covariance, finite, invertible};
use crate::{EstimationError, Kalman};

/// Part of the largest variance below which a direction of a covariance counts as known exactly.
const KNOWN_EXACTLY: f64 = 1e-15;

/// A filter with `N` states, `M` measurements and `U` inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct SquareRoot<const N: usize, const M: usize, const U: usize> {
    /// State estimate.
    pub x: SVector<f64, N>,
    /// Factor of the covariance, lower triangular: `P = P_root P_rootᵀ`.
    pub P_root: SMatrix<f64, N, N>,
    /// State transition over one interval.
    pub F: SMatrix<f64, N, N>,
    /// Effect of the input over one interval.
    pub B: SMatrix<f64, N, U>,
    /// Factor of the process noise covariance of one interval; see [`root`].
    pub Q_root: SMatrix<f64, N, N>,
    /// What the sensors see of the state.
    pub H: SMatrix<f64, M, N>,
    /// Measurement noise covariance, positive definite.
    pub R: SMatrix<f64, M, M>,
}

impl<const N: usize, const M: usize, const U: usize> SquareRoot<N, M, U> {
    /// The same filter with its covariances factored.
    ///
    /// # Errors
    /// The field to mend.
    pub fn new(filter: &Kalman<N, M, U>) -> Result<Self, EstimationError> {
        filter.check()?;
        Ok(Self {
            x: filter.x,
            P_root: root("P", &filter.P)?,
            F: filter.F,
            B: filter.B,
            Q_root: root("Q", &filter.Q)?,
            H: filter.H,
            R: filter.R,
        })
    }

    /// Covariance of the estimate's error.
    #[must_use]
    pub fn P(&self) -> SMatrix<f64, N, N> {
        self.P_root * self.P_root.transpose()
    }

    /// Advances one interval: `x ← F x + B u`, `P ← F P Fᵀ + Q`. What is not finite stays so and is refused by the
    /// next `update`.
    pub fn predict(&mut self, u: &SVector<f64, U>) {
        self.x = self.F * self.x + self.B * u;
        let mut array = Array {
            upper: (self.F * self.P_root, self.Q_root),
            lower: (SMatrix::<f64, 0, N>::zeros(), SMatrix::<f64, 0, N>::zeros()),
        };
        array.triangularise();
        self.P_root = array.upper.0;
    }

    /// Takes in the measurement `z`; `None` when nothing was measured. A measurement that is not finite counts as missing.
    ///
    /// # Errors
    /// The field to mend; the filter has then not changed.
    pub fn update(&mut self, z: &SVector<Option<f64>, M>) -> Result<Option<Innovation<M>>, EstimationError> {
        finite("x", &self.x)?;
        finite("P_root", &self.P_root)?;
        let predicted = self.H * self.x;
        let residual = Residual::new(z, |i, value| value - predicted[i]);
        if residual.observed == 0 {
            return Ok(None);
        }
        let H = residual.rows(&self.H);
        let R = residual.noise(&self.R);
        let R_root = R.cholesky().ok_or(EstimationError::NotPositiveDefinite { field: "R" })?.l();
        let mut array = Array { upper: (R_root, H * self.P_root), lower: (SMatrix::zeros(), self.P_root) };
        array.triangularise();
        let (S_root, (K_bar, P_wide)) = (array.upper.0, array.lower);
        let Some(e) = S_root.solve_lower_triangular(&residual.y) else {
            return Err(EstimationError::NotPositiveDefinite { field: "R" });
        };
        let x = self.x + K_bar * e;
        let mut narrow = Array {
            upper: (P_wide, SMatrix::<f64, N, 0>::zeros()),
            lower: (SMatrix::<f64, 0, N>::zeros(), SMatrix::<f64, 0, 0>::zeros()),
        };
        narrow.triangularise();
        let P_root = narrow.upper.0;
        let nis = e.dot(&e);
        if !nis.is_finite() {
            return Err(EstimationError::NotFinite { field: "y" });
        }
        finite("x", &x)?;
        finite("P_root", &P_root)?;
        (self.x, self.P_root) = (x, P_root);
        let ln_det_S = 2.0 * S_root.diagonal().iter().map(|d| libm::log(*d)).sum::<f64>();
        Ok(Some(Innovation {
            y: residual.shown(),
            S: S_root * S_root.transpose(),
            nis,
            log_likelihood: residual.log_density(nis, ln_det_S),
            observed: residual.observed,
        }))
    }

    /// Whether everything is finite and `R` a covariance with an inverse. For the time of loading.
    ///
    /// # Errors
    /// The field to mend.
    pub fn check(&self) -> Result<(), EstimationError> {
        finite("x", &self.x)?;
        finite("P_root", &self.P_root)?;
        finite("F", &self.F)?;
        finite("B", &self.B)?;
        finite("Q_root", &self.Q_root)?;
        finite("H", &self.H)?;
        invertible("R", &self.R)
    }
}

/// The lower triangular factor of a covariance, which may have directions of variance zero (a Cholesky factor has none).
///
/// # Errors
/// When it is no covariance, by the name of `field`.
pub fn root<const N: usize>(
    field: &'static str,
    X: &SMatrix<f64, N, N>,
) -> Result<SMatrix<f64, N, N>, EstimationError> {
    covariance(field, X)?;
    let zero = KNOWN_EXACTLY * X.amax();
    let mut L = SMatrix::<f64, N, N>::zeros();
    for j in 0..N {
        let before: f64 = (0..j).map(|k| L[(j, k)] * L[(j, k)]).sum();
        let pivot = X[(j, j)] - before;
        if pivot <= zero {
            continue;
        }
        L[(j, j)] = libm::sqrt(pivot);
        for i in j + 1..N {
            let shared: f64 = (0..j).map(|k| L[(i, k)] * L[(j, k)]).sum();
            L[(i, j)] = (X[(i, j)] - shared) / L[(j, j)];
        }
    }
    Ok(L)
}

/// Two rows of blocks, that reflections from the right make lower triangular without changing what the array times
/// its transpose is.
struct Array<const A: usize, const C: usize, const D: usize> {
    upper: (SMatrix<f64, A, A>, SMatrix<f64, A, C>),
    lower: (SMatrix<f64, D, A>, SMatrix<f64, D, C>),
}

impl<const A: usize, const C: usize, const D: usize> Array<A, C, D> {
    /// Makes the upper row `[lower triangle | 0]` with a diagonal that is not negative.
    fn triangularise(&mut self) {
        for i in 0..A {
            self.reflect(i);
            if self.upper.0[(i, i)] < 0.0 {
                self.upper.0.column_mut(i).neg_mut();
                self.lower.0.column_mut(i).neg_mut();
            }
        }
    }

    /// The Householder reflection that leaves of row `i` only its diagonal element, applied to all later rows.
    fn reflect(&mut self, i: usize) {
        let (mut v, mut w) = (SVector::<f64, A>::zeros(), SVector::<f64, C>::zeros());
        (i..A).for_each(|k| v[k] = self.upper.0[(i, k)]);
        (0..C).for_each(|k| w[k] = self.upper.1[(i, k)]);
        let norm = libm::sqrt(v.dot(&v) + w.dot(&w));
        if norm == 0.0 {
            return;
        }
        let diagonal = if v[i] > 0.0 { -norm } else { norm };
        v[i] -= diagonal;
        let half = 0.5 * (v.dot(&v) + w.dot(&w));
        for r in i + 1..A {
            turn(&mut self.upper, r, &v, &w, half);
        }
        for r in 0..D {
            turn(&mut self.lower, r, &v, &w, half);
        }
        (i..A).for_each(|k| self.upper.0[(i, k)] = 0.0);
        self.upper.1.row_mut(i).fill(0.0);
        self.upper.0[(i, i)] = diagonal;
    }
}

/// Reflects row `r` of two blocks: `row ← row − (row · (v, w)) / half · (v, w)`.
fn turn<const E: usize, const A: usize, const C: usize>(
    (left, right): &mut (SMatrix<f64, E, A>, SMatrix<f64, E, C>),
    r: usize,
    v: &SVector<f64, A>,
    w: &SVector<f64, C>,
    half: f64,
) {
    let along: f64 =
        (0..A).map(|k| left[(r, k)] * v[k]).sum::<f64>() + (0..C).map(|k| right[(r, k)] * w[k]).sum::<f64>();
    let share = along / half;
    (0..A).for_each(|k| left[(r, k)] -= share * v[k]);
    (0..C).for_each(|k| right[(r, k)] -= share * w[k]);
}
