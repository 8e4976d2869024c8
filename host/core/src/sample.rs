//! What the field says: one value of one point at one time.

use crate::{Quality, SeriesId, Ticket, Timestamp};

/// One measured (or computed) value. `Copy` and 32 bytes, because millions pass through a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Whose value.
    pub series: SeriesId,
    /// How far to trust it. `Missing` never occurs here: a sample that is missing is not sent.
    pub quality: Quality,
    /// The number: booleans 0 and 1, enumerations their value; NaN only with `Bad`. In the point's unit.
    pub value: f64,
    /// When the source says it was so.
    pub time: Timestamp,
    /// When this host received it; ages and staleness are judged by this, never by `time`.
    pub received: Timestamp,
}

/// Samples that travel together from one read of a source, and the claim to acknowledge them.
#[derive(Debug, Default)]
pub struct Batch {
    /// In order of arrival.
    pub samples: Vec<Sample>,
    /// Present when the source waits for an acknowledgement: complete it only after a durable commit.
    pub ticket: Option<Ticket>,
}
