//! The rules of a target as they stand in `site.toml` under `[target.interlock]`. The text above a field is what
//! users read. [`crate::Book`] checks and compiles them once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The rules of one target. Every rule that is given has to let a command through.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Lowest and highest value that may be written, in the target's unit.
    pub range: Span,
    /// Largest difference to the present value (the read-back where the target has a feedback point, otherwise the
    /// last permitted value), in the target's unit; more than 0. Absent: any.
    #[serde(default)]
    pub step_max: Option<f64>,
    /// Largest change a second since the last command, from its value and from what the feedback point shows, in the target's
    /// unit; more than 0. Absent: any.
    #[serde(default)]
    pub slope_max_per_s: Option<f64>,
    /// Least seconds between two permitted commands; 0 … 86400.
    #[serde(default)]
    pub dwell_s: f64,
    /// Most permitted commands in any 60 seconds; 1 … 600. Absent: any number.
    #[serde(default)]
    pub rate_per_min: Option<u32>,
    /// Points that must be known well enough before anything is written.
    #[serde(default)]
    pub inputs: Option<Inputs>,
    /// Least confidence of a behavior's proposal; 0 … 1. People's commands have none and are not held to it.
    #[serde(default)]
    pub confidence_min: Option<f64>,
    /// Conditions that must hold at the moment of a command; at most 64.
    #[serde(default)]
    pub permissive: Vec<Permissive>,
    /// Conditions under which nothing is written and the fail action is due; at most 64.
    #[serde(default)]
    pub trip: Vec<Trip>,
    /// Names of groups of targets of which at most one may be active at a time; at most 16.
    #[serde(default)]
    pub excludes: Vec<String>,
    /// Nothing is written while an alarm of one of these priorities of the twin is active, also when it is shelved or out of service;
    /// only one that the site suppresses by design does not count.
    #[serde(default)]
    pub alarms_block: Vec<Priority>,
}

/// A closed range.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Lowest value, in the target's unit; less than `max`.
    pub min: f64,
    /// Highest value, in the target's unit.
    pub max: f64,
}

/// How well points must be known.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Names of points of the twin; at least one, at most 64.
    pub points: Vec<String>,
    /// Worst quality that is enough: `good` or `uncertain`.
    #[serde(default)]
    pub quality: Enough,
    /// Greatest age of their values in seconds; more than 0, at most 86400.
    pub age_max_s: f64,
}

/// A quality that is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Enough {
    /// The source vouches for the value.
    #[default]
    Good,
    /// Usable with care is enough.
    Uncertain,
}

/// A condition that must hold.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permissive {
    /// Name for people, unique among the rules of the target; 1 … 64 characters.
    pub name: String,
    /// CEL over the twin's points, as in `points.speed > 100.0`; at most 512 characters. What cannot be evaluated
    /// does not hold.
    pub when: String,
    /// Who may bypass it, and for how long. Absent: nobody.
    #[serde(default)]
    pub bypass: Option<Bypass>,
}

/// A condition under which nothing is written. It cannot be bypassed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trip {
    /// Name for people, unique among the rules of the target; 1 … 64 characters.
    pub name: String,
    /// CEL over the twin's points, as in `points.winding > 155.0`; at most 512 characters. What cannot be evaluated
    /// has tripped.
    pub when: String,
    /// Whether it stays tripped after the condition is over, until somebody resets it.
    #[serde(default)]
    pub latch: bool,
    /// Who may reset it, once the condition is over.
    #[serde(default)]
    pub reset: Role,
}

/// Leave to bypass a permissive.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bypass {
    /// Who may.
    pub role: Role,
    /// Longest time in seconds; 1 … 86400.
    pub max_s: u32,
}

/// What a person may do here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs the plant.
    #[default]
    Operator,
    /// Changes how it is run.
    Engineer,
    /// Approves commands of others.
    Approver,
    /// Runs the host.
    Admin,
}

/// Priority of an alarm, as in ISA-18.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Act at once.
    Critical,
    /// Act soon.
    High,
    /// Act in this shift.
    Medium,
    /// For the record.
    Low,
}

/// What is done with a target when a trip becomes active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// `hold` leaves the last value, `safe-value` writes `value`, `release` gives the target back to the field.
    #[serde(default)]
    pub action: FailAction,
    /// The safe value, in the target's unit and inside its range; with `safe-value` only.
    #[serde(default)]
    pub value: Option<f64>,
}

/// Kind of a fail action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailAction {
    /// Nothing is written any more.
    #[default]
    Hold,
    /// A fixed value is written.
    SafeValue,
    /// The target goes back to the field's own control.
    Release,
}

impl Span {
    /// Whether a value lies inside; what is no number does not.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        value.is_finite() && self.min <= value && value <= self.max
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} … {}", self.min, self.max)
    }
}
