//! What a start makes of what an earlier run left: nothing that was sent is sent again, whatever is in doubt says so.

use std::collections::HashMap;

use geminus_command::{Event as Step, Record, recover};
use geminus_core::{Event, Severity};
use geminus_interlock::Moment;
use geminus_store::{CommandRow, TargetRow};

use super::books::Books;
use super::desk::{Desk, change};
use super::orders::OF_TWIN;
use super::station::Kept;

impl<B: Books> Desk<B> {
    /// Puts back owners and memories, and takes up the commands that were not over. Each is written down as what it is now
    /// before anything else happens to it.
    pub(crate) fn recover(&mut self, open: Vec<CommandRow>, targets: Vec<TargetRow>, now: Moment) {
        self.put_back(targets);
        for row in open {
            let id = uuid::Uuid::from_bytes(row.id);
            let record = match Record::from_document(&row.document) {
                Ok(record) => record,
                Err(error) => {
                    let message = format!("command {id} of the last run is left alone: {error}");
                    let event = Event::new("command-unreadable", Severity::Error, message).twin(row.twin);
                    self.books.tell(event);
                    continue;
                }
            };
            match recover(&record, None, now.wall) {
                Ok(next) if next == record => {
                    self.admit_open(record, row.number);
                    self.mark_recovered(id);
                }
                Ok(next) => self.take_over(record, next, row.number, now),
                Err(error) => {
                    let message = format!("command {id} of the last run is left alone: {error}");
                    let event = Event::new("command-unreadable", Severity::Error, message).twin(row.twin);
                    self.books.tell(event);
                }
            }
        }
        // Nothing has been heard of any point yet: whoever is to be checked waits for the first samples.
        self.timers.settle(now);
    }

    fn put_back(&mut self, targets: Vec<TargetRow>) {
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
                    let message = format!(
                        "who owned {} and which of its trips were latched cannot be read, it begins anew: {error}",
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
        self.admit_open(before, number);
        match change(&next, &Step::Restart, number) {
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
