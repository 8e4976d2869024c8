//! What is published of a twin, and how it is written.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use geminus_core::{Quality, Timestamp};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::view::{AlertCount, HealthView, Time, TwinState};

/// The newest value of one point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// When the source (or the row) says it was so.
    pub time: Timestamp,
    /// In the point's unit; NaN when there is none.
    pub value: f64,
    /// How far to trust it.
    pub quality: Quality,
}

/// A publication: the twin's state and those of its points that changed since the last one.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// Id of the twin.
    pub twin: &'a Arc<str>,
    /// Whether samples arrive.
    pub state: TwinState,
    /// Milliseconds since its newest sample was received; `None` when there never was one.
    pub age_ms: Option<u64>,
    /// How it is.
    pub health: HealthView,
    /// Full names and readings. Keep the order from call to call: finding a point is then free.
    pub points: &'a [(Arc<str>, Reading)],
}

/// `event: twin`: something about a twin changed that its page shows; read it anew.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TwinEvent {
    /// Id of the twin.
    pub id: String,
    /// Whether samples arrive.
    pub state: TwinState,
    /// What wants attention.
    pub alerts: AlertCount,
    /// How it is.
    pub health: HealthView,
}

/// `event: hello`: the first event of every stream.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct HelloEvent {
    /// Version of the host.
    pub version: String,
    /// The host's clock.
    pub now: Time,
    /// True: everything since the client's last event follows. False: read everything anew.
    pub resumed: bool,
}

/// `event: resync`: the client missed more than the host remembers; read everything anew.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ResyncEvent {
    /// Why, in words.
    pub reason: String,
}

/// `event: values`: points of one twin that changed since its last such event, at most ten a second. A reader
/// that falls behind gets one event with the newest of each point instead of several.
#[derive(Clone, Debug, ToSchema)]
#[expect(dead_code, reason = "the shape of `Publication` for the OpenAPI document")]
pub(crate) struct ValuesEvent {
    /// Id of the twin.
    twin: String,
    /// Whether samples arrive.
    state: TwinState,
    /// Milliseconds since its newest sample was received; null when there never was one.
    #[schema(required)]
    age_ms: Option<u64>,
    /// How it is.
    health: HealthView,
    /// Full name of the point → [milliseconds since 1970, value or null, quality 0 good … 4 missing].
    #[schema(value_type = BTreeMap<String, Vec<Option<f64>>>, example = json!({"temperature": [1772366400000_u64, 41.5, 0]}))]
    points: BTreeMap<String, Vec<Option<f64>>>,
}

/// A publication as the table keeps it; its JSON is written once, by the first reader that needs it.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(super) twin: Arc<str>,
    pub(super) status: Status,
    pub(super) points: Vec<(Arc<str>, Reading)>,
    json: OnceLock<Bytes>,
}

/// The twin's part of a publication.
#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub(super) state: TwinState,
    pub(super) age_ms: Option<u64>,
    pub(super) health: HealthView,
}

impl Publication {
    pub(super) fn twin(&self) -> &str {
        &self.twin
    }

    pub(super) fn new(twin: Arc<str>, status: Status, points: Vec<(Arc<str>, Reading)>) -> Self {
        Self { twin, status, points, json: OnceLock::new() }
    }

    /// One line of JSON in the shape of `ValuesEvent`.
    pub(crate) fn json(&self) -> &Bytes {
        self.json.get_or_init(|| match serde_json::to_vec(self) {
            Ok(json) => json.into(),
            Err(error) => {
                tracing::error!(%error, twin = %self.twin, "values could not be written as JSON");
                Bytes::from_static(b"null")
            }
        })
    }
}

impl Serialize for Publication {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("twin", self.twin.as_ref())?;
        map.serialize_entry("state", &self.status.state)?;
        map.serialize_entry("age_ms", &self.status.age_ms)?;
        map.serialize_entry("health", &self.status.health)?;
        map.serialize_entry("points", &Points(&self.points))?;
        map.end()
    }
}

struct Points<'a>(&'a [(Arc<str>, Reading)]);

impl Serialize for Points<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, reading)| {
            // serde_json writes a number that is not finite as null.
            (name.as_ref(), (reading.time.millis(), reading.value, reading.quality as u8))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Verdict;

    #[test]
    fn values_are_written_as_the_shapes_say() {
        let reading = |value, quality| Reading { time: Timestamp::from_millis(5), value, quality };
        let status = Status {
            state: TwinState::Live,
            age_ms: Some(12),
            health: HealthView { index: Some(0.25), verdict: Verdict::Warning },
        };
        let points = vec![
            ("temperature".into(), reading(41.5, Quality::Good)),
            ("thermal.winding".into(), reading(f64::NAN, Quality::Missing)),
        ];
        let json = Publication::new("pump \"1\"".into(), status, points);
        let expect = r#"{"twin":"pump \"1\"","state":"live","age_ms":12,"health":{"index":0.25,"verdict":"warning"},"points":{"temperature":[5,41.5,0],"thermal.winding":[5,null,4]}}"#;
        assert_eq!(json.json().as_ref(), expect.as_bytes());
    }
}
