//! Writes what is due to a reader as server-sent events.
//!
//! The stream is asked for a chunk only when the client has taken the one before. So a client that stalls holds
//! one round of events and no more, and what happens meanwhile is merged when it goes on.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use geminus_access::Scope;
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::bus::values::{HelloEvent, ResyncEvent};
use crate::bus::{Due, Reader, Welcome};
use crate::guard::admission::sees;
use crate::options::Options;

/// About the length of one chunk.
const CHUNK_BYTES: usize = 64 << 10;
/// What a browser waits before it connects anew.
const RETRY_MS: u64 = 2_000;

struct Stage {
    reader: Reader,
    /// Taken and not yet written.
    due: VecDeque<Due>,
    /// The last round was cut short.
    more: bool,
    place: u64,
    greeting: Option<Bytes>,
    pace: Interval,
    heartbeat: Interval,
    listener: Listener,
}

/// Who listens.
pub(crate) struct Listener {
    /// Of which twins; of anything else only when it is all of them.
    pub(crate) scope: Scope,
    /// Whether it still may: a session may have ended, a token been removed.
    pub(crate) still: Box<dyn Fn() -> bool + Send + Sync>,
}

/// The body of one event stream; ends when the bus is closed, or when whoever listens no longer may.
pub(crate) fn body(
    welcome: Welcome,
    options: &Options,
    listener: Listener,
) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let Welcome { reader, resumed, gap } = welcome;
    let place = reader.place();
    let mut greeting = format!("retry: {RETRY_MS}\n");
    let hello = HelloEvent { version: options.version.clone(), now: options.clock.now().into(), resumed };
    event(&mut greeting, &reader.id(place).to_string(), "hello", &json(&hello));
    if let Some(gap) = gap {
        let resync = ResyncEvent { reason: gap.to_string() };
        event(&mut greeting, &reader.id(place).to_string(), "resync", &json(&resync));
    }
    let mut stage = Stage {
        reader,
        due: VecDeque::new(),
        more: false,
        place,
        greeting: Some(greeting.into()),
        pace: patient(options.limits.values_interval),
        heartbeat: patient(options.limits.heartbeat),
        listener,
    };
    // The first round may come at once, the first sign of life after its time.
    stage.heartbeat.reset();
    futures_util::stream::unfold(stage, |mut stage| async move {
        let chunk = stage.chunk().await?;
        Some((Ok(chunk), stage))
    })
}

