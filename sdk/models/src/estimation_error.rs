//! What is wrong with what a filter was given, and the field to mend. Every filter of this crate answers with it
//! instead of passing on a number that is none; the filter itself has then not changed.
#![expect(non_snake_case, reason = "X stands for any matrix of the field")]

use nalgebra::SMatrix;

use crate::observability::eigenvalues;

/// How far below zero, as a part of the largest, an eigenvalue of a covariance may lie through rounding alone.
const ROUNDING: f64 = 1e-10;

/// Why a filter refuses to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EstimationError {
    /// An element is NaN or infinite, or became so.
    NotFinite {
        /// Name of the matrix or vector.
        field: &'static str,
    },
    /// A covariance that must have an inverse has none, or is no covariance at all.
    NotPositiveDefinite {
        /// Name of the matrix.
        field: &'static str,
    },
    /// A covariance differs from its transpose.
    NotSymmetric {
        /// Name of the matrix.
        field: &'static str,
    },
    /// A number outside of where it means something.
    OutOfRange {
        /// Name of the number.
        field: &'static str,
        /// What it must be.
        expect: &'static str,
    },
    /// A slice of another length than the rest needs.
    WrongLength {
        /// Name of the slice.
        field: &'static str,
        /// Elements it must have.
        expect: usize,
        /// Elements it has.
        found: usize,
    },
    /// No particle can explain the measurement.
    Improbable,
    /// The Riccati equation has no steady state.
    Unsettled,
}

impl core::fmt::Display for EstimationError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotFinite { field } => write!(f, "{field} is not finite: check what it was made of"),
            Self::NotPositiveDefinite { field } => {
                write!(f, "{field} is not positive definite: give it a covariance without negative or zero directions")
            }
            Self::NotSymmetric { field } => {
                write!(f, "{field} is not symmetric: give it a covariance that equals its transpose")
            }
            Self::OutOfRange { field, expect } => write!(f, "{field} must be {expect}"),
            Self::WrongLength { field, expect, found } => {
                write!(f, "{field} has {found} elements: give it {expect}")
            }
            Self::Improbable => {
                f.write_str("no particle explains the measurement: widen the noise, add particles, or start afresh")
            }
            Self::Unsettled => f.write_str(
                "no steady state: an unstable or undamped state is not seen by H or not stirred by Q, or R has no inverse",
            ),
        }
    }
}

impl core::error::Error for EstimationError {}

/// # Errors
/// `NotFinite` when an element is not.
pub(crate) fn finite<const N: usize, const M: usize>(
    field: &'static str,
    X: &SMatrix<f64, N, M>,
) -> Result<(), EstimationError> {
    match X.iter().all(|element| element.is_finite()) {
        true => Ok(()),
        false => Err(EstimationError::NotFinite { field }),
    }
}

/// Checks that `X` is a covariance: finite, symmetric, no negative direction. Directions of variance zero are
/// allowed.
///
/// # Errors
/// What it is not, by the name of `field`.
pub(crate) fn covariance<const N: usize>(
    field: &'static str,
    X: &SMatrix<f64, N, N>,
) -> Result<(), EstimationError> {
    finite(field, X)?;
    let scale = X.amax();
    if (X - X.transpose()).amax() > ROUNDING * scale {
        return Err(EstimationError::NotSymmetric { field });
    }
    let values = eigenvalues(*X);
    match values.min() >= -ROUNDING * scale {
        true => Ok(()),
        false => Err(EstimationError::NotPositiveDefinite { field }),
    }
}

/// Checks that `X` is a covariance that has an inverse.
///
/// # Errors
/// What it is not, by the name of `field`.
pub(crate) fn invertible<const N: usize>(
    field: &'static str,
    X: &SMatrix<f64, N, N>,
) -> Result<(), EstimationError> {
    covariance(field, X)?;
    match X.cholesky() {
        Some(_) => Ok(()),
        None => Err(EstimationError::NotPositiveDefinite { field }),
    }
}
