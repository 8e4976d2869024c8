//! The band that a sum of normalised innovations squared has to lie in.

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// Two-sided band of a chi-square variable with so many degrees of freedom: it lies outside with a probability of
/// 1 − confidence, half of it on each side. Without degrees, or with a confidence that is not between 0 and 1, there
/// is no band. Costs microseconds, about a millisecond at 10⁷ degrees.
pub(crate) fn band(degrees: u64, confidence: f64) -> Option<(f64, f64)> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let chi_square = ChiSquared::new(crate::tally::number(degrees)).ok()?;
    let tail = (1.0 - confidence) / 2.0;
    Some((chi_square.inverse_cdf(tail), chi_square.inverse_cdf(1.0 - tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tabled values: NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.4.
    #[test]
    fn bands_are_the_tabled_ones() {
        for (degrees, confidence, low, high) in [
            (1, 0.95, 0.001, 5.024),
            (2, 0.95, 0.051, 7.378),
            (4, 0.95, 0.484, 11.143),
            (10, 0.95, 3.247, 20.483),
            (30, 0.95, 16.791, 46.979),
            (100, 0.95, 74.222, 129.561),
            (10, 0.998, 1.479, 29.588),
            (100, 0.998, 61.918, 149.449),
        ] {
            let (below, above) = band(degrees, confidence).expect("a band");
            assert!((below - low).abs() < 6e-4, "{degrees} at {confidence}: {below}, tabled {low}");
            assert!((above - high).abs() < 6e-4, "{degrees} at {confidence}: {above}, tabled {high}");
        }
    }

    /// For many degrees the variable is nearly normal with variance 2n; the skewness moves both ends by (z² − 1)·2/3.
    #[test]
    fn bands_of_many_rows_are_those_of_the_normal_distribution() {
        let z = 3.290_526_731_491_926_f64;
        for degrees in [10_000_u32, 1_000_000, 10_000_000] {
            let (below, above) = band(u64::from(degrees), 0.999).expect("a band");
            let (n, shift) = (f64::from(degrees), (z * z - 1.0) * 2.0 / 3.0);
            let width = z * (2.0 * n).sqrt();
            assert!((below - (n - width + shift)).abs() < 0.5, "{degrees}: {below}");
            assert!((above - (n + width + shift)).abs() < 0.5, "{degrees}: {above}");
        }
    }

    #[test]
    fn nothing_has_no_band() {
        for (degrees, confidence) in [(0, 0.9), (3, 0.0), (3, 1.0), (3, f64::NAN), (3, -1.0)] {
            assert_eq!(band(degrees, confidence), None);
        }
    }
}
