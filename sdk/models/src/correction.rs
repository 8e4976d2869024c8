//! The measurement step that the linear and the extended filter share: gain, Joseph form, surprise. `kalman` and
//! `extended` call it with what they predicted; nobody else does.
//!
//! ```text
//! S = H P Hᵀ + R     K = P Hᵀ S⁻¹     x ← x + K y     P ← (I − K H) P (I − K H)ᵀ + K R Kᵀ
//! NIS = yᵀ S⁻¹ y     ln p(z) = −½ (NIS + ln det S + m ln 2π)
//! ```
//!
//! Sources: Bar-Shalom, Li, Kirubarajan, *Estimation with Applications to Tracking and Navigation*, §5.2 and §5.4;
//! Bucy and Joseph, *Filtering for Stochastic Processes*, 1968 (update of `P`).
#![expect(clippy::indexing_slicing, reason = "indices run over the dimensions that stand in the types")]
#![expect(non_snake_case, reason = "H, K, P, R, S are the names of the field")]

use nalgebra::{Cholesky, Const, SMatrix, SVector};

use crate::EstimationError;
use crate::estimation_error::{covariance, finite};

const LN_2_PI: f64 = 1.837_877_066_409_345_5;

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

/// Measurements less their predictions, of those that were measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Residual<const M: usize> {
    /// 0 where nothing was measured.
    pub(crate) y: SVector<f64, M>,
    pub(crate) present: [bool; M],
    pub(crate) observed: usize,
}

impl<const M: usize> Residual<M> {
    /// A measurement that is not finite counts as missing. `difference` is called for each one that is there.
    pub(crate) fn new(z: &SVector<Option<f64>, M>, mut difference: impl FnMut(usize, f64) -> f64) -> Self {
        let mut residual = Self { y: SVector::zeros(), present: [false; M], observed: 0 };
        for i in 0..M {
            if let Some(value) = z[i].filter(|value| value.is_finite()) {
                residual.y[i] = difference(i, value);
                residual.present[i] = true;
                residual.observed += 1;
            }
        }
        residual
    }

    /// `R` with rows and columns of what is missing as in the unit matrix: `S` is then block diagonal, and the
    /// result equals that of the smaller filter without the row, also when `R` is full.
    pub(crate) fn noise(&self, R: &SMatrix<f64, M, M>) -> SMatrix<f64, M, M> {
        let mut noise = *R;
        for i in (0..M).filter(|i| !self.present[*i]) {
            noise.row_mut(i).fill(0.0);
            noise.column_mut(i).fill(0.0);
            noise[(i, i)] = 1.0;
        }
        noise
    }

    /// `X` with the rows of what is missing set to zero.
    pub(crate) fn rows<const N: usize>(&self, X: &SMatrix<f64, M, N>) -> SMatrix<f64, M, N> {
        let mut rows = *X;
        for i in (0..M).filter(|i| !self.present[*i]) {
            rows.row_mut(i).fill(0.0);
        }
        rows
    }

    /// How surprising it is, from the Cholesky factor of `S`.
    pub(crate) fn judged(
        &self,
        S: SMatrix<f64, M, M>,
        cholesky: &Cholesky<f64, Const<M>>,
    ) -> Result<Innovation<M>, EstimationError> {
        let nis = self.y.dot(&cholesky.solve(&self.y));
        if !nis.is_finite() {
            return Err(EstimationError::NotFinite { field: "y" });
        }
        let L = cholesky.l_dirty();
        let ln_det_S = 2.0 * (0..M).map(|i| libm::log(L[(i, i)])).sum::<f64>();
        Ok(Innovation {
            y: self.shown(),
            S,
            nis,
            log_likelihood: self.log_density(nis, ln_det_S),
            observed: self.observed,
        })
    }

    /// `y` with NaN where nothing was measured.
    pub(crate) fn shown(&self) -> SVector<f64, M> {
        SVector::from_fn(|i, _| if self.present[i] { self.y[i] } else { f64::NAN })
    }

    /// Of what was measured, from its NIS and the determinant of `S`.
    pub(crate) fn log_density(&self, nis: f64, ln_det_S: f64) -> f64 {
        -0.5 * (nis + ln_det_S + dimension(self.observed) * LN_2_PI)
    }
}

/// Takes the residual of what `H` sees of `x` into `x` and `P`. `None` when nothing was measured: nothing changes.
///
/// # Errors
/// The field that makes the step impossible; `x` and `P` have then not changed.
pub(crate) fn correct<const N: usize, const M: usize>(
    x: &mut SVector<f64, N>,
    P: &mut SMatrix<f64, N, N>,
    H: &SMatrix<f64, M, N>,
    R: &SMatrix<f64, M, M>,
    residual: &Residual<M>,
) -> Result<Option<Innovation<M>>, EstimationError> {
    believable(x, P)?;
    if residual.observed == 0 {
        return Ok(None);
    }
    let (H, R) = (residual.rows(H), residual.noise(R));
    let PHt = *P * H.transpose();
    let S = symmetric(H * PHt + R);
    let cholesky = S.cholesky().ok_or_else(|| culprit(P, &H, &R))?;
    let K = cholesky.solve(&PHt.transpose()).transpose();
    let I_KH = SMatrix::<f64, N, N>::identity() - K * H;
    let innovation = residual.judged(S, &cholesky)?;
    let x_after = *x + K * residual.y;
    let P_after = symmetric(I_KH * *P * I_KH.transpose() + K * R * K.transpose());
    believable(&x_after, &P_after)?;
    (*x, *P) = (x_after, P_after);
    Ok(Some(innovation))
}

/// What can be told of a belief without computing eigenvalues: everything finite, no negative variance.
///
/// # Errors
/// The field to mend.
pub(crate) fn believable<const N: usize>(
    x: &SVector<f64, N>,
    P: &SMatrix<f64, N, N>,
) -> Result<(), EstimationError> {
    finite("x", x)?;
    finite("P", P)?;
    match (0..N).all(|i| P[(i, i)] >= 0.0) {
        true => Ok(()),
        false => Err(EstimationError::NotPositiveDefinite { field: "P" }),
    }
}

/// Which field to mend when `S` has no Cholesky factor.
pub(crate) fn culprit<const N: usize, const M: usize>(
    P: &SMatrix<f64, N, N>,
    H: &SMatrix<f64, M, N>,
    R: &SMatrix<f64, M, M>,
) -> EstimationError {
    let found = finite("H", H).and_then(|()| covariance("R", R)).and_then(|()| covariance("P", P));
    found.err().unwrap_or(EstimationError::NotPositiveDefinite { field: "R" })
}

/// `(X + Xᵀ) / 2`: exactly symmetric.
pub(crate) fn symmetric<const N: usize>(X: SMatrix<f64, N, N>) -> SMatrix<f64, N, N> {
    (X + X.transpose()) * 0.5
}

#[expect(clippy::cast_precision_loss, reason = "a number of measurements is far below 2^53")]
fn dimension(count: usize) -> f64 {
    count as f64
}
