//! What a host application hears becomes samples, messages to send, and entries of the journal.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Event, Quality, Sample, Severity, Timestamp};
use geminus_sparkplug::topic::NodeName;
use geminus_sparkplug::{Ear, Reading, Refusal, Transition, Update, Wanted};

use super::MetricPoint;
use crate::EventSink;
use crate::decode::{self, DecodeLimits};
use crate::mqtt::MqttStats;
use crate::refusal::{Reason, RefusalJournal};
use crate::route::Point;

/// Entries of the journal about edge nodes in one minute; an edge node that is born and dies all the time must not fill it.
const TOLD_MAX: u32 = 60;
const MINUTE: Duration = Duration::from_mins(1);

/// A point and the last value that it was told.
#[derive(Debug)]
struct Fed {
    point: Point,
    value: f64,
}

/// The points of one metric, and the time of their last samples.
#[derive(Debug, Default)]
struct Metric {
    fed: Vec<Fed>,
    last: Option<Timestamp>,
}

/// Everything that was heard and is not handed on yet.
pub(super) struct Intake {
    metrics: Vec<Metric>,
    limits: DecodeLimits,
    pub(super) samples: Vec<Sample>,
    /// Edge nodes that are to be born again.
    pub(super) rebirths: Vec<NodeName>,
    /// Whether our STATE is to be published again.
    pub(super) announce: bool,
    refused: RefusalJournal,
    events: EventSink,
    stats: Arc<MqttStats>,
    /// Monotonic time of what is being heard.
    pub(super) now: Duration,
    told_since: Duration,
    told: u32,
}

impl Intake {
    /// And what is wanted, each metric once, in the order of their places.
    pub(super) fn new(
        points: Vec<MetricPoint>,
        limits: DecodeLimits,
        events: EventSink,
        stats: Arc<MqttStats>,
    ) -> (Self, Vec<Wanted>) {
        let (mut wanted, mut metrics): (Vec<Wanted>, Vec<Metric>) = (Vec::new(), Vec::new());
        let mut places: HashMap<(String, Option<String>, String), usize> = HashMap::new();
        for MetricPoint { wanted: wish, point } in points {
            let key = (wish.place.node.to_string(), wish.place.device.clone(), wish.metric.clone());
            let place = *places.entry(key).or_insert_with(|| {
                wanted.push(wish);
                metrics.push(Metric::default());
                metrics.len() - 1
            });
            if let Some(metric) = metrics.get_mut(place) {
                metric.fed.push(Fed { point, value: f64::NAN });
            }
        }
        let intake = Self {
            metrics,
            limits,
            samples: Vec::new(),
            rebirths: Vec::new(),
            announce: false,
            refused: RefusalJournal::default(),
            events,
            stats,
            now: Duration::ZERO,
            told_since: Duration::ZERO,
            told: 0,
        };
        (intake, wanted)
    }

    /// Whether a message is larger than accepted, which is told.
    pub(super) fn too_large(&mut self, topic: &[u8], payload: &[u8]) -> bool {
        let too_large = payload.len() > self.limits.payload_bytes_max;
        if too_large {
            let refused = &self.stats.refusals;
            let event = self.refused.refuse(refused, topic, payload, Reason::TooLarge, self.now);
            event.into_iter().for_each(|event| (self.events)(event));
        }
        too_large
    }
}

/// When a sample was so. A birth says what is so when it is sent, however old the value, and an edge node may send two
/// values of one millisecond: neither may fall behind the last sample of its point.
fn time(update: &Update<'_>, last: Option<Timestamp>) -> Timestamp {
    let Some(last) = last.filter(|_| !update.historical) else { return update.time };
    let after = Timestamp(last.0.saturating_add(1));
    match update.birth {
        _ if update.time > last => update.time,
        true => update.said.max(after),
        false if update.time == last => after,
        // The source's clock has gone back: whoever takes the sample says so.
        false => update.time,
    }
}

fn read(point: &Point, reading: Reading<'_>) -> Result<decode::Reading, Refusal> {
    match reading {
        Reading::Number(number) => Ok(decode::Reading::Number(number)),
        Reading::Boolean(truth) => Ok(decode::Reading::Exact(f64::from(truth))),
        Reading::Label(word) => decode::label(point, word).map_err(|_| Refusal::UnknownLabel),
        Reading::Null => Ok(decode::Reading::Nothing),
    }
}

