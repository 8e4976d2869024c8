//! What an event makes of a command. The only way a record changes.
//!
//! First the table says whether the event is possible at all; then time is looked at, because a hop that comes too late ends
//! the command instead; then the event itself. Whatever is in doubt is held against the command: before sending it expires,
//! after sending it is indeterminate.

use std::time::Duration;

use geminus_core::Timestamp;

use crate::command::{REASON_BYTES_MAX, name};
use crate::{
    Approval, ApprovalError, CommandError, Doubt, Event, EventKind, Lateness, Phase, ReadBack, Receipt,
    Record, Resolution, State, Terms, outcomes,
};

/// Longest time between arming and sending: afterwards the interlocks have to be asked again, by a new command.
pub const ARMED_MAX: Duration = Duration::from_secs(10);
/// How long the transport may take to answer.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How far the host's clock may be set back without harm: as far as keeping it right takes.
pub const CLOCK_BACK_MAX: Duration = Duration::from_secs(1);
/// Most approvals that one command is given, those that expired among them.
pub const APPROVALS_MAX: usize = 16;

/// Why an event changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// The table has no such transition.
    #[error("{event} is not possible for a command that is {phase}")]
    Event {
        /// The event.
        event: EventKind,
        /// Where the command stands.
        phase: Phase,
    },
    /// People are missing.
    #[error("{missing} more approvals are needed before it can be armed")]
    Approvals {
        /// How many.
        missing: u8,
    },
    /// There is nobody to wait for.
    #[error("no approval is missing: arm it instead of holding it")]
    NothingMissing,
    /// An approval that does not count.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// Somebody approves again and again.
    #[error("it was given {APPROVALS_MAX} approvals, which have expired: propose it anew")]
    TooManyApprovals,
    /// The target has no feedback point.
    #[error("its target has no feedback, so nothing can be read back")]
    NoFeedback,
    /// A person has looked already.
    #[error("{by} has looked at it already")]
    Resolved {
        /// Who.
        by: String,
    },
    /// Who did it has no name.
    #[error(transparent)]
    Name(CommandError),
    /// A mistake of this room. The command stays as it is, and nothing is sent.
    #[error("{event} would lead from {phase} to {to}, which is not in the table: report this")]
    Broken {
        /// The event.
        event: EventKind,
        /// Where the command stands.
        phase: Phase,
        /// Where it would have come to.
        to: Phase,
    },
}

/// What `event` makes of `record` at `now`. An event that changes nothing gives the record as it was, with the same step.
///
/// # Errors
/// When the event is not possible; the record stays valid as it is.
pub fn apply(record: &Record, event: &Event, now: Timestamp) -> Result<Record, Illegal> {
    let (phase, kind) = (record.phase(), event.kind());
    let possible = outcomes(phase, kind);
    if possible.is_empty() {
        return Err(Illegal::Event { event: kind, phase });
    }
    // A clock that was set back a little makes nothing older than what was before it.
    let now = if record.clock_went_back(now) { now } else { now.max(record.since) };
    let mut next = record.clone();
    match record.lateness(kind, now) {
        Some(cause) => next.state = State::Expired { at: phase, cause },
        None => next.take(event, now)?,
    }
    if !possible.contains(&next.phase()) {
        return Err(Illegal::Broken { event: kind, phase, to: next.phase() });
    }
    if next != *record {
        next.step = record.step.saturating_add(1);
        next.since = record.since.max(now);
    }
    Ok(next)
}

/// What the start of the host makes of a command that was kept: what was checked or armed is checked again or has expired, what
/// was sent is indeterminate unless `read_back`, a sample of its feedback point, shows it. While the time for a read-back is not
/// over, a later sample can still settle it.
///
/// # Errors
/// None for a record that can be read; see [`apply`].
pub fn recover(record: &Record, read_back: Option<&ReadBack>, now: Timestamp) -> Result<Record, Illegal> {
    let seen = match read_back {
        Some(sample) if record.feedback_counts() => apply(record, &Event::ReadBack(*sample), now)?,
        _ => record.clone(),
    };
    apply(&seen, &Event::Restart, now)
}

/// Until when something must have been heard of what was sent at `sent`.
pub(crate) fn answer_until(terms: &Terms, sent: Timestamp) -> Timestamp {
    let answer = sent.plus(ANSWER_MAX);
    terms.read_back_until(sent).map_or(answer, |until| until.min(answer))
}

