//! The host application at a real mosquitto: its will and its STATE as edge nodes see them, births, deaths, a gap.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use geminus_core::{Batch, Quality, SeriesId};
use geminus_ingest::decode::DecodeLimits;
use geminus_ingest::route::Point;
use geminus_ingest::sparkplug::Wanted;
use geminus_ingest::{
    EventSink, MetricPoint, MqttHandle, ProtocolVersion, SparkplugOptions, SparkplugSource,
};
use geminus_sparkplug::{Metric, Payload, State, Value};
use rumqttc_v4::{
    AsyncClient, Broker, Event, Incoming, LastWill, MqttOptions, PublishOptions, QoS, SubscribeFilter,
};
use tokio::sync::mpsc::{self, Receiver, UnboundedReceiver};
use tokio::task::JoinHandle;

use crate::house::{BOTH, House, PATIENCE, next};
use crate::peer::Mosquitto;

const STATE: &str = "spBv1.0/STATE/geminus";
const DOUBLE: u32 = 10;
const INT64: u32 = 4;

/// A client that hears everything of Sparkplug; its connection breaks without a goodbye when it is dropped.
struct Peer {
    client: AsyncClient,
    heard: UnboundedReceiver<(Bytes, Bytes)>,
    driver: JoinHandle<()>,
}

impl Peer {
    async fn connect(broker: &Mosquitto, id: &str, will: Option<LastWill>) -> Self {
        let (host, port) = broker.url().trim_start_matches("mqtt://").split_once(':').map_or_else(
            || panic!("an address"),
            |(host, port)| (host.to_owned(), port.parse::<u16>().expect("a port")),
        );
        let mut options = MqttOptions::new(id, Broker::tcp(host, port));
        if let Some(will) = will {
            options.set_last_will(will);
        }
        let (client, mut events) = AsyncClient::builder(options).capacity(64).build();
        let (tell, heard) = mpsc::unbounded_channel();
        let (ready, mut subscribed) = mpsc::unbounded_channel();
        client
            .subscribe_many([SubscribeFilter::new("spBv1.0/#".to_owned(), QoS::AtLeastOnce)])
            .await
            .expect("asked");
        let driver = tokio::spawn(async move {
            while let Ok(event) = events.poll().await {
                match event {
                    Event::Incoming(Incoming::Publish(message)) => {
                        let told = tell.send((message.topic, message.payload));
                        if told.is_err() {
                            return;
                        }
                    }
                    Event::Incoming(Incoming::SubAck(_)) if ready.send(()).is_err() => return,
                    _ => {}
                }
            }
        });
        tokio::time::timeout(PATIENCE, subscribed.recv()).await.expect("in time").expect("subscribed");
        Self { client, heard, driver }
    }

    async fn publish(&self, topic: &str, payload: Vec<u8>) {
        self.client.publish(topic, payload, PublishOptions::at_most_once()).await.expect("published");
    }

    /// The next message on this topic; others are passed over.
    async fn hears(&mut self, topic: &str) -> Bytes {
        loop {
            let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
            let (on, payload) = heard.unwrap_or_else(|_| panic!("nothing on {topic}")).expect("a connection");
            if on == topic.as_bytes() {
                return payload;
            }
        }
    }

