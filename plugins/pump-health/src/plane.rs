//! How the inputs of a healthy pump vary together: learnt beside their baselines, then a plane of principal components.
//!
//! Inputs are in standard deviations of their baselines, whose floors say what is worth noticing. Components that vary
//! by more than that in health (a warming motor, say) count by their own variance (Hotelling's T²), the rest as they
//! are (Q); both together make the score. So a change of what usually changes weighs little, one of what never does, all.

use geminus_models::moments::Moments;
use geminus_models::principal::{Distance, Keep, Principal};
use geminus_sdk::Pack;

use crate::CHANNELS;
use crate::channel::Baseline;

/// Variance that a component counts by at least: one standard deviation of the baselines, floors included.
const VARIANCE_MIN: f64 = 1.0;

/// Moments of whole rows while the baselines are learnt, in the inputs' units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pack)]
pub struct Joint {
    /// Whole rows learnt from.
    pub count: u32,
    /// Mean of each input.
    pub mean: [f64; CHANNELS],
    /// Sums of products of deviations.
    pub products: [[f64; CHANNELS]; CHANNELS],
}

/// Principal components of the healthy pump, in standard deviations of the baselines.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Plane {
    /// One component a row, of length 1.
    pub axes: [[f64; CHANNELS]; CHANNELS],
    /// Variance along each, falling.
    pub variances: [f64; CHANNELS],
    /// How many span the plane.
    pub kept: u32,
}

impl Joint {
    /// Takes in one more whole row of a healthy pump.
    pub(crate) fn learn(&mut self, row: &[f64; CHANNELS]) {
        let mut moments = self.moments();
        moments.push(row);
        (self.count, self.mean, self.products) = (moments.count, moments.mean, moments.products);
    }

    /// The plane, for these baselines; `None` when fewer than `rows` whole rows were seen or they make none.
    pub(crate) fn plane(&self, baselines: &[Baseline; CHANNELS], rows: u32) -> Option<Plane> {
        if self.count < rows {
            return None;
        }
        let mut covariance = self.moments().covariance()?;
        for (row, one) in covariance.iter_mut().zip(baselines) {
            for (cell, other) in row.iter_mut().zip(baselines) {
                *cell /= one.spread * other.spread;
            }
        }
        if covariance.iter().flatten().any(|cell| !cell.is_finite()) {
            return None;
        }
        let keep = Keep::Above(VARIANCE_MIN);
        let Principal { axes, variances, kept, .. } =
            Principal::from_covariance([0.0; CHANNELS], covariance, keep);
        Some(Plane { axes, variances: variances.map(|variance| variance.max(VARIANCE_MIN)), kept })
    }

    fn moments(&self) -> Moments<CHANNELS> {
        Moments { count: self.count, mean: self.mean, products: self.products }
    }
}

impl Plane {
    /// T² and Q of shifts, in standard deviations of the baselines.
    pub(crate) fn distance(&self, shifts: &[f64; CHANNELS]) -> Distance {
        let Self { axes, variances, kept } = *self;
        Principal { mean: [0.0; CHANNELS], axes, variances, kept }.distance(shifts)
    }

    /// Variance of a single input, for rows in which another one is missing.
    pub(crate) fn variance(&self, place: usize) -> f64 {
        let part = |(axis, variance): (&[f64; CHANNELS], &f64)| axis.get(place).map(|a| a * a * variance);
        self.axes.iter().zip(&self.variances).filter_map(part).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second input follows the first, far; the rest hardly moves.
    fn learnt(rows: u32) -> Joint {
        let mut joint = Joint::default();
        for k in 0..rows {
            let far = f64::from(k % 11) - 5.0;
            let near = 0.1 * (f64::from(k * 7 % 5) - 2.0);
            joint.learn(&[far, 2.0 * far + near, near, -near, near, near]);
        }
        joint
    }

    const UNITS: [Baseline; CHANNELS] = [Baseline { median: 0.0, spread: 1.0 }; CHANNELS];

    #[test]
    fn what_usually_changes_weighs_little_and_what_never_does_all() {
        let plane = learnt(110).plane(&UNITS, 100).expect("learnt");
        assert_eq!(plane.kept, 1, "{plane:?}");
        let along = plane.distance(&[2.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
        let across = plane.distance(&[4.0, -2.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(along.t2 + along.q < 1.0, "{along:?}");
        assert!((across.t2 + across.q - 20.0).abs() < 0.1, "{across:?}");
        assert!(
            (plane.variance(0) - 10.0).abs() < 1.0 && (plane.variance(5) - 1.0).abs() < 1e-3,
            "{plane:?}"
        );
    }

    #[test]
    fn too_few_rows_or_such_that_are_no_numbers_make_no_plane() {
        assert_eq!(learnt(99).plane(&UNITS, 100), None);
        assert_eq!(Joint::default().plane(&UNITS, 0), None);
        let broken = Joint { products: [[f64::NAN; CHANNELS]; CHANNELS], ..learnt(110) };
        assert_eq!(broken.plane(&UNITS, 100), None);
    }
}
