//! What the evidence says: one check for each limit of the acceptance, and what they say together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the checks say together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// `fail` when one check fails, else `open` when one is open, else `pass`.
    pub state: VerdictState,
    /// Each check, in the order of the acceptance.
    pub checks: Vec<Check>,
}

/// What a check, or all of them, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerdictState {
    /// Inside its limit, over enough rows.
    Pass,
    /// Too few rows to say.
    Open,
    /// Beyond its limit.
    Fail,
}

/// One limit held against what was counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What is checked, with the output it is about: `difference winding_temperature`.
    pub name: String,
    /// What it says.
    pub state: VerdictState,
    /// The limit, in words with its unit.
    pub limit: String,
    /// The number that is held against the limit; null when there is none yet.
    pub value: Option<f64>,
    /// What was seen, in an operator's words with numbers.
    pub detail: String,
}

impl Verdict {
    /// Of these checks.
    #[must_use]
    pub fn of(checks: Vec<Check>) -> Self {
        let state = checks.iter().map(|check| check.state).max().unwrap_or(VerdictState::Open);
        Self { state, checks }
    }

    /// The details of the checks in this state, as one sentence; empty when there is none.
    #[must_use]
    pub fn words(&self, state: VerdictState) -> String {
        let all = self.checks.iter().filter(|check| check.state == state);
        all.map(|check| format!("{}: {}", check.name, check.detail)).collect::<Vec<_>>().join("; ")
    }
}
