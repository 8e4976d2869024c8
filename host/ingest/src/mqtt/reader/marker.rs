//! The marker that says when a backlog is over: what [`crate::mqtt::backlog`] decides, carried out on the line.

use std::time::Duration;

use geminus_core::{Event, Severity};

use super::Reader;
use crate::Sink;
use crate::mqtt::line::{Line, Message, Voice};

impl<L: Line, S: Sink> Reader<L, S> {
    /// A message was taken while the backlog was open.
    pub(super) fn took_from_backlog(&mut self, topic: &[u8], payload: &[u8], now: Duration) {
        if self.backlog.is_ended_by(topic, payload) {
            // The session is left as it was found.
            self.log_if_failed(self.voice.unsubscribe(&[self.backlog.topic().to_owned()]));
        } else if self.backlog.decoded(self.intake.last_untimed(), now) {
            self.ask_for_marker();
        } else if self.backlog.is_late(now) {
            self.marker_refused("it does not come back");
        }
    }

    /// Subscribes to the marker. It is published when the subscription stands.
    pub(super) fn ask_for_marker(&mut self) {
        let filters = vec![self.backlog.topic().to_owned()];
        match self.voice.subscribe(&filters, true) {
            Ok(()) => self.asked.push_back(filters),
            Err(error) => self.marker_refused(&error.to_string()),
        }
    }

    pub(super) fn is_marker(&self, filters: &[String]) -> bool {
        matches!(filters, [filter] if filter == self.backlog.topic())
    }

    pub(super) fn marker_subscribed(&mut self, answers: &[Option<String>]) {
        if let Some(why) = answers.iter().flatten().next() {
            return self.marker_refused(why);
        }
        let (topic, payload) = (self.backlog.topic(), self.backlog.marker());
        let published = self.voice.publish(&Message { topic, payload, at_least_once: true, retained: false });
        if let Err(error) = published {
            self.marker_refused(&error.to_string());
        }
    }

    pub(super) fn marker_refused(&mut self, reason: &str) {
        if self.backlog.refuse() {
            self.tell_of_marker(reason);
        }
    }

    pub(super) fn marker_lost(&mut self, now: Duration) {
        if self.backlog.connection_ended(now) {
            self.tell_of_marker("it hangs up when asked for it");
        }
    }

    fn tell_of_marker(&self, reason: &str) {
        let (broker, filter) = (&self.broker, self.backlog.topic());
        let message = format!(
            "broker {broker} lets nobody tell what it had kept: it refused our marker on `{filter}`. Payloads without a time are stale \
             until the line is silent"
        );
        let facts = serde_json::json!({ "broker": broker, "filter": filter, "reason": reason });
        self.house.tell(Event::new("subscription-refused", Severity::Error, message).facts(facts));
    }
}
