//! The reader over a line that is made up, for what no broker does on demand: a flood without end, a sink that
//! stays full, an answer that keeps a message waiting.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use geminus_core::{Batch, Quality, SeriesId, SystemClock};
use tokio::task::JoinHandle;

use super::*;
use crate::mqtt::MqttStats;
use crate::{Route, Routes};

/// Longer than anything here takes; only a failing test waits as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Topics and payloads, as they were published.
type Published = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

#[derive(Clone, Default)]
struct Said {
    goodbye: Arc<AtomicBool>,
    subscribed: Arc<Mutex<usize>>,
    /// The last filter of all.
    last: Arc<Mutex<String>>,
    /// Topics and payloads.
    published: Published,
    unsubscribed: Arc<Mutex<Vec<String>>>,
}

impl Voice for Said {
    fn acknowledge(&self, _: u16) -> Result<(), LineError> {
        Ok(())
    }

    fn subscribe(&self, filters: &[String], _: bool) -> Result<(), LineError> {
        *self.subscribed.lock().expect("a count") += filters.len();
        self.last.lock().expect("a filter").clone_from(filters.last().expect("a filter"));
        Ok(())
    }

    fn unsubscribe(&self, filters: &[String]) -> Result<(), LineError> {
        self.unsubscribed.lock().expect("filters").extend_from_slice(filters);
        Ok(())
    }

    fn publish(&self, message: &crate::mqtt::line::Message<'_>) -> Result<(), LineError> {
        assert!(message.at_least_once && !message.retained, "in turn with what waits, and not kept");
        self.published.lock().expect("messages").push((message.topic.to_owned(), message.payload.clone()));
        Ok(())
    }

