//! Twin types: DTDL v3 interfaces (github.com/Azure/opendigitaltwins-dtdl), read from JSON.
//!
//! Everything of an interface that this version knows is read and kept; what is wrong is refused with a JSON
//! pointer. What the rooms use is the flat list of points of [`TwinType`]: Telemetry and Property with a numeric,
//! boolean or numeric-enum schema, those of components under `<component>.<name>`. Other telemetry is kept in the
//! type and named as not bindable. Conformance beyond that (limits on depth, geospatial schemas in maps) comes later.

use std::collections::BTreeMap;

mod interface;
mod library;
mod quantity;
mod schema;

pub use interface::{Command, Component, Content, Interface, Measure, Relationship};
pub use library::Library;
pub use schema::{EnumValue, Schema};

/// An interface with everything it extends and its components worked in.
#[derive(Clone, Debug, PartialEq)]
pub struct TwinType {
    /// DTMI.
    pub id: String,
    /// Name for people; the DTMI's last part when the interface has none.
    pub display_name: String,
    /// What it is.
    pub description: String,
    /// What can be bound, by name.
    pub points: Vec<TypePoint>,
    /// What cannot be bound in this version, and why.
    pub unbindable: BTreeMap<String, String>,
}

/// One point of a type.
#[derive(Clone, Debug, PartialEq)]
pub struct TypePoint {
    /// `temperature`, or `motor.temperature` for the one of a component.
    pub name: String,
    /// What it means: display name or description.
    pub description: String,
    /// UCUM code; "1" when the type gives none.
    pub unit: String,
    /// Words that stand for values: `true` and `false`, or the names of an enumeration.
    pub labels: Vec<(String, f64)>,
}

/// What is wrong with an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {reason}")]
pub struct DtdlError {
    /// JSON pointer into the file.
    pub pointer: String,
    /// What to change.
    pub reason: String,
}

impl DtdlError {
    pub(crate) fn new(pointer: &str, reason: impl Into<String>) -> Self {
        let pointer = if pointer.is_empty() { "/" } else { pointer };
        Self { pointer: pointer.to_owned(), reason: reason.into() }
    }
}
