//! One command at a time for each target: what a new command does to those under way, and when it has to wait for one.

use uuid::Uuid;

use crate::{Event, Precedence, Record};

/// What follows from taking a new command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Commands whose place it takes: none of them has been sent.
    pub supersedes: Vec<Uuid>,
    /// A command that was sent and is not settled yet: the new one may not be armed before that is over.
    pub waits_for: Option<Uuid>,
}

impl Admission {
    /// What happens to the commands whose place is taken.
    #[must_use]
    pub fn event(&self, newer: Uuid) -> Event {
        Event::Supersede { by: newer }
    }
}

/// Why a new command is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// A command of higher precedence waits to be sent.
    #[error("command {by}, which takes precedence, is under way for this target: wait until it is over")]
    Outranked {
        /// That command.
        by: Uuid,
    },
    /// It was proposed before one that is already here.
    #[error("command {by}, which was proposed later, is here already: propose it anew if it is still wanted")]
    Outdated {
        /// That command.
        by: Uuid,
    },
    /// Nobody knows what an earlier command did.
    #[error("nobody knows whether command {id} was carried out: a person must look first")]
    InDoubt {
        /// That command.
        id: Uuid,
    },
}

/// What taking `new` means for the commands of the same target that are not over. Those of other targets are passed over.
///
/// # Errors
/// When it must not be taken.
pub fn admit(new: &Record, others: &[Record]) -> Result<Admission, AdmissionError> {
    let mut admission = Admission::default();
    let (id, command) = (new.id(), new.command());
    let rank = Precedence::of(&command.proposer);
    let same = |other: &&Record| {
        let other = other.command();
        other.id != id && other.twin == command.twin && other.target == command.target
    };
    for other in others.iter().filter(same).filter(|other| !other.is_over()) {
        let by = other.id();
        if other.is_in_doubt() {
            if !command.proposer.is_person() {
                return Err(AdmissionError::InDoubt { id: by });
            }
            continue;
        }
        if other.is_in_flight() {
            admission.waits_for = Some(by);
            continue;
        }
        if Precedence::of(&other.command().proposer) > rank {
            return Err(AdmissionError::Outranked { by });
        }
        if Precedence::of(&other.command().proposer) == rank
            && (other.command().proposed, by) > (command.proposed, id)
        {
            return Err(AdmissionError::Outdated { by });
        }
        admission.supersedes.push(by);
    }
    Ok(admission)
}

/// The command in doubt because of which `record` is not carried out: one of the same target that nobody has looked at, where no person
/// proposed `record`. Asked before each step towards the field, as what was waited for may have come to be in doubt.
#[must_use]
pub fn blocked_by_doubt(record: &Record, others: &[Record]) -> Option<Uuid> {
    if record.command().proposer.is_person() {
        return None;
    }
    same_target(record, others).find(|other| other.is_in_doubt()).map(Record::id)
}

/// Other commands of the same target.
fn same_target<'a>(record: &'a Record, others: &'a [Record]) -> impl Iterator<Item = &'a Record> {
    let (id, command) = (record.id(), record.command());
    others.iter().filter(move |other| {
        let of = other.command();
        other.id() != id && of.twin == command.twin && of.target == command.target
    })
}

/// The command that `record` has to wait for before it may be armed: one of the same target that was sent and is not settled.
#[must_use]
pub fn waits_for(record: &Record, others: &[Record]) -> Option<Uuid> {
    same_target(record, others).find(|other| other.is_in_flight()).map(Record::id)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tests::{NOW, armed, command, in_doubt, proposed, sent, terms};
    use crate::{Proposer, apply};

    fn by_operator(number: u16) -> Record {
        let mut command = command(number);
        command.proposer = Proposer::Operator { name: "anna".to_owned() };
        Record::propose(command, terms(0), NOW).expect("proposed")
    }

    #[test]
    fn a_newer_command_of_equal_or_higher_precedence_takes_the_place_of_what_is_not_sent() {
        let (old, new) = (proposed(1, 0), proposed(2, 0));
        let taken = Admission { supersedes: vec![old.id()], waits_for: None };
        assert_eq!(admit(&new, std::slice::from_ref(&old)), Ok(taken.clone()));
        assert_eq!(admit(&by_operator(2), std::slice::from_ref(&old)), Ok(taken.clone()));
        assert_eq!(admit(&new, &[armed(1)]), Ok(taken.clone()), "also what is armed");
        let gone = apply(&armed(1), &taken.event(new.id()), NOW).expect("superseded");
        assert_eq!(gone.phase(), crate::Phase::Superseded);
        assert_eq!(admit(&new, &[gone]), Ok(Admission::default()), "what is over is over");
    }

    #[test]
    fn what_ranks_lower_or_is_older_is_not_taken() {
        let (old, new) = (proposed(1, 0), proposed(2, 0));
        let operator = by_operator(1);
        let outranked = AdmissionError::Outranked { by: operator.id() };
        assert_eq!(admit(&new, std::slice::from_ref(&operator)), Err(outranked));
        assert_eq!(admit(&old, std::slice::from_ref(&new)), Err(AdmissionError::Outdated { by: new.id() }));
        // A person's older command still outranks what a behavior proposed later.
        assert_eq!(admit(&operator, std::slice::from_ref(&new)).map(|a| a.supersedes), Ok(vec![new.id()]));
    }

    #[test]
    fn what_was_sent_is_waited_for_and_what_is_in_doubt_needs_a_person() {
        let (flying, doubtful) = (sent(1), in_doubt(1));
        let new = proposed(2, 0);
        let waiting = Admission { supersedes: Vec::new(), waits_for: Some(flying.id()) };
        assert_eq!(admit(&new, std::slice::from_ref(&flying)), Ok(waiting));
        assert_eq!(waits_for(&new, std::slice::from_ref(&flying)), Some(flying.id()));
        assert_eq!(waits_for(&new, std::slice::from_ref(&doubtful)), None);
        let refused = AdmissionError::InDoubt { id: doubtful.id() };
        assert_eq!(admit(&new, std::slice::from_ref(&doubtful)), Err(refused));
        assert_eq!(admit(&by_operator(2), std::slice::from_ref(&doubtful)), Ok(Admission::default()));
        assert_eq!(blocked_by_doubt(&new, std::slice::from_ref(&doubtful)), Some(doubtful.id()));
        assert_eq!(blocked_by_doubt(&new, std::slice::from_ref(&flying)), None);
        assert_eq!(blocked_by_doubt(&by_operator(2), std::slice::from_ref(&doubtful)), None);
        let seen = crate::Event::Resolve { by: "anna".to_owned(), note: "the valve is open".to_owned() };
        let seen = apply(&doubtful, &seen, NOW.plus(Duration::from_secs(30))).expect("resolved");
        assert_eq!(blocked_by_doubt(&new, std::slice::from_ref(&seen)), None);
        assert_eq!(admit(&new, &[seen]), Ok(Admission::default()));
    }

    #[test]
    fn other_targets_do_not_matter() {
        let mut elsewhere = command(1);
        elsewhere.target = "speed".to_owned();
        let elsewhere = Record::propose(elsewhere, terms(0), NOW).expect("proposed");
        let other_twin =
            Record::propose(crate::Command { twin: "pump-2".to_owned(), ..command(3) }, terms(0), NOW);
        let others = [elsewhere, other_twin.expect("proposed")];
        assert_eq!(admit(&proposed(2, 0), &others), Ok(Admission::default()));
    }
}
