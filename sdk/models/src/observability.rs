//! Can the sensors tell the states apart at all, and how well?
//!
//! The rank test of Kalman (1960) on `O = [H; H M; …; H Mᴺ⁻¹]`, with singular values taken from the Gramian
//! `W = Oᵀ O`. For a continuous model, pass `A` divided by its norm: the answer then does not depend on the
//! sampling interval, and the rows of `O` are of comparable size.
#![expect(clippy::indexing_slicing, reason = "indices run over the dimensions that stand in the types")]
#![expect(non_snake_case, reason = "A, H, O, W are the names of the field")]

use nalgebra::{SMatrix, SVector};

use crate::kalman::symmetric;

/// Singular values below this part of the largest count as zero. The Gramian holds their squares, and squares
/// below 1e-16 of the largest drown in rounding: hence not smaller than 1e-7.
pub const TOLERANCE: f64 = 1e-6;
/// Jacobi sweeps at most; matrices of this size settle in fewer than 10.
const SWEEPS_MAX: usize = 30;

/// Verdict on a pair (`M`, `H`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observability {
    /// States that the sensors can tell apart, 0 … N.
    pub rank: usize,
    /// Number of states.
    pub states: usize,
    /// Largest by smallest singular value of `O`; infinite when the smallest is zero.
    pub condition: f64,
}

impl Observability {
    /// Of a discrete model (`M = F`), or of a continuous one that has been scaled.
    #[must_use]
    pub fn new<const N: usize, const K: usize>(M: &SMatrix<f64, N, N>, H: &SMatrix<f64, K, N>) -> Self {
        let mut block = *H;
        let mut W = SMatrix::<f64, N, N>::zeros();
        for _ in 0..N {
            W += block.transpose() * block;
            block *= M;
        }
        let squares = eigenvalues(symmetric(W));
        let largest = squares.max().max(0.0);
        let smallest = squares.min().max(0.0);
        let rank = squares.iter().filter(|s| **s > TOLERANCE * TOLERANCE * largest).count();
        Self { rank, states: N, condition: libm::sqrt(largest / smallest) }
    }

    /// Of a continuous model `dx/dt = A x`, whose time is scaled so that `A` has norm 1.
    #[must_use]
    pub fn of_continuous<const N: usize, const K: usize>(
        A: &SMatrix<f64, N, N>,
        H: &SMatrix<f64, K, N>,
    ) -> Self {
        let norm = A.norm();
        Self::new(&(A / if norm > 0.0 { norm } else { 1.0 }), H)
    }

    /// True when every state can be told from the measurements.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.rank == self.states
    }
}

/// Eigenvalues of a symmetric matrix by cyclic Jacobi rotations (Golub and Van Loan, *Matrix Computations*,
/// §8.5), which find small eigenvalues of positive matrices more exactly than QR does.
pub(crate) fn eigenvalues<const N: usize>(mut W: SMatrix<f64, N, N>) -> SVector<f64, N> {
    for _ in 0..SWEEPS_MAX {
        let mut rotated = false;
        for p in 0..N {
            for q in p + 1..N {
                let limit = f64::EPSILON * libm::sqrt(W[(p, p)].abs() * W[(q, q)].abs());
                if W[(p, q)].abs() > limit {
                    rotate(&mut W, p, q);
                    rotated = true;
                }
            }
        }
        if !rotated {
            break;
        }
    }
    W.diagonal()
}

fn rotate<const N: usize>(W: &mut SMatrix<f64, N, N>, p: usize, q: usize) {
    let theta = (W[(q, q)] - W[(p, p)]) / (2.0 * W[(p, q)]);
    let t = theta.signum() / (theta.abs() + libm::sqrt(theta * theta + 1.0));
    let c = 1.0 / libm::sqrt(t * t + 1.0);
    let s = t * c;
    for k in 0..N {
        let (kp, kq) = (W[(k, p)], W[(k, q)]);
        W[(k, p)] = c * kp - s * kq;
        W[(k, q)] = s * kp + c * kq;
    }
    for k in 0..N {
        let (pk, qk) = (W[(p, k)], W[(q, k)]);
        W[(p, k)] = c * pk - s * qk;
        W[(q, k)] = s * pk + c * qk;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(M: &[f64], H: &[f64], rank: usize) {
        let verdict = Observability::new(
            &SMatrix::<f64, 2, 2>::from_row_slice(M),
            &SMatrix::<f64, 1, 2>::from_row_slice(H),
        );
        assert_eq!(verdict.rank, rank, "{verdict:?}");
        assert_eq!(verdict.is_complete(), rank == 2);
    }

    #[test]
    fn rank_of_pairs_that_can_be_judged_by_eye() {
        check(&[1.0, 1.0, 0.0, 1.0], &[1.0, 0.0], 2);
        check(&[1.0, 1.0, 0.0, 1.0], &[0.0, 1.0], 1);
        check(&[1.0, 0.0, 0.0, 1.0], &[1.0, 1.0], 1);
        check(&[1.0, 0.0, 0.0, 0.5], &[1.0, 1.0], 2);
        check(&[1.0, 0.0, 0.0, 0.5], &[0.0, 0.0], 0);
    }

    #[test]
    fn condition_is_the_ratio_of_singular_values() {
        let H = SMatrix::<f64, 1, 2>::new(1.0, 0.0);
        let verdict = Observability::new(&SMatrix::<f64, 2, 2>::new(0.0, 0.01, 0.0, 0.0), &H);
        assert!((verdict.condition - 100.0).abs() < 1e-9, "{verdict:?}");
        let blind = Observability::new(&SMatrix::<f64, 2, 2>::identity(), &H);
        assert_eq!(blind.condition, f64::INFINITY);
    }
}
