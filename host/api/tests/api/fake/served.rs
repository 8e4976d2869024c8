//! The api over the house of plain values, on a free port.

use std::net::SocketAddr;
use std::sync::Arc;

use geminus_access::Gate;
use geminus_api::{Asset, BusLimits, EventBus, Options, router, serve};
use geminus_core::{Digest, ManualClock};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{FakeHouse, NOON, TOKEN};

fn asset(path: &str) -> Option<Asset> {
    let (bytes, content_type): (&'static [u8], _) = match path {
        "index.html" => (b"<!doctype html><title>Geminus</title>", "text/html; charset=utf-8"),
        "assets/index-1a2b.js" => (b"void 0", "text/javascript"),
        _ => return None,
    };
    Some(Asset { bytes: bytes.into(), content_type: content_type.into(), etag: "\"e1\"".to_owned() })
}

/// The api, served.
pub(crate) struct Served {
    pub(crate) at: SocketAddr,
    pub(crate) house: Arc<FakeHouse>,
    pub(crate) bus: Arc<EventBus>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) done: tokio::task::JoinHandle<Result<(), geminus_api::ServeError>>,
}

pub(crate) async fn served() -> Served {
    served_with(|_| {}, |_| {}).await
}

pub(crate) async fn served_with(bus: impl FnOnce(&mut BusLimits), with: impl FnOnce(&mut Options)) -> Served {
    let clock = Arc::new(ManualClock::new(NOON));
    let mut bus_limits = BusLimits::default();
    bus(&mut bus_limits);
    let bus = EventBus::new(clock.clone(), bus_limits);
    let gate = Arc::new(Gate::local(Digest::of(TOKEN.as_bytes())));
    let mut options = Options::new("0.1.0", gate, Arc::clone(&bus), clock.clone());
    options.dashboard = Some(asset);
    options.limits.values_interval = std::time::Duration::from_millis(1);
    with(&mut options);
    let traffic = Arc::clone(&options.traffic);
    let house = Arc::new(FakeHouse::default());
    let router = router(Arc::clone(&house), options);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("address");
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move { stopped.await.unwrap_or_default() };
    let done = tokio::spawn(serve(listener, router, traffic, None, stopped));
    Served { at, house, bus, clock, stop: Some(stop), done }
}
