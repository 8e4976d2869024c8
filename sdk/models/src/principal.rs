//! Principal components of healthy data: how far a row stands within their plane (Hotelling's T²) and beside it (Q).
//!
//! ```text
//! c = Aᵀ (x − mean)      T² = Σ_kept cᵢ² / λᵢ      Q = Σ_rest cᵢ²
//! ```
//!
//! Limits: T² by Fisher's F for new rows, Q by Jackson and Mudholkar (Technometrics 21, 1979). Scale columns first:
//! a component of the largest unit is no finding. Eigenvectors by Jacobi's rotations: always converges for a symmetric
//! matrix, same bits everywhere. `of` belongs into `open` or the end of learning, the rest into a step.
#![expect(clippy::indexing_slicing, reason = "all indices run over the N columns")]

use std::fmt;

use crate::chi_square::{fisher_point, normal_point};
use crate::moments::Moments;

/// Sweeps of rotations; a 20 × 20 matrix needs about eight.
const SWEEPS_MAX: u32 = 60;
/// A column varies too little to be used when its variance is below this part of its mean's square.
const CONSTANT: f64 = 1e-24;

/// Which components span the plane. At least one does, and at most all but one, so that Q means something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Keep {
    /// The fewest that hold this part of the variance, 0 … 1.
    Part(f64),
    /// All whose variance is above this (Kaiser's rule with 1, for columns in their own standard deviations).
    Above(f64),
}

/// Why there are no components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoComponents {
    /// Fewer rows than columns plus one: give more rows.
    Rows {
        /// Rows seen.
        seen: u32,
        /// Rows needed.
        needed: u32,
    },
    /// A column that does not change: leave it out.
    Constant {
        /// Number of the column, from 0.
        column: usize,
    },
    /// A moment is not finite: mend the state it came from.
    NotFinite,
}

impl fmt::Display for NoComponents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows { seen, needed } => {
                write!(f, "{seen} rows were seen and {needed} are needed: give more")
            }
            Self::Constant { column } => write!(f, "column {column} does not change: leave it out"),
            Self::NotFinite => f.write_str("a mean or covariance is not finite: learn anew"),
        }
    }
}

impl std::error::Error for NoComponents {}

/// Components of `N` columns, largest variance first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Principal<const N: usize> {
    /// Centre of the healthy data.
    pub mean: [f64; N],
    /// One component a row, of length 1; the largest element of each is positive.
    pub axes: [[f64; N]; N],
    /// Variance along each, falling.
    pub variances: [f64; N],
    /// How many span the plane, 1 … N − 1 (1 for a single column).
    pub kept: u32,
}

/// Both statistics of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// Hotelling's T²: within the plane, in variances.
    pub t2: f64,
    /// Squared distance from the plane, in the columns' units squared.
    pub q: f64,
}

impl<const N: usize> Principal<N> {
    /// Components of healthy rows.
    ///
    /// # Errors
    /// Too few rows, a column that does not change, moments that are not finite.
    #[expect(clippy::cast_possible_truncation, reason = "column numbers are small")]
    pub fn of(moments: &Moments<N>, keep: Keep) -> Result<Self, NoComponents> {
        let needed = N as u32 + 1;
        let covariance = moments.covariance().filter(|_| moments.count >= needed);
        let Some(covariance) = covariance else {
            return Err(NoComponents::Rows { seen: moments.count, needed });
        };
        if moments.mean.iter().chain(covariance.iter().flatten()).any(|value| !value.is_finite()) {
            return Err(NoComponents::NotFinite);
        }
        for (column, mean) in moments.mean.iter().enumerate() {
            if covariance[column][column] <= CONSTANT * mean * mean {
                return Err(NoComponents::Constant { column });
            }
        }
        Ok(Self::from_covariance(moments.mean, covariance, keep))
    }

    /// Components of a covariance matrix that is symmetric and finite.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "column numbers are small")]
    pub fn from_covariance(mean: [f64; N], covariance: [[f64; N]; N], keep: Keep) -> Self {
        let (variances, axes) = eigen(covariance);
        let total: f64 = variances.iter().sum();
        let kept = match keep {
            Keep::Above(limit) => variances.iter().filter(|variance| **variance > limit).count(),
            Keep::Part(part) => {
                let mut sum = 0.0;
                let reach = |variance: &f64| {
                    sum += variance;
                    sum >= part * total
                };
                variances.iter().position(reach).map_or(N, |last| last + 1)
            }
        };
        let kept = kept.clamp(1, N.saturating_sub(1).max(1)) as u32;
        Self { mean, axes, variances, kept }
    }

    /// T² and Q of a row; both NaN when it has a value that is not a number: never a distance that looks good.
    #[must_use]
    pub fn distance(&self, row: &[f64; N]) -> Distance {
        let (mut t2, mut q) = (0.0, 0.0);
        for (i, axis) in self.axes.iter().enumerate() {
            let c: f64 = (0..N).map(|j| axis[j] * (row[j] - self.mean[j])).sum();
            if i < self.kept as usize { t2 += c * c / self.variances[i] } else { q += c * c }
        }
        Distance { t2, q }
    }

    /// T² that a new healthy row exceeds with probability `1 − probability`, when the components were learnt from
    /// `rows`: `k (n² − 1) / (n (n − k)) F(k, n − k)`. `None` for too few rows or a probability beyond 0 … 1.
    #[must_use]
    pub fn t2_limit(&self, probability: f64, rows: u32) -> Option<f64> {
        let (k, n) = (f64::from(self.kept), f64::from(rows));
        let point = fisher_point(probability, k, n - k)?;
        Some(k * (n * n - 1.0) / (n * (n - k)) * point)
    }

