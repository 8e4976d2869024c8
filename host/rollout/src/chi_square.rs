//! Quantiles of the chi-square distribution.

/// Two-sided band of a chi-square variable with so many degrees of freedom: the sum lies outside with a probability of
/// 1 − confidence, half of it on each side.
pub(crate) fn band(degrees: u64, confidence: f64) -> (f64, f64) {
    let tail = (1.0 - confidence) / 2.0;
    (tail, degrees as f64)
}