fn patient(period: Duration) -> Interval {
    let mut interval = interval(period.max(Duration::from_millis(1)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

impl Stage {
    /// The next bytes for the client; `None` when the stream is over.
    async fn chunk(&mut self) -> Option<Bytes> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        loop {
            if self.reader.bus().is_closed() || !(self.listener.still)() {
                return None;
            }
            if let Some(chunk) = self.write_due() {
                self.heartbeat.reset();
                return Some(chunk);
            }
            if let Some(chunk) = self.next_round().await {
                self.heartbeat.reset();
                return Some(chunk);
            }
        }
    }

    /// Waits until there may be news and it is time for them, and takes them. Gives bytes at once when there is
    /// something else to say: a sign of life, or that the reader has to start afresh.
    async fn next_round(&mut self) -> Option<Bytes> {
        if !self.more {
            let bus = Arc::clone(self.reader.bus());
            let news = bus.news().notified();
            tokio::pin!(news);
            // From here on no publication goes unnoticed; what came before is seen by the question below.
            news.as_mut().enable();
            if !self.reader.has_news() && !bus.is_closed() {
                tokio::select! {
                    () = news => {}
                    _ = self.heartbeat.tick() => return Some(self.sign_of_life()),
                }
            }
            self.pace.tick().await;
        }
        match self.reader.take() {
            Ok(round) => {
                self.more = round.more;
                self.due = round.due.into();
                None
            }
            Err(gap) => {
                self.more = false;
                self.place = self.reader.place();
                let mut text = String::new();
                let resync = ResyncEvent { reason: gap.to_string() };
                event(&mut text, &self.reader.id(self.place).to_string(), "resync", &json(&resync));
                Some(text.into())
            }
        }
    }

    fn write_due(&mut self) -> Option<Bytes> {
        let mut text = String::new();
        while text.len() < CHUNK_BYTES
            && let Some(due) = self.due.pop_front()
        {
            self.place = due.place;
            if !sees(&self.listener.scope, due.event.twin()) {
                continue;
            }
            let data = String::from_utf8_lossy(due.event.data());
            event(&mut text, &self.reader.id(due.place).to_string(), due.event.kind(), &data);
        }
        (!text.is_empty()).then(|| text.into())
    }

    /// A comment that keeps the connection open, and an id without data: the browser then knows how far it is,
    /// although nothing that it asked for has happened.
    fn sign_of_life(&mut self) -> Bytes {
        self.place = self.reader.place();
        format!(": alive\nid: {}\n\n", self.reader.id(self.place)).into()
    }
}

fn event(text: &mut String, id: &str, kind: &str, data: &str) {
    // JSON from serde_json has no line breaks. Writing to a String does not fail.
    write!(text, "id: {id}\nevent: {kind}\ndata: {data}\n\n").unwrap_or_default();
}

fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_else(|error| {
        tracing::error!(%error, "an event could not be written as JSON");
        "null".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::TwinEvent;
    use crate::bus::{Interest, Reading, Values};
    use crate::view::{AlertCount, EntryView, HealthView, TwinState};
    use crate::{BusLimits, EventBus};
    use futures_util::StreamExt;
    use geminus_access::Gate;
    use geminus_core::{Digest, Event, ManualClock, Quality, Severity, Timestamp};
    use tokio::time::{Instant, advance};

    type Body = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, Infallible>> + Send>>;

    fn open() -> (Arc<EventBus>, Body) {
        let clock = Arc::new(ManualClock::new(Timestamp(1)));
        let bus = EventBus::new(clock.clone(), BusLimits::default());
        let options = Options::new("0.1.0", gate(), Arc::clone(&bus), clock);
        let welcome = bus.read(Interest::All, None).expect("a place");
        (bus, Box::pin(body(welcome, &options, anybody())))
    }

    fn gate() -> Arc<Gate> {
        Arc::new(Gate::local(Digest::of(b"")))
    }

    fn anybody() -> Listener {
        Listener { scope: Scope::all(), still: Box::new(|| true) }
    }

    fn publish(bus: &EventBus, value: f64) {
        let reading = Reading { time: Timestamp(1), value, quality: Quality::Good };
        bus.publish_values(&Values {
            twin: &"pump-1".into(),
            state: TwinState::Live,
            age_ms: None,
            health: HealthView::default(),
            points: &[("temperature".into(), reading)],
        });
    }

    async fn text(body: &mut Body) -> String {
        let chunk = body.next().await.expect("a chunk").expect("no error");
        String::from_utf8(chunk.into()).expect("UTF-8")
    }

    #[tokio::test(start_paused = true)]
    async fn a_twin_is_heard_at_most_ten_times_a_second_and_its_last_value_always() {
        let (bus, mut body) = open();
        assert!(text(&mut body).await.starts_with("retry: 2000\nid: 1-1\nevent: hello\n"));
        let start = Instant::now();
        let reader = tokio::spawn(async move {
            let mut heard = Vec::new();
            while !heard.last().is_some_and(|last: &String| last.contains("[0,499.0,0]")) {
                heard.push(text(&mut body).await);
            }
            heard
        });
        for value in 0..500 {
            publish(&bus, f64::from(value));
            advance(Duration::from_millis(10)).await;
        }
        let heard = reader.await.expect("reader");
        let allowed = start.elapsed().as_millis() / 100 + 2;
        assert!(heard.len() as u128 <= allowed && heard.len() > 40, "{} of {allowed}", heard.len());
        assert!(heard.iter().all(|chunk| chunk.matches("event: values").count() == 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_shows_a_sign_of_life_with_its_place() {
        let (bus, mut body) = open();
        text(&mut body).await;
        let start = Instant::now();
        assert_eq!(text(&mut body).await, ": alive\nid: 1-1\n\n");
        assert_eq!(start.elapsed().as_secs(), 15);
        publish(&bus, 1.0);
        assert!(text(&mut body).await.contains("id: 1-2\nevent: values"));
        assert_eq!(text(&mut body).await, ": alive\nid: 1-2\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_bus_ends_its_streams() {
        let (bus, mut body) = open();
        text(&mut body).await;
        let waiting = tokio::spawn(async move { body.next().await.is_none() });
        tokio::task::yield_now().await;
        bus.close();
        assert!(waiting.await.expect("stream"));
        assert!(bus.read(Interest::Site, None).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_sees_one_twin_hears_of_no_other_and_of_nothing_else() {
        let clock = Arc::new(ManualClock::new(Timestamp(1)));
        let bus = EventBus::new(clock.clone(), BusLimits::default());
        let options = Options::new("0.1.0", gate(), Arc::clone(&bus), clock);
        let welcome = bus.read(Interest::All, None).expect("a place");
        let listener = Listener { scope: "pump-1".parse().expect("scope"), still: Box::new(|| true) };
        let mut body: Body = Box::pin(body(welcome, &options, listener));
        text(&mut body).await;
        let event = |id: &str| TwinEvent {
            id: id.to_owned(),
            state: TwinState::Live,
            alerts: AlertCount::default(),
            health: HealthView::default(),
        };
        bus.publish_twin(&event("pump-2"));
        publish(&bus, 1.0);
        let entry = |twin: Option<&str>| {
            let event = Event::new("x", Severity::Info, "secret of the house");
            EntryView::new(1, Timestamp(1), twin.into_iter().fold(event, Event::twin))
        };
        bus.publish_journal(&entry(None));
        bus.publish_journal(&entry(Some("pump-2")));
        bus.publish_journal(&entry(Some("pump-1")));
        let heard = text(&mut body).await;
        assert!(heard.contains("event: values") && heard.matches("event: journal").count() == 1, "{heard}");
        assert!(!heard.contains("pump-2"), "{heard}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_the_right_to_hear_it() {
        let clock = Arc::new(ManualClock::new(Timestamp(1)));
        let bus = EventBus::new(clock.clone(), BusLimits::default());
        let options = Options::new("0.1.0", gate(), Arc::clone(&bus), clock);
        let welcome = bus.read(Interest::All, None).expect("a place");
        let may = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let asked = Arc::clone(&may);
        let still = Box::new(move || asked.load(std::sync::atomic::Ordering::SeqCst));
        let mut body: Body = Box::pin(body(welcome, &options, Listener { scope: Scope::all(), still }));
        text(&mut body).await;
        assert!(text(&mut body).await.starts_with(": alive"));
        may.store(false, std::sync::atomic::Ordering::SeqCst);
        publish(&bus, 1.0);
        assert!(body.next().await.is_none());
    }
}
