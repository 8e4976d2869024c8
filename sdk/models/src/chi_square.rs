//! Thresholds of test statistics: chi-square (residuals, NIS), normal, and Fisher's F (Hotelling's T²).
//!
//! Distribution functions by the incomplete gamma and beta functions (series and continued fractions: Abramowitz,
//! Stegun §6.5, §26.5), quantiles by bisection in the logarithm, which cannot run away. Meant for `open`, not for a step:
//! a quantile costs some hundred evaluations.

/// Terms of a series or continued fraction; it has converged long before for every argument a threshold needs.
const TERMS_MAX: u32 = 1_000;
/// Halvings of an interval, beyond which its ends are neighbours.
const HALVINGS: u32 = 200;
/// A number whose reciprocal is finite, for continued fractions that meet a zero.
const TINY: f64 = 1e-300;

/// Probability that chi-square with `freedom` degrees is at most `x`; NaN when `freedom` is not above 0 or `x` is NaN.
#[must_use]
pub fn chi_square_cdf(x: f64, freedom: f64) -> f64 {
    lower_gamma(freedom / 2.0, x / 2.0)
}

/// The value that chi-square with `freedom` degrees exceeds with probability `1 − probability`. `None` unless
/// `freedom` > 0 and 0 < `probability` < 1.
#[must_use]
pub fn chi_square_point(probability: f64, freedom: f64) -> Option<f64> {
    quantile(probability, freedom > 0.0 && freedom.is_finite(), |x| chi_square_cdf(x, freedom))
}

/// Probability that F with `numerator` and `denominator` degrees is at most `x`.
#[must_use]
pub fn fisher_cdf(x: f64, numerator: f64, denominator: f64) -> f64 {
    if x.is_nan() || !(numerator > 0.0 && denominator > 0.0) {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 0.0;
    }
    let scaled = numerator * x;
    let sum = scaled + denominator;
    incomplete_beta(numerator / 2.0, denominator / 2.0, scaled / sum, denominator / sum)
}

/// The value that F with these degrees exceeds with probability `1 − probability`; `None` as for chi-square.
#[must_use]
pub fn fisher_point(probability: f64, numerator: f64, denominator: f64) -> Option<f64> {
    let degrees = numerator > 0.0 && denominator > 0.0 && numerator.is_finite() && denominator.is_finite();
    quantile(probability, degrees, |x| fisher_cdf(x, numerator, denominator))
}

/// Probability that a standard normal number is at most `x`.
#[must_use]
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * core::f64::consts::FRAC_1_SQRT_2)
}

/// The value that a standard normal number exceeds with probability `1 − probability`; `None` unless that is within
/// 0 … 1, without its ends.
#[must_use]
pub fn normal_point(probability: f64) -> Option<f64> {
    if !(probability > 0.0 && probability < 1.0) {
        return None;
    }
    // By symmetry the larger half suffices; there chi-square with one degree is its square.
    let upper = probability.max(1.0 - probability);
    let size = if upper > 0.5 { libm::sqrt(chi_square_point(2.0 * upper - 1.0, 1.0)?) } else { 0.0 };
    Some(if probability < 0.5 { -size } else { size })
}

/// Bisects a rising distribution function of a positive number, in the logarithm of its argument.
fn quantile(probability: f64, defined: bool, cdf: impl Fn(f64) -> f64) -> Option<f64> {
    if !(defined && probability > 0.0 && probability < 1.0) {
        return None;
    }
    let (mut low, mut high) = (-700.0_f64, 700.0_f64);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if cdf(libm::exp(middle)) < probability { low = middle } else { high = middle }
    }
    Some(libm::exp(0.5 * (low + high)))
}

/// Regularised lower incomplete gamma function `P(a, x)`.
fn lower_gamma(a: f64, x: f64) -> f64 {
    if x.is_nan() || a.is_nan() || a <= 0.0 {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 0.0;
    }
    if x.is_infinite() {
        return 1.0;
    }
    let front = libm::exp(a * libm::log(x) - x - libm::lgamma(a));
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for n in 1..TERMS_MAX {
            term *= x / (a + f64::from(n));
            sum += term;
            if term < sum * f64::EPSILON {
                break;
            }
        }
        return (front * sum).clamp(0.0, 1.0);
    }
    // Lentz's evaluation of the continued fraction of the upper function.
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / TINY, 1.0 / b);
    let mut fraction = d;
    for n in 1..TERMS_MAX {
        let n = f64::from(n);
        let factor = n * (a - n);
        b += 2.0;
        d = 1.0 / away_from_zero(factor * d + b);
        c = away_from_zero(b + factor / c);
        let change = c * d;
        fraction *= change;
        if (change - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    (1.0 - front * fraction).clamp(0.0, 1.0)
}

/// Regularised incomplete beta function `I_x(a, b)` of 0 … 1; `rest` is 1 − x, which may be too small to be taken from x.
fn incomplete_beta(a: f64, b: f64, x: f64, rest: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if rest <= 0.0 {
        return 1.0;
    }
    // The fraction converges fast below this point; beyond it the mirrored one does.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, rest, x);
    }
    let logarithm = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b);
    let front = libm::exp(logarithm + a * libm::log(x) + b * libm::log(rest)) / a;
    let (mut c, mut d) = (1.0, 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for n in 1..TERMS_MAX {
        let n = f64::from(n);
        let even = n * (b - n) * x / ((a + 2.0 * n - 1.0) * (a + 2.0 * n));
        let odd = -(a + n) * (a + b + n) * x / ((a + 2.0 * n) * (a + 2.0 * n + 1.0));
        let mut change = 1.0;
        for factor in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + factor * d);
            c = away_from_zero(1.0 + factor / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

fn away_from_zero(value: f64) -> f64 {
    if value.abs() < TINY { TINY } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gates_of_the_innovation_test_are_these_points() {
        for freedom in 1..=4_usize {
            let point = chi_square_point(0.99, freedom as f64).expect("within");
            let gate = crate::innovation::gate_99(freedom);
            assert!((point / gate - 1.0).abs() < 1e-12, "{freedom}: {point} and {gate}");
        }
    }

    #[test]
    fn what_has_no_point_is_none_and_never_a_number() {
        for (probability, freedom) in [
            (0.0, 3.0),
            (1.0, 3.0),
            (f64::NAN, 3.0),
            (0.9, 0.0),
            (0.9, -1.0),
            (0.9, f64::NAN),
            (0.9, f64::INFINITY),
        ] {
            assert_eq!(chi_square_point(probability, freedom), None, "{probability} {freedom}");
            assert_eq!(fisher_point(probability, freedom, 5.0), None, "{probability} {freedom}");
        }
        assert_eq!((normal_point(0.0), normal_point(1.0), normal_point(f64::NAN)), (None, None, None));
        assert!(chi_square_cdf(f64::NAN, 2.0).is_nan() && fisher_cdf(f64::NAN, 2.0, 2.0).is_nan());
    }

    #[test]
    fn ends_and_middle() {
        assert_eq!((chi_square_cdf(-1.0, 3.0), chi_square_cdf(f64::INFINITY, 3.0)), (0.0, 1.0));
        assert_eq!((fisher_cdf(0.0, 3.0, 4.0), normal_cdf(0.0)), (0.0, 0.5));
        assert_eq!(normal_point(0.5), Some(0.0));
    }
}
