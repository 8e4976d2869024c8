//! All interfaces of a types folder, with `extends` and components worked in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Content, Interface, Measure, TwinType, TypePoint};
use crate::problem::{Problems, did_you_mean};

/// How deep `extends` and components may nest; DTDL itself allows 12.
const DEPTH_MAX: usize = 12;

/// Twin types by DTMI.
#[derive(Clone, Debug, Default)]
pub struct Library {
    types: BTreeMap<String, TwinType>,
}

struct Found {
    file: PathBuf,
    interface: Interface,
}

impl Library {
    /// Reads every `*.json` of `folder`; a file holds one interface or an array of them. Blocks on the disk.
    ///
    /// # Errors
    /// Every file that cannot be read or is not DTDL v3, with the JSON pointer.
    pub fn load(folder: &Path) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut files = match std::fs::read_dir(folder) {
            Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
            Err(error) => {
                problems.add(folder, None, format!("types folder cannot be read: {error}"));
                Vec::new()
            }
        };
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        files.sort();
        let texts = files.into_iter().filter_map(|file| match std::fs::read_to_string(&file) {
            Ok(text) => Some((file, text)),
            Err(error) => {
                problems.add(&file, None, format!("cannot be read: {error}"));
                None
            }
        });
        let texts: Vec<_> = texts.collect();
        let library = Self::parse(&texts, &mut problems);
        problems.or(library)
    }

    /// As [`Library::load`], from texts; mistakes go to `problems`.
    pub fn parse(texts: &[(PathBuf, String)], problems: &mut Problems) -> Self {
        let mut found: BTreeMap<String, Found> = BTreeMap::new();
        for (file, text) in texts {
            let json: Value = match serde_json::from_str(text) {
                Ok(json) => json,
                Err(error) => {
                    let line = u32::try_from(error.line()).ok();
                    problems.add(file, line, format!("is not JSON: {error}"));
                    continue;
                }
            };
            let items: Vec<(String, &Value)> = match &json {
                Value::Array(list) => {
                    list.iter().enumerate().map(|(i, item)| (format!("/{i}"), item)).collect()
                }
                one => vec![(String::new(), one)],
            };
            for (at, item) in items {
                match Interface::read(item, &at) {
                    Err(error) => problems.add(file, None, error.to_string()),
                    Ok(interface) if found.contains_key(&interface.id) => {
                        problems.add(file, None, format!("interface {} is defined twice", interface.id));
                    }
                    Ok(interface) => {
                        found.insert(interface.id.clone(), Found { file: file.clone(), interface });
                    }
                }
            }
        }
        Self {
            types: found.keys().filter_map(|id| Some((id.clone(), flat(&found, id, problems)?))).collect(),
        }
    }

    /// The type with this DTMI.
    ///
    /// # Errors
    /// A sentence with the nearest known DTMI.
    pub fn get(&self, id: &str) -> Result<&TwinType, String> {
        self.types.get(id).ok_or_else(|| {
            let hint = did_you_mean(id, self.types.keys().map(String::as_str));
            format!("type {id} is not in the types folder{hint}")
        })
    }

    /// All types, by DTMI.
    pub fn types(&self) -> impl Iterator<Item = &TwinType> {
        self.types.values()
    }
}

fn flat(found: &BTreeMap<String, Found>, id: &str, problems: &mut Problems) -> Option<TwinType> {
    let Found { file, interface } = found.get(id)?;
    let short = id.rsplit(':').next().and_then(|last| last.split(';').next()).unwrap_or(id);
    let display_name =
        if interface.display_name.is_empty() { short.to_owned() } else { interface.display_name.clone() };
    let mut made = TwinType {
        id: id.to_owned(),
        display_name,
        description: interface.description.clone(),
        points: Vec::new(),
        unbindable: BTreeMap::new(),
    };
    match gather(found, interface, "", 0, &mut made) {
        Ok(()) => Some(made),
        Err(reason) => {
            problems.add(file, None, format!("interface {id}: {reason}"));
            None
        }
    }
}

