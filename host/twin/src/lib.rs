//! Twins: what a site says they are, what they look like now, and the rows that their behaviors are fed with.
//!
//! [`Site`] and [`dtdl`] read the files, [`Plant`] works out what they mean together, once, at load. A [`Shard`]
//! then owns the state of some twins: it is their one writer, takes samples, gives frames, applies outcomes. Nothing
//! in this room waits, spawns, reads a clock or does IO, except reading the site's own files at load.

pub mod dtdl;
pub mod pattern;
pub mod plant;
pub mod problem;
pub mod shard;
pub mod site;

#[cfg(test)]
mod rig;

pub use plant::{BindingIndex, Plant};
pub use problem::{Problem, Problems};
pub use shard::{Moment, Shard};
pub use site::Site;
