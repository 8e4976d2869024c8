//! Speed of the room alone: decoding on one core, and MQTT from the flood into a sink that only counts and
//! commits, beside a bare client that only reads. Prints one JSON object a line: name, value, unit, baseline.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "failing loudly is what it is for")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Batch, Clock, SeriesId, SystemClock, Timestamp};
use geminus_ingest::decode::Decoder;
use geminus_ingest::flood::{self, Flood, FloodOptions};
use geminus_ingest::{
    Field, MqttOptions, MqttSource, Payload, Point, ProtocolVersion, QoS, Route, Routes, Sink, SinkClosed,
};

const TOPICS: u32 = 1_000;
const MESSAGES: u64 = 3_000_000;
const RUNS: usize = 3;

fn main() {
    decoding();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    for version in [ProtocolVersion::V5, ProtocolVersion::V311] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            runtime.block_on(flooding(version, qos));
        }
    }
}

fn decoding() {
    let object = Route {
        topic: "t".to_owned(),
        payload: Payload::Object {
            fields: (0..8)
                .map(|n| Field { name: format!("sensor_{n}"), point: Point::plain(SeriesId(n)) })
                .collect(),
        },
        envelope: Arc::default(),
    };
    let members: String = (0..8).map(|n| format!("\"sensor_{n}\":{n}.125,")).collect();
    let eight = format!("{{{members}\"time\":1700000000123}}");
    let value = || Route::value("t", SeriesId(0));
    let cases = [
        ("decode.value_time", value(), r#"{"value":12.3,"time":1234567890123}"#.to_owned()),
        (
            "decode.value_time_quality",
            value(),
            r#"{"value":12.345678,"time":1700000000123,"quality":"good"}"#.to_owned(),
        ),
        ("decode.value_rfc3339", value(), r#"{"value":12.3,"time":"2023-11-14T22:13:20.123Z"}"#.to_owned()),
        ("decode.plain", value(), "23.5".to_owned()),
        ("decode.general", value(), r#"{"meta":{"unit":"C"},"value":12.3,"time":1234567890123}"#.to_owned()),
        ("decode.object_of_8", object, eight),
    ];
    let clock = SystemClock::new();
    let now = Timestamp::from_millis(1_800_000_000_000);
    for (name, route, payload) in cases {
        let routes = Routes::build(vec![route]).expect("routes");
        let (mut decoder, mut samples) = (Decoder::default(), Vec::with_capacity(8_192));
        let count = 2_000_000;
        let start = clock.monotonic();
        for _ in 0..count {
            if samples.len() > 4_096 {
                samples.clear();
            }
            for route in routes.of(black_box(b"t")) {
                decoder.decode(route, black_box(payload.as_bytes()), now, &mut samples).expect("decodes");
            }
        }
        let took = clock.monotonic() - start;
        black_box(&samples);
        print(name, f64::from(count) / took.as_secs_f64(), "payloads/s", None);
    }
}

struct Committing {
    done: tokio::sync::mpsc::Sender<u64>,
}

impl Sink for Committing {
    async fn deliver(&self, batch: Batch) -> Result<(), SinkClosed> {
        let count = batch.samples.len() as u64;
        if let Some(ticket) = batch.ticket {
            ticket.commit();
        }
        self.done.send(count).await.map_err(|_| SinkClosed)
    }
}

fn start_flood(qos: QoS) -> Flood {
    Flood::start(FloodOptions {
        topics: (0..TOPICS).map(|n| format!("plant/pump-{n}/temperature")).collect(),
        start: Timestamp::from_millis(1_700_000_000_000),
        step: Duration::from_millis(10),
        qos,
        window: 20_000,
        messages: MESSAGES,
    })
    .expect("a flood")
}

async fn flooding(version: ProtocolVersion, qos: QoS) {
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let clock = SystemClock::new();
        let flood = start_flood(qos);
        let read = flood::read(&flood.url(), version, qos, "#", MESSAGES, &clock).await.expect("read");
        bare.push(MESSAGES as f64 / read.took.as_secs_f64());
        drop(flood);
        whole.push(source(version, qos).await);
    }
    let name = format!("ingest.{version:?}.{qos:?}");
    print(&name, median(whole), "samples/s", Some(median(bare)));
}

async fn source(version: ProtocolVersion, qos: QoS) -> f64 {
    let flood = start_flood(qos);
    let routes = (0..TOPICS).map(|n| Route::value(format!("plant/pump-{n}/temperature"), SeriesId(n)));
    let routes = Arc::new(Routes::build(routes.collect()).expect("routes"));
    let (done, mut counts) = tokio::sync::mpsc::channel(64);
    let options =
        MqttOptions { version, qos, ..MqttOptions::new(flood.url(), "bench", vec!["#".to_owned()]) };
    let clock = Arc::new(SystemClock::new());
    let time = Arc::clone(&clock);
    let source =
        MqttSource::spawn(options, routes, Committing { done }, clock, Arc::new(|_| {})).expect("a source");
    let mut seen = counts.recv().await.expect("a batch");
    let start = time.monotonic();
    while seen < MESSAGES {
        seen += counts.recv().await.expect("a batch");
    }
    let took = time.monotonic() - start;
    let stats = source.stats();
    eprintln!("  {} batches, {} acknowledged", stats.batches(), stats.acknowledged());
    drop(source);
    MESSAGES as f64 / took.as_secs_f64()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn print(name: &str, value: f64, unit: &str, baseline: Option<f64>) {
    let ratio = baseline.map(|baseline| value / baseline);
    let line = serde_json::json!({
        "name": name, "value": value.round(), "unit": unit, "baseline": baseline.map(f64::round),
        "baseline_name": baseline.map(|_| "bare client"), "ratio": ratio, "detail": {},
    });
    println!("{line}");
}
