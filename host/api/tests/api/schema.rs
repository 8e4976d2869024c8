//! Holds JSON against a schema of the OpenAPI document: the part of JSON Schema that the document uses, strictly.
//! A keyword that is not known here fails, and so does a property that the document does not name.

use serde_json::Value;

const ABOUT: [&str; 6] = ["description", "title", "example", "examples", "default", "format"];

pub(crate) fn check(document: &Value, schema: &Value, value: &Value) {
    if let Err(error) = holds(document, schema, value, "$") {
        panic!("{error}\nschema {schema:#}\nvalue {value:#}");
    }
}

fn holds(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Some(members) = schema.as_object() else { return Err(format!("{at}: the schema is no object")) };
    for (keyword, rule) in members {
        match keyword.as_str() {
            "$ref" => holds(document, resolve(document, rule), value, at)?,
            "type" => has_type(rule, value, at)?,
            "enum" => contained(rule, value, at)?,
            "const" if rule == value => {}
            "const" => return Err(format!("{at}: {value} is not {rule}")),
            "maxLength" => {
                let length = value.as_str().map_or(0, |text| text.chars().count() as u64);
                if rule.as_u64().is_some_and(|most| length > most) {
                    return Err(format!("{at}: {value} is longer than {rule}"));
                }
            }
            "minItems" | "maxItems" => {
                let (length, bound) = (value.as_array().map(Vec::len), rule.as_u64().expect("a number"));
                let fits = |length: usize| match keyword.as_str() {
                    "minItems" => length as u64 >= bound,
                    _ => length as u64 <= bound,
                };
                if !length.is_none_or(fits) {
                    return Err(format!("{at}: {value} has not the {keyword} {rule}"));
                }
            }
            "minimum" => bounded(rule, value, at, |value, bound| value >= bound)?,
            "maximum" => bounded(rule, value, at, |value, bound| value <= bound)?,
            "oneOf" | "anyOf" => {
                let tried = list(rule).iter().map(|one| holds(document, one, value, at));
                let (fits, misfits): (Vec<_>, Vec<_>) = tried.partition(Result::is_ok);
                if fits.len() != 1 {
                    return Err(format!("{at}: {} of the alternatives fit: {misfits:?}", fits.len()));
                }
            }
            "allOf" => {}
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    holds(document, rule, item, &format!("{at}[{place}]"))?;
                }
            }
            "properties" | "required" | "additionalProperties" | "propertyNames" => {}
            about if ABOUT.contains(&about) => {}
            other => return Err(format!("{at}: keyword {other} is not known to this test")),
        }
    }
    object(document, schema, value, at)
}

fn object(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let parts = parts(document, schema);
    if !parts.iter().any(|part| part.get("properties").is_some()) {
        let (Some(rule), Some(members)) = (schema.get("additionalProperties"), value.as_object()) else {
            return Ok(());
        };
        return members
            .iter()
            .try_for_each(|(name, member)| holds(document, rule, member, &format!("{at}.{name}")));
    }
    let Some(members) = value.as_object() else { return Ok(()) };
    for (name, member) in members {
        let rule = parts.iter().find_map(|part| part.get("properties")?.get(name));
        let rule = rule.ok_or_else(|| format!("{at}: property {name} is not in the document"))?;
        holds(document, rule, member, &format!("{at}.{name}"))?;
    }
    for part in parts {
        for name in part.get("required").map(list).into_iter().flatten() {
            let name = name.as_str().expect("name");
            if !members.contains_key(name) {
                return Err(format!("{at}: property {name} is missing"));
            }
        }
    }
    Ok(())
}

/// A schema and what it is composed of.
fn parts<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let mut found = vec![schema];
    for part in schema.get("allOf").map(list).into_iter().flatten() {
        let part = part.get("$ref").map_or(part, |name| resolve(document, name));
        found.extend(parts(document, part));
    }
    found
}

pub(crate) fn resolve<'a>(document: &'a Value, reference: &Value) -> &'a Value {
    let pointer = reference.as_str().and_then(|text| text.strip_prefix('#')).expect("a local reference");
    document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} leads nowhere"))
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn has_type(rule: &Value, value: &Value, at: &str) -> Result<(), String> {
    let one = |name: &Value| match name.as_str().expect("type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("type {other}"),
    };
    let fits = rule.as_array().map_or_else(|| one(rule), |names| names.iter().any(one));
    fits.then_some(()).ok_or_else(|| format!("{at}: {value} is not of type {rule}"))
}

fn contained(rule: &Value, value: &Value, at: &str) -> Result<(), String> {
    list(rule).contains(value).then_some(()).ok_or_else(|| format!("{at}: {value} is none of {rule}"))
}

fn bounded(rule: &Value, value: &Value, at: &str, holds: fn(f64, f64) -> bool) -> Result<(), String> {
    match (value.as_f64(), rule.as_f64()) {
        (Some(number), Some(bound)) if !holds(number, bound) => {
            Err(format!("{at}: {value} is out of bounds"))
        }
        _ => Ok(()),
    }
}
