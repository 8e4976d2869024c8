//! Bayesian optimisation against the regrets that scikit-learn's Gaussian process with expected improvement reaches on
//! two functions that such loops are held by (median of ten seeds).
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]

#[path = "vectors/lines.rs"]
#[expect(dead_code, reason = "these tests read no golden lines")]
mod vectors;

use geminus_models::Effort;
use geminus_models::acquisition::Goal;
use geminus_models::bayesian::{Aim, Bayesian, BayesianError, next_trial};
use geminus_models::gaussian_process::{Fit, GaussianProcess};
use geminus_models::latin_hypercube::latin_hypercube;
use vectors::uniform;

const SEEDS: u64 = 10;

/// Dixon and Szegő 1978.
fn branin(x: &[f64]) -> f64 {
    let pi = std::f64::consts::PI;
    let a = x[1] - 5.1 / (4.0 * pi * pi) * x[0] * x[0] + 5.0 / pi * x[0] - 6.0;
    a * a + 10.0 * (1.0 - 1.0 / (8.0 * pi)) * x[0].cos() + 10.0
}

/// Dixon and Szegő 1978, six inputs.
fn hartmann(x: &[f64]) -> f64 {
    const A: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const P: [[f64; 6]; 4] = [
        [1312.0, 1696.0, 5569.0, 124.0, 8283.0, 5886.0],
        [2329.0, 4135.0, 8307.0, 3736.0, 1004.0, 9991.0],
        [2348.0, 1451.0, 3522.0, 2883.0, 3047.0, 6650.0],
        [4047.0, 8828.0, 8732.0, 5743.0, 1091.0, 381.0],
    ];
    let terms = [1.0, 1.2, 3.0, 3.2].iter().zip(A.iter().zip(&P)).map(|(weight, (a, p))| {
        let sum: f64 = (0..6).map(|j| a[j] * (x[j] - 1e-4 * p[j]).powi(2)).sum();
        weight * (-sum).exp()
    });
    -terms.sum::<f64>()
}

/// Simple regrets of ten seeds, sorted. `sign` −1 turns the function over and asks for its maximum.
fn regrets(
    f: fn(&[f64]) -> f64,
    (lower, upper): (&[f64], &[f64]),
    least: f64,
    (first, trials): (usize, usize),
    sign: f64,
) -> Vec<f64> {
    let goal = if sign > 0.0 { Goal::Minimise } else { Goal::Maximise };
    let run = |seed| {
        let mut draws = uniform(seed);
        let mut search = Bayesian::new(lower, upper, goal, 0.01, first, &mut draws).expect("bounds");
        for _ in 0..trials {
            let at = search.suggest(&mut draws).expect("a suggestion").at;
            search.observe(&at, sign * f(&at)).expect("within bounds");
        }
        sign * search.best().expect("trials").output - least
    };
    let mut found: Vec<f64> = (0..SEEDS).map(run).collect();
    found.sort_by(f64::total_cmp);
    found
}

fn median(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[sorted.len() / 2 - 1], sorted[sorted.len() / 2])
}

#[test]
fn branin_after_forty_trials() {
    for sign in [1.0, -1.0] {
        let found = regrets(branin, (&[-5.0, 0.0], &[10.0, 15.0]), 0.397_887, (10, 40), sign);
        println!("Branin, 40 trials: median {:.6}, worst {:.6}", median(&found), found[found.len() - 1]);
        assert!(median(&found) <= 0.0016 && found[0] > -1e-5, "{found:?}");
    }
}

#[test]
fn hartmann_after_seventy_trials() {
    let found = regrets(hartmann, (&[0.0; 6], &[1.0; 6]), -3.322_37, (20, 70), 1.0);
    println!("Hartmann-6, 70 trials: median {:.4}, worst {:.4}", median(&found), found[found.len() - 1]);
    assert!(median(&found) <= 0.245 && found[0] > -1e-4, "{found:?}");
}

