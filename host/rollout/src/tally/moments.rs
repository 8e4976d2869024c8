//! Number, mean and sum of squared deviations of a quantity, taken frame by frame and merged over shards.
//!
//! A frame is summed relative to the mean so far and joined by the update of Chan, Golub and LeVeque ("Updating formulae
//! and a pairwise algorithm for computing sample variances", 1979), so that a small spread around a large mean is not
//! lost to rounding.

use super::number;
use crate::Mean;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    pub(super) rows: u64,
    pub(super) mean: f64,
    squares: f64,
}

/// Sums over one frame, relative to `shift`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    shift: f64,
    rows: u64,
    sum: f64,
    squares: f64,
}

impl Sums {
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        let value = value - self.shift;
        self.rows += 1;
        self.sum += value;
        self.squares += value * value;
    }
}

impl Moments {
    /// Sums for the next frame; `first` is a value near those that will come.
    pub(super) fn sums(&self, first: f64) -> Sums {
        let shift = if self.rows > 0 { self.mean } else { first };
        Sums { shift, rows: 0, sum: 0.0, squares: 0.0 }
    }

    pub(super) fn take(&mut self, sums: &Sums) {
        if sums.rows == 0 {
            return;
        }
        let mean = sums.sum / number(sums.rows);
        let squares = (sums.squares - sums.sum * mean).max(0.0);
        self.merge(&Self { rows: sums.rows, mean: sums.shift + mean, squares });
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.rows == 0 {
            return;
        }
        let (mine, others) = (number(self.rows), number(other.rows));
        let all = mine + others;
        let apart = other.mean - self.mean;
        self.rows += other.rows;
        self.mean = if mine > 0.0 { self.mean + apart * (others / all) } else { other.mean };
        self.squares += other.squares + apart * apart * (mine * others / all);
    }

    /// Standard deviation, 0 for fewer than two values.
    pub(super) fn sigma(&self) -> f64 {
        if self.rows < 2 { 0.0 } else { (self.squares / (number(self.rows) - 1.0)).sqrt() }
    }

    /// Root of the mean of the squares.
    pub(super) fn rms(&self) -> f64 {
        (self.squares / number(self.rows.max(1)) + self.mean * self.mean).sqrt()
    }

    pub(super) fn shown(&self) -> Mean {
        let known = |value: f64| (self.rows > 0).then_some(value).and_then(super::finite);
        Mean { rows: self.rows, mean: known(self.mean), sigma: known(self.sigma()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        let mut sums = moments.sums(values[0]);
        values.iter().for_each(|value| sums.add(*value));
        moments.take(&sums);
        moments
    }

    #[test]
    fn parts_joined_in_any_way_are_the_whole_and_a_large_mean_hides_no_spread() {
        let values: Vec<f64> = (0..1_000).map(|i| 1e9 + f64::from(i % 7)).collect();
        let whole = of(&values);
        let (mean, variance) = (1e9 + 2.997, 3.998_99);
        assert!(
            (whole.mean - mean).abs() < 1e-6 && (whole.sigma().powi(2) - variance).abs() < 1e-3,
            "{whole:?}"
        );
        for cut in [1, 10, 500, 999] {
            let (mut left, right) = (of(&values[..cut]), of(&values[cut..]));
            left.merge(&right);
            assert_eq!(left.rows, whole.rows);
            assert!((left.mean - whole.mean).abs() < 1e-6, "{cut}: {left:?}");
            assert!((left.sigma() - whole.sigma()).abs() < 1e-6, "{cut}: {left:?}");
        }
    }

    #[test]
    fn few_values_have_no_spread_and_none_have_no_mean() {
        assert_eq!(Moments::default().shown(), Mean::default());
        assert_eq!(of(&[3.0]).sigma(), 0.0);
        assert_eq!(of(&[-2.0, 2.0]).rms(), 2.0);
    }
}
