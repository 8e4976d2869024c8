//! What is known of one edge node and its devices: its session from NBIRTH to NDEATH, in the order of its sequence numbers.
//!
//! Whenever it is not certain what a message means (a gap, an alias that no birth has given), the node counts as lost:
//! its points are stale until it is born again, because a wrong value is worse than none.

use std::collections::HashMap;
use std::time::Duration;

use geminus_core::Timestamp;

use crate::held::{Held, Hold, Message};
use crate::host::{DEATH_GUARD, Ear, Moment, NODE_METRICS_MAX, REBIRTH_EVERY, REORDER, Transition};
use crate::payload::{Metric, Payload};
use crate::session::{Said, Session};
use crate::table::{NodeWishes, Table};
use crate::topic::{Kind, NodeName};
use crate::{Refusal, Value};

/// The metric that ties a death to its birth.
const BD_SEQ: &str = "bdSeq";
/// A message of the millisecond of a birth is after it when its number is this little ahead.
const SAME_MILLISECOND_AHEAD: u8 = 16;

/// When a rebirth was asked for, and when it is to be.
#[derive(Debug, Default)]
struct Rebirth {
    asked: Option<Duration>,
    due: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct Node {
    name: NodeName,
    wishes: NodeWishes,
    session: Option<Session>,
    held: Held,
    died: Option<(u8, Duration)>,
    rebirth: Rebirth,
    /// The last message's own time, and when it arrived: what the clock of the source says now.
    clock: Option<(u64, Duration)>,
}

impl Node {
    pub(crate) fn new(name: NodeName, wishes: NodeWishes) -> Self {
        let (held, rebirth) = (Held::default(), Rebirth::default());
        Self { name, wishes, session: None, held, died: None, rebirth, clock: None }
    }

    pub(crate) fn name(&self) -> &NodeName {
        &self.name
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.session.is_some()
    }

    /// Asks for a rebirth after `wait`, and not more often than may be.
    pub(crate) fn ask(&mut self, now: Duration, wait: Duration) {
        let earliest = self.rebirth.asked.map_or(Duration::ZERO, |asked| asked + REBIRTH_EVERY);
        self.rebirth.due.get_or_insert((now + wait).max(earliest));
    }

    pub(crate) fn due(&self) -> Option<Duration> {
        let gap = self.held.since().map(|since| since + REORDER);
        let pending = self.session.as_ref().filter(|session| !session.pending.is_empty());
        gap.into_iter().chain(pending.map(|session| session.pending_until)).chain(self.rebirth.due).min()
    }

    pub(crate) fn tick(&mut self, moment: Moment, ear: &mut impl Ear) {
        let now = moment.monotonic;
        if self.held.since().is_some_and(|since| since + REORDER <= now) {
            self.lose(moment, ear);
        }
        let time = self.time(moment);
        if let Some(session) = self.session.as_mut().filter(|session| session.pending_until <= now) {
            let gone = std::mem::take(&mut session.pending);
            gone.into_values().flatten().for_each(|place| ear.stale(place, time, moment.received));
        }
        self.send_rebirth(now, ear);
    }

    fn send_rebirth(&mut self, now: Duration, ear: &mut impl Ear) {
        if self.rebirth.due.is_some_and(|due| due <= now) {
            self.rebirth = Rebirth { asked: Some(now), due: None };
            ear.rebirth(&self.name);
        }
    }

    /// The broker is gone. Another connection may ask for a rebirth at once.
    pub(crate) fn forget(&mut self, moment: Moment, ear: &mut impl Ear) {
        self.end(moment, ear);
        self.held.clear();
        (self.died, self.rebirth) = (None, Rebirth::default());
    }

    pub(crate) fn take(
        &mut self,
        topic: &[u8],
        kind: Kind,
        device: Option<&str>,
        bytes: &[u8],
        moment: Moment,
        ear: &mut impl Ear,
    ) {
        if kind == Kind::Command {
            return;
        }
        let said = Said { topic, bytes, moment };
        let payload = match Payload::decode(bytes) {
            Ok(payload) => payload,
            Err(refusal) => return ear.refused(topic, bytes, refusal, 1),
        };
        let taken = match kind {
            Kind::NodeBirth => self.node_birth(said, &payload, ear),
            Kind::NodeDeath => self.node_death(&payload, moment, ear),
            _ => self.in_turn(said, kind, device, &payload, ear),
        };
        if let Err(refusal) = taken {
            ear.refused(topic, bytes, refusal, 1);
        }
        self.send_rebirth(moment.monotonic, ear);
    }

