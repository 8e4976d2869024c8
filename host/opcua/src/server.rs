//! Shows twins to OPC UA clients: one object for each, with what is measured, what is estimated and how healthy it is.
//!
//! Read only: nothing that a client does reaches the field or a behavior. Values come from a [`Board`] that shards write and
//! that never makes them wait; they are pushed to subscriptions when they change. The library's server runs on a thread of
//! its own, and what of it is not to be trusted with values is worked around in `push` and `nodes`.

mod board;
mod catalogue;
mod certificates;
mod login;
mod nodes;
mod options;
mod push;
mod reading;
mod relay;
mod run;
mod space;
mod stats;
mod units;

#[cfg(test)]
mod tests;

pub use board::Board;
pub use catalogue::{Catalogue, Folder, Layout, Part, ShownPoint, VARIABLES_MAX};
pub use login::{Doorkeeper, Rights, Visitor};
pub use options::{ServerError, ServerLimits, ServerOptions};
pub use reading::{Content, Reading};
pub use run::OpcUaServer;
pub use stats::ServerStats;

/// Namespace of twins. The number at its end is that of the layout: another layout gets another one.
pub const NAMESPACE: &str = "urn:geminus:twins:1";
