//! What is sent, and how it is written on the wire.

use std::time::Duration;

use geminus_core::{Timestamp, TwinIndex};
use serde::Serialize;
use uuid::Uuid;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order<'a> {
    /// Id of the command, for the field to drop repetitions.
    pub id: Uuid,
    /// Whose command.
    pub twin: TwinIndex,
    /// Where it goes, in the words of the protocol: a topic.
    pub address: &'a str,
    /// Value in `unit`.
    pub value: f64,
    /// UCUM unit of the value.
    pub unit: &'a str,
    /// Who proposed it, in words for people.
    pub by: &'a str,
    /// The field must not act on it from this time on.
    pub expires: Timestamp,
}

/// The payload of an order over MQTT.
#[derive(Serialize)]
struct Payload<'a> {
    id: Uuid,
    value: f64,
    unit: &'a str,
    /// Milliseconds since 1970 UTC.
    not_after: u64,
    by: &'a str,
}

impl Order<'_> {
    /// The order as JSON: `id`, `value`, `unit`, `not_after` in milliseconds since 1970 UTC, `by`.
    ///
    /// # Errors
    /// A value that is no finite number has no JSON.
    pub fn payload(&self) -> Result<Vec<u8>, String> {
        if !self.value.is_finite() {
            return Err(format!("{} cannot be written as JSON", self.value));
        }
        let Self { id, value, unit, by, expires, .. } = *self;
        let payload = Payload { id, value, unit, not_after: expires.millis(), by };
        serde_json::to_vec(&payload).map_err(|error| error.to_string())
    }

    /// For how many whole seconds a broker may keep it. One second at least, because 0 is no time to deliver anything; the field
    /// looks at `not_after` besides.
    #[must_use]
    pub fn expiry_s(&self, now: Timestamp) -> u32 {
        let left: Duration = self.expires.since(now);
        u32::try_from(left.as_secs()).unwrap_or(u32::MAX).max(1)
    }
}
