//! What each input does in each phase.

use geminus_core::Timestamp;

use super::gate::Gate;
use super::{Input, Order, Phase, Rollout};

/// Reason of a rollout that gives way to another version.
pub(super) const SUPERSEDED: &str = "another version arrived";

impl Rollout {
    /// Takes in what happened, and answers with what has to hold now if that changed. An input that means nothing in
    /// this phase (a late answer, say) changes nothing; [`Self::objection`] tells a person beforehand.
    pub fn hear(&mut self, input: Input<'_>, now: Timestamp) -> Vec<Order> {
        if self.phase.is_end() {
            return Vec::new();
        }
        match input {
            Input::Verified if self.phase == Phase::Verifying => {
                self.enter(Phase::Compiling, "the package fits".to_owned(), now)
            }
            Input::Compiled if self.phase == Phase::Compiling => {
                self.enter(Phase::Raising, "compiled".to_owned(), now)
            }
            Input::Raised if self.phase == Phase::Raising => {
                let (next, reason) = self.after_raising();
                self.enter(next, reason, now)
            }
            Input::Verified | Input::Compiled | Input::Raised => Vec::new(),
            Input::Progress(progress) => {
                self.progress = Some(*progress);
                self.fresh = true;
                self.proven |= progress.rows_min > 0;
                self.weigh(now)
            }
            Input::Waits(what) => {
                self.waits = what;
                Vec::new()
            }
            Input::Judged(verdict) => {
                self.judged(verdict);
                self.weigh(now)
            }
            Input::Tick => self.weigh(now),
            Input::Withdrawn if self.phase == Phase::Withdrawing => self.withdrawn(None, now),
            Input::Settled if self.phase == Phase::Settling => {
                self.end(Phase::Permanent, "the old version is dropped".to_owned(), now)
            }
            Input::Withdrawn | Input::Settled => Vec::new(),
            Input::Failed(what) => self.failed(&what, now),
            Input::Promote { by } => self.promote(&by, now),
            Input::Cancel { by } => self.back(&by, "cancelled", now),
            Input::Rollback { by } => self.back(&by, "rolled back", now),
            Input::Superseded => self.superseded(now),
            Input::HostStarted => {
                let ending = self.ending.unwrap_or_else(|| self.loss());
                let why = self.reason.take().map_or(String::new(), |reason| format!("{reason}; "));
                let text = format!("{why}the host stopped in the middle of it; the incumbent runs");
                self.end(ending, text, now)
            }
        }
    }

    /// Why a person's wish would do nothing now, in words for that person; `None` when it would do something.
    #[must_use]
    pub fn objection(&self, input: &Input<'_>) -> Option<String> {
        let phase = self.phase;
        let text = match input {
            Input::Promote { .. } | Input::Cancel { .. } | Input::Rollback { .. } if phase.is_end() => {
                format!("it has ended: {phase}")
            }
            Input::Promote { .. } => match phase {
                Phase::Shadow | Phase::Canary | Phase::Probation => return None,
                _ => format!("there is nothing to promote while it is {phase}"),
            },
            Input::Cancel { .. } | Input::Rollback { .. } if phase == Phase::Withdrawing => {
                "it is already being withdrawn".to_owned()
            }
            Input::Cancel { .. } | Input::Rollback { .. } if phase == Phase::Settling => {
                "the old version is already being dropped: start a rollout of it instead".to_owned()
            }
            _ => return None,
        };
        Some(text)
    }

    fn after_raising(&self) -> (Phase, String) {
        match (self.facts.incumbent, self.plan.stages.shadow.wanted()) {
            (true, true) => (Phase::Shadow, "the candidate stands".to_owned()),
            _ => self.after_shadow("the candidate stands"),
        }
    }

    pub(super) fn after_shadow(&self, reason: &str) -> (Phase, String) {
        let canary = self.facts.incumbent && self.facts.canary > 0;
        (if canary { Phase::Canary } else { Phase::Promoting }, reason.to_owned())
    }

