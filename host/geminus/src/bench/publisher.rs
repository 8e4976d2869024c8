//! The field in front of a broker: writes the flood's messages to it as fast as the reader behind it follows.
//!
//! A broker drops QoS 0 messages of a reader that is slow, so the publisher keeps a window: no more messages are
//! under way than `WINDOW` beyond what the reader has seen. What is lost all the same is written off after a while,
//! so that a measurement ends.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use geminus_core::Clock;
use geminus_ingest::QoS;
use geminus_ingest::flood::{FloodOptions, Publishes};

/// Messages under way between publisher and reader.
const WINDOW: u64 = 20_000;
/// Rest when the window is full.
const NAP: Duration = Duration::from_micros(200);
/// A reader that has not moved for so long has lost what is under way.
const LOST_AFTER: Duration = Duration::from_secs(2);
/// Messages of one write.
const BURST: u64 = 1_000;
/// CONNECT of MQTT 3.1.1: clean session, no keep-alive, client `field`.
const CONNECT: &[u8] = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05field";

/// Publishing under way.
#[derive(Debug)]
pub(crate) struct Publisher {
    thread: JoinHandle<anyhow::Result<Published>>,
}

/// What a publisher did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published {
    /// Monotonic time of the first write.
    pub(crate) begin: Duration,
    /// Messages given up because the reader never saw them.
    pub(crate) written_off: u64,
}

impl Publisher {
    /// Connects to a broker and publishes everything of `options`; `seen` tells how many messages the reader has.
    pub(crate) fn start(
        port: u16,
        options: FloodOptions,
        clock: Arc<dyn Clock>,
        seen: impl Fn() -> u64 + Send + 'static,
    ) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_nodelay(true)?;
        socket.write_all(CONNECT)?;
        let mut connack = [0; 4];
        socket.read_exact(&mut connack)?;
        ensure!(connack == [0x20, 2, 0, 0], "the broker refused the publisher: {connack:?}");
        let thread = std::thread::Builder::new()
            .name("field".to_owned())
            .spawn(move || publish(socket, &options, clock.as_ref(), seen))?;
        Ok(Self { thread })
    }

    /// Waits for the end.
    pub(crate) fn join(self) -> anyhow::Result<Published> {
        self.thread.join().map_err(|_| anyhow!("the publisher panicked"))?
    }
}

fn publish(
    mut socket: TcpStream,
    options: &FloodOptions,
    clock: &dyn Clock,
    seen: impl Fn() -> u64,
) -> anyhow::Result<Published> {
    // Acknowledgements must be read, or the broker would stop reading from us.
    let mut answers = socket.try_clone()?;
    let reader = std::thread::Builder::new().name("field-acks".to_owned()).spawn(move || {
        let (mut buffer, mut bytes) = (vec![0; 1 << 16], 0);
        while let Ok(read @ 1..) = answers.read(&mut buffer) {
            bytes += read as u64;
        }
        bytes / 4
    })?;
    let begin = clock.monotonic();
    let mut publishes = Publishes::new(options, false);
    let (mut next, mut written_off) = (0, 0);
    let mut moved = (0, begin);
    while next < options.messages {
        let now_seen = seen();
        if now_seen != moved.0 {
            moved = (now_seen, clock.monotonic());
        }
        let under_way = next - written_off - now_seen.min(next - written_off);
        if under_way >= WINDOW {
            if clock.monotonic().saturating_sub(moved.1) > LOST_AFTER {
                written_off += under_way;
            }
            std::thread::park_timeout(NAP);
            continue;
        }
        let wanted = (WINDOW - under_way).min(BURST).min(options.messages - next);
        let (bytes, count) = publishes.run(next, wanted);
        socket.write_all(bytes)?;
        next += count;
    }
    // DISCONNECT; the broker closes then, which ends the reader of acknowledgements.
    socket.write_all(&[0xe0, 0])?;
    socket.shutdown(Shutdown::Write)?;
    let acknowledged = reader.join().map_err(|_| anyhow!("the reader of acknowledgements panicked"))?;
    let expected = if options.qos == QoS::AtLeastOnce { options.messages } else { 0 };
    tracing::debug!(acknowledged, expected, "the broker took");
    Ok(Published { begin, written_off })
}
