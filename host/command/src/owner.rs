//! Who owns a target: lockout > local > operator > behavior. A higher owner takes a target from a lower one, a lower one gets it back by
//! release, and a hand-over says what the next owner starts from, so that taking over moves nothing by itself.

use std::collections::BTreeMap;

use geminus_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::command::{REASON_BYTES_MAX, name, same_login};
use crate::{CommandError, Proposer};

/// Who goes before whom, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precedence {
    /// Behaviors and programs. They own a target that nobody else asked for.
    Behavior,
    /// A person commands through this host.
    Operator,
    /// The machine is operated at its own panel: this host writes nothing.
    Local,
    /// Nobody may write, somebody works on the machine.
    Lockout,
}

impl Precedence {
    /// Of a proposer's commands.
    #[must_use]
    pub fn of(proposer: &Proposer) -> Self {
        if proposer.is_person() { Self::Operator } else { Self::Behavior }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Behavior => "behavior",
            Self::Operator => "operator",
            Self::Local => "local",
            Self::Lockout => "lockout",
        }
    }
}

/// Somebody who asked for a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holding {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; `None`: until it is released.
    pub until: Option<Timestamp>,
}

/// Who locks a target out of which nothing is known: not the name of a person.
const HOST: &str = "the host";

/// The last value that this host wrote to a target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The value, in the target's unit.
    #[serde(with = "crate::exact")]
    pub value: f64,
    /// When.
    pub at: Timestamp,
    /// Whether a read-back showed it.
    pub verified: bool,
}

/// What the next owner of a target starts from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// From what the feedback point shows now.
    Present(f64),
    /// From the last value that was written and verified.
    Written(f64),
    /// From nothing that is known: the first command must be a person's.
    Unknown,
}

/// A target has changed hands.
#[derive(Clone, Debug, PartialEq)]
pub struct HandOver {
    /// Who owned it.
    pub from: Precedence,
    /// Who owns it now.
    pub to: Precedence,
    /// What the new owner starts from.
    pub start: Start,
}

/// Why a target does not change hands, or a command may not be proposed for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    /// Behaviors own what nobody asked for; they need not ask.
    #[error("a target falls to its behavior by itself when others release it")]
    NotAsked,
    /// Who asked has no name.
    #[error(transparent)]
    Name(CommandError),
    /// The reason is missing or too long.
    #[error("say why, in 1 to {REASON_BYTES_MAX} bytes")]
    Reason,
    /// It ends before it begins.
    #[error("the end must be in the future")]
    Until,
    /// A lockout without an end is forgotten.
    #[error("a lockout needs an end: give one, and renew it while the work goes on")]
    Endless,
    /// A lockout belongs to who set it.
    #[error("the lockout is {by}'s: only {by} can change it before it ends")]
    NotYours {
        /// Whose it is.
        by: String,
    },
    /// Nobody holds it so.
    #[error("nobody holds the target as {}", level.name())]
    NotHeld {
        /// As what.
        level: Precedence,
    },
    /// Somebody else owns the target.
    #[error("the target is held by {by} as {}: {reason}", level.name())]
    Held {
        /// As what.
        level: Precedence,
        /// By whom.
        by: String,
        /// Why.
        reason: String,
    },
    /// Nobody knows where the target stands.
    #[error("nobody knows where the target stands: a person must command it first")]
    NoStart,
}

/// Who asked for one target, and what was written to it. It is kept over restarts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ownership {
    holdings: BTreeMap<Precedence, Holding>,
    written: Option<Written>,
    /// Since the last hand-over to a behavior, what it starts from; `None` once a command has been written since.
    start: Option<Start>,
    /// Nobody may write, because what was kept of the target cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unreadable: Option<Holding>,
}

