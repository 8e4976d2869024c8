//! What the desk asks before each step towards the field: owner, authority and the rules of the target, with what is known at
//! that moment. Nothing is noted here: whoever was permitted gets the memory as it would be.

use geminus_command::{AdmissionError, Phase, Precedence, Proposer, Record, Terms, blocked_by_doubt};
use geminus_core::Authority;
use geminus_interlock::{Book, By, Decision, Memory, Moment, Permit, Picture, Wish};

use super::books::Books;
use super::desk::{CONFIDENCE, Desk, Refusal, is_fail};

/// A command may go.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) permit: Permit,
    /// What the rules of its target remember once it is sent.
    pub(crate) memory: Memory,
    /// Rules that would have refused, had nobody bypassed them.
    pub(crate) bypassed: Vec<String>,
}

impl<B: Books> Desk<B> {
    /// Asks owner, authority and interlocks about a command. Nothing is noted: the memory as it would be comes with the
    /// permit.
    pub(crate) fn ask(&self, record: &Record, now: Moment) -> Result<Granted, Refusal> {
        let refuse = |rule: &str, reason: String| Err((rule.to_owned(), reason));
        let Some(place) = self.place_of(record) else {
            return refuse("target", "the site has no such target any more".to_owned());
        };
        let Some(station) = self.stations.get(place) else {
            return refuse("target", "the site has no such target any more".to_owned());
        };
        let command = record.command();
        let Some(target) = self.target(station).filter(|target| target.unit == command.unit) else {
            return refuse("unit", format!("the unit of the target is not {} any more", command.unit));
        };
        // Whoever proposed and approved it did so on the terms of that time.
        let approvers = if is_fail(record) { 0 } else { target.class.approvers };
        let destination = Some(station.destination(target));
        let present = Terms::new(&target.class, approvers, target.feedback.clone(), destination);
        if let Some(why) = record.terms().falls_short_of(&present) {
            return refuse("class", format!("{why}: propose it anew"));
        }
        let authority = self.authorities.effective(&station.id);
        if is_fail(record) {
            return self.ask_fail(place, authority, now);
        }
        if let Err(error) = station.ownership.may_command(&command.proposer, now.wall) {
            return refuse("owner", error.to_string());
        }
        // Whoever waited for the order that nobody knows the end of waits for a person, too.
        if let Some(id) = blocked_by_doubt(record, &self.others(record)) {
            return refuse("one-at-a-time", AdmissionError::InDoubt { id }.to_string());
        }
        let (by, authority) = standing(record, authority, now);
        let held = station.ownership.owner(now.wall);
        let owner = held.1.filter(|_| held.0 == Precedence::Operator).map(|holding| holding.by.as_str());
        let name = match (&command.proposer, owner) {
            // However it is spelt, it is the one who holds it.
            (Proposer::Operator { .. }, Some(owner)) => owner,
            (
                Proposer::Operator { name }
                | Proposer::Behavior { name, .. }
                | Proposer::Program { name, .. },
                _,
            ) => name.as_str(),
        };
        let wish = Wish {
            value: command.value,
            by,
            proposer: name,
            confidence: confidence(record),
            not_after: command.not_after,
        };
        self.look(place, authority, now, |book, picture, mut memory| {
            match book.check(&wish, picture, &mut memory, now) {
                Decision::Permitted { permit, bypassed } => Ok(Granted { permit, memory, bypassed }),
                Decision::Refused(refused) => {
                    let reason = format!("{}; allowed is {}", refused.seen, refused.allowed);
                    Err((refused.rule, reason))
                }
            }
        })
        .unwrap_or_else(|| refuse("target", "the site has no such target any more".to_owned()))
    }

    fn ask_fail(&self, place: usize, authority: Authority, now: Moment) -> Result<Granted, Refusal> {
        let life = geminus_command::ARMED_MAX;
        let permit = self.look(place, authority, now, |book, picture, mut memory| {
            let permit = book.fail_permit(picture, &memory, life, now)?;
            book.note_fail(&mut memory, &permit, now);
            Some(Granted { permit, memory, bypassed: Vec::new() })
        });
        permit.flatten().ok_or_else(|| {
            let why = "no trip is active any more, or the target is not this host's to write now";
            ("fail".to_owned(), why.to_owned())
        })
    }

    /// Looks at a station's rules with what is known now, and a copy of its memory.
    pub(crate) fn look<T>(
        &self,
        place: usize,
        authority: Authority,
        now: Moment,
        look: impl FnOnce(&Book, &Picture<'_>, Memory) -> T,
    ) -> Option<T> {
        let station = self.stations.get(place)?;
        let target = self.target(station)?;
        let readings: Vec<_> =
            station.points.iter().map(|series| self.points.reading(*series, now)).collect();
        let alarms = self.alarms.of(station.twin, now);
        let active = self.active(place);
        let active: Vec<(&str, &str)> =
            active.iter().map(|(group, name)| (group.as_str(), name.as_str())).collect();
        let (level, holding) = station.ownership.owner(now.wall);
        let picture = Picture {
            twin: station.twin,
            generation: self.generation,
            authority,
            lockout: level == Precedence::Lockout,
            local: level == Precedence::Local,
            owner: holding.filter(|_| level == Precedence::Operator).map(|holding| holding.by.as_str()),
            present: station.present(&self.points, now),
            readings: &readings,
            alarms: alarms.as_deref(),
            active: Some(active.as_slice()),
        };
        Some(look(&target.book, &picture, station.memory.clone()))
    }

    /// Groups and names of the twin's other targets to which a command is under way or in doubt.
    fn active(&self, place: usize) -> Vec<(String, String)> {
        let Some(twin) = self.stations.get(place).map(|station| station.twin) else { return Vec::new() };
        let busy =
            |record: &Record| record.phase() == Phase::Armed || record.is_in_flight() || record.is_in_doubt();
        let others = self.open.values().filter(|open| busy(&open.record)).filter_map(|open| {
            let other = self.place_of(&open.record).filter(|other| *other != place)?;
            self.stations.get(other).filter(|station| station.twin == twin)
        });
        others
            .filter_map(|station| Some((self.target(station)?, station)))
            .flat_map(|(target, station)| {
                target.book.groups().iter().map(move |group| (group.clone(), station.name.clone()))
            })
            .collect()
    }
}

/// Who stands behind a wish now, and how far the twin lets him reach: what people have to approve, or have approved, is
/// theirs.
fn standing(record: &Record, authority: Authority, now: Moment) -> (By, Authority) {
    let by_people = record.terms().approvers > 0;
    match (record.command().proposer.is_person(), by_people) {
        (true, _) => (By::Person, authority),
        (false, true) if record.missing_approvals(now.wall) == 0 => (By::Person, authority),
        // Everything else is asked as if it had been approved, so that nobody approves what would be refused.
        (false, true) if authority == Authority::Advise => (By::Behavior, Authority::Control),
        (false, _) => (By::Behavior, authority),
    }
}

/// How sure the proposer is. A program that proposes is.
fn confidence(record: &Record) -> f64 {
    let command = record.command();
    match command.proposer {
        Proposer::Behavior { .. } => {
            // The host's own entry stands last: an input of a behavior may be called like it.
            let said = command.evidence.iter().rfind(|evidence| evidence.point == CONFIDENCE);
            said.and_then(|evidence| evidence.value).unwrap_or(f64::NAN)
        }
        Proposer::Operator { .. } | Proposer::Program { .. } => 1.0,
    }
}
