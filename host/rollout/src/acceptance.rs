//! What decides whether a new version is good: limits, each with a name, a unit at its end, and a default.
//!
//! The text above a field is what users read. Without any entry a rollout is judged by faults, NaN, alerts,
//! time and fuel; everything else is judged when it is asked for.

use std::collections::BTreeMap;

use geminus_core::Declaration;
use geminus_core::declaration::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits for the difference between the version that runs and the new one, over the same rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Acceptance {
    /// Largest difference of an output in one row, by the name of the output; `*` stands for every output that has no
    /// entry of its own. An output without a value in one version only counts as beyond.
    pub difference: BTreeMap<String, Difference>,
    /// Part of an output's rows that may lie beyond its largest difference, 0 to 1. With 0 the first such row fails.
    #[schemars(range(min = 0, max = 1))]
    pub exceed_share_max: f64,
    /// How far the mean of an innovation (measured minus predicted) may lie from zero, in standard deviations of that
    /// innovation. By chance alone it is about 1/√rows. Not judged when it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub innovation_mean_sigma_max: Option<f64>,
    /// Confidence of the two-sided chi-square band that the sum of the normalised innovations squared has to lie in,
    /// such as 0.999. The more rows, the narrower the band. Not judged when it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nis_confidence: Option<f64>,
    /// Degrees of freedom of a normalised innovation squared in one row. When it is not given: how many of the inputs
    /// with arrival `event` were measured in that row, or else how many innovations it has, and at least 1. One that is
    /// declared to be of one input always has 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nis_degrees: Option<u32>,
    /// Whether the new version passes beyond a limit of innovation or NIS when the running version lies as far beyond
    /// it or farther: for a model that never fitted its plant.
    pub innovation_no_worse: bool,
    /// Alerts raised by the new version: at most this many times those of the running version, and
    /// `alert_rate_extra_per_hour_max` more.
    #[schemars(range(min = 0))]
    pub alert_rate_ratio_max: f64,
    /// Alerts that may come on top, per twin and hour. A single one is always allowed.
    #[schemars(range(min = 0))]
    pub alert_rate_extra_per_hour_max: f64,
    /// Part of the rows with a proposal in which the two versions may propose differently, 0 to 1. Not judged when it is
    /// not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposals_differ_share_max: Option<f64>,
    /// Proposed values are the same when they differ by no more than this part of the command's declared range.
    #[schemars(range(min = 0, max = 1))]
    pub proposals_tolerance_share: f64,
    /// How many proposals of the new version an interlock may refuse beyond those of the running version. Not judged
    /// when it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposals_refused_max: Option<u64>,
    /// A call of the new version that takes longer misses its deadline, in milliseconds.
    #[schemars(range(min = 1))]
    pub deadline_ms: u64,
    /// Part of the calls that may miss it, 0 to 1. A single one never fails, because it may be the machine's.
    #[schemars(range(min = 0, max = 1))]
    pub deadline_misses_share_max: f64,
    /// Fuel per row of the new version, at most this many times that of the running version.
    pub fuel_per_row_ratio_max: f64,
    /// Fuel per row of the new version at most. No limit of its own when it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel_per_row_max: Option<u64>,
    /// Part of an output's rows in which it may have no value although it has one in the running version, 0 to 1. With
    /// 0 the first such row fails.
    #[schemars(range(min = 0, max = 1))]
    pub nan_share_extra_max: f64,
    /// How often the new version may trap or answer with a fault.
    pub faults_max: u64,
    /// Compared rows, over all twins, before a check says more than `open`.
    #[schemars(range(min = 1))]
    pub rows_min: u64,
}

impl Default for Acceptance {
    fn default() -> Self {
        Self {
            difference: BTreeMap::new(),
            exceed_share_max: 0.0,
            innovation_mean_sigma_max: None,
            nis_confidence: None,
            nis_degrees: None,
            innovation_no_worse: false,
            alert_rate_ratio_max: 2.0,
            alert_rate_extra_per_hour_max: 0.1,
            proposals_differ_share_max: None,
            proposals_tolerance_share: 0.001,
            proposals_refused_max: None,
            deadline_ms: 500,
            deadline_misses_share_max: 0.01,
            fuel_per_row_ratio_max: 4.0,
            fuel_per_row_max: None,
            nan_share_extra_max: 0.01,
            faults_max: 0,
            rows_min: 30,
        }
    }
}

/// Largest difference of an output: the wider of the limits that are given holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// In the unit of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute: Option<f64>,
    /// As a part of the running version's value: 0.01 is one percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<f64>,
}

impl Difference {
    /// How far a value may lie from `old`.
    #[must_use]
    pub fn allowed(&self, old: f64) -> f64 {
        self.absolute.unwrap_or(0.0).max(self.relative.unwrap_or(0.0) * old.abs())
    }
}

impl Acceptance {
    /// The limit of this output, its own or that of `*`.
    #[must_use]
    pub fn difference_of(&self, output: &str) -> Option<Difference> {
        self.difference.get(output).or_else(|| self.difference.get("*")).copied()
    }

    /// What is asked for but cannot be judged with this plugin, each with what to change.
    #[must_use]
    pub fn misfits(&self, declaration: &Declaration) -> Vec<String> {
        let declares = |name: &str| declaration.outputs.iter().any(|output| output.name == name);
        let unknown = self.difference.keys().filter(|name| *name != "*" && !declares(name));
        let mut misfits: Vec<String> = unknown
            .map(|name| format!("acceptance.difference.{name}: {} has no such output", declaration.label()))
            .collect();
        let mut needs = |wanted: bool, role: Role, key: &str| {
            if wanted && !declaration.outputs.iter().any(|output| output.role == role) {
                let text =
                    format!("acceptance.{key}: {} declares no output of that role", declaration.label());
                misfits.push(text);
            }
        };
        needs(self.innovation_mean_sigma_max.is_some(), Role::Innovation, "innovation_mean_sigma_max");
        needs(self.nis_confidence.is_some(), Role::Nis, "nis_confidence");
        misfits
    }
}
