//! Takes connections and serves the router on them, until told to stop.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::stall::Patient;
use crate::traffic::Traffic;

/// Most connections at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 256;
/// Longest time for the head of a request, and longest silence between two.
const HEAD_TIME: Duration = Duration::from_secs(60);
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

/// Serves `router` until `shutdown` is done, then lets requests end for at most five seconds. Close the event bus
/// before, so that streams end at once.
///
/// # Errors
/// See [`ServeError`]. Failed connections are logged and do not end it.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    traffic: Arc<Traffic>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
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
        let (stream, place) = match accepted {
            (Ok((stream, _)), place) => (stream, place),
            (Err(error), _) => {
                tracing::warn!(%error, "a connection could not be taken");
                pause().await;
                continue;
            }
        };
        let connection = connection(stream, router.clone(), Arc::clone(&traffic));
        let connection = graceful.watch(connection);
        let traffic = Arc::clone(&traffic);
        tokio::spawn(async move {
            let open = Open::new(traffic);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop((open, place));
        });
    }
    drop(listener);
    if timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
    Ok(())
}

fn connection(
    stream: TcpStream,
    router: Router,
    traffic: Arc<Traffic>,
) -> http1::Connection<TokioIo<Patient>, TowerToHyperService<Router>> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small answers may wait");
    }
    let io = TokioIo::new(Patient::new(stream, STALL_TIME, traffic));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(io, TowerToHyperService::new(router))
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
