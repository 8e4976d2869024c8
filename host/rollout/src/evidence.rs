//! What a verdict rests on, for people and programs: statistics, the worst rows, curves of both versions.
//!
//! Plain data, made by [`crate::Tally::evidence`], kept with the rollout and shown by the API as it is. A number that
//! does not exist is null. *Old* is the version that runs, *new* the one that is tried; differences are new minus old.
//! docs/generated/rollout-evidence.schema.json is made from these types.

use geminus_core::declaration::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Difference;

mod sample;

/// Everything that was counted while two versions ran side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Rows that were compared.
    pub rows: u64,
    /// Rows that were not compared because the new version was still warming up.
    pub rows_warming: u64,
    /// Rows that were not compared because the running version has no answer: it holds their twins apart.
    #[serde(default)]
    pub rows_unanswered: u64,
    /// Twins with compared rows.
    pub twins: u64,
    /// Time that the compared rows of all twins span, in hours.
    pub twin_hours: f64,
    /// One entry for each output of the new version, in declared order.
    pub outputs: Vec<OutputEvidence>,
    /// Innovations: measured minus predicted.
    pub innovations: Vec<InnovationEvidence>,
    /// Normalised innovations squared.
    pub nis: Vec<NisEvidence>,
    /// Alerts raised.
    pub alerts: AlertEvidence,
    /// Proposals made.
    pub proposals: ProposalEvidence,
    /// Fuel and time.
    pub costs: CostEvidence,
    /// How often the new version trapped or answered with a fault.
    pub faults_total: u64,
    /// The first and the last of them.
    pub faults: Vec<FaultEvidence>,
    /// Rows with the largest differences, worst first; at most one for each twin and output.
    pub worst: Vec<WorstRow>,
    /// Both versions over time, for the first twins and those with the worst rows.
    pub curves: Vec<Curve>,
}

/// One output of both versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputEvidence {
    /// Its name.
    pub output: String,
    /// Its UCUM unit.
    pub unit: String,
    /// What the number is.
    pub role: Role,
    /// Whether the running version has it too; if not, only missing values of the new one are counted.
    pub compared: bool,
    /// Rows compared, those without a value in both versions among them.
    pub rows: u64,
    /// Rows in which both have the same value, bit for bit, or none.
    pub equal: u64,
    /// Mean of the absolute differences.
    pub difference_mean: Option<f64>,
    /// Largest absolute difference.
    pub difference_max: Option<f64>,
    /// Root of the mean of the squared differences.
    pub difference_rms: Option<f64>,
    /// Mean of the differences with their sign.
    pub bias: Option<f64>,
    /// Largest absolute difference as a part of the running version's value, over the rows in which that is not 0;
    /// null when they differ only where it is 0.
    pub relative_max: Option<f64>,
    /// The limit it is held to, if one.
    pub allowed: Option<Difference>,
    /// Rows beyond that limit.
    pub beyond: u64,
    /// Rows without a value in the running version.
    pub nan_old: u64,
    /// Rows without a value in the new version.
    pub nan_new: u64,
    /// Rows without a value in the new version although the running one has it.
    pub nan_extra: u64,
}

/// Number, mean and standard deviation of a quantity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mean {
    /// How many values.
    pub rows: u64,
    /// Their mean.
    pub mean: Option<f64>,
    /// Their standard deviation.
    pub sigma: Option<f64>,
}

/// An innovation in both versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InnovationEvidence {
    /// Name of the output.
    pub output: String,
    /// Its UCUM unit.
    pub unit: String,
    /// The running version.
    pub old: Mean,
    /// The new version.
    pub new: Mean,
}

/// A normalised innovation squared in both versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NisEvidence {
    /// Name of the output.
    pub output: String,
    /// Confidence of the bands.
    pub confidence: f64,
    /// The running version.
    pub old: NisSide,
    /// The new version.
    pub new: NisSide,
}

/// The normalised innovations squared of one version: their mean per degree of freedom is 1 when the model holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NisSide {
    /// How many values.
    pub rows: u64,
    /// Degrees of freedom of all of them together.
    pub degrees: u64,
    /// Their sum over the degrees of freedom.
    pub mean: Option<f64>,
    /// Lower end of the band for that mean.
    pub band_low: Option<f64>,
    /// Upper end of the band for that mean.
    pub band_high: Option<f64>,
}

/// Alerts raised: an alert that stands over many rows counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertEvidence {
    /// By the running version.
    pub old: u64,
    /// By the new version.
    pub new: u64,
    /// By the running version, per twin and hour.
    pub old_per_hour: Option<f64>,
    /// By the new version, per twin and hour.
    pub new_per_hour: Option<f64>,
}

/// Proposals made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposalEvidence {
    /// Rows in which one version or both proposed something.
    pub rows: u64,
    /// Rows in which they proposed differently.
    pub differ: u64,
    /// Proposals of the running version.
    pub old: u64,
    /// Proposals of the new version.
    pub new: u64,
    /// Proposals of the running version that an interlock refused or would have refused.
    pub old_refused: u64,
    /// Proposals of the new version that an interlock refused or would have refused.
    pub new_refused: u64,
}

/// What both versions cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostEvidence {
    /// Rows that the new version stepped.
    pub rows: u64,
    /// Calls that stepped them.
    pub calls: u64,
    /// A call that takes longer misses its deadline, in milliseconds.
    pub deadline_ms: u64,
    /// The running version.
    pub old: CostSide,
    /// The new version.
    pub new: CostSide,
}

/// What one version costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostSide {
    /// Fuel per row.
    pub fuel_per_row: Option<f64>,
    /// Time per row, in microseconds.
    pub step_us_per_row: Option<f64>,
    /// Longest call, in milliseconds.
    pub call_ms_max: f64,
    /// Calls that missed the deadline.
    pub deadline_misses: u64,
}

/// One failure of the new version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultEvidence {
    /// Name of the twin.
    pub twin: String,
    /// Time of the row.
    pub time_ms: u64,
    /// Kind of failure: `trap`, `fuel`, `deadline`, …
    pub kind: String,
    /// What it said.
    pub message: String,
}

/// A row with a large difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorstRow {
    /// Name of the twin.
    pub twin: String,
    /// Time of the row.
    pub time_ms: u64,
    /// Name of the output.
    pub output: String,
    /// What the running version said.
    pub old: Option<f64>,
    /// What the new version said.
    pub new: Option<f64>,
    /// The difference as a multiple of its limit, or of the output's own spread when it has no limit; null when only
    /// one of them has a value, which is worse than any number.
    pub times_limit: Option<f64>,
}

/// One output of one twin over time, in both versions. When it is long, each point is the row with the largest
/// difference of those it stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// Name of the twin.
    pub twin: String,
    /// Name of the output.
    pub output: String,
    /// Its UCUM unit.
    pub unit: String,
    /// Times of the rows.
    pub times_ms: Vec<u64>,
    /// The running version.
    pub old: Vec<Option<f64>>,
    /// The new version.
    pub new: Vec<Option<f64>>,
}
