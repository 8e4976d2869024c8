//! A socket after its handshake. What goes wrong on it later is said in the same words.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use crate::explain;

/// Bytes to the other side are encrypted, and come from it only.
#[derive(Debug)]
pub struct Secured<S> {
    inner: TlsStream<S>,
    host: String,
    has_certificate: bool,
    /// Whether the other side has sent anything yet. Under TLS 1.3 it judges our certificate after the handshake is done for
    /// us, so an end before its first byte is its answer to that.
    heard: bool,
}

impl<S> Secured<S> {
    pub(crate) fn new(inner: TlsStream<S>, host: &str, has_certificate: bool) -> Self {
        Self { inner, host: host.to_owned(), has_certificate, heard: false }
    }

    fn explained(&self, error: io::Error) -> io::Error {
        match self.heard {
            true => explain::later(error, &self.host, self.has_certificate),
            false => explain::first(error, &self.host, self.has_certificate),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        Poll::Ready(match read {
            Ok(()) if buf.filled().len() > before => {
                self.heard = true;
                Ok(())
            }
            Ok(()) if !self.heard && buf.remaining() > 0 => {
                Err(self.explained(io::ErrorKind::UnexpectedEof.into()))
            }
            Ok(()) => Ok(()),
            Err(error) => Err(self.explained(error)),
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes));
        Poll::Ready(written.map_err(|error| self.explained(error)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.inner).poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| self.explained(error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
