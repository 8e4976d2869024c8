//! Judges proposals. The only room that can make a permit; pure, synchronous, without IO and without a clock.
//!
//! A behavior proposes; [`judge`] checks the proposal against what the host knows of the twin and against rules that
//! the behavior can neither see nor change, in a fixed order: authority, inputs, declared range, site range and
//! step, confidence, expiry. The first refusal wins and says what it saw. Doubt refuses: what is unknown, not a
//! number, or contradicts itself never passes. This is not a safety instrumented system; independent protection
//! stays in the PLC.

mod gate;
mod permit;

pub use gate::{Gate, Refusal};
pub use permit::Permit;

use geminus_core::declaration::Command;
use geminus_core::{Authority, Proposal, Quality, Timestamp, TwinIndex};

/// What the host knows of the twin and of the row that the proposal came from.
#[derive(Clone, Debug)]
pub struct TwinFacts<'a> {
    /// Which twin.
    pub twin: TwinIndex,
    /// How far its behaviors may reach.
    pub authority: Authority,
    /// Grows whenever authority, rules or owner of the twin change; a permit of an older one is void.
    pub generation: u64,
    /// Whether the twin is live: neither waiting nor stale.
    pub live: bool,
    /// Bound inputs of the behavior, with their quality in the row.
    pub inputs: &'a [(&'a str, Quality)],
    /// Time of the row.
    pub row_time: Timestamp,
    /// What the command's target has now, in the command's unit; `None` when not known.
    pub present: Option<f64>,
}

/// What the site allows for one command.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    /// The command as declared.
    pub command: &'a Command,
    /// Lowest value that the site allows; `None`: the declared one.
    pub minimum: Option<f64>,
    /// Highest value that the site allows; `None`: the declared one.
    pub maximum: Option<f64>,
    /// Largest difference to the present value; `None`: any.
    pub step_max: Option<f64>,
    /// Least confidence, 0 … 1.
    pub confidence_min: f64,
    /// Longest life of a permit in milliseconds.
    pub permit_ms: u32,
}

/// What became of a proposal.
#[derive(Debug)]
pub enum Verdict {
    /// It may be carried out, once, until the permit expires.
    Permit(Permit),
    /// It passed every check, but a person has to act: the authority is `advise`.
    Held(Held),
    /// It may not be carried out.
    Refused(Refusal),
}

/// A proposal that passed every check and is shown to a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Name of the command.
    pub command: String,
    /// Value in the command's unit.
    pub value: f64,
    /// From when on the proposal is void.
    pub expires: Timestamp,
    /// One sentence for the journal.
    pub note: String,
}

/// Judges one proposal. The same arguments give the same verdict.
#[must_use]
pub fn judge(proposal: &Proposal, facts: &TwinFacts<'_>, rules: &Rules<'_>, now: Timestamp) -> Verdict {
    let expires = match gate::pass(proposal, facts, rules, now) {
        Ok(expires) => expires,
        Err(refusal) => return Verdict::Refused(refusal),
    };
    let name = &rules.command.name;
    match facts.authority {
        Authority::Control => Verdict::Permit(Permit::new(facts, proposal, name, expires)),
        // `gate::pass` refuses `observe`; were it ever to forget, a person would still have to act.
        Authority::Advise | Authority::Observe => Verdict::Held(Held {
            command: name.clone(),
            value: proposal.value,
            expires,
            note: format!(
                "{name} = {} {} is advised (confidence {}): {}",
                proposal.value, rules.command.unit, proposal.confidence, proposal.reason
            ),
        }),
    }
}

#[cfg(test)]
mod tests;
