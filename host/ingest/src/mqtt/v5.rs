//! The line over MQTT 5.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use rumqttc_v5 as rumqttc;

use rumqttc::mqttbytes::v5::PubAckReason;

use rumqttc::{
    AckMode, AsyncClient, Broker, ConnectionError, DisconnectReasonCode, Event, EventLoop, Incoming,
    ManualAck, PersistedAckMode, PersistedSession, PubAck, SessionMode, SessionStore, SessionStoreError,
    SessionStoreKey, StateError, SubscribeReasonCode,
};

use super::MqttOptions;
use super::address::Address;
use super::cork::Cork;
use super::gulp::{Gulp, Reading};
use super::line::{Line, LineError, Message, Step, Voice, Will};

/// Our own QoS 1 messages under way on a subscribing line, which sends none. The library scans this window
/// at every packet, so it stays small.
const SUBSCRIBER_WINDOW: u16 = 16;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection over MQTT 5.
pub struct LineV5 {
    client: AsyncClient,
    events: EventLoop,
}

impl LineV5 {
    /// A line that receives, with a persistent session.
    pub(crate) fn subscriber(address: &Address, options: &MqttOptions) -> Self {
        let mut line = base(address, &options.client_id, options.keep_alive, Reading::InGulps);
        line.set_session_mode(SessionMode::Persistent)
            .set_session_expiry_interval(Some(
                u32::try_from(options.session_expiry.as_secs()).unwrap_or(u32::MAX),
            ))
            .set_receive_maximum(Some(options.receive_maximum))
            .set_max_packet_size(Some(options.packet_bytes_max))
            .set_outgoing_inflight_upper_limit(SUBSCRIBER_WINDOW)
            .set_ack_mode(AckMode::Manual)
            .set_session_store(EmptySession)
            .set_read_batch_size(128)
            .set_max_request_batch(256);
        let capacity = usize::from(options.receive_maximum) + 64;
        let (client, events) = AsyncClient::builder(line).capacity(capacity).build();
        Self { client, events }
    }

    /// A line that publishes, starting clean.
    pub(crate) fn publisher(address: &Address, client_id: &str, window: u16) -> Self {
        let mut line = base(address, client_id, Duration::from_secs(30), Reading::AtOnce);
        line.set_session_mode(SessionMode::Clean)
            .set_outgoing_inflight_upper_limit(window)
            .set_max_packet_size(Some(16 << 20))
            .set_read_batch_size(128)
            .set_max_request_batch(256);
        let (client, events) = AsyncClient::builder(line).capacity(usize::from(window)).build();
        Self { client, events }
    }

    /// A line that receives and acknowledges by itself, starting clean.
    pub(crate) fn bare(address: &Address, client_id: &str) -> Self {
        let mut line = base(address, client_id, Duration::from_secs(30), Reading::AtOnce);
        line.set_session_mode(SessionMode::Clean)
            .set_receive_maximum(Some(20_000))
            .set_outgoing_inflight_upper_limit(SUBSCRIBER_WINDOW)
            .set_read_batch_size(128);
        let (client, events) = AsyncClient::builder(line).capacity(64).build();
        Self { client, events }
    }

    /// A line of one who is missed, a host application or a publisher: it receives and acknowledges by itself, starts clean, and leaves a will. `capacity`
    /// is how many messages of its own may wait.
    #[must_use]
    pub fn with_will(
        address: &Address,
        (client_id, keep_alive): (&str, Duration),
        will: Will,
        capacity: usize,
    ) -> Self {
        let mut line = base(address, client_id, keep_alive, Reading::AtOnce);
        let Will { topic, payload, retained } = will;
        line.set_session_mode(SessionMode::Clean)
            .set_max_packet_size(Some(16 << 20))
            .set_session_expiry_interval(Some(0))
            .set_outgoing_inflight_upper_limit(SUBSCRIBER_WINDOW)
            .set_last_will(rumqttc::LastWill::new(topic, payload, rumqttc::QoS::AtLeastOnce, retained, None));
        let (client, events) = AsyncClient::builder(line).capacity(capacity).build();
        Self { client, events }
    }

    /// The library's own sender.
    pub(crate) fn client(&self) -> AsyncClient {
        self.client.clone()
    }
}

fn base(address: &Address, client_id: &str, keep_alive: Duration, reading: Reading) -> rumqttc::MqttOptions {
    let mut line = rumqttc::MqttOptions::new(client_id, Broker::tcp(address.host.clone(), address.port));
    line.set_keep_alive(u16::try_from(keep_alive.as_secs().max(1)).unwrap_or(u16::MAX))
        .set_connect_timeout(CONNECT_TIMEOUT);
    if let Some((user, password)) = &address.credentials {
        line.set_credentials(user.clone(), password.clone().into_bytes());
    }
    let mut network = line.network_options();
    network.set_tcp_nodelay(true);
    line.set_network_options(network);
    match address.tls.clone() {
        None => {
            line.set_socket_connector(move |host, network| async move {
                let socket = rumqttc::default_socket_connect(host, network).await;
                socket.map(|socket| Cork::new(Gulp::new(socket, reading)))
            });
        }
        Some(tls) => {
            let name = address.host.clone();
            // Gulps below, where it is seen how much the broker sends; the cork above, so that what was held leaves in one record.
            line.set_socket_connector(move |host, network| {
                let (tls, name) = (tls.clone(), name.clone());
                async move {
                    let socket = rumqttc::default_socket_connect(host, network).await?;
                    tls.connect(&name, Gulp::new(socket, reading)).await.map(Cork::new)
                }
            });
        }
    }
    line
}

