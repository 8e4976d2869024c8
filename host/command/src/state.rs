//! Where a command stands, and what is known of it there.

use geminus_core::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ReadBack;

/// Where a command stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state", deny_unknown_fields)]
pub enum State {
    /// It is written down; the interlocks have not judged it yet.
    Proposed,
    /// The interlocks let it through.
    Checked,
    /// It waits for people.
    Held {
        /// From then on it has expired.
        until: Timestamp,
    },
    /// It may be sent.
    Armed {
        /// From then on it has expired.
        until: Timestamp,
    },
    /// Its bytes may have left the host; nobody has answered.
    Sent,
    /// The transport has it. That says nothing of its effect.
    TransportAcked,
    /// The feedback point shows it.
    Verified {
        /// What showed it.
        read_back: ReadBack,
    },
    /// It was not let through. Nothing was sent.
    Refused {
        /// The rule that refused it.
        rule: String,
        /// What was seen, and what would be allowed.
        reason: String,
    },
    /// It came too late for its next step. Nothing was sent.
    Expired {
        /// Where it stood.
        at: Phase,
        /// What was over.
        cause: Lateness,
    },
    /// A newer command took its place. Nothing was sent.
    Superseded {
        /// The newer command.
        by: Uuid,
    },
    /// It is known not to be carried out: it could not be sent, or was turned down.
    Failed {
        /// Why.
        reason: String,
    },
    /// Nobody knows whether it was carried out. It is never sent again by itself.
    Indeterminate {
        /// What is not known.
        doubt: Doubt,
        /// Until then a fresh read-back may still settle it; `None` when nothing can.
        settle_until: Option<Timestamp>,
    },
}

/// What was over when a command expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lateness {
    /// Its own deadline.
    NotAfter,
    /// The time in which people could approve it.
    Approval,
    /// The time in which an armed command must be sent.
    Arming,
    /// The clock went back, so that nobody can tell how late it is.
    ClockWentBack,
}

/// What is not known of an indeterminate command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why", deny_unknown_fields)]
pub enum Doubt {
    /// The transport did not answer in time.
    NoAnswer,
    /// The transport lost it after it may have left.
    Lost {
        /// The transport's words.
        reason: String,
    },
    /// No fresh read-back showed it in time.
    NoReadBack,
    /// The host stopped before an answer came.
    Restart,
    /// The clock went back, so that no read-back can be told to be fresh.
    ClockWentBack,
}

/// The name of a state, without what is known in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// See [`State::Proposed`].
    Proposed,
    /// See [`State::Checked`].
    Checked,
    /// See [`State::Held`].
    Held,
    /// See [`State::Armed`].
    Armed,
    /// See [`State::Sent`].
    Sent,
    /// See [`State::TransportAcked`].
    TransportAcked,
    /// See [`State::Verified`].
    Verified,
    /// See [`State::Refused`].
    Refused,
    /// See [`State::Expired`].
    Expired,
    /// See [`State::Superseded`].
    Superseded,
    /// See [`State::Failed`].
    Failed,
    /// See [`State::Indeterminate`].
    Indeterminate,
}

impl Phase {
    /// All of them, in the order in which a command may pass them.
    pub const ALL: [Self; 12] = [
        Self::Proposed,
        Self::Checked,
        Self::Held,
        Self::Armed,
        Self::Sent,
        Self::TransportAcked,
        Self::Verified,
        Self::Refused,
        Self::Expired,
        Self::Superseded,
        Self::Failed,
        Self::Indeterminate,
    ];

    /// Its name, as documents and people see it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Checked => "checked",
            Self::Held => "held",
            Self::Armed => "armed",
            Self::Sent => "sent",
            Self::TransportAcked => "transport-acked",
            Self::Verified => "verified",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Indeterminate => "indeterminate",
        }
    }

    /// Whether nothing of a command in this state has left the host, and something still may.
    #[must_use]
    pub fn is_before_sending(self) -> bool {
        matches!(self, Self::Proposed | Self::Checked | Self::Held | Self::Armed)
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl State {
    /// Its name.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            Self::Proposed => Phase::Proposed,
            Self::Checked => Phase::Checked,
            Self::Held { .. } => Phase::Held,
            Self::Armed { .. } => Phase::Armed,
            Self::Sent => Phase::Sent,
            Self::TransportAcked => Phase::TransportAcked,
            Self::Verified { .. } => Phase::Verified,
            Self::Refused { .. } => Phase::Refused,
            Self::Expired { .. } => Phase::Expired,
            Self::Superseded { .. } => Phase::Superseded,
            Self::Failed { .. } => Phase::Failed,
            Self::Indeterminate { .. } => Phase::Indeterminate,
        }
    }
}
