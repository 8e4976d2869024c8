//! Which settings the next batch should have: those that teach most, those that are expected to be hardest, or the cheapest
//! that meet the specification. Each advice says what is expected of it and how likely.

use std::fmt;

use geminus_models::Effort;
use geminus_models::acquisition::{Goal, normal_probability};
use geminus_models::bayesian::{Aim, next_trial};
use geminus_models::gaussian_process::{GaussianProcess, Prediction};
use geminus_models::set_point::{SetPointError, Worth, set_point};

use crate::FurnaceParameters;
use crate::knowledge::Knowledge;
use crate::settings::{Point, Settings, around, moves};

/// How long the next settings are looked for: what a row may cost is reached with a full window.
const EFFORT: Effort = Effort { candidates: 24, starts: 1, trials: 32 };

/// Settings that are advised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Advice {
    pub(crate) at: Point,
    /// None for one of the first batches.
    pub(crate) prediction: Option<Prediction>,
    pub(crate) why: Why,
}

/// Why they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Why {
    /// One of the first batches, from which all is learned.
    First { number: usize, of: u8 },
    /// A trial that is expected to be harder than the hardest settings known.
    Harder { improvement: f64, best: f64 },
    /// No trial is expected to be harder by enough: the hardest settings known.
    Hardest,
    /// The cheapest settings that are good.
    Cheapest { saving: f64 },
    /// These settings are good, and nothing within reach is cheaper by enough.
    Keep,
    /// No settings within reach are good: the likeliest.
    Likeliest,
}

/// Probability that a batch meets the specification, its noise included.
pub(crate) fn in_specification(told: &Prediction, p: &FurnaceParameters) -> f64 {
    let below = |hardness: f64| normal_probability((hardness - told.mean) / told.deviation);
    (below(p.hardness_highest) - below(p.hardness_lowest)).clamp(0.0, 1.0)
}

/// The cheapest good settings within reach of `present`, which is where the last batch was.
///
/// # Errors
/// When nothing is known there.
pub(crate) fn cheapest(
    knowledge: &Knowledge,
    surrogate: &mut GaussianProcess,
    present: Point,
    p: &FurnaceParameters,
    uniform: &mut dyn FnMut() -> f64,
) -> Result<Advice, SetPointError> {
    let Some(domain) = knowledge.domain(p) else { return Err(SetPointError::NoSetting) };
    let (mut lower, mut upper) = around(present, p);
    let data = domain.lower().iter().zip(domain.upper());
    for ((lower, upper), (low, high)) in lower.iter_mut().zip(&mut upper).zip(data) {
        (*lower, *upper) = (lower.max(*low), upper.min(*high));
    }
    let worth = |at: &[f64], told: &Prediction| {
        let likely = in_specification(told, p);
        let beyond = (p.hardness_lowest - told.mean).max(told.mean - p.hardness_highest).max(0.0);
        // Far outside all probabilities are 0; the distance shows the way.
        let excess = p.specification_confidence - likely + beyond / (p.hardness_highest - p.hardness_lowest);
        let energy = Settings::at(point(at), p).energy(p);
        Worth { gain: -energy, gain_deviation: 0.0, excess }
    };
    let found = set_point(surrogate, &domain, (&lower, &upper), &present, EFFORT, &mut { worth }, uniform);
    match found {
        Ok(found) => {
            let saving = found.worth.gain - found.present.gain;
            if found.present.excess <= 0.0 && saving < p.saving_least.max(f64::MIN_POSITIVE) {
                let prediction = surrogate.predict(&present)?;
                return Ok(Advice { at: present, prediction: Some(prediction), why: Why::Keep });
            }
            let why = Why::Cheapest { saving };
            Ok(Advice { at: point(&found.at), prediction: Some(found.prediction), why })
        }
        Err(SetPointError::Infeasible { at, .. }) => {
            let prediction = surrogate.predict(&at)?;
            Ok(Advice { at: point(&at), prediction: Some(prediction), why: Why::Likeliest })
        }
        Err(other) => Err(other),
    }
}

