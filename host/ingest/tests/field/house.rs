//! What a source needs around it, and what it told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use geminus_core::{Batch, Clock, Event, SeriesId, SystemClock};
use geminus_ingest::publisher::Publisher;
use geminus_ingest::{EventSink, MqttHandle, MqttOptions, MqttSource, ProtocolVersion, QoS, Route, Routes};
use tokio::sync::mpsc::{self, Receiver};

/// Longer than anything here takes on a busy machine; only a failing test waits as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const BOTH: [ProtocolVersion; 2] = [ProtocolVersion::V5, ProtocolVersion::V311];

pub(crate) struct House {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
    routes: Arc<Routes>,
}

impl House {
    /// Routes topic n of `topics` to series n.
    pub(crate) fn with(topics: &[&str]) -> Self {
        let routes = (0..).zip(topics).map(|(n, topic)| Route::value(*topic, SeriesId(n))).collect();
        Self {
            clock: Arc::new(SystemClock::new()),
            events: Arc::default(),
            routes: Arc::new(Routes::build(routes).expect("routes")),
        }
    }

    pub(crate) fn spawn(&self, options: MqttOptions) -> (MqttHandle, Receiver<Batch>) {
        let (sink, batches) = mpsc::channel(8);
        let events = Arc::clone(&self.events);
        let tell: EventSink = Arc::new(move |event| events.lock().expect("events").push(event));
        let handle =
            MqttSource::spawn(options, Arc::clone(&self.routes), sink, Arc::clone(&self.clock), tell)
                .expect("a source");
        (handle, batches)
    }

    pub(crate) async fn publisher(&self, url: &str, version: ProtocolVersion, qos: QoS) -> Publisher {
        let id = format!("publisher-{}", self.clock.now().0);
        Publisher::connect(url, &id, version, qos, Arc::clone(&self.clock)).await.expect("a publisher")
    }

    pub(crate) fn told(&self, kind: &str) -> Vec<Event> {
        let events = self.events.lock().expect("events");
        events.iter().filter(|event| event.kind == kind).cloned().collect()
    }

    /// Waits until an event of this kind was told `times` times.
    pub(crate) async fn wait_for(&self, kind: &str, times: usize) {
        until(&format!("{times} × {kind}"), || self.told(kind).len() >= times).await;
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(5));
    let found = tokio::time::timeout(PATIENCE, async {
        while !so() {
            looks.tick().await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// The next batch.
pub(crate) async fn next(batches: &mut Receiver<Batch>) -> Batch {
    tokio::time::timeout(PATIENCE, batches.recv()).await.expect("a batch in time").expect("a batch")
}

/// Takes batches and commits them until `count` samples came; gives their values.
pub(crate) async fn take(batches: &mut Receiver<Batch>, count: usize) -> Vec<f64> {
    let mut values = Vec::new();
    while values.len() < count {
        let batch = next(batches).await;
        values.extend(batch.samples.iter().map(|sample| sample.value));
        if let Some(ticket) = batch.ticket {
            ticket.commit();
        }
    }
    values
}

/// Publishes `{"value":n,"time":…}` for each n, a millisecond apart.
pub(crate) async fn publish(publisher: &mut Publisher, topic: &str, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let payload = format!(r#"{{"value":{n},"time":{}}}"#, 1_600_000_000_000 + n);
        publisher.publish(topic, payload).await.expect("published");
    }
    publisher.flush().await.expect("flushed");
}
