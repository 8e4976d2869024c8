//! What an alarm of some twins is, worked out from the site and the declarations of its plugins.

use std::time::Duration;

use geminus_core::TwinIndex;
use geminus_core::declaration::Priority;
use serde::{Deserialize, Serialize};

/// An alarm of a twin: which twin, and the place of the definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Which twin.
    pub twin: TwinIndex,
    /// Place among the definitions.
    pub alarm: u32,
}

/// How an alarm is told: what its plugin's version, or the site, says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// How much it matters.
    pub priority: Priority,
    /// What an operator reads.
    pub message: String,
    /// UCUM code of its value.
    pub unit: String,
}

/// One alarm of some twins.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Unique per twin: a name of the site, or `<behavior>.<code>`.
    pub name: String,
    /// What the plugin that the plant was laid out by says, or the site.
    pub words: Words,
    /// What the site says instead, whatever the version.
    pub priority: Option<Priority>,
    /// As `priority`; empty when the site says nothing.
    pub message: String,
    /// What happens when nobody does anything.
    pub consequence: String,
    /// What to do.
    pub response: String,
    /// For how long the condition must hold.
    pub on_delay: Duration,
    /// For how long it must be over.
    pub off_delay: Duration,
    /// Whether it stays until it is reset.
    pub latch: bool,
    /// First-out group.
    pub group: Option<String>,
    /// Alarm of the same twin whose condition suppresses this one.
    pub suppressed_by: Option<String>,
    /// Whether it is told of a twin that does not send: it is about just that.
    pub tells_staleness: bool,
    /// Its twins, in order.
    pub twins: Vec<TwinIndex>,
}

impl Definition {
    /// Whether `twin` has it.
    #[must_use]
    pub fn has(&self, twin: TwinIndex) -> bool {
        self.twins.binary_search(&twin).is_ok()
    }

    /// How much it matters when a version has said `words`.
    #[must_use]
    pub fn priority(&self, words: Option<&Words>) -> Priority {
        self.priority.unwrap_or_else(|| words.unwrap_or(&self.words).priority)
    }

    /// What an operator reads when a version has said `words`.
    #[must_use]
    pub fn message<'a>(&'a self, words: Option<&'a Words>) -> &'a str {
        if self.message.is_empty() { &words.unwrap_or(&self.words).message } else { &self.message }
    }
}
