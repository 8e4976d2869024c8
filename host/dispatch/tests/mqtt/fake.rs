//! A broker that does what a test tells it, byte by byte.

use std::net::SocketAddr;

use geminus_dispatch::MqttVersion;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::soon;

/// A broker that takes connections and does nothing by itself.
pub(crate) struct Fake(TcpListener);

/// One connection to it, and the packet id of the last order.
pub(crate) struct FakeLine {
    pub(crate) stream: TcpStream,
    pub(crate) packet: [u8; 2],
    version: MqttVersion,
}

impl Fake {
    pub(crate) async fn listen(address: SocketAddr) -> Self {
        Self(TcpListener::bind(address).await.expect("port"))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("address")
    }

    pub(crate) async fn accept(&mut self, version: MqttVersion) -> FakeLine {
        let accepted: &[u8] = match version {
            MqttVersion::V5 => &[0x20, 3, 0, 0, 0],
            MqttVersion::V311 => &[0x20, 2, 0, 0],
        };
        self.accept_with(version, accepted).await
    }

    /// With this CONNACK.
    pub(crate) async fn accept_with(&mut self, version: MqttVersion, accepted: &[u8]) -> FakeLine {
        let (stream, _) = soon("a client", self.0.accept()).await.expect("accept");
        let mut line = FakeLine { stream, packet: [0; 2], version };
        let (first, body) = line.packet().await;
        assert_eq!(first >> 4, 1, "CONNECT");
        // Protocol name (6 bytes), level, flags: clean start, whatever else.
        assert_eq!(body[7] & 2, 2, "it must start clean");
        line.stream.write_all(accepted).await.expect("CONNACK");
        line
    }
}

impl FakeLine {
    /// The next packet: its first byte and what follows its length.
    async fn packet(&mut self) -> (u8, Vec<u8>) {
        let read = async {
            let first = self.stream.read_u8().await.expect("a packet");
            let (mut length, mut shift) = (0usize, 0);
            loop {
                let byte = self.stream.read_u8().await.expect("its length");
                length |= usize::from(byte & 127) << shift;
                shift += 7;
                if byte < 128 {
                    break;
                }
            }
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).await.expect("its body");
            (first, body)
        };
        soon("a packet", read).await
    }

    /// What is in the next message, which must be QoS 1, not retained and no repetition.
    pub(crate) async fn message(&mut self) -> Vec<u8> {
        let (first, body) = self.packet().await;
        assert_eq!(first, 0x32, "PUBLISH at QoS 1, neither retained nor a duplicate");
        let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
        self.packet = [body[2 + topic], body[3 + topic]];
        body
    }

    /// The id in the next order.
    pub(crate) async fn published(&mut self) -> Uuid {
        let body = self.message().await;
        let start = body.iter().position(|byte| *byte == b'{').expect("JSON");
        let payload: serde_json::Value = serde_json::from_slice(&body[start..]).expect("JSON");
        payload["id"].as_str().and_then(|id| id.parse().ok()).expect("an id")
    }

    pub(crate) async fn acknowledge(&mut self) {
        match self.version {
            MqttVersion::V5 => self.answer(0).await,
            MqttVersion::V311 => {
                let [high, low] = self.packet;
                self.stream.write_all(&[0x40, 2, high, low]).await.expect("PUBACK");
            }
        }
    }

    /// PUBACK of MQTT 5 with a reason.
    pub(crate) async fn answer(&mut self, reason: u8) {
        let [high, low] = self.packet;
        self.stream.write_all(&[0x40, 3, high, low, reason]).await.expect("PUBACK");
    }
}
