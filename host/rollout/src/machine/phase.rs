//! The words of the machine: phases, what it hears, what it orders, and what it remembers of its way.

use geminus_core::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Verdict;

/// Where a rollout stands. The last four are ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The package is checked and compared with the running version.
    Verifying,
    /// It is compiled, off the path.
    Compiling,
    /// Its instances are made, the state is tried on a copy, its twins are taken in.
    Raising,
    /// It gets the same rows; its outcome is compared and thrown away.
    Shadow,
    /// It answers for some twins.
    Canary,
    /// It takes over each twin as soon as it is warm.
    Promoting,
    /// It answers for all twins; the old version is kept warm and fed.
    Probation,
    /// The new version is being assigned for good, then the old one dropped.
    Settling,
    /// The old version answers again for all twins, the new one is being dropped.
    Withdrawing,
    /// The new version has taken over.
    Permanent,
    /// The new version had answered for twins, and was taken back.
    RolledBack,
    /// It failed before the new version answered for any twin.
    Failed,
    /// A person, or a newer version, ended it.
    Cancelled,
}

impl Phase {
    /// Every phase, in the order of a rollout.
    pub const ALL: [Self; 13] = [
        Self::Verifying,
        Self::Compiling,
        Self::Raising,
        Self::Shadow,
        Self::Canary,
        Self::Promoting,
        Self::Probation,
        Self::Settling,
        Self::Withdrawing,
        Self::Permanent,
        Self::RolledBack,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether the rollout has ended.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Permanent | Self::RolledBack | Self::Failed | Self::Cancelled)
    }

    /// Whether the candidate may answer for a twin in this phase.
    #[must_use]
    pub fn candidate_may_answer(self) -> bool {
        matches!(self, Self::Canary | Self::Promoting | Self::Probation | Self::Settling | Self::Permanent)
    }

    /// Its name, as APIs and journals show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Verifying => "verifying",
            Self::Compiling => "compiling",
            Self::Raising => "raising",
            Self::Shadow => "shadow",
            Self::Canary => "canary",
            Self::Promoting => "promoting",
            Self::Probation => "probation",
            Self::Settling => "settling",
            Self::Withdrawing => "withdrawing",
            Self::Permanent => "permanent",
            Self::RolledBack => "rolled-back",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What is found out about a rollout before it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Digest that the wished version was resolved to.
    pub digest: String,
    /// Twins that go first; no canary phase when 0.
    pub canary: u32,
    /// Whether a version runs that the new one can be compared with. Without one there is no shadow, no canary and no
    /// probation: nothing could be compared, and nothing gone back to.
    pub incumbent: bool,
}

/// How far the candidate has come, over all shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Twins that shall have the new version in the end.
    pub twins: u32,
    /// Those that the candidate has taken in.
    pub enrolled: u32,
    /// Those that it is warm for.
    pub warm: u32,
    /// Those that it answers for.
    pub authoritative: u32,
    /// Those that it should answer for and is not warm for, and that send nothing by which it could become so.
    #[serde(default)]
    pub idle: u32,
    /// Compared rows in this phase of the twin that has fewest, among the twins that the phase is about and that get
    /// rows; 0 when none of them has one. Of a canary whose twins are named all count, also those that get none.
    pub rows_min: u64,
}

/// One phase that was entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When.
    pub time: Timestamp,
    /// Which.
    pub phase: Phase,
    /// Why, in an operator's words.
    pub reason: String,
}

/// What the machine hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<'a> {
    /// The package was checked and fits.
    Verified,
    /// It was compiled.
    Compiled,
    /// The candidate stands and has taken in all its twins.
    Raised,
    /// How far it has come.
    Progress(&'a Progress),
    /// What this phase waits for that may never come, in an operator's words. It stands until something else is heard.
    Waits(Option<String>),
    /// What the evidence says.
    Judged(&'a Verdict),
    /// The incumbent answers for all twins, the candidate is dropped.
    Withdrawn,
    /// The new version is assigned in the ledger, and from there on no failure takes it back. Also what a host says at
    /// its start when it finds that the ledger was written.
    Settled,
    /// An order could not be carried out.
    Failed(String),
    /// Time went by.
    Tick,
    /// A person wants the next phase.
    Promote {
        /// Who.
        by: String,
    },
    /// A person wants it ended.
    Cancel {
        /// Who.
        by: String,
    },
    /// A person wants the old version back.
    Rollback {
        /// Who.
        by: String,
    },
    /// Another version arrived for the same binding.
    Superseded,
    /// The host was started and found this rollout unfinished.
    HostStarted,
}

/// What has to hold now. May be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Check the package, answer `Verified` or `Failed`.
    Verify,
    /// Compile it, answer `Compiled` or `Failed`.
    Compile,
    /// Raise the candidate and let it take in its twins, answer `Raised` or `Failed`.
    Raise,
    /// Let the candidate answer for these twins, each at a row boundary and as soon as it is warm, and the
    /// incumbent for all others.
    Conduct(Authoritative),
    /// Assign the new version in the ledger, all of it or nothing; answer `Failed` when that cannot be done, so that the
    /// incumbent stays. Then drop the old version for good and answer `Settled`, whatever became of that.
    Settle,
    /// Let the incumbent answer for all twins, drop whatever there is of the candidate, answer `Withdrawn`.
    Withdraw,
}

/// For whom the candidate answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authoritative {
    /// For no twin.
    Nobody,
    /// For the twins that go first.
    Canary,
    /// For all twins of the rollout.
    All,
}
