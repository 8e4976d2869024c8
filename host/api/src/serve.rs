//! Takes connections and serves the router on them, over TLS where that is set up, until told to stop.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::guard::admission::Peer;
use crate::places::Places;
use crate::stall::Patient;
use crate::tls::Tls;
use crate::traffic::Traffic;

/// Most connections at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 256;
/// Longest time for the head of a request, and longest silence between two.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// Longest time for a TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Longest time for which a client may take nothing of what is sent to it.
const STALL_TIME: Duration = Duration::from_secs(60);
/// Longest time for requests to end once the process stops.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// Buffer of one connection: bounds what a stalled client holds, and the head of a request.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// What is waited when no connection can be taken because the process has too many files open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why serving ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The semaphore of connections was closed: cannot happen, and is not hidden.
    #[error("connections can no longer be counted")]
    Counting,
}

/// Serves `router`, over TLS if `tls` is given, until `shutdown` is done, then lets requests end for at most five seconds. Close the event bus
/// before, so that streams end at once.
///
/// # Errors
/// See [`ServeError`]. Failed connections are logged and do not end it.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    traffic: Arc<Traffic>,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let graceful = GracefulShutdown::new();
    let (places, shares) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), Places::default());
    tokio::pin!(shutdown);
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            place = place => {
                let place = place.map_err(|_| ServeError::Counting)?;
                tokio::select! {
                    () = &mut shutdown => break,
                    accepted = listener.accept() => (accepted, place),
                }
            }
        };
        let (stream, peer, place) = match accepted {
            (Ok((stream, peer)), place) => (stream, peer, place),
            (Err(error), _) => {
                tracing::warn!(%error, "a connection could not be taken");
                pause().await;
                continue;
            }
        };
        let Some(share) = shares.take(peer.ip()) else {
            tracing::debug!(peer = %peer.ip(), "a connection was closed: there are too many from there");
            continue;
        };
        let (watcher, traffic) = (graceful.watcher(), Arc::clone(&traffic));
        let service = Known { router: TowerToHyperService::new(router.clone()), peer: Peer(peer.ip()) };
        let acceptor = tls.as_ref().map(Tls::acceptor);
        tokio::spawn(async move {
            let open = Open::new(Arc::clone(&traffic));
            if let Err(error) = attend(stream, acceptor, service, traffic, watcher).await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop((open, place, share));
        });
    }
    drop(listener);
    if timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
    Ok(())
}

/// One connection from its first byte to its last.
async fn attend(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    service: Known,
    traffic: Arc<Traffic>,
    watcher: Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small answers may wait");
    }
    let stream = Patient::new(stream, STALL_TIME, traffic);
    match acceptor {
        None => watcher.watch(connection(stream, service)).await?,
        Some(acceptor) => {
            let stream = timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await??;
            watcher.watch(connection(stream, service)).await?;
        }
    }
    Ok(())
}

fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    service: Known,
) -> http1::Connection<TokioIo<S>, Known> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
}

/// The router, told where its requests come from.
#[derive(Clone)]
struct Known {
    router: TowerToHyperService<Router>,
    peer: Peer,
}

impl Service<Request<Incoming>> for Known {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.router.call(request)
    }
}

async fn pause() {
    let mut interval = tokio::time::interval(ACCEPT_PAUSE);
    interval.tick().await;
    interval.tick().await;
}

/// Counts a connection while it lives, however it ends.
struct Open(Arc<Traffic>);

impl Open {
    fn new(traffic: Arc<Traffic>) -> Self {
        traffic.connected();
        Self(traffic)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.disconnected();
    }
}
