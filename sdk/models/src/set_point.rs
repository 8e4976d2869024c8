//! Economic set-point optimisation: the settings that earn most, where a surrogate is believed and limits hold.
//!
//! The caller says what a setting earns and by how much it breaks its limits, both from the surrogate's mean and
//! deviation. Settings that keep the limits go before any that do not; outside the domain nothing is considered. The
//! answer carries what a proposal has to: the predicted effect and how likely it is an improvement.

use thiserror::Error;

use crate::acquisition::normal_probability;
use crate::bad_input::{self, BadInput};
use crate::domain::Domain;
use crate::gaussian_process::{GaussianProcess, Prediction};
use crate::latin_hypercube::latin_hypercube;
use crate::search::{Effort, Search, search};

/// Why there is no better setting.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SetPointError {
    /// A field that cannot be worked with.
    #[error(transparent)]
    Input(#[from] BadInput),
    /// The present setting is where nothing is known.
    #[error(
        "the present settings are outside the domain of the surrogate ({0}): bring the plant back, or teach it there"
    )]
    OutsideDomain(String),
    /// Between these bounds the surrogate knows nothing.
    #[error(
        "no setting between lower and upper is within the domain of the surrogate: widen the bounds or add data"
    )]
    NoSetting,
    /// No setting keeps the limits.
    #[error("no setting keeps the limits, the least excess is {excess}: loosen a limit or widen the bounds")]
    Infeasible {
        /// In the unit in which the excess is told.
        excess: f64,
        /// The settings with it.
        at: Vec<f64>,
    },
}

/// What a setting is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// What it earns, the more the better.
    pub gain: f64,
    /// 1 σ of that.
    pub gain_deviation: f64,
    /// By how much it breaks its limits, 0 or less where it keeps them.
    pub excess: f64,
}

/// A better setting.
#[derive(Clone, Debug, PartialEq)]
pub struct SetPoint {
    /// The settings.
    pub at: Vec<f64>,
    /// What the surrogate expects there.
    pub prediction: Prediction,
    /// What they are worth.
    pub worth: Worth,
    /// What the present ones are worth.
    pub present: Worth,
    /// Probability that they earn more than the present ones, as if the errors of both were independent: ½ … 1, less
    /// than ½ only where the present ones break a limit.
    pub confidence: f64,
}

/// Seeks the settings between `lower` and `upper` that earn most. `present` are the settings of now, in the domain.
/// `effort` counts predictions; besides its candidates the present settings are looked at.
/// `worth` judges settings by what the surrogate says of them. `uniform` draws numbers 0 ≤ u < 1.
///
/// # Errors
/// For bounds and settings that cannot be worked with, where nothing is known, and when no setting keeps the limits.
pub fn set_point(
    surrogate: &mut GaussianProcess,
    domain: &Domain,
    (lower, upper): (&[f64], &[f64]),
    present: &[f64],
    effort: Effort,
    worth: &mut dyn FnMut(&[f64], &Prediction) -> Worth,
    uniform: &mut dyn FnMut() -> f64,
) -> Result<SetPoint, SetPointError> {
    bad_input::bounds(lower, upper)?;
    effort.check()?;
    let inputs = surrogate.inputs();
    bad_input::finite("lower", lower, inputs)?;
    bad_input::finite("present", present, inputs)?;
    let told = surrogate.predict(present)?;
    let verdict = domain.judge(present, &told);
    if !verdict.is_inside() {
        return Err(SetPointError::OutsideDomain(verdict.to_string()));
    }
    let now = worth(present, &told);
    bad_input::finite("worth", &[now.gain, now.gain_deviation, now.excess], 3)?;

    let mut candidates = latin_hypercube(effort.candidates, inputs, uniform)?;
    for candidate in candidates.chunks_exact_mut(inputs) {
        for (value, (lower, upper)) in candidate.iter_mut().zip(lower.iter().zip(upper)) {
            *value = lower + *value * (upper - lower);
        }
    }
    candidates
        .extend(present.iter().zip(lower.iter().zip(upper)).map(|(x, (low, high))| x.clamp(*low, *high)));
    let rules = Search { lower, upper, effort };
    let found = search(&rules, &candidates, &mut |at| {
        let told = surrogate.predict(at).ok()?;
        if !domain.judge(at, &told).is_inside() {
            return None;
        }
        let Worth { gain, gain_deviation, excess } = worth(at, &told);
        // Less excess first, then more gain; what keeps its limits has none.
        let known = gain.is_finite() && gain_deviation.is_finite() && excess.is_finite();
        known.then(|| (-excess.max(0.0), gain))
    });
    let ((minus_excess, _), at) = found.ok_or(SetPointError::NoSetting)?;
    if minus_excess < 0.0 {
        return Err(SetPointError::Infeasible { excess: -minus_excess, at });
    }
    let prediction = surrogate.predict(&at)?;
    let better = worth(&at, &prediction);
    let spread =
        (better.gain_deviation * better.gain_deviation + now.gain_deviation * now.gain_deviation).sqrt();
    let more = better.gain - now.gain;
    let confidence = match spread > 0.0 {
        true => normal_probability(more / spread),
        false => f64::from(u8::from(more > 0.0)),
    };
    Ok(SetPoint { at, prediction, worth: better, present: now, confidence })
}
