//! Judges proposals and commands. The only room that can make a permit; pure, synchronous, without IO and without a
//! clock.
//!
//! For a target of `[[target]]`, the site's rules are compiled into a [`Book`], which checks every wish against a
//! [`Picture`] of what is known and a [`Memory`] of what was; see `check.rs` for the order.
//!
//! A behavior proposes; [`judge`] checks the proposal against what the host knows of the twin and against rules that
//! the behavior can neither see nor change, in a fixed order: authority, inputs, declared range, site range and
//! step, confidence, expiry. The first refusal wins and says what it saw. Doubt refuses: what is unknown, not a
//! number, or contradicts itself never passes. This is not a safety instrumented system; independent protection
//! stays in the PLC.

mod book;
pub mod case;
mod check;
mod condition;
pub mod config;
mod explain;
mod gate;
mod memory;
mod permit;
mod picture;

pub use book::{Book, BookError};
pub use check::{Decision, Kind, Refused, Watched};
pub use explain::Line;
pub use gate::{Gate, Refusal};
pub use memory::{Bypassed, HandError, Latch, Mark, Memory};
pub use permit::Permit;
pub use picture::{ActiveAlarm, By, Moment, Picture, Present, Reading, Wish};

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
    /// Present while the first commands after a change of versions are limited in step.
    pub bumpless: Option<Bumpless>,
}

/// The first commands of a new version start from where the old one was: the step away from its last wish is
/// limited, so that the plant is not bumped by the change itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bumpless {
    /// The last value that was wished for, in the command's unit.
    pub last: f64,
    /// Largest step away from it.
    pub step_max: f64,
}

impl Bumpless {
    /// The wish, moved towards `last` as far as the step allows. What is no number limits nothing: the gates have
    /// refused it before.
    #[must_use]
    pub fn limit(&self, value: f64) -> f64 {
        let step_max = self.step_max.max(0.0);
        match self.last.is_finite() && step_max.is_finite() {
            true => value.clamp(self.last - step_max, self.last + step_max),
            false => value,
        }
    }
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
    /// Value in the command's unit, as limited after a change of versions.
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
    let value = rules.bumpless.map_or(proposal.value, |bumpless| bumpless.limit(proposal.value));
    // What is left of the wish is held against every gate again: the old version may have been where none may be.
    let limited = Proposal { value, ..proposal.clone() };
    if let Err(refusal) = gate::pass(&limited, facts, rules, now) {
        return Verdict::Refused(refusal);
    }
    match facts.authority {
        Authority::Control => Verdict::Permit(Permit::new(facts, value, name, expires)),
        // `gate::pass` refuses `observe`; were it ever to forget, a person would still have to act.
        Authority::Advise | Authority::Observe => {
            let limited = match value == proposal.value {
                true => String::new(),
                false => format!(", limited from {} after a change of versions", proposal.value),
            };
            Verdict::Held(Held {
                command: name.clone(),
                value,
                expires,
                note: format!(
                    "{name} = {value} {} is advised{limited} (confidence {}): {}",
                    rules.command.unit, proposal.confidence, proposal.reason
                ),
            })
        }
    }
}

#[cfg(test)]
mod tests;
