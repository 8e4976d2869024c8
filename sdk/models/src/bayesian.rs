//! Bayesian optimisation: which point to try next when every trial is dear.
//!
//! First the points of a Latin hypercube, then, after each trial, a Gaussian process of all of them and the point of
//! greatest expected improvement. Ask with `suggest`, tell with `observe`; the caller makes the trial. All randomness is
//! an argument, so the same draws and trials give the same suggestions. Sources: Jones, Schonlau, Welch 1998; the numbers
//! it is held against stand in the README.

use thiserror::Error;

use crate::acquisition::{Goal, expected_improvement};
use crate::bad_input::{self, BadInput};
use crate::gaussian_process::{Fit, GaussianProcess, GaussianProcessError, Hyperparameters, Prediction};
use crate::latin_hypercube::latin_hypercube;
use crate::search::{Effort, Search, search};

/// Most trials that are taken in.
pub const TRIALS_MAX: usize = 500;
/// Every so many trials hyperparameters are sought from random starts as well.
const RESTART_EVERY: usize = 5;
const RESTARTS: usize = 2;
const EVALUATIONS_MAX: usize = 60;
/// How long an optimisation looks for the greatest expected improvement.
const EFFORT: Effort = Effort { candidates: 1_000, starts: 4, trials: 1_000 };

/// Why nothing is suggested.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum BayesianError {
    /// A field that cannot be worked with.
    #[error(transparent)]
    Input(#[from] BadInput),
    /// No surrogate of the trials so far.
    #[error(transparent)]
    Surrogate(#[from] GaussianProcessError),
}

/// What to try next.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The point, in the units of the bounds.
    pub at: Vec<f64>,
    /// By how much it is expected to improve, in the unit of the output; `None` for a point of the first design.
    pub expected_improvement: Option<f64>,
    /// What the surrogate expects there; `None` for a point of the first design.
    pub prediction: Option<Prediction>,
}

/// What a trial is to improve on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// Which outputs are better.
    pub goal: Goal,
    /// The best output so far; of noisy ones rather the best mean of the surrogate at what was tried.
    pub best: f64,
    /// The least improvement that counts, 0 or more.
    pub xi: f64,
}

/// The point between `lower` and `upper` whose trial is expected to improve most: one step of an optimisation whose
/// surrogate the caller keeps. `uniform` draws numbers 0 ≤ u < 1. Cost: a prediction for each look of `effort`.
///
/// # Errors
/// For bounds and an aim that cannot be worked with, and where the surrogate answers nothing.
pub fn next_trial(
    surrogate: &mut GaussianProcess,
    (lower, upper): (&[f64], &[f64]),
    aim: &Aim,
    effort: Effort,
    uniform: &mut dyn FnMut() -> f64,
) -> Result<Suggestion, BayesianError> {
    bad_input::bounds(lower, upper)?;
    effort.check()?;
    let inputs = surrogate.inputs();
    bad_input::finite("lower", lower, inputs)?;
    bad_input::finite("best", &[aim.best], 1)?;
    bad_input::finite("xi", &[aim.xi], 1)?;
    bad_input::within("xi", &[aim.xi], "0 or more", |xi| xi >= 0.0)?;
    let mut candidates = Vec::with_capacity(effort.candidates * inputs);
    for _ in 0..effort.candidates {
        candidates.extend(lower.iter().zip(upper).map(|(lower, upper)| lower + uniform() * (upper - lower)));
    }
    let rules = Search { lower, upper, effort };
    let found = search(&rules, &candidates, &mut |at| {
        let told = surrogate.predict(at).ok()?;
        expected_improvement(told.mean, told.latent_deviation, aim.best, aim.goal, aim.xi)
    });
    let rows = surrogate.rows().len() / inputs;
    let (expected, at) = found.ok_or(GaussianProcessError::NotPositiveDefinite { rows })?;
    let prediction = surrogate.predict(&at)?;
    Ok(Suggestion { at, expected_improvement: Some(expected), prediction: Some(prediction) })
}

/// The best trial so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// The point, in the units of the bounds.
    pub at: Vec<f64>,
    /// Its output.
    pub output: f64,
}

/// An optimisation over a box.
#[derive(Clone, Debug, PartialEq)]
pub struct Bayesian {
    lower: Vec<f64>,
    upper: Vec<f64>,
    goal: Goal,
    xi: f64,
    /// Points of the first design that are still to be tried, in the unit box, the next one last.
    design: Vec<Vec<f64>>,
    /// Trials so far: points in the unit box, and outputs.
    x: Vec<f64>,
    y: Vec<f64>,
    hyperparameters: Option<Hyperparameters>,
}

