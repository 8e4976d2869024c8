//! Whether a command is new, came before, or is too old to tell: the same id acts once, however often and however late it arrives.
//!
//! Ids that are known are looked up in what was kept; it is kept longer than [`REPLAY_WINDOW`]. An id that is not known says by
//! itself when it was made, so one from before the window is refused rather than taken for new.

use std::time::Duration;

use geminus_core::Timestamp;
use uuid::Uuid;

use crate::command::LIFE_MAX;
use crate::{Command, Record};

/// How old an id may be. No deadline is further away, so nothing is refused that could still be sent.
pub const REPLAY_WINDOW: Duration = LIFE_MAX;
/// How far ahead of the host's clock an id may be.
pub const AHEAD_MAX: Duration = Duration::from_secs(60);

/// What a command that arrives is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It was not seen before.
    New,
    /// It was: the answer is the record that there is.
    Known,
}

/// Why a command that arrives is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// One id, two commands.
    #[error("id {id} is of another command: make an id for each command")]
    OtherBytes {
        /// The id.
        id: Uuid,
    },
    /// Nobody knows any more whether it came before.
    #[error("id {id} was made {age_s} s ago, at most {} are taken: propose it anew", REPLAY_WINDOW.as_secs())]
    TooOld {
        /// The id.
        id: Uuid,
        /// Its age in seconds.
        age_s: u64,
    },
    /// From the future.
    #[error("{what} is {ahead_s} s ahead of this host's clock, at most {} are taken: set the clock", AHEAD_MAX.as_secs())]
    Ahead {
        /// What is.
        what: &'static str,
        /// How far.
        ahead_s: u64,
    },
}

/// When an id of version 7 was made.
#[must_use]
pub fn id_time(id: Uuid) -> Timestamp {
    let millis = id.as_u128() >> 80;
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// What `command` is, where `known` is the record of its id, if there is one.
///
/// # Errors
/// When it must not be taken.
pub fn arrive(known: Option<&Record>, command: &Command, now: Timestamp) -> Result<Arrival, ReplayError> {
    let id = command.id;
    if let Some(known) = known {
        return match known.id() == id && known.digest() == command.digest() {
            true => Ok(Arrival::Known),
            false => Err(ReplayError::OtherBytes { id }),
        };
    }
    let made = id_time(id);
    for (what, time) in [("its id", made), ("the time of its proposal", command.proposed)] {
        if time.since(now) > AHEAD_MAX {
            return Err(ReplayError::Ahead { what, ahead_s: time.since(now).as_secs() });
        }
    }
    match now.since(made.min(command.proposed)) > REPLAY_WINDOW {
        true => Err(ReplayError::TooOld { id, age_s: now.since(made.min(command.proposed)).as_secs() }),
        false => Ok(Arrival::New),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{NOW, command, proposed, terms};

    #[test]
    fn the_same_id_with_the_same_bytes_is_one_command_and_with_others_none() {
        let known = proposed(1, 0);
        let late = NOW.plus(REPLAY_WINDOW * 10);
        assert_eq!(arrive(Some(&known), &command(1), NOW), Ok(Arrival::Known));
        assert_eq!(arrive(Some(&known), &command(1), late), Ok(Arrival::Known), "known is known at any age");
        let mut other = command(1);
        other.value += 0.1;
        assert_eq!(arrive(Some(&known), &other, NOW), Err(ReplayError::OtherBytes { id: other.id }));
        assert_eq!(terms(0).approvers, 0);
    }

    #[test]
    fn an_id_that_nobody_knows_is_new_only_inside_the_window() {
        let one = command(1);
        assert_eq!(id_time(one.id), NOW);
        assert_eq!(arrive(None, &one, NOW), Ok(Arrival::New));
        assert_eq!(arrive(None, &one, NOW.plus(REPLAY_WINDOW)), Ok(Arrival::New));
        let late = NOW.plus(REPLAY_WINDOW + Duration::from_secs(1));
        assert!(matches!(arrive(None, &one, late), Err(ReplayError::TooOld { age_s: 86_401, .. })));
        assert_eq!(arrive(None, &one, NOW.minus(AHEAD_MAX)), Ok(Arrival::New));
        let early = NOW.minus(AHEAD_MAX + Duration::from_secs(1));
        assert!(matches!(arrive(None, &one, early), Err(ReplayError::Ahead { what: "its id", .. })));
        let mut ahead = command(1);
        ahead.proposed = NOW.plus(AHEAD_MAX * 2);
        assert!(matches!(
            arrive(None, &ahead, NOW),
            Err(ReplayError::Ahead { what: "the time of its proposal", ahead_s: 120 })
        ));
    }
}
