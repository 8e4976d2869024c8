//! A host application over a line that is made up, in virtual time: what it says to the broker, and the samples that it
//! makes of what edge nodes say. A real broker and a real edge node are in tests/tests/sparkplug.rs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use geminus_core::{Batch, Clock, Quality, Sample, SeriesId, Timestamp};
use geminus_sparkplug::{Metric, Payload, State, Value};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::reader::{House, Reader};
use super::*;
use crate::mqtt::line::{Line, LineError, Message, Step, Voice};
use crate::refusal::Reason;
use crate::route::Conversion;

const START: u64 = 1_772_359_200_000;
const DOUBLE: u32 = 10;

/// Time as tokio's own paused clock has it, so that deadlines pass at once.
#[derive(Debug)]
struct Virtual(tokio::time::Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START).plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// What was said to the broker.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Subscribed(Vec<String>),
    Published { topic: String, payload: Vec<u8>, at_least_once: bool, retained: bool },
    Goodbye,
}

#[derive(Clone)]
struct Mouth {
    said: mpsc::UnboundedSender<Said>,
    goodbye: Arc<Mutex<bool>>,
}

impl Mouth {
    fn say(&self, said: Said) -> Result<(), LineError> {
        self.said.send(said).map_err(LineError::new)
    }
}

impl Voice for Mouth {
    fn acknowledge(&self, _: u16) -> Result<(), LineError> {
        panic!("nothing is acknowledged by hand")
    }

    fn subscribe(&self, filters: &[String], at_least_once: bool) -> Result<(), LineError> {
        assert!(at_least_once, "deaths come at QoS 1");
        self.say(Said::Subscribed(filters.to_vec()))
    }

    fn unsubscribe(&self, _: &[String]) -> Result<(), LineError> {
        panic!("a clean session has nothing to give up")
    }

    fn publish(&self, message: &Message<'_>) -> Result<(), LineError> {
        let &Message { topic, ref payload, at_least_once, retained } = message;
        self.say(Said::Published {
            topic: topic.to_owned(),
            payload: payload.clone(),
            at_least_once,
            retained,
        })
    }

    fn disconnect(&self) -> Result<(), LineError> {
        *self.goodbye.lock().expect("a flag") = true;
        self.say(Said::Goodbye)
    }
}

/// Steps of all connections, one after the other; `Err` breaks one.
type Steps = Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Result<Step, LineError>>>>;

struct Script {
    steps: Steps,
    mouth: Mouth,
}

impl Line for Script {
    type Voice = Mouth;

    fn voice(&self) -> Mouth {
        self.mouth.clone()
    }

    async fn poll(&mut self) -> Result<Step, LineError> {
        if *self.mouth.goodbye.lock().expect("a flag") {
            return Err(LineError::closed());
        }
        match self.steps.lock().await.recv().await {
            Some(step) => step,
            None => std::future::pending().await,
        }
    }

    fn next_read(&mut self) -> Option<Step> {
        None
    }

    fn hang_up(&mut self) {}
}

