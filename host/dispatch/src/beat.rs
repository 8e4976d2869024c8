//! A sign of life: it says that the host lives and has the twin armed, and carries no value. The field takes its own fail
//! action when it stays away.

use std::time::Duration;

use geminus_core::Timestamp;
use serde::Serialize;

/// Periods after which a beat that did not arrive is worth nothing.
const PERIODS: u32 = 3;

/// How long the other side may take to answer a sign of life: then the field has taken its fail action, and the next one is tried.
pub const BEAT_MAX: Duration = Duration::from_secs(5);

/// One sign of life of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat<'a> {
    /// Id of the twin.
    pub twin: &'a str,
    /// Name of the target.
    pub target: &'a str,
    /// Where it goes, in the words of the protocol: a topic, or the id of a node.
    pub address: &'a str,
    /// Counts the beats of the target since the host started, from 1.
    pub sequence: u64,
    /// When it was made.
    pub time: Timestamp,
    /// Between two of them.
    pub every: Duration,
}

/// The payload of a beat over MQTT.
#[derive(Serialize)]
struct Payload<'a> {
    twin: &'a str,
    target: &'a str,
    sequence: u64,
    /// Milliseconds since 1970 UTC.
    time: u64,
    every_ms: u64,
}

impl Beat<'_> {
    /// The beat as JSON: `twin`, `target`, `sequence`, `time` in milliseconds since 1970 UTC, `every_ms`.
    ///
    /// # Errors
    /// When it has no JSON.
    pub fn payload(&self) -> Result<Vec<u8>, String> {
        let Self { twin, target, sequence, time, every, .. } = *self;
        let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        let payload = Payload { twin, target, sequence, time: time.millis(), every_ms };
        serde_json::to_vec(&payload).map_err(|error| error.to_string())
    }

    /// For how many whole seconds a broker may keep it: three periods, and one second at least.
    #[must_use]
    pub fn expiry_s(&self) -> u32 {
        let span = self.every.saturating_mul(PERIODS);
        u32::try_from(span.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1)
    }
}
