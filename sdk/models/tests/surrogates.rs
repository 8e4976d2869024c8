//! Gaussian processes, their domain, expected improvement, Latin hypercubes and set-points, against scikit-learn and scipy
//! where those have the same, by their properties where not.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]

#[path = "vectors/lines.rs"]
mod vectors;

use geminus_models::Effort;
use geminus_models::acquisition::{Goal, expected_improvement};
use geminus_models::bad_input::BadInput;
use geminus_models::domain::Domain;
use geminus_models::gaussian_process::{Fit, GaussianProcess, GaussianProcessError, Hyperparameters};
use geminus_models::latin_hypercube::latin_hypercube;
use geminus_models::set_point::{SetPointError, Worth, set_point};
use proptest::prelude::*;
use vectors::{lines, uniform};

fn count(number: f64) -> usize {
    number as usize
}

#[test]
fn fixed_hyperparameters_give_what_scikit_learn_gives() {
    let (mut points, mut worst) = (0, 0.0_f64);
    let lines = lines("gaussian-process.txt");
    let mut surrogate: Option<GaussianProcess> = None;
    for (place, (name, values)) in lines.iter().enumerate() {
        match name.as_str() {
            "case" => {
                let inputs = count(values[1]);
                let hyperparameters = Hyperparameters {
                    amplitude: values[2],
                    lengths: values[3..3 + inputs].to_vec(),
                    noise: values[3 + inputs],
                };
                let (x, y) = (&lines[place + 1].1, &lines[place + 2].1);
                let made = GaussianProcess::new(x, y, hyperparameters).expect("a surrogate");
                let error = (made.log_likelihood() - values[4 + inputs]).abs();
                assert!(error <= 1e-8, "log likelihood is {error:e} away");
                surrogate = Some(made);
            }
            "at" => {
                let surrogate = surrogate.as_mut().expect("a case before");
                let inputs = surrogate.inputs();
                let told = surrogate.predict(&values[1..=inputs]).expect("finite");
                let (mean, deviation) = (values[1 + inputs], values[2 + inputs]);
                worst = worst.max((told.mean - mean).abs() / mean.abs().max(1.0));
                worst = worst.max((told.deviation - deviation).abs() / deviation.max(1.0));
                points += 1;
            }
            _ => {}
        }
    }
    println!("{points} points, worst error of mean and deviation {worst:.2e}");
    assert_eq!(points, 28);
    assert!(worst <= 1e-8, "{worst:e}");
}

#[test]
fn the_published_targets_are_met() {
    let rows: Vec<[f64; 2]> = (0..10).map(|i| [f64::from(i) / 9.0, f64::from(7 * i % 10) / 9.0]).collect();
    let y: Vec<f64> = rows.iter().map(|[a, b]| (3.0 * a).sin() + b * b).collect();
    let hyperparameters = Hyperparameters { amplitude: 1.7, lengths: vec![0.4, 0.8], noise: 1e-5 };
    let mut surrogate = GaussianProcess::new(rows.as_flattened(), &y, hyperparameters).expect("a surrogate");
    assert!((surrogate.log_likelihood() + 10.818_147_757_861_631).abs() < 1e-8);
    for (at, mean, deviation) in [
        ([0.25, 0.5], 0.943_228_56, 0.049_619_82),
        ([0.9, 0.1], 0.405_980_03, 0.203_133_1),
        ([2.0, 2.0], 0.946_030_73, 0.689_963_19),
    ] {
        let told = surrogate.predict(&at).expect("finite");
        assert!((told.mean - mean).abs() < 1e-8 && (told.deviation - deviation).abs() < 1e-8, "{told:?}");
    }
}

#[test]
fn fits_are_at_least_as_likely_as_those_of_scikit_learn() {
    let lines = lines("gaussian-process-fits.txt");
    let mut fits = 0;
    for fit in lines.chunks_exact(3) {
        let (inputs, theirs) = (count(fit[0].1[0]), fit[0].1[1]);
        let rules = Fit { restarts: 10, ..Fit::default() };
        let found =
            GaussianProcess::fit(&fit[1].1, &fit[2].1, inputs, &rules, &mut uniform(1)).expect("a fit");
        println!(
            "{inputs} inputs: {:.6}, scikit-learn {theirs:.6}, {:?}",
            found.log_likelihood(),
            found.hyperparameters()
        );
        assert!(found.log_likelihood() >= theirs - 1e-3, "{} below {theirs}", found.log_likelihood());
        fits += 1;
    }
    assert_eq!(fits, 4);
}

