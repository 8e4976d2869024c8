//! Parameters of two versions, as far as their JSON Schemas are flat objects, which is what the SDK writes. Whether the
//! values that a site has given still hold is checked by the host against the candidate's schema; this only tells.

use serde_json::{Map, Value};

use super::ChangeSeverity::{Breaking, Info};
use super::Diff;

/// Members of a parameter's schema that are compared by name.
const MEMBERS: [&str; 5] = ["type", "default", "minimum", "maximum", "enum"];

pub(super) fn compare(diff: &mut Diff, old: &Value, new: &Value) {
    let (before, after) = (properties(old), properties(new));
    for (name, schema) in before.iter().flat_map(|map| map.iter()) {
        let what = format!("parameter {name}");
        let Some(other) = after.and_then(|map| map.get(name)) else {
            diff.note(what, Info, "is gone: a site that sets it is refused");
            continue;
        };
        if schema.get("unit") != other.get("unit") {
            let text = format!(
                "unit changed from {} to {}: a site's number would mean something else",
                of(schema, "unit"),
                of(other, "unit")
            );
            diff.note(what.clone(), Breaking, text);
        }
        for member in MEMBERS.iter().filter(|member| schema.get(**member) != other.get(**member)) {
            let text = format!("{member} changed from {} to {}", of(schema, member), of(other, member));
            diff.note(what.clone(), Info, text);
        }
        if !required(old, name) && required(new, name) {
            diff.note(what, Info, "must be given now: a site that does not set it is refused");
        }
    }
    let known = |name: &str| before.is_some_and(|map| map.contains_key(name));
    for name in after.iter().flat_map(|map| map.keys()).filter(|name| !known(name)) {
        let what = format!("parameter {name}");
        match required(new, name) {
            true => diff.note(what, Breaking, "is new and must be given, which no site does yet"),
            false => diff.note(what, Info, "is new, with a default"),
        }
    }
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

fn required(schema: &Value, name: &str) -> bool {
    let list = schema.get("required").and_then(Value::as_array);
    list.is_some_and(|list| list.iter().any(|one| one.as_str() == Some(name)))
}

fn of(schema: &Value, member: &str) -> String {
    schema.get(member).map_or_else(|| "none".to_owned(), Value::to_string)
}
