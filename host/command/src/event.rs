//! What can happen to a command.

use geminus_core::Digest;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ReadBack, exact};

/// What happened to a command, or is to happen to it now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event", deny_unknown_fields)]
pub enum Event {
    /// The interlocks let it through.
    Permit,
    /// The interlocks, the authority or the owner do not let it through, at the first check or at a later one.
    Refuse {
        /// The rule.
        rule: String,
        /// What was seen, and what would be allowed.
        reason: String,
    },
    /// It is shown to people for approval.
    Hold,
    /// Somebody approves it.
    Approve {
        /// Who.
        by: String,
        /// Digest of the bytes that were shown to him.
        #[serde(with = "exact::digest")]
        digest: Digest,
    },
    /// Somebody who might approve it does not.
    Reject {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// It may be sent: the interlocks have just been asked again.
    Arm,
    /// Its bytes are about to leave. Comes before them, and is durable before they do.
    Send {
        /// What the feedback point showed right before, in the unit of the target; `None` when that is not known for certain.
        #[serde(default, with = "exact::option", skip_serializing_if = "Option::is_none")]
        before: Option<f64>,
    },
    /// The transport has it.
    Acknowledge {
        /// What the transport says.
        receipt: String,
    },
    /// The transport is sure that the field cannot have seen it.
    NotSent {
        /// Why.
        reason: String,
    },
    /// The other side turned it down.
    Decline {
        /// Its words.
        reason: String,
    },
    /// The transport lost it after it may have left.
    Lose {
        /// Why.
        reason: String,
    },
    /// A sample of the feedback point.
    ReadBack(ReadBack),
    /// Time has gone by.
    Tick,
    /// A newer command takes its place.
    Supersede {
        /// The newer command.
        by: Uuid,
    },
    /// Its proposer, or who owns the target, takes it back.
    Withdraw {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// The host has started again.
    Restart,
    /// A person has looked what became of an indeterminate command.
    Resolve {
        /// Who.
        by: String,
        /// What was found.
        note: String,
    },
    /// A newer command that is read back at the same point is about to be sent: what shows there from now on may be the newer
    /// one's doing, so it says nothing of this one.
    Overtake {
        /// The newer command.
        by: Uuid,
    },
}

/// The name of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// See [`Event::Permit`].
    Permit,
    /// See [`Event::Refuse`].
    Refuse,
    /// See [`Event::Hold`].
    Hold,
    /// See [`Event::Approve`].
    Approve,
    /// See [`Event::Reject`].
    Reject,
    /// See [`Event::Arm`].
    Arm,
    /// See [`Event::Send`].
    Send,
    /// See [`Event::Acknowledge`].
    Acknowledge,
    /// See [`Event::NotSent`].
    NotSent,
    /// See [`Event::Decline`].
    Decline,
    /// See [`Event::Lose`].
    Lose,
    /// See [`Event::ReadBack`].
    ReadBack,
    /// See [`Event::Tick`].
    Tick,
    /// See [`Event::Supersede`].
    Supersede,
    /// See [`Event::Withdraw`].
    Withdraw,
    /// See [`Event::Restart`].
    Restart,
    /// See [`Event::Resolve`].
    Resolve,
    /// See [`Event::Overtake`].
    Overtake,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Permit,
        Self::Refuse,
        Self::Hold,
        Self::Approve,
        Self::Reject,
        Self::Arm,
        Self::Send,
        Self::Acknowledge,
        Self::NotSent,
        Self::Decline,
        Self::Lose,
        Self::ReadBack,
        Self::Tick,
        Self::Supersede,
        Self::Withdraw,
        Self::Restart,
        Self::Resolve,
        Self::Overtake,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Refuse => "refuse",
            Self::Hold => "hold",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Arm => "arm",
            Self::Send => "send",
            Self::Acknowledge => "acknowledge",
            Self::NotSent => "not-sent",
            Self::Decline => "decline",
            Self::Lose => "lose",
            Self::ReadBack => "read-back",
            Self::Tick => "tick",
            Self::Supersede => "supersede",
            Self::Withdraw => "withdraw",
            Self::Restart => "restart",
            Self::Resolve => "resolve",
            Self::Overtake => "overtake",
        }
    }

    /// Whether it brings the command nearer to the field, so that it must not come late.
    pub(crate) fn is_hop(self) -> bool {
        matches!(self, Self::Permit | Self::Hold | Self::Approve | Self::Arm | Self::Send)
    }
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Event {
    /// Its name.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Permit => EventKind::Permit,
            Self::Refuse { .. } => EventKind::Refuse,
            Self::Hold => EventKind::Hold,
            Self::Approve { .. } => EventKind::Approve,
            Self::Reject { .. } => EventKind::Reject,
            Self::Arm => EventKind::Arm,
            Self::Send { .. } => EventKind::Send,
            Self::Acknowledge { .. } => EventKind::Acknowledge,
            Self::NotSent { .. } => EventKind::NotSent,
            Self::Decline { .. } => EventKind::Decline,
            Self::Lose { .. } => EventKind::Lose,
            Self::ReadBack(_) => EventKind::ReadBack,
            Self::Tick => EventKind::Tick,
            Self::Supersede { .. } => EventKind::Supersede,
            Self::Withdraw { .. } => EventKind::Withdraw,
            Self::Restart => EventKind::Restart,
            Self::Resolve { .. } => EventKind::Resolve,
            Self::Overtake { .. } => EventKind::Overtake,
        }
    }
}