impl Record {
    /// What is over, when this event comes too late for a command that has not been sent.
    pub(crate) fn lateness(&self, kind: EventKind, now: Timestamp) -> Option<Lateness> {
        let looks = kind.is_hop() || matches!(kind, EventKind::Tick | EventKind::Restart);
        if !looks || !self.phase().is_before_sending() {
            return None;
        }
        if self.clock_went_back(now) {
            return Some(Lateness::ClockWentBack);
        }
        if now >= self.command.not_after {
            return Some(Lateness::NotAfter);
        }
        match &self.state {
            State::Held { until } if now >= *until => Some(Lateness::Approval),
            State::Armed { until } if now >= *until => Some(Lateness::Arming),
            State::Armed { .. } if kind == EventKind::Send && self.missing_approvals(now) > 0 => {
                Some(Lateness::Approval)
            }
            _ => None,
        }
    }

    fn clock_went_back(&self, now: Timestamp) -> bool {
        now.plus(CLOCK_BACK_MAX) < self.since
    }

    /// Whether a read-back can still change what is known.
    #[must_use]
    pub fn feedback_counts(&self) -> bool {
        let open = match &self.state {
            State::Sent | State::TransportAcked => true,
            State::Indeterminate { settle_until, .. } => settle_until.is_some() && self.resolved.is_none(),
            _ => false,
        };
        open && self.overtaken.is_none() && self.terms.feedback.is_some()
    }

    /// Whether the field may have had the wished value without it: the transport has not said that it has the command, and the
    /// field is not known to have shown another value before.
    fn may_be_so_anyway(&self) -> bool {
        let differed = self
            .terms
            .feedback
            .as_ref()
            .zip(self.before)
            .is_some_and(|(feedback, before)| (before - self.command.value).abs() > feedback.tolerance);
        self.receipt.is_none() && !differed
    }

    fn take(&mut self, event: &Event, now: Timestamp) -> Result<(), Illegal> {
        match event {
            Event::Permit => self.state = State::Checked,
            Event::Refuse { rule, reason } => self.refuse(rule, reason),
            Event::Hold => self.hold(now)?,
            Event::Approve { by, digest } => {
                self.approvable(by, *digest, now)?;
                if self.approvals.len() >= APPROVALS_MAX {
                    return Err(Illegal::TooManyApprovals);
                }
                self.approvals.push(Approval { by: by.clone(), digest: *digest, at: now });
            }
            Event::Reject { by, reason } => {
                name("who rejects it", by).map_err(Illegal::Name)?;
                self.refuse("approval", &format!("{by} did not approve it: {reason}"));
            }
            Event::Arm => self.arm(now)?,
            Event::Send { before } => {
                self.sent = Some(now);
                self.before = before.filter(|before| before.is_finite());
                self.state = State::Sent;
            }
            Event::Supersede { by } => self.state = State::Superseded { by: *by },
            Event::Withdraw { by, reason } => {
                name("who withdraws it", by).map_err(Illegal::Name)?;
                self.refuse("withdrawn", &format!("{by} took it back: {reason}"));
            }
            _ => self.hear(event, now)?,
        }
        Ok(())
    }

    /// What comes after sending.
    fn hear(&mut self, event: &Event, now: Timestamp) -> Result<(), Illegal> {
        match event {
            Event::Acknowledge { receipt } => {
                let first = Receipt { text: cut(receipt), at: now };
                self.receipt.get_or_insert(first);
                if self.phase() == Phase::Sent {
                    self.state = match self.shown.take() {
                        Some(read_back) => State::Verified { read_back },
                        None => State::TransportAcked,
                    };
                }
            }
            Event::NotSent { reason } | Event::Decline { reason } => {
                self.shown = None;
                self.state = State::Failed { reason: cut(reason) };
            }
            Event::Lose { reason } => self.doubt(Doubt::Lost { reason: cut(reason) }, now),
            Event::ReadBack(sample) => self.read_back(sample)?,
            Event::Tick => self.tick(now),
            Event::Restart => self.restart(now),
            Event::Resolve { by, note } => {
                name("who looked", by).map_err(Illegal::Name)?;
                if let Some(Resolution { by, .. }) = &self.resolved {
                    return Err(Illegal::Resolved { by: by.clone() });
                }
                self.resolved = Some(Resolution { by: by.clone(), note: cut(note), at: now });
            }
            Event::Overtake { by } => self.overtake(*by)?,
            // `take` has had the others; were one forgotten, the table would notice that nothing became of it.
            _ => return Err(Illegal::Event { event: event.kind(), phase: self.phase() }),
        }
        Ok(())
    }

