//! Forks: scratch copies of live twins, stepped ahead of time to see what would be.
//!
//! A fork is an instance of its own with the state that a twin had between two rows; what it does changes nothing of the
//! twin, and its proposals end in figures. This room depends on `behavior`, which runs it, and on `scenario`, which says
//! what is asked and counts what comes out; on nothing that dispatches, commands, publishes or stores, neither itself nor
//! through them. That is held by a house rule. Called by the host with a copy made by a shard, and by the command line with
//! one from the record; blocks for as long as it computes, on threads of its own.

mod error;
mod fork;
mod origin;
mod study;

pub use error::ForkError;
pub use fork::Fork;
pub use origin::Origin;
pub use study::{Findings, Run, Work};