    fn node_birth(
        &mut self,
        said: Said<'_>,
        payload: &Payload<'_>,
        ear: &mut impl Ear,
    ) -> Result<(), Refusal> {
        let now = said.moment.monotonic;
        let seq = sequence(payload)?;
        let bd_seq = bd_seq(payload).ok_or(Refusal::NoBdSeq)?;
        if self.died.is_some_and(|(died, at)| died == bd_seq && now.saturating_sub(at) < DEATH_GUARD) {
            // If it lives after all, it will say so.
            self.ask(now, REORDER);
            return Err(Refusal::AfterDeath);
        }
        let own = match Table::of_birth(&payload.metrics, self.wishes.get(&None)) {
            Ok(own) if own.len() <= NODE_METRICS_MAX => own,
            refused => {
                // Its data would be read by the aliases of the birth before.
                self.lose(said.moment, ear);
                return Err(refused.err().unwrap_or(Refusal::TooMany));
            }
        };
        self.set_clock(payload, now);
        let before = self.session.take();
        let known = before.is_some();
        let (pending, gone) = match before {
            Some(before) => {
                let gone: Vec<u32> = before.own.places().filter(|place| !own.has(*place)).collect();
                (before.places_of_devices(), gone)
            }
            None => (HashMap::new(), Vec::new()),
        };
        let time = self.time(said.moment);
        gone.into_iter().for_each(|place| ear.stale(place, time, said.moment.received));
        self.session = Some(Session {
            bd_seq,
            born: payload.timestamp,
            heard: now,
            next: seq.wrapping_add(1),
            own,
            devices: HashMap::new(),
            pending,
            pending_until: now + REORDER,
        });
        (self.died, self.rebirth.due) = (None, None);
        if !known {
            ear.transition(&self.name, Transition::Born);
        }
        if let Some(session) = &self.session {
            session.own.tell(said, payload, true, ear);
        }
        self.after_birth(payload.timestamp, seq.wrapping_add(1));
        self.drain(said.moment, ear);
        Ok(())
    }

    /// Of the messages that wait, those that were sent after the birth belong to its session.
    fn after_birth(&mut self, born: Option<u64>, next: u8) {
        self.held.retain(|message| match (message.timestamp, born) {
            (Some(sent), Some(born)) => {
                sent > born || (sent == born && message.seq.wrapping_sub(next) < SAME_MILLISECOND_AHEAD)
            }
            _ => false,
        });
    }

    fn node_death(
        &mut self,
        payload: &Payload<'_>,
        moment: Moment,
        ear: &mut impl Ear,
    ) -> Result<(), Refusal> {
        let bd_seq = bd_seq(payload);
        if let (Some(died), Some(session)) = (bd_seq, &self.session)
            // One that is ahead is of a session whose birth did not come; ours is over then too.
            && died.wrapping_sub(session.bd_seq) >= 128
        {
            return Err(Refusal::OldDeath);
        }
        self.held.clear();
        self.died = bd_seq.map(|died| (died, moment.monotonic));
        if self.end(moment, ear) {
            ear.transition(&self.name, Transition::Died);
        }
        if bd_seq.is_none() {
            // Whose death it is cannot be told; who lives answers.
            self.ask(moment.monotonic, REORDER);
        }
        Ok(())
    }

    /// A message with a sequence number: now, later, or never.
    fn in_turn(
        &mut self,
        said: Said<'_>,
        kind: Kind,
        device: Option<&str>,
        payload: &Payload<'_>,
        ear: &mut impl Ear,
    ) -> Result<(), Refusal> {
        let seq = sequence(payload)?;
        let now = said.moment.monotonic;
        let ahead = match &self.session {
            None => None,
            Some(session) => {
                // Soon after a birth only: a clock that was set back would otherwise shut the node out.
                let fresh = now.saturating_sub(session.heard) < REORDER;
                let older = payload.timestamp.zip(session.born).is_some_and(|(sent, born)| sent < born);
                if fresh && older {
                    return Err(Refusal::BeforeBirth);
                }
                Some(seq.wrapping_sub(session.next))
            }
        };
        match ahead {
            Some(0) => {
                let done = self.apply(said, kind, device, payload, ear);
                self.drain(said.moment, ear);
                done
            }
            Some(128..) => Err(Refusal::OutOfOrder),
            Some(_) | None => {
                let message = Message {
                    kind,
                    device: device.map(Box::from),
                    seq,
                    timestamp: payload.timestamp,
                    payload: said.bytes.to_vec(),
                    moment: said.moment,
                };
                match self.held.hold(message) {
                    Hold::Held => Ok(()),
                    Hold::Twice => Err(Refusal::OutOfOrder),
                    Hold::Full => {
                        self.lose(said.moment, ear);
                        Err(Refusal::Gap)
                    }
                }
            }
        }
    }

    /// Whatever waits and has its turn now.
    fn drain(&mut self, moment: Moment, ear: &mut impl Ear) {
        while let Some(next) = self.session.as_ref().map(|session| session.next) {
            let Some(message) = self.held.take(next, moment.monotonic) else { return };
            let topic = self.topic(message.kind, message.device.as_deref());
            let said = Said { topic: topic.as_bytes(), bytes: &message.payload, moment: message.moment };
            // It was decoded when it came, so this cannot fail; if it did, it would be told.
            let taken = Payload::decode(&message.payload)
                .and_then(|payload| self.apply(said, message.kind, message.device.as_deref(), &payload, ear));
            if let Err(refusal) = taken {
                ear.refused(said.topic, said.bytes, refusal, 1);
            }
        }
    }

