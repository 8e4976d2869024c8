//! Publishes results to a broker: estimated points, health and states of alarms, on change, in versioned layers.
//!
//! Whoever runs the house builds a [`Catalogue`] of what may be published, puts what changes into the [`Outlet`], which
//! never waits, and starts a [`Publication`], which owns the connection. Only the newest of each item is kept: a broker
//! that is slow or away costs values in between, never memory, and never a birth. These are states, not commands, so
//! they may be retained; nothing that is published here makes anything move.

mod catalogue;
mod layer;
mod outgoing;
mod outlet;
mod publication;
mod session;
mod sparkplug;
mod uns;

#[cfg(test)]
mod rig;

pub use catalogue::{Catalogue, CatalogueError, Item, Kind, Twin};
pub use layer::Layer;
pub use outlet::{By, Content, Outlet, State};
pub use publication::{Options, Publication, PublishError, Publishing};

/// What a publication tells of what happened to it; must not block.
pub type EventSink = std::sync::Arc<dyn Fn(geminus_core::Event) + Send + Sync>;
