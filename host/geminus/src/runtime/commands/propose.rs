//! How commands come in: from people and programs with an id of their own, and from the host itself.

use geminus_api::orders::Wish;
use geminus_api::view::CommandView;
use geminus_api::{Actor, Trouble};
use geminus_command::{Arrival, Command, Event as Step, Proposer, Record, Terms, admit, arrive, id_time};
use geminus_core::{Event, Severity, Timestamp};
use geminus_interlock::Moment;
use geminus_store::CommandChange;
use std::time::Duration;
use uuid::Uuid;

use super::books::Books;
use super::desk::{Desk, FAIL_PROPOSER, is_fail};
use super::rows::row;
use super::show;

/// Commands that are not over at most; safe values of targets that tripped come on top.
pub(crate) const OPEN_MAX: usize = 1_000;

impl<B: Books> Desk<B> {
    /// Takes a wish of a person or a program; gives the command and whether it is new.
    pub(crate) fn propose(
        &mut self,
        wish: Wish,
        actor: Actor,
        now: Moment,
    ) -> Result<(CommandView, bool), Trouble> {
        let place = self.find(&wish.twin, &wish.target)?;
        let Some((unit, class)) = self.stations.get(place).and_then(|station| {
            let target = self.target(station)?;
            Some((target.unit.clone(), target.class_name.clone()))
        }) else {
            return Err(Trouble::Internal("a station without a target".to_owned()));
        };
        if let Some(given) = wish.unit.filter(|given| *given != unit) {
            return Err(Trouble::Invalid(format!(
                "{} is in {unit}: convert the value from {given}",
                wish.target
            )));
        }
        if !actor.is_person && actor.name == FAIL_PROPOSER {
            let message = format!("no program may be called {FAIL_PROPOSER}: that name is the host's own");
            return Err(Trouble::Invalid(message));
        }
        let id = match wish.id {
            Some(id) => id,
            None => self.mint(now)?,
        };
        // From the id, so that whoever repeats the request repeats the command.
        let proposed = id_time(id);
        let proposer = match actor.is_person {
            true => Proposer::Operator { name: actor.name },
            false => Proposer::Program { name: actor.name, owner: actor.owner },
        };
        let command = Command {
            id,
            twin: wish.twin,
            target: wish.target,
            value: wish.value,
            unit,
            proposer,
            reason: wish.reason,
            evidence: Vec::new(),
            proposed,
            not_after: proposed.plus(Duration::from_secs(wish.within_s.into())),
            class,
        };
        command.check().map_err(|error| Trouble::Invalid(error.to_string()))?;
        if let Some(known) = self.known(id, now)? {
            return match arrive(Some(&known.0), &command, now.wall) {
                Ok(Arrival::Known) => Ok((show::command(&known.0, known.1, now.wall), false)),
                Ok(Arrival::New) => Err(Trouble::Internal("a command that is known is new".to_owned())),
                Err(error) => Err(Trouble::Conflict(error.to_string())),
            };
        }
        arrive(None, &command, now.wall).map_err(|error| Trouble::Invalid(error.to_string()))?;
        if !self.stations.get_mut(place).is_some_and(|station| station.takes(now)) {
            let message = "this target takes no more than 60 proposals a minute: wait";
            return Err(Trouble::Unavailable(message.to_owned()));
        }
        let record = self.enter(place, command, now)?;
        Ok((record, true))
    }

    /// Writes a new command down and takes it as far as it goes.
    pub(crate) fn enter(
        &mut self,
        place: usize,
        command: Command,
        now: Moment,
    ) -> Result<CommandView, Trouble> {
        let is_safe_value =
            matches!(&command.proposer, Proposer::Program { name, .. } if name == FAIL_PROPOSER);
        if self.open.len() >= OPEN_MAX && !is_safe_value {
            let message =
                format!("{OPEN_MAX} commands are under way: look at those that are indeterminate first");
            return Err(Trouble::Unavailable(message));
        }
        let Some((station, target)) =
            self.stations.get(place).and_then(|station| Some((station, self.target(station)?)))
        else {
            return Err(Trouble::Internal("a station without a target".to_owned()));
        };
        let authority = self.authorities.effective(&station.id);
        // Where nothing may be written the interlocks say so.
        let approvers = match &command.proposer {
            Proposer::Program { name, .. } if name == FAIL_PROPOSER => 0,
            proposer => target.class.approvers(authority, proposer).unwrap_or(target.class.approvers),
        };
        let terms =
            Terms::new(&target.class, approvers, target.feedback.clone(), Some(station.destination(target)));
        let record =
            Record::propose(command, terms, now.wall).map_err(|error| Trouble::Invalid(error.to_string()))?;
        let id = record.id();
        let cause = r#"{"event":"propose"}"#.to_owned();
        let change = CommandChange { row: row(&record, 0)?, cause, word: Some(told_new(&record)) };
        self.books.save(&change).map_err(|reason| {
            Trouble::Unavailable(format!("it cannot be written down, so it is not taken: {reason}"))
        })?;
        let number = self.number(id);
        self.tell_new(&record, number, now);
        if record.is_over() {
            self.meters.passed(&record);
            return Ok(show::command(&record, number, now.wall));
        }
        self.admit_open(record.clone(), number);
        self.advance(id, now);
        let stands = self.known(id, now)?.unwrap_or((record, number));
        Ok(show::command(&stands.0, stands.1, now.wall))
    }

