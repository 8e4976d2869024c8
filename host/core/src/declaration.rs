//! What a plugin says of itself before any of its code runs: the JSON document in the custom section
//! `geminus:declaration`, beside the stamp in `geminus:stamp`.
//!
//! The SDK's macros write it, `geminus plugin build` hoists both sections to the top of the component, the
//! registry reads and checks them before anything is compiled. The JSON Schema of this document is generated
//! from these types into `wit/declaration.schema.json`. Inputs, outputs, alerts and commands are known at run
//! time by their index in these lists only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod check;
pub mod semver_string;

/// Custom section that holds the declaration.
pub const DECLARATION_SECTION: &str = "geminus:declaration";
/// Custom section that holds the stamp.
pub const STAMP_SECTION: &str = "geminus:stamp";
/// Version of the contract that this host speaks (package `geminus:behavior`).
pub const CONTRACT: &str = "0.1.0";

/// Who made the component with what; compared before compiling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// Version of the contract it was built against, as in `geminus:behavior@0.1.0`.
    pub contract: String,
    /// SDK name and version, or "none".
    pub sdk: String,
    /// Compiler name and version, or "unknown".
    pub toolchain: String,
}

/// The declaration of one plugin version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// Version of this document's shape: 1.
    pub declaration: u32,
    /// Lower-case kebab-case name, unique in a plant.
    pub name: String,
    /// Semantic version of the plugin.
    pub version: semver_string::Version,
    /// What it is, in one line.
    #[serde(default)]
    pub description: String,
    /// What kind of behavior it is; decides what it may do.
    pub kind: Kind,
    /// Numeric inputs, in the order of `rows.values`.
    #[serde(default)]
    pub inputs: Vec<Input>,
    /// Waveforms and spectra, in the order of `rows.window-ends`.
    #[serde(default)]
    pub windows: Vec<Named>,
    /// Text inputs, in the order of `rows.texts`.
    #[serde(default)]
    pub texts: Vec<Named>,
    /// Whether `rows.ages-ms` is wanted.
    #[serde(default)]
    pub ages: bool,
    /// Outputs, in the order of `outcome.values`.
    pub outputs: Vec<Output>,
    /// JSON Schema of the parameters object, with a default for each optional member.
    #[serde(default = "empty_object")]
    pub parameters: serde_json::Value,
    /// Alerts it may raise.
    #[serde(default)]
    pub alerts: Vec<AlertDeclaration>,
    /// Commands it may propose; empty unless the kind is `command-policy`.
    #[serde(default)]
    pub commands: Vec<Command>,
    /// Look-ups it may make.
    #[serde(default)]
    pub lookups: Vec<Lookup>,
    /// Whether `forecast` is implemented.
    #[serde(default)]
    pub forecast: bool,
    /// State that it carries from version to version.
    pub state: State,
    /// Rows until its outputs may be trusted; until then the host marks them uncertain.
    #[serde(default)]
    pub warm_up_rows: u32,
    /// What it promises to stay within.
    #[serde(default)]
    pub budget: Budget,
}

fn empty_object() -> serde_json::Value {
    serde_json::json!({})
}

/// What a behavior does for a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Estimates state that no sensor measures.
    Estimator,
    /// A fast approximation of an expensive model.
    Surrogate,
    /// Judges health and raises alerts.
    HealthRule,
    /// Proposes commands.
    CommandPolicy,
}

/// One numeric input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// snake_case, unique among the inputs.
    pub name: String,
    /// UCUM code, "1" for a number without a unit.
    pub unit: String,
    /// How samples become row values.
    #[serde(default)]
    pub arrival: Arrival,
    /// Whether a binding must name a point for it; an optional unbound input is always missing.
    #[serde(default = "yes")]
    pub required: bool,
    /// What it means.
    #[serde(default)]
    pub description: String,
}

fn yes() -> bool {
    true
}