impl Ear for Intake {
    fn value(&mut self, update: &Update<'_>) -> Result<(), Refusal> {
        if update.time > update.received.plus(self.limits.accept_future) {
            return Err(Refusal::FutureTime);
        }
        let Some(metric) = self.metrics.get_mut(update.place as usize) else { return Ok(()) };
        let time = time(update, metric.last);
        if !update.historical {
            metric.last = metric.last.max(Some(time));
        }
        let mut refused = Ok(());
        for fed in &mut metric.fed {
            match read(&fed.point, update.reading) {
                Ok(reading) => {
                    let sample = decode::sample(&fed.point, reading, update.quality, time, update.received);
                    if !update.historical {
                        fed.value = sample.value;
                    }
                    self.samples.push(sample);
                }
                Err(refusal) => refused = Err(refusal),
            }
        }
        refused
    }

    fn stale(&mut self, place: u32, time: Timestamp, received: Timestamp) {
        let Some(metric) = self.metrics.get_mut(place as usize) else { return };
        // A point that was never told anything has no value that could be stale.
        let Some(last) = metric.last else { return };
        let time = time.max(Timestamp(last.0.saturating_add(1)));
        metric.last = Some(time);
        // What is no number is bad already.
        for fed in metric.fed.iter().filter(|fed| !fed.value.is_nan()) {
            let (series, value) = (fed.point.series, fed.value);
            self.samples.push(Sample { series, quality: Quality::Stale, value, time, received });
        }
    }

    fn rebirth(&mut self, node: &NodeName) {
        self.rebirths.push(node.clone());
    }

    fn announce(&mut self) {
        self.announce = true;
    }

    fn transition(&mut self, node: &NodeName, transition: Transition) {
        if self.now.saturating_sub(self.told_since) >= MINUTE {
            (self.told_since, self.told) = (self.now, 0);
        }
        self.told += 1;
        if self.told > TOLD_MAX {
            tracing::debug!(%node, ?transition, "not told: too many in a minute");
            return;
        }
        let event = match transition {
            Transition::Born => {
                Event::new("edge-node-born", Severity::Info, format!("edge node {node} is there"))
            }
            Transition::Died => Event::new(
                "edge-node-died",
                Severity::Warning,
                format!("edge node {node} has died: its points are stale"),
            ),
            Transition::Lost => Event::new(
                "edge-node-lost",
                Severity::Warning,
                format!("edge node {node} cannot be followed: its points are stale until it is born again"),
            ),
        };
        (self.events)(event.facts(serde_json::json!({ "group": node.group, "node": node.node })));
    }

    fn refused(&mut self, topic: &[u8], payload: &[u8], refusal: Refusal, times: u64) {
        let reason = reason(refusal);
        self.stats.refusals.add(reason, times.saturating_sub(1));
        let event = self.refused.refuse(&self.stats.refusals, topic, payload, reason, self.now);
        if let Some(mut event) = event {
            let topic = crate::refusal::excerpt(topic);
            event.message = format!("a message on `{topic}` was refused: {refusal}");
            (self.events)(event);
        }
    }
}

/// Under which reason a refusal is counted.
fn reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::Topic | Refusal::UnknownNode => Reason::UnknownTopic,
        Refusal::Malformed | Refusal::NoSequence | Refusal::NoBdSeq | Refusal::Ambiguous => Reason::Malformed,
        Refusal::TooMany => Reason::TooLarge,
        Refusal::NoBirth => Reason::NoBirth,
        Refusal::BeforeBirth
        | Refusal::AfterDeath
        | Refusal::OldDeath
        | Refusal::Retained
        | Refusal::OutOfOrder
        | Refusal::Gap => Reason::OutOfOrder,
        Refusal::UnknownAlias | Refusal::UnknownMetric => Reason::UnknownMetric,
        Refusal::WrongType => Reason::WrongType,
        Refusal::NoValue => Reason::NoValue,
        Refusal::UnknownLabel => Reason::UnknownLabel,
        Refusal::FutureTime => Reason::FutureTime,
    }
}
