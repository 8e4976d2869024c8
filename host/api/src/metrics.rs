//! `/metrics` in Prometheus' text format: what the house counts, what the api counts, what the process uses.
//!
//! Every metric stands in the catalogue, which the list in `docs/generated/metrics.md` is made from. Values are
//! read when somebody asks; nothing is kept here.

pub mod catalogue;
mod exposition;
pub(crate) mod process;
pub(crate) mod streams;

pub use catalogue::{Kind, Metric};
pub use exposition::{Exposition, Histogram};

/// Content type of Prometheus' text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
