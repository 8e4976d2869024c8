//! A command and all that is known of it: where it stands, who approved it, when it was sent, what the transport said.
//!
//! A record is made by [`Record::propose`], moved by [`crate::apply`], and read back from the document that was kept of it, which is
//! looked at with mistrust. Nothing else can make one, so no record says that something was sent that was not.

use geminus_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::apply::answer_until;
use crate::{Approval, Command, CommandError, Phase, ReadBack, State, Terms, TermsError, exact};

/// A command and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub(crate) command: Command,
    #[serde(with = "exact::digest")]
    pub(crate) digest: Digest,
    pub(crate) terms: Terms,
    pub(crate) state: State,
    pub(crate) since: Timestamp,
    pub(crate) step: u32,
    pub(crate) approvals: Vec<Approval>,
    pub(crate) sent: Option<Timestamp>,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) resolved: Option<Resolution>,
    /// A sample that shows it, while the transport has not said yet whether it left at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shown: Option<ReadBack>,
    /// What the feedback point showed right before it was sent; `None` when nobody knows.
    #[serde(default, with = "exact::option", skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<f64>,
    /// A newer command that is read back at the same point and was sent before this one was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) overtaken: Option<Uuid>,
}

/// What the transport said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Its words.
    pub text: String,
    /// When they came.
    pub at: Timestamp,
}

/// What a person found out about an indeterminate command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    /// Who looked.
    pub by: String,
    /// What was found.
    pub note: String,
    /// When.
    pub at: Timestamp,
}

/// Why a command cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// It is no command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// What the site asks of it cannot work.
    #[error(transparent)]
    Terms(#[from] TermsError),
}

/// Why a document is no record.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not the JSON of a record.
    #[error("the document of a command cannot be read: {0}")]
    Json(serde_json::Error),
    /// It is one, but does not agree with itself.
    #[error("the document of command {id} contradicts itself: {what}")]
    Contradiction {
        /// The command.
        id: Uuid,
        /// What does not agree.
        what: &'static str,
    },
}

impl Record {
    /// A command as it comes in: `proposed`, or `expired` at once when its deadline is over.
    ///
    /// # Errors
    /// When it is no command, or the terms cannot work.
    pub fn propose(command: Command, terms: Terms, now: Timestamp) -> Result<Self, ProposeError> {
        command.check()?;
        terms.check()?;
        let digest = command.digest();
        let record = Self {
            command,
            digest,
            terms,
            state: State::Proposed,
            since: now,
            step: 0,
            approvals: Vec::new(),
            sent: None,
            receipt: None,
            resolved: None,
            shown: None,
            before: None,
            overtaken: None,
        };
        Ok(match record.lateness(crate::EventKind::Tick, now) {
            Some(cause) => Self { state: State::Expired { at: Phase::Proposed, cause }, ..record },
            None => record,
        })
    }

    /// What is wished.
    #[must_use]
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.command.id
    }

    /// SHA-256 of its bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What the site asks of it.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The name of that.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// When it changed last.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// How often it changed. An event that changes nothing does not count.
    #[must_use]
    pub fn step(&self) -> u32 {
        self.step
    }

    /// Every approval that was given, also those that have expired.
    #[must_use]
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    /// When it was sent; `None` when nothing has left.
    #[must_use]
    pub fn sent(&self) -> Option<Timestamp> {
        self.sent
    }

    /// The newer command because of which nothing that is read back says anything of this one any more.
    #[must_use]
    pub fn overtaken(&self) -> Option<Uuid> {
        self.overtaken
    }

    /// What the transport said.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        self.receipt.as_ref()
    }

    /// What a person found out, if it was indeterminate.
    #[must_use]
    pub fn resolved(&self) -> Option<&Resolution> {
        self.resolved.as_ref()
    }

    /// Whether it is between sending and knowing.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        match self.phase() {
            Phase::Sent => true,
            Phase::TransportAcked => self.terms.feedback.is_some(),
            _ => false,
        }
    }

    /// Whether it is indeterminate and nobody has looked yet.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.phase() == Phase::Indeterminate && self.resolved.is_none()
    }

    /// Whether it needs nobody any more: it has ended, and nobody has to look what became of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.phase().is_before_sending() && !self.is_in_flight() && !self.is_in_doubt()
    }

    /// When time alone changes it, that is when a [`crate::Event::Tick`] is due; `None`: never.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let not_after = self.command.not_after;
        match &self.state {
            State::Proposed | State::Checked => Some(not_after),
            State::Held { until } | State::Armed { until } => Some(not_after.min(*until)),
            State::Sent => self.sent.map(|sent| answer_until(&self.terms, sent)),
            State::TransportAcked => self.sent.and_then(|sent| self.terms.read_back_until(sent)),
            _ => None,
        }
    }

    /// The record as JSON, for keeping.
    ///
    /// # Errors
    /// Never for a record that exists; the encoder's error is passed on rather than guessed at.
    pub fn document(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads what [`Record::document`] wrote.
    ///
    /// # Errors
    /// When it is something else, or was altered so that it does not agree with itself.
    pub fn from_document(text: &str) -> Result<Self, DocumentError> {
        let record: Self = serde_json::from_str(text).map_err(DocumentError::Json)?;
        match record.contradiction() {
            None => Ok(record),
            Some(what) => Err(DocumentError::Contradiction { id: record.command.id, what }),
        }
    }

    /// What in it does not agree.
    fn contradiction(&self) -> Option<&'static str> {
        if self.command.check().is_err() || self.terms.check().is_err() {
            return Some("it could not have been proposed");
        }
        if self.command.digest() != self.digest {
            return Some("its bytes are not those of its digest");
        }
        let must_be_sent = match self.phase() {
            Phase::Sent | Phase::TransportAcked | Phase::Verified | Phase::Indeterminate | Phase::Failed => {
                true
            }
            Phase::Proposed | Phase::Checked | Phase::Held | Phase::Armed => false,
            Phase::Refused | Phase::Expired | Phase::Superseded => false,
        };
        if self.sent.is_some() != must_be_sent {
            return Some("its state and the time of sending do not fit");
        }
        if self.phase() == Phase::TransportAcked && self.receipt.is_none() {
            return Some("it has no receipt");
        }
        if let Some(sent) = self.sent
            && (sent >= self.command.not_after || !self.was_approved(sent))
        {
            return Some("it was sent too late or without its approvals");
        }
        if self.sent.is_none() && (self.before.is_some() || self.overtaken.is_some()) {
            return Some("it knows what comes with sending, and was not sent");
        }
        if self.shown.is_some() && self.phase() != Phase::Sent {
            return Some("a read-back waits for an answer that is not awaited");
        }
        match (&self.state, &self.terms.feedback, self.sent) {
            (State::Sent, feedback, Some(sent))
                if self.shown.is_some_and(|shown| {
                    feedback.as_ref().is_none_or(|of| !of.shows(&shown, self.command.value, sent))
                }) =>
            {
                Some("its read-back does not show it")
            }
            (State::Verified { read_back }, Some(feedback), Some(sent))
                if feedback.shows(read_back, self.command.value, sent) =>
            {
                None
            }
            (State::Verified { .. }, _, _) => Some("its read-back does not show it"),
            _ => None,
        }
    }
}
