//! The fastest source there is, for benches: a server that speaks just enough MQTT to be subscribed to, and
//! then publishes as fast as it is read.
//!
//! It answers CONNECT, SUBSCRIBE and PINGREQ, publishes a given number of messages with rising times, and at
//! QoS 1 keeps to the client's window and counts acknowledgements. No broker: it ignores filters and keeps no
//! session beyond "what was acknowledged is not sent again".

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use geminus_core::Timestamp;

use crate::mqtt::QoS;

mod bare;
mod pace;
mod publishes;
mod wire;

pub use bare::{Bare, Progress, read, read_watched};
pub use pace::Pace;
pub use publishes::Publishes;

/// What is published.
#[derive(Clone, Debug)]
pub struct FloodOptions {
    /// Message k goes to topic k mod n.
    pub topics: Vec<String>,
    /// Time of the first round over the topics, cut to milliseconds.
    pub start: Timestamp,
    /// From one round to the next, at least a millisecond.
    pub step: Duration,
    /// Of every message.
    pub qos: QoS,
    /// Unacknowledged messages at most; the client's Receive Maximum lowers it.
    pub window: u16,
    /// Messages in all.
    pub messages: u64,
}

/// What happened so far.
#[derive(Debug, Default)]
pub struct FloodCounts {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    out_of_order: AtomicU64,
    connections: AtomicU64,
    stop: AtomicBool,
    /// The client at hand, so that a flood which ends can cut it off in the middle of a write.
    client: Mutex<Option<TcpStream>>,
}

impl FloodCounts {
    /// Messages written, those of broken connections included.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Messages acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// Acknowledgements for another message than the oldest one under way. MQTT forbids them to a client.
    #[must_use]
    pub fn out_of_order(&self) -> u64 {
        self.out_of_order.load(Ordering::Relaxed)
    }

    /// Connections taken.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    fn hold(&self, client: Option<TcpStream>) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client;
    }

    fn cut_off(&self) {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(error)) = client.map(|client| client.shutdown(Shutdown::Both)) {
            tracing::debug!(%error, "the flood's client was gone already");
        }
    }
}

/// A running flood. Dropping it ends it.
#[derive(Debug)]
pub struct Flood {
    address: SocketAddr,
    counts: Arc<FloodCounts>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Listens on a free port of loopback and serves one client at a time from a thread of its own.
    ///
    /// # Errors
    /// When there is no port or no thread to be had, or there is no topic.
    pub fn start(options: FloodOptions) -> io::Result<Self> {
        Self::start_paced(options, None)
    }

    /// As [`Flood::start`]; at QoS 0 with a pace, messages are published when they are due and not before.
    ///
    /// # Errors
    /// As [`Flood::start`].
    pub fn start_paced(options: FloodOptions, pace: Option<Arc<Pace>>) -> io::Result<Self> {
        if options.topics.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a flood needs at least one topic"));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let counts = Arc::new(FloodCounts::default());
        let shared = Arc::clone(&counts);
        let thread = std::thread::Builder::new().name("flood".to_owned()).spawn(move || {
            for socket in listener.incoming() {
                if shared.stop.load(Ordering::Acquire) {
                    return;
                }
                let served = socket.and_then(|socket| {
                    shared.hold(Some(socket.try_clone()?));
                    let served = wire::serve(socket, &options, pace.as_deref(), &shared);
                    shared.hold(None);
                    served
                });
                if let Err(error) = served {
                    tracing::debug!(%error, "the flood's client went away");
                }
            }
        })?;
        Ok(Self { address, counts, thread: Some(thread) })
    }

    /// Address for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    /// Live counts.
    #[must_use]
    pub fn counts(&self) -> Arc<FloodCounts> {
        Arc::clone(&self.counts)
    }
}

impl Drop for Flood {
    /// Cuts off the client at hand and waits for the thread.
    fn drop(&mut self) {
        self.counts.stop.store(true, Ordering::Release);
        self.counts.cut_off();
        let Some(thread) = self.thread.take() else { return };
        // Wakes the listener.
        let woken = TcpStream::connect(self.address);
        if thread.join().is_err() {
            tracing::error!("the flood's thread panicked");
        }
        drop(woken);
    }
}