#[test]
fn expected_improvement_equals_its_closed_form() {
    let mut compared = 0;
    for (_, values) in lines("expected-improvement.txt") {
        let goal = if values[0] > 0.0 { Goal::Minimise } else { Goal::Maximise };
        let found = expected_improvement(values[1], values[2], values[3], goal, values[4]).expect("finite");
        assert!((found - values[5]).abs() <= 1e-12 * (1.0 + values[5]), "{found} instead of {}", values[5]);
        compared += 1;
    }
    assert_eq!(compared, 60);
}

fn wave(n: u32) -> (Vec<f64>, Vec<f64>) {
    let x: Vec<f64> = (0..n).map(|i| f64::from(i) / f64::from(n - 1)).collect();
    let y = x.iter().map(|x| 50.0 + 10.0 * (6.0 * x).sin()).collect();
    (x, y)
}

#[test]
fn without_noise_it_goes_through_the_data_and_knows_less_outside() {
    let (x, y) = wave(9);
    let hyperparameters = Hyperparameters { amplitude: 1.0, lengths: vec![0.3], noise: 0.0 };
    let mut surrogate = GaussianProcess::new(&x, &y, hyperparameters).expect("a surrogate");
    for (x, y) in x.iter().zip(&y) {
        let told = surrogate.predict(&[*x]).expect("finite");
        assert!((told.mean - y).abs() < 1e-6 && told.latent_deviation < 1e-3, "{told:?} at {x}, {y}");
    }
    let deviations: Vec<f64> = [1.0, 1.05, 1.1, 1.3, 1.8, 5.0]
        .iter()
        .map(|at| surrogate.predict(&[*at]).expect("finite").latent_deviation)
        .collect();
    assert!(deviations.windows(2).all(|pair| pair[1] > pair[0]), "{deviations:?}");
    let far = surrogate.predict(&[100.0]).expect("finite");
    assert!((far.latent_deviation / far.prior_deviation - 1.0).abs() < 1e-9);
}

#[test]
fn a_prediction_outside_its_domain_is_marked() {
    let (x, y) = wave(9);
    let mut surrogate = GaussianProcess::fit(&x, &y, 1, &Fit::default(), &mut uniform(2)).expect("a fit");
    let domain = Domain::of_rows(surrogate.rows(), 1, 0.0, 0.5).expect("a domain");
    for (at, inside) in [(0.4, true), (1.0, true), (1.001, false), (-3.0, false)] {
        let told = surrogate.predict(&[at]).expect("finite");
        assert_eq!(domain.judge(&[at], &told).is_inside(), inside, "{at}");
    }
}

#[test]
fn the_same_draws_give_the_same_fit() {
    let (x, y) = wave(12);
    let fit = |seed| GaussianProcess::fit(&x, &y, 1, &Fit::default(), &mut uniform(seed)).expect("a fit");
    assert_eq!(fit(5), fit(5));
}

