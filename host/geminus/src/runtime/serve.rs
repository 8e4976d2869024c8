//! The page and the API on their socket, until the house stops.

use std::net::SocketAddr;
use std::sync::Arc;

use geminus_access::Gate;
use geminus_api::{EventBus, Tls};
use geminus_core::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle as Task;

use super::house::Rooms;

/// Serves on a task of its own; gives the address. It ends when `stopped` says so.
pub(super) fn serve(
    listener: tokio::net::TcpListener,
    hosts: Vec<String>,
    rooms: Arc<Rooms>,
    bus: &Arc<EventBus>,
    clock: &Arc<dyn Clock>,
    (access, tls): (Arc<Gate>, Option<Tls>),
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<(SocketAddr, Task<()>)> {
    let address = listener.local_addr()?;
    let mut options =
        geminus_api::Options::new(env!("CARGO_PKG_VERSION"), access, Arc::clone(bus), Arc::clone(clock));
    options.secure = tls.is_some();
    options.hosts = hosts;
    options.dashboard = Some(asset);
    let traffic = Arc::clone(&options.traffic);
    let router = geminus_api::router(rooms, options);
    let stop = async move {
        // A sender that is gone stops the server too.
        drop(stopped.wait_for(|stopped| *stopped).await);
    };
    let task = tokio::spawn(async move {
        if let Err(error) = geminus_api::serve(listener, router, traffic, tls, stop).await {
            tracing::error!(%error, "the page is not served any more");
        }
    });
    Ok((address, task))
}

/// A file of the dashboard.
fn asset(path: &str) -> Option<geminus_api::Asset> {
    let file = geminus_ui::asset(path)?;
    Some(geminus_api::Asset { bytes: file.bytes, content_type: file.content_type.into(), etag: file.etag })
}
