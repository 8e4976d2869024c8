//! Parameters of a behavior against the JSON Schema that its plugin declares.
//!
//! The part of JSON Schema that a parameters object needs: type, properties, required, additionalProperties, enum,
//! const, bounds, lengths, items, `$ref` into `$defs`, and anyOf/oneOf for optional values. A schema that asks for
//! more is refused rather than half obeyed. A member that the schema does not name is an error, as in `site.toml`
//! itself, unless the schema says `additionalProperties`.

use serde_json::{Map, Value};

use crate::problem::did_you_mean;

/// What is wrong with one parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter {pointer}: {reason}")]
pub struct ParameterError {
    /// JSON pointer into the parameters.
    pub pointer: String,
    /// What to change.
    pub reason: String,
}

/// `given` with the schema's defaults filled in.
///
/// # Errors
/// Everything that the schema does not allow.
pub fn parameters(
    schema: &Value,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<ParameterError>> {
    let mut value = Value::Object(given.clone());
    let mut check = Check { root: schema, errors: Vec::new() };
    check.value(schema, &mut value, "", 0);
    match (check.errors.is_empty(), value) {
        (true, Value::Object(filled)) => Ok(filled),
        (_, _) => Err(check.errors),
    }
}

/// How deep a schema may nest, so that one that refers to itself ends.
const DEPTH_MAX: usize = 16;

const ANNOTATIONS: [&str; 12] = [
    "$schema",
    "$id",
    "$defs",
    "definitions",
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "format",
    "unit",
    "readOnly",
];

struct Check<'a> {
    root: &'a Value,
    errors: Vec<ParameterError>,
}

impl<'a> Check<'a> {
    fn error(&mut self, at: &str, reason: impl Into<String>) {
        let pointer = if at.is_empty() { "/" } else { at };
        self.errors.push(ParameterError { pointer: pointer.to_owned(), reason: reason.into() });
    }

    fn value(&mut self, schema: &'a Value, value: &mut Value, at: &str, depth: usize) {
        let rules = match schema {
            Value::Bool(true) => return,
            Value::Object(rules) if depth <= DEPTH_MAX => rules,
            _ => return self.error(at, "the plugin's parameter schema allows nothing here"),
        };
        for (rule, wanted) in rules {
            match rule.as_str() {
                "$ref" => match self.referred(wanted) {
                    Some(target) => self.value(target, value, at, depth + 1),
                    None => self.error(
                        at,
                        format!("the plugin's parameter schema refers to {wanted}, which it lacks"),
                    ),
                },
                "type" => self.kind(wanted, value, at),
                "enum" => self.one_of(wanted, value, at),
                "const" if !same(wanted, value) => self.error(at, format!("must be {wanted}")),
                "const" => {}
                "anyOf" | "oneOf" => self.alternatives(wanted, value, at, depth),
                "properties" | "required" | "additionalProperties" => {}
                "items" => {
                    for (index, item) in value.as_array_mut().into_iter().flatten().enumerate() {
                        self.value(wanted, item, &format!("{at}/{index}"), depth + 1);
                    }
                }
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "minLength"
                | "maxLength" | "minItems" | "maxItems" => self.bound(rule, wanted, value, at),
                known if ANNOTATIONS.contains(&known) || known.starts_with("x-") => {}
                other => self.error(
                    at,
                    format!("the plugin's parameter schema uses `{other}`, which this host cannot check"),
                ),
            }
        }
        if let Value::Object(members) = value {
            self.members(rules, members, at, depth);
        }
    }

    fn members(
        &mut self,
        rules: &'a Map<String, Value>,
        members: &mut Map<String, Value>,
        at: &str,
        depth: usize,
    ) {
        let empty = Map::new();
        let properties = rules.get("properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            // Plugins of an older SDK declare null for what may be left out, beside a type that has no null.
            let default = schema.get("default").filter(|default| !default.is_null());
            if let (false, Some(default)) = (members.contains_key(name), default) {
                members.insert(name.clone(), default.clone());
            }
            if let Some(member) = members.get_mut(name) {
                self.value(schema, member, &format!("{at}/{name}"), depth + 1);
            }
        }
        for name in
            rules.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            if !members.contains_key(name) {
                self.error(&format!("{at}/{name}"), "is missing and has no default");
            }
        }
        let refers = rules.keys().any(|rule| matches!(rule.as_str(), "$ref" | "anyOf" | "oneOf"));
        for (name, member) in members.iter_mut() {
            if properties.is_some_and(|properties| properties.contains_key(name)) {
                continue;
            }
            match rules.get("additionalProperties") {
                Some(schema) if *schema != Value::Bool(false) => {
                    self.value(schema, member, &format!("{at}/{name}"), depth + 1);
                }
                None if refers && properties.is_none() => {}
                _ => {
                    let known = properties.unwrap_or(&empty).keys().map(String::as_str);
                    let hint = did_you_mean(name, known);
                    self.error(&format!("{at}/{name}"), format!("is not a parameter of this plugin{hint}"));
                }
            }
        }
    }

    fn referred(&self, wanted: &Value) -> Option<&'a Value> {
        self.root.pointer(wanted.as_str()?.strip_prefix('#')?)
    }

    fn kind(&mut self, wanted: &Value, value: &Value, at: &str) {
        let names: Vec<&str> = match wanted {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        let fits = |name: &&str| match *name {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "integer" => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            "number" => value.is_number(),
            _ => false,
        };
        if !names.iter().any(fits) {
            self.error(at, format!("must be of type {}, not {}", names.join(" or "), shown(value)));
        }
    }

    fn one_of(&mut self, wanted: &Value, value: &Value, at: &str) {
        let allowed = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
        if !allowed.iter().any(|one| same(one, value)) {
            let list = allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            self.error(at, format!("must be one of {list}, not {}", shown(value)));
        }
    }

    fn alternatives(&mut self, wanted: &'a Value, value: &mut Value, at: &str, depth: usize) {
        let mut reasons = Vec::new();
        for alternative in wanted.as_array().into_iter().flatten() {
            let mut tried = value.clone();
            let mut check = Check { root: self.root, errors: Vec::new() };
            check.value(alternative, &mut tried, at, depth + 1);
            if check.errors.is_empty() {
                *value = tried;
                return;
            }
            reasons.extend(check.errors.into_iter().map(|error| error.reason));
        }
        self.error(at, format!("fits none of the alternatives: {}", reasons.join("; ")));
    }

    fn bound(&mut self, rule: &str, wanted: &Value, value: &Value, at: &str) {
        let Some(limit) = wanted.as_f64() else {
            return self.error(at, format!("schema bound {rule} is no number"));
        };
        #[expect(clippy::cast_precision_loss, reason = "lengths of parameters are far below 2^52")]
        let measured = match (rule, value) {
            ("minLength" | "maxLength", Value::String(text)) => Some(text.chars().count() as f64),
            ("minItems" | "maxItems", Value::Array(list)) => Some(list.len() as f64),
            ("minLength" | "maxLength" | "minItems" | "maxItems", _) => None,
            (_, value) => value.as_f64(),
        };
        let Some(measured) = measured else { return };
        let (holds, words) = match rule {
            "minimum" => (measured >= limit, "at least"),
            "maximum" => (measured <= limit, "at most"),
            "exclusiveMinimum" => (measured > limit, "greater than"),
            "exclusiveMaximum" => (measured < limit, "less than"),
            "minLength" | "minItems" => (measured >= limit, "of a length of at least"),
            _ => (measured <= limit, "of a length of at most"),
        };
        if !holds {
            self.error(at, format!("must be {words} {wanted}, not {}", shown(value)));
        }
    }
}