    fn topic(&self, kind: Kind, device: Option<&str>) -> String {
        let word = match kind {
            Kind::DeviceBirth => "DBIRTH",
            Kind::DeviceDeath => "DDEATH",
            Kind::DeviceData => "DDATA",
            _ => "NDATA",
        };
        let NodeName { group, node } = &self.name;
        let device = device.map(|device| format!("/{device}")).unwrap_or_default();
        format!("{}/{group}/{word}/{node}{device}", crate::topic::NAMESPACE)
    }

    /// A message whose turn it is.
    fn apply(
        &mut self,
        said: Said<'_>,
        kind: Kind,
        device: Option<&str>,
        payload: &Payload<'_>,
        ear: &mut impl Ear,
    ) -> Result<(), Refusal> {
        let now = said.moment.monotonic;
        self.set_clock(payload, now);
        let time = self.time(said.moment);
        let Some(session) = &mut self.session else { return Err(Refusal::NoBirth) };
        session.next = session.next.wrapping_add(1);
        let done = match (kind, device) {
            (Kind::DeviceBirth, Some(device)) => {
                let wishes = self.wishes.get(&Some(device.into()));
                let times = (time, said.moment.received);
                let born = Table::of_birth(&payload.metrics, wishes)
                    .and_then(|table| session.device_birth(device, table, times, ear));
                match born {
                    Ok(table) => {
                        table.tell(said, payload, true, ear);
                        Ok(())
                    }
                    Err(refusal) => {
                        // Its data would be read by the aliases of the birth before.
                        session.device_death(device, times, ear);
                        Err(refusal)
                    }
                }
            }
            (Kind::DeviceDeath, Some(device)) => {
                session.device_death(device, (time, said.moment.received), ear);
                Ok(())
            }
            (Kind::DeviceData, Some(device)) => match session.devices.get(device) {
                Some(table) => table.data(said, payload, ear),
                None => Err(Refusal::NoBirth),
            },
            _ => session.own.data(said, payload, ear),
        };
        match done {
            // Which of the metrics are still what they were is not known.
            Err(Refusal::UnknownAlias) => self.lose(said.moment, ear),
            Err(Refusal::NoBirth | Refusal::UnknownMetric) => self.ask(now, Duration::ZERO),
            _ => {}
        }
        done
    }

    /// What it sends cannot be followed any more.
    fn lose(&mut self, moment: Moment, ear: &mut impl Ear) {
        let waited = self.held.clear() as u64;
        if waited > 0 {
            let refusal = if self.session.is_some() { Refusal::Gap } else { Refusal::NoBirth };
            let topic = self.topic(Kind::NodeData, None);
            ear.refused(topic.as_bytes(), b"", refusal, waited);
        }
        if self.end(moment, ear) {
            ear.transition(&self.name, Transition::Lost);
        }
        self.ask(moment.monotonic, Duration::ZERO);
    }

    /// Ends the session, if there is one.
    fn end(&mut self, moment: Moment, ear: &mut impl Ear) -> bool {
        let time = self.time(moment);
        let Some(session) = self.session.take() else { return false };
        let devices = session.places_of_devices().into_values().flatten();
        session.own.places().chain(devices).for_each(|place| ear.stale(place, time, moment.received));
        true
    }

    fn set_clock(&mut self, payload: &Payload<'_>, now: Duration) {
        if let Some(sent) = payload.timestamp {
            self.clock = Some((sent, now));
        }
    }

    /// What the clock of the source says now, as far as its last message tells. Its own later values are later than this,
    /// which could not be said of this host's clock.
    fn time(&self, moment: Moment) -> Timestamp {
        self.clock.map_or(moment.received, |(sent, heard)| {
            Timestamp::from_millis(sent).plus(moment.monotonic.saturating_sub(heard))
        })
    }
}

fn sequence(payload: &Payload<'_>) -> Result<u8, Refusal> {
    payload.seq.and_then(|seq| u8::try_from(seq).ok()).ok_or(Refusal::NoSequence)
}

/// Counts connections of the edge node, 0 to 255 in turn; some do not wrap it.
fn bd_seq(payload: &Payload<'_>) -> Option<u8> {
    let metric = payload.metrics.iter().find(|metric| metric.name == Some(BD_SEQ))?;
    match metric.value? {
        Value::Int(number) => Some((number & 0xff) as u8),
        Value::Long(number) => Some((number & 0xff) as u8),
        _ => None,
    }
}

/// The payload of a Rebirth command.
pub(crate) fn rebirth_payload(now: Timestamp) -> Vec<u8> {
    let metric = Metric {
        name: Some("Node Control/Rebirth"),
        timestamp: Some(now.millis()),
        datatype: Some(crate::value::datatype::BOOLEAN),
        value: Some(Value::Boolean(true)),
        ..Metric::default()
    };
    Payload { timestamp: Some(now.millis()), seq: None, metrics: vec![metric] }.encode()
}