impl Bayesian {
    /// An optimisation between `lower` and `upper` that begins with `first` points, at least 2. `xi` is the least
    /// improvement that counts, in the unit of the output, 0 or more.
    ///
    /// # Errors
    /// For bounds that are empty, uneven, not finite or not in order, `first` outside 2 … 500, and a bad `xi`.
    pub fn new(
        lower: &[f64],
        upper: &[f64],
        goal: Goal,
        xi: f64,
        first: usize,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<Self, BadInput> {
        bad_input::bounds(lower, upper)?;
        bad_input::finite("xi", &[xi], 1)?;
        bad_input::within("xi", &[xi], "0 or more", |xi| xi >= 0.0)?;
        if first < 2 {
            return Err(BadInput::Empty { field: "first", least: 2 });
        }
        if first > TRIALS_MAX {
            return Err(BadInput::TooMany { field: "first", found: first, most: TRIALS_MAX });
        }
        let design = latin_hypercube(first, lower.len(), uniform)?;
        Ok(Self {
            lower: lower.to_vec(),
            upper: upper.to_vec(),
            goal,
            xi,
            design: design.chunks_exact(lower.len()).rev().map(<[f64]>::to_vec).collect(),
            x: Vec::new(),
            y: Vec::new(),
            hyperparameters: None,
        })
    }

    /// Takes in a trial: what came out at this point, which need not be one that was suggested.
    ///
    /// # Errors
    /// For another number of inputs, what is not finite, a point outside the bounds, and the 501st trial.
    pub fn observe(&mut self, at: &[f64], output: f64) -> Result<(), BadInput> {
        bad_input::finite("at", at, self.lower.len())?;
        bad_input::finite("output", &[output], 1)?;
        if self.y.len() >= TRIALS_MAX {
            let found = self.y.len() + 1;
            return Err(BadInput::TooMany { field: "trials", found, most: TRIALS_MAX });
        }
        let bounds = self.lower.iter().zip(&self.upper);
        for (index, (value, (lower, upper))) in at.iter().zip(bounds).enumerate() {
            if !(*lower..=*upper).contains(value) {
                let must = "between lower and upper";
                return Err(BadInput::Range { field: "at", index, value: *value, must });
            }
        }
        let widths = self.lower.iter().zip(&self.upper);
        self.x.extend(at.iter().zip(widths).map(|(x, (lower, upper))| (x - lower) / (upper - lower)));
        self.y.push(output);
        Ok(())
    }

    /// The best trial so far; `None` before the first.
    #[must_use]
    pub fn best(&self) -> Option<Best> {
        let better = |a: &(f64, &[f64]), b: &(f64, &[f64])| self.goal.gain(b.0, a.0) > 0.0;
        let trials = self.y.iter().copied().zip(self.x.chunks_exact(self.lower.len()));
        let best = trials.reduce(|best, next| if better(&best, &next) { next } else { best });
        best.map(|(output, unit)| Best { at: self.scaled(unit), output })
    }

    /// What to try next. Cost: some hundred times (trials)³, and it allocates: for a step that may take milliseconds.
    ///
    /// # Errors
    /// When there is no surrogate: fewer than 2 trials told after the first design, or all with the same output.
    pub fn suggest(&mut self, uniform: &mut dyn FnMut() -> f64) -> Result<Suggestion, BayesianError> {
        if let Some(unit) = self.design.pop() {
            let at = self.scaled(&unit);
            return Ok(Suggestion { at, expected_improvement: None, prediction: None });
        }
        let inputs = self.lower.len();
        let restarts = if self.hyperparameters.is_none() || self.y.len().is_multiple_of(RESTART_EVERY) {
            RESTARTS
        } else {
            0
        };
        let start = self.hyperparameters.take();
        let fit = Fit { restarts, start, evaluations_max: EVALUATIONS_MAX, within: None };
        let mut surrogate = GaussianProcess::fit(&self.x, &self.y, inputs, &fit, uniform)?;
        self.hyperparameters = Some(surrogate.hyperparameters().clone());
        let best = self.y.iter().copied().reduce(|a, b| if self.goal.gain(b, a) > 0.0 { b } else { a });
        let best = best.ok_or(BadInput::Empty { field: "trials", least: 2 })?;
        let (zeros, ones) = (vec![0.0; inputs], vec![1.0; inputs]);
        let aim = Aim { goal: self.goal, best, xi: self.xi };
        let found = next_trial(&mut surrogate, (&zeros, &ones), &aim, EFFORT, uniform)?;
        Ok(Suggestion { at: self.scaled(&found.at), ..found })
    }

    /// From the unit box to the units of the bounds, never outside them.
    fn scaled(&self, unit: &[f64]) -> Vec<f64> {
        let bounds = self.lower.iter().zip(&self.upper);
        let scaled = unit
            .iter()
            .zip(bounds)
            .map(|(u, (lower, upper))| (lower + u * (upper - lower)).clamp(*lower, *upper));
        scaled.collect()
    }
}
