//! What `geminus bench` holds the house against: an OPC UA server inside the process, which shows and obeys at once, and a
//! client that does nothing with what it hears. Over loopback and without certificates; never part of a house that runs.

mod bare;
mod field;

pub use bare::{Bare, BareError};
pub use field::{Field, FieldError, Obedience};

/// Namespace of the nodes.
const NAMESPACE: &str = "urn:geminus:bench";

/// Id of a node, as it stands in a site file.
#[must_use]
pub fn node(name: &str) -> String {
    format!("nsu={NAMESPACE};s={name}")
}

#[cfg(test)]
mod tests;