#[test]
fn bad_data_is_named() {
    let (x, y) = wave(5);
    let check = |x: &[f64], y: &[f64], lengths: &[f64], amplitude: f64, noise: f64, says: &str| {
        let lengths = lengths.to_vec();
        let found =
            GaussianProcess::new(x, y, Hyperparameters { amplitude, lengths, noise }).expect_err(says);
        assert!(found.to_string().starts_with(says), "{found} instead of {says}");
    };
    check(&[], &[], &[1.0], 1.0, 0.1, "y is empty, give at least 2");
    check(&x, &y[..4], &[1.0], 1.0, 0.1, "x has 5 numbers, give 4");
    check(&x, &y, &[1.0, 1.0], 1.0, 0.1, "x has 5 numbers, give 10");
    check(&x, &y, &[], 1.0, 0.1, "lengths is empty");
    check(&x, &y, &[0.0], 1.0, 0.1, "lengths[0] is 0, it must be above 0");
    check(&x, &y, &[f64::NAN], 1.0, 0.1, "lengths[0] is NaN, give a finite number");
    check(&x, &y, &[1.0], -1.0, 0.1, "amplitude[0] is -1, it must be above 0");
    check(&x, &y, &[1.0], 1.0, -0.1, "noise[0] is -0.1, it must be 0 or more");
    check(&x, &[1.0, f64::INFINITY, 1.0, 1.0, 2.0], &[1.0], 1.0, 0.1, "y[1] is inf");
    check(&[0.0, f64::NAN, 0.2, 0.3, 0.4], &y, &[1.0], 1.0, 0.1, "x[1] is NaN");
    check(&x, &[3.0; 5], &[1.0], 1.0, 0.1, "column 0 of y is constant");
    check(&x, &y, &[1.0; 33], 1.0, 0.1, "lengths asks for 33, at most 32");
    check(&[0.0; 2001], &[0.0; 2001], &[1.0], 1.0, 0.1, "y asks for 2001, at most 2000");
    let huge = check_fit(&[0.0, 0.0, 0.0], &[0.0, 1.0, 2.0], 1e300);
    assert!(matches!(huge, Err(GaussianProcessError::NotPositiveDefinite { rows: 3 })), "{huge:?}");

    let fit = |x: &[f64], y: &[f64], restarts| {
        GaussianProcess::fit(x, y, 2, &Fit { restarts, ..Fit::default() }, &mut uniform(1))
            .expect_err("refused")
    };
    let constant = fit(&[1.0, 5.0, 2.0, 5.0, 3.0, 5.0], &[1.0, 2.0, 4.0], 0);
    assert_eq!(constant, BadInput::Constant { field: "x", column: 1 }.into());
    assert!(fit(&[1.0, 5.0, 2.0, 6.0], &[1.0, 2.0], 101).to_string().starts_with("restarts asks for 101"));

    let mut surrogate = check_fit(&x, &y, 1.0).expect("a surrogate");
    assert!(surrogate.predict(&[f64::NAN]).is_err() && surrogate.predict(&[]).is_err());
}

fn check_fit(x: &[f64], y: &[f64], amplitude: f64) -> Result<GaussianProcess, GaussianProcessError> {
    GaussianProcess::new(x, y, Hyperparameters { amplitude, lengths: vec![1.0], noise: 0.0 })
}

#[test]
fn samples_that_cannot_be_are_refused() {
    let check = |points, inputs, says: &str| {
        let found = latin_hypercube(points, inputs, &mut uniform(1)).expect_err(says);
        assert_eq!(found.to_string(), says);
    };
    check(0, 3, "points is empty, give at least 1");
    check(3, 0, "inputs is empty, give at least 1");
    check(1_000_001, 1, "points asks for 1000001, at most 1000000 are computed here");
    check(usize::MAX, 2, &format!("points asks for {}, at most 1000000 are computed here", usize::MAX));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_stratum_has_one_point(points in 1_usize..80, inputs in 1_usize..7, seed in any::<u64>()) {
        let sample = latin_hypercube(points, inputs, &mut uniform(seed)).expect("a sample");
        for input in 0..inputs {
            let mut seen = vec![0; points];
            for point in sample.chunks_exact(inputs) {
                prop_assert!((0.0..1.0).contains(&point[input]));
                seen[(0..points).rfind(|k| *k as f64 / points as f64 <= point[input]).expect("a stratum")] += 1;
            }
            prop_assert!(seen.iter().all(|count| *count == 1), "{:?}", seen);
        }
    }

    #[test]
    fn draws_at_the_end_of_their_range_stay_in_their_stratum(points in 1_usize..200) {
        let sample = latin_hypercube(points, 1, &mut || 1.0 - f64::EPSILON / 2.0).expect("a sample");
        for (k, x) in { let mut s = sample; s.sort_by(f64::total_cmp); s }.iter().enumerate() {
            prop_assert!((k as f64 / points as f64..(k + 1) as f64 / points as f64).contains(x), "{}: {}", k, x);
        }
    }
}

