//! Which topic means which points, and how a payload becomes their values.
//!
//! The table is built once when a site is loaded and never changes. A look-up hashes the topic's bytes and
//! allocates nothing. One topic may feed several points (an ambient sensor shared by a hall, say).

use std::hash::BuildHasherDefault;
use std::sync::Arc;

use geminus_core::{Quality, SeriesId};
use rustc_hash::FxHasher;

mod table;

pub use table::Routes;

/// Fast and not hardened: the table's keys come from the site file, the field only asks.
type FxBuild = BuildHasherDefault<FxHasher>;

/// value × scale + offset, from the source's unit to the point's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    /// Factor.
    pub scale: f64,
    /// Added after scaling, in the point's unit.
    pub offset: f64,
}

/// What a source's number or word becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Whose value.
    pub series: SeriesId,
    /// Unit conversion; `None` leaves the number alone. Not applied to booleans and labels.
    pub conversion: Option<Conversion>,
    /// Words and their values, for enumerations and for sources that write `ON` and `OFF`.
    pub labels: Vec<(String, f64)>,
}

impl Point {
    /// A plain number in the point's own unit.
    #[must_use]
    pub fn plain(series: SeriesId) -> Self {
        Self { series, conversion: None, labels: Vec::new() }
    }
}

/// One member of an object payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name of the JSON member.
    pub name: String,
    /// What it feeds.
    pub point: Point,
}

/// What a number for a time means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeUnit {
    /// Told by size: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else
    /// nanoseconds. Right for every time after March 1973.
    #[default]
    Auto,
    /// Seconds since the epoch; a fraction is kept to the nanosecond.
    Seconds,
    /// Milliseconds since the epoch.
    Millis,
    /// Microseconds since the epoch.
    Micros,
    /// Nanoseconds since the epoch.
    Nanos,
}

/// What a number for a quality means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QualityCode {
    /// 0 good, 1 uncertain, 2 to 4 bad; other numbers cannot be read.
    #[default]
    Geminus,
    /// OPC classic: 192 to 255 good, 64 to 127 uncertain, 0 to 63 bad; other numbers cannot be read.
    OpcDa,
    /// OPC UA status code: the two highest of 32 bits, 00 good, 01 uncertain, else bad.
    OpcUa,
}

/// How the members beside the values are called and read.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Member with the time; a payload without it gets the time of receipt.
    pub time: String,
    /// Member with the quality.
    pub quality: String,
    /// What a number for a time means.
    pub time_unit: TimeUnit,
    /// What a number for a quality means.
    pub quality_code: QualityCode,
    /// Quality of a payload that has no quality member. Missing quality is never silently good: `Good`
    /// here is somebody's explicit word for this source.
    pub quality_absent: Quality,
}

impl Default for Envelope {
    fn default() -> Self {
        Self {
            time: "time".to_owned(),
            quality: "quality".to_owned(),
            time_unit: TimeUnit::Auto,
            quality_code: QualityCode::Geminus,
            quality_absent: Quality::Uncertain,
        }
    }
}

/// How the payload of one topic is read.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// One value: plain text (`23.5`, `true`, a label), a JSON scalar, or an object that holds it.
    Value {
        /// What it feeds.
        point: Point,
        /// Member with the value, if the payload is an object; by custom `value`.
        member: String,
    },
    /// One JSON object with many values of one time.
    Object {
        /// Its members. A member that a payload lacks is not sent; a payload with none of them is refused.
        fields: Vec<Field>,
    },
}

/// One topic and how to read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Exact topic, without wildcards.
    pub topic: String,
    /// What it carries.
    pub payload: Payload,
    /// Time and quality; shared, because the topics of a fleet have one.
    pub envelope: Arc<Envelope>,
}

impl Route {
    /// A topic that carries one value of `series` under the customary names.
    #[must_use]
    pub fn value(topic: impl Into<String>, series: SeriesId) -> Self {
        let payload = Payload::Value { point: Point::plain(series), member: "value".to_owned() };
        Self { topic: topic.into(), payload, envelope: Arc::default() }
    }
}

/// Why a table of routes cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// A topic is empty or longer than MQTT allows.
    #[error("topic `{0}` must have 1 to 65,535 bytes")]
    Length(String),
    /// A topic has wildcards or a NUL.
    #[error("topic `{0}` must be exact: `+`, `#` and NUL are not allowed in the topic of a point")]
    Wildcard(String),
    /// An object route without fields.
    #[error("topic `{0}`: an object payload needs at least one field")]
    NoFields(String),
    /// A member named twice, or named like the time or quality member.
    #[error("topic `{topic}`: member `{member}` is named twice")]
    DuplicateMember {
        /// Of this topic.
        topic: String,
        /// This member.
        member: String,
    },
    /// A conversion that is not a finite number or loses the value.
    #[error("topic `{topic}`: conversion {scale} · x + {offset} must be finite and its scale not zero")]
    Conversion {
        /// Of this topic.
        topic: String,
        /// As given.
        scale: String,
        /// As given.
        offset: String,
    },
    /// Two routes from one topic to one series.
    #[error("topic `{topic}` feeds series {series} twice")]
    DuplicateSeries {
        /// Of this topic.
        topic: String,
        /// This series.
        series: u32,
    },
}