    fn refuse(&mut self, rule: &str, reason: &str) {
        self.state = State::Refused { rule: cut(rule), reason: cut(reason) };
    }

    fn hold(&mut self, now: Timestamp) -> Result<(), Illegal> {
        if self.missing_approvals(now) == 0 {
            return Err(Illegal::NothingMissing);
        }
        let until = now.plus(self.terms.approve_within()).min(self.command.not_after);
        self.state = State::Held { until };
        Ok(())
    }

    fn arm(&mut self, now: Timestamp) -> Result<(), Illegal> {
        match self.missing_approvals(now) {
            0 => self.state = State::Armed { until: now.plus(ARMED_MAX).min(self.command.not_after) },
            missing => return Err(Illegal::Approvals { missing }),
        }
        Ok(())
    }

    fn read_back(&mut self, sample: &ReadBack) -> Result<(), Illegal> {
        let Some(feedback) = &self.terms.feedback else { return Err(Illegal::NoFeedback) };
        let shown = self.sent.is_some_and(|sent| feedback.shows(sample, self.command.value, sent));
        match self.phase() {
            _ if !shown || !self.feedback_counts() => {}
            Phase::Indeterminate if self.may_be_so_anyway() => {}
            Phase::Sent => {
                self.shown.get_or_insert(*sample);
            }
            _ => self.state = State::Verified { read_back: *sample },
        }
        Ok(())
    }

    /// What has shown before still counts; what shows from now on does not.
    fn overtake(&mut self, by: uuid::Uuid) -> Result<(), Illegal> {
        if self.terms.feedback.is_none() {
            return Err(Illegal::NoFeedback);
        }
        self.overtaken.get_or_insert(by);
        if let State::Indeterminate { settle_until, .. } = &mut self.state {
            *settle_until = None;
        }
        Ok(())
    }

    fn tick(&mut self, now: Timestamp) {
        let Some(sent) = self.sent else { return };
        let until = match self.phase() {
            Phase::Sent => Some(answer_until(&self.terms, sent)),
            Phase::TransportAcked => self.terms.read_back_until(sent),
            _ => None,
        };
        let Some(until) = until else { return };
        if self.clock_went_back(now) {
            self.doubt(Doubt::ClockWentBack, now);
        } else if now >= until {
            let acked = self.phase() == Phase::TransportAcked;
            self.doubt(if acked { Doubt::NoReadBack } else { Doubt::NoAnswer }, now);
        }
    }

    fn restart(&mut self, now: Timestamp) {
        match (self.phase(), self.read_back_open(now)) {
            (Phase::Checked | Phase::Armed, _) => self.state = State::Proposed,
            (Phase::Sent, _) => self.doubt(Doubt::Restart, now),
            (Phase::TransportAcked, false) if self.terms.feedback.is_some() => {
                self.doubt(Doubt::Restart, now);
            }
            _ => {}
        }
    }

    /// Whether a read-back that is received now would be in time.
    fn read_back_open(&self, now: Timestamp) -> bool {
        let until = self.sent.and_then(|sent| self.terms.read_back_until(sent));
        self.overtaken.is_none() && !self.clock_went_back(now) && until.is_some_and(|until| now < until)
    }

    fn doubt(&mut self, doubt: Doubt, now: Timestamp) {
        let until = self.sent.and_then(|sent| self.terms.read_back_until(sent));
        let settle_until = if self.read_back_open(now) { until } else { None };
        let anyway = self.may_be_so_anyway();
        self.state = match self.shown.take() {
            // It may have left, and the field shows what it did not show before; unless nobody can tell any more what was before
            // and after.
            Some(read_back) if !anyway && doubt != Doubt::ClockWentBack => State::Verified { read_back },
            _ => State::Indeterminate { doubt, settle_until },
        };
    }
}

/// As much of a text as is kept.
fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or(text).to_owned()
}