/// A yield that is best at (0.3, 0.6), known from 40 points.
fn plant() -> (GaussianProcess, Domain) {
    let x = latin_hypercube(40, 2, &mut uniform(3)).expect("a sample");
    let y: Vec<f64> =
        x.chunks_exact(2).map(|p| 80.0 - 60.0 * (p[0] - 0.3).powi(2) - 40.0 * (p[1] - 0.6).powi(2)).collect();
    let surrogate = GaussianProcess::fit(&x, &y, 2, &Fit::default(), &mut uniform(4)).expect("a fit");
    let domain = Domain::of_rows(&x, 2, 0.0, 0.8).expect("a domain");
    (surrogate, domain)
}

const BOX: (&[f64], &[f64]) = (&[0.0, 0.0], &[1.0, 1.0]);

#[test]
fn the_set_point_earns_most_within_its_limits() {
    let (mut surrogate, domain) = plant();
    let mut earn = |at: &[f64], told: &geminus_models::gaussian_process::Prediction| Worth {
        gain: told.mean - 20.0 * at[0],
        gain_deviation: told.deviation,
        excess: at[0] + at[1] - 0.7,
    };
    let present = [0.6, 0.05];
    let found =
        set_point(&mut surrogate, &domain, BOX, &present, Effort::default(), &mut earn, &mut uniform(5))
            .expect("better");
    // On the limit: d/da (−60(a−.3)² − 40(.1−a)² − 20a) = 0 at a = 24/200.
    let most = 80.0 - 60.0 * 0.18 * 0.18 - 40.0 * 0.02 * 0.02 - 20.0 * 0.12;
    assert!((found.at[0] - 0.12).abs() < 0.03 && (found.at[1] - 0.58).abs() < 0.03, "{found:?}");
    assert!((found.worth.gain - most).abs() < 0.05, "{found:?}, at most {most}");
    assert!(found.worth.excess <= 0.0 && found.worth.gain > found.present.gain && found.confidence > 0.99);
    let again =
        set_point(&mut surrogate, &domain, BOX, &present, Effort::default(), &mut earn, &mut uniform(5))
            .expect("better");
    assert_eq!(again, found);
}

#[test]
fn where_nothing_is_known_or_allowed_no_set_point_is_named() {
    let (mut surrogate, domain) = plant();
    let mut earn = |at: &[f64], told: &geminus_models::gaussian_process::Prediction| Worth {
        gain: told.mean,
        gain_deviation: told.deviation,
        excess: 3.0 - at[0],
    };
    let mut seek = |bounds: (&[f64], &[f64]), present: &[f64]| {
        set_point(&mut surrogate, &domain, bounds, present, Effort::default(), &mut earn, &mut uniform(6))
            .expect_err("refused")
    };
    let excess = seek(BOX, &[0.5, 0.5]);
    assert!(
        matches!(excess, SetPointError::Infeasible { excess, ref at } if (1.9..2.2).contains(&excess) && (at[0] - (3.0 - excess)).abs() < 1e-12),
        "{excess:?}"
    );
    assert!(matches!(seek(BOX, &[0.5, 3.0]), SetPointError::OutsideDomain(_)));
    assert!(matches!(seek((&[4.0, 4.0], &[5.0, 5.0]), &[0.5, 0.5]), SetPointError::NoSetting));
    assert!(seek(BOX, &[0.5]).to_string().starts_with("present has 1 numbers, give 2"));
    assert!(seek((&[0.0], &[1.0]), &[0.5]).to_string().starts_with("lower has 1 numbers, give 2"));
    let mut broken = |_: &[f64], _: &_| Worth { gain: f64::NAN, gain_deviation: 0.0, excess: 0.0 };
    let found =
        set_point(&mut surrogate, &domain, BOX, &[0.5, 0.5], Effort::default(), &mut broken, &mut uniform(6));
    assert!(
        matches!(found, Err(SetPointError::Input(BadInput::NotFinite { field: "worth", .. }))),
        "{found:?}"
    );
}