fn gather(
    found: &BTreeMap<String, Found>,
    interface: &Interface,
    prefix: &str,
    depth: usize,
    into: &mut TwinType,
) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("extends and components nest deeper than {DEPTH_MAX}, or in a circle"));
    }
    let other = |id: &String| {
        let known = || did_you_mean(id, found.keys().map(String::as_str));
        found.get(id).map(|found| &found.interface).ok_or_else(|| format!("{id} is not defined{}", known()))
    };
    for id in &interface.extends {
        gather(found, other(id)?, prefix, depth + 1, into)?;
    }
    for content in &interface.contents {
        match content {
            Content::Telemetry(measure) | Content::Property(measure) => add(measure, prefix, into)?,
            Content::Component(part) => {
                gather(found, other(&part.schema)?, &format!("{prefix}{}.", part.name), depth + 1, into)?;
            }
            Content::Command(_) | Content::Relationship(_) => {}
        }
    }
    Ok(())
}

fn add(measure: &Measure, prefix: &str, into: &mut TwinType) -> Result<(), String> {
    let name = format!("{prefix}{}", measure.name);
    if into.points.iter().any(|point| point.name == name) || into.unbindable.contains_key(&name) {
        return Err(format!("\"{name}\" is defined twice, in the interface and in one that it extends"));
    }
    let labels = match measure.schema.labels() {
        Ok(labels) => labels,
        Err(reason) => {
            into.unbindable.insert(name, reason);
            return Ok(());
        }
    };
    let description = match measure.description.is_empty() {
        true => measure.display_name.clone(),
        false => measure.description.clone(),
    };
    let unit = measure.unit.clone().unwrap_or_else(|| "1".to_owned());
    into.points.push(TypePoint { name, description, unit, labels });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#""@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
        "@type": "Interface""#;

    fn library(bodies: &[&str]) -> Result<Library, Problems> {
        let files: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(i, body)| (PathBuf::from(format!("{i}.json")), format!("{{{HEAD}, {body}}}")))
            .collect();
        let mut problems = Problems::default();
        let library = Library::parse(&files, &mut problems);
        problems.or(library)
    }

    #[test]
    fn contents_components_and_extends_become_points() {
        let library = library(&[
            r#""@id": "dtmi:t:Base;1", "contents": [
                {"@type": "Property", "name": "running", "schema": "boolean", "writable": true}]"#,
            r#""@id": "dtmi:t:Motor;1", "contents": [
                {"@type": ["Telemetry", "Temperature"], "name": "temp", "unit": "degreeCelsius", "schema": "double"}]"#,
            r#""@id": "dtmi:t:Rig;1", "displayName": {"de": "Stand", "en": "Rig"}, "extends": "dtmi:t:Base;1",
            "contents": [
                {"@type": "Component", "name": "motor", "schema": "dtmi:t:Motor;1"},
                {"@type": "Telemetry", "name": "mode", "description": "what it does", "schema": {"@type": "Enum",
                    "valueSchema": "integer", "enumValues": [{"name": "off", "enumValue": 0},
                    {"name": "on", "enumValue": 3}]}},
                {"@type": "Telemetry", "name": "wave", "schema": {"@type": "Array", "elementSchema": "double"}},
                {"@type": "Telemetry", "name": "label", "schema": "string"},
                {"@type": "Command", "name": "stop", "request": {"name": "why", "schema": "string"}},
                {"@type": "Relationship", "name": "feeds", "target": "dtmi:t:Rig;1"}]"#,
        ])
        .expect("library");
        let rig = library.get("dtmi:t:Rig;1").expect("rig");
        assert_eq!(rig.display_name, "Rig");
        let points: Vec<_> = rig
            .points
            .iter()
            .map(|point| (point.name.as_str(), point.unit.as_str(), point.labels.len()))
            .collect();
        assert_eq!(points, [("running", "1", 2), ("motor.temp", "Cel", 0), ("mode", "1", 2)]);
        assert!(rig.unbindable["wave"].contains("an Array") && rig.unbindable["label"].contains("string"));
        let error = library.get("dtmi:t:Rug;1").expect_err("unknown");
        assert!(error.ends_with("did you mean `dtmi:t:Rig;1`?"), "{error}");
    }

    #[test]
    fn wrong_interfaces_are_refused_with_their_pointer() {
        for (body, expect) in [
            (r#""@id": "Rig""#, "/@id: \"Rig\" is not a DTMI"),
            (r#""@id": "dtmi:t:A;1", "content": []"#, "/content: is not a member"),
            (r#""@id": "dtmi:t:A;1", "contents": {}"#, "/contents: must be a JSON array"),
            (
                r#""@id": "dtmi:t:A;1", "contents": [{"@type": "Telemetrie", "name": "a"}]"#,
                "/contents/0/@type: must be",
            ),
            (
                r#""@id": "dtmi:t:A;1", "contents": [{"@type": "Telemetry", "name": "a"}]"#,
                "/contents/0: \"schema\" is missing",
            ),
            (
                r#""@id": "dtmi:t:A;1", "contents": [{"@type": "Telemetry", "name": "a", "schema": "dubble"}]"#,
                "/contents/0/schema: schema \"dubble\" is not known, did you mean `double`?",
            ),
            (
                r#""@id": "dtmi:t:A;1", "contents": [{"@type": "Telemetry", "name": "1a", "schema": "double"}]"#,
                "/contents/0/name: \"1a\" must be",
            ),
            (
                r#""@id": "dtmi:t:A;1", "contents": [{"@type": ["Telemetry", "Temperature"], "name": "a",
                    "schema": "double", "unit": "degreeCelcius"}]"#,
                "/contents/0/unit: unit \"degreeCelcius\" is not known",
            ),
            (
                r#""@id": "dtmi:t:A;1", "contents": [{"@type": "Telemetry", "name": "a", "schema": "double", "unit": "bar"}]"#,
                "/contents/0/unit: needs a semantic type",
            ),
            (
                r#""@id": "dtmi:t:A;1", "contents": [{"@type": ["Telemetry", "Presure"], "name": "a",
                    "schema": "double", "unit": "bar"}]"#,
                "/contents/0/unit: needs a semantic type such as \"Temperature\" beside @type; \"Presure\" is none, did you mean `Pressure`?",
            ),
            (
                r#""@id": "dtmi:t:A;1", "contents": [{"@type": ["Property", "Pressure", "Temperature"], "name": "a",
                    "schema": "double", "unit": "bar"}]"#,
                "/contents/0/@type: has two semantic types, \"Pressure\" and \"Temperature\"",
            ),
            (
                r#""@id": "dtmi:t:A;1", "contents": [{"@type": "Telemetry", "name": "b", "schema": "double"},
                    {"@type": ["Telemetry", "Pressure"], "name": "a", "schema": "double", "unit": "degreeCelsius"}]"#,
                "/contents/1/unit: unit \"degreeCelsius\" does not measure \"Pressure\": it is one of pascal, ",
            ),
            (
                r#""@id": "dtmi:t:A;1", "contents": [{"@type": "Telemetry", "name": "a", "schema": "double"},
                    {"@type": "Telemetry", "name": "a", "schema": "double"}]"#,
                "/contents/1/name: name \"a\" is used twice",
            ),
            (r#""@id": "dtmi:t:A;1", "extends": "dtmi:t:A;1""#, "nest deeper than 12, or in a circle"),
            (r#""@id": "dtmi:t:A;1", "extends": ["dtmi:t:B;1"]"#, "dtmi:t:B;1 is not defined"),
        ] {
            let text = library(&[body]).expect_err(body).to_string();
            assert!(text.contains(expect), "{text}\n  does not say\n{expect}");
        }
        let text = Library::load(Path::new("no-such-folder")).expect_err("missing").to_string();
        assert!(text.contains("types folder cannot be read"), "{text}");
    }
}
