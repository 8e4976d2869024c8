//! The event bus: shards and the journal publish, browsers read.
//!
//! There is no queue per reader. Notices (a twin changed, a journal entry) go into one bounded ring; values go
//! into one table that keeps the newest reading of every point of the twins somebody watches. A reader is only a
//! place in the numbering: when it has time, it takes what is newer than its place. So a slow reader costs
//! nothing, gets merged values, and is told to start afresh when the ring has moved on. Publishing never waits
//! for a reader, and nothing here needs a timer.

#[cfg(test)]
mod conduct;
mod event_id;
mod latest;
mod reader;
mod ring;
pub mod values;
mod watch;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use geminus_core::Clock;
use serde::Serialize;
use tokio::sync::Notify;

use crate::view::{AlarmView, CommandView, EntryView, RolloutEvent};
use latest::Latest;
use ring::Ring;
use watch::Watches;

pub(crate) use event_id::EventId;
pub(crate) use reader::{Due, Reader, Welcome};
pub(crate) use ring::Notice;
pub use values::{Reading, TwinEvent, Values};
pub use watch::Watched;

/// Shortest time between two `values` events of one twin on one stream: at most 10 a second. A shard that
/// gathers changed points for this long before it publishes loses nothing.
pub const VALUES_INTERVAL: Duration = Duration::from_millis(100);

/// Bounds of the bus.
#[derive(Clone, Debug)]
pub struct BusLimits {
    /// Most notices that the ring holds.
    pub notices_max: usize,
    /// Most bytes of notices that the ring holds.
    pub notice_bytes_max: usize,
    /// Most twins whose newest values are kept; the one that was silent longest goes first.
    pub twins_max: usize,
    /// Most streams open at once.
    pub streams_max: usize,
    /// Most of them that carry the values of all twins.
    pub streams_all_max: u32,
    /// How long a twin stays watched after its last reader went, so that a reader that comes back misses nothing.
    pub linger: Duration,
    /// Most twins that stay watched without a reader; the longest without one goes first.
    pub lingering_max: usize,
}

impl Default for BusLimits {
    fn default() -> Self {
        Self {
            notices_max: 4_096,
            notice_bytes_max: 4 << 20,
            twins_max: 1 << 17,
            streams_max: 64,
            streams_all_max: 4,
            linger: Duration::from_secs(30),
            lingering_max: 1_024,
        }
    }
}

/// Whose events a stream carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// `twin`, `alarm`, `command`, `journal` and `rollout` events of the whole site, no values.
    Site,
    /// Everything, values of all twins included.
    All,
    /// `values`, `twin`, `alarm` and `command` events of these twins, journal entries about one of them or about no twin, rollouts.
    Twins(Vec<Arc<str>>),
}

/// What the bus has done since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusStats {
    /// Streams open now.
    pub streams: u64,
    /// Streams opened.
    pub opened: u64,
    /// Streams refused because as many as allowed were open.
    pub refused: u64,
    /// Publications of values taken in.
    pub values: u64,
    /// Publications of values of twins that nobody watches: thrown away.
    pub unwatched: u64,
    /// Notices taken in.
    pub notices: u64,
    /// Events written to streams.
    pub sent: u64,
    /// `values` events that stand for more than one publication.
    pub conflated: u64,
    /// Times a reader was told to start afresh.
    pub resyncs: u64,
}

#[derive(Debug, Default)]
struct Counters {
    streams: AtomicU64,
    opened: AtomicU64,
    refused: AtomicU64,
    values: AtomicU64,
    unwatched: AtomicU64,
    notices: AtomicU64,
    sent: AtomicU64,
    conflated: AtomicU64,
    resyncs: AtomicU64,
}

#[derive(Debug)]
struct State {
    /// Number of the newest event.
    head: u64,
    ring: Ring,
    latest: Latest,
    watches: Watches,
}

/// One for the process, shared by everyone who publishes or reads.
#[derive(Debug)]
pub struct EventBus {
    clock: Arc<dyn Clock>,
    epoch: u64,
    limits: BusLimits,
    state: Mutex<State>,
    watched: ArcSwap<Watched>,
    news: Notify,
    closed: AtomicBool,
    counters: Counters,
}

