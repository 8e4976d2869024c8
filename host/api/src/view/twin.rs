//! A twin, in brief and in full.

use geminus_core::declaration::{Kind, Priority, Role};
use geminus_core::{Authority, Quality};
use geminus_rollout::Phase;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::{Time, words};

/// Whether samples arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TwinState {
    /// Samples arrive as expected.
    Live,
    /// No sample for five times the expected interval: nothing shown for it is to be trusted.
    Stale,
    /// There never was a sample.
    Waiting,
}

/// What the health index amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Index at or above 0.5.
    Ok,
    /// Index below 0.5.
    Warning,
    /// Index below 0.2.
    Critical,
    /// Inputs allow no verdict, or no behavior gives one.
    #[default]
    Unknown,
}

/// Health of a twin, from the behavior with an output of the role `health-index`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct HealthView {
    /// 0 (failed) … 1 (healthy); null when unknown.
    #[schema(required, minimum = 0, maximum = 1)]
    pub index: Option<f64>,
    /// What it amounts to.
    pub verdict: Verdict,
}

/// Active alerts; those that are suppressed because the twin is stale do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct AlertCount {
    /// How many.
    pub active: u64,
    /// The worst among them.
    #[schema(required, schema_with = words::highest)]
    pub highest: Option<Priority>,
}

/// A twin in brief.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TwinSummary {
    /// Unique in the site.
    pub id: String,
    /// Name of its type.
    #[serde(rename = "type")]
    pub twin_type: String,
    /// Whether samples arrive.
    pub state: TwinState,
    /// Milliseconds since its newest sample was received; null when there never was one.
    #[schema(required)]
    pub age_ms: Option<u64>,
    /// How it is.
    pub health: HealthView,
    /// What wants attention.
    pub alerts: AlertCount,
    /// How far its behaviors may reach.
    #[schema(schema_with = words::authority)]
    pub authority: Authority,
}

/// `GET /api/v1/twins`: one page of the fleet.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TwinsView {
    /// In order of id.
    pub twins: Vec<TwinSummary>,
    /// How many twins match, on all pages together.
    pub total: u64,
    /// Pass it as `after` to get the next page; null on the last.
    #[schema(required)]
    pub next: Option<String>,
}

/// `GET /api/v1/twins/{id}`: everything that is known of one twin now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TwinView {
    /// What the fleet page shows as well; its count of alerts gives way to the alerts themselves.
    #[serde(flatten, serialize_with = "head")]
    #[schema(value_type = TwinHead)]
    pub summary: TwinSummary,
    /// Name for people.
    pub display_name: String,
    /// Points that the field measures.
    pub measured: Vec<PointView>,
    /// Points that behaviors compute, named `<behavior>.<output>`.
    pub estimated: Vec<PointView>,
    /// What computes them.
    pub behaviors: Vec<BehaviorView>,
    /// Active alerts, worst first.
    pub alerts: Vec<AlertView>,
    /// How many alerts are held back because the twin is stale.
    pub suppressed_alerts: u64,
}

/// The part of a summary that the full view shows as well.
#[derive(Serialize, ToSchema)]
struct TwinHead<'a> {
    /// Unique in the site.
    id: &'a str,
    /// Name of its type.
    #[serde(rename = "type")]
    twin_type: &'a str,
    /// Whether samples arrive.
    state: TwinState,
    /// Milliseconds since its newest sample was received; null when there never was one.
    #[schema(required)]
    age_ms: Option<u64>,
    /// How it is.
    health: HealthView,
    /// How far its behaviors may reach.
    #[schema(schema_with = words::authority)]
    authority: Authority,
}

fn head<S: Serializer>(summary: &TwinSummary, serializer: S) -> Result<S::Ok, S::Error> {
    let TwinSummary { id, twin_type, state, age_ms, health, alerts: _, authority } = summary;
    let (state, age_ms, health, authority) = (*state, *age_ms, *health, *authority);
    TwinHead { id, twin_type, state, age_ms, health, authority }.serialize(serializer)
}

