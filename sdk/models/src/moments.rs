//! Mean and covariance of a stream of vectors, without storing it (Welford 1962; Chan, Golub, LeVeque 1983).
#![expect(clippy::indexing_slicing, reason = "all indices run over the N columns")]

/// Running moments of `N` columns. Fields are public so that a behavior can keep them in its state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments<const N: usize> {
    /// Rows seen.
    pub count: u32,
    /// Mean of each column.
    pub mean: [f64; N],
    /// Sums of products of deviations, symmetric.
    pub products: [[f64; N]; N],
}

impl<const N: usize> Default for Moments<N> {
    fn default() -> Self {
        Self { count: 0, mean: [0.0; N], products: [[0.0; N]; N] }
    }
}

impl<const N: usize> Moments<N> {
    /// Takes in a row; one with a value that is not finite is passed over whole.
    pub fn push(&mut self, row: &[f64; N]) {
        if row.iter().any(|value| !value.is_finite()) {
            return;
        }
        self.count = self.count.saturating_add(1);
        let before: [f64; N] = std::array::from_fn(|i| row[i] - self.mean[i]);
        for (mean, deviation) in self.mean.iter_mut().zip(&before) {
            *mean += deviation / f64::from(self.count);
        }
        for i in 0..N {
            for j in 0..N {
                // Products of the same two factors in both halves, so that they stay symmetric to the bit.
                let (low, high) = (i.min(j), i.max(j));
                self.products[i][j] += before[low] * (row[high] - self.mean[high]);
            }
        }
    }

    /// Covariance with divisor `count − 1`; `None` before the second row.
    #[must_use]
    pub fn covariance(&self) -> Option<[[f64; N]; N]> {
        let divisor = f64::from(self.count.checked_sub(1).filter(|rows| *rows > 0)?);
        Some(self.products.map(|row| row.map(|sum| sum / divisor)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_than_two_rows_have_no_covariance_and_holes_are_passed_over() {
        let mut moments = Moments::<2>::default();
        assert_eq!(moments.covariance(), None);
        moments.push(&[1.0, f64::NAN]);
        moments.push(&[1.0, 2.0]);
        assert_eq!((moments.count, moments.covariance()), (1, None));
        moments.push(&[3.0, 6.0]);
        assert_eq!(moments.covariance(), Some([[2.0, 4.0], [4.0, 8.0]]));
        assert_eq!(moments.mean, [2.0, 4.0]);
    }
}
