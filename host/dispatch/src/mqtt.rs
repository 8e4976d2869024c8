//! Orders over MQTT, 5 or 3.1.1, on a connection of their own.
//!
//! Each order leaves on the connection that stands at that moment or not at all: QoS 1, tracked until the broker has it, never
//! retained, and with an expiry where the protocol has one. A connection that breaks is thrown away with whatever was under way on it,
//! so that the library cannot send it again; the next one starts clean. A broker that does not answer in time is hung up on, so that
//! nothing waits there to leave later. A sign of life goes the same way: QoS 1, one under way for each address, so that a broker that is
//! gone without a word is noticed and finds one late beat at most. [`Pulses`] says when one is written and whether it has left.

mod v4;
mod v5;
mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use geminus_core::Timestamp;
use geminus_tls::Tls;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinHandle;

use self::window::{UNDER_WAY_MAX, Window};
use crate::{Answer, BEAT_MAX, Beat, Egress, Order, Pulses, Reply};

/// Messages that the library holds at most: each has a place, so none waits there for another one.
const HELD_MAX: usize = UNDER_WAY_MAX as usize;
/// Longest topic, as the protocol has it.
const TOPIC_BYTES_MAX: usize = 65_535;
/// Why nothing leaves while the broker is away.
const NO_LINE: &str = "there is no connection to the broker";
/// How long after a lost connection the next one is tried, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MqttVersion {
    /// MQTT 5: orders carry an expiry.
    #[default]
    V5,
    /// MQTT 3.1.1: only `not_after` in the payload says when an order is void.
    V311,
}

/// How a broker is spoken to.
#[derive(Clone)]
pub struct MqttOptions {
    /// Name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whom to trust and who we are; `None` speaks without TLS.
    pub tls: Option<Tls>,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// Unique at the broker, and not that of the connection that reads.
    pub client_id: String,
    /// Version of the protocol.
    pub version: MqttVersion,
    /// How often the line is tried when nothing is sent. At least a second.
    pub keep_alive: Duration,
    /// How long the broker may take to acknowledge an order.
    pub answer_max: Duration,
}

impl std::fmt::Debug for MqttOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No password.
        write!(f, "MqttOptions({} at {}:{}, {:?})", self.client_id, self.host, self.port, self.version)
    }
}

/// The half of a connection that sends.
#[derive(Clone)]
enum Client {
    V4(rumqttc_v4::AsyncClient),
    V5(rumqttc_v5::AsyncClient),
}

/// A connection that stands.
#[derive(Clone)]
struct Line {
    client: Client,
    window: Window,
    /// Ends the connection.
    hang_up: watch::Sender<bool>,
}

/// What the connection's task and the egress share.
struct Shared {
    line: Mutex<Option<Line>>,
    up: watch::Sender<bool>,
    /// What is known of signs of life, whatever line they went through.
    pulses: Mutex<Pulses>,
}

impl Line {
    /// Ends the connection, with what the library still holds of it.
    fn hang_up(&self) {
        self.window.close();
        self.hang_up.send_replace(true);
    }

    /// Publishes a sign of life as soon as there is a place for it, and waits for its answer; why the broker has not taken it.
    async fn beat(
        &self,
        (topic, payload, expiry_s): (&str, Vec<u8>, u32),
        answer_max: Duration,
    ) -> Result<(), String> {
        let _place = self.window.beat().await?;
        let fate = match &self.client {
            Client::V4(client) => Fate::V4(v4::beat(client, topic, payload)?),
            Client::V5(client) => Fate::V5(v5::beat(client, topic, payload, expiry_s)?),
        };
        match tokio::time::timeout(answer_max, fate.known()).await {
            Ok(Answer::Acknowledged { .. }) => Ok(()),
            Ok(Answer::NotSent { reason } | Answer::Declined { reason } | Answer::Lost { reason }) => {
                Err(reason)
            }
            Err(_) => {
                self.hang_up();
                Err(format!("the broker did not answer in {} ms", answer_max.as_millis()))
            }
        }
    }
}

/// An egress that writes to one broker. Dropping it ends the connection.
pub struct MqttEgress {
    shared: Arc<Shared>,
    runtime: Handle,
    answer_max: Duration,
    task: JoinHandle<()>,
}

impl MqttEgress {
    /// Connects on `runtime`, and again whenever the connection is lost. Does not wait for it.
    #[must_use]
    pub fn start(options: MqttOptions, runtime: Handle) -> Self {
        let shared = Arc::new(Shared {
            line: Mutex::new(None),
            up: watch::Sender::new(false),
            pulses: Mutex::default(),
        });
        let answer_max = options.answer_max;
        let task = runtime.spawn(drive(options, Arc::clone(&shared)));
        Self { shared, runtime, answer_max, task }
    }

