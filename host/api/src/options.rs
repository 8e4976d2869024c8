//! What the binary decides about the api.

use std::sync::Arc;
use std::time::Duration;

use geminus_access::Gate;
use geminus_core::Clock;

use crate::bus::{EventBus, VALUES_INTERVAL};
use crate::dashboard::Assets;
use crate::guard::pace::PaceLimits;
use crate::traffic::Traffic;

/// How the api is set up; one for the process.
#[derive(Clone, Debug)]
pub struct Options {
    /// Version of the host, as clients see it.
    pub version: String,
    /// Who may do what.
    pub access: Arc<Gate>,
    /// Whether clients come over TLS: then cookies never travel without it.
    pub secure: bool,
    /// Names under which clients may reach this host, without port, beside `localhost` and plain addresses. Other
    /// names are refused, so that a foreign web page cannot rebind its own name to this host.
    pub hosts: Vec<String>,
    /// The dashboard's files; `None` in a build without them.
    pub dashboard: Option<Assets>,
    /// The bus that event streams read.
    pub bus: Arc<EventBus>,
    /// The process's clock.
    pub clock: Arc<dyn Clock>,
    /// The counters that `/metrics` shows; give the same to [`serve`](crate::serve).
    pub traffic: Arc<Traffic>,
    /// Bounds.
    pub limits: Limits,
}

impl Options {
    /// With the usual bounds, without a dashboard, and without names beside `localhost` and plain addresses.
    pub fn new(
        version: impl Into<String>,
        access: Arc<Gate>,
        bus: Arc<EventBus>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            version: version.into(),
            access,
            secure: false,
            hosts: Vec::new(),
            dashboard: None,
            bus,
            clock,
            traffic: Arc::default(),
            limits: Limits::default(),
        }
    }
}

/// Bounds of the api.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest time for an answer; then 503.
    pub answer: Duration,
    /// Longest time for an upload, body included; then 503.
    pub upload: Duration,
    /// Largest upload in bytes; beyond 413.
    pub upload_bytes_max: usize,
    /// Most passwords hashed at once, each with 19 MiB and a core; others wait.
    pub hashes_max: usize,
    /// Most logins over the issuer that wait for it at once; others wait.
    pub issuer_max: usize,
    /// Most uploads at once, each held in memory whole; beyond 503.
    pub uploads_max: usize,
    /// Largest body of a login, and of what is ordered of rollouts, alarms, users and tokens, in bytes; beyond 413.
    pub order_bytes_max: usize,
    /// How often somebody who is known may ask; beyond 429.
    pub pace: PaceLimits,
    /// Time between two signs of life on a silent event stream.
    pub heartbeat: Duration,
    /// Shortest time between two rounds of events on one stream.
    pub values_interval: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(30),
            upload: Duration::from_secs(300),
            upload_bytes_max: 64 << 20,
            hashes_max: 2,
            issuer_max: 4,
            uploads_max: 2,
            order_bytes_max: 64 << 10,
            pace: PaceLimits::default(),
            heartbeat: Duration::from_secs(15),
            values_interval: VALUES_INTERVAL,
        }
    }
}