/// A new process that meets its old session at the broker would be refused by the library for lack of local
/// state. A subscriber at QoS 0 and 1 has none to lack (what is not acknowledged is delivered again), so its
/// truthful state is an empty one. Taken off after the first connection: the library would save it for every
/// batch of packets.
#[derive(Debug)]
struct EmptySession;

type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

impl SessionStore for EmptySession {
    fn load<'a>(&'a self, key: &'a SessionStoreKey) -> StoreFuture<'a, Option<PersistedSession>> {
        let session = PersistedSession {
            format_version: 1,
            client_id: key.client_id().to_owned(),
            clean_start: false,
            session_expiry_interval: None,
            outgoing_inflight_upper_limit: Some(SUBSCRIBER_WINDOW),
            ack_mode: PersistedAckMode::Manual,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(std::future::ready(Ok(Some(session))))
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> StoreFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> StoreFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Line for LineV5 {
    type Voice = AsyncClient;

    fn voice(&self) -> AsyncClient {
        self.client.clone()
    }

    async fn poll(&mut self) -> Result<Step, LineError> {
        let event = self.events.poll().await.map_err(broken)?;
        let step = step(event);
        if matches!(step, Step::Connected { .. }) {
            self.events.options.clear_session_store();
        }
        Ok(step)
    }

    fn next_read(&mut self) -> Option<Step> {
        self.events.state.events.pop_front().map(step)
    }

    fn hang_up(&mut self) {
        self.events.clean();
    }
}

fn step(event: Event) -> Step {
    match event {
        Event::Incoming(Incoming::Publish(publish)) => Step::Message {
            packet: (publish.qos != rumqttc::QoS::AtMostOnce).then_some(publish.pkid),
            topic: publish.topic,
            payload: publish.payload,
            retained: publish.retain,
        },
        Event::Incoming(Incoming::ConnAck(ack)) => Step::Connected { session_present: ack.session_present },
        Event::Incoming(Incoming::SubAck(ack)) => {
            Step::Subscribed(ack.return_codes.iter().map(refused).collect())
        }
        Event::Incoming(Incoming::PubAck(ack)) => match ack.reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Step::Arrived,
            refused => Step::Declined(format!("{refused:?}")),
        },
        _ => Step::Other,
    }
}

fn broken(error: ConnectionError) -> LineError {
    match error {
        ConnectionError::RequestsDone => LineError::closed(),
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver,
            ..
        }) => LineError::new(TAKEN_OVER),
        error => LineError::new(error),
    }
}

/// What the broker means by reason 0x8E.
const TAKEN_OVER: &str =
    "another client with the same client id has taken over the session: give each host its own";

fn refused(code: &SubscribeReasonCode) -> Option<String> {
    match code {
        SubscribeReasonCode::Success(_) => None,
        other => Some(format!("{other:?}")),
    }
}

impl Voice for AsyncClient {
    fn acknowledge(&self, packet: u16) -> Result<(), LineError> {
        self.try_manual_ack(ManualAck::PubAck(PubAck::new(packet, None))).map_err(LineError::new)
    }

    fn subscribe(&self, filters: &[String], at_least_once: bool) -> Result<(), LineError> {
        let qos = if at_least_once { rumqttc::QoS::AtLeastOnce } else { rumqttc::QoS::AtMostOnce };
        let filters = filters.iter().map(|filter| {
            let mut wanted = rumqttc::SubscribeFilter::new(filter.clone(), qos);
            wanted.retain_forward_rule = rumqttc::RetainForwardRule::OnNewSubscribe;
            wanted
        });
        self.try_subscribe_many(filters.collect::<Vec<_>>()).map_err(LineError::new)
    }

    fn unsubscribe(&self, filters: &[String]) -> Result<(), LineError> {
        self.try_unsubscribe_many(filters.to_vec()).map_err(LineError::new)
    }

    fn publish(&self, message: &Message<'_>) -> Result<(), LineError> {
        let qos = if message.at_least_once { rumqttc::QoS::AtLeastOnce } else { rumqttc::QoS::AtMostOnce };
        let options = rumqttc::PublishOptions::new(qos).retain(message.retained);
        self.try_publish(message.topic, message.payload.clone(), options).map_err(LineError::new)
    }

    fn disconnect(&self) -> Result<(), LineError> {
        self.try_disconnect().map_err(LineError::new)
    }
}

impl std::fmt::Debug for LineV5 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LineV5")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_another_client_took_is_called_so() {
        let ended = |reason_code| {
            let error = StateError::ServerDisconnect { reason_code, reason_string: None };
            broken(ConnectionError::MqttState(error)).to_string()
        };
        assert_eq!(ended(DisconnectReasonCode::SessionTakenOver), TAKEN_OVER);
        let other = ended(DisconnectReasonCode::ServerShuttingDown);
        assert!(other.contains("ServerShuttingDown") && !other.contains("taken over"), "{other}");
    }
}
