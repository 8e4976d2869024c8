//! From the plant's neutral routes to running sources.

pub(crate) mod broker;
pub(crate) mod check;
mod handle;
pub(crate) mod opcua;
mod sparkplug;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use geminus_core::unit::Conversion as UnitConversion;
use geminus_core::{Clock, Event, Severity};
use geminus_ingest as ingest;
use geminus_ingest::csv::Recording;
use geminus_ingest::decode::DecodeLimits;
use geminus_ingest::refusal::RefusalCounts;
use geminus_ingest::route::{Envelope, QualityCode, TimeUnit};
use geminus_ingest::{MqttOptions, MqttSource, Routes, SparkplugSource};
use geminus_opcua::{NodePoint, OpcUaOptions, OpcUaSource};
use geminus_twin::Plant;
use geminus_twin::plant::{Payload, Route, RoutePoint};
use geminus_twin::site::{self, MqttVersion};

use tokio::task::JoinHandle;

use super::chronicle::Chronicle;
use super::client_id::{client_id, memo};
use super::lane::Lanes;
use super::replay::{self, Replay};

pub(crate) use handle::Handle;

/// A source that runs, under the name of the site file.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) handle: Handle,
}

/// The recordings of a site that are being played.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    pub(crate) tasks: Vec<JoinHandle<()>>,
    /// What each of them refused.
    pub(crate) refusals: Vec<Arc<RefusalCounts>>,
}

/// Starts every recording of the plant. One that cannot be played is told, and the others are. `beside` is the folder
/// of the site file. Needs a tokio runtime; blocks on the files.
pub(crate) fn replays(
    plant: &Plant,
    routes: &mut [Vec<Route>],
    beside: &Path,
    lanes: &Lanes,
    clock: &Arc<dyn Clock>,
    chronicle: &Chronicle,
) -> anyhow::Result<Replays> {
    let mut replays = Replays::default();
    for (source, routes) in plant.sources.iter().zip(routes) {
        let Some(csv) = source.csv.as_ref().filter(|_| !routes.is_empty()) else { continue };
        let routes = std::mem::take(routes);
        let recording = match recording(csv, &routes, beside) {
            Ok(recording) => recording,
            Err(error) => {
                let message = format!("source {} is not played: {error:#}", source.name);
                let facts = serde_json::json!({ "source": source.name, "file": csv.path });
                chronicle.tell(Event::new("source-failed", Severity::Error, message).facts(facts));
                continue;
            }
        };
        recording.refused().events(&source.name, &csv.path).for_each(|event| chronicle.tell(event));
        let replay = Replay::new(&source.name, csv, recording, table(routes)?, clock, decode_limits(plant));
        replays.refusals.push(replay.refusals());
        replays.tasks.push(replay.start(lanes.clone(), chronicle.clone()));
    }
    Ok(replays)
}

fn recording(csv: &site::Csv, routes: &[Route], beside: &Path) -> anyhow::Result<Recording> {
    let columns = topics(routes);
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    replay::read(csv, &beside.join(&csv.path), &columns)
}

