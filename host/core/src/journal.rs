//! What is worth remembering: one event, one struct, from which the log line, the metric and the journal
//! entry are made.

use serde::{Deserialize, Serialize};

/// How much an operator should care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It happened as it should.
    Info,
    /// Somebody should look, nothing is lost.
    Warning,
    /// Something does not work as configured.
    Error,
}

/// An entry of the journal, before it has a number and a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Kebab-case name of what happened, from the closed list in docs/generated: `swap-done`, `sample-refused`, …
    pub kind: String,
    /// How much to care.
    pub severity: Severity,
    /// Twin it is about, if one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub twin: Option<String>,
    /// Plugin it is about (`name@version`), if one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plugin: Option<String>,
    /// One sentence in an operator's words.
    pub message: String,
    /// Facts for programs; an object or null.
    #[serde(skip_serializing_if = "serde_json::Value::is_null", default)]
    pub facts: serde_json::Value,
}

impl Event {
    /// An event about the house as a whole.
    pub fn new(kind: &str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            severity,
            twin: None,
            plugin: None,
            message: message.into(),
            facts: serde_json::Value::Null,
        }
    }

    /// About this twin.
    #[must_use]
    pub fn twin(mut self, twin: impl Into<String>) -> Self {
        self.twin = Some(twin.into());
        self
    }

    /// About this plugin (`name@version`).
    #[must_use]
    pub fn plugin(mut self, plugin: impl Into<String>) -> Self {
        self.plugin = Some(plugin.into());
        self
    }

    /// With these facts.
    #[must_use]
    pub fn facts(mut self, facts: serde_json::Value) -> Self {
        self.facts = facts;
        self
    }
}
