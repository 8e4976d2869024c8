//! The line over MQTT 3.1.1.

use std::time::Duration;

use rumqttc_v4 as rumqttc;

use rumqttc::{
    AckMode, AsyncClient, Broker, ConnectionError, Event, EventLoop, Incoming, ManualAck, PubAck,
    SessionMode, SubscribeReasonCode,
};

use super::MqttOptions;
use super::address::Address;
use super::cork::Cork;
use super::gulp::{Gulp, Reading};
use super::line::{Line, LineError, Message, Step, Voice, Will};

/// The largest remaining length that the protocol can write.
const PACKET_BYTES_MAX: usize = 268_435_455;
/// The broker alone bounds the window here; these are all packet ids that exist.
const WINDOW_MAX: usize = 65_535;

/// A connection over MQTT 3.1.1.
pub struct LineV4 {
    client: AsyncClient,
    events: EventLoop,
}

impl LineV4 {
    /// A line that receives, with a persistent session.
    pub(crate) fn subscriber(address: &Address, options: &MqttOptions) -> Self {
        let mut line = base(address, &options.client_id, options.keep_alive, Reading::InGulps);
        line.set_session_mode(SessionMode::Persistent).set_inflight(16).set_ack_mode(AckMode::Manual);
        let (client, events) = AsyncClient::builder(line).capacity(WINDOW_MAX + 64).build();
        Self { client, events: undelayed(events) }
    }

    /// A line that publishes, starting clean.
    pub(crate) fn publisher(address: &Address, client_id: &str, window: u16) -> Self {
        let mut line = base(address, client_id, Duration::from_secs(30), Reading::AtOnce);
        line.set_session_mode(SessionMode::Clean).set_inflight(window);
        let (client, events) = AsyncClient::builder(line).capacity(usize::from(window)).build();
        Self { client, events: undelayed(events) }
    }

    /// A line that receives and acknowledges by itself, starting clean.
    pub(crate) fn bare(address: &Address, client_id: &str) -> Self {
        let mut line = base(address, client_id, Duration::from_secs(30), Reading::AtOnce);
        line.set_session_mode(SessionMode::Clean).set_inflight(16);
        let (client, events) = AsyncClient::builder(line).capacity(64).build();
        Self { client, events: undelayed(events) }
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
        line.set_session_mode(SessionMode::Clean).set_inflight(16).set_last_will(rumqttc::LastWill::new(
            topic,
            payload,
            rumqttc::QoS::AtLeastOnce,
            retained,
        ));
        let (client, events) = AsyncClient::builder(line).capacity(capacity).build();
        Self { client, events: undelayed(events) }
    }

    /// The library's own sender.
    pub(crate) fn client(&self) -> AsyncClient {
        self.client.clone()
    }
}

fn base(address: &Address, client_id: &str, keep_alive: Duration, reading: Reading) -> rumqttc::MqttOptions {
    let mut line = rumqttc::MqttOptions::new(client_id, Broker::tcp(address.host.clone(), address.port));
    line.set_keep_alive(u16::try_from(keep_alive.as_secs().max(1)).unwrap_or(u16::MAX))
        .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX)
        .set_read_batch_size(128)
        .set_max_request_batch(256);
    if let Some((user, password)) = &address.credentials {
        line.set_credentials(user.clone(), password.clone().into_bytes());
    }
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

fn undelayed(mut events: EventLoop) -> EventLoop {
    let mut network = events.network_options();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    events
}

impl Line for LineV4 {
    type Voice = AsyncClient;

    fn voice(&self) -> AsyncClient {
        self.client.clone()
    }

    async fn poll(&mut self) -> Result<Step, LineError> {
        self.events.poll().await.map(step).map_err(broken)
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
        Event::Incoming(Incoming::PubAck(_)) => Step::Arrived,
        _ => Step::Other,
    }
}

fn broken(error: ConnectionError) -> LineError {
    match error {
        ConnectionError::RequestsDone => LineError::closed(),
        error => LineError::new(error),
    }
}

fn refused(code: &SubscribeReasonCode) -> Option<String> {
    match code {
        SubscribeReasonCode::Success(_) => None,
        SubscribeReasonCode::Failure => Some("Failure".to_owned()),
    }
}

impl Voice for AsyncClient {
    fn acknowledge(&self, packet: u16) -> Result<(), LineError> {
        self.try_manual_ack(ManualAck::PubAck(PubAck::new(packet))).map_err(LineError::new)
    }

    fn subscribe(&self, filters: &[String], at_least_once: bool) -> Result<(), LineError> {
        let qos = if at_least_once { rumqttc::QoS::AtLeastOnce } else { rumqttc::QoS::AtMostOnce };
        let filters = filters.iter().map(|filter| rumqttc::SubscribeFilter::new(filter.clone(), qos));
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

impl std::fmt::Debug for LineV4 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LineV4")
    }
}