    /// Whether the connection stands, as it changes.
    #[must_use]
    pub fn up(&self) -> watch::Receiver<bool> {
        self.shared.up.subscribe()
    }

    fn hand_over(
        &self,
        order: &Order<'_>,
        now: Timestamp,
    ) -> Result<(Line, Fate, OwnedSemaphorePermit), String> {
        topic_fits(order.address)?;
        let payload = order.payload()?;
        let line = self.shared.line()?;
        let place = line.window.order()?;
        let fate = match &line.client {
            Client::V4(client) => Fate::V4(v4::publish(client, order, payload)?),
            Client::V5(client) => Fate::V5(v5::publish(client, order, payload, now)?),
        };
        Ok((line, fate, place))
    }
}

impl Egress for MqttEgress {
    fn send(&mut self, order: &Order<'_>, now: Timestamp, reply: Reply) {
        let (line, fate, place) = match self.hand_over(order, now) {
            Ok(handed) => handed,
            Err(reason) => return reply.answer(Answer::NotSent { reason }),
        };
        let answer_max = self.answer_max;
        self.runtime.spawn(async move {
            let answer = match tokio::time::timeout(answer_max, fate.known()).await {
                Ok(answer) => answer,
                Err(_) => {
                    line.hang_up();
                    Answer::Lost {
                        reason: format!("the broker did not answer in {} ms", answer_max.as_millis()),
                    }
                }
            };
            reply.answer(answer);
            drop(place);
        });
    }

    fn beat(&mut self, beat: &Beat<'_>) -> Result<(), String> {
        topic_fits(beat.address)?;
        let payload = beat.payload()?;
        let line = self.shared.line()?;
        let due = self.shared.pulses().due(beat);
        if due.write {
            let (shared, address, sequence) =
                (Arc::clone(&self.shared), beat.address.to_owned(), beat.sequence);
            let (expiry_s, answer_max) = (beat.expiry_s(), BEAT_MAX.min(self.answer_max));
            self.runtime.spawn(async move {
                let outcome = line.beat((&address, payload, expiry_s), answer_max).await;
                let named = outcome.map_err(|reason| format!("heartbeat to `{address}`: {reason}"));
                shared.pulses().answered(&address, sequence, named);
            });
        }
        due.left
    }
}

impl Drop for MqttEgress {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for MqttEgress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MqttEgress(up: {})", *self.shared.up.borrow())
    }
}

/// What the library will say of an order.
enum Fate {
    V4(rumqttc_v4::PublishNotice),
    V5(rumqttc_v5::PublishNotice),
}

impl Fate {
    async fn known(self) -> Answer {
        match self {
            Self::V4(notice) => v4::answer(notice).await,
            Self::V5(notice) => v5::answer(notice).await,
        }
    }
}

/// A topic that a broker takes as one: not a pattern.
fn topic_fits(topic: &str) -> Result<(), String> {
    let fits = !topic.is_empty() && topic.len() <= TOPIC_BYTES_MAX && !topic.contains(['+', '#', '\0']);
    if fits { Ok(()) } else { Err(format!("`{topic}` is no topic to write to")) }
}

impl Shared {
    fn line(&self) -> Result<Line, String> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner).clone();
        line.ok_or_else(|| NO_LINE.to_owned())
    }

    fn pulses(&self) -> MutexGuard<'_, Pulses> {
        self.pulses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self, line: Line) {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
        self.up.send_replace(true);
    }

    fn lost(&self) -> bool {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(line) = line {
            line.window.close();
        }
        self.up.send_replace(false)
    }
}

/// One connection after the other. Each ends with its client: nothing crosses over.
async fn drive(options: MqttOptions, shared: Arc<Shared>) {
    let mut wait = RETRY.0;
    loop {
        let (hang_up, hung_up) = watch::channel(false);
        let connected = |client, receive_maximum| {
            let window = Window::of(receive_maximum);
            shared.connected(Line { client, window, hang_up: hang_up.clone() });
        };
        let reason = match options.version {
            MqttVersion::V311 => v4::connection(&options, hung_up, connected).await,
            MqttVersion::V5 => v5::connection(&options, hung_up, connected).await,
        };
        let stood = shared.lost();
        tracing::warn!(
            host = options.host,
            port = options.port,
            reason,
            "no orders leave: the broker is away"
        );
        wait = if stood { RETRY.0 } else { (wait * 2).min(RETRY.1) };
        // Nothing but the time ends this.
        if tokio::time::timeout(wait, std::future::pending::<()>()).await.is_ok() {
            return;
        }
    }
}