/// Starts every connection of the plant to the field, none before all are known to be right: a host that does not start
/// should not disturb one that runs. Takes the routes, which a fleet should not have twice. `data` is the data folder and
/// `beside` that of the site file. Needs a tokio runtime; blocks on certificates.
pub(crate) fn start(
    plant: &Plant,
    routes: &mut [Vec<Route>],
    (data, beside): (&Path, &Path),
    lanes: &Lanes,
    clock: &Arc<dyn Clock>,
    chronicle: &Chronicle,
) -> anyhow::Result<Vec<Source>> {
    let mut ready = Vec::new();
    for (source, routes) in plant.sources.iter().zip(routes) {
        if source.csv.is_some() || routes.is_empty() {
            continue;
        }
        let prepared = prepare(plant, source, std::mem::take(routes), (data, beside));
        ready.push((source, prepared.with_context(|| format!("source {}", source.name))?));
    }
    let mut sources = Vec::new();
    for (source, prepared) in ready {
        let (lanes, clock, ear) = (lanes.clone(), Arc::clone(clock), chronicle.ear());
        let handle = match prepared {
            Prepared::Mqtt(options, table) => MqttSource::spawn(*options, Arc::new(table), lanes, clock, ear)
                .map(Handle::Mqtt)
                .map_err(anyhow::Error::from),
            Prepared::Sparkplug(options, points) => {
                SparkplugSource::spawn(*options, points, lanes, clock, ear)
                    .map(Handle::Mqtt)
                    .map_err(anyhow::Error::from)
            }
            Prepared::OpcUa(options, points) => OpcUaSource::spawn(*options, points, lanes, clock, ear)
                .map(Handle::OpcUa)
                .map_err(anyhow::Error::from),
        };
        let handle = handle.with_context(|| format!("source {}", source.name))?;
        sources.push(Source { name: source.name.clone(), handle });
    }
    Ok(sources)
}

/// A connection that is known to be right and not made yet.
enum Prepared {
    Mqtt(Box<MqttOptions>, Routes),
    Sparkplug(Box<ingest::SparkplugOptions>, Vec<ingest::MetricPoint>),
    OpcUa(Box<OpcUaOptions>, Vec<NodePoint>),
}

fn prepare(
    plant: &Plant,
    source: &site::Source,
    routes: Vec<Route>,
    (data, beside): (&Path, &Path),
) -> anyhow::Result<Prepared> {
    if let Some(server) = &source.opcua {
        let options = opcua::options(plant, &source.name, server, (data, beside))?;
        return Ok(Prepared::OpcUa(Box::new(options), opcua::nodes(routes)?));
    }
    match (&source.mqtt, &source.sparkplug) {
        (Some(mqtt), _) => {
            let options = options(plant, source, mqtt, &routes, (data, beside))?;
            Ok(Prepared::Mqtt(Box::new(options), table(routes)?))
        }
        (None, Some(spb)) => {
            let options = sparkplug::options(plant, source, spb, (data, beside))?;
            Ok(Prepared::Sparkplug(Box::new(options), sparkplug::metrics(routes)?))
        }
        (None, None) => anyhow::bail!("it is of no kind"),
    }
}

fn options(
    plant: &Plant,
    source: &site::Source,
    mqtt: &site::Mqtt,
    routes: &[Route],
    (data, beside): (&Path, &Path),
) -> anyhow::Result<MqttOptions> {
    let (filters, at_most_once) = filters(routes);
    let client_id = named(plant, source, mqtt.client_id.as_ref(), data)?;
    let url = broker::with_credentials(mqtt.broker(), beside)?;
    let mut options = MqttOptions::new(url, client_id, filters);
    options.tls = broker::tls(mqtt.broker(), beside)?;
    options.version = version(mqtt.version);
    options.at_most_once = at_most_once;
    options.receive_maximum = mqtt.receive_maximum;
    options.keep_alive = Duration::from_secs(mqtt.keep_alive_s.into());
    options.session_expiry = Duration::from_secs(mqtt.session_expiry_s.into());
    options.memo = Some(memo(data, &source.name));
    options.limits = decode_limits(plant);
    Ok(options)
}

/// The client id of a source: the site's, or one of our own.
fn named(plant: &Plant, source: &site::Source, id: Option<&String>, data: &Path) -> anyhow::Result<String> {
    match id {
        Some(id) => Ok(id.clone()),
        None => client_id(data, &plant.name, &source.name),
    }
}

pub(super) fn version(version: MqttVersion) -> ingest::ProtocolVersion {
    match version {
        MqttVersion::V5 => ingest::ProtocolVersion::V5,
        MqttVersion::V311 => ingest::ProtocolVersion::V311,
    }
}

