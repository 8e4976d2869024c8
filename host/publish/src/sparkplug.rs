//! Layer `sparkplug-b-1`: an edge node of Sparkplug B 3.0, with a device for each twin.
//!
//! The node is born with each connection and whenever a host application asks; its will is its death. Metrics have
//! aliases that hold for as long as the process lives. The layer is described in docs/book/publishing.md and never
//! changes: another layout gets another number.

use geminus_core::{Quality, Timestamp};
use geminus_ingest::mqtt::line::Will;
use geminus_sparkplug::topic::{Kind as Message, NAMESPACE};
use geminus_sparkplug::value::datatype;
use geminus_sparkplug::{Metric, NodeName, Payload, Topic, Value};

use crate::catalogue::{Catalogue, Item, Kind};
use crate::outgoing::{Outgoing, Work};
use crate::outlet::{Content, Outlet, State};

/// The layer's name, in the birth of the node.
const LAYER: &str = "sparkplug-b-1";
const REBIRTH: &str = "Node Control/Rebirth";
const BD_SEQ: &str = "bdSeq";
/// Aliases of one item, of which it uses as many as it has metrics.
const ALIASES: u64 = 4;

#[derive(Debug)]
pub(crate) struct EdgeNode {
    name: NodeName,
    /// Number of the session, in its birth and its death; `None` before the first.
    bd_seq: Option<u64>,
    /// Number of the next message.
    seq: u64,
}

/// Texts of metrics, which payloads borrow.
#[derive(Debug)]
struct Line<'a> {
    name: String,
    metric: Metric<'a>,
}

impl EdgeNode {
    pub(crate) fn new(group: &str, node: &str) -> Self {
        Self { name: NodeName { group: group.to_owned(), node: node.to_owned() }, bd_seq: None, seq: 0 }
    }

    pub(crate) fn command_topic(&self) -> String {
        self.name.command_topic()
    }

    /// A session begins. The first one's number comes from the clock, so that a late death of an earlier process is not
    /// taken for ours.
    pub(crate) fn begin(&mut self, now: Timestamp) -> Will {
        let next = self.bd_seq.map_or(now.millis() / 1_000, |last| last + 1) % 256;
        self.bd_seq = Some(next);
        let Outgoing { topic, payload, retained, .. } = self.goodbye(now);
        Will { topic, payload, retained }
    }

    pub(crate) fn goodbye(&self, now: Timestamp) -> Outgoing {
        let metrics = vec![self.session()];
        let payload = Payload { timestamp: Some(now.millis()), seq: None, metrics };
        self.outgoing("NDEATH", None, &payload, true)
    }

    pub(crate) fn message(
        &self,
        work: &Work,
        catalogue: &Catalogue,
        outlet: &Outlet,
        now: Timestamp,
    ) -> Option<Outgoing> {
        match work {
            Work::Here => Some(self.node_birth(now)),
            Work::Twin(place) => {
                let twin = catalogue.twins().get(*place)?;
                let all: Vec<u32> = twin.items().collect();
                Some(self.device("DBIRTH", &twin.id, &all, catalogue, outlet, now))
            }
            Work::Items(items) => {
                let (twin, _) = catalogue.item(*items.first()?)?;
                Some(self.device("DDATA", &twin.id, items, catalogue, outlet, now))
            }
        }
    }

    /// Numbers go round; the birth of the node has 0.
    pub(crate) fn said(&mut self, work: &Work) {
        self.seq = match work {
            Work::Here => 1,
            Work::Twin(_) | Work::Items(_) => (self.seq + 1) % 256,
        };
    }

    pub(crate) fn asks_for_births(&self, topic: &[u8], payload: &[u8]) -> bool {
        let ours = matches!(
            Topic::parse(topic),
            Ok(Topic::Edge { kind: Message::Command, group, node, device: None })
                if group == self.name.group && node == self.name.node
        );
        let asks =
            |metric: &Metric<'_>| metric.name == Some(REBIRTH) && metric.value == Some(Value::Boolean(true));
        ours && Payload::decode(payload).is_ok_and(|payload| payload.metrics.iter().any(asks))
    }

