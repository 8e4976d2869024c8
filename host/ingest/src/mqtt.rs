//! Samples from an MQTT broker, 3.1.1 or 5, at QoS 0 or 1.
//!
//! At QoS 1 a message is acknowledged only after everything it gave was committed; until then the broker
//! keeps it. The session is persistent, so what comes while the host is down waits at the broker. An
//! acknowledgement never crosses a connection: packet ids start anew there, and a late one would
//! acknowledge a stranger's message. Delivery is therefore at least once; the store drops what it has.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use geminus_core::{Clock, Event};
use geminus_tls::Tls;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::decode::DecodeLimits;
use crate::refusal::RefusalCounts;
use crate::{EventSink, Routes, Sink};

mod address;
mod backlog;
mod backoff;
mod cork;
mod gulp;
mod intake;
mod ledger;
pub mod line;
mod loss;
mod memo;
mod reader;
mod v4;
mod v5;

pub use address::{Address, AddressError};
pub use backoff::Backoff;
pub use loss::Loss;
pub use memo::remembered_client_id;
pub use v4::LineV4;
pub use v5::LineV5;

/// Version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProtocolVersion {
    /// MQTT 5: the window of unacknowledged messages is ours to choose.
    #[default]
    V5,
    /// MQTT 3.1.1: the broker chooses the window (mosquitto: `max_inflight_messages`, 20 unless set).
    V311,
}

/// How a message is handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QoS {
    /// At most once.
    AtMostOnce,
    /// At least once.
    #[default]
    AtLeastOnce,
}

/// How one broker is read.
#[derive(Clone, Debug)]
pub struct MqttOptions {
    /// `mqtt://[user:password@]host[:port]`, or `mqtts://…`.
    pub url: String,
    /// Whom to trust and who we are, for `mqtts://`.
    pub tls: Option<Tls>,
    /// Stable and unique at the broker: it names the session that survives restarts.
    pub client_id: String,
    /// 5 or 3.1.1.
    pub version: ProtocolVersion,
    /// Highest quality of service that is asked for.
    pub qos: QoS,
    /// Unacknowledged messages that the broker may have under way, 1 to 65,535; MQTT 5 only.
    pub receive_maximum: u16,
    /// How long the broker keeps the session of an absent host; MQTT 5 only.
    pub session_expiry: Duration,
    /// Silence after which the connection is probed; at least a second.
    pub keep_alive: Duration,
    /// Largest packet that a broker may send (MQTT 5). Under 3.1.1 nothing can tell the broker, and a larger
    /// packet would break every connection anew, so there the protocol's own limit of 256 MiB holds and
    /// `limits.payload_bytes_max` refuses what is too large.
    pub packet_bytes_max: u32,
    /// What is subscribed; may hold wildcards.
    pub filters: Vec<String>,
    /// What is subscribed at QoS 0 whatever `qos` says; none of `filters`.
    pub at_most_once: Vec<String>,
    /// Remembers the filters of the session over restarts, so that filters which were taken out of the site
    /// are unsubscribed. `None` subscribes anew at each start and never unsubscribes.
    pub memo: Option<PathBuf>,
    /// What payloads are accepted.
    pub limits: DecodeLimits,
}

impl MqttOptions {
    /// Customary values for everything that a site need not say.
    #[must_use]
    pub fn new(url: impl Into<String>, client_id: impl Into<String>, filters: Vec<String>) -> Self {
        Self {
            url: url.into(),
            tls: None,
            client_id: client_id.into(),
            version: ProtocolVersion::default(),
            qos: QoS::default(),
            receive_maximum: 20_000,
            session_expiry: Duration::from_hours(24),
            keep_alive: Duration::from_secs(30),
            packet_bytes_max: 16 << 20,
            filters,
            at_most_once: Vec::new(),
            memo: None,
            limits: DecodeLimits::default(),
        }
    }
}

/// Why a source cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum MqttError {
    /// The address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A persistent session needs a name.
    #[error("client_id must not be empty: it names the session at the broker")]
    ClientId,
    /// Nothing to subscribe to.
    #[error("no filter is given: name at least one topic")]
    NoFilter,
    /// A window of nothing.
    #[error("receive_maximum must be 1 to 65,535")]
    ReceiveMaximum,
}