    /// Time of the next STATE that says so. A host that finds its own will of before at the broker says twice that it is
    /// there.
    async fn hears_state(&mut self, online: bool) -> u64 {
        loop {
            let payload = self.hears(STATE).await;
            let state = State::from_json(&payload).unwrap_or_else(|| panic!("{payload:?}"));
            if state.online == online {
                return state.timestamp;
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn bd_seq(number: u64) -> Metric<'static> {
    let (datatype, value) = (Some(INT64), Some(Value::Long(number)));
    Metric { name: Some("bdSeq"), datatype, value, ..Metric::default() }
}

fn speed(value: f64) -> Metric<'static> {
    let (datatype, value) = (Some(DOUBLE), Some(Value::Double(value)));
    Metric { name: Some("Speed"), datatype, value, ..Metric::default() }
}

fn payload(house: &House, seq: Option<u64>, metrics: Vec<Metric<'_>>) -> Vec<u8> {
    Payload { timestamp: Some(house.clock.now().millis()), seq, metrics }.encode()
}

async fn edge(broker: &Mosquitto, house: &House, number: u64) -> Peer {
    let death = payload(house, None, vec![bd_seq(number)]);
    let will = LastWill::new("spBv1.0/plant/NDEATH/edge-1", death, QoS::AtLeastOnce, false);
    let edge = Peer::connect(broker, "edge", Some(will)).await;
    let birth = payload(house, Some(0), vec![bd_seq(number), speed(number as f64)]);
    edge.publish("spBv1.0/plant/NBIRTH/edge-1", birth).await;
    edge
}

fn host(broker: &Mosquitto, house: &House, version: ProtocolVersion) -> (MqttHandle, Receiver<Batch>) {
    let (sink, batches) = mpsc::channel(8);
    let events = Arc::clone(&house.events);
    let tell: EventSink = Arc::new(move |event| events.lock().expect("events").push(event));
    let options = SparkplugOptions {
        url: broker.url(),
        tls: None,
        client_id: "host".to_owned(),
        host_id: "geminus".to_owned(),
        version,
        keep_alive: Duration::from_secs(30),
        limits: DecodeLimits::default(),
    };
    let place = "spBv1.0/plant/edge-1".parse().expect("a place");
    let wanted = Wanted { place, metric: "Speed".to_owned() };
    let points = vec![MetricPoint { wanted, point: Point::plain(SeriesId(0)) }];
    let handle =
        SparkplugSource::spawn(options, points, sink, Arc::clone(&house.clock), tell).expect("a source");
    (handle, batches)
}

async fn sample(batches: &mut Receiver<Batch>) -> (f64, Quality) {
    let batch = next(batches).await;
    assert!(batch.ticket.is_none(), "nothing waits for an acknowledgement");
    let [sample] = batch.samples.as_slice() else { panic!("{:?}", batch.samples) };
    (sample.value, sample.quality)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_tells_edge_nodes_of_the_host_and_the_host_of_edge_nodes() {
    for version in BOTH {
        let Some(broker) = Mosquitto::start().await else { return };
        let house = House::with(&[]);
        let mut observer = Peer::connect(&broker, "observer", None).await;
        let (source, mut batches) = host(&broker, &house, version);
        let born = observer.hears_state(true).await;
        house.wait_for("source-connected", 1).await;

        let first = edge(&broker, &house, 3).await;
        assert_eq!(sample(&mut batches).await, (3.0, Quality::Good));
        first.publish("spBv1.0/plant/NDATA/edge-1", payload(&house, Some(1), vec![speed(30.5)])).await;
        assert_eq!(sample(&mut batches).await, (30.5, Quality::Good));
        drop(first);
        assert_eq!(sample(&mut batches).await, (30.5, Quality::Stale), "the will is a death");

        let second = edge(&broker, &house, 4).await;
        assert_eq!(sample(&mut batches).await, (4.0, Quality::Good));
        second.publish("spBv1.0/plant/NDATA/edge-1", payload(&house, Some(2), vec![speed(40.5)])).await;
        assert_eq!(sample(&mut batches).await, (4.0, Quality::Stale), "one is missing");
        let asked = observer.hears("spBv1.0/plant/NCMD/edge-1").await;
        let asked = Payload::decode(&asked).expect("a payload");
        assert_eq!(asked.metrics.first().and_then(|metric| metric.name), Some("Node Control/Rebirth"));

        // Without a goodbye the broker says what the will says: the same time as the birth.
        drop(source);
        assert_eq!(observer.hears_state(false).await, born);
        let (source, batches) = host(&broker, &house, version);
        let again = observer.hears_state(true).await;
        assert!(again > born, "{again} {born}");
        house.wait_for("source-connected", 2).await;
        // With one, we say it ourselves, and the will is not published.
        source.stop().await;
        let gone = observer.hears_state(false).await;
        assert!(gone >= again, "{gone} {again}");
        let mut late = Peer::connect(&broker, "late", None).await;
        let last = State::from_json(&late.hears(STATE).await);
        assert_eq!(
            last,
            Some(State { online: false, timestamp: gone }),
            "retained, and nothing came after it"
        );
        drop(batches);
    }
}
