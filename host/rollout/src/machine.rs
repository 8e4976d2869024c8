//! The phases of one rollout, as a machine: it hears what happened and answers what has to hold now.
//!
//! It does nothing itself and knows no clock: `now` is an argument, and the host says [`Input::Tick`] from time to time.
//! Every phase that is not an end has a deadline and hears [`Input::Cancel`], so there is no state without a way out.
//! An order may be repeated without harm, because it names what has to hold and not a step. The host writes the
//! whole machine into control.db each time it has entered a phase and before it obeys that phase's order, so that a host
//! which was killed knows what it was doing. Permanent is only what the host has confirmed: every failure before that
//! leaves the incumbent.

use std::time::Duration;

use geminus_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Plan, Verdict, VerdictState};

mod gate;
mod hear;
mod phase;

#[cfg(test)]
mod tests;

pub use phase::{Authoritative, Facts, Input, Order, Phase, Progress, Step};

/// Longest time for flipping back and dropping the candidate.
const WITHDRAW_MAX: Duration = Duration::from_secs(60);
/// Longest time for writing the new version into the ledger and dropping the old one.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// One rollout and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    plan: Plan,
    facts: Facts,
    phase: Phase,
    since: Timestamp,
    /// What a withdrawal ends in.
    ending: Option<Phase>,
    reason: Option<String>,
    history: Vec<Step>,
    progress: Option<Progress>,
    /// Whether progress was heard in this phase.
    fresh: bool,
    /// Nothing any more: rows are counted by phase. Read, so that what an earlier host wrote down can be read.
    #[serde(default, skip_serializing)]
    rows_before: u64,
    /// State of the last verdict heard in this phase.
    verdict: Option<VerdictState>,
    /// Its words, when it did not pass.
    words: String,
    /// What holds this phase up, in an operator's words.
    #[serde(default)]
    waits: Option<String>,
    /// Whether a row was compared in any phase.
    #[serde(default)]
    proven: bool,
}

impl Rollout {
    /// A rollout that begins now, in [`Phase::Verifying`]. What it wants done first is told by [`Self::orders`].
    #[must_use]
    pub fn new(plan: Plan, facts: Facts, now: Timestamp) -> Self {
        let mut rollout = Self {
            plan,
            facts,
            phase: Phase::Verifying,
            since: now,
            ending: None,
            reason: None,
            history: Vec::new(),
            progress: None,
            fresh: false,
            rows_before: 0,
            verdict: None,
            words: String::new(),
            waits: None,
            proven: false,
        };
        rollout.note("started".to_owned(), now);
        rollout
    }

    /// The plan it follows.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What was found out about it before it began.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Since when it stands there.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// When this phase ends at the latest; `None` exactly when the rollout has ended.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let stages = &self.plan.stages;
        let span = match self.phase {
            Phase::Verifying => Duration::from_secs(stages.verify_seconds_max),
            Phase::Compiling => Duration::from_secs(stages.compile_seconds_max),
            Phase::Raising => Duration::from_secs(stages.raise_seconds_max),
            Phase::Shadow => Duration::from_secs(stages.shadow.seconds_max),
            Phase::Canary => Duration::from_secs(stages.canary.seconds_max),
            Phase::Promoting => Duration::from_secs(stages.warm_up_seconds_max),
            Phase::Probation => Duration::from_secs(stages.probation.seconds_max),
            Phase::Withdrawing => WITHDRAW_MAX,
            Phase::Settling => SETTLE_MAX,
            Phase::Permanent | Phase::RolledBack | Phase::Failed | Phase::Cancelled => return None,
        };
        Some(self.since.plus(span))
    }

    /// Why it is withdrawn or ended as it did; `None` as long as it goes on.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// What this phase waits for that may never come, such as twins that send nothing; `None` when there is no such thing.
    #[must_use]
    pub fn waits(&self) -> Option<&str> {
        self.waits.as_deref()
    }

    /// Every phase it entered, oldest first. Bounded, because no phase is entered twice.
    #[must_use]
    pub fn history(&self) -> &[Step] {
        &self.history
    }

    /// The last progress that was heard.
    #[must_use]
    pub fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()
    }

    /// What has to hold in this phase; nothing when the rollout has ended. Repeating it does no harm.
    #[must_use]
    pub fn orders(&self) -> Vec<Order> {
        match self.phase {
            Phase::Verifying => vec![Order::Verify],
            Phase::Compiling => vec![Order::Compile],
            Phase::Raising => vec![Order::Raise],
            Phase::Shadow => vec![Order::Conduct(Authoritative::Nobody)],
            Phase::Canary => vec![Order::Conduct(Authoritative::Canary)],
            Phase::Promoting | Phase::Probation => vec![Order::Conduct(Authoritative::All)],
            Phase::Withdrawing => vec![Order::Withdraw],
            Phase::Settling => vec![Order::Settle],
            Phase::Permanent | Phase::RolledBack | Phase::Failed | Phase::Cancelled => Vec::new(),
        }
    }

    fn note(&mut self, reason: String, now: Timestamp) {
        self.history.push(Step { time: now, phase: self.phase, reason });
    }

    /// Enters `phase`, which is not entered twice.
    fn enter(&mut self, phase: Phase, reason: String, now: Timestamp) -> Vec<Order> {
        self.phase = phase;
        self.since = now;
        self.fresh = false;
        // Rows of another phase say nothing about this one.
        if let Some(progress) = &mut self.progress {
            progress.rows_min = 0;
        }
        self.verdict = None;
        self.words.clear();
        self.waits = None;
        self.note(reason, now);
        self.orders()
    }

    /// Goes back: the incumbent answers for all, the candidate is dropped, and it ends in `ending`.
    fn withdraw(&mut self, ending: Phase, reason: String, now: Timestamp) -> Vec<Order> {
        self.ending = Some(ending);
        self.reason = Some(reason.clone());
        self.enter(Phase::Withdrawing, reason, now)
    }

    /// Ends here.
    fn end(&mut self, phase: Phase, reason: String, now: Timestamp) -> Vec<Order> {
        self.reason = Some(reason.clone());
        self.enter(phase, reason, now)
    }

    /// What it has ended in, or ends in as soon as it is withdrawn; `None` while that is open.
    #[must_use]
    pub fn ending(&self) -> Option<Phase> {
        if self.phase.is_end() { Some(self.phase) } else { self.ending }
    }

    /// Whether it was ended because another version arrived, and by nobody's decision about this one.
    #[must_use]
    pub fn gave_way(&self) -> bool {
        self.reason.as_deref().is_some_and(|reason| reason.starts_with(hear::SUPERSEDED))
    }

    /// What a failure in this phase ends in: a rollback only when the candidate may have answered for a twin.
    fn loss(&self) -> Phase {
        if self.phase.candidate_may_answer() { Phase::RolledBack } else { Phase::Failed }
    }

    fn judged(&mut self, verdict: &Verdict) {
        self.verdict = Some(verdict.state);
        self.words = verdict.words(verdict.state);
    }
}
