//! The api over real connections, with a house of plain values behind it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that finds something else than it expects has failed"
)]

mod access;
mod ahead;
mod alarms;
mod certificates;
mod client;
mod commands;
mod document;
mod elsewhere;
mod fake;
mod generated;
mod guard;
mod limits;
mod metrics;
mod own_password;
mod pages;
mod rollouts;
mod schema;
mod shapes;
mod streams;
mod thread;
mod tls;
mod trial;
