//! JSON Schemas of plan and evidence, made from the types: for editors, for the reference, for other programs.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use crate::{Evidence, Plan, Verdict};

/// JSON Schema (draft 2020-12) of a rollout plan, every part written out in place.
#[must_use]
pub fn plan_schema() -> serde_json::Value {
    schema_of::<Plan>()
}

/// What the API shows of a rollout's trial.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it exists for its schema")]
struct Findings {
    /// What the verdict rests on.
    evidence: Evidence,
    /// What the evidence says.
    verdict: Verdict,
}

/// JSON Schema (draft 2020-12) of an object with a rollout's `evidence` and `verdict`.
#[must_use]
pub fn evidence_schema() -> serde_json::Value {
    schema_of::<Findings>()
}

fn schema_of<T: JsonSchema>() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().root_schema_for::<T>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_GENERATED=1` rewrites the file.
    fn check(name: &str, schema: &serde_json::Value) {
        let path = format!("{}/../../docs/generated/{name}", env!("CARGO_MANIFEST_DIR"));
        let fresh = format!("{}\n", serde_json::to_string_pretty(schema).expect("json"));
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(&path, &fresh).expect("write");
        }
        let committed = std::fs::read_to_string(&path).expect(name);
        assert!(
            committed == fresh,
            "{name}: run the tests with UPDATE_GENERATED=1 and commit docs/generated"
        );
    }

    #[test]
    fn the_generated_schemas_are_the_committed_ones() {
        check("rollout-plan.schema.json", &plan_schema());
        check("rollout-evidence.schema.json", &evidence_schema());
    }
}
