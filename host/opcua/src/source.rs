//! A source of samples: nodes of one server, watched by a subscription.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use geminus_core::Clock;
use geminus_ingest::refusal::RefusalCounts;
use geminus_ingest::{EventSink, Point, Sink};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::intake::{Intake, Item};
use crate::reader::{House, Reader};
use crate::{NodeAddress, OpcUaError, OpcUaOptions};

/// How long a source may take to end when it is stopped: what it has read waits some seconds for a full house, and the
/// server has some for its goodbye. After that it is ended where it stands.
const STOP_MAX: Duration = Duration::from_secs(9);
/// Nodes of one source.
pub(crate) const NODES_MAX: usize = 100_000;

/// A node and the point that it feeds. A node may feed several.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePoint {
    /// The node.
    pub node: NodeAddress,
    /// The point.
    pub point: Point,
}

/// Live counts of one source.
#[derive(Debug, Default)]
pub struct OpcUaStats {
    messages: AtomicU64,
    samples: AtomicU64,
    repeated: AtomicU64,
    asked_again: AtomicU64,
    lost: AtomicU64,
    overflows: AtomicU64,
    connections: AtomicU64,
    connected: AtomicBool,
    refusals: RefusalCounts,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident by $add:ident),+ $(,)?) => {
        impl OpcUaStats {
            $($(#[$doc])* #[must_use] pub fn $name(&self) -> u64 { self.$name.load(Ordering::Relaxed) }
            pub(crate) fn $add(&self, more: u64) { self.$name.fetch_add(more, Ordering::Relaxed); })+
        }
    };
}

counts! {
    /// Messages with values.
    messages by add_messages,
    /// Samples delivered to the sink.
    samples by add_samples,
    /// Messages that had not arrived and were asked for again.
    asked_again by add_asked_again,
    /// Messages that had not arrived and that the server did not have any more.
    lost by add_lost,
    /// Values that say that others before them were lost, because a queue of the server ran over.
    overflows by add_overflows,
    /// Times that a subscription stood after it did not.
    connections by add_connections,
}

impl OpcUaStats {
    /// Values that were told before: a server tells the last ones again when a subscription is made anew.
    #[must_use]
    pub fn repeats(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// Whether the server is connected now, and the subscription stands.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Refusals by reason.
    #[must_use]
    pub fn refusals(&self) -> &RefusalCounts {
        &self.refusals
    }

    pub(crate) fn repeated(&self) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }
}

/// A running source. Dropping it hangs up without the goodbye of [`OpcUaHandle::stop`].
#[derive(Debug)]
pub struct OpcUaHandle {
    stats: Arc<OpcUaStats>,
    stop: watch::Sender<bool>,
    reader: JoinHandle<()>,
}

impl OpcUaHandle {
    /// Live counts.
    #[must_use]
    pub fn stats(&self) -> Arc<OpcUaStats> {
        Arc::clone(&self.stats)
    }

    /// Delivers what was read and takes leave of the server, both in a bounded time, whatever the server does.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        match tokio::time::timeout(STOP_MAX, &mut self.reader).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the OPC UA reader did not end by itself"),
            Err(_) => {
                tracing::warn!(stop_max_ms = STOP_MAX.as_millis(), "the OPC UA reader did not end in time");
                self.reader.abort();
            }
        }
    }
}

impl Drop for OpcUaHandle {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Starts readers.
#[derive(Debug)]
pub struct OpcUaSource;

impl OpcUaSource {
    /// Starts a reader on the current tokio runtime. It connects, and connects again, for ever.
    ///
    /// # Errors
    /// [`OpcUaError`] when the options cannot work; a server that is away or not trusted is no error but an event.
    pub fn spawn<S: Sink>(
        options: OpcUaOptions,
        points: Vec<NodePoint>,
        sink: S,
        clock: Arc<dyn Clock>,
        events: EventSink,
    ) -> Result<OpcUaHandle, OpcUaError> {
        options.check()?;
        let items = items(points);
        match items.len() {
            0 => return Err(OpcUaError::NoNode),
            many if many > NODES_MAX => return Err(OpcUaError::Nodes(many)),
            _ => {}
        }
        let stats = Arc::new(OpcUaStats::default());
        let (stop, stopped) = watch::channel(false);
        let intake = Intake::new(items, options.accept_future);
        let house = House { sink, clock, events, stats: Arc::clone(&stats) };
        let reader = tokio::spawn(Reader::new(options, intake, house, stopped).run());
        Ok(OpcUaHandle { stats, stop, reader })
    }
}

/// Each node once.
fn items(points: Vec<NodePoint>) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut places: HashMap<NodeAddress, usize> = HashMap::new();
    for NodePoint { node, point } in points {
        let place = *places.entry(node).or_insert_with_key(|node| {
            items.push(Item::new(node.clone()));
            items.len() - 1
        });
        if let Some(item) = items.get_mut(place) {
            item.feed(point);
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use geminus_core::SeriesId;

    use super::*;

    #[test]
    fn a_node_is_watched_once_however_many_points_it_feeds() {
        let of = |node: &str, series| NodePoint {
            node: node.parse().expect("address"),
            point: Point::plain(SeriesId(series)),
        };
        let items = items(vec![of("ns=2;s=a", 1), of("ns=2;s=b", 2), of("ns=2;s=a", 3)]);
        let names: Vec<String> = items.iter().map(|item| item.address.to_string()).collect();
        assert_eq!(names, ["ns=2;s=a", "ns=2;s=b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_does_not_end_is_ended() {
        let (stop, stopped) = watch::channel(false);
        let (tell, ended) = tokio::sync::oneshot::channel::<()>();
        let reader = tokio::spawn(async move {
            // Dropped with the task.
            let _tell = tell;
            std::future::pending::<()>().await;
        });
        let clock = tokio::time::Instant::now();
        OpcUaHandle { stats: Arc::default(), stop, reader }.stop().await;
        let took = clock.elapsed();
        assert!(took >= STOP_MAX && took < STOP_MAX + Duration::from_secs(1), "{took:?}");
        assert!(stopped.has_changed().is_err(), "it was told to stop, and nobody is left");
        assert!(*stopped.borrow());
        ended.await.expect_err("its task is gone");
    }
}
