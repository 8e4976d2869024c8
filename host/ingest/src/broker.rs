//! A broker inside the process, on loopback only, so that the demonstration needs nothing installed.
//!
//! Behind the feature `embedded-broker`. It keeps sessions in memory and forgets them when it stops; a plant
//! runs a broker of its own. Why this one: `docs/decisions/0001-mqtt-crates.md`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mqtt5::broker::config::{StorageBackend, StorageConfig};
use mqtt5::broker::server::BrokerShutdownHandle;
use mqtt5::broker::{BrokerConfig, MqttBroker};
use tokio::task::JoinHandle;

/// Messages that the broker keeps for an absent client.
const QUEUED_MESSAGES_MAX: usize = 100_000;
/// Bytes that the broker keeps for an absent client.
const QUEUED_BYTES_MAX: usize = 64 << 20;
/// Largest packet.
const PACKET_BYTES_MAX: usize = 16 << 20;
/// How long a stopping broker may take to part from its clients.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
#[error("the built-in broker cannot listen on 127.0.0.1:{port}: {reason}")]
pub struct BrokerError {
    /// Port that was asked for; 0 lets the system choose.
    pub port: u16,
    /// Why.
    pub reason: String,
}

/// A running broker. Dropping it stops it.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    shutdown: BrokerShutdown,
    task: JoinHandle<()>,
}

struct BrokerShutdown(BrokerShutdownHandle);

impl std::fmt::Debug for BrokerShutdown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BrokerShutdown")
    }
}

impl Broker {
    /// Starts on `127.0.0.1:port`, on a free port for 0, speaking MQTT 3.1.1 and 5.
    ///
    /// # Errors
    /// [`BrokerError`] when the port is taken.
    pub async fn start(port: u16) -> Result<Self, BrokerError> {
        let failed = |reason: String| BrokerError { port, reason };
        let mut broker =
            MqttBroker::with_config(config(port)).await.map_err(|error| failed(error.to_string()))?;
        let address = broker.local_addr().ok_or_else(|| failed("it has no address".to_owned()))?;
        let shutdown = BrokerShutdown(broker.shutdown_handle());
        let mut ready = broker.ready_receiver();
        let task = tokio::spawn(async move {
            if let Err(error) = broker.run().await {
                tracing::error!(%error, "the built-in broker stopped");
            }
        });
        ready.wait_for(|ready| *ready).await.map_err(|_| failed("it stopped at once".to_owned()))?;
        Ok(Self { address, shutdown, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address for clients: `mqtt://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    /// Parts from all clients and stops.
    pub async fn stop(mut self) {
        self.shutdown.0.shutdown();
        if tokio::time::timeout(STOP_GRACE, &mut self.task).await.is_err() {
            tracing::warn!("the built-in broker did not stop by itself");
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn config(port: u16) -> BrokerConfig {
    BrokerConfig {
        bind_addresses: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))],
        max_packet_size: PACKET_BYTES_MAX,
        maximum_qos: 1,
        topic_alias_maximum: 0,
        shared_subscription_available: false,
        sys_topics_enabled: false,
        storage_config: StorageConfig {
            backend: StorageBackend::Memory,
            max_queued_messages_per_client: QUEUED_MESSAGES_MAX,
            max_queued_bytes_per_client: QUEUED_BYTES_MAX,
            ..StorageConfig::default()
        },
        ..BrokerConfig::default()
    }
}
