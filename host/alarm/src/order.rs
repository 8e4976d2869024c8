//! What people may do to an alarm, and why it may be refused.

/// Most characters of a reason.
pub const REASON_CHARS_MAX: usize = 500;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Say that somebody knows.
    Acknowledge,
    /// Put it aside for so many minutes.
    Shelve {
        /// For how long.
        minutes: u32,
    },
    /// Take it from the shelf before its time.
    Unshelve,
    /// Take it out of service until further notice.
    OutOfService,
    /// Put it back into service.
    InService,
    /// Let go of a latched alarm whose condition is gone.
    Reset,
}

impl Action {
    /// Name in paths, and in the journal.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Shelve { .. } => "shelve",
            Self::Unshelve => "unshelve",
            Self::OutOfService => "out-of-service",
            Self::InService => "in-service",
            Self::Reset => "reset",
        }
    }
}

/// What a person wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What.
    pub action: Action,
    /// Who.
    pub by: String,
    /// Why, in their words; may be empty.
    pub reason: String,
}

/// Why it is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The twin has no such alarm.
    #[error("there is no such alarm")]
    Unknown,
    /// It is normal.
    #[error("there is nothing to acknowledge: the alarm is normal")]
    NothingToAcknowledge,
    /// Somebody was faster.
    #[error("the alarm is acknowledged already")]
    AcknowledgedAlready,
    /// Shelved, by design or out of service.
    #[error("the alarm is suppressed: unshelve it, put it back into service, or wait until it is told again")]
    Suppressed,
    /// Latched, but nobody has acknowledged it.
    #[error("acknowledge the alarm first, then reset it")]
    AcknowledgeFirst,
    /// A latch cannot be reset while the condition holds.
    #[error("the condition still holds: the alarm can be reset when it is gone")]
    StillActive,
    /// There is nothing to reset.
    #[error("there is nothing to reset: the alarm is not latched")]
    NotLatched,
    /// It is not on the shelf.
    #[error("the alarm is not shelved")]
    NotShelved,
    /// It is in service.
    #[error("the alarm is in service")]
    InService,
    /// It is out of service already.
    #[error("the alarm is out of service already")]
    OutOfServiceAlready,
    /// Too long or too short.
    #[error("an alarm can be shelved for 1 to {most} minutes, not {wished}; see alarms.shelve_max_min")]
    Shelf {
        /// What was wished.
        wished: u32,
        /// What the site allows.
        most: u32,
    },
}
