//! `[[behavior]]`: what a plugin does for some twins, which versions of it, and how another one takes over.

use std::collections::BTreeMap;

use geminus_rollout::Stages;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a plugin does for some twins.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Behavior {
    /// Name of the behavior, unique per twin; its outputs become points `<name>.<output>`.
    pub name: String,
    /// Name of the plugin, as it declares itself.
    pub plugin: String,
    /// Range of plugin versions, as Cargo writes them: `^0.1`, `>=1.2, <2`. The highest one that fits is used.
    #[serde(default = "any")]
    pub version: String,
    /// Which twins, as a glob or range: `pump-*`, `pump-{001..100}`.
    #[serde(default = "any")]
    pub twins: String,
    /// `cohort`: twins share an instance; `dedicated`: an instance for each twin, at 60 times the memory.
    #[serde(default)]
    pub isolation: Isolation,
    /// Declared input → point, or → `<behavior>.<output>` of another behavior of the same twin. Default: the point
    /// with the input's own name.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// Parameters, checked against the schema that the plugin declares; defaults are filled in.
    #[serde(default)]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// Milliseconds that a row waits for inputs of its time that have not come yet; 1 … 60000.
    #[serde(default = "row_wait")]
    pub row_wait_ms: u32,
    /// Samples up to so many milliseconds after a row's first one belong to the same row; 0 … 60000.
    #[serde(default)]
    pub align_ms: u32,
    /// Whether the host may start it without its earlier state when that cannot be restored.
    #[serde(default)]
    pub allow_cold_start: bool,
    /// Twins that run another version than the rest: `pin = [{ twins = "pump-007", version = "=0.1.0" }]`. A pinned
    /// twin takes part in no rollout to a version outside its pin.
    #[serde(default)]
    pub pin: Vec<Pin>,
    /// What stands in for the outputs of a twin that is quarantined.
    #[serde(default)]
    pub substitute: Substitute,
    /// Seconds that `substitute = "hold"` holds the last good values; 1 … 86400.
    #[serde(default = "minute")]
    pub hold_s: u32,
    /// Declared output → value, in the declared unit, for `substitute = "fail-safe"`; every output must have one.
    #[serde(default)]
    pub fail_safe: BTreeMap<String, f64>,
    /// What happens when a file with another fitting version arrives in the plugin folder.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// How a version that arrives is rolled out: shadow, canary, probation, time limits and acceptance. Default: no
    /// shadow, no canary, a probation of one minute with the default acceptance.
    #[serde(default)]
    pub rollout: Stages,
    /// Whether the inputs of every row are recorded, so that `geminus replay` can run it again. Costs about a sample
    /// of history for each input of a row.
    #[serde(default = "yes")]
    pub record: bool,
}

/// Twins that run another version than the rest of a behavior.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Which of the behavior's twins, as a glob or range.
    pub twins: String,
    /// Range of plugin versions for them, as Cargo writes them: `=0.1.0`. The highest one that fits is used.
    pub version: String,
}

fn any() -> String {
    "*".to_owned()
}

fn row_wait() -> u32 {
    200
}

fn minute() -> u32 {
    60
}

fn yes() -> bool {
    true
}

/// Who shares an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// The twins of one plugin version on one shard.
    #[default]
    Cohort,
    /// Nobody.
    Dedicated,
}

/// What stands in for the outputs of a twin that is quarantined: the choice of the host, not of the plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Substitute {
    /// Nothing: every output is bad.
    #[default]
    None,
    /// The last good values, marked stale, for `hold_s` seconds; bad after that.
    Hold,
    /// The last good values, marked uncertain, for as long as the twin is quarantined.
    Uncertain,
    /// The values of `fail_safe`, marked uncertain.
    FailSafe,
}

/// What happens when a file with another fitting version arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// A rollout with the behavior's `rollout` starts by itself.
    #[default]
    Rollout,
    /// Nothing: the version is listed as available, and a person starts the rollout.
    Ignore,
}