    fn tell_new(&mut self, record: &Record, number: u64, now: Moment) {
        self.books.tell_of((record.id(), record.step()), told_new(record));
        self.books.show(&show::command(record, number, now.wall));
    }

    /// Older commands of the target make way, or this one may not go on because of one of them: then that is what happens to
    /// it. Asked whenever a command is checked, so that a host that was killed in between does it after its start.
    pub(crate) fn make_way(&mut self, record: &Record, now: Moment) -> Result<(), Step> {
        let id = record.id();
        if is_fail(record) {
            return Ok(());
        }
        let admission = admit(record, &self.others(record))
            .map_err(|error| Step::Refuse { rule: "one-at-a-time".to_owned(), reason: error.to_string() })?;
        for older in &admission.supersedes {
            // One that cannot be written down stays, and is asked again before it is armed.
            self.step(*older, admission.event(id), now).unwrap_or_default();
        }
        Ok(())
    }

    /// The record of a command and its number, open or over; `None` when it never came. One that is kept and not at hand, since
    /// writing it seemed to fail, is taken up and goes on.
    pub(crate) fn known(&mut self, id: Uuid, now: Moment) -> Result<Option<(Record, u64)>, Trouble> {
        let is_at_hand = self.open.contains_key(&id);
        let found = self.at_hand(id, now)?;
        if is_at_hand || !self.open.contains_key(&id) {
            return Ok(found);
        }
        self.advance(id, now);
        self.at_hand(id, now)
    }

    /// The same, and whatever is taken up stays where it stands: whoever has something to say about it is heard first.
    pub(crate) fn at_hand(&mut self, id: Uuid, now: Moment) -> Result<Option<(Record, u64)>, Trouble> {
        if let Some(open) = self.open.get(&id) {
            return Ok(Some((open.record.clone(), open.number)));
        }
        let row = self.books.command(id).map_err(Trouble::Unavailable)?;
        let Some(row) = row else { return Ok(None) };
        let record =
            Record::from_document(&row.document).map_err(|error| Trouble::Internal(error.to_string()))?;
        if row.open && !record.is_over() {
            self.admit_open(record.clone(), row.number);
            // Nobody has heard of it yet.
            if record.step() == 0 {
                self.tell_new(&record, row.number, now);
            }
        }
        Ok(Some((record, row.number)))
    }

    /// The station of a target of a twin.
    pub(crate) fn find(&self, twin: &str, name: &str) -> Result<usize, Trouble> {
        let found = self
            .stations
            .binary_search_by(|station| (station.id.as_str(), station.name.as_str()).cmp(&(twin, name)));
        found.map_err(|_| match self.authorities.of(twin) {
            None => Trouble::NotFound(format!("there is no twin {twin}")),
            Some(_) => Trouble::NotFound(format!("{twin} has no target {name}")),
        })
    }

    /// An id of now.
    pub(crate) fn mint(&mut self, now: Moment) -> Result<Uuid, Trouble> {
        let random = self.books.random().map_err(Trouble::Unavailable)?;
        Ok(id_of(now.wall, &random))
    }
}

/// What the journal is told of a new command.
fn told_new(record: &Record) -> Event {
    let command = record.command();
    let message = format!(
        "{} proposes {} = {} {} for {}{}",
        command.proposer,
        command.target,
        command.value,
        command.unit,
        command.twin,
        if command.reason.is_empty() { String::new() } else { format!(": {}", command.reason) },
    );
    let facts = serde_json::json!({
        "command": command.id, "digest": record.digest().to_string(), "value": command.value,
        "unit": command.unit, "target": command.target, "class": command.class,
        "state": record.phase().name(), "step": record.step(),
    });
    let event = Event::new("command-proposed", Severity::Info, message);
    event.twin(command.twin.as_str()).facts(facts)
}

/// A UUID of version 7.
pub(crate) fn id_of(at: Timestamp, random: &[u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(at.millis(), random).into_uuid()
}
