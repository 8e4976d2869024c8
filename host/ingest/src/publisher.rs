//! Publishes to a broker so that nothing is lost: for `geminus feed`, the rig and tests.
//!
//! Every message is tracked until the broker has it (QoS 1: its PUBACK; QoS 0: handed to the network). At most
//! a window of them is under way; then `publish` waits. A message whose fate a broken connection leaves open is
//! sent again, so the broker may see it twice, and after others.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use geminus_core::Clock;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::mqtt::line::{Line, Step};
use crate::mqtt::{Address, AddressError, Backoff, LineV4, LineV5, ProtocolVersion, QoS};

/// Messages under way at most.
const WINDOW: u16 = 1_000;
/// How long a broker may be away before publishing fails.
const AWAY_MAX: Duration = Duration::from_secs(30);

/// Why something could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Nobody there, or nobody there any more.
    #[error("broker {broker} cannot be reached: {reason}")]
    Away {
        /// Where.
        broker: String,
        /// Why, in the client's words.
        reason: String,
    },
    /// A topic with wildcards, say.
    #[error("the message on `{topic}` cannot be sent: {reason}")]
    Message {
        /// Of this message.
        topic: String,
        /// Why, in the client's words.
        reason: String,
    },
}

#[derive(Clone)]
enum Client {
    V4(rumqttc_v4::AsyncClient),
    V5(rumqttc_v5::AsyncClient),
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// The broker has it.
    Arrived,
    /// Nobody knows: the connection broke.
    Open,
    /// The broker will not have it, and why.
    Refused(String),
}

type Fate = Pin<Box<dyn Future<Output = End> + Send>>;

struct UnderWay {
    topic: String,
    payload: Bytes,
    fate: Fate,
}

/// A connection that publishes.
pub struct Publisher {
    client: Client,
    qos: QoS,
    broker: String,
    under_way: VecDeque<UnderWay>,
    driver: JoinHandle<String>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Publisher({}, {} under way)", self.broker, self.under_way.len())
    }
}

