//! The line over MQTT 5.

use geminus_core::Timestamp;
use rumqttc_v5::mqttbytes::v5::{PubAckReason, PublishProperties};
use rumqttc_v5::{
    AsyncClient, Broker, Event, Incoming, MqttOptions as LineOptions, PublishNotice, PublishOptions,
    PublishResult, SessionMode,
};
use tokio::sync::watch;

use super::window::UNDER_WAY_MAX;
use super::{Client, HELD_MAX, MqttOptions};
use crate::{Answer, Order};

/// One connection, from its first attempt to its end; gives why it ended. `connected` hears how many messages the broker takes at
/// once.
pub(super) async fn connection(
    options: &MqttOptions,
    mut hung_up: watch::Receiver<bool>,
    connected: impl Fn(Client, u16),
) -> String {
    let mut line =
        LineOptions::new(options.client_id.clone(), Broker::tcp(options.host.clone(), options.port));
    line.set_keep_alive(u16::try_from(options.keep_alive.as_secs().max(1)).unwrap_or(u16::MAX))
        .set_session_mode(SessionMode::Clean)
        .set_outgoing_inflight_upper_limit(UNDER_WAY_MAX);
    if let Some((user, password)) = &options.credentials {
        line.set_credentials(user.clone(), password.clone().into_bytes());
    }
    if let Some(tls) = options.tls.clone() {
        let name = options.host.clone();
        line.set_socket_connector(move |host, network| {
            let (tls, name) = (tls.clone(), name.clone());
            async move {
                let socket = rumqttc_v5::default_socket_connect(host, network).await?;
                tls.connect(&name, socket).await
            }
        });
    }
    let mut network = line.network_options();
    network.set_tcp_nodelay(true);
    line.set_network_options(network);
    let (client, mut events) = AsyncClient::builder(line).capacity(HELD_MAX).build();
    loop {
        let step = tokio::select! {
            biased;
            _ = hung_up.wait_for(|hung_up| *hung_up) => return "it did not answer in time".to_owned(),
            step = events.poll() => step,
        };
        match step {
            Ok(Event::Incoming(Incoming::ConnAck(ack))) => {
                // One that says nothing takes as many as there are packet ids.
                let takes = ack.properties.and_then(|said| said.receive_max).unwrap_or(u16::MAX);
                connected(Client::V5(client.clone()), takes);
            }
            Ok(_) => {}
            Err(error) => return error.to_string(),
        }
    }
}

/// Hands an order to the library, which writes it at once: whoever calls has a place for it.
pub(super) fn publish(
    client: &AsyncClient,
    order: &Order<'_>,
    payload: Vec<u8>,
    now: Timestamp,
) -> Result<PublishNotice, String> {
    let properties = PublishProperties {
        payload_format_indicator: Some(1),
        message_expiry_interval: Some(order.expiry_s(now)),
        correlation_data: Some(bytes::Bytes::copy_from_slice(order.id.as_bytes())),
        content_type: Some("application/json".to_owned()),
        ..PublishProperties::default()
    };
    let options = PublishOptions::at_least_once().properties(properties);
    client.try_publish_tracked(order.address, payload, options).map_err(|error| error.to_string())
}

/// Hands a sign of life to the library.
pub(super) fn beat(
    client: &AsyncClient,
    topic: &str,
    payload: Vec<u8>,
    expiry_s: u32,
) -> Result<PublishNotice, String> {
    let properties = PublishProperties {
        payload_format_indicator: Some(1),
        message_expiry_interval: Some(expiry_s),
        content_type: Some("application/json".to_owned()),
        ..PublishProperties::default()
    };
    let options = PublishOptions::at_least_once().properties(properties);
    client.try_publish_tracked(topic, payload, options).map_err(|error| error.to_string())
}

/// What the broker says of it, in the end.
pub(super) async fn answer(notice: PublishNotice) -> Answer {
    match notice.wait_async().await {
        Ok(PublishResult::Qos1(ack)) => match ack.reason {
            PubAckReason::Success => Answer::Acknowledged { receipt: "PUBACK".to_owned() },
            PubAckReason::NoMatchingSubscribers => {
                Answer::Acknowledged { receipt: "PUBACK: nobody subscribes to the topic now".to_owned() }
            }
            refused => Answer::Declined { reason: format!("the broker turned it down: {refused:?}") },
        },
        Ok(other) => {
            Answer::Lost { reason: format!("the broker answered otherwise than to QoS 1: {other:?}") }
        }
        Err(error) => Answer::Lost { reason: error.to_string() },
    }
}
