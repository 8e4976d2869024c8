//! A host application: every edge node that something is bound to, found by its topic; and its own STATE.
//!
//! Whoever owns the connection calls [`Host::connected`] when its subscriptions stand, [`Host::take`] for each message,
//! [`Host::tick`] at [`Host::due`] and [`Host::disconnected`], and does what the [`Ear`] hears.

use std::collections::HashMap;
use std::time::Duration;

use geminus_core::{Quality, Timestamp};

use crate::node::Node;
use crate::state::State;
use crate::table::{NodeWishes, wish};
use crate::topic::{NodeName, Place, Topic};
use crate::{Reading, Refusal};

/// How long messages out of order wait for what is missing before a rebirth is asked for.
pub const REORDER: Duration = Duration::from_secs(2);
/// Between two requests for a rebirth to one edge node.
pub const REBIRTH_EVERY: Duration = Duration::from_secs(10);
/// A birth this soon after the death of its own session was overtaken by it.
pub const DEATH_GUARD: Duration = Duration::from_millis(500);
/// Devices of one edge node.
pub const DEVICES_MAX: usize = 1_024;
/// Metrics of one edge node and its devices.
pub const NODE_METRICS_MAX: usize = 262_144;
/// Between two corrections of our own STATE.
pub const STATE_EVERY: Duration = Duration::from_secs(1);

/// When something arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock.
    pub received: Timestamp,
    /// By the clock that never goes back.
    pub monotonic: Duration,
}

/// One metric that somebody wants. Its number in the list is the `place` of everything that is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The edge node, and the device if it is one's.
    pub place: Place,
    /// Name of the metric.
    pub metric: String,
}

/// A value that came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update<'a> {
    /// Number of what is wanted.
    pub place: u32,
    /// The value.
    pub reading: Reading<'a>,
    /// As the edge node says; good where it says nothing.
    pub quality: Quality,
    /// When it was taken: the metric's time, else the message's, else that of receipt.
    pub time: Timestamp,
    /// When the message was sent, else when it was received. A birth says what is so at this time, however long ago the
    /// value was taken.
    pub said: Timestamp,
    /// When the message was received.
    pub received: Timestamp,
    /// Whether it is of a birth.
    pub birth: bool,
    /// Whether it is from before what was sent already, and says nothing of now.
    pub historical: bool,
}

/// What happened to an edge node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It was not known, and is.
    Born,
    /// It has died, or what says so has come.
    Died,
    /// It may live, but what it sent cannot be followed until it is born again.
    Lost,
}

/// Hears what is to be done.
pub trait Ear {
    /// A value.
    ///
    /// # Errors
    /// When it does not fit what it feeds.
    fn value(&mut self, update: &Update<'_>) -> Result<(), Refusal>;
    /// Nothing is known of this metric any more; `time` is the source's, as far as it can be told.
    fn stale(&mut self, place: u32, time: Timestamp, received: Timestamp);
    /// A Rebirth command is to be sent.
    fn rebirth(&mut self, node: &NodeName);
    /// Our STATE is to be published again: somebody has said that we are gone.
    fn announce(&mut self);
    /// Something happened to an edge node.
    fn transition(&mut self, node: &NodeName, transition: Transition);
    /// Something was not taken: a message, or a metric of it. `times` is more than one for messages that waited.
    fn refused(&mut self, topic: &[u8], payload: &[u8], refusal: Refusal, times: u64);
}

/// Everything that is known of the edge nodes of one broker.
#[derive(Debug)]
pub struct Host {
    id: String,
    nodes: Vec<Node>,
    by_name: HashMap<Box<str>, usize>,
    /// `group/node` of the message at hand.
    name: String,
    announced: Option<Duration>,
    announce_at: Option<Duration>,
}

impl Host {
    /// A host application of this id that wants these metrics.
    #[must_use]
    pub fn new(id: impl Into<String>, wanted: &[Wanted]) -> Self {
        let mut wishes: HashMap<&NodeName, NodeWishes> = HashMap::new();
        for (place, wanted) in (0..).zip(wanted) {
            wish(wishes.entry(&wanted.place.node).or_default(), wanted, place);
        }
        let mut nodes: Vec<Node> =
            wishes.into_iter().map(|(name, wishes)| Node::new(name.clone(), wishes)).collect();
        nodes.sort_by(|a, b| a.name().cmp(b.name()));
        let by_name =
            nodes.iter().enumerate().map(|(at, node)| (node.name().to_string().into(), at)).collect();
        Self { id: id.into(), nodes, by_name, name: String::new(), announced: None, announce_at: None }
    }

    /// The edge nodes, in order.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeName> {
        self.nodes.iter().map(Node::name)
    }

    /// Edge nodes whose birth is known.
    #[must_use]
    pub fn alive(&self) -> usize {
        self.nodes.iter().filter(|node| node.is_alive()).count()
    }

    /// The subscriptions stand and our STATE is out. Edge nodes that do not notice are asked for a rebirth a little later.
    pub fn connected(&mut self, now: Duration) {
        self.nodes.iter_mut().for_each(|node| node.ask(now, REORDER));
    }

    /// The broker is gone: nothing is known of anybody any more.
    pub fn disconnected(&mut self, moment: Moment, ear: &mut impl Ear) {
        self.nodes.iter_mut().for_each(|node| node.forget(moment, ear));
        (self.announced, self.announce_at) = (None, None);
    }

    /// Takes one message.
    pub fn take(&mut self, topic: &[u8], payload: &[u8], moment: Moment, ear: &mut impl Ear) {
        let (kind, group, node, device) = match Topic::parse(topic) {
            Ok(Topic::Edge { kind, group, node, device }) => (kind, group, node, device),
            Ok(Topic::State(id)) => return self.state(id, payload, moment.monotonic, ear),
            Err(refusal) => return ear.refused(topic, payload, refusal, 1),
        };
        self.name.clear();
        self.name.extend([group, "/", node]);
        let found = self.by_name.get(self.name.as_str()).and_then(|at| self.nodes.get_mut(*at));
        match found {
            Some(node) => node.take(topic, kind, device, payload, moment, ear),
            None => ear.refused(topic, payload, Refusal::UnknownNode, 1),
        }
    }

    /// A STATE of our own that says we are gone (the will of an earlier connection, say) is put right.
    fn state(&mut self, id: &str, payload: &[u8], now: Duration, ear: &mut impl Ear) {
        if id != self.id || State::from_json(payload).is_some_and(|state| state.online) {
            return;
        }
        let at = self.announced.map_or(now, |announced| now.max(announced + STATE_EVERY));
        self.announce_at.get_or_insert(at);
        self.announce(now, ear);
    }

    fn announce(&mut self, now: Duration, ear: &mut impl Ear) {
        if self.announce_at.is_some_and(|at| at <= now) {
            (self.announced, self.announce_at) = (Some(now), None);
            ear.announce();
        }
    }

    /// Monotonic time at which [`Host::tick`] has something to do.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.nodes.iter().filter_map(Node::due).chain(self.announce_at).min()
    }

    /// Acts on time that has passed.
    pub fn tick(&mut self, moment: Moment, ear: &mut impl Ear) {
        self.announce(moment.monotonic, ear);
        self.nodes.iter_mut().for_each(|node| node.tick(moment, ear));
    }
}

/// The payload of a Rebirth command, as it is sent to [`NodeName::command_topic`].
#[must_use]
pub fn rebirth(now: Timestamp) -> Vec<u8> {
    crate::node::rebirth_payload(now)
}
