//! Who must approve a command and whose approval counts. An approval is bound to the digest of the command's bytes, is given by
//! somebody who did not propose it, counts once for each person, and expires.

use std::collections::BTreeMap;
use std::time::Duration;

use geminus_core::{Authority, Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::command::{name, same_login, same_person};
use crate::{Proposer, Record, exact};

/// Most people that a command can need.
pub const APPROVERS_MAX: u8 = 2;
/// Shortest and longest time in which people can approve.
const APPROVE_WITHIN_S: std::ops::RangeInclusive<u64> = 1..=86_400;

/// One class of commands: `[command.class.NAME]` in `site.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// How many people must approve a command of this class: 0, 1 or 2. Its proposer is not one of them.
    #[schemars(range(min = 0, max = 2))]
    pub approvers: u8,
    /// How long a command waits for approval, and how long an approval holds, in seconds: 1 … 86,400. Default 300.
    #[serde(default = "approve_within_s")]
    #[schemars(range(min = 1, max = 86400))]
    pub approve_within_s: u64,
}

fn approve_within_s() -> u64 {
    300
}

/// The classes of a site by name: `[command.class]`.
pub type Classes = BTreeMap<String, Class>;

/// Why a class cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClassError {
    /// More people than can be asked.
    #[error("approvers is {found}: 0, 1 or 2 people can be asked")]
    Approvers {
        /// How many.
        found: u8,
    },
    /// A time that is too short or too long.
    #[error("approve_within_s is {found}: 1 to 86400 seconds can be given")]
    Within {
        /// Seconds.
        found: u64,
    },
}

impl Class {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// Names the key and its bounds.
    pub fn check(&self) -> Result<(), ClassError> {
        if self.approvers > APPROVERS_MAX {
            return Err(ClassError::Approvers { found: self.approvers });
        }
        match APPROVE_WITHIN_S.contains(&self.approve_within_s) {
            true => Ok(()),
            false => Err(ClassError::Within { found: self.approve_within_s }),
        }
    }

    /// How many people must approve what `proposer` wishes of a twin with this authority: with `advise` always one at
    /// least when no person proposed it. `None`: with `observe` nothing is written, whoever wishes it.
    #[must_use]
    pub fn approvers(&self, authority: Authority, proposer: &Proposer) -> Option<u8> {
        match authority {
            Authority::Observe => None,
            Authority::Advise if !proposer.is_person() => Some(self.approvers.max(1)),
            Authority::Advise | Authority::Control => Some(self.approvers),
        }
    }

    /// How long it waits for approval, and how long an approval holds.
    #[must_use]
    pub fn approve_within(&self) -> Duration {
        Duration::from_secs(self.approve_within_s)
    }
}

/// Somebody says that a command may be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Who.
    pub by: String,
    /// Digest of the bytes that were shown.
    #[serde(with = "exact::digest")]
    pub digest: Digest,
    /// When, by the host's clock.
    pub at: Timestamp,
}

/// Why an approval does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// Another command was approved than this one.
    #[error("what was approved ({approved}) is not this command ({command}): look at it again")]
    ChangedBytes {
        /// Of the approval.
        approved: Digest,
        /// Of the command.
        command: Digest,
    },
    /// Nobody approves his own wish.
    #[error("{by} proposed it: somebody else must approve it")]
    OwnProposal {
        /// Who.
        by: String,
    },
    /// One person counts once.
    #[error("{by} has approved it already: somebody else must approve it, too")]
    Twice {
        /// Who.
        by: String,
    },
    /// No name.
    #[error("an approval needs the name of a person")]
    Nobody,
}

impl Record {
    /// Whether this approval counts for this command now.
    pub(crate) fn approvable(&self, by: &str, digest: Digest, now: Timestamp) -> Result<(), ApprovalError> {
        if name("the approver", by).is_err() {
            return Err(ApprovalError::Nobody);
        }
        if digest != self.digest {
            return Err(ApprovalError::ChangedBytes { approved: digest, command: self.digest });
        }
        if self.command.proposer.is(by) {
            return Err(ApprovalError::OwnProposal { by: by.to_owned() });
        }
        match self.standing(now).any(|standing| same_person(&standing.by, by)) {
            true => Err(ApprovalError::Twice { by: by.to_owned() }),
            false => Ok(()),
        }
    }

    /// Approvals that hold at `now`: of distinct people, none the proposer, of these very bytes, none expired.
    pub fn standing(&self, now: Timestamp) -> impl Iterator<Item = &Approval> {
        self.standing_by(now, same_person)
    }

    /// The same, where `same` says which names mean one person.
    fn standing_by(&self, now: Timestamp, same: fn(&str, &str) -> bool) -> impl Iterator<Item = &Approval> {
        let within = self.terms.approve_within();
        self.approvals.iter().enumerate().filter_map(move |(at, approval)| {
            let holds = |approval: &Approval| {
                approval.digest == self.digest
                    && now < approval.at.plus(within)
                    && !self.command.proposer.is_by(&approval.by, same)
            };
            let again = |earlier: &Approval| holds(earlier) && same(&earlier.by, &approval.by);
            let first = !self.approvals.iter().take(at).any(again);
            (holds(approval) && first).then_some(approval)
        })
    }

    /// How many people are still missing at `now`.
    #[must_use]
    pub fn missing_approvals(&self, now: Timestamp) -> u8 {
        let have = u8::try_from(self.standing(now).count()).unwrap_or(u8::MAX);
        self.terms.approvers.saturating_sub(have)
    }

    /// Whether it had its approvals at `sent`, as a host counted them that took two logins of one person for two people: what it sent
    /// then it did send.
    pub(crate) fn was_approved(&self, sent: Timestamp) -> bool {
        self.standing_by(sent, same_login).count() >= usize::from(self.terms.approvers)
    }
}