    fn disconnect(&self) -> Result<(), LineError> {
        self.goodbye.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Gives the steps it is handed, then as many messages as are asked for when it is a flood.
struct Script {
    steps: mpsc::UnboundedReceiver<Step>,
    endless: bool,
    said: Said,
}

fn message() -> Step {
    Step::Message {
        topic: Bytes::from_static(b"a"),
        payload: Bytes::from_static(b"1"),
        packet: None,
        retained: false,
    }
}

impl Line for Script {
    type Voice = Said;

    fn voice(&self) -> Said {
        self.said.clone()
    }

    async fn poll(&mut self) -> Result<Step, LineError> {
        if self.said.goodbye.load(Ordering::Relaxed) {
            return Err(LineError::closed());
        }
        if self.endless && self.steps.is_empty() {
            // As a socket that is never empty: it gives way now and then, but never because nothing is there.
            tokio::task::consume_budget().await;
            return Ok(message());
        }
        match self.steps.recv().await {
            Some(step) => Ok(step),
            None => std::future::pending().await,
        }
    }

    fn next_read(&mut self) -> Option<Step> {
        None
    }

    fn hang_up(&mut self) {}
}

/// Takes everything and keeps nothing.
struct Drain;

impl Sink for Drain {
    async fn deliver(&self, _: Batch) -> Result<(), SinkClosed> {
        Ok(())
    }
}

/// Remembers the qualities of what it takes.
#[derive(Clone, Default)]
struct Qualities(Arc<Mutex<Vec<Quality>>>);

impl Sink for Qualities {
    async fn deliver(&self, batch: Batch) -> Result<(), SinkClosed> {
        self.0.lock().expect("qualities").extend(batch.samples.iter().map(|sample| sample.quality));
        Ok(())
    }
}

/// Takes nothing, and is never closed.
struct Full;

impl Sink for Full {
    async fn deliver(&self, _: Batch) -> Result<(), SinkClosed> {
        std::future::pending().await
    }
}

struct Rig {
    steps: mpsc::UnboundedSender<Step>,
    stop: watch::Sender<bool>,
    stats: Arc<MqttStats>,
    told: Arc<Mutex<VecDeque<String>>>,
    said: Said,
    task: JoinHandle<()>,
}

fn start<S: Sink>(sink: S, endless: bool, filters: usize) -> Rig {
    let (steps, script) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let (stats, said) = (Arc::new(MqttStats::default()), Said::default());
    let told: Arc<Mutex<VecDeque<String>>> = Arc::default();
    let ear = Arc::clone(&told);
    let house = House {
        routes: Arc::new(Routes::build(vec![Route::value("a", SeriesId(0))]).expect("routes")),
        sink,
        clock: Arc::new(SystemClock::new()),
        events: Arc::new(move |event: Event| ear.lock().expect("events").push_back(event.kind)),
        stats: Arc::clone(&stats),
    };
    let filters = (0..filters).map(|n| format!("topic/{n}")).collect();
    let options = MqttOptions { qos: QoS::AtMostOnce, ..MqttOptions::new("mqtt://made.up", "me", filters) };
    let line = Script { steps: script, endless, said: said.clone() };
    let task = tokio::spawn(Reader::new(line, options, house, stopped).run());
    Rig { steps, stop, stats, told, said, task }
}

impl Rig {
    fn give(&self, step: Step) {
        self.steps.send(step).expect("a reader");
    }

    /// Until the reader has taken everything that was given.
    async fn until(&self, so: impl Fn() -> bool) {
        let mut looks = tokio::time::interval(Duration::from_millis(1));
        let found = tokio::time::timeout(PATIENCE, async {
            while !so() {
                looks.tick().await;
            }
        });
        found.await.expect("never so");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_without_end_can_be_stopped() {
    let mut rig = start(Drain, true, 1);
    rig.give(Step::Connected { session_present: false });
    let stats = Arc::clone(&rig.stats);
    rig.until(|| stats.samples() > 10_000).await;
    rig.stop.send_replace(true);
    let ended = tokio::time::timeout(PATIENCE, &mut rig.task).await;
    rig.task.abort();
    ended.expect("it stops while messages keep coming").expect("an end");
    assert!(rig.said.goodbye.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_stays_full_does_not_keep_a_stopping_reader() {
    let rig = start(Full, false, 1);
    rig.give(Step::Connected { session_present: false });
    rig.give(message());
    rig.until(|| rig.stats.batches() == 1).await;
    rig.stop.send_replace(true);
    tokio::time::timeout(4 * STOP_GRACE, rig.task).await.expect("it stops").expect("an end");
}

#[tokio::test(start_paused = true)]
async fn a_source_is_connected_when_its_last_subscription_stands() {
    let rig = start(Drain, false, FILTERS_MAX + 1);
    let told = || rig.told.lock().expect("events").make_contiguous().to_vec();
    rig.give(Step::Connected { session_present: false });
    rig.give(message());
    rig.until(|| rig.stats.samples() == 1).await;
    assert_eq!(*rig.said.subscribed.lock().expect("a count"), FILTERS_MAX + 1);
    assert!(!rig.stats.connected() && told().is_empty(), "nothing was answered yet");
    rig.give(Step::Subscribed(vec![None; FILTERS_MAX]));
    rig.give(message());
    rig.until(|| rig.stats.samples() == 2).await;
    assert!(!rig.stats.connected() && told().is_empty(), "one of two was answered");
    rig.give(Step::Subscribed(vec![Some("not allowed".to_owned())]));
    rig.give(message());
    rig.until(|| rig.stats.samples() == 3).await;
    assert!(rig.stats.connected());
    assert_eq!(told(), ["subscription-refused", "source-connected"]);
}

const MARKER: &str = "geminus/me/marker";

fn marker(of: &'static str) -> Step {
    let (topic, payload) = (Bytes::from_static(MARKER.as_bytes()), Bytes::from_static(of.as_bytes()));
    Step::Message { topic, payload, packet: None, retained: false }
}

impl Rig {
    /// Gives messages without a time and waits for them.
    async fn bare(&self, of: &Qualities, expect: &[Quality]) {
        let before = of.0.lock().expect("qualities").len();
        expect.iter().for_each(|_| self.give(message()));
        self.until(|| of.0.lock().expect("qualities").len() == before + expect.len()).await;
        assert_eq!(of.0.lock().expect("qualities").get(before..), Some(expect));
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_without_a_time_is_stale_until_our_marker_has_come_back() {
    let (stale, fresh) = (Quality::Stale, Quality::Uncertain);
    let seen = Qualities::default();
    let rig = start(seen.clone(), false, 1);
    let published = || rig.said.published.lock().expect("messages").clone();
    rig.give(Step::Connected { session_present: true });
    rig.give(Step::Subscribed(vec![None]));
    rig.bare(&seen, &[stale, stale]).await;
    assert_eq!(*rig.said.subscribed.lock().expect("a count"), 2, "the marker too, once");
    assert!(published().is_empty(), "the subscription comes first");
    rig.give(Step::Subscribed(vec![None]));
    rig.bare(&seen, &[stale]).await;
    assert_eq!(published(), [(MARKER.to_owned(), b"1".to_vec())]);
    rig.give(marker("0"));
    rig.bare(&seen, &[stale]).await;
    rig.give(marker("1"));
    rig.bare(&seen, &[fresh, fresh]).await;
    assert_eq!(*rig.said.unsubscribed.lock().expect("filters"), [MARKER]);
    // One that comes late is nobody's sample and no stranger.
    rig.give(marker("1"));
    rig.bare(&seen, &[fresh]).await;
    assert_eq!(rig.stats.refusals().total(), 0);
    // With a session of its own start nothing has waited; with the old one such a source asks at once.
    rig.give(Step::Connected { session_present: false });
    rig.bare(&seen, &[fresh]).await;
    assert_eq!(*rig.said.last.lock().expect("a filter"), "topic/0");
    rig.give(Step::Connected { session_present: true });
    rig.until(|| *rig.said.last.lock().expect("a filter") == MARKER).await;
    rig.bare(&seen, &[stale]).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_marker_a_value_is_stale_until_the_line_was_silent() {
    let seen = Qualities::default();
    let rig = start(seen.clone(), false, 1);
    rig.give(Step::Connected { session_present: true });
    rig.give(Step::Subscribed(vec![None]));
    rig.bare(&seen, &[Quality::Stale]).await;
    rig.give(Step::Subscribed(vec![Some("NotAuthorized".to_owned())]));
    rig.bare(&seen, &[Quality::Stale]).await;
    assert!(rig.stats.connected());
    let told = rig.told.lock().expect("events").make_contiguous().to_vec();
    assert_eq!(told, ["source-connected", "subscription-refused"]);
    tokio::time::advance(SILENCE).await;
    tokio::task::yield_now().await;
    rig.bare(&seen, &[Quality::Uncertain]).await;
}
