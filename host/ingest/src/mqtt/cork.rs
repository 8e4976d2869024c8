//! A socket whose writes wait until its reader would wait.
//!
//! The MQTT client flushes after every packet, so thousands of four-byte PUBACKs after a commit would be
//! thousands of system calls. Corked, they leave together: when the client, having written all it had, turns
//! to reading and finds nothing, or when the buffer is full. Nothing is ever held while the connection idles.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes held at most.
const CORKED_BYTES_MAX: usize = 64 << 10;

/// See the module text.
#[derive(Debug)]
pub(crate) struct Cork<S: AsyncWrite + Unpin> {
    socket: S,
    held: BytesMut,
    /// Whether the socket has taken bytes that it may hold itself, as one with TLS does.
    unflushed: bool,
}

impl<S: AsyncWrite + Unpin> Cork<S> {
    /// Over this socket.
    pub(crate) fn new(socket: S) -> Self {
        Self { socket, held: BytesMut::new(), unflushed: false }
    }

    fn poll_release(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.held.has_remaining() {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, &self.held))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.held.advance(written),
            }
            self.unflushed = true;
        }
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Cork<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.held.has_remaining() || self.unflushed {
            // A socket that takes no more now has registered its waker, and the next poll goes on.
            if let Poll::Ready(Err(error)) = self.poll_release(cx) {
                return Poll::Ready(Err(error));
            }
        }
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Cork<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.held.len() >= CORKED_BYTES_MAX {
            ready!(self.poll_release(cx))?;
        }
        self.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_release(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl<S: AsyncWrite + Unpin> Drop for Cork<S> {
    fn drop(&mut self) {
        // What is still held (a goodbye, say) is offered to the socket once, without waiting.
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(Err(error)) = self.poll_release(&mut cx) {
            tracing::debug!(%error, "the last bytes of a connection were not taken");
        }
    }
}
