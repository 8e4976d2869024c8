//! Takes permits and nothing else, and writes the field. A sign of life needs none: it carries no value.
//!
//! A permit is checked once more against generation and expiry at the last moment and given to the egress once, never again by
//! itself. What becomes of it comes back as one [`Answer`], which may take its time; it means what the events of the same
//! names mean in the command room. Whoever calls has the command written down as sent before: nothing here is kept.

mod beat;
mod mqtt;
mod order;
mod pulse;
mod reply;

pub use beat::{BEAT_MAX, Beat};
pub use mqtt::{MqttEgress, MqttOptions, MqttVersion};
pub use order::Order;
pub use pulse::{Due, Pulses};
pub use reply::{Answer, Reply};

use std::collections::{HashSet, VecDeque};

use geminus_core::Timestamp;
use geminus_interlock::Permit;
use uuid::Uuid;

/// Ids that a dispatcher remembers, the last line against sending one twice.
const IDS_MAX: usize = 100_000;

/// The port to the field: a protocol that can carry one command.
pub trait Egress {
    /// Hands `order` to the transport, or answers that it cannot. Does not wait for the field: the answer comes when it is
    /// known. Nothing is kept for later: what cannot leave now does not leave.
    fn send(&mut self, order: &Order<'_>, now: Timestamp, reply: Reply);

    /// Hands a sign of life to the transport. Does not wait, and nothing is kept for later.
    ///
    /// # Errors
    /// Why it cannot leave now. A protocol that has none says so always.
    fn beat(&mut self, beat: &Beat<'_>) -> Result<(), String> {
        Err(format!("no heartbeat can be written to {} over this protocol", beat.address))
    }
}

/// What a permit does not say of a command: its id, and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// Id of the command, for the field to drop repetitions.
    pub id: Uuid,
    /// Where it goes, in the words of the protocol: a topic.
    pub address: &'a str,
    /// UCUM unit of the value.
    pub unit: &'a str,
    /// Who proposed it, in words for people.
    pub by: &'a str,
}

/// Sends what is permitted through one egress.
#[derive(Debug)]
pub struct Dispatcher<E> {
    egress: E,
    known: HashSet<Uuid>,
    oldest_first: VecDeque<Uuid>,
}

impl<E: Egress> Dispatcher<E> {
    /// A dispatcher that has sent nothing.
    pub fn new(egress: E) -> Self {
        Self { egress, known: HashSet::new(), oldest_first: VecDeque::new() }
    }

    /// Sends what `permit` allows, if it still does: `current` is the generation of the twin at this moment. The
    /// permit is used up whatever happens; what did happen comes through `reply`.
    pub fn send(
        &mut self,
        permit: Permit,
        delivery: &Delivery<'_>,
        current: u64,
        now: Timestamp,
        reply: Reply,
    ) {
        let command = permit.command();
        if self.known.contains(&delivery.id) {
            // The first time may have reached the field, so this is no "not sent".
            return reply.answer(Answer::Lost { reason: format!("{command} was handed over before") });
        }
        if permit.generation() != current {
            let reason = format!(
                "{command} is superseded: its permit is of generation {}, the twin is at {current}",
                permit.generation()
            );
            return reply.answer(Answer::NotSent { reason });
        }
        if now >= permit.expires() {
            let late_ms = now.since(permit.expires()).as_millis();
            return reply.answer(Answer::NotSent { reason: format!("{command} expired {late_ms} ms ago") });
        }
        self.remember(delivery.id);
        let order = Order {
            id: delivery.id,
            twin: permit.twin(),
            address: delivery.address,
            value: permit.value(),
            unit: delivery.unit,
            by: delivery.by,
            expires: permit.expires(),
        };
        self.egress.send(&order, now, reply);
    }

    /// Hands a sign of life to the egress.
    ///
    /// # Errors
    /// Why it cannot leave now.
    pub fn beat(&mut self, beat: &Beat<'_>) -> Result<(), String> {
        self.egress.beat(beat)
    }

    fn remember(&mut self, id: Uuid) {
        self.known.insert(id);
        self.oldest_first.push_back(id);
        if self.oldest_first.len() > IDS_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