    fn session(&self) -> Metric<'static> {
        Metric {
            name: Some(BD_SEQ),
            datatype: Some(datatype::INT64),
            value: Some(Value::Long(self.bd_seq.unwrap_or_default())),
            ..Metric::default()
        }
    }

    fn node_birth(&self, now: Timestamp) -> Outgoing {
        let timestamp = Some(now.millis());
        let metric = |name, datatype, value| Metric {
            name: Some(name),
            timestamp,
            datatype: Some(datatype),
            value: Some(value),
            ..Metric::default()
        };
        let metrics = vec![
            Metric { timestamp, ..self.session() },
            metric(REBIRTH, datatype::BOOLEAN, Value::Boolean(false)),
            metric("Properties/Layer", datatype::STRING, Value::Text(LAYER)),
        ];
        let payload = Payload { timestamp, seq: Some(0), metrics };
        self.outgoing("NBIRTH", None, &payload, false)
    }

    fn device(
        &self,
        kind: &str,
        device: &str,
        items: &[u32],
        catalogue: &Catalogue,
        outlet: &Outlet,
        now: Timestamp,
    ) -> Outgoing {
        let is_birth = kind == "DBIRTH";
        let known: Vec<(u32, &Item, Option<State>)> = items
            .iter()
            .filter_map(|item| Some((*item, catalogue.item(*item)?.1, outlet.state(*item))))
            .collect();
        let lines: Vec<Line<'_>> = known
            .iter()
            .flat_map(|(number, item, state)| lines(*number, item, state.as_ref(), now))
            .collect();
        let metrics = lines.iter().map(|line| Metric {
            name: is_birth.then_some(line.name.as_str()),
            unit: line.metric.unit.filter(|_| is_birth),
            ..line.metric.clone()
        });
        let metrics = metrics.collect();
        let payload = Payload { timestamp: Some(now.millis()), seq: Some(self.seq), metrics };
        self.outgoing(kind, Some(device), &payload, false)
    }

    fn outgoing(
        &self,
        kind: &str,
        device: Option<&str>,
        payload: &Payload<'_>,
        at_least_once: bool,
    ) -> Outgoing {
        let NodeName { group, node } = &self.name;
        let device = device.map(|device| format!("/{device}")).unwrap_or_default();
        let topic = format!("{NAMESPACE}/{group}/{kind}/{node}{device}");
        Outgoing { topic, payload: payload.encode(), at_least_once, retained: false }
    }
}

/// The metrics of an item. One that nobody knows yet is null and bad.
fn lines<'a>(number: u32, item: &'a Item, state: Option<&'a State>, now: Timestamp) -> Vec<Line<'a>> {
    let time = state.map_or(now, |state| state.time).millis();
    let line = |place: u64, name: String, datatype, unit, value: Option<Value<'a>>, quality: Quality| Line {
        name,
        metric: Metric {
            name: None,
            alias: Some(u64::from(number) * ALIASES + place),
            timestamp: Some(time),
            datatype: Some(datatype),
            is_historical: false,
            is_null: value.is_none(),
            quality: Some(code(quality)),
            unit,
            value,
        },
    };
    let (value, quality) = state.map_or((None, Quality::Missing), State::number);
    let double = value.map(Value::Double);
    let stands = state.map_or(Quality::Missing, |state| state.quality);
    match &item.kind {
        Kind::Point { unit } => {
            vec![line(0, item.name.clone(), datatype::DOUBLE, Some(unit.as_str()), double, quality)]
        }
        Kind::Health => {
            let verdict = match state.map(|state| &state.content) {
                Some(Content::Health { verdict, .. }) => Some(Value::Text(verdict)),
                _ => None,
            };
            vec![
                line(0, "health/index".to_owned(), datatype::DOUBLE, Some("1"), double, quality),
                line(1, "health/verdict".to_owned(), datatype::STRING, None, verdict, stands),
            ]
        }
        Kind::Alarm => {
            let (state, priority) = match state.map(|state| &state.content) {
                Some(Content::Alarm { state, priority, .. }) => (Some(*state), Some(*priority)),
                _ => (None, None),
            };
            let text = |text: Option<&'static str>| text.map(Value::Text);
            let name = &item.name;
            vec![
                line(0, format!("alarm/{name}"), datatype::STRING, None, text(state), stands),
                line(1, format!("alarm/{name}/priority"), datatype::STRING, None, text(priority), stands),
            ]
        }
    }
}

/// What Sparkplug has words for. What is neither good nor stale is bad: uncertain is not good.
fn code(quality: Quality) -> u64 {
    match quality {
        Quality::Good => 192,
        Quality::Stale => 500,
        Quality::Uncertain | Quality::Bad | Quality::Missing => 0,
    }
}

#[cfg(test)]
mod tests;
