//! What the rules of a target have to remember: the last permitted value, when commands were permitted, which trips
//! are active or latched, and which rules are bypassed.
//!
//! It is kept over restarts. Times are of a monotonic clock, which starts anew with the process: after a load, and
//! should that clock ever go back, everything is taken to have happened just now. So intervals are never shorter
//! than configured, and they end. Bypasses end with the process.

use std::collections::VecDeque;
use std::time::Duration;

use geminus_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Role;
use crate::{Book, Moment, Picture};

/// Over which time commands are counted.
pub(crate) const RATE_WINDOW: Duration = Duration::from_secs(60);

/// What is remembered of one target.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// The last permitted value, in the target's unit.
    pub(crate) last: Option<f64>,
    /// When it was permitted; before any, since when the target has been watched.
    pub(crate) since: Duration,
    /// When commands of the last minute were permitted, oldest first.
    pub(crate) times: VecDeque<Duration>,
    /// Trips that stay until somebody resets them, first out first.
    pub(crate) latched: Vec<Latch>,
    /// Trips whose condition was met or doubtful at the last look.
    #[serde(skip)]
    pub(crate) tripped: Vec<String>,
    #[serde(skip)]
    pub(crate) bypassed: Vec<Bypassed>,
    /// The latest time that was seen; `None` after a load.
    #[serde(skip)]
    pub(crate) seen: Option<Duration>,
}

/// What a memory knew before a command was permitted, so that it can be as if that one had never been.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    before: (Option<f64>, Duration),
    noted: (Option<f64>, Duration),
}

/// A trip that is latched.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Latch {
    /// Name of the trip.
    pub rule: String,
    /// When it tripped, by the wall clock; for people.
    pub at: Timestamp,
    /// What was seen then.
    pub seen: String,
}

/// A rule that somebody has bypassed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bypassed {
    /// Name of the permissive.
    pub rule: String,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it ends, on the monotonic clock.
    pub until: Duration,
}

/// Why a rule is not reset or bypassed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandError {
    /// No rule of that kind has the name.
    #[error("target \"{target}\" has no {kind} \"{rule}\"")]
    Unknown {
        /// The target.
        target: String,
        /// What was looked for.
        kind: &'static str,
        /// The name.
        rule: String,
    },
    /// The rule wants another role, or nobody may.
    #[error("\"{rule}\" may not be changed by this role; it wants {wanted}")]
    Role {
        /// The rule.
        rule: String,
        /// Who may.
        wanted: String,
    },
    /// The condition of the trip is still met, or in doubt.
    #[error("\"{rule}\" is still tripped: {seen}; remove the cause first")]
    Active {
        /// The rule.
        rule: String,
        /// What is seen.
        seen: String,
    },
    /// The time is not within what the rule allows.
    #[error("\"{rule}\" may be bypassed for 1 … {max_s} s, not for {given_s} s")]
    Time {
        /// The rule.
        rule: String,
        /// What it allows.
        max_s: u32,
        /// What was wished for.
        given_s: u32,
    },
    /// Nobody named, or no reason given.
    #[error("a bypass needs the name of who does it and a reason")]
    Nameless,
}

impl Memory {
    /// Trips that stay until they are reset, first out first.
    #[must_use]
    pub fn latched(&self) -> &[Latch] {
        &self.latched
    }

    /// Whether a trip is active or latched.
    #[must_use]
    pub fn is_tripped(&self) -> bool {
        !self.tripped.is_empty() || !self.latched.is_empty()
    }

