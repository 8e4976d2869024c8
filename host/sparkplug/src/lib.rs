//! Sparkplug B 3.0 as a host application speaks it: payloads, topics, and what is known of every edge node.
//!
//! No IO, no clock, no threads: `ingest` owns the connection, hands in what arrived and when, and does what an
//! [`Ear`] is told. Whatever cannot be taken has a [`Refusal`]; nothing panics on any input. This is the layer
//! `spBv1.0`; a later one with other topics would stand beside it.

mod held;
pub mod host;
mod node;
pub mod payload;
mod refusal;
mod session;
pub mod state;
mod table;
pub mod topic;
pub mod value;
mod wire;

pub use host::{Ear, Host, Moment, Transition, Update, Wanted};
pub use payload::{Metric, Payload, Value};
pub use refusal::Refusal;
pub use state::State;
pub use topic::{NodeName, Topic};
pub use value::Reading;

#[cfg(test)]
mod tests;