/// How samples become row values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Arrival {
    /// The last sample holds until the next, worsened to stale by age: loads, set-points, slow readings.
    #[default]
    Hold,
    /// A value counts once, in the row of its time; otherwise it is missing: measurements of a filter.
    Event,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// snake_case, unique among the outputs.
    pub name: String,
    /// UCUM code.
    pub unit: String,
    /// What the number is, so that pages and rules can tell a value from its uncertainty.
    #[serde(default)]
    pub role: Role,
    /// The output that a deviation belongs to, or the input that an estimate, innovation or NIS is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What it means.
    #[serde(default)]
    pub description: String,
}

/// What an output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// An estimate of a physical quantity.
    Estimate,
    /// The standard deviation (1 σ) of the output named in `of`.
    Deviation,
    /// Measured minus predicted, of the input named in `of`.
    Innovation,
    /// Normalised innovation squared.
    Nis,
    /// 0 (failed) … 1 (healthy); missing when unknown.
    HealthIndex,
    /// 1 once the behavior trusts its outputs, 0 before: until then the host marks outputs uncertain and drops
    /// proposals. Unit "1", at most one for each behavior; a missing value is no 1.
    Converged,
    /// Anything else worth keeping.
    #[default]
    Diagnostic,
}

/// A window or text input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// snake_case.
    pub name: String,
    /// UCUM code of its elements; "1" for texts.
    #[serde(default = "one")]
    pub unit: String,
    /// What it means.
    #[serde(default)]
    pub description: String,
}

fn one() -> String {
    "1".to_owned()
}

/// One alert that may be raised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertDeclaration {
    /// kebab-case, unique.
    pub code: String,
    /// After ISA-18.2.
    pub priority: Priority,
    /// What an operator reads.
    pub text: String,
    /// UCUM code of `alert.value`.
    #[serde(default = "one")]
    pub unit: String,
}

/// Alarm priorities after ISA-18.2, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Kept, not shown as an alarm.
    Journal,
    /// Look when there is time.
    Low,
    /// Act soon.
    Medium,
    /// Act promptly.
    High,
    /// Act now.
    Critical,
}

/// One command that may be proposed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// snake_case, unique.
    pub name: String,
    /// UCUM code of the value.
    pub unit: String,
    /// Lowest value it will ever propose.
    pub minimum: f64,
    /// Highest value it will ever propose.
    pub maximum: f64,
    /// What it means.
    #[serde(default)]
    pub description: String,
}

/// One look-up that may be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// snake_case, unique.
    pub name: String,
    /// What it reads.
    pub kind: LookupKind,
    /// UCUM code in which values are wanted.
    pub unit: String,
    /// What it means.
    #[serde(default)]
    pub description: String,
}

/// Where a look-up reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LookupKind {
    /// History of a point of the same twin.
    History,
    /// History of a point of a related twin.
    Related,
}

/// State schemas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Number of the newest schema, the one `snapshot(none)` writes; 0 for a behavior without state.
    pub schema: u32,
    /// Schemas that `restore` accepts (the way up), `schema` among them.
    pub reads: Vec<u32>,
    /// Schemas that `snapshot` can write (the way down), `schema` among them.
    pub writes: Vec<u32>,
}

/// Promises, held by the host: the lower of these and the site's limits applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Fuel (roughly wasm instructions) per row.
    pub fuel_per_row: u64,
    /// Linear memory of one instance in bytes, at 10,000 slots.
    pub memory_bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { fuel_per_row: 1_000_000, memory_bytes: 64 << 20 }
    }
}

impl Declaration {
    /// `name@version`, as journals and pages show it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

/// Why a declaration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeclarationError {
    /// Not the JSON that the schema asks for.
    #[error("declaration does not follow its schema: {0}")]
    Shape(serde_json::Error),
    /// Follows the schema but contradicts itself.
    #[error("declaration contradicts itself: {0}")]
    Content(String),
}
