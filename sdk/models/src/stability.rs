//! Is a discrete-time model stable? Spectral radius without eigenvectors.

use nalgebra::SMatrix;

/// Doublings of the power: `F` to the power 2⁵⁰, beyond which rounding hides any growth that is left.
const DOUBLINGS: i32 = 50;

/// Largest absolute eigenvalue of `F`, by Gelfand's formula `ρ = lim ‖Fᵏ‖^(1/k)` with `k = 2⁵⁰`, squaring and
/// scaling. It never fails, also where an eigenvalue iteration would (defective `F`). Relative error about 1e-14;
/// NaN when an element is not finite.
#[must_use]
pub fn spectral_radius<const N: usize>(f: &SMatrix<f64, N, N>) -> f64 {
    let mut power = *f;
    let mut log_radius = 0.0;
    let mut share = 1.0;
    for _ in 0..=DOUBLINGS {
        let norm = power.norm();
        if norm == 0.0 {
            return 0.0;
        }
        log_radius += share * libm::log(norm);
        power /= norm;
        power *= power;
        share *= 0.5;
    }
    libm::exp(log_radius)
}

/// How far above 1 a spectral radius may stand through rounding alone.
pub const MARGIN: f64 = 1e-9;

/// True when no mode of `F` grows: spectral radius at most 1, within [`MARGIN`]. A random walk (radius exactly 1)
/// passes.
#[must_use]
pub fn is_stable<const N: usize>(f: &SMatrix<f64, N, N>) -> bool {
    spectral_radius(f) <= 1.0 + MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<const N: usize>(elements: &[f64], expect: f64) {
        let radius = spectral_radius(&SMatrix::<f64, N, N>::from_row_slice(elements));
        assert!((radius - expect).abs() <= 1e-13 * expect.max(1e-300), "{radius} instead of {expect}");
    }

    #[test]
    fn radius_of_matrices_whose_eigenvalues_are_known() {
        check::<1>(&[-0.5], 0.5);
        check::<2>(&[0.0, 1.0, -0.81, 0.0], 0.9);
        check::<2>(&[1.0, 5.0, 0.0, 1.0], 1.0);
        check::<2>(&[0.0, 1.0, 0.0, 0.0], 0.0);
        check::<3>(&[2.0, 0.0, 0.0, 0.0, -3.0, 0.0, 0.0, 0.0, 1.0], 3.0);
    }

    #[test]
    fn a_random_walk_is_stable_and_what_is_not_finite_is_not() {
        assert!(is_stable(&SMatrix::<f64, 2, 2>::identity()));
        assert!(!is_stable(&(SMatrix::<f64, 2, 2>::identity() * 1.000_001)));
        assert!(!is_stable(&SMatrix::<f64, 1, 1>::new(f64::NAN)));
    }
}
