//! What the surrogate knows beforehand: the committed batches are those of the process, our fit is no worse than
//! scikit-learn's, the defaults are its figures, and predictions with them hold on batches that were not learned from.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]

#[path = "process/steel.rs"]
#[expect(dead_code, reason = "other steels are for other tests")]
mod process;

use geminus_models::gaussian_process::{Fit, GaussianProcess, Hyperparameters};
use geminus_sdk::{Random, parameter};
use heat_treatment::FurnaceParameters;
use process::Steel;

/// Settings, hardness without noise and with it.
fn batches() -> Vec<([f64; 3], f64, f64)> {
    let lines = include_str!("../training/batches.csv").lines().skip(1);
    let numbers = lines.map(|line| line.split(',').map(|cell| cell.parse().expect("a number")).collect());
    numbers.map(|cells: Vec<f64>| ([cells[0], cells[1], cells[2]], cells[3], cells[4])).collect()
}

/// What scikit-learn found, by name.
fn found(name: &str) -> f64 {
    let line = include_str!("../training/fit.txt").lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(' ')).expect(name).1.parse().expect("a number")
}

fn coordinates(settings: [f64; 3]) -> [f64; 3] {
    [settings[0], settings[1].log10(), settings[2].log10()]
}

#[test]
fn the_batches_are_those_of_the_process() {
    let batches = batches();
    assert_eq!(batches.len(), 60);
    for (settings, truth, _) in &batches {
        let here = Steel::default().hardness(*settings);
        assert!((here - truth).abs() < 1e-9, "{settings:?}: {here}, {truth} there");
    }
}

#[test]
fn our_fit_is_no_worse_and_the_defaults_are_its_figures() {
    let batches = batches();
    let x: Vec<f64> = batches.iter().flat_map(|(settings, ..)| coordinates(*settings)).collect();
    let y: Vec<f64> = batches.iter().map(|(.., told)| *told).collect();
    let mut random = Random::new(1);
    let fitted = GaussianProcess::fit(&x, &y, 3, &Fit::default(), &mut || random.uniform()).expect("a fit");
    let (here, there) = (fitted.log_likelihood(), found("log_likelihood"));
    println!("log-likelihood {here:.4}, {there:.4} by scikit-learn");
    assert!(here >= there - 1e-3, "{here}, {there} by scikit-learn");
    let p: FurnaceParameters = parameter::from_json(b"{}").expect("defaults");
    let defaults = [
        ("temperature_length", p.temperature_length),
        ("soak_length", p.soak_length),
        ("quench_length", p.quench_length),
        ("hardness_deviation", p.hardness_deviation),
        ("hardness_noise", p.hardness_noise),
    ];
    for (name, default) in defaults {
        assert!((default / found(name) - 1.0).abs() < 0.05, "{name}: {default}, {} was found", found(name));
    }
}

/// The figures of the README: a full window predicts the batches that it does not hold.
#[test]
fn a_full_window_predicts_other_batches_within_their_noise() {
    let batches = batches();
    let (known, others) = batches.split_at(24);
    let x: Vec<f64> = known.iter().flat_map(|(settings, ..)| coordinates(*settings)).collect();
    let y: Vec<f64> = known.iter().map(|(.., told)| *told).collect();
    let mean = y.iter().sum::<f64>() / 24.0;
    let spread = (y.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / 24.0).sqrt();
    let p: FurnaceParameters = parameter::from_json(b"{}").expect("defaults");
    let hyperparameters = Hyperparameters {
        amplitude: (p.hardness_deviation / spread).powi(2),
        lengths: vec![p.temperature_length, p.soak_length, p.quench_length],
        noise: (p.hardness_noise / spread).powi(2),
    };
    let mut surrogate = GaussianProcess::new(&x, &y, hyperparameters).expect("a surrogate");
    let (mut square, mut guess, mut held) = (0.0, 0.0, 0);
    for (settings, truth, told) in others {
        let said = surrogate.predict(&coordinates(*settings)).expect("a prediction");
        square += (said.mean - truth).powi(2);
        guess += (mean - truth).powi(2);
        held += u32::from((said.mean - told).abs() < 1.96 * said.deviation);
    }
    let count = 36.0;
    let (rmse, guess) = (f64::sqrt(square / count), f64::sqrt(guess / count));
    println!("36 other batches: RMSE {rmse:.2} HRC, {guess:.2} by the mean; {held} within 95 %");
    assert!(rmse < 0.8 && guess > 6.0, "{rmse} HRC, {guess} by the mean");
    assert!((32..=36).contains(&held), "{held} of 36 are within 95 %");
}