/// A point and its newest value.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PointView {
    /// Unique in the twin.
    pub name: String,
    /// UCUM code of `value`.
    pub unit: String,
    /// In `unit`; null when there is none.
    #[schema(required)]
    pub value: Option<f64>,
    /// How far to trust it.
    #[schema(schema_with = words::quality)]
    pub quality: Quality,
    /// When the source (or, for an estimate, the row) says it was so.
    #[schema(required)]
    pub time: Option<Time>,
    /// When this host received (or computed) it.
    #[schema(required)]
    pub received: Option<Time>,
    /// Milliseconds since `received`.
    #[schema(required)]
    pub age_ms: Option<u64>,
    /// Expected milliseconds between samples; five of them without one make the point stale. Null when not known.
    #[schema(required)]
    pub interval_ms: Option<u64>,
    /// What it means.
    pub description: String,
    /// What an estimated number is.
    #[schema(required, schema_with = words::role)]
    pub role: Option<Role>,
    /// Full name of the point of this twin that a deviation, estimate, innovation or NIS is about.
    #[schema(required)]
    pub of: Option<String>,
    /// Name of the behavior that computes it.
    #[schema(required)]
    pub behavior: Option<String>,
}

/// Whether a behavior does its work for this twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BehaviorState {
    /// Its outputs may be trusted as far as their quality says.
    Running,
    /// It has not seen as many rows as it declared to need: its outputs are uncertain.
    WarmingUp,
    /// A row of this twin made it fail; the twin is held apart until the next version.
    Quarantined,
    /// It had no row yet.
    Waiting,
}

/// One behavior of a twin.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct BehaviorView {
    /// Name within the twin, from the site.
    pub name: String,
    /// Name of the plugin.
    pub plugin: String,
    /// Version of the plugin that runs now.
    pub version: String,
    /// `sha256:` and 64 hexadecimal digits: the plugin's only true name.
    pub digest: String,
    /// What it does.
    #[schema(schema_with = words::kind)]
    pub kind: Kind,
    /// How it goes.
    pub state: BehaviorState,
    /// Rows stepped for this twin since the process started.
    pub rows: u64,
    /// Since when this version runs.
    pub since: Time,
    /// Its last fault, in words; null when there was none in this version.
    #[schema(required)]
    pub fault: Option<String>,
    /// What it costs; null while it does not run.
    #[schema(required)]
    pub cost: Option<CostView>,
    /// The version on trial for this twin; null without a rollout.
    #[schema(required)]
    pub trial: Option<TrialView>,
}

/// What one behavior of a twin costs, since the twin lives in the instance that answers for it. A call steps rows of
/// many twins, and its fuel and time are shared by rows: exact where `instance_twins` is 1.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CostView {
    /// The version that these figures are of.
    pub version: String,
    /// Rows of this twin that they are of.
    pub rows: u64,
    /// Fuel (roughly wasm instructions) of these rows.
    pub fuel: u64,
    /// The same a row; null before the first row.
    #[schema(required)]
    pub fuel_per_row: Option<f64>,
    /// Milliseconds of these rows in calls of step.
    pub step_ms: f64,
    /// Microseconds a row; null before the first row.
    #[schema(required)]
    pub step_us_per_row: Option<f64>,
    /// The twin's share of the memory of its instance.
    pub memory_bytes: u64,
    /// Memory of the instance that the twin lives in.
    pub instance_bytes: u64,
    /// Twins that live in it.
    pub instance_twins: u64,
    /// Instances that were built because something broke this one: anew, or to find out whose row it was.
    pub rebuilds: u64,
    /// Calls with a row of this twin that took longer than the deadline.
    pub deadline_misses: u64,
    /// Times that this twin had no result because of what the behavior did.
    pub faults: u64,
    /// Rows of this twin that made this version fail, within the window that counts.
    pub strikes: u64,
    /// What stands in for the outputs while the twin is held apart, as the site chose; null while it is not.
    #[schema(required)]
    pub substitute: Option<String>,
}

/// How a twin takes part in a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrialView {
    /// Number of the rollout.
    pub rollout: u64,
    /// Where the rollout stands.
    #[schema(schema_with = words::phase)]
    pub phase: Phase,
    /// Whether the new version's outcome is the one that counts for this twin.
    pub authoritative: bool,
    /// Whether the new version has seen as many rows of this twin as it needs.
    pub warm: bool,
}

/// One active alert.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AlertView {
    /// Kebab-case code, unique in its plugin.
    pub code: String,
    /// How bad.
    #[schema(schema_with = words::priority)]
    pub priority: Priority,
    /// What an operator reads.
    pub text: String,
    /// What tripped it, in `unit`; null when it was not a finite number.
    #[schema(value_type = Option<f64>, required)]
    pub value: f64,
    /// UCUM code of `value`.
    pub unit: String,
    /// More words from the behavior; may be empty.
    pub detail: String,
    /// Time of the first row that raised it without a break.
    pub since: Time,
    /// Name of the behavior that raised it.
    pub behavior: String,
}
