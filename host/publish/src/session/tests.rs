//! A session on a line that does what a test tells it.

use std::sync::Mutex;

use geminus_core::{Quality, Timestamp};
use geminus_ingest::ProtocolVersion;
use geminus_sparkplug::host;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::layer::Layer;
use crate::rig;

/// A clock that moves with the runtime's paused one.
#[derive(Debug)]
struct Virtual(tokio::time::Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        rig::TIME.plus(self.0.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Subscribed(Vec<String>),
    Published(Outgoing),
    Goodbye,
}

#[derive(Clone)]
struct Mouth {
    said: mpsc::UnboundedSender<Said>,
    /// Messages that are still taken.
    room: Arc<Mutex<usize>>,
    gone: Arc<Mutex<bool>>,
}

impl Voice for Mouth {
    fn acknowledge(&self, _: u16) -> Result<(), LineError> {
        panic!("nothing is acknowledged by hand")
    }

    fn subscribe(&self, filters: &[String], _: bool) -> Result<(), LineError> {
        self.said.send(Said::Subscribed(filters.to_vec())).map_err(LineError::new)
    }

    fn unsubscribe(&self, _: &[String]) -> Result<(), LineError> {
        panic!("a clean session has nothing to give up")
    }

    fn publish(&self, message: &Message<'_>) -> Result<(), LineError> {
        let mut room = self.room.lock().expect("room");
        *room = room.checked_sub(1).ok_or_else(|| LineError::new("full"))?;
        let &Message { topic, ref payload, at_least_once, retained } = message;
        let outgoing =
            Outgoing { topic: topic.to_owned(), payload: payload.clone(), at_least_once, retained };
        self.said.send(Said::Published(outgoing)).map_err(LineError::new)
    }

    fn disconnect(&self) -> Result<(), LineError> {
        *self.gone.lock().expect("a flag") = true;
        self.said.send(Said::Goodbye).map_err(LineError::new)
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
        if *self.mouth.gone.lock().expect("a flag") {
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
    outlet: Arc<Outlet>,
    steps: mpsc::UnboundedSender<Result<Step, LineError>>,
    said: mpsc::UnboundedReceiver<Said>,
    room: Arc<Mutex<usize>>,
    wills: Arc<Mutex<Vec<String>>>,
    events: Arc<Mutex<Vec<String>>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn start(layer: Layer) -> Rig {
    let options = Options {
        name: "plant".to_owned(),
        url: "mqtt://made.up".to_owned(),
        tls: None,
        client_id: "me".to_owned(),
        version: ProtocolVersion::V5,
        keep_alive: Duration::from_secs(30),
        interval: Duration::from_secs(1),
        layer,
    };
    let catalogue = rig::catalogue();
    let outlet = Outlet::new(catalogue.len());
    let events: Arc<Mutex<Vec<String>>> = Arc::default();
    let ear = Arc::clone(&events);
    let house = House {
        clock: Arc::new(Virtual(tokio::time::Instant::now())),
        events: Arc::new(move |event| ear.lock().expect("events").push(event.kind)),
    };
    let (stop, stopped) = watch::channel(false);
    let (steps, script) = mpsc::unbounded_channel();
    let (tell, said) = mpsc::unbounded_channel();
    let (room, wills) = (Arc::new(Mutex::new(usize::MAX)), Arc::<Mutex<Vec<String>>>::default());
    let session =
        Session::new(&options, "made.up:1883".to_owned(), catalogue, Arc::clone(&outlet), house, stopped);
    let script: Steps = Arc::new(tokio::sync::Mutex::new(script));
    let mouth = Mouth { said: tell, room: Arc::clone(&room), gone: Arc::default() };
    let heard = Arc::clone(&wills);
    let task = tokio::spawn(session.run(move |will| {
        heard.lock().expect("wills").push(will.topic);
        Script { steps: Arc::clone(&script), mouth: mouth.clone() }
    }));
    Rig { outlet, steps, said, room, wills, events, stop, task }
}

impl Rig {
    fn step(&self, step: Step) {
        assert!(self.steps.send(Ok(step)).is_ok(), "the session is there");
    }

    fn connect(&self) {
        self.step(Step::Connected { session_present: false });
    }

    /// As a host application does that wants births.
    fn ask(&self) {
        let (topic, payload) = ("spBv1.0/g/NCMD/n".into(), host::rebirth(rig::TIME).into());
        self.step(Step::Message { topic, payload, packet: None, retained: false });
    }

    fn put(&self, item: u32, value: f64) {
        self.outlet.put([(item, rig::number(value, Quality::Good))]);
    }

    async fn says(&mut self) -> Said {
        tokio::time::timeout(Duration::from_secs(3_600), self.said.recv())
            .await
            .expect("in time")
            .expect("a word")
    }

    async fn publishes(&mut self) -> Outgoing {
        match self.says().await {
            Said::Published(outgoing) => outgoing,
            other => panic!("{other:?}"),
        }
    }

    /// Topics of what is said until nothing more comes for a while that is shorter than the interval.
    async fn rest(&mut self) -> Vec<String> {
        let mut topics = Vec::new();
        while let Ok(Some(said)) = tokio::time::timeout(Duration::from_millis(300), self.said.recv()).await {
            if let Said::Published(outgoing) = said {
                topics.push(outgoing.topic);
            }
        }
        topics
    }

    fn told(&self) -> Vec<String> {
        self.events.lock().expect("events").clone()
    }
}

fn uns() -> Layer {
    Layer::Uns1 { enterprise: "acme".to_owned(), site: "site".to_owned(), name: "plant".to_owned() }
}

fn sparkplug() -> Layer {
    Layer::SparkplugB1 { group: "g".to_owned(), node: "n".to_owned() }
}

fn value(outgoing: &Outgoing) -> f64 {
    let document: serde_json::Value = serde_json::from_slice(&outgoing.payload).expect("JSON");
    document["value"].as_f64().expect("a value")
}

const STATUS: &str = "acme/site/_geminus/plant";
const FIRST: &str = "acme/site/hall-1/line-2/pump-1/thermal.winding_temperature";

#[tokio::test(start_paused = true)]
async fn what_is_known_is_said_at_once_and_changes_no_faster_than_the_interval() {
    let mut rig = start(uns());
    rig.put(rig::TEMPERATURE, 1.0);
    rig.connect();
    assert_eq!(rig.publishes().await.topic, STATUS);
    let first = rig.publishes().await;
    assert_eq!((first.topic.as_str(), value(&first)), (FIRST, 1.0));
    assert!(rig.rest().await.is_empty(), "what nobody knows is not said");
    for n in 2..50 {
        rig.put(rig::TEMPERATURE, f64::from(n));
    }
    assert!(rig.rest().await.len() <= 1, "not before the interval is over");
    rig.put(rig::TEMPERATURE, 51.0);
    assert_eq!(value(&rig.publishes().await), 51.0, "the newest, without those between");
    assert!(rig.rest().await.is_empty());
    assert_eq!(rig.told(), ["publish-connected"]);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_under_way_than_the_window_and_no_birth_is_lost_to_a_full_client() {
    let mut rig = start(uns());
    for item in 0..8 {
        rig.put(item, f64::from(item));
    }
    *rig.room.lock().expect("room") = 3;
    rig.connect();
    assert_eq!(rig.rest().await.len(), 3, "the client takes no more");
    *rig.room.lock().expect("room") = usize::MAX;
    let rest = rig.rest().await;
    assert_eq!(rest.len(), 6, "the other births, each once: {rest:?}");
    // Nine are unconfirmed. All change for a while, and three have room.
    let mut said = 0;
    for round in 0..10 {
        for item in 0..8 {
            rig.put(item, f64::from(100 + round * 10) + f64::from(item));
        }
        said += rig.rest().await.len();
    }
    assert_eq!(said, WINDOW - 9);
    for _ in 0..WINDOW {
        rig.step(Step::Arrived);
    }
    let topics: std::collections::BTreeSet<String> = rig.rest().await.into_iter().collect();
    assert!(topics.len() >= 5, "what waited is said as it stands: {topics:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_loss_everything_is_said_again_and_the_journal_hears_of_it_once() {
    let mut rig = start(uns());
    rig.put(rig::TEMPERATURE, 1.0);
    rig.connect();
    assert_eq!(rig.rest().await, [STATUS, FIRST]);
    for _ in 0..3 {
        assert!(rig.steps.send(Err(LineError::new("cut"))).is_ok());
    }
    rig.put(rig::TEMPERATURE, 2.0);
    assert!(rig.rest().await.is_empty(), "nothing leaves without a connection");
    rig.connect();
    assert_eq!(rig.publishes().await.topic, STATUS);
    assert_eq!(value(&rig.publishes().await), 2.0);
    assert!(rig.rest().await.is_empty());
    assert_eq!(rig.told(), ["publish-connected", "publish-lost", "publish-back"]);
    assert_eq!(*rig.wills.lock().expect("wills"), [STATUS; 4]);
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_will_not_have_is_told_once_a_minute() {
    let mut rig = start(uns());
    rig.connect();
    assert_eq!(rig.rest().await, [STATUS]);
    for _ in 0..5 {
        rig.step(Step::Declined("NotAuthorized".to_owned()));
    }
    assert!(rig.rest().await.is_empty());
    assert_eq!(rig.told(), ["publish-connected", "publish-refused"]);
    tokio::time::advance(QUIET).await;
    rig.step(Step::Declined("NotAuthorized".to_owned()));
    assert!(rig.rest().await.is_empty());
    assert_eq!(rig.told().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_edge_node_is_born_when_it_hears_and_again_when_it_is_asked_but_not_all_the_time() {
    let mut rig = start(sparkplug());
    rig.connect();
    assert_eq!(rig.says().await, Said::Subscribed(vec!["spBv1.0/g/NCMD/n".to_owned()]));
    assert!(rig.rest().await.is_empty(), "not born before it can hear");
    rig.step(Step::Subscribed(vec![None]));
    let births = ["spBv1.0/g/NBIRTH/n", "spBv1.0/g/DBIRTH/n/pump-1", "spBv1.0/g/DBIRTH/n/pump-2"];
    assert_eq!(rig.rest().await, births);
    rig.put(rig::TEMPERATURE, 1.0);
    rig.put(rig::MARGIN, 1.0);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(rig.rest().await, ["spBv1.0/g/DDATA/n/pump-1"], "both in one message");
    for _ in 0..20 {
        rig.ask();
    }
    tokio::time::advance(REBIRTH_EVERY).await;
    let again = rig.rest().await;
    assert!(again.starts_with(&births.map(str::to_owned)) && again.len() <= 6, "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_births_all_the_time_hears_all_of_them_and_data_too() {
    let mut rig = start(sparkplug());
    let births = ["spBv1.0/g/NBIRTH/n", "spBv1.0/g/DBIRTH/n/pump-1", "spBv1.0/g/DBIRTH/n/pump-2"];
    *rig.room.lock().expect("room") = 0;
    rig.connect();
    rig.says().await;
    rig.step(Step::Subscribed(vec![None]));
    // A line that takes one message in a time in which births could be begun again.
    let mut heard = Vec::new();
    for _ in 0..3 {
        rig.ask();
        tokio::time::advance(REBIRTH_EVERY).await;
        *rig.room.lock().expect("room") += 1;
        heard.extend(rig.rest().await);
    }
    assert_eq!(heard, births, "none is begun again while others wait");
    // And there is time for data before the next ones, which are not forgotten.
    *rig.room.lock().expect("room") = usize::MAX;
    rig.put(rig::TEMPERATURE, 1.0);
    rig.ask();
    assert_eq!(rig.rest().await, ["spBv1.0/g/DDATA/n/pump-1"]);
    tokio::time::advance(REBIRTH_EVERY).await;
    assert_eq!(rig.rest().await, births);
    tokio::time::advance(2 * REBIRTH_EVERY).await;
    assert!(rig.rest().await.is_empty(), "asked for once more, born once more");
}

#[tokio::test(start_paused = true)]
async fn a_stop_says_goodbye_and_waits_for_the_broker() {
    for (layer, topic) in [(uns(), STATUS), (sparkplug(), "spBv1.0/g/NDEATH/n")] {
        let mut rig = start(layer);
        rig.connect();
        rig.step(Step::Subscribed(Vec::new()));
        rig.rest().await;
        rig.stop.send_replace(true);
        let last = rig.publishes().await;
        assert_eq!((last.topic.as_str(), last.at_least_once), (topic, true));
        for _ in 0..2 {
            rig.step(Step::Arrived);
        }
        assert_eq!(rig.says().await, Said::Goodbye);
        rig.task.await.expect("ends");
    }
}
