//! The line over MQTT 3.1.1.

use rumqttc_v4::{
    AsyncClient, Broker, Event, Incoming, MqttOptions as LineOptions, PublishNotice, PublishOptions,
    SessionMode,
};
use tokio::sync::watch;

use super::window::{UNDER_WAY_MAX, UNSAID};
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
        .set_inflight(UNDER_WAY_MAX);
    if let Some((user, password)) = &options.credentials {
        line.set_credentials(user.clone(), password.clone().into_bytes());
    }
    if let Some(tls) = options.tls.clone() {
        let name = options.host.clone();
        line.set_socket_connector(move |host, network| {
            let (tls, name) = (tls.clone(), name.clone());
            async move {
                let socket = rumqttc_v4::default_socket_connect(host, network).await?;
                tls.connect(&name, socket).await
            }
        });
    }
    let (client, mut events) = AsyncClient::builder(line).capacity(HELD_MAX).build();
    let mut network = events.network_options();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    loop {
        let step = tokio::select! {
            biased;
            _ = hung_up.wait_for(|hung_up| *hung_up) => return "it did not answer in time".to_owned(),
            step = events.poll() => step,
        };
        match step {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => connected(Client::V4(client.clone()), UNSAID),
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
) -> Result<PublishNotice, String> {
    client
        .try_publish_tracked(order.address, payload, PublishOptions::at_least_once())
        .map_err(|error| error.to_string())
}

/// Hands a sign of life to the library; in this version of the protocol it cannot expire.
pub(super) fn beat(client: &AsyncClient, topic: &str, payload: Vec<u8>) -> Result<PublishNotice, String> {
    client
        .try_publish_tracked(topic, payload, PublishOptions::at_least_once())
        .map_err(|error| error.to_string())
}

/// What the broker says of it, in the end. In this version of the protocol it has no words for a refusal.
pub(super) async fn answer(notice: PublishNotice) -> Answer {
    match notice.wait_completion_async().await {
        Ok(()) => Answer::Acknowledged { receipt: "PUBACK".to_owned() },
        Err(error) => Answer::Lost { reason: error.to_string() },
    }
}
