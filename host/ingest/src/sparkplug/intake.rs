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
    /// When the last value was taken, as the edge node says; `None` once it is stale, or nobody can say.
    taken: Option<Timestamp>,
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

/// When a sample was so, and whether it was so all the while since it was taken. An edge node may send two values of one millisecond,
/// and a birth tells again what was taken before: neither may fall behind the last sample of its point. What a birth tells again
/// is none the newer for it. Where the point has become stale since it was taken, or a newer value was known, nobody can
/// say what was between.
fn placed(update: &Update<'_>, metric: &Metric) -> (Timestamp, bool) {
    let Some(last) = metric.last.filter(|last| !update.historical && update.time <= *last) else {
        return (update.time, true);
    };
    let after = Timestamp(last.0.saturating_add(1));
    match update.birth {
        // Taken when it was told, by whatever clock; or known since.
        true => (after, update.time >= update.said || metric.taken == Some(update.time)),
        false if update.time == last => (after, true),
        // The source's clock has gone back: whoever takes the sample says so.
        false => (update.time, true),
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
        let (time, is_known) = placed(update, metric);
        // At best: an uncertain value shows of no command that it was carried out.
        let quality = if is_known { update.quality } else { update.quality.worse(Quality::Uncertain) };
        if !update.historical && metric.last < Some(time) {
            (metric.last, metric.taken) = (Some(time), is_known.then_some(update.time));
        }
        let mut refused = Ok(());
        for fed in &mut metric.fed {
            match read(&fed.point, update.reading) {
                Ok(reading) => {
                    let sample = decode::sample(&fed.point, reading, quality, time, update.received);
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
        (metric.last, metric.taken) = (Some(time), None);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A birth's value that was taken and told at these times, of a metric whose last sample has time 100 and is of a value taken
    /// at `taken`.
    fn check(taken: Option<u64>, (time, said): (u64, u64), expect: (u64, bool)) {
        let metric = Metric { fed: Vec::new(), last: Some(Timestamp(100)), taken: taken.map(Timestamp) };
        let update = Update {
            place: 0,
            reading: Reading::Number(1.0),
            quality: Quality::Good,
            time: Timestamp(time),
            said: Timestamp(said),
            received: Timestamp(1_000),
            birth: true,
            historical: false,
        };
        let expect = (Timestamp(expect.0), expect.1);
        assert_eq!(placed(&update, &metric), expect, "taken {taken:?}, {time} told at {said}");
        let old = Update { historical: true, ..update };
        assert_eq!(placed(&old, &metric), (Timestamp(time), true), "history keeps its time");
    }

    #[test]
    fn what_a_birth_tells_again_is_no_newer_for_it_and_in_doubt_once_it_was_stale() {
        for taken in [None, Some(100), Some(40)] {
            check(taken, (150, 900), (150, true));
            check(taken, (60, 900), (101, false));
            // Its clock is behind: it was taken when it was told all the same.
            check(taken, (60, 60), (101, true));
        }
        check(Some(100), (100, 900), (101, true));
        check(Some(40), (40, 900), (101, true));
        check(None, (100, 900), (101, false));
    }
}