/// Live counts of one source.
#[derive(Debug, Default)]
pub struct MqttStats {
    pub(crate) messages: AtomicU64,
    pub(crate) payload_bytes: AtomicU64,
    pub(crate) samples: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) voided: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) connected: AtomicBool,
    pub(crate) refusals: RefusalCounts,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        impl MqttStats {
            $($(#[$doc])* #[must_use] pub fn $name(&self) -> u64 { self.$name.load(Ordering::Relaxed) })+
        }
    };
}

counts! {
    /// PUBLISH packets received, redelivered ones included.
    messages,
    /// Their payload bytes.
    payload_bytes,
    /// Samples delivered to the sink.
    samples,
    /// Batches delivered to the sink.
    batches,
    /// QoS 1 messages acknowledged.
    acknowledged,
    /// Tickets that were voided: each leads to redelivery.
    voided,
    /// Connections established.
    connections,
}

impl MqttStats {
    /// Whether the broker is connected now.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Refusals by reason.
    #[must_use]
    pub fn refusals(&self) -> &RefusalCounts {
        &self.refusals
    }
}

/// A running source. Dropping it aborts the reader without the goodbye of [`MqttHandle::stop`].
#[derive(Debug)]
pub struct MqttHandle {
    stats: Arc<MqttStats>,
    stop: watch::Sender<bool>,
    reader: JoinHandle<()>,
}

impl MqttHandle {
    /// Of a reader that ends by itself when it is told to stop.
    pub(crate) fn new(stats: Arc<MqttStats>, stop: watch::Sender<bool>, reader: JoinHandle<()>) -> Self {
        Self { stats, stop, reader }
    }

    /// Live counts.
    #[must_use]
    pub fn stats(&self) -> Arc<MqttStats> {
        Arc::clone(&self.stats)
    }

    /// Delivers what was read, waits a bounded time for its commits, acknowledges them and disconnects. The
    /// session stays at the broker.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Err(error) = (&mut self.reader).await {
            tracing::warn!(%error, "the MQTT reader did not end by itself");
        }
    }
}

impl Drop for MqttHandle {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Everything a reader shares with the house.
pub(crate) struct House<S> {
    pub(crate) routes: Arc<Routes>,
    pub(crate) sink: S,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: EventSink,
    pub(crate) stats: Arc<MqttStats>,
}

impl<S> House<S> {
    fn tell(&self, event: Event) {
        (self.events)(event);
    }
}

/// Starts readers.
#[derive(Debug)]
pub struct MqttSource;

impl MqttSource {
    /// Starts a reader on the current tokio runtime. It connects, and connects again, for ever.
    ///
    /// # Errors
    /// [`MqttError`] when the options cannot work; a broker that is away is no error but an event.
    pub fn spawn<S: Sink>(
        options: MqttOptions,
        routes: Arc<Routes>,
        sink: S,
        clock: Arc<dyn Clock>,
        events: EventSink,
    ) -> Result<MqttHandle, MqttError> {
        let address = check(&options)?;
        let stats = Arc::new(MqttStats::default());
        let (stop, stopped) = watch::channel(false);
        let house = House { routes, sink, clock, events, stats: Arc::clone(&stats) };
        let reader = match options.version {
            ProtocolVersion::V5 => {
                let line = LineV5::subscriber(&address, &options);
                tokio::spawn(reader::Reader::new(line, options, house, stopped).run())
            }
            ProtocolVersion::V311 => {
                let line = LineV4::subscriber(&address, &options);
                tokio::spawn(reader::Reader::new(line, options, house, stopped).run())
            }
        };
        Ok(MqttHandle::new(stats, stop, reader))
    }
}

fn check(options: &MqttOptions) -> Result<Address, MqttError> {
    let address = options.url.parse::<Address>()?.with_tls(options.tls.clone())?;
    match options {
        _ if options.client_id.is_empty() => Err(MqttError::ClientId),
        _ if options.filters.is_empty() && options.at_most_once.is_empty() => Err(MqttError::NoFilter),
        _ if options.receive_maximum == 0 => Err(MqttError::ReceiveMaximum),
        _ => Ok(address),
    }
}
