//! The house at a glance.

use serde::Serialize;
use utoipa::ToSchema;

use super::{AlertCount, Time};

/// `GET /api/v1/site`: what runs here, since when, and how it is.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SiteView {
    /// Name of the site, from its configuration.
    pub name: String,
    /// Version of the host.
    pub version: String,
    /// When this process started.
    pub started: Time,
    /// The host's clock at the time of the answer, so that a page can show ages without trusting its own clock.
    pub now: Time,
    /// How many of the twins that whoever asks may see are in which state.
    pub twins: TwinCounts,
    /// Active alerts of these twins together.
    pub alerts: AlertCount,
    /// What came in from the field since the start; null for whoever sees some twins only, because it is not counted by twin.
    #[schema(required)]
    pub inputs: Option<InputsView>,
    /// Whether history and journal can be written.
    pub store: StoreView,
}

/// Twins by state; `total` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TwinCounts {
    /// All of them.
    pub total: u64,
    /// Twins with fresh samples.
    pub live: u64,
    /// Twins without a sample for five times the expected interval.
    pub stale: u64,
    /// Twins that never had a sample.
    pub waiting: u64,
}

/// Samples since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct InputsView {
    /// Accepted.
    pub samples: u64,
    /// Refused: unreadable, of an unknown topic, or too far in the future.
    pub refused: u64,
    /// Older than the newest sample of their point: kept in history only.
    pub late: u64,
    /// As old as the newest sample of their point: dropped.
    pub duplicates: u64,
}

/// The state of durable storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StoreView {
    /// Whether what comes in is being made durable.
    pub writable: bool,
    /// Why not, in an operator's words; null when it is.
    #[schema(required)]
    pub reason: Option<String>,
}
