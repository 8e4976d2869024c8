//! Samples from Sparkplug B edge nodes, as a host application of version 3.0.
//!
//! A connection of its own: it starts clean, because a session that survived would hand out data without the births that
//! explain it. Our STATE goes out after the subscriptions stand, with the time of the will. What is not known of an edge
//! node is asked for anew rather than kept, so nothing waits for an acknowledgement here. [`geminus_sparkplug`] knows
//! what messages mean; this part owns the connection and makes samples.

use std::sync::Arc;
use std::time::Duration;

use geminus_core::Clock;
pub use geminus_sparkplug::Wanted;
use geminus_sparkplug::topic::is_id;
pub use geminus_sparkplug::topic::{Place, PlaceError};
use geminus_tls::Tls;
use tokio::sync::watch;

use crate::decode::DecodeLimits;
use crate::mqtt::line::Will;
use crate::mqtt::{Address, AddressError, LineV4, LineV5, MqttHandle, MqttStats, ProtocolVersion};
use crate::route::Point;
use crate::{EventSink, Sink};

mod intake;
mod reader;

#[cfg(test)]
mod tests;

/// Our own messages that may wait, beside one for each edge node.
const OUTGOING: usize = 64;

/// How edge nodes are listened to.
#[derive(Clone, Debug)]
pub struct SparkplugOptions {
    /// `mqtt://[user:password@]host[:port]`, or `mqtts://…`.
    pub url: String,
    /// Whom to trust and who we are, for `mqtts://`.
    pub tls: Option<Tls>,
    /// Unique at the broker.
    pub client_id: String,
    /// Id of this host application, unique among all; edge nodes that wait for a primary host name it.
    pub host_id: String,
    /// 5 or 3.1.1.
    pub version: ProtocolVersion,
    /// Silence after which the connection is probed; at least a second.
    pub keep_alive: Duration,
    /// What is accepted.
    pub limits: DecodeLimits,
}

/// A metric and the point that it feeds. A metric may feed several.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPoint {
    /// The metric.
    pub wanted: Wanted,
    /// The point.
    pub point: Point,
}

/// Why a source cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum SparkplugError {
    /// The address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// No name at the broker.
    #[error("client_id must not be empty: it names the connection at the broker")]
    ClientId,
    /// No name among host applications.
    #[error("host_id `{0}` must be one level of a topic: not empty, without `/`, `+` and `#`")]
    HostId(String),
    /// Nothing to listen for.
    #[error("no metric is given: name at least one")]
    NoMetric,
}

/// Starts host applications.
#[derive(Debug)]
pub struct SparkplugSource;

impl SparkplugSource {
    /// Starts one on the current tokio runtime. It connects, and connects again, for ever.
    ///
    /// # Errors
    /// [`SparkplugError`] when the options cannot work; a broker that is away is no error but an event.
    pub fn spawn<S: Sink>(
        options: SparkplugOptions,
        points: Vec<MetricPoint>,
        sink: S,
        clock: Arc<dyn Clock>,
        events: EventSink,
    ) -> Result<MqttHandle, SparkplugError> {
        let address = options.url.parse::<Address>()?.with_tls(options.tls.clone())?;
        if options.client_id.is_empty() {
            return Err(SparkplugError::ClientId);
        }
        if !is_id(&options.host_id) {
            return Err(SparkplugError::HostId(options.host_id));
        }
        if points.is_empty() {
            return Err(SparkplugError::NoMetric);
        }
        let stats = Arc::new(MqttStats::default());
        let (stop, stopped) = watch::channel(false);
        // The reader has one too, so that it is told to stop by a word only: one whose handle is gone is aborted, and must
        // not take the moment before that for a goodbye, which the broker would pass on as a time that nobody was born at.
        let told = stop.clone();
        let version = options.version;
        let (client_id, keep_alive) = (options.client_id.clone(), options.keep_alive);
        let house = reader::House { sink, clock, events, stats: Arc::clone(&stats) };
        let reader = reader::Reader::new(options, address.name(), points, house, stopped);
        let capacity = OUTGOING + reader.nodes();
        let reader = tokio::spawn(async move {
            let _told = told;
            match version {
                ProtocolVersion::V5 => {
                    let line =
                        |will: Will| LineV5::with_will(&address, (&client_id, keep_alive), will, capacity);
                    reader.run(line).await;
                }
                ProtocolVersion::V311 => {
                    let line =
                        |will: Will| LineV4::with_will(&address, (&client_id, keep_alive), will, capacity);
                    reader.run(line).await;
                }
            }
        });
        Ok(MqttHandle::new(stats, stop, reader))
    }
}
