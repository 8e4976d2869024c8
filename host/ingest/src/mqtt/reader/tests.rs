//! The reader over a line that is made up, for what no broker does on demand: a flood without end, a sink that
//! stays full, an answer that keeps a message waiting.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use geminus_core::{Batch, SeriesId, SystemClock};
use tokio::task::JoinHandle;

use super::*;
use crate::mqtt::MqttStats;
use crate::{Route, Routes};

/// Longer than anything here takes; only a failing test waits as long.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
struct Said {
    goodbye: Arc<AtomicBool>,
    subscribed: Arc<Mutex<usize>>,
}

impl Voice for Said {
    fn acknowledge(&self, _: u16) -> Result<(), LineError> {
        Ok(())
    }

    fn subscribe(&self, filters: &[String], _: bool) -> Result<(), LineError> {
        *self.subscribed.lock().expect("a count") += filters.len();
        Ok(())
    }

    fn unsubscribe(&self, _: &[String]) -> Result<(), LineError> {
        Ok(())
    }

    fn publish(&self, _: &crate::mqtt::line::Message<'_>) -> Result<(), LineError> {
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
