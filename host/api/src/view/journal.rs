//! The journal: what happened, as written down.

use geminus_core::Severity;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Time, words};

/// `GET /api/v1/journal`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct JournalView {
    /// Newest first.
    pub entries: Vec<EntryView>,
    /// Pass it as `before` to get older entries; null when there are none.
    #[schema(required)]
    pub next: Option<u64>,
}

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EntryView {
    /// Number in the journal: strictly increasing, also across restarts.
    pub seq: u64,
    /// When it was written.
    pub time: Time,
    /// Kebab-case name of what happened.
    pub kind: String,
    /// How much to care.
    #[schema(schema_with = words::severity)]
    pub severity: Severity,
    /// Twin it is about, if one.
    #[schema(required)]
    pub twin: Option<String>,
    /// Plugin it is about (`name@version`), if one.
    #[schema(required)]
    pub plugin: Option<String>,
    /// One sentence in an operator's words.
    pub message: String,
    /// Facts for programs; an object, or null.
    #[schema(value_type = Option<Object>, required)]
    pub facts: serde_json::Value,
}

impl EntryView {
    /// The entry that an event became.
    #[must_use]
    pub fn new(seq: u64, time: impl Into<Time>, event: geminus_core::Event) -> Self {
        let geminus_core::Event { kind, severity, twin, plugin, message, facts } = event;
        Self { seq, time: time.into(), kind, severity, twin, plugin, message, facts }
    }
}
