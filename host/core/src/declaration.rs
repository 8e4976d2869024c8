//! What a plugin says of itself before any of its code runs: the JSON document in the custom section
//! `geminus:declaration`, beside the stamp in `geminus:stamp`.
//!
//! The SDK's macros write it, `geminus plugin build` hoists both sections to the top of the component, the
//! registry reads and checks them before anything is compiled. The JSON Schema of this document is generated
//! from these types into `wit/declaration.schema.json`. Inputs, outputs, alerts and commands are known at run
//! time by their index in these lists only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// A `semver::Version` that schemars can describe.
pub mod semver_string {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde::{Deserialize, Serialize};

    /// Semantic version, a string in JSON.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(transparent)]
    pub struct Version(pub semver::Version);

    impl JsonSchema for Version {
        fn schema_name() -> Cow<'static, str> {
            "Version".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string", "pattern": r"^\d+\.\d+\.\d+([-+].*)?$" })
        }
    }

    impl std::fmt::Display for Version {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.fmt(f)
        }
    }
}

impl Declaration {
    /// `name@version`, as journals and pages show it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Reads and checks a declaration.
    ///
    /// # Errors
    /// Names the first thing that is wrong, in words for the plugin's author.
    pub fn parse(json: &[u8]) -> Result<Self, DeclarationError> {
        let declaration: Self = serde_json::from_slice(json).map_err(DeclarationError::Shape)?;
        declaration.check()?;
        Ok(declaration)
    }

    fn check(&self) -> Result<(), DeclarationError> {
        let wrong = |what: String| Err(DeclarationError::Content(what));
        if self.declaration != 1 {
            return wrong(format!("declaration shape {} is not known, 1 is", self.declaration));
        }
        if self.name.is_empty()
            || !self.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        {
            return wrong(format!("name {:?} is not lower-case kebab-case", self.name));
        }
        if self.outputs.is_empty() {
            return wrong("no output is declared".to_owned());
        }
        unique("input", self.inputs.iter().map(|i| i.name.as_str()))?;
        unique("output", self.outputs.iter().map(|o| o.name.as_str()))?;
        unique("alert", self.alerts.iter().map(|a| a.code.as_str()))?;
        unique("command", self.commands.iter().map(|c| c.name.as_str()))?;
        unique("look-up", self.lookups.iter().map(|l| l.name.as_str()))?;
        if !self.commands.is_empty() && self.kind != Kind::CommandPolicy {
            return wrong(format!("kind {:?} may not declare commands", self.kind));
        }
        for output in self.outputs.iter().filter(|o| o.role == Role::Deviation) {
            let of = output.of.as_deref().unwrap_or_default();
            if !self.outputs.iter().any(|o| o.name == of) {
                return wrong(format!("deviation {} is of {of:?}, which is no output", output.name));
            }
        }
        let mut converged = self.outputs.iter().filter(|o| o.role == Role::Converged);
        if let Some(output) = converged.next() {
            if output.unit != "1" {
                return wrong(format!(
                    "output {} of role converged has unit {:?}, not \"1\"",
                    output.name, output.unit
                ));
            }
            if let Some(second) = converged.next() {
                return wrong(format!(
                    "outputs {} and {} both have role converged",
                    output.name, second.name
                ));
            }
        }
        if self.state.schema > 0
            && !(self.state.reads.contains(&self.state.schema)
                && self.state.writes.contains(&self.state.schema))
        {
            return wrong(format!("state schema {} must stand in reads and in writes", self.state.schema));
        }
        Ok(())
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), DeclarationError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if name.is_empty() || !seen.insert(name) {
            return Err(DeclarationError::Content(format!("{what} {name:?} is empty or declared twice")));
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn minimal() -> serde_json::Value {
        serde_json::json!({
            "declaration": 1, "name": "probe", "version": "1.2.3", "kind": "estimator",
            "inputs": [{"name": "a", "unit": "Cel", "arrival": "event"}],
            "outputs": [
                {"name": "b", "unit": "Cel", "role": "estimate"},
                {"name": "b_sd", "unit": "K", "role": "deviation", "of": "b"}
            ],
            "state": {"schema": 1, "reads": [1], "writes": [1]}
        })
    }

    fn check(change: impl Fn(&mut serde_json::Value), expect: &str) {
        let mut json = minimal();
        change(&mut json);
        let error = Declaration::parse(json.to_string().as_bytes()).expect_err("must be refused");
        assert!(error.to_string().contains(expect), "{error} does not say {expect:?}");
    }

    #[test]
    fn a_minimal_declaration_is_read_with_defaults() {
        let declaration = Declaration::parse(minimal().to_string().as_bytes()).expect("valid");
        assert_eq!(declaration.label(), "probe@1.2.3");
        assert_eq!(declaration.inputs[0].arrival, Arrival::Event);
        assert!(declaration.inputs[0].required);
        assert_eq!(declaration.budget, Budget::default());
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_the_reason() {
        check(|j| j["declaration"] = 2.into(), "shape 2");
        check(|j| j["name"] = "Bad Name".into(), "kebab-case");
        check(
            |j| j["inputs"] = serde_json::json!([{"name":"a","unit":"1"},{"name":"a","unit":"1"}]),
            "twice",
        );
        check(|j| j["outputs"] = serde_json::json!([]), "no output");
        check(|j| j["outputs"][1]["of"] = "zzz".into(), "no output");
        check(|j| j["outputs"][0]["role"] = "converged".into(), "unit \"Cel\", not \"1\"");
        check(
            |j| {
                let converged =
                    |name: &str| serde_json::json!({"name": name, "unit": "1", "role": "converged"});
                j["outputs"] = serde_json::json!([converged("x"), converged("y")]);
            },
            "outputs x and y both have role converged",
        );
        check(|j| j["colour"] = "red".into(), "colour");
        check(|j| j["state"]["reads"] = serde_json::json!([]), "must stand in reads");
        check(
            |j| {
                j["commands"] = serde_json::json!([{"name":"speed","unit":"1","minimum":0.0,"maximum":1.0}]);
            },
            "may not declare commands",
        );
    }
}