/// The trial within reach of `present` that is expected to be harder by most than the hardest settings known.
pub(crate) fn harder(
    knowledge: &Knowledge,
    surrogate: &mut GaussianProcess,
    present: Point,
    p: &FurnaceParameters,
    uniform: &mut dyn FnMut() -> f64,
) -> Option<Advice> {
    // The best mean and not the hardest batch: that had luck besides.
    let mut best: Option<(Prediction, Point)> = None;
    for batch in &knowledge.batches {
        let told = surrogate.predict(&batch.at).ok()?;
        if best.is_none_or(|(hardest, _)| told.mean > hardest.mean) {
            best = Some((told, batch.at));
        }
    }
    let (hardest, at) = best?;
    let (lower, upper) = around(present, p);
    let aim = Aim { goal: Goal::Maximise, best: hardest.mean, xi: 0.0 };
    let found = next_trial(surrogate, (&lower, &upper), &aim, EFFORT, uniform).ok()?;
    let improvement = found.expected_improvement?;
    if improvement < p.improvement_least {
        return Some(Advice { at, prediction: Some(hardest), why: Why::Hardest });
    }
    let why = Why::Harder { improvement, best: hardest.mean };
    Some(Advice { at: point(&found.at), prediction: found.prediction, why })
}

impl Advice {
    /// How sure it is: how likely a batch meets the specification; of a trial, how likely it is harder than the hardest;
    /// 0 for what is to be learned from.
    pub(crate) fn confidence(&self, p: &FurnaceParameters) -> f64 {
        let Some(told) = &self.prediction else { return 0.0 };
        match self.why {
            Why::First { .. } => 0.0,
            Why::Harder { best, .. } => normal_probability((told.mean - best) / told.latent_deviation),
            Why::Hardest => 0.5,
            Why::Cheapest { .. } | Why::Keep | Why::Likeliest => in_specification(told, p),
        }
    }

    /// Which settings it would move, from those of now, by more than the deadband.
    pub(crate) fn moves(&self, present: Point, p: &FurnaceParameters) -> [bool; 3] {
        moves(present, self.at, p).map(|share| share > 0.0 && share >= p.deadband)
    }

    /// In words, with the figures.
    pub(crate) fn reason<'a>(&'a self, p: &'a FurnaceParameters) -> impl fmt::Display + 'a {
        Reason(self, p)
    }
}

/// An advice for people.
struct Reason<'a>(&'a Advice, &'a FurnaceParameters);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(advice, p) = self;
        let settings = Settings::at(advice.at, p);
        write!(f, "{settings}: ")?;
        if let Some(told) = &advice.prediction {
            let (likely, energy) = (100.0 * in_specification(told, p), settings.energy(p));
            write!(f, "{:.1} ± {:.1} HRC expected, {likely:.0} % likely within ", told.mean, told.deviation)?;
            write!(f, "{} to {} HRC, {energy:.1} kWh; ", p.hardness_lowest, p.hardness_highest)?;
        }
        match advice.why {
            Why::First { number, of } => write!(f, "batch {number} of the {of} from which is learned first"),
            Why::Harder { improvement, best } => {
                write!(f, "a trial, {improvement:.2} HRC above the hardest known ({best:.1}) on average")
            }
            Why::Hardest => f.write_str("the hardest settings known, no trial promises more"),
            Why::Cheapest { saving } if saving < 0.0 => {
                write!(f, "the cheapest that are good, at {:.1} kWh more than now", -saving)
            }
            Why::Cheapest { saving } => {
                write!(f, "the cheapest that are good, {saving:.1} kWh less than now")
            }
            Why::Keep => f.write_str("good, and nothing within reach is cheaper by enough"),
            Why::Likeliest => f.write_str("no settings within reach are good, these are the likeliest"),
        }
    }
}

/// The models give as many numbers as they were given.
fn point(at: &[f64]) -> Point {
    at.try_into().unwrap_or([f64::NAN; 3])
}