    /// Skips what is still to be waited for. A failing verdict cannot be overruled: it is withdrawn as soon as it is
    /// heard.
    fn promote(&mut self, by: &str, now: Timestamp) -> Vec<Order> {
        let reason = format!("promoted by {by}");
        match self.phase {
            Phase::Shadow | Phase::Canary | Phase::Probation => self.advance(&reason, now),
            _ => Vec::new(),
        }
    }

    /// To the phase after a gate.
    pub(super) fn advance(&mut self, reason: &str, now: Timestamp) -> Vec<Order> {
        let (next, reason) = match self.phase {
            Phase::Shadow => self.after_shadow(reason),
            Phase::Canary => (Phase::Promoting, reason.to_owned()),
            Phase::Promoting if self.facts.incumbent => (Phase::Probation, reason.to_owned()),
            Phase::Promoting | Phase::Probation => (Phase::Settling, reason.to_owned()),
            _ => return Vec::new(),
        };
        self.enter(next, reason, now)
    }

    /// A person wants it ended, whatever the word for it is.
    fn back(&mut self, by: &str, word: &str, now: Timestamp) -> Vec<Order> {
        let reason = format!("{word} by {by}");
        match self.phase {
            Phase::Withdrawing => Vec::new(),
            Phase::Probation | Phase::Settling => self.withdraw(Phase::RolledBack, reason, now),
            _ if word == "rolled back" => {
                let ending =
                    if self.phase.candidate_may_answer() { Phase::RolledBack } else { Phase::Cancelled };
                self.withdraw(ending, reason, now)
            }
            _ => self.withdraw(Phase::Cancelled, reason, now),
        }
    }

    fn superseded(&mut self, now: Timestamp) -> Vec<Order> {
        let reason = SUPERSEDED.to_owned();
        match self.phase {
            Phase::Probation => self.enter(Phase::Settling, reason, now),
            Phase::Withdrawing | Phase::Settling => Vec::new(),
            _ => self.withdraw(Phase::Cancelled, reason, now),
        }
    }

    fn failed(&mut self, what: &str, now: Timestamp) -> Vec<Order> {
        match self.phase {
            // Nothing was raised and nothing is under way, so there is nothing to take back.
            Phase::Verifying | Phase::Compiling => self.end(Phase::Failed, what.to_owned(), now),
            Phase::Withdrawing => self.withdrawn(Some(what), now),
            _ => self.withdraw(self.loss(), what.to_owned(), now),
        }
    }

    fn withdrawn(&mut self, trouble: Option<&str>, now: Timestamp) -> Vec<Order> {
        let ending = self.ending.unwrap_or(Phase::Failed);
        let mut reason = self.reason.clone().unwrap_or_default();
        if let Some(trouble) = trouble {
            reason = format!("{reason}; the withdrawal did not go well: {trouble}");
        }
        self.end(ending, reason, now)
    }

    /// Looks whether this phase ends: its gate, then its time.
    fn weigh(&mut self, now: Timestamp) -> Vec<Order> {
        let late = self.deadline().is_some_and(|deadline| now >= deadline);
        match self.phase {
            Phase::Verifying | Phase::Compiling | Phase::Raising if late => {
                let reason = format!("{} took longer than {} s", self.phase, self.seconds_max());
                self.withdraw(Phase::Failed, reason, now)
            }
            Phase::Verifying | Phase::Compiling | Phase::Raising => Vec::new(),
            Phase::Shadow | Phase::Canary | Phase::Promoting | Phase::Probation => match self.gate(now, late)
            {
                Gate::Shut => Vec::new(),
                Gate::Open(reason) => self.advance(&reason, now),
                Gate::Lost(reason) => self.withdraw(self.loss(), reason, now),
            },
            Phase::Withdrawing if late => {
                let text = format!("no answer within {} s", self.seconds_max());
                self.withdrawn(Some(&text), now)
            }
            Phase::Settling if late => {
                let text = format!("the new version was not assigned within {} s", self.seconds_max());
                self.withdraw(Phase::RolledBack, text, now)
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn seconds_max(&self) -> u64 {
        self.deadline().map_or(0, |deadline| deadline.since(self.since).as_secs())
    }
}
