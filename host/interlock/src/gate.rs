//! The gates, in their fixed order. Each lets a proposal through or says why not, with what it saw.

use std::time::Duration;

use geminus_core::{Authority, Proposal, Timestamp};

use crate::{Rules, TwinFacts};

/// Which check refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// The twin's authority.
    Authority,
    /// State of the twin and quality of the inputs.
    Inputs,
    /// The range that the plugin declared.
    DeclaredRange,
    /// The range and step that the site allows.
    SiteRange,
    /// The behavior's own confidence.
    Confidence,
    /// The time for which the wish stands.
    Expiry,
}

/// Why a proposal may not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{command}: {reason}")]
pub struct Refusal {
    /// Which check refused; later ones were not made.
    pub gate: Gate,
    /// Name of the command.
    pub command: String,
    /// What was seen and what would be allowed.
    pub reason: String,
}

type Pass = Result<(), (Gate, String)>;

/// Until when the proposal stands, if every gate lets it through.
pub(crate) fn pass(
    proposal: &Proposal,
    facts: &TwinFacts<'_>,
    rules: &Rules<'_>,
    now: Timestamp,
) -> Result<Timestamp, Refusal> {
    let expires = expires(proposal, facts, rules, now);
    authority(facts)
        .and_then(|()| inputs(facts))
        .and_then(|()| declared_range(proposal, rules))
        .and_then(|()| site_range(proposal, facts, rules))
        .and_then(|()| confidence(proposal, rules))
        .and_then(|()| expiry(expires, now))
        .map_err(|(gate, reason)| Refusal { gate, command: rules.command.name.clone(), reason })?;
    Ok(expires)
}

fn authority(facts: &TwinFacts<'_>) -> Pass {
    match facts.authority {
        Authority::Observe => Err((Gate::Authority, "the twin is only observed".to_owned())),
        Authority::Advise | Authority::Control => Ok(()),
    }
}

fn inputs(facts: &TwinFacts<'_>) -> Pass {
    let refuse = |reason: String| Err((Gate::Inputs, reason));
    if !facts.live {
        return refuse("the twin is not live".to_owned());
    }
    if facts.inputs.is_empty() {
        return refuse("nothing is known of the inputs".to_owned());
    }
    match facts.inputs.iter().find(|(_, quality)| !quality.usable()) {
        Some((name, quality)) => refuse(format!("input {name} is {}", quality.name())),
        None => Ok(()),
    }
}

fn declared_range(proposal: &Proposal, rules: &Rules<'_>) -> Pass {
    let (low, high) = (rules.command.minimum, rules.command.maximum);
    within(proposal.value, low, high, "declared").map_err(|reason| (Gate::DeclaredRange, reason))
}

fn site_range(proposal: &Proposal, facts: &TwinFacts<'_>, rules: &Rules<'_>) -> Pass {
    let low = rules.minimum.unwrap_or(rules.command.minimum);
    let high = rules.maximum.unwrap_or(rules.command.maximum);
    within(proposal.value, low, high, "site's").map_err(|reason| (Gate::SiteRange, reason))?;
    let Some(step_max) = rules.step_max else { return Ok(()) };
    let Some(present) = facts.present else {
        return Err((Gate::SiteRange, "the present value is not known, so the step is not".to_owned()));
    };
    let step = (proposal.value - present).abs();
    if step <= step_max {
        return Ok(());
    }
    Err((Gate::SiteRange, format!("a step of {step} from {present} is more than {step_max}")))
}

/// A value or bound that is no number is inside no range.
fn within(value: f64, low: f64, high: f64, whose: &str) -> Result<(), String> {
    if value.is_finite() && low <= value && value <= high {
        return Ok(());
    }
    Err(format!("{value} is outside the {whose} range {low} … {high}"))
}

fn confidence(proposal: &Proposal, rules: &Rules<'_>) -> Pass {
    let (given, least) = (proposal.confidence, rules.confidence_min);
    if (0.0..=1.0).contains(&given) && given >= least {
        return Ok(());
    }
    Err((Gate::Confidence, format!("confidence {given} is not within {least} … 1")))
}

/// The wish stands from its row's time on; a permit never lives longer than the site allows, also when the clock of
/// the source is ahead.
fn expires(proposal: &Proposal, facts: &TwinFacts<'_>, rules: &Rules<'_>, now: Timestamp) -> Timestamp {
    let wish = facts.row_time.plus(Duration::from_millis(u64::from(proposal.valid_for_ms)));
    wish.min(now.plus(Duration::from_millis(u64::from(rules.permit_ms))))
}

fn expiry(expires: Timestamp, now: Timestamp) -> Pass {
    if now < expires {
        return Ok(());
    }
    let late = now.since(expires).as_millis();
    Err((Gate::Expiry, format!("it expired {late} ms ago")))
}