impl EventBus {
    /// A bus whose event ids name this moment, so that ids of an earlier process are recognised.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, limits: BusLimits) -> Arc<Self> {
        let state = State {
            head: 0,
            ring: Ring::new(limits.notices_max, limits.notice_bytes_max),
            latest: Latest::new(limits.twins_max),
            watches: Watches::new(limits.linger, limits.lingering_max),
        };
        Arc::new(Self {
            epoch: clock.now().0,
            clock,
            limits,
            state: Mutex::new(state),
            watched: ArcSwap::default(),
            news: Notify::new(),
            closed: AtomicBool::new(false),
            counters: Counters::default(),
        })
    }

    /// The twins whose values somebody wants. Costs a few nanoseconds; see [`Watched`] for what a shard does
    /// with it.
    #[must_use]
    pub fn watched(&self) -> Arc<Watched> {
        self.watched.load_full()
    }

    /// New values of one twin: changed points only. Costs about a microsecond for ten points; waits for other
    /// publishers and readers, never for a client. Values of a twin that nobody watches are thrown away.
    pub fn publish_values(&self, values: &Values<'_>) {
        let mut state = self.lock();
        let (wanted, changed) = state.watches.wants(values.twin, self.clock.as_ref());
        if changed {
            self.forget_unwatched(&mut state);
        }
        if !wanted {
            self.counters.unwatched.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.head += 1;
        let id = state.head;
        state.latest.put(id, values);
        drop(state);
        self.counters.values.fetch_add(1, Ordering::Relaxed);
        self.news.notify_waiters();
    }

    /// A twin's state, alerts, health or behaviors changed.
    pub fn publish_twin(&self, event: &TwinEvent) {
        self.publish("twin", Some(event.id.as_str().into()), None, event);
    }

    /// The journal has a new entry.
    pub fn publish_journal(&self, entry: &EntryView) {
        self.publish("journal", entry.twin.as_deref().map(Arc::from), None, entry);
    }

    /// An alarm changed.
    pub fn publish_alarm(&self, alarm: &AlarmView) {
        self.publish("alarm", Some(alarm.twin.as_str().into()), None, alarm);
    }

    /// A command changed, and stands so now.
    pub fn publish_command(&self, command: &CommandView) {
        self.publish("command", Some(command.twin.as_str().into()), None, command);
    }

    /// A rollout went on. Takes the place of the event before it of the same rollout for every reader who has not
    /// taken that one yet.
    pub fn publish_rollout(&self, event: &RolloutEvent) {
        self.publish("rollout", None, Some(event.id), event);
    }

    fn publish(
        &self,
        kind: &'static str,
        twin: Option<Arc<str>>,
        rollout: Option<u64>,
        body: &impl Serialize,
    ) {
        let data = match serde_json::to_vec(body) {
            Ok(data) => data.into(),
            Err(error) => {
                tracing::error!(%error, kind, "an event could not be written as JSON and was left out");
                return;
            }
        };
        let mut state = self.lock();
        state.head += 1;
        let id = state.head;
        state.ring.push(id, Notice { kind, twin, rollout, data });
        drop(state);
        self.counters.notices.fetch_add(1, Ordering::Relaxed);
        self.news.notify_waiters();
    }

    /// Ends all streams, for a stop of the process. New ones are refused.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.news.notify_waiters();
    }

    /// What the bus has done so far.
    #[must_use]
    pub fn stats(&self) -> BusStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        BusStats {
            streams: read(&counters.streams),
            opened: read(&counters.opened),
            refused: read(&counters.refused),
            values: read(&counters.values),
            unwatched: read(&counters.unwatched),
            notices: read(&counters.notices),
            sent: read(&counters.sent),
            conflated: read(&counters.conflated),
            resyncs: read(&counters.resyncs),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn news(&self) -> &Notify {
        &self.news
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is complete before anything that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After the set of watched twins changed: drops values that nobody waits for and tells the shards.
    fn forget_unwatched(&self, state: &mut State) {
        let State { latest, watches, .. } = state;
        latest.retain(|twin| watches.is_watched(twin));
        self.watched.store(Arc::new(watches.snapshot()));
    }
}