#[test]
fn a_search_looks_as_often_as_it_is_told() {
    let (mut surrogate, domain) = plant();
    let effort = Effort { candidates: 30, starts: 2, trials: 50 };
    let mut looks = 0;
    let mut earn = |at: &[f64], told: &geminus_models::gaussian_process::Prediction| {
        looks += 1;
        Worth { gain: told.mean - 20.0 * at[0], gain_deviation: 0.0, excess: 0.0 }
    };
    let found = set_point(&mut surrogate, &domain, BOX, &[0.5, 0.5], effort, &mut earn, &mut uniform(7))
        .expect("a setting");
    // The present settings before and among the candidates, and the answer once more.
    assert!((30..=30 + 50 + 3).contains(&looks), "{looks} looks");
    assert!(found.worth.gain > found.present.gain);
    // A gain that is known exactly is more for sure.
    assert_eq!(found.confidence, 1.0);
    let mut refused = |effort| {
        let mut earn = |_: &[f64], _: &_| Worth { gain: 0.0, gain_deviation: 0.0, excess: 0.0 };
        let found = set_point(&mut surrogate, &domain, BOX, &[0.5, 0.5], effort, &mut earn, &mut uniform(7));
        found.expect_err("refused").to_string()
    };
    assert_eq!(refused(Effort { candidates: 0, ..effort }), "candidates is empty, give at least 1");
    assert_eq!(refused(Effort { starts: 0, ..effort }), "starts is empty, give at least 1");
}

/// A present setting that breaks a limit is left though that costs, and the confidence says that it earns less.
#[test]
fn a_limit_goes_before_gain() {
    let (mut surrogate, domain) = plant();
    let mut earn = |at: &[f64], told: &geminus_models::gaussian_process::Prediction| Worth {
        gain: told.mean,
        gain_deviation: told.deviation,
        excess: 0.7 - at[0],
    };
    let present = [0.3, 0.6];
    let found =
        set_point(&mut surrogate, &domain, BOX, &present, Effort::default(), &mut earn, &mut uniform(8))
            .expect("a setting");
    assert!(found.present.excess > 0.0 && found.worth.excess <= 0.0, "{found:?}");
    assert!((found.at[0] - 0.7).abs() < 0.01 && (found.at[1] - 0.6).abs() < 0.05, "{found:?}");
    assert!(found.worth.gain < found.present.gain && found.confidence < 0.01, "{found:?}");
}

#[test]
fn a_fit_stays_within_what_is_known_beforehand() {
    let x = latin_hypercube(12, 2, &mut uniform(9)).expect("a sample");
    let y: Vec<f64> = x.chunks_exact(2).map(|p| (4.0 * p[0]).sin() + p[1]).collect();
    let at = |amplitude, length, noise| Hyperparameters { amplitude, lengths: vec![length; 2], noise };
    let fit = |within| {
        let rules = Fit { restarts: 2, within, ..Fit::default() };
        GaussianProcess::fit(&x, &y, 2, &rules, &mut uniform(10))
    };
    let free = fit(None).expect("a fit");
    assert!(free.hyperparameters().noise < 1e-3, "{:?}", free.hyperparameters());
    let (least, most) = (at(0.5, 0.2, 0.01), at(2.0, 0.6, 0.1));
    let held = fit(Some((least.clone(), most.clone()))).expect("a fit");
    let found = held.hyperparameters();
    assert!((0.01 * (1.0 - 1e-12)..=0.1).contains(&found.noise), "{found:?}");
    assert!(found.lengths.iter().all(|length| (0.2 * (1.0 - 1e-12)..=0.6 * (1.0 + 1e-12)).contains(length)));
    assert!(held.log_likelihood() < free.log_likelihood());
    let crossed = fit(Some((most, least))).expect_err("crossed").to_string();
    assert!(crossed.starts_with("within[0] is 0.6") && crossed.ends_with("at most the highest"), "{crossed}");
    let crooked = fit(Some((at(-1.0, 0.2, 0.0), at(1.0, 0.2, 0.0)))).expect_err("negative").to_string();
    assert!(crooked.starts_with("amplitude[0] is -1"), "{crooked}");
}
