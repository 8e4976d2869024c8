//! Quasi-Newton descent within bounds: BFGS over what is not held by a bound, steps projected into the box, each of
//! which must lower the value enough (Armijo). For smooth functions of a few dozen variables; it finds a minimum near
//! its start, so callers start it from several places.
//!
//! Sources: Nocedal and Wright, *Numerical Optimization*, alg. 6.1 (BFGS); Bertsekas, *SIAM J. Control* 20 (1982), 221
//! (projection with the set of held variables).
#![expect(
    clippy::indexing_slicing,
    reason = "all lists are as long as the start, which is checked against the bounds"
)]

use crate::triangular::dot;

/// Part of the expected decrease that a step must bring.
const ARMIJO: f64 = 1e-4;
/// How often a step is halved.
const HALVINGS_MAX: usize = 30;
/// The largest gradient that is not held by a bound, below which it is done.
const GRADIENT: f64 = 1e-6;
/// Relative decrease of the value below which a step counts as none.
const DECREASE: f64 = 1e-12;
/// Longest first step: variables are logarithms, so that is a factor of e.
const FIRST_STEP: f64 = 1.0;

/// Where to look and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descent<'a> {
    pub(crate) lower: &'a [f64],
    pub(crate) upper: &'a [f64],
    pub(crate) evaluations_max: usize,
}

/// Writes the gradient at a point and gives the value there; `None` where there is none.
pub(crate) type Value<'a> = dyn FnMut(&[f64], &mut [f64]) -> Option<f64> + 'a;

/// Gives the least value found and where. `None` when the start has no value.
pub(crate) fn descend(
    rules: &Descent<'_>,
    start: Vec<f64>,
    value: &mut Value<'_>,
) -> Option<(f64, Vec<f64>)> {
    let n = start.len();
    let clamp = |i: usize, x: f64| x.clamp(rules.lower[i], rules.upper[i]);
    let mut x: Vec<f64> = start.iter().enumerate().map(|(i, x)| clamp(i, *x)).collect();
    let mut gradient = vec![0.0; n];
    let mut now = finite(value(&x, &mut gradient), &gradient)?;
    let mut evaluations = 1;
    let mut inverse = identity(n);
    let mut fresh = true;
    let (mut next, mut next_gradient) = (vec![0.0; n], vec![0.0; n]);
    while evaluations < rules.evaluations_max {
        let held = |i: usize| {
            (x[i] <= rules.lower[i] && gradient[i] > 0.0) || (x[i] >= rules.upper[i] && gradient[i] < 0.0)
        };
        let free: Vec<f64> = (0..n).map(|i| if held(i) { 0.0 } else { gradient[i] }).collect();
        let steepest = free.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
        if steepest < GRADIENT {
            break;
        }
        let mut step: Vec<f64> =
            (0..n).map(|i| if held(i) { 0.0 } else { -dot(&inverse[i * n..(i + 1) * n], &free) }).collect();
        if dot(&step, &free) >= 0.0 {
            (inverse, fresh) = (identity(n), true);
            step = free.iter().map(|g| -g).collect();
        }
        let longest = step.iter().fold(0.0_f64, |most, s| most.max(s.abs()));
        let mut length = if fresh { (FIRST_STEP / longest).min(1.0) } else { 1.0 };
        let mut found = None;
        for _ in 0..HALVINGS_MAX {
            for i in 0..n {
                next[i] = clamp(i, x[i] + length * step[i]);
            }
            let expected: f64 = (0..n).map(|i| gradient[i] * (next[i] - x[i])).sum();
            evaluations += 1;
            found = finite(value(&next, &mut next_gradient), &next_gradient)
                .filter(|value| *value <= now + ARMIJO * expected.min(0.0));
            if found.is_some() || evaluations >= rules.evaluations_max {
                break;
            }
            length *= 0.5;
        }
        let Some(lower) = found else {
            // What was learned of the curvature misleads; without it, it is done.
            if fresh {
                break;
            }
            (inverse, fresh) = (identity(n), true);
            continue;
        };
        let s: Vec<f64> = (0..n).map(|i| next[i] - x[i]).collect();
        let y: Vec<f64> = (0..n).map(|i| next_gradient[i] - gradient[i]).collect();
        let small = now - lower <= DECREASE * now.abs().max(1.0);
        std::mem::swap(&mut x, &mut next);
        std::mem::swap(&mut gradient, &mut next_gradient);
        now = lower;
        if small {
            if fresh {
                break;
            }
            (inverse, fresh) = (identity(n), true);
        } else {
            learn(&mut inverse, &s, &y, fresh);
            fresh = false;
        }
    }
    Some((now, x))
}

fn finite(value: Option<f64>, gradient: &[f64]) -> Option<f64> {
    value.filter(|value| value.is_finite() && gradient.iter().all(|g| g.is_finite()))
}

fn identity(n: usize) -> Vec<f64> {
    (0..n * n).map(|at| if at / n == at % n { 1.0 } else { 0.0 }).collect()
}

/// The BFGS update of the inverse Hessian; nothing where the curvature along the step is not positive.
fn learn(inverse: &mut [f64], s: &[f64], y: &[f64], fresh: bool) {
    let n = s.len();
    let curvature = dot(s, y);
    let yy = dot(y, y);
    if curvature <= 1e-10 * (dot(s, s) * yy).sqrt() {
        return;
    }
    if fresh {
        for i in 0..n {
            inverse[i * n + i] = curvature / yy;
        }
    }
    let hy: Vec<f64> = (0..n).map(|i| dot(&inverse[i * n..(i + 1) * n], y)).collect();
    let factor = (1.0 + dot(y, &hy) / curvature) / curvature;
    for i in 0..n {
        for j in 0..n {
            inverse[i * n + j] += factor * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / curvature;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rosenbrock(x: &[f64], g: &mut [f64]) -> Option<f64> {
        let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
        g[0] = -2.0 * a - 400.0 * x[0] * b;
        g[1] = 200.0 * b;
        Some(a * a + 100.0 * b * b)
    }

    fn check(lower: [f64; 2], upper: [f64; 2], expect: [f64; 2]) {
        let rules = Descent { lower: &lower, upper: &upper, evaluations_max: 500 };
        let (_, x) = descend(&rules, vec![-1.2, 1.0], &mut rosenbrock).expect("a value");
        assert!((x[0] - expect[0]).abs() < 1e-4 && (x[1] - expect[1]).abs() < 1e-4, "{x:?} not {expect:?}");
    }

    #[test]
    fn the_banana_valley_is_followed_to_its_end_or_to_the_bound() {
        check([-5.0, -5.0], [5.0, 5.0], [1.0, 1.0]);
        check([-5.0, -5.0], [0.5, 5.0], [0.5, 0.25]);
    }

    #[test]
    fn it_stops_after_its_evaluations_and_gives_the_best_so_far() {
        let mut count = 0;
        let rules = Descent { lower: &[-5.0, -5.0], upper: &[5.0, 5.0], evaluations_max: 7 };
        let found = descend(&rules, vec![-1.2, 1.0], &mut |x, g| {
            count += 1;
            rosenbrock(x, g)
        });
        assert_eq!(count, 7);
        assert!(found.is_some_and(|(value, _)| value < 24.2));
        assert_eq!(descend(&rules, vec![0.0, 0.0], &mut |_, _| None), None);
    }
}