impl Ownership {
    /// Who owns the target at `now`, and as what; a behavior when nobody asked for it.
    #[must_use]
    pub fn owner(&self, now: Timestamp) -> (Precedence, Option<&Holding>) {
        if let Some(holding) = &self.unreadable {
            return (Precedence::Lockout, Some(holding));
        }
        let live = |(_, holding): &(&Precedence, &Holding)| holding.until.is_none_or(|until| now < until);
        match self.holdings.iter().rev().find(live) {
            Some((level, holding)) => (*level, Some(holding)),
            None => (Precedence::Behavior, None),
        }
    }

    /// Everybody who asked for it and whose time is not over, highest first.
    pub fn holdings(&self, now: Timestamp) -> impl Iterator<Item = (Precedence, &Holding)> {
        let live = move |holding: &Holding| holding.until.is_none_or(|until| now < until);
        let asked = self.holdings.iter().rev().filter(move |(_, holding)| live(holding));
        let unreadable = self.unreadable.iter().map(|holding| (Precedence::Lockout, holding));
        unreadable.chain(asked.map(|(level, holding)| (*level, holding)))
    }

    /// What was kept of the target cannot be read, so nobody knows who locked it out or which of its trips were latched: nobody may
    /// write until that is released with [`Ownership::release_unreadable`]. What others asked for stays.
    pub fn lock_unreadable(&mut self, reason: &str, now: Timestamp) {
        let reason = reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or_default();
        let holding = Holding { by: HOST.to_owned(), reason: reason.to_owned(), since: now, until: None };
        self.unreadable.get_or_insert(holding);
    }

