//! What is kept of an alarm over a restart, as JSON: an alarm that is normal and in service leaves no record.

use geminus_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{State, Words};

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why, in their words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Who shelved it, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    /// Who, when and why.
    #[serde(flatten)]
    pub mark: Mark,
    /// When it comes back by itself.
    pub until: Timestamp,
}

/// An alarm as it is written down. Members may be added, never renamed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// State without suppression.
    pub state: State,
    /// Since when it is in it.
    pub since: Timestamp,
    /// When it was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<Timestamp>,
    /// Who acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Mark>,
    /// Who shelved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shelved: Option<Shelf>,
    /// Who took it out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_service: Option<Mark>,
    /// First of its group.
    #[serde(default)]
    pub first_out: bool,
    /// What raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What the behavior added.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Words of the version that raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Words>,
}
