//! The cohort runtime against guests that behave, and guests that do not.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod admission;
mod containment;
mod ladder;
mod limits;
mod probe;
mod stepping;
mod swapping;
mod wasi;
