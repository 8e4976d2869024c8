//! Speaks OPC UA, as a client and as a server, and is the one room that names the library for it.
//!
//! [`OpcUaSource`] subscribes to nodes and gives samples to a sink of `ingest`; [`OpcUaEgress`] writes what `dispatch` was
//! permitted to send; [`Pki`] keeps our certificate and those of others; [`discover`] browses a server; [`server`] shows
//! twins to clients. The library's own recovery is not used: sessions, subscriptions and publish requests are watched here,
//! each step with a deadline.

mod address;
#[cfg(any(test, feature = "bench"))]
pub mod bench;
pub mod discover;
mod egress;
mod intake;
mod link;
mod options;
mod order;
mod pki;
mod reader;
mod sequence;
pub mod server;
mod source;
mod status;
mod subscription;
mod time;
mod value;

pub use address::{AddressError, NodeAddress};
pub use egress::OpcUaEgress;
pub use options::{Mode, OpcUaError, OpcUaOptions, Policy, Security, Subscribe, User, check_endpoint};
pub use pki::{Certificate, Own, Pki, PkiError, Rejection, Seen, Side, Standing, host_name};
pub use source::{NodePoint, OpcUaHandle, OpcUaSource, OpcUaStats};
pub use status::quality;