    /// Whether it is locked out because what was kept of it cannot be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.unreadable.is_some()
    }

    /// Somebody has looked at the machine. Gives the hand-over, if nobody else has the target locked out.
    ///
    /// # Errors
    /// When it is not locked out for that.
    pub fn release_unreadable(
        &mut self,
        present: Option<f64>,
        now: Timestamp,
    ) -> Result<Option<HandOver>, OwnerError> {
        match self.unreadable.take() {
            None => Err(OwnerError::NotHeld { level: Precedence::Lockout }),
            Some(_) => Ok(self.hand_over(Precedence::Lockout, present, now)),
        }
    }

    /// The last value that was written; `None` when this host has written none.
    #[must_use]
    pub fn written(&self) -> Option<Written> {
        self.written
    }

    /// Asks for the target as `level`. A person takes over from another one at the same level, but for a lockout. `present`
    /// is what the feedback point shows now, if that is good. Gives the hand-over, if the owner's level changes by it.
    ///
    /// # Errors
    /// When it is not asked for properly, or a lockout is somebody else's.
    pub fn request(
        &mut self,
        level: Precedence,
        holding: Holding,
        present: Option<f64>,
        now: Timestamp,
    ) -> Result<Option<HandOver>, OwnerError> {
        if level == Precedence::Behavior {
            return Err(OwnerError::NotAsked);
        }
        name("who asks", &holding.by).map_err(OwnerError::Name)?;
        if holding.reason.trim().is_empty() || holding.reason.len() > REASON_BYTES_MAX {
            return Err(OwnerError::Reason);
        }
        match holding.until {
            Some(until) if until <= now => return Err(OwnerError::Until),
            None if level == Precedence::Lockout => return Err(OwnerError::Endless),
            _ => {}
        }
        self.may_change(level, &holding.by, now)?;
        let from = self.owner(now).0;
        self.holdings.insert(level, holding);
        Ok(self.hand_over(from, present, now))
    }

    /// Gives back what `by` holds as `level`. Others may do it for him, but not for a lockout.
    ///
    /// # Errors
    /// When nobody holds it so, or a lockout is somebody else's.
    pub fn release(
        &mut self,
        level: Precedence,
        by: &str,
        present: Option<f64>,
        now: Timestamp,
    ) -> Result<Option<HandOver>, OwnerError> {
        self.may_change(level, by, now)?;
        let from = self.owner(now).0;
        match self.holdings.remove(&level) {
            None => Err(OwnerError::NotHeld { level }),
            Some(_) => Ok(self.hand_over(from, present, now)),
        }
    }

    /// Lets go of those whose time is over, and takes what the feedback point shows as the start where none was known.
    pub fn tick(&mut self, present: Option<f64>, now: Timestamp) -> Option<HandOver> {
        let last = self.holdings.last_key_value().map_or(Precedence::Behavior, |(level, _)| *level);
        let from = if self.is_unreadable() { Precedence::Lockout } else { last };
        self.holdings.retain(|_, holding| holding.until.is_none_or(|until| now < until));
        if let (Some(Start::Unknown), Some(present)) = (self.start, present.filter(|value| value.is_finite()))
        {
            self.start = Some(Start::Present(present));
        }
        self.hand_over(from, present, now)
    }

    /// The wall clock was set from `from` to `to`: whoever has the target for a time has it for as long as was said, no longer
    /// and no shorter. Gives whether anybody has.
    pub fn clock_was_set(&mut self, from: Timestamp, to: Timestamp) -> bool {
        let moved = |time: Timestamp| match from <= to {
            true => time.plus(to.since(from)),
            false => time.minus(from.since(to)),
        };
        let mut any = false;
        for holding in self.holdings.values_mut().chain(&mut self.unreadable) {
            holding.since = moved(holding.since);
            holding.until = holding.until.map(moved);
            any = true;
        }
        any
    }

    /// This host has sent `value`, or a read-back has shown it.
    pub fn wrote(&mut self, value: f64, at: Timestamp, verified: bool) {
        self.written = Some(Written { value, at, verified });
        self.start = None;
    }

    /// Nobody knows where the target stands: a command to it became indeterminate.
    pub fn lost(&mut self) {
        if let Some(written) = &mut self.written {
            written.verified = false;
        }
    }

    /// What the behavior has to start from, as long as nothing has been written since it got the target.
    #[must_use]
    pub fn start(&self) -> Option<Start> {
        self.start
    }

    /// Whether `proposer` may command the target now.
    ///
    /// # Errors
    /// Names who holds it, and why.
    pub fn may_command(&self, proposer: &Proposer, now: Timestamp) -> Result<(), OwnerError> {
        let own = |holding: &Holding| match proposer {
            Proposer::Operator { name } => same_login(name, &holding.by),
            Proposer::Behavior { .. } | Proposer::Program { .. } => false,
        };
        match self.owner(now) {
            (Precedence::Operator, Some(holding)) if own(holding) => Ok(()),
            (level, Some(holding)) => {
                Err(OwnerError::Held { level, by: holding.by.clone(), reason: holding.reason.clone() })
            }
            (_, None) if self.start == Some(Start::Unknown) && !proposer.is_person() => {
                Err(OwnerError::NoStart)
            }
            (_, None) => Ok(()),
        }
    }

    fn may_change(&self, level: Precedence, by: &str, now: Timestamp) -> Result<(), OwnerError> {
        match self.holdings.get(&level) {
            Some(holding)
                if level == Precedence::Lockout
                    && holding.until.is_none_or(|until| now < until)
                    && !same_login(&holding.by, by) =>
            {
                Err(OwnerError::NotYours { by: holding.by.clone() })
            }
            _ => Ok(()),
        }
    }

    fn hand_over(&mut self, from: Precedence, present: Option<f64>, now: Timestamp) -> Option<HandOver> {
        let to = self.owner(now).0;
        let start = match (present.filter(|value| value.is_finite()), self.written) {
            (Some(present), _) => Start::Present(present),
            // A panel may have moved it since.
            (None, Some(written)) if written.verified && from < Precedence::Local => {
                Start::Written(written.value)
            }
            (None, _) => Start::Unknown,
        };
        if from == to {
            return None;
        }
        self.start = Some(start);
        Some(HandOver { from, to, start })
    }
}

#[cfg(test)]
mod tests;
