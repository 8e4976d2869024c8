//! The last metre: an armed command is asked about once more, written down, and handed to the transport.

use geminus_command::{Event as Step, Phase, Record};
use geminus_core::{Event, Quality, Severity};
use geminus_dispatch::{Delivery, Reply};
use geminus_interlock::Moment;
use uuid::Uuid;

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
        for older in self.unsettled_beside(place, id) {
            // Not before it is kept that what shows from now on may be the newer one's doing; it is tried again.
            if self.step(older, Step::Overtake { by: id }, now).is_err() {
                return;
            }
        }
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
        let before = self.shown_before(place, id, now);
        match self.step(id, Step::Send { before }, now) {
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

    /// What the feedback point of a target shows right before `id` is sent: for certain, and not on its way to the value of another
    /// command whose effect may be still to come.
    fn shown_before(&self, place: usize, id: Uuid, now: Moment) -> Option<f64> {
        let (series, conversion) = self.stations.get(place)?.feedback?;
        let reading = self.points.reading(Some(series), now);
        let is_certain = reading.quality == Quality::Good && self.sent_beside(place, id).next().is_none();
        is_certain.then(|| conversion.apply(reading.value))
    }

    /// Commands other than `id` that a read-back at the feedback point of this target could still verify.
    fn unsettled_beside(&self, place: usize, id: Uuid) -> Vec<Uuid> {
        let counts = |record: &&Record| record.feedback_counts();
        self.sent_beside(place, id).filter(counts).map(Record::id).collect()
    }

    /// Open commands other than `id` that may have left and are read back where this target is, be it through another target.
    fn sent_beside(&self, place: usize, id: Uuid) -> impl Iterator<Item = &Record> {
        let series = |place: usize| self.stations.get(place)?.feedback.map(|(series, _)| series);
        let here = series(place);
        let open = self.open.values().map(super::desk::Open::latest);
        open.filter(move |record| {
            let there = self.place_of(record).and_then(series);
            record.id() != id && record.sent().is_some() && here.is_some() && there == here
        })
    }
}