#[test]
fn trials_that_cannot_be_used_are_refused() {
    let mut draws = uniform(1);
    let refused = |lower: &[f64], upper: &[f64], xi: f64, first: usize, says: &str| {
        let found = Bayesian::new(lower, upper, Goal::Minimise, xi, first, &mut uniform(1)).expect_err(says);
        assert!(found.to_string().starts_with(says), "{found}");
    };
    refused(&[], &[], 0.0, 5, "lower is empty");
    refused(&[0.0], &[1.0, 2.0], 0.0, 5, "upper has 2 numbers, give 1");
    refused(&[0.0], &[0.0], 0.0, 5, "upper[0] is 0, it must be above lower");
    refused(&[0.0], &[f64::INFINITY], 0.0, 5, "upper[0] is inf");
    refused(&[0.0], &[1.0], -1.0, 5, "xi[0] is -1");
    refused(&[0.0], &[1.0], 0.0, 1, "first is empty, give at least 2");
    refused(&[0.0], &[1.0], 0.0, 501, "first asks for 501");

    let mut search =
        Bayesian::new(&[0.0, 0.0], &[1.0, 2.0], Goal::Maximise, 0.0, 2, &mut draws).expect("bounds");
    assert_eq!(search.best(), None);
    for (at, output, says) in [
        (vec![0.5], 1.0, "at has 1 numbers, give 2"),
        (vec![0.5, f64::NAN], 1.0, "at[1] is NaN"),
        (vec![0.5, 2.1], 1.0, "at[1] is 2.1, it must be between lower and upper"),
        (vec![0.5, 1.0], f64::NAN, "output[0] is NaN"),
    ] {
        let found = search.observe(&at, output).expect_err(says);
        assert!(found.to_string().starts_with(says), "{found}");
    }
    for _ in 0..2 {
        assert_eq!(search.suggest(&mut draws).expect("of the design").expected_improvement, None);
    }
    // Nothing was told of the design, then all of it was the same.
    assert!(matches!(search.suggest(&mut draws), Err(BayesianError::Surrogate(_))));
    for at in [[0.1, 0.2], [0.8, 1.0], [0.3, 1.9]] {
        search.observe(&at, 7.0).expect("within bounds");
    }
    let found = search.suggest(&mut draws).expect_err("constant");
    assert!(found.to_string().starts_with("column 0 of y is constant"), "{found}");
    search.observe(&[0.5, 0.5], 9.0).expect("within bounds");
    let next = search.suggest(&mut draws).expect("a suggestion");
    assert!(next.expected_improvement.is_some_and(|ei| ei > 0.0) && next.prediction.is_some());
    assert_eq!(search.best().expect("trials").at, [0.5, 0.5]);
    for _ in 4..500 {
        search.observe(&[0.5, 0.5], 9.0).expect("within the limit");
    }
    assert!(
        search
            .observe(&[0.5, 0.5], 9.0)
            .expect_err("too many")
            .to_string()
            .starts_with("trials asks for 501")
    );
}

/// What keeps its surrogate itself, with a few looks at each trial.
#[test]
fn one_step_of_an_optimisation_with_little_effort() {
    let (lower, upper) = ([-5.0, 0.0], [10.0, 15.0]);
    let effort = Effort { candidates: 64, starts: 2, trials: 100 };
    let mut regrets: Vec<f64> = (0..SEEDS)
        .map(|seed| {
            let mut draws = uniform(seed);
            let unit = latin_hypercube(10, 2, &mut draws).expect("a sample");
            let mut x: Vec<f64> =
                unit.chunks_exact(2).flat_map(|u| [-5.0 + 15.0 * u[0], 15.0 * u[1]]).collect();
            for _ in 10..40 {
                let y: Vec<f64> = x.chunks_exact(2).map(branin).collect();
                let rules = Fit { restarts: 1, evaluations_max: 60, ..Fit::default() };
                let mut surrogate = GaussianProcess::fit(&x, &y, 2, &rules, &mut draws).expect("a fit");
                let best = y.iter().copied().fold(f64::INFINITY, f64::min);
                let aim = Aim { goal: Goal::Minimise, best, xi: 0.01 };
                let found = next_trial(&mut surrogate, (&lower, &upper), &aim, effort, &mut draws);
                let found = found.expect("a trial");
                assert!(found.prediction.is_some() && found.expected_improvement.is_some_and(|ei| ei >= 0.0));
                assert!(
                    found.at.iter().zip(lower.iter().zip(&upper)).all(|(x, (l, u))| (l..=u).contains(&x))
                );
                x.extend(found.at);
            }
            x.chunks_exact(2).map(branin).fold(f64::INFINITY, f64::min) - 0.397_887
        })
        .collect();
    regrets.sort_by(f64::total_cmp);
    println!("Branin, 40 trials, 164 looks each: median {:.6}, worst {:.6}", median(&regrets), regrets[9]);
    assert!(median(&regrets) < 0.05, "{regrets:?}");

    let (x, y) = ([0.1, 0.2, 0.8, 1.0, 0.3, 0.9], [1.0, 2.0, 3.0]);
    let mut surrogate = GaussianProcess::fit(&x, &y, 2, &Fit::default(), &mut uniform(1)).expect("a fit");
    let mut refused = |lower: &[f64], aim: &Aim, effort, says: &str| {
        let found = next_trial(&mut surrogate, (lower, &[1.0, 1.0]), aim, effort, &mut uniform(1));
        let found = found.expect_err(says).to_string();
        assert!(found.starts_with(says), "{found}");
    };
    let aim = Aim { goal: Goal::Maximise, best: 3.0, xi: 0.0 };
    refused(&[0.0], &aim, effort, "upper has 2 numbers, give 1");
    refused(&[0.0, 1.0], &aim, effort, "upper[1] is 1, it must be above lower");
    refused(&[0.0, 0.0], &Aim { best: f64::NAN, ..aim }, effort, "best[0] is NaN");
    refused(&[0.0, 0.0], &Aim { xi: -1.0, ..aim }, effort, "xi[0] is -1");
    refused(&[0.0, 0.0], &aim, Effort { candidates: 0, ..effort }, "candidates is empty");
}
