//! Values of nodes become samples: read exactly, each told once, and what is not taken is counted and told by name.

use std::time::Duration;

use geminus_core::{Event, Quality, Sample, Timestamp};
use geminus_ingest::refusal::RefusalJournal;
use geminus_ingest::{Point, Reason};
use opcua::types::{DataValue, NodeId};

use crate::source::OpcUaStats;
use crate::value::{Reading, ValueError};
use crate::{NodeAddress, status, time, value};

/// One node and the points that it feeds.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) address: NodeAddress,
    points: Vec<Point>,
    last: Option<Last>,
    /// Why the server does not let us watch it, as was told.
    pub(crate) refused: Option<String>,
    /// Where it is at the server that we are connected to.
    pub(crate) node: Option<NodeId>,
}

/// What was taken last of a node.
#[derive(Clone, Debug, PartialEq)]
struct Last {
    /// As the server said it.
    said: Option<Timestamp>,
    /// As it was passed on.
    time: Timestamp,
    reading: Reading,
    quality: Quality,
}

impl Item {
    pub(crate) fn new(address: NodeAddress) -> Self {
        Self { address, points: Vec::new(), last: None, refused: None, node: None }
    }

    pub(crate) fn feed(&mut self, point: Point) {
        self.points.push(point);
    }
}

/// Everything that was heard and is not handed on yet.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) items: Vec<Item>,
    pub(crate) samples: Vec<Sample>,
    /// Values since it was last told that say that a queue of the server ran over.
    pub(crate) overflows: u64,
    refused: RefusalJournal,
    accept_future: Duration,
}

/// Why a value is not taken.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Value(#[from] ValueError),
    #[error("`{0}` is not among the labels of the point")]
    Label(String),
    #[error("its time is too far in the future")]
    Future,
}

impl Intake {
    pub(crate) fn new(items: Vec<Item>, accept_future: Duration) -> Self {
        Self { items, samples: Vec::new(), overflows: 0, refused: RefusalJournal::default(), accept_future }
    }

    /// Takes one value of the item `place`. `now` is monotonic. Gives an event when something is to be told.
    pub(crate) fn take(
        &mut self,
        place: usize,
        value: &DataValue,
        received: Timestamp,
        now: Duration,
        stats: &OpcUaStats,
    ) -> Option<Event> {
        let item = self.items.get_mut(place)?;
        if value.status.is_some_and(|code| status::overflowed(code.bits())) {
            self.overflows += 1;
            stats.add_overflows(1);
        }
        let refusal = match taken(item, value, received, self.accept_future, &mut self.samples) {
            Ok(true) => return None,
            Ok(false) => {
                stats.repeated();
                return None;
            }
            Err(refusal) => refusal,
        };
        let reason = match &refusal {
            Refusal::Value(_) => Reason::WrongType,
            Refusal::Label(_) => Reason::UnknownLabel,
            Refusal::Future => Reason::FutureTime,
        };
        let (node, excerpt) = (item.address.to_string(), refusal.to_string());
        let mut event =
            self.refused.refuse(stats.refusals(), node.as_bytes(), excerpt.as_bytes(), reason, now)?;
        let node = geminus_ingest::refusal::excerpt(node.as_bytes());
        event.message = format!("a value of node `{node}` was refused: {refusal}");
        Some(event)
    }
}

/// Whether it is new. A server tells the last value of each node again when a subscription is made anew.
fn taken(
    item: &mut Item,
    value: &DataValue,
    received: Timestamp,
    accept_future: Duration,
    samples: &mut Vec<Sample>,
) -> Result<bool, Refusal> {
    let quality = status::quality(value.status.map_or(0, |status| status.bits()));
    let reading = value::reading(value.value.as_ref())?;
    let said = time::of(value);
    if said.is_some_and(|said| said > received.plus(accept_future)) {
        return Err(Refusal::Future);
    }
    let time = match &item.last {
        Some(last) if said.is_some() && said == last.said => {
            if quality == last.quality && same(&reading, &last.reading) {
                return Ok(false);
            }
            // Two values of one time: the later one must not be taken for the first that came twice.
            Timestamp(last.time.0.saturating_add(1))
        }
        // A value without a time is new each time.
        Some(last) => said.unwrap_or_else(|| received.max(Timestamp(last.time.0.saturating_add(1)))),
        None => said.unwrap_or(received),
    };
    let before = samples.len();
    for point in &item.points {
        match sample(point, &reading, quality, time, received) {
            Ok(sample) => samples.push(sample),
            Err(refusal) => {
                samples.truncate(before);
                return Err(refusal);
            }
        }
    }
    item.last = Some(Last { said, time, reading, quality });
    Ok(true)
}

/// Equal to the bit: a NaN is the same NaN, and -0.0 is not 0.0.
fn same(one: &Reading, other: &Reading) -> bool {
    match (one, other) {
        (Reading::Number(one), Reading::Number(other)) => one.to_bits() == other.to_bits(),
        (one, other) => one == other,
    }
}

fn sample(
    point: &Point,
    reading: &Reading,
    quality: Quality,
    time: Timestamp,
    received: Timestamp,
) -> Result<Sample, Refusal> {
    let series = point.series;
    let value = match reading {
        Reading::Number(number) => match point.conversion {
            Some(conversion) => number * conversion.scale + conversion.offset,
            None => *number,
        },
        Reading::Boolean(truth) => f64::from(*truth),
        Reading::Text(text) => match point.labels.iter().find(|(word, _)| word == text) {
            Some((_, value)) => *value,
            None if point.labels.is_empty() => return Err(ValueError::Type("String".to_owned()).into()),
            None => return Err(Refusal::Label(text.chars().take(60).collect())),
        },
        // There is nothing to be used, whatever the server says of it.
        Reading::Nothing => {
            return Ok(Sample { series, quality: Quality::Bad, value: f64::NAN, time, received });
        }
    };
    // As from every source: what is no number is NaN and keeps the quality that its source gave it.
    let value = if value.is_finite() { value } else { f64::NAN };
    Ok(Sample { series, quality, value, time, received })
}

#[cfg(test)]
mod tests;
