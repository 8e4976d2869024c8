//! The field: a publisher that speaks MQTT 3.1.1 by hand, independent of the host's client, and knows exactly what
//! the broker acknowledged.

use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

/// Unacknowledged QoS 1 messages at a time.
const WINDOW: u64 = 1_000;

/// One connection that publishes and nothing else.
#[derive(Debug)]
pub struct Publisher {
    writer: BufWriter<TcpStream>,
    reader: BufReader<TcpStream>,
    sent: u64,
    acknowledged: u64,
}

impl Publisher {
    /// Connects to a loopback broker with a clean session.
    ///
    /// # Errors
    /// When the broker does not take the connection.
    pub fn connect(port: u16, client_id: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("no broker")?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_nodelay(true)?;
        let mut publisher = Self {
            reader: BufReader::new(stream.try_clone()?),
            writer: BufWriter::with_capacity(1 << 16, stream),
            sent: 0,
            acknowledged: 0,
        };
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0x02, 0, 0];
        put_text(&mut body, client_id)?;
        publisher.packet(0x10, &body)?;
        publisher.writer.flush()?;
        let mut connack = [0; 4];
        publisher.reader.read_exact(&mut connack)?;
        ensure!(connack == [0x20, 2, 0, 0], "the broker refused the connection: {connack:?}");
        Ok(publisher)
    }

    /// Publishes with QoS 0 or 1; with QoS 1 waits when a thousand are unacknowledged.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn publish(&mut self, topic: &str, payload: &[u8], qos: u8) -> anyhow::Result<()> {
        let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
        put_text(&mut body, topic)?;
        if qos > 0 {
            self.sent += 1;
            // Ids 1 … 65,535 in turn; the window keeps them apart.
            let id = u16::try_from((self.sent - 1) % 65_535 + 1)?;
            body.extend_from_slice(&id.to_be_bytes());
        }
        body.extend_from_slice(payload);
        self.packet(0x30 | (qos << 1), &body)?;
        if qos > 0 && self.sent - self.acknowledged >= WINDOW {
            self.writer.flush()?;
            while self.sent - self.acknowledged >= WINDOW / 2 {
                self.read_puback()?;
            }
        }
        Ok(())
    }

    /// Waits until the broker has acknowledged everything; gives the number of QoS 1 messages so far.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn flush(&mut self) -> anyhow::Result<u64> {
        self.writer.flush()?;
        while self.acknowledged < self.sent {
            self.read_puback()?;
        }
        Ok(self.acknowledged)
    }

    /// How many QoS 1 messages the broker has acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    fn read_puback(&mut self) -> anyhow::Result<()> {
        let mut packet = [0; 4];
        self.reader.read_exact(&mut packet).context("waiting for PUBACK")?;
        match packet {
            [0x40, 2, _, _] => self.acknowledged += 1,
            other => bail!("expected PUBACK, got {other:?}"),
        }
        Ok(())
    }

    fn packet(&mut self, header: u8, body: &[u8]) -> anyhow::Result<()> {
        self.writer.write_all(&[header])?;
        let mut length = body.len();
        loop {
            let digit = u8::try_from(length % 128)?;
            length /= 128;
            self.writer.write_all(&[if length > 0 { digit | 0x80 } else { digit }])?;
            if length == 0 {
                break;
            }
        }
        self.writer.write_all(body)?;
        Ok(())
    }
}

fn put_text(body: &mut Vec<u8>, text: &str) -> anyhow::Result<()> {
    body.extend_from_slice(&u16::try_from(text.len())?.to_be_bytes());
    body.extend_from_slice(text.as_bytes());
    Ok(())
}
