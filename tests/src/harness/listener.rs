//! The field's ear: a subscriber that speaks MQTT 5 by hand and notes each message as it came, flags and properties included.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::question::PATIENCE;

/// A message as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// Quality of service.
    pub qos: u8,
    /// Whether its sender asked the broker to keep it.
    pub retained: bool,
    /// Property correlation data.
    pub correlation: Option<Vec<u8>>,
    /// Property message expiry interval, in seconds.
    pub expiry_s: Option<u32>,
    /// Property content type.
    pub content_type: Option<String>,
}

/// A subscription of its own.
#[derive(Debug)]
pub struct Listener {
    heard: Receiver<Message>,
}

impl Listener {
    /// Subscribes to a filter with QoS 1; the flag of retained messages is handed on as it was published.
    ///
    /// # Errors
    /// When the broker does not take the connection or the subscription.
    pub fn open(port: u16, client_id: &str, filter: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).context("no broker")?;
        stream.set_nodelay(true)?;
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 5, 0x02, 0, 0, 0];
        put_text(&mut body, client_id)?;
        send(&mut stream, 0x10, &body)?;
        let (kind, body) = packet(&mut stream)?;
        ensure!(kind == 0x20 && body.get(1) == Some(&0), "the broker refused the connection: {body:?}");
        let mut body = vec![0, 1, 0];
        put_text(&mut body, filter)?;
        // QoS 1, and retain as published.
        body.push(0x01 | 0x08);
        send(&mut stream, 0x82, &body)?;
        let (kind, body) = packet(&mut stream)?;
        ensure!(kind == 0x90 && body.last() == Some(&1), "the broker refused the subscription: {body:?}");
        let (tell, heard) = channel();
        std::thread::spawn(move || {
            while let Ok((kind, body)) = packet(&mut stream) {
                if kind & 0xf0 != 0x30 {
                    continue;
                }
                let Ok((message, id)) = message(kind, &body) else { return };
                let acknowledged = id.is_none_or(|id| send(&mut stream, 0x40, &id.to_be_bytes()).is_ok());
                if !acknowledged || tell.send(message).is_err() {
                    return;
                }
            }
        });
        Ok(Self { heard })
    }

    /// The next message.
    ///
    /// # Errors
    /// When none comes.
    pub fn next(&self) -> anyhow::Result<Message> {
        self.heard.recv_timeout(PATIENCE).context("no message came")
    }

    /// The next message within `span`; `None` when none comes.
    ///
    /// # Errors
    /// When the line has ended.
    pub fn within(&self, span: Duration) -> anyhow::Result<Option<Message>> {
        match self.heard.recv_timeout(span) {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the line to the broker has ended"),
        }
    }

    /// Whatever has come and was not taken yet.
    pub fn waiting(&self) -> Vec<Message> {
        self.heard.try_iter().collect()
    }
}

fn send(stream: &mut TcpStream, header: u8, body: &[u8]) -> anyhow::Result<()> {
    let length = u8::try_from(body.len()).ok().filter(|length| *length < 128).context("a long packet")?;
    stream.write_all(&[&[header, length], body].concat())?;
    Ok(())
}

fn packet(stream: &mut TcpStream) -> anyhow::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let kind = byte[0];
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((kind, body))
}

fn put_text(body: &mut Vec<u8>, text: &str) -> anyhow::Result<()> {
    body.extend_from_slice(&u16::try_from(text.len())?.to_be_bytes());
    body.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Bytes that are read from the front.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> anyhow::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).context("the packet is too short")?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> anyhow::Result<u32> {
        Ok(self.take(bytes)?.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte)))
    }

    fn text(&mut self) -> anyhow::Result<&'a [u8]> {
        let length = self.number(2)?;
        self.take(length as usize)
    }

    fn length(&mut self) -> anyhow::Result<usize> {
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.number(1)?;
            length |= (byte as usize & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok(length);
            }
        }
    }
}

/// A PUBLISH and the id that it wants to have acknowledged.
fn message(kind: u8, body: &[u8]) -> anyhow::Result<(Message, Option<u16>)> {
    let mut rest = Rest(body);
    let mut message = Message {
        topic: String::from_utf8(rest.text()?.to_vec())?,
        qos: (kind >> 1) & 3,
        retained: kind & 1 == 1,
        ..Message::default()
    };
    let id = match message.qos {
        0 => None,
        _ => Some(u16::try_from(rest.number(2)?)?),
    };
    let length = rest.length()?;
    let mut properties = Rest(rest.take(length)?);
    message.payload = rest.0.to_vec();
    while !properties.0.is_empty() {
        match properties.number(1)? {
            0x01 => drop(properties.take(1)?),
            0x02 => message.expiry_s = Some(properties.number(4)?),
            0x03 => message.content_type = Some(String::from_utf8(properties.text()?.to_vec())?),
            0x08 => drop(properties.text()?),
            0x09 => message.correlation = Some(properties.text()?.to_vec()),
            0x0b => drop(properties.length()?),
            0x23 => drop(properties.take(2)?),
            0x26 => {
                properties.text()?;
                properties.text()?;
            }
            other => anyhow::bail!("property {other:#x} has no place in a message"),
        }
    }
    Ok((message, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_properties_are_read() {
        let properties = [&[0x02, 0, 0, 0, 9][..], &[0x03, 0, 2, b'a', b'b'], &[0x09, 0, 2, 7, 8]].concat();
        let length = u8::try_from(properties.len()).expect("short");
        let body = [&[0, 1, b't', 0, 5, length][..], &properties, b"{}"].concat();
        let (message, id) = message(0x33, &body).expect("a message");
        assert_eq!(id, Some(5));
        let expect = Message {
            topic: "t".to_owned(),
            payload: b"{}".to_vec(),
            qos: 1,
            retained: true,
            correlation: Some(vec![7, 8]),
            expiry_s: Some(9),
            content_type: Some("ab".to_owned()),
        };
        assert_eq!(message, expect);
        assert!(super::message(0x33, &body[..4]).is_err(), "cut off");
    }
}