    /// Q that a healthy row exceeds with probability `1 − probability`. `None` when nothing is left beside the plane,
    /// or the probability is beyond 0 … 1.
    #[must_use]
    pub fn q_limit(&self, probability: f64) -> Option<f64> {
        let rest = self.variances.get(self.kept as usize..)?;
        let power =
            |exponent: i32| rest.iter().map(|v| libm::pow(v.max(0.0), f64::from(exponent))).sum::<f64>();
        let (first, second, third) = (power(1), power(2), power(3));
        if !(first > 0.0 && second > 0.0) {
            return None;
        }
        let h = 1.0 - 2.0 * first * third / (3.0 * second * second);
        let point = normal_point(probability)?;
        let inner =
            point * libm::sqrt(2.0 * second * h * h) / first + 1.0 + second * h * (h - 1.0) / (first * first);
        Some(first * libm::pow(inner, 1.0 / h)).filter(|limit| limit.is_finite())
    }
}

/// Eigenvalues, falling, and eigenvectors as rows, by cyclic Jacobi rotations.
fn eigen<const N: usize>(mut a: [[f64; N]; N]) -> ([f64; N], [[f64; N]; N]) {
    let mut v: [[f64; N]; N] = std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
    for _ in 0..SWEEPS_MAX {
        let mut off = 0.0;
        for p in 0..N {
            for q in p + 1..N {
                if a[p][q] == 0.0
                    || a[p][q].abs() <= f64::EPSILON * 1e-3 * libm::sqrt((a[p][p] * a[q][q]).abs())
                {
                    continue;
                }
                off += a[p][q].abs();
                rotate(&mut a, &mut v, p, q);
            }
        }
        if off == 0.0 {
            break;
        }
    }
    let mut order: [usize; N] = std::array::from_fn(|i| i);
    order.sort_by(|i, j| a[*j][*j].total_cmp(&a[*i][*i]));
    let axes = order.map(|i| {
        let axis = v[i];
        let largest = axis.iter().fold(0.0_f64, |best, x| if x.abs() > best.abs() { *x } else { best });
        if largest < 0.0 { axis.map(|x| -x) } else { axis }
    });
    (order.map(|i| a[i][i].max(0.0)), axes)
}

/// One rotation that makes `a[p][q]` zero; rows of `v` become the eigenvectors.
fn rotate<const N: usize>(a: &mut [[f64; N]; N], v: &mut [[f64; N]; N], p: usize, q: usize) {
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = if theta.abs() > 1e150 {
        0.5 / theta
    } else {
        let size = 1.0 / (theta.abs() + libm::sqrt(theta * theta + 1.0));
        if theta < 0.0 { -size } else { size }
    };
    let c = 1.0 / libm::sqrt(t * t + 1.0);
    let s = t * c;
    let shift = t * a[p][q];
    a[p][p] -= shift;
    a[q][q] += shift;
    a[p][q] = 0.0;
    a[q][p] = 0.0;
    for k in 0..N {
        if k != p && k != q {
            let (kp, kq) = (a[k][p], a[k][q]);
            a[k][p] = c * kp - s * kq;
            a[k][q] = s * kp + c * kq;
            a[p][k] = a[k][p];
            a[q][k] = a[k][q];
        }
        let (vp, vq) = (v[p][k], v[q][k]);
        v[p][k] = c * vp - s * vq;
        v[q][k] = s * vp + c * vq;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(rows: impl Iterator<Item = [f64; 3]>) -> Moments<3> {
        let mut moments = Moments::default();
        rows.for_each(|row| moments.push(&row));
        moments
    }

    #[test]
    fn columns_that_do_not_change_and_rows_that_are_too_few_are_named() {
        let few = moments((0..3).map(|k| [f64::from(k), 1.0, 2.0]));
        assert_eq!(Principal::of(&few, Keep::Part(0.9)), Err(NoComponents::Rows { seen: 3, needed: 4 }));
        let flat = moments((0..9).map(|k| [f64::from(k), 7.3, f64::from(k * k)]));
        let error = Principal::of(&flat, Keep::Part(0.9)).expect_err("column 1 is constant");
        assert_eq!(error.to_string(), "column 1 does not change: leave it out");
        let broken = Moments { products: [[f64::NAN; 3]; 3], ..flat };
        assert_eq!(Principal::of(&broken, Keep::Part(0.9)), Err(NoComponents::NotFinite));
    }

    #[test]
    fn a_row_with_a_hole_has_no_distance() {
        let healthy = moments((0..9).map(|k| [f64::from(k), f64::from(k * k % 5), f64::from(k % 3)]));
        let principal = Principal::of(&healthy, Keep::Above(1.0)).expect("components");
        let distance = principal.distance(&[f64::NAN, 0.0, 0.0]);
        assert!(distance.t2.is_nan() && distance.q.is_nan(), "{distance:?}");
    }

    #[test]
    fn the_plane_has_one_component_at_least_and_leaves_one() {
        let diagonal = [[4.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]];
        let kept = |keep| Principal::from_covariance([0.0; 3], diagonal, keep).kept;
        let cases = [(Keep::Part(0.0), 1), (Keep::Part(0.6), 2), (Keep::Part(1.0), 2), (Keep::Above(9.0), 1)];
        for (keep, expect) in cases {
            assert_eq!(kept(keep), expect, "{keep:?}");
        }
        let single = Principal::from_covariance([0.0], [[4.0]], Keep::Part(0.9));
        assert_eq!((single.kept, single.q_limit(0.99)), (1, None));
        assert_eq!(single.distance(&[4.0]), Distance { t2: 4.0, q: 0.0 });
    }
}
