//! A socket that under load is read in gulps instead of sips.
//!
//! A broker that sends each message in a packet of its own wakes its reader for a few messages at a time, and every
//! batch costs a wake, a route, a call of a component and a share of a commit, whatever its size. So when a connection
//! is read empty more often than once a millisecond, by little each time, the next read waits one. What is sent meanwhile
//! comes in one read; nothing is held back on a connection with less to say or one that sends much at a time, and a read
//! that leaves something behind is followed at once.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long a busy connection is left alone after it was read empty; the runtime's timer makes up to two of it.
const REST: Duration = Duration::from_millis(1);
/// Over which sips are counted.
const WINDOW: Duration = Duration::from_millis(10);
/// Sips in a window from which on a connection is busy, and below which it is no more. A busy one has fewer, because
/// it rests.
const BUSY_FROM: u32 = 10;
const BUSY_TO: u32 = 3;
/// Bytes in a sip from which on, on the average, its costs are shared by enough: some twenty samples.
const SIP_BYTES_MAX: usize = 2_048;

/// How a connection is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As soon as something is there.
    AtOnce,
    /// See the module text.
    InGulps,
}

/// See the module text.
#[derive(Debug)]
pub(crate) struct Gulp<S> {
    socket: S,
    reading: Reading,
    rest: Pin<Box<Sleep>>,
    is_resting: bool,
    is_busy: bool,
    window: Instant,
    sips: u32,
    /// In the sips of the window.
    bytes: usize,
}

impl<S> Gulp<S> {
    /// Over this socket. Called where a runtime with a timer is.
    pub(crate) fn new(socket: S, reading: Reading) -> Self {
        let now = Instant::now();
        Self {
            socket,
            reading,
            rest: Box::pin(tokio::time::sleep_until(now)),
            is_resting: false,
            is_busy: false,
            window: now,
            sips: 0,
            bytes: 0,
        }
    }

    /// The socket was read empty by so many bytes.
    fn sipped(&mut self, bytes: usize) {
        let now = Instant::now();
        if now.duration_since(self.window) >= WINDOW {
            // One that rests has larger sips by that.
            let is_little = self.bytes < SIP_BYTES_MAX * self.sips as usize;
            self.is_busy = match self.is_busy {
                true => self.sips >= BUSY_TO,
                false => self.sips >= BUSY_FROM && is_little,
            };
            (self.window, self.sips, self.bytes) = (now, 0, 0);
        }
        self.sips += 1;
        self.bytes += bytes;
        if self.is_busy {
            self.rest.as_mut().reset(now + REST);
            self.is_resting = true;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gulp<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_resting {
            ready!(self.rest.as_mut().poll(cx));
            self.is_resting = false;
        }
        let room = buf.remaining();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        // Nothing read is the end of the connection, which nobody should wait for.
        let bytes = room - buf.remaining();
        if self.reading == Reading::InGulps && (1..room).contains(&bytes) {
            self.sipped(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gulp<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Reads `messages` of eight bytes that are sent every so often; gives how many reads it took and how long the
    /// longest waited.
    async fn read(every: Duration, messages: usize, reading: Reading) -> (usize, Duration) {
        let (mut sender, socket) = tokio::io::duplex(1 << 16);
        let start = Instant::now();
        let sent = tokio::spawn(async move {
            for message in 0..messages {
                tokio::time::sleep_until(start + every * u32::try_from(message).expect("few")).await;
                sender.write_all(&message.to_le_bytes()).await.expect("sent");
            }
        });
        let mut socket = Gulp::new(socket, reading);
        let (mut reads, mut all, mut longest) = (0, Vec::new(), Duration::ZERO);
        let mut buffer = [0; 4_096];
        loop {
            let count = socket.read(&mut buffer).await.expect("read");
            if count == 0 {
                break;
            }
            reads += 1;
            let first = u32::try_from(all.len() / 8).expect("few");
            longest = longest.max(start.elapsed().saturating_sub(every * first));
            all.extend_from_slice(&buffer[..count]);
        }
        sent.await.expect("sent");
        let expect: Vec<u8> = (0..messages).flat_map(usize::to_le_bytes).collect();
        assert_eq!(all, expect, "all of it, in order");
        (reads, longest)
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_connection_is_read_at_once() {
        assert_eq!(read(Duration::from_millis(5), 200, Reading::InGulps).await, (200, Duration::ZERO));
    }

    #[tokio::test]
    async fn a_busy_connection_is_read_in_gulps_and_nobody_waits_long() {
        // The runtime's timer knows whole milliseconds, so the sender comes with bursts; each read of one is a sip.
        let (mut sender, socket) = tokio::io::duplex(1 << 16);
        let mut socket = Gulp::new(socket, Reading::InGulps);
        let mut buffer = [0; 4_096];
        let start = Instant::now();
        while start.elapsed() < WINDOW * 2 {
            sender.write_all(&[1]).await.expect("sent");
            assert_eq!(socket.read(&mut buffer).await.expect("read"), 1);
        }
        assert!(socket.is_busy, "more than a thousand sips a second");
        let sipped = Instant::now();
        sender.write_all(&[1, 2]).await.expect("sent");
        assert_eq!(socket.read(&mut buffer).await.expect("read"), 2);
        assert!(sipped.elapsed() < Duration::from_secs(1), "{:?}", sipped.elapsed());
        // With nothing to say for a while it is a quiet one again.
        for _ in 0..3 {
            drop(tokio::time::timeout(WINDOW, std::future::pending::<()>()).await);
            sender.write_all(&[1]).await.expect("sent");
            assert_eq!(socket.read(&mut buffer).await.expect("read"), 1);
        }
        assert!(!socket.is_busy && !socket.is_resting);
    }

    #[tokio::test]
    async fn who_sends_much_at_a_time_is_not_made_to_wait() {
        let (mut sender, socket) = tokio::io::duplex(1 << 16);
        let mut socket = Gulp::new(socket, Reading::InGulps);
        let mut buffer = [0; 2 * SIP_BYTES_MAX];
        let start = Instant::now();
        while start.elapsed() < WINDOW * 3 {
            sender.write_all(&[1; SIP_BYTES_MAX]).await.expect("sent");
            assert_eq!(socket.read(&mut buffer).await.expect("read"), SIP_BYTES_MAX);
            assert!(!socket.is_busy && !socket.is_resting);
        }
    }

    #[tokio::test]
    async fn what_a_read_left_behind_is_read_at_once_and_so_is_an_end() {
        let (mut sender, socket) = tokio::io::duplex(1 << 16);
        let mut socket = Gulp::new(socket, Reading::InGulps);
        sender.write_all(&[7; 100]).await.expect("sent");
        drop(sender);
        for _ in 0..100 {
            assert_eq!(socket.read(&mut [0; 1]).await.expect("read"), 1);
            assert_eq!(socket.sips, 0, "it was not read empty");
        }
        assert_eq!(socket.read(&mut [0; 1]).await.expect("end"), 0);
        assert_eq!(socket.sips, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_at_once_never_rests() {
        assert_eq!(read(Duration::from_millis(1), 500, Reading::AtOnce).await, (500, Duration::ZERO));
    }
}
