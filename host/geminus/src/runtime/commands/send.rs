//! The last metre: an armed command is asked about once more, written down, and handed to the transport.

use geminus_command::{Event as Step, Phase, Record};
use geminus_core::{Event, Severity};
use geminus_dispatch::{Delivery, Reply};
use geminus_interlock::Moment;

use super::ask::Granted;
use super::books::Books;
use super::clocks::held_up;
use super::desk::Desk;

impl<B: Books> Desk<B> {
    /// Sends an armed command: the interlocks are asked for the last time, and give the permit; the journal and the outbox
    /// have it before the first byte leaves.
    pub(crate) fn send(&mut self, record: &Record, now: Moment) {
        let id = record.id();
        if self.books.hindrance().is_some() {
            // It waits armed, until it may or has expired.
            return;
        }
        let Granted { permit, memory, bypassed } = match self.ask(record, now) {
            Ok(granted) => granted,
            Err((rule, reason)) => {
                self.step(id, Step::Refuse { rule, reason }, now).unwrap_or_default();
                return;
            }
        };
        let Some(place) = self.place_of(record) else { return };
        let command = record.command();
        let approved: Vec<&str> = record.standing(now.wall).map(|approval| approval.by.as_str()).collect();
        let after = |what: &str, names: &str| match names.is_empty() {
            true => String::new(),
            false => format!(", {what} {names}"),
        };
        let message = format!(
            "{} = {} {} is sent to {}{}{}",
            command.target,
            command.value,
            command.unit,
            command.twin,
            after("approved by", &approved.join(", ")),
            after("past the bypassed", &bypassed.join(", ")),
        );
        let facts = serde_json::json!({
            "command": id, "digest": record.digest().to_string(), "by": command.proposer.to_string(),
            "approved_by": approved, "bypassed": bypassed,
        });
        let event =
            Event::new("command-sending", Severity::Info, message).twin(command.twin.as_str()).facts(facts);
        if self.books.record(event).is_err() {
            return;
        }
        match self.step(id, Step::Send, now) {
            Ok(true) => {}
            // Expired on the last metre, or it could not be kept.
            Ok(false) | Err(_) => return,
        }
        if self.open.get(&id).is_none_or(|open| open.record.phase() != Phase::Sent) {
            return;
        }
        if let Some(station) = self.stations.get_mut(place) {
            let mark = station.memory.mark(&memory);
            station.memory = memory;
            if let Some(open) = self.open.get_mut(&id) {
                open.mark = Some(mark);
            }
        }
        if !self.keep_station(place) {
            let reason = "what its rules remember of it could not be written down".to_owned();
            self.step(id, Step::NotSent { reason }, now).unwrap_or_default();
            return;
        }
        // All of this waited for the disk.
        let leaves = self.books.now(now);
        if let Some(reason) = held_up(now, leaves) {
            self.step(id, Step::NotSent { reason }, now).unwrap_or_default();
            return;
        }
        let Some(station) = self.stations.get(place) else { return };
        let Some(target) = self.plant.targets.get(station.target) else { return };
        let by = command.proposer.to_string();
        let delivery = Delivery { id, address: &station.address, unit: &target.unit, by: &by };
        let answers = self.answers.clone();
        let reply = Reply::new(move |answer| answers.hear(id, answer));
        self.lines.send(&target.source, permit, &delivery, (self.generation, leaves.wall), reply);
    }
}
