//! Against servers of two libraries that are not ours: values bit for bit, status codes, lost lines, certificates, lies,
//! floods, writes, methods and signs of life. `tests/run` installs the peers.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expected"
)]

mod discovery;
mod hostile;
mod lines;
mod orders;
mod rig;
mod security;
mod values;
