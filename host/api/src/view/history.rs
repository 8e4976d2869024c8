//! The past of a twin's points, as columns that a plot takes as they are.

use serde::Serialize;
use utoipa::ToSchema;

use super::Time;

/// `GET /api/v1/twins/{id}/history`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct HistoryView {
    /// Id of the twin.
    pub twin: String,
    /// First instant of the range, inclusive.
    pub from: Time,
    /// End of the range, exclusive.
    pub to: Time,
    /// One for each requested point, in the order of the request.
    pub series: Vec<SeriesView>,
    /// What happened in the range that a plot should mark.
    pub marks: Vec<MarkView>,
}

/// N samples (or buckets) of one point in strictly increasing time. Non-finite numbers become null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct SeriesView {
    /// Full name of the point.
    pub point: String,
    /// UCUM code of `values`, `min` and `max`.
    pub unit: String,
    /// False: every sample is here. True: each entry stands for a bucket of time that had at least one sample.
    pub decimated: bool,
    /// N: milliseconds since 1970-01-01T00:00:00Z of the sample, or of the start of the bucket.
    pub times_ms: Vec<u64>,
    /// N: the sample, or the mean of the usable values of the bucket.
    #[schema(value_type = Vec<Option<f64>>)]
    pub values: Vec<f64>,
    /// N: the lowest usable value of the bucket; empty when not decimated.
    #[schema(value_type = Vec<Option<f64>>)]
    pub min: Vec<f64>,
    /// N: the highest usable value of the bucket; empty when not decimated.
    #[schema(value_type = Vec<Option<f64>>)]
    pub max: Vec<f64>,
    /// N: 0 good, 1 uncertain, 2 bad, 3 stale, 4 missing; of a bucket, the worst in it.
    #[schema(value_type = Vec<u32>, example = json!([0, 0, 1]))]
    pub quality: Vec<u8>,
}

/// Something that happened at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MarkView {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: u64,
    /// What.
    pub kind: MarkKind,
    /// In words, for a label.
    pub text: String,
}

/// What a mark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// A behavior of the twin went to another version.
    Swap,
}