    /// The last permitted value.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.last
    }

    /// What `self` knew, where `after` is what it became when a command was permitted.
    #[must_use]
    pub fn mark(&self, after: &Self) -> Mark {
        Mark { before: (self.last, self.since), noted: (after.last, after.since) }
    }

    /// The command of this mark did not reach the target: what follows is measured from the value before. It still counts among
    /// those of its minute. Changes nothing when another one was permitted since; gives whether it did.
    pub fn roll_back(&mut self, mark: &Mark) -> bool {
        let is_last = (self.last, self.since) == mark.noted;
        if is_last {
            (self.last, self.since) = mark.before;
        }
        is_last
    }

    /// Bypasses that are in force.
    pub fn bypasses(&self, now: Moment) -> impl Iterator<Item = &Bypassed> {
        self.bypassed.iter().filter(move |bypass| now.monotonic < bypass.until)
    }

    /// Brings the times into this run of the clock.
    pub(crate) fn settle(&mut self, now: Moment) {
        let now = now.monotonic;
        if self.seen.is_none_or(|seen| now < seen) {
            self.since = now;
            self.times.iter_mut().for_each(|time| *time = now);
            self.bypassed.clear();
        }
        self.seen = Some(now);
        self.bypassed.retain(|bypass| now < bypass.until);
        while self.times.front().is_some_and(|time| now.saturating_sub(*time) >= RATE_WINDOW) {
            self.times.pop_front();
        }
    }

    pub(crate) fn permitted(&mut self, value: f64, rate: Option<u32>, now: Moment) {
        self.last = Some(value);
        self.since = now.monotonic;
        if let Some(rate) = rate {
            self.times.push_back(now.monotonic);
            while self.times.len() > rate as usize {
                self.times.pop_front();
            }
        }
    }

    /// Resets a latched trip whose condition is over. Gives whether it was latched.
    ///
    /// # Errors
    /// [`HandError`]; nothing has changed then.
    pub fn reset(
        &mut self,
        book: &Book,
        rule: &str,
        role: Role,
        picture: &Picture<'_>,
    ) -> Result<bool, HandError> {
        let unknown =
            || HandError::Unknown { target: book.target.clone(), kind: "trip", rule: rule.to_owned() };
        let known = book.trips.iter().find(|(trip, _)| trip.name == rule);
        let Some((trip, condition)) = known else {
            // A latch whose trip is no longer in the file may be removed by whoever may change the file.
            let kept = self.latched.iter().any(|latch| latch.rule == rule);
            return match (kept, role) {
                (true, Role::Engineer | Role::Admin) => Ok(self.unlatch(rule)),
                _ => Err(unknown()),
            };
        };
        if trip.reset != role {
            let wanted = format!("{:?}", trip.reset).to_lowercase();
            return Err(HandError::Role { rule: rule.to_owned(), wanted });
        }
        if condition.holds(book.readings(picture)) != Some(false) {
            let seen = book.seen(condition, picture);
            return Err(HandError::Active { rule: rule.to_owned(), seen });
        }
        Ok(self.unlatch(rule))
    }

    fn unlatch(&mut self, rule: &str) -> bool {
        let before = self.latched.len();
        self.latched.retain(|latch| latch.rule != rule);
        self.latched.len() < before
    }

    /// Bypasses a permissive that allows it, from now on for `for_s` seconds. It ends with the process.
    ///
    /// # Errors
    /// [`HandError`]; nothing has changed then.
    pub fn bypass(
        &mut self,
        book: &Book,
        rule: &str,
        (role, by, reason): (Role, &str, &str),
        for_s: u32,
        now: Moment,
    ) -> Result<(), HandError> {
        self.settle(now);
        let rule = rule.to_owned();
        let Some((permissive, _)) = book.permissives.iter().find(|(permissive, _)| permissive.name == rule)
        else {
            return Err(HandError::Unknown { target: book.target.clone(), kind: "permissive", rule });
        };
        let Some(allowed) = permissive.bypass else {
            return Err(HandError::Role { rule, wanted: "nobody".to_owned() });
        };
        if allowed.role != role {
            return Err(HandError::Role { rule, wanted: format!("{:?}", allowed.role).to_lowercase() });
        }
        if by.trim().is_empty() || reason.trim().is_empty() {
            return Err(HandError::Nameless);
        }
        if !(1..=allowed.max_s).contains(&for_s) {
            return Err(HandError::Time { rule, max_s: allowed.max_s, given_s: for_s });
        }
        self.bypassed.retain(|bypass| bypass.rule != rule);
        let until = now.monotonic.saturating_add(Duration::from_secs(u64::from(for_s)));
        self.bypassed.push(Bypassed { rule, by: by.to_owned(), reason: reason.to_owned(), until });
        Ok(())
    }

    /// Ends a bypass early. Gives whether there was one.
    pub fn end_bypass(&mut self, rule: &str) -> bool {
        let before = self.bypassed.len();
        self.bypassed.retain(|bypass| bypass.rule != rule);
        self.bypassed.len() < before
    }
}