impl Publisher {
    /// Connects, starting clean. `client_id` must be unique at the broker.
    ///
    /// # Errors
    /// [`PublishError`] when the address is wrong or nobody answers there.
    pub async fn connect(
        url: &str,
        client_id: &str,
        version: ProtocolVersion,
        qos: QoS,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PublishError> {
        let address = url.parse::<Address>()?.with_tls(None)?;
        let (tell, connected) = oneshot::channel();
        let (client, driver) = match version {
            ProtocolVersion::V311 => {
                let line = LineV4::publisher(&address, client_id, WINDOW);
                (Client::V4(line.client()), tokio::spawn(drive(line, clock, tell)))
            }
            ProtocolVersion::V5 => {
                let line = LineV5::publisher(&address, client_id, WINDOW);
                (Client::V5(line.client()), tokio::spawn(drive(line, clock, tell)))
            }
        };
        let publisher = Self { client, qos, broker: address.to_string(), under_way: VecDeque::new(), driver };
        match connected.await {
            Ok(Ok(())) => Ok(publisher),
            Ok(Err(reason)) => Err(publisher.away(reason)),
            Err(_) => Err(publisher.away("the client stopped".to_owned())),
        }
    }

    /// Hands a message over; waits while the window is full.
    ///
    /// # Errors
    /// [`PublishError`] when the message cannot be sent or the broker is away for too long.
    pub async fn publish(&mut self, topic: &str, payload: impl Into<Bytes>) -> Result<(), PublishError> {
        self.collect();
        while self.under_way.len() >= usize::from(WINDOW) {
            self.settle_oldest().await?;
        }
        self.send(topic.to_owned(), payload.into()).await
    }

    /// Waits until the broker has everything that was published.
    ///
    /// # Errors
    /// [`PublishError::Away`] when the broker is away for too long.
    pub async fn flush(&mut self) -> Result<(), PublishError> {
        while !self.under_way.is_empty() {
            self.settle_oldest().await?;
        }
        Ok(())
    }

    /// Flushes and disconnects.
    ///
    /// # Errors
    /// As [`Publisher::flush`].
    pub async fn finish(mut self) -> Result<(), PublishError> {
        self.flush().await?;
        let parted = match &self.client {
            Client::V4(client) => client.disconnect().await.is_ok(),
            Client::V5(client) => client.disconnect().await.is_ok(),
        };
        if parted && tokio::time::timeout(AWAY_MAX, &mut self.driver).await.is_err() {
            tracing::debug!(broker = %self.broker, "the broker did not end the connection");
        }
        Ok(())
    }

    /// Takes off what arrived, without waiting.
    fn collect(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        while let Some(oldest) = self.under_way.front_mut() {
            match oldest.fate.as_mut().poll(&mut cx) {
                Poll::Ready(End::Arrived) => drop(self.under_way.pop_front()),
                Poll::Ready(end) => {
                    oldest.fate = Box::pin(std::future::ready(end));
                    return;
                }
                Poll::Pending => return,
            }
        }
    }

    async fn settle_oldest(&mut self) -> Result<(), PublishError> {
        let Some(oldest) = self.under_way.pop_front() else { return Ok(()) };
        match oldest.fate.await {
            End::Arrived => Ok(()),
            End::Open => self.send(oldest.topic, oldest.payload).await,
            End::Refused(reason) => Err(PublishError::Message { topic: oldest.topic, reason }),
        }
    }

    async fn send(&mut self, topic: String, payload: Bytes) -> Result<(), PublishError> {
        match self.post(topic.clone(), payload.clone()).await {
            Ok(fate) => {
                self.under_way.push_back(UnderWay { topic, payload, fate });
                Ok(())
            }
            Err(_) if self.driver.is_finished() => {
                let reason = (&mut self.driver).await.unwrap_or_else(|error| error.to_string());
                Err(self.away(reason))
            }
            Err(reason) => Err(PublishError::Message { topic, reason }),
        }
    }

    async fn post(&mut self, topic: String, payload: Bytes) -> Result<Fate, String> {
        let once = self.qos == QoS::AtLeastOnce;
        match &self.client {
            Client::V4(client) => {
                use rumqttc_v4::{PublishNoticeError as Failure, PublishOptions};
                let options =
                    if once { PublishOptions::at_least_once() } else { PublishOptions::at_most_once() };
                let notice =
                    client.publish_tracked(topic, payload, options).await.map_err(|e| e.to_string())?;
                Ok(Box::pin(async move {
                    match notice.wait_completion_async().await {
                        Ok(()) => End::Arrived,
                        Err(Failure::Recv | Failure::SessionReset | Failure::Qos0NotFlushed) => End::Open,
                        Err(failure) => End::Refused(failure.to_string()),
                    }
                }))
            }
            Client::V5(client) => {
                use rumqttc_v5::{PublishNoticeError as Failure, PublishOptions};
                let options =
                    if once { PublishOptions::at_least_once() } else { PublishOptions::at_most_once() };
                let notice =
                    client.publish_tracked(topic, payload, options).await.map_err(|e| e.to_string())?;
                Ok(Box::pin(async move {
                    match notice.wait_completion_async().await {
                        Ok(()) => End::Arrived,
                        Err(Failure::Recv | Failure::SessionReset | Failure::Qos0NotFlushed) => End::Open,
                        Err(failure) => End::Refused(failure.to_string()),
                    }
                }))
            }
        }
    }

    fn away(&self, reason: String) -> PublishError {
        PublishError::Away { broker: self.broker.clone(), reason }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Polls the line until it is closed on purpose or away for too long; gives the last reason.
async fn drive<L: Line>(
    mut line: L,
    clock: Arc<dyn Clock>,
    connected: oneshot::Sender<Result<(), String>>,
) -> String {
    let mut connected = Some(connected);
    let mut backoff = Backoff::new(clock.now().0);
    let mut lost_at = None;
    loop {
        let lost = match line.poll().await {
            Ok(Step::Connected { .. }) => {
                lost_at = None;
                backoff.reset();
                if connected.take().is_some_and(|tell| tell.send(Ok(())).is_err()) {
                    return "nobody waits for the connection".to_owned();
                }
                continue;
            }
            Ok(_) => continue,
            Err(lost) => lost,
        };
        if let Some(tell) = connected.take() {
            let reason = lost.to_string();
            return tell.send(Err(reason.clone())).map_or_else(|_| reason.clone(), |()| reason.clone());
        }
        let since = *lost_at.get_or_insert_with(|| clock.monotonic());
        if lost.is_closed() || clock.monotonic().saturating_sub(since) >= AWAY_MAX {
            return lost.to_string();
        }
        let never = pin!(std::future::pending::<()>());
        if tokio::time::timeout(backoff.wait(), never).await.is_ok() {
            return lost.to_string();
        }
    }
}