fn decode_limits(plant: &Plant) -> DecodeLimits {
    DecodeLimits {
        accept_future: Duration::from_secs(plant.limits.accept_future_s),
        payload_bytes_max: plant.limits.payload_bytes_max as usize,
    }
}

/// Topics to subscribe at QoS 1, and at QoS 0. One that several routes share has the highest of theirs.
fn filters(routes: &[Route]) -> (Vec<String>, Vec<String>) {
    let mut wanted: BTreeMap<&str, u8> = BTreeMap::new();
    for route in routes {
        let qos = wanted.entry(&route.topic).or_default();
        *qos = (*qos).max(route.qos);
    }
    let of = |kept: bool| {
        let topics = wanted.iter().filter(|(_, qos)| (**qos > 0) == kept);
        topics.map(|(topic, _)| (*topic).to_owned()).collect()
    };
    (of(true), of(false))
}

/// Each topic once, in order.
fn topics(routes: &[Route]) -> Vec<String> {
    let mut topics: Vec<String> = routes.iter().map(|route| route.topic.clone()).collect();
    topics.sort_unstable();
    topics.dedup();
    topics
}

/// The table that the source looks topics up in. Routes of one `[[bind]]` share its envelope.
fn table(routes: Vec<Route>) -> anyhow::Result<Routes> {
    let mut last: Option<(Arc<site::Payload>, Arc<Envelope>)> = None;
    let mut made = Vec::with_capacity(routes.len());
    for Route { topic, payload, envelope: named, .. } in routes {
        let envelope = match &last {
            Some((theirs, ours)) if Arc::ptr_eq(theirs, &named) => Arc::clone(ours),
            _ => Arc::new(envelope(&named)),
        };
        let payload = match payload {
            Payload::Value(one) => ingest::Payload::Value { point: point(one), member: named.value.clone() },
            Payload::Object(fields) => ingest::Payload::Object {
                fields: fields
                    .into_iter()
                    .map(|field| ingest::Field { name: field.name, point: point(field.point) })
                    .collect(),
            },
        };
        last = Some((named, Arc::clone(&envelope)));
        made.push(ingest::Route { topic, payload, envelope });
    }
    Ok(Routes::build(made)?)
}

fn point(point: RoutePoint) -> ingest::Point {
    let UnitConversion { scale, offset } = point.conversion;
    let plain = scale == 1.0 && offset == 0.0;
    ingest::Point {
        series: point.series,
        conversion: (!plain).then_some(ingest::Conversion { scale, offset }),
        labels: point.labels,
    }
}

fn envelope(payload: &site::Payload) -> Envelope {
    Envelope {
        time: payload.time.clone(),
        quality: payload.quality.clone(),
        time_unit: match payload.time_unit {
            site::TimeUnit::Auto => TimeUnit::Auto,
            site::TimeUnit::Seconds => TimeUnit::Seconds,
            site::TimeUnit::Millis => TimeUnit::Millis,
            site::TimeUnit::Micros => TimeUnit::Micros,
            site::TimeUnit::Nanos => TimeUnit::Nanos,
        },
        quality_code: match payload.quality_code {
            site::QualityCode::Geminus => QualityCode::Geminus,
            site::QualityCode::OpcDa => QualityCode::OpcDa,
            site::QualityCode::OpcUa => QualityCode::OpcUa,
        },
        quality_absent: payload.quality_absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_is_subscribed_at_the_highest_quality_of_its_routes() {
        let route = |topic: &str, qos| {
            let payload = Payload::Object(Vec::new());
            Route { topic: topic.to_owned(), qos, payload, envelope: Arc::default(), bind: 0 }
        };
        let routes = [route("a", 1), route("b", 0), route("c", 0), route("c", 2)];
        assert_eq!(filters(&routes), (vec!["a".to_owned(), "c".to_owned()], vec!["b".to_owned()]));
    }
}