struct Rig {
    steps: mpsc::UnboundedSender<Result<Step, LineError>>,
    said: mpsc::UnboundedReceiver<Said>,
    wills: Arc<Mutex<Vec<String>>>,
    batches: mpsc::Receiver<Batch>,
    events: Arc<Mutex<Vec<String>>>,
    stats: Arc<MqttStats>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn point(place: &str, metric: &str, point: Point) -> MetricPoint {
    let place = place.parse().expect("a place");
    MetricPoint { wanted: Wanted { place, metric: metric.to_owned() }, point }
}

fn start() -> Rig {
    let pump = "spBv1.0/plant/edge-1/pump";
    let celsius = Conversion { scale: 1.0, offset: -273.15 };
    let points = vec![
        point(pump, "Motor/Temp", Point::plain(SeriesId(1))),
        // One metric for two points, one of them in another unit.
        point(pump, "Motor/Temp", Point { conversion: Some(celsius), ..Point::plain(SeriesId(2)) }),
        point(
            "spBv1.0/plant/edge-1",
            "Mode",
            Point { labels: vec![("auto".to_owned(), 3.0)], ..Point::plain(SeriesId(3)) },
        ),
    ];
    let (steps, script) = mpsc::unbounded_channel();
    let (mouth, said) = mpsc::unbounded_channel();
    let (sink, batches) = mpsc::channel(100);
    let (stop, stopped) = watch::channel(false);
    let (stats, wills): (_, Arc<Mutex<Vec<String>>>) = (Arc::new(MqttStats::default()), Arc::default());
    let events: Arc<Mutex<Vec<String>>> = Arc::default();
    let ear = Arc::clone(&events);
    let house = House {
        sink,
        clock: Arc::new(Virtual(tokio::time::Instant::now())),
        events: Arc::new(move |event| ear.lock().expect("events").push(event.kind)),
        stats: Arc::clone(&stats),
    };
    let options = SparkplugOptions {
        url: "mqtt://made.up".to_owned(),
        tls: None,
        client_id: "me".to_owned(),
        host_id: "geminus".to_owned(),
        version: ProtocolVersion::V5,
        keep_alive: Duration::from_secs(30),
        limits: DecodeLimits { payload_bytes_max: 1_000, ..DecodeLimits::default() },
    };
    let reader = Reader::new(options, "made.up:1883".to_owned(), points, house, stopped);
    let steps_of_all: Steps = Arc::new(tokio::sync::Mutex::new(script));
    let (heard, goodbye) = (Arc::clone(&wills), Arc::default());
    let task = tokio::spawn(reader.run(move |will| {
        assert_eq!(will.topic, "spBv1.0/STATE/geminus");
        assert!(will.retained, "a STATE is kept");
        heard.lock().expect("wills").push(String::from_utf8(will.payload).expect("JSON"));
        let mouth = Mouth { said: mouth.clone(), goodbye: Arc::clone(&goodbye) };
        Script { steps: Arc::clone(&steps_of_all), mouth }
    }));
    Rig { steps, said, wills, batches, events, stats, stop, task }
}

impl Rig {
    fn give(&self, step: Step) {
        self.steps.send(Ok(step)).expect("a reader");
    }

    fn send(&self, topic: &str, seq: Option<u64>, metrics: Vec<Metric<'_>>) {
        let payload = Payload { timestamp: Some(START), seq, metrics }.encode();
        self.raw(topic, payload);
    }

    fn raw(&self, topic: &str, payload: Vec<u8>) {
        let (topic, payload) = (Bytes::from(topic.to_owned()), Bytes::from(payload));
        self.give(Step::Message { topic, payload, packet: None, retained: false });
    }

    async fn says(&mut self) -> Said {
        self.said.recv().await.expect("a reader")
    }

    async fn samples(&mut self) -> Vec<Sample> {
        self.batches.recv().await.expect("a batch").samples
    }

    /// Connects; gives the time of the will.
    async fn connect(&mut self) -> u64 {
        self.give(Step::Connected { session_present: false });
        let filters = vec!["spBv1.0/STATE/geminus".to_owned(), "spBv1.0/plant/+/edge-1/#".to_owned()];
        assert_eq!(self.says().await, Said::Subscribed(filters));
        let stamp = State::from_json(self.wills.lock().expect("wills").last().expect("a will").as_bytes());
        let stamp = stamp.expect("a state").timestamp;
        self.give(Step::Subscribed(vec![None, None]));
        assert_eq!(self.says().await, state(true, stamp), "the birth has the time of the will");
        self.give(Step::Arrived);
        stamp
    }