/// Equality that does not tell 1 from 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "mass_kg": {"type": "number", "minimum": 0.1, "maximum": 1000, "default": 12.5},
                "mode": {"enum": ["fast", "safe"], "default": "safe"},
                "poles": {"type": "integer", "minimum": 2},
                "noise": {"$ref": "#/$defs/Noise"},
                "tag": {"anyOf": [{"type": "string", "maxLength": 4}, {"type": "null"}]},
                "gains": {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 1}
            },
            "required": ["poles"],
            "additionalProperties": false,
            "$defs": {"Noise": {"type": "object", "properties": {"q": {"type": "number", "default": 0.5}}}}
        })
    }

    fn given(value: Value) -> Map<String, Value> {
        value.as_object().expect("object").clone()
    }

    #[test]
    fn defaults_are_filled_in_at_every_level() {
        let filled =
            parameters(&schema(), &given(json!({"poles": 4, "noise": {}, "tag": "ab"}))).expect("fits");
        assert_eq!(
            Value::Object(filled),
            json!({"mass_kg": 12.5, "mode": "safe", "poles": 4, "noise": {"q": 0.5}, "tag": "ab"})
        );
        assert_eq!(parameters(&json!({}), &Map::new()), Ok(Map::new()));
    }

    #[test]
    fn a_default_of_null_means_left_out() {
        let schema = json!({"type": "object", "properties": {"limit": {"type": "number", "default": null}}});
        assert_eq!(parameters(&schema, &Map::new()), Ok(Map::new()));
        assert!(
            parameters(&schema, &given(json!({"limit": null}))).is_err(),
            "given all the same, it must fit"
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (value, expect) in [
            (json!({}), "parameter /poles: is missing and has no default"),
            (json!({"poles": 2.5}), "parameter /poles: must be of type integer, not 2.5"),
            (json!({"poles": 1}), "parameter /poles: must be at least 2, not 1"),
            (json!({"poles": 2, "mass_kg": 2000}), "parameter /mass_kg: must be at most 1000, not 2000"),
            (json!({"poles": 2, "mass_kg": "x"}), "parameter /mass_kg: must be of type number, not \"x\""),
            (
                json!({"poles": 2, "mode": "slow"}),
                "parameter /mode: must be one of \"fast\", \"safe\", not \"slow\"",
            ),
            (
                json!({"poles": 2, "mas_kg": 1}),
                "parameter /mas_kg: is not a parameter of this plugin, did you mean `mass_kg`?",
            ),
            (
                json!({"poles": 2, "noise": {"q": "a"}}),
                "parameter /noise/q: must be of type number, not \"a\"",
            ),
            (json!({"poles": 2, "gains": [1, 0]}), "parameter /gains/1: must be greater than 0, not 0"),
            (json!({"poles": 2, "gains": []}), "parameter /gains: must be of a length of at least 1, not []"),
            (
                json!({"poles": 2, "tag": "long tag"}),
                "parameter /tag: fits none of the alternatives: must be of a length of at most 4, not \"long tag\"; must be of type null, not \"long tag\"",
            ),
        ] {
            let errors = parameters(&schema(), &given(value.clone())).expect_err("refused");
            assert!(errors.iter().any(|error| error.to_string() == expect), "{value}: {errors:?}");
        }
    }

    #[test]
    fn a_schema_that_asks_for_more_is_refused() {
        let schema = json!({"type": "object", "properties": {"a": {"multipleOf": 3}}});
        let errors = parameters(&schema, &given(json!({"a": 3}))).expect_err("refused");
        assert!(errors[0].reason.contains("`multipleOf`"), "{errors:?}");
        // A schema that refers to itself ends.
        let circle = json!({"$ref": "#"});
        assert!(parameters(&circle, &Map::new()).is_err());
    }
}
