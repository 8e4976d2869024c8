//! What the desk of commands needs of the rest of the house: somewhere to write down, somebody to tell, a way to the field. Tests
//! stand in for it with plain values.

use std::collections::HashMap;
use std::sync::Arc;

use geminus_api::EventBus;
use geminus_api::view::CommandView;
use geminus_core::{Clock, Event, Timestamp};
use geminus_dispatch::{Answer, Beat, Delivery, Dispatcher, Egress, Order, Reply};
use geminus_interlock::{Moment, Permit};
use geminus_store::{CommandChange, CommandRow, Journal, Outbox};
use uuid::Uuid;

use crate::runtime::chronicle::Chronicle;

/// Most changes that are remembered as told until the journal has them.
pub(super) const TOLD_MAX: usize = 10_000;

/// Everything outside of the desk.
pub(crate) trait Books {
    /// Keeps a change: durable when it returns.
    fn save(&mut self, change: &CommandChange) -> Result<(), String>;
    /// Keeps who asked for a target and what its rules remember.
    fn save_target(&mut self, twin: &str, target: &str, document: &str) -> Result<(), String>;
    /// What is kept of a command.
    fn command(&mut self, id: Uuid) -> Result<Option<CommandRow>, String>;
    /// Journals what is about to be done, and waits until it is durable.
    fn record(&mut self, event: Event) -> Result<(), String>;
    /// Journals what happened. Never waits.
    fn tell(&mut self, event: Event);
    /// The same for what was kept with this change of a command: a host that is killed before the journal has it tells it at its
    /// next start.
    fn tell_of(&mut self, change: (Uuid, u32), event: Event);
    /// Shows a command as it stands now. Never waits.
    fn show(&mut self, command: &CommandView);
    /// Why nothing may be sent: journal or outbox cannot be written.
    fn hindrance(&self) -> Option<String>;
    /// Bytes that nobody can guess, for an id.
    fn random(&mut self) -> Result<[u8; 10], String>;
    /// Both clocks, read anew: writing down may have taken long since `turn`, the moment for which things were decided.
    fn now(&self, turn: Moment) -> Moment;
}

/// The store, the journal and the pages of a running host.
pub(crate) struct HouseBooks {
    pub(crate) outbox: Outbox,
    pub(crate) journal: Journal,
    pub(crate) chronicle: Chronicle,
    pub(crate) bus: Arc<EventBus>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Changes of commands that the journal was told of and that do not count as told yet.
    pub(crate) told: Vec<([u8; 16], u32)>,
}

impl Books for HouseBooks {
    fn save(&mut self, change: &CommandChange) -> Result<(), String> {
        self.outbox.save(std::slice::from_ref(change)).map_err(|error| error.to_string())
    }

    fn save_target(&mut self, twin: &str, target: &str, document: &str) -> Result<(), String> {
        self.outbox.save_target(twin, target, document).map_err(|error| error.to_string())
    }

    fn command(&mut self, id: Uuid) -> Result<Option<CommandRow>, String> {
        self.outbox.command(id.as_bytes()).map_err(|error| error.to_string())
    }

    fn record(&mut self, event: Event) -> Result<(), String> {
        self.chronicle.record(event).map(drop).map_err(|error| error.to_string())
    }

    fn tell(&mut self, event: Event) {
        self.chronicle.tell(event);
    }

    fn tell_of(&mut self, (id, step): (Uuid, u32), event: Event) {
        self.chronicle.tell(event);
        // More than these are told twice at worst, should the host be killed.
        if self.told.len() < TOLD_MAX {
            self.told.push((*id.as_bytes(), step));
        }
    }

    fn show(&mut self, command: &CommandView) {
        self.bus.publish_command(command);
    }

    fn hindrance(&self) -> Option<String> {
        let because = |what: &str, reason: Option<String>| {
            format!("the {what} cannot be written: {}", reason.unwrap_or_default())
        };
        match (self.journal.writable(), self.outbox.writable()) {
            (false, _) => Some(because("journal", self.journal.reason())),
            (true, false) => Some(because("outbox", self.outbox.reason())),
            (true, true) => None,
        }
    }

    fn random(&mut self) -> Result<[u8; 10], String> {
        crate::runtime::token::random::<10>().map_err(|error| error.to_string())
    }

    fn now(&self, _: Moment) -> Moment {
        super::clocks::now(self.clock.as_ref())
    }
}

/// A way to one broker: what sends, and whether its connection stands.
pub(crate) struct Line {
    pub(crate) egress: Box<dyn Egress + Send>,
    pub(crate) up: Box<dyn Fn() -> bool + Send>,
}

/// What a dispatcher sends through.
struct Wire(Box<dyn Egress + Send>);

impl Egress for Wire {
    fn send(&mut self, order: &Order<'_>, now: Timestamp, reply: Reply) {
        self.0.send(order, now, reply);
    }

    fn beat(&mut self, beat: &Beat<'_>) -> Result<(), String> {
        self.0.beat(beat)
    }
}

/// A way to the field.
struct Way {
    dispatcher: Dispatcher<Wire>,
    up: Box<dyn Fn() -> bool + Send>,
}

/// The ways to the field by the name of their source.
pub(crate) struct Lines(HashMap<String, Way>);

impl Lines {
    pub(crate) fn new(lines: impl IntoIterator<Item = (String, Line)>) -> Self {
        let way = |(name, line): (String, Line)| {
            (name, Way { dispatcher: Dispatcher::new(Wire(line.egress)), up: line.up })
        };
        Self(lines.into_iter().map(way).collect())
    }

    /// Whether the connection of this source stands.
    pub(crate) fn is_up(&self, source: &str) -> bool {
        self.0.get(source).is_some_and(|way| (way.up)())
    }

    /// Writes a sign of life.
    ///
    /// # Errors
    /// Why it cannot leave now.
    pub(crate) fn beat(&mut self, source: &str, beat: &Beat<'_>) -> Result<(), String> {
        let way = self.0.get_mut(source).ok_or_else(|| no_way(source))?;
        way.dispatcher.beat(beat)
    }

    /// Sends what is permitted; the answer comes through `reply`. `generation`: of the twin at this moment.
    pub(crate) fn send(
        &mut self,
        source: &str,
        permit: Permit,
        delivery: &Delivery<'_>,
        (generation, now): (u64, Timestamp),
        reply: Reply,
    ) {
        match self.0.get_mut(source) {
            Some(way) => way.dispatcher.send(permit, delivery, generation, now, reply),
            None => reply.answer(Answer::NotSent { reason: no_way(source) }),
        }
    }
}

fn no_way(source: &str) -> String {
    format!("source {source} has no connection that writes")
}
