//! From an anomaly score to a health index.
//!
//! Score: 0 is normal, higher is worse, never negative. Index: 1 is healthy, 0 has failed. The map is the
//! logistic function `1 / (1 + exp(2 s − 3))`: 0.953 at score 0, 0.5 at 1.5, 0.2 at 2.193. A score that is not a
//! number has no index: unknown is an answer, healthy by default is not.

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

#[cfg(test)]
mod tests {
    use super::*;

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