    async fn born(&mut self) -> Vec<Sample> {
        let metrics =
            vec![named("bdSeq", None, Value::Long(1), 4), named("Mode", Some(1), Value::Text("auto"), 12)];
        self.send("spBv1.0/plant/NBIRTH/edge-1", Some(0), metrics);
        let mode = self.samples().await;
        let metrics = vec![named("Motor/Temp", Some(2), Value::Double(300.0), DOUBLE)];
        self.send("spBv1.0/plant/DBIRTH/edge-1/pump", Some(1), metrics);
        [mode, self.samples().await].concat()
    }
}

fn named<'a>(name: &'a str, alias: Option<u64>, value: Value<'a>, datatype: u32) -> Metric<'a> {
    Metric { name: Some(name), alias, value: Some(value), datatype: Some(datatype), ..Metric::default() }
}

fn state(online: bool, timestamp: u64) -> Said {
    let payload = State { online, timestamp }.to_json().into_bytes();
    Said::Published {
        topic: "spBv1.0/STATE/geminus".to_owned(),
        payload,
        at_least_once: true,
        retained: true,
    }
}

fn shown(samples: &[Sample]) -> Vec<(u32, f64, Quality, u64)> {
    samples.iter().map(|one| (one.series.0, one.value, one.quality, one.time.0 - START * 1_000_000)).collect()
}

#[tokio::test(start_paused = true)]
async fn births_data_and_deaths_become_samples() {
    let mut rig = start();
    rig.connect().await;
    let good = Quality::Good;
    let celsius = 300.0 - 273.15;
    let born = rig.born().await;
    assert_eq!(shown(&born), [(3, 3.0, good, 0), (1, 300.0, good, 0), (2, celsius, good, 0)]);
    let data = "spBv1.0/plant/DDATA/edge-1/pump";
    let temp = |value| Metric { alias: Some(2), value: Some(Value::Double(value)), ..Metric::default() };
    // Two values of one millisecond: none is taken for the other.
    rig.send(data, Some(2), vec![temp(301.0)]);
    let samples = rig.samples().await;
    assert_eq!(shown(&samples).first(), Some(&(1, 301.0, good, 1)));
    // What happened before keeps its time, and is not the value that becomes stale.
    let old = Metric { timestamp: Some(START - 5), is_historical: true, ..temp(7.0) };
    rig.send(data, Some(3), vec![old]);
    let samples = rig.samples().await;
    assert_eq!(
        samples.first().map(|one| (one.value, one.time)),
        Some((7.0, Timestamp::from_millis(START - 5)))
    );
    let metrics = vec![named("bdSeq", None, Value::Long(1), 4)];
    rig.send("spBv1.0/plant/NDEATH/edge-1", None, metrics);
    let mut dead = rig.samples().await;
    dead.sort_by_key(|one| one.series);
    assert!(dead.iter().all(|one| one.quality == Quality::Stale), "{dead:?}");
    let values: Vec<(u32, f64)> = dead.iter().map(|one| (one.series.0, one.value)).collect();
    assert_eq!(values, [(1, 301.0), (2, 301.0 - 273.15), (3, 3.0)]);
    // Born again with the very time of its last birth: the value is one of now, after the stale one.
    let stale_at = dead.last().expect("a sample of the mode").time;
    tokio::time::advance(Duration::from_secs(1)).await;
    let metrics =
        vec![named("bdSeq", None, Value::Long(2), 4), named("Mode", Some(1), Value::Text("auto"), 12)];
    rig.send("spBv1.0/plant/NBIRTH/edge-1", Some(0), metrics);
    let again = rig.samples().await;
    assert_eq!(again.first().map(|one| (one.value, one.quality)), Some((3.0, good)));
    assert!(again.iter().all(|one| one.time > stale_at), "{again:?}");
    let events = rig.events.lock().expect("events").clone();
    assert_eq!(events, ["source-connected", "edge-node-born", "edge-node-died", "edge-node-born"]);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_a_birth_tells_again_is_as_old_as_before_and_uncertain_after_a_death() {
    let mut rig = start();
    rig.connect().await;
    rig.born().await;
    let again = |bd_seq, later_ms| {
        let taken = Some(START);
        let bd = named("bdSeq", None, Value::Long(bd_seq), 4);
        let mode = Metric { timestamp: taken, ..named("Mode", Some(1), Value::Text("auto"), 12) };
        Payload { timestamp: Some(START + later_ms), seq: Some(0), metrics: vec![bd, mode] }.encode()
    };
    let birth = "spBv1.0/plant/NBIRTH/edge-1";
    let of_mode = |samples: Vec<Sample>| shown(&samples).into_iter().find(|(series, ..)| *series == 3);
    // Somebody else asked for a rebirth: what was taken a minute ago is a minute old.
    tokio::time::advance(Duration::from_mins(1)).await;
    rig.raw(birth, again(2, 60_000));
    assert_eq!(of_mode(rig.samples().await), Some((3, 3.0, Quality::Good, 1)));
    let metrics = vec![named("bdSeq", None, Value::Long(2), 4)];
    rig.send("spBv1.0/plant/NDEATH/edge-1", None, metrics);
    let (.., stale_at) = of_mode(rig.samples().await).expect("a stale mode");
    tokio::time::advance(Duration::from_mins(1)).await;
    rig.raw(birth, again(3, 120_000));
    let told = of_mode(rig.samples().await);
    assert_eq!(told, Some((3, 3.0, Quality::Uncertain, stale_at + 1)), "nobody saw it meanwhile");
    rig.raw(birth, again(4, 120_500));
    let told = of_mode(rig.samples().await);
    assert_eq!(
        told,
        Some((3, 3.0, Quality::Uncertain, stale_at + 2)),
        "and it grows no better by being told"
    );
    // The next value that is taken is as good as it says.
    let mode = Metric { alias: Some(1), value: Some(Value::Text("auto")), ..Metric::default() };
    let payload = Payload { timestamp: Some(START + 121_000), seq: Some(1), metrics: vec![mode] }.encode();
    rig.raw("spBv1.0/plant/NDATA/edge-1", payload);
    assert_eq!(of_mode(rig.samples().await), Some((3, 3.0, Quality::Good, 121_000_000_000)));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_number_or_no_label_is_bad_or_refused() {
    let mut rig = start();
    rig.connect().await;
    rig.born().await;
    let mode = |value| Metric { alias: Some(1), value, ..Metric::default() };
    let data = "spBv1.0/plant/NDATA/edge-1";
    rig.send(data, Some(2), vec![mode(Some(Value::Text("manual")))]);
    rig.send(
        data,
        Some(3),
        vec![Metric { timestamp: Some(START + 3_600_000), ..mode(Some(Value::Text("auto"))) }],
    );
    rig.raw(data, vec![0; 1_001]);
    rig.raw(data, vec![0xff]);
    rig.send(data, Some(4), vec![Metric { is_null: true, ..mode(None) }]);
    let samples = rig.samples().await;
    assert!(samples.iter().all(|one| one.quality == Quality::Bad && one.value.is_nan()), "{samples:?}");
    for reason in [Reason::UnknownLabel, Reason::FutureTime, Reason::TooLarge, Reason::Malformed] {
        assert_eq!(rig.stats.refusals().of(reason), 1, "{reason:?}");
    }
    assert_eq!(rig.stats.refusals().total(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_had_kept_is_no_birth_but_a_state() {
    let mut rig = start();
    let stamp = rig.connect().await;
    let metrics =
        vec![named("bdSeq", None, Value::Long(1), 4), named("Mode", Some(1), Value::Text("auto"), 12)];
    let payload = Payload { timestamp: Some(START), seq: Some(0), metrics }.encode();
    let kept = |topic: &str, payload: Vec<u8>| Step::Message {
        topic: Bytes::from(topic.to_owned()),
        payload: Bytes::from(payload),
        packet: None,
        retained: true,
    };
    rig.give(kept("spBv1.0/plant/NBIRTH/edge-1", payload));
    let will = State { online: false, timestamp: stamp - 1 };
    rig.give(kept("spBv1.0/STATE/geminus", will.to_json().into_bytes()));
    assert_eq!(rig.says().await, state(true, stamp), "a STATE is always kept");
    assert_eq!(rig.stats.refusals().of(Reason::OutOfOrder), 1);
    assert!(rig.batches.try_recv().is_err(), "who may be dead long since has no values");
    // The same birth, said now.
    assert_eq!(rig.born().await.len(), 3);
    let events = rig.events.lock().expect("events").clone();
    assert_eq!(events, ["source-connected", "sample-refused", "edge-node-born"]);
}

#[tokio::test(start_paused = true)]
async fn a_gap_leads_to_a_rebirth_command_and_whoever_calls_us_gone_is_put_right() {
    let mut rig = start();
    let stamp = rig.connect().await;
    rig.born().await;
    rig.send("spBv1.0/plant/NDATA/edge-1", Some(3), vec![]);
    let stale = rig.samples().await;
    assert_eq!(stale.len(), 3, "{stale:?}");
    let Said::Published { topic, payload, at_least_once: false, retained: false } = rig.says().await else {
        panic!("commands go at QoS 0 and are not kept");
    };
    assert_eq!(topic, "spBv1.0/plant/NCMD/edge-1");
    let payload = Payload::decode(&payload).expect("a payload");
    assert_eq!(payload.metrics.first().and_then(|one| one.name), Some("Node Control/Rebirth"));
    assert_eq!(rig.stats.refusals().of(Reason::OutOfOrder), 1);
    let will = State { online: false, timestamp: stamp - 1 };
    rig.raw("spBv1.0/STATE/geminus", will.to_json().into_bytes());
    assert_eq!(rig.says().await, state(true, stamp));
}

#[tokio::test(start_paused = true)]
async fn a_lost_broker_makes_everything_stale_and_the_next_connection_has_a_later_will() {
    let mut rig = start();
    let first = rig.connect().await;
    rig.born().await;
    rig.steps.send(Err(LineError::new("gone"))).expect("a reader");
    let stale = rig.samples().await;
    assert!(stale.len() == 3 && stale.iter().all(|one| one.quality == Quality::Stale), "{stale:?}");
    let second = rig.connect().await;
    assert!(second > first, "{first} {second}");
    // The edge node has not noticed: it is asked.
    assert!(matches!(rig.says().await, Said::Published { topic, .. } if topic.ends_with("/NCMD/edge-1")));
    let events = rig.events.lock().expect("events").clone();
    assert_eq!(events, ["source-connected", "edge-node-born", "source-lost", "source-back"]);
    assert_eq!((rig.stats.connections(), rig.stats.connected()), (2, true));
}

#[tokio::test(start_paused = true)]
async fn it_says_goodbye_before_it_goes() {
    let mut rig = start();
    let stamp = rig.connect().await;
    tokio::time::advance(Duration::from_millis(10)).await;
    rig.stop.send_replace(true);
    let Said::Published { payload, at_least_once: true, retained: true, .. } = rig.says().await else {
        panic!("a last STATE");
    };
    let last = State::from_json(&payload).expect("a state");
    assert!(!last.online && last.timestamp > stamp, "{last:?}");
    rig.give(Step::Arrived);
    assert_eq!(rig.says().await, Said::Goodbye);
    rig.task.await.expect("ends");
    assert!(!rig.stats.connected());
}

#[tokio::test]
async fn options_that_cannot_work_are_told() {
    let check = |edit: &dyn Fn(&mut SparkplugOptions), points: Vec<MetricPoint>, says: &str| {
        let mut options = SparkplugOptions {
            url: "mqtt://127.0.0.1:1".to_owned(),
            tls: None,
            client_id: "me".to_owned(),
            host_id: "geminus".to_owned(),
            version: ProtocolVersion::V5,
            keep_alive: Duration::from_secs(30),
            limits: DecodeLimits::default(),
        };
        edit(&mut options);
        let (sink, _batches) = mpsc::channel::<Batch>(1);
        let clock = Arc::new(Virtual(tokio::time::Instant::now()));
        let error = SparkplugSource::spawn(options, points, sink, clock, Arc::new(|_| {})).expect_err(says);
        assert!(error.to_string().contains(says), "{error}");
    };
    let one = || vec![point("spBv1.0/plant/edge-1", "Speed", Point::plain(SeriesId(1)))];
    check(&|options| options.url = "wss://x".to_owned(), one(), "is not spoken");
    check(&|options| options.url = "mqtts://x".to_owned(), one(), "needs an authority");
    check(&|options| options.client_id.clear(), one(), "client_id");
    check(&|options| options.host_id = "a/b".to_owned(), one(), "host_id `a/b`");
    check(&|_| {}, Vec::new(), "no metric");
}
