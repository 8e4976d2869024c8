//! What a start makes of what an earlier run left: nothing that was sent is sent again, whatever is in doubt says so.

use std::collections::HashMap;

use geminus_api::{Actor, Role, Trouble};
use geminus_command::{Event as Step, Record, recover};
use geminus_core::{Event, Severity};
use geminus_interlock::Moment;
use geminus_store::{CommandChange, CommandRow, TargetRow};

use super::books::Books;
use super::desk::Desk;
use super::orders::OF_TWIN;
use super::rows::change;
use super::station::{Kept, told};

impl<B: Books> Desk<B> {
    /// Puts back owners and memories, and takes up the commands that were not over. Each is written down as what it is now
    /// before anything else happens to it.
    pub(crate) fn recover(&mut self, open: Vec<CommandRow>, targets: Vec<TargetRow>, now: Moment) {
        self.put_back(targets, now);
        for row in open {
            let id = uuid::Uuid::from_bytes(row.id);
            let record = match Record::from_document(&row.document) {
                Ok(record) => record,
                Err(error) => {
                    self.lock_out(row, &error.to_string(), now);
                    continue;
                }
            };
            match recover(&record, None, now.wall) {
                Ok(next) if next == record => {
                    self.admit_open(record, row.number);
                    self.mark_recovered(id);
                }
                Ok(next) => self.take_over(record, next, row.number, now),
                Err(error) => self.lock_out(row, &error.to_string(), now),
            }
        }
        // Nothing has been heard of any point yet: whoever is to be checked waits for the first samples.
        self.timers.settle(now);
    }

    /// Nobody knows what a command of the last run did or may still do, so nobody commands its target before somebody has looked.
    fn lock_out(&mut self, row: CommandRow, error: &str, now: Moment) {
        let id = uuid::Uuid::from_bytes(row.id);
        let message = format!(
            "command {id} of the last run is left alone, and {} is locked out until an admin releases it: {error}",
            row.target
        );
        let event = Event::new("command-unreadable", Severity::Error, message);
        self.books.tell(event.twin(row.twin.as_str()));
        if let Ok(place) = self.find(&row.twin, &row.target) {
            if let Some(station) = self.stations.get_mut(place) {
                let why = format!("state unreadable: command {id}: {error}");
                station.ownership.lock_unreadable(&why, now.wall);
            }
            self.keep_station(place);
        }
        self.unreadable.push(row);
    }

    /// Whether a target is locked out because what was kept of it cannot be read.
    pub(crate) fn is_unreadable(&self, place: usize) -> bool {
        self.stations.get(place).is_some_and(|station| station.ownership.is_unreadable())
    }

    /// An admin has looked at the machine: the target is free again, and commands of it that cannot be read need nobody any more.
    pub(crate) fn release_unreadable(
        &mut self,
        place: usize,
        actor: &Actor,
        now: Moment,
    ) -> Result<(&'static str, String), Trouble> {
        let gone = || Trouble::Internal("a station has gone".to_owned());
        let station = self.stations.get(place).ok_or_else(gone)?;
        if actor.role != Role::Admin {
            let message = "what was kept of this target cannot be read: only an admin releases it, as `geminus target release \
                           --as lockout --role admin` does, once the machine was looked at";
            return Err(Trouble::Conflict(message.to_owned()));
        }
        let (of, present) = ((station.id.clone(), station.name.clone()), station.shown(&self.points, now));
        let is_here = |row: &CommandRow| row.twin == of.0 && row.target == of.1;
        while let Some(at) = self.unreadable.iter().position(is_here) {
            let Some(row) = self.unreadable.get(at).cloned() else { break };
            let cause =
                serde_json::json!({ "event": "resolve", "by": actor.name, "note": "it cannot be read" });
            let row = CommandRow { step: row.step.saturating_add(1), open: false, ..row };
            // That the target is released is recorded in the journal.
            let change = CommandChange { row, cause: cause.to_string(), word: None };
            self.books
                .save(&change)
                .map_err(|reason| Trouble::Unavailable(format!("it cannot be written down: {reason}")))?;
            self.unreadable.remove(at);
        }
        let station = self.stations.get_mut(place).ok_or_else(gone)?;
        let handed = station.ownership.release_unreadable(present, now.wall);
        let handed = handed.map_err(|error| Trouble::Conflict(error.to_string()))?;
        handed.iter().for_each(|over| station.turn.handed(over));
        let handed = handed.map_or_else(String::new, |over| format!(", {}", told(&over)));
        Ok(("target-released", format!("released, whose state could not be read{handed},")))
    }

    fn put_back(&mut self, targets: Vec<TargetRow>, now: Moment) {
        for row in targets.iter().filter(|row| row.target == OF_TWIN) {
            self.hold_down_again(&row.twin, &row.document);
        }
        let mut kept: HashMap<(String, String), String> =
            targets.into_iter().map(|row| ((row.twin, row.target), row.document)).collect();
        for station in &mut self.stations {
            let Some(document) = kept.remove(&(station.id.clone(), station.name.clone())) else { continue };
            match serde_json::from_str::<Kept>(&document) {
                Ok(Kept { ownership, memory, turn }) => {
                    (station.ownership, station.memory, station.turn) = (ownership, memory, turn);
                }
                Err(error) => {
                    // It stays as it is on the disk until somebody has released it, or something else of it is to be kept.
                    station.ownership.lock_unreadable(&format!("state unreadable: {error}"), now.wall);
                    let message = format!(
                        "who owned {} and which of its trips were latched cannot be read, it is locked out until an admin releases it: {error}",
                        station.name
                    );
                    let event = Event::new("target-unreadable", Severity::Error, message);
                    self.books.tell(event.twin(station.id.as_str()));
                }
            }
        }
    }

    fn take_over(&mut self, before: Record, next: Record, number: u64, now: Moment) {
        let id = before.id();
        let changed = change(&next, &Step::Restart, (before.phase(), number));
        self.admit_open(before, number);
        match changed {
            Ok(change) => match self.books.save(&change) {
                Ok(()) => self.took(id, next, &Step::Restart, now),
                Err(_) => self.stick(id, next, change, Step::Restart),
            },
            Err(error) => tracing::error!(%error, command = %id, "a command of the last run has no document"),
        }
        self.mark_recovered(id);
    }

    fn mark_recovered(&mut self, id: uuid::Uuid) {
        if let Some(open) = self.open.get_mut(&id) {
            open.recovered = true;
        }
    }
}
