//! From an anomaly score to a health index.
//!
//! Score: 0 is normal, higher is worse, never negative. Index: 1 is healthy, 0 has failed. The map is the
//! logistic function `1 / (1 + exp(2 s − 3))`: 0.953 at score 0, 0.5 at 1.5, 0.2 at 2.193. A score that is not a
//! number has no index: unknown is an answer, healthy by default is not. [`Logistic`] is the same map with points of
//! one's own.

/// Slope of the map.
const SLOPE: f64 = 2.0;
/// Offset of the map.
const OFFSET: f64 = -3.0;

/// Health index of an anomaly score ≥ 0; `None` when the score is not a number.
#[must_use]
pub fn logistic(score: f64) -> Option<f64> {
    if score.is_nan() {
        return None;
    }
    Some(1.0 / (1.0 + libm::exp(SLOPE * score + OFFSET)))
}

/// The map `1 / (1 + exp(slope · s + offset))` with a slope above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    slope: f64,
    offset: f64,
}

impl Logistic {
    /// The map through two points (score, index), the second with the higher score and the lower index. `None` when
    /// they are not so, or an index is not within 0 … 1, without its ends.
    #[must_use]
    pub fn through(better: (f64, f64), worse: (f64, f64)) -> Option<Self> {
        let exponent = |index: f64| (index > 0.0 && index < 1.0).then(|| libm::log(1.0 / index - 1.0));
        let (first, second) = (exponent(better.1)?, exponent(worse.1)?);
        let slope = (second - first) / (worse.0 - better.0);
        let offset = first - slope * better.0;
        let rises = worse.0 > better.0 && slope > 0.0 && slope.is_finite() && offset.is_finite();
        rises.then_some(Self { slope, offset })
    }

    /// Health index of a score; `None` when the score is not a number.
    #[must_use]
    pub fn index(&self, score: f64) -> Option<f64> {
        (!score.is_nan()).then(|| 1.0 / (1.0 + libm::exp(self.slope * score + self.offset)))
    }

    /// Score at which the index has this value; `None` unless it is within 0 … 1, without its ends.
    #[must_use]
    pub fn score(&self, index: f64) -> Option<f64> {
        (index > 0.0 && index < 1.0).then(|| (libm::log(1.0 / index - 1.0) - self.offset) / self.slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_goes_through_its_points_and_back() {
        let map = Logistic::through((1.5, 0.5), (2.5, 1.0 / (1.0 + libm::exp(2.0)))).expect("falls");
        for score in [0.0, 1.5, 2.193, 4.0] {
            let (found, expect) = (map.index(score).expect("a number"), logistic(score).expect("a number"));
            assert!((found - expect).abs() < 1e-12, "score {score}: {found} instead of {expect}");
            assert!((map.score(found).expect("inside") - score).abs() < 1e-12);
        }
        assert_eq!((map.index(f64::NAN), map.score(1.0), map.score(f64::NAN)), (None, None, None));
    }

    #[test]
    fn points_that_make_no_falling_map_are_refused() {
        let cases = [
            ((1.0, 0.5), (1.0, 0.2)),
            ((1.0, 0.5), (2.0, 0.5)),
            ((1.0, 0.2), (2.0, 0.5)),
            ((2.0, 0.5), (1.0, 0.2)),
            ((0.0, 1.0), (2.0, 0.2)),
            ((0.0, 0.9), (2.0, 0.0)),
            ((f64::NAN, 0.9), (2.0, 0.2)),
            ((0.0, 0.9), (f64::INFINITY, 0.2)),
        ];
        for (better, worse) in cases {
            assert_eq!(Logistic::through(better, worse), None, "{better:?} {worse:?}");
        }
    }

    fn check(score: f64, index: f64) {
        let found = logistic(score).expect("a number");
        assert!((found - index).abs() < 5e-4, "score {score}: {found} instead of {index}");
    }

    #[test]
    fn points_of_the_map() {
        check(0.0, 0.953);
        check(1.5, 0.5);
        check(2.193, 0.2);
        check(f64::INFINITY, 0.0);
    }

    #[test]
    fn warning_begins_above_one_and_a_half_and_critical_above_2_193() {
        assert!(logistic(1.5).is_some_and(|h| h >= 0.5) && logistic(1.5 + 1e-9).is_some_and(|h| h < 0.5));
        let critical = (libm::log(4.0) + 3.0) / 2.0;
        assert!((critical - 2.193).abs() < 5e-4);
        assert!(logistic(critical - 1e-9).is_some_and(|h| h > 0.2));
        assert!(logistic(critical + 1e-9).is_some_and(|h| h < 0.2));
    }

    #[test]
    fn no_score_no_index() {
        assert_eq!(logistic(f64::NAN), None);
    }
}
