//! The smallest client of MQTT 3.1.1 that a round trip needs: one subscription, short messages with QoS 1, one reader. By
//! hand, because it must cost nothing beside what it measures.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

/// Silence after which a connection is given up.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Longest body of a packet, written or read.
const BODY_BYTES_MAX: usize = 16 << 10;
/// First bytes of packets.
const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
/// With QoS 1.
const PUBLISH: u8 = 0x32;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    /// The last packet id; 0 before the first.
    last_id: u16,
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

impl Client {
    /// Connects to a broker on loopback, starts clean and subscribes to one filter with QoS 1. `name` must be unique at the
    /// broker.
    pub(crate) fn connect(port: u16, name: &str, filter: &str) -> anyhow::Result<Self> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SILENCE_MAX))?;
        let mut client = Self { reader: BufReader::new(socket), last_id: 0 };
        // Level 4, clean session, no keep-alive.
        let mut body = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
        put_text(&mut body, name)?;
        client.send(CONNECT, &body)?;
        match client.packet()? {
            Some((CONNACK, body)) if body == [0, 0] => {}
            other => bail!("the broker refused {name}: {other:?}"),
        }
        let mut body = client.next_id().to_vec();
        put_text(&mut body, filter)?;
        body.push(1);
        client.send(SUBSCRIBE, &body)?;
        match client.packet()? {
            Some((SUBACK, body)) if body.last() == Some(&1) => Ok(client),
            other => bail!("the broker refused {name} the subscription to {filter}: {other:?}"),
        }
    }

    /// Publishes with QoS 1. Does not wait for the acknowledgement, which [`Client::hear`] passes over.
    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8]) -> anyhow::Result<()> {
        let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
        put_text(&mut body, topic)?;
        body.extend_from_slice(&self.next_id());
        body.extend_from_slice(payload);
        self.send(PUBLISH, &body)
    }

    /// Waits for the next message and acknowledges it; `None` when the connection has ended.
    pub(crate) fn hear(&mut self) -> anyhow::Result<Option<Message>> {
        loop {
            let Some((header, body)) = self.packet()? else { return Ok(None) };
            if header & 0xf0 != PUBLISH & 0xf0 {
                continue;
            }
            let (message, id) = message(header, &body)?;
            if let Some(id) = id {
                self.send(PUBACK, &id)?;
            }
            return Ok(Some(message));
        }
    }

    /// The socket, to end the connection from elsewhere.
    pub(crate) fn socket(&self) -> std::io::Result<TcpStream> {
        self.reader.get_ref().try_clone()
    }

    /// 1 to 65,535, over and over.
    fn next_id(&mut self) -> [u8; 2] {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id.to_be_bytes()
    }

    fn send(&mut self, header: u8, body: &[u8]) -> anyhow::Result<()> {
        let packet = encoded(header, body)?;
        self.reader.get_mut().write_all(&packet)?;
        Ok(())
    }

    /// First byte and body of the next packet; `None` when the connection has ended before it.
    fn packet(&mut self) -> anyhow::Result<Option<(u8, Vec<u8>)>> {
        let mut first = [0_u8];
        if self.reader.read(&mut first)? == 0 {
            return Ok(None);
        }
        let (mut length, mut shift) = (0_usize, 0_u32);
        loop {
            let mut digit = [0_u8];
            self.reader.read_exact(&mut digit)?;
            let [digit] = digit;
            length |= usize::from(digit & 0x7f) << shift;
            shift += 7;
            if digit & 0x80 == 0 {
                break;
            }
            ensure!(shift < 28, "the length of a packet has no end");
        }
        ensure!(length <= BODY_BYTES_MAX, "a packet of {length} bytes is longer than {BODY_BYTES_MAX}");
        let mut body = vec![0_u8; length];
        self.reader.read_exact(&mut body)?;
        let [first] = first;
        Ok(Some((first, body)))
    }
}

fn encoded(header: u8, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    ensure!(body.len() <= BODY_BYTES_MAX, "a packet of {} bytes is longer than {BODY_BYTES_MAX}", body.len());
    let mut packet = Vec::with_capacity(body.len() + 5);
    packet.push(header);
    let mut length = body.len();
    loop {
        let digit = u8::try_from(length % 128)?;
        length /= 128;
        packet.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            break;
        }
    }
    packet.extend_from_slice(body);
    Ok(packet)
}

/// What a PUBLISH says, and the id that it wants to have acknowledged.
fn message(header: u8, body: &[u8]) -> anyhow::Result<(Message, Option<[u8; 2]>)> {
    let short = "a message is too short";
    let (length, rest) = body.split_first_chunk::<2>().context(short)?;
    let (topic, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).context(short)?;
    let (id, payload) = match (header >> 1) & 3 {
        0 => (None, rest),
        _ => {
            let (id, payload) = rest.split_first_chunk::<2>().context(short)?;
            (Some(*id), payload)
        }
    };
    let topic = std::str::from_utf8(topic).context("a topic is no text")?.to_owned();
    Ok((Message { topic, payload: payload.to_vec() }, id))
}

fn put_text(body: &mut Vec<u8>, text: &str) -> anyhow::Result<()> {
    body.extend_from_slice(&u16::try_from(text.len())?.to_be_bytes());
    body.extend_from_slice(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_as_many_bytes_as_they_need() {
        for (length, expect) in
            [(0, vec![0_u8]), (127, vec![127]), (128, vec![0x80, 1]), (300, vec![0xac, 2])]
        {
            let packet = encoded(PUBLISH, &vec![7_u8; length]).expect("short enough");
            assert_eq!(packet[0], PUBLISH);
            assert_eq!(packet[1..=expect.len()], expect[..]);
            assert_eq!(packet.len(), 1 + expect.len() + length);
        }
        assert!(encoded(PUBLISH, &vec![7_u8; BODY_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn a_message_has_an_id_unless_nobody_waits_for_it() {
        let expect = Message { topic: "ab".to_owned(), payload: b"{}".to_vec() };
        assert_eq!(message(0x32, b"\x00\x02ab\x01\x02{}").expect("QoS 1"), (expect.clone(), Some([1, 2])));
        assert_eq!(message(0x30, b"\x00\x02ab{}").expect("QoS 0"), (expect, None));
        for cut in [&b""[..], b"\x00\x02a", b"\x00\x02ab\x01"] {
            assert!(message(0x32, cut).is_err(), "{cut:?}");
        }
    }
}
