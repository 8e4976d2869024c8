//! The baseline of the pipeline benches: the same MQTT client, reading and counting, doing nothing else.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use geminus_core::Clock;

use crate::mqtt::line::{Line, LineError, Step, Voice};
use crate::mqtt::{Address, LineV4, LineV5, MqttError, ProtocolVersion, QoS};

/// What a bare client read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bare {
    /// PUBLISH packets.
    pub messages: u64,
    /// Their payload bytes.
    pub payload_bytes: u64,
    /// From the first message to the last.
    pub took: Duration,
}

/// How far a bare client is, for a publisher that must not run ahead of it.
#[derive(Debug, Default)]
pub struct Progress {
    /// The broker has confirmed the subscription.
    pub subscribed: AtomicBool,
    /// PUBLISH packets read so far.
    pub messages: AtomicU64,
}

/// Subscribes to `filter` and reads `messages` messages, acknowledging each at once at QoS 1.
///
/// # Errors
/// When the address is wrong or the connection breaks, in the client's words.
pub async fn read(
    url: &str,
    version: ProtocolVersion,
    qos: QoS,
    filter: &str,
    messages: u64,
    clock: &dyn Clock,
) -> Result<Bare, String> {
    read_watched(url, version, qos, filter, messages, clock, &Progress::default()).await
}

/// As [`read`], and tells how far it is.
///
/// # Errors
/// As [`read`].
pub async fn read_watched(
    url: &str,
    version: ProtocolVersion,
    qos: QoS,
    filter: &str,
    messages: u64,
    clock: &dyn Clock,
    progress: &Progress,
) -> Result<Bare, String> {
    let address = url.parse::<Address>().and_then(|address| address.with_tls(None));
    let address = address.map_err(|error| MqttError::Address(error).to_string())?;
    let id = format!("bare-{}", clock.now().0);
    match version {
        ProtocolVersion::V5 => {
            count(LineV5::bare(&address, &id), qos, filter, messages, clock, progress).await
        }
        ProtocolVersion::V311 => {
            count(LineV4::bare(&address, &id), qos, filter, messages, clock, progress).await
        }
    }
    .map_err(|error| error.to_string())
}

async fn count<L: Line>(
    mut line: L,
    qos: QoS,
    filter: &str,
    messages: u64,
    clock: &dyn Clock,
    progress: &Progress,
) -> Result<Bare, LineError> {
    let mut bare = Bare { messages: 0, payload_bytes: 0, took: Duration::ZERO };
    let mut first = None;
    while bare.messages < messages {
        let mut step = Some(line.poll().await?);
        while let Some(read) = step {
            match read {
                Step::Message { payload, .. } => {
                    bare.messages += 1;
                    bare.payload_bytes += payload.len() as u64;
                }
                Step::Connected { .. } => {
                    line.voice().subscribe(&[filter.to_owned()], qos == QoS::AtLeastOnce)?;
                }
                Step::Subscribed(_) => progress.subscribed.store(true, Ordering::Release),
                _ => {}
            }
            step = line.next_read();
        }
        progress.messages.store(bare.messages, Ordering::Release);
        if first.is_none() && bare.messages > 0 {
            first = Some(clock.monotonic());
        }
    }
    bare.took = clock.monotonic().saturating_sub(first.unwrap_or_default());
    line.hang_up();
    Ok(bare)
}
