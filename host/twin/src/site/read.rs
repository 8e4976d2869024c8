//! Reads `site.toml` so that every mistake is found in one go, each with its line.
//!
//! The document is parsed with spans; unknown keys are found against the schema, named with the nearest known
//! one and taken out; then each table is read by itself, so that a wrong value in one does not hide the others.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::{Document, site_schema};
use crate::problem::{Problems, did_you_mean};

type Lines = BTreeMap<String, u32>;

/// What could be read, and where each key stands; parts that could not be read are left out and reported.
pub(super) fn document(path: &Path, text: &str, problems: &mut Problems) -> (Document, Lines) {
    let mut reading = Reading { path, starts: line_starts(text), lines: Lines::new(), problems };
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reading.report(error.span().map(|span| span.start), error.message());
    }
    // After a syntax error keys may stand in the wrong table: what follows would only confuse.
    if !errors.is_empty() {
        return (Document::default(), reading.lines);
    }
    let mut root = root.into_inner();
    reading.keys("", &mut root, &site_schema());
    let document = Document {
        site: reading.one(&mut root, "site"),
        http: reading.one(&mut root, "http"),
        access: reading.one(&mut root, "access"),
        source: reading.many(&mut root, "source"),
        twin: reading.many(&mut root, "twin"),
        bind: reading.many(&mut root, "bind"),
        behavior: reading.many(&mut root, "behavior"),
        alarm: reading.many(&mut root, "alarm"),
        alarms: reading.one(&mut root, "alarms"),
        target: reading.many(&mut root, "target"),
        publish: reading.one(&mut root, "publish"),
        command: reading.one(&mut root, "command"),
        limits: reading.one(&mut root, "limits"),
        containment: reading.one(&mut root, "containment"),
        store: reading.one(&mut root, "store"),
    };
    (document, reading.lines)
}

struct Reading<'a> {
    path: &'a Path,
    starts: Vec<usize>,
    lines: Lines,
    problems: &'a mut Problems,
}

impl Reading<'_> {
    fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }

    fn report(&mut self, offset: Option<usize>, message: &str) {
        let line = offset.map(|offset| self.line(offset));
        self.problems.add(self.path, line, one_line(message));
    }

    /// Notes where keys stand; reports and removes those that the schema does not know.
    fn keys(&mut self, at: &str, table: &mut DeTable<'_>, schema: &Value) {
        let known = schema.get("properties").and_then(Value::as_object);
        let open = schema.get("additionalProperties").filter(|allowed| **allowed != Value::Bool(false));
        let mut unknown = Vec::new();
        for (key, value) in table.iter_mut() {
            let name = key.get_ref().as_ref();
            let path = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
            let inner = known.and_then(|known| known.get(name)).or(open);
            self.lines.insert(path.clone(), self.line(key.span().start));
            match inner {
                Some(inner) => self.values(&path, value, inner),
                None => {
                    let names = known.into_iter().flat_map(|known| known.keys().map(String::as_str));
                    let place = if at.is_empty() { String::new() } else { format!(" in [{}]", bare(at)) };
                    let hint = did_you_mean(name, names);
                    self.report(Some(key.span().start), &format!("unknown key `{name}`{place}{hint}"));
                    unknown.push(key.clone());
                }
            }
        }
        unknown.iter().for_each(|key| {
            table.remove(key);
        });
    }

    fn values(&mut self, path: &str, value: &mut Spanned<DeValue<'_>>, schema: &Value) {
        let start = value.span().start;
        match value.get_mut() {
            DeValue::Table(table) => {
                if let Some(schema) = table_schema(schema) {
                    self.keys(path, table, schema);
                }
            }
            DeValue::Array(array) => {
                let Some(items) = schema.get("items") else { return };
                for (index, item) in array.iter_mut().enumerate() {
                    let path = format!("{path}[{index}]");
                    let line = self.line(item.span().start);
                    self.lines.insert(path.clone(), line);
                    self.values(&path, item, items);
                }
            }
            _ => {
                let line = self.line(start);
                self.lines.insert(path.to_owned(), line);
            }
        }
    }

    fn one<T: DeserializeOwned + Default>(&mut self, root: &mut DeTable<'_>, key: &str) -> T {
        root.remove(key).and_then(|value| self.read(value)).unwrap_or_default()
    }

    fn many<T: DeserializeOwned>(&mut self, root: &mut DeTable<'_>, key: &str) -> Vec<T> {
        let Some(value) = root.remove(key) else { return Vec::new() };
        let start = value.span().start;
        let DeValue::Array(items) = value.into_inner() else {
            self.report(Some(start), &format!("`{key}` must be written as [[{key}]]"));
            return Vec::new();
        };
        let read: Vec<Option<T>> = items.into_iter().map(|item| self.read(item)).collect();
        self.renumber(key, &read.iter().map(Option::is_some).collect::<Vec<_>>());
        read.into_iter().flatten().collect()
    }

    /// Keeps the lines right when a table of a list was left out: `twin[2]` is `twin[1]` now.
    fn renumber(&mut self, list: &str, kept: &[bool]) {
        if kept.iter().all(|kept| *kept) {
            return;
        }
        let old = std::mem::take(&mut self.lines);
        self.lines =
            old.into_iter().filter_map(|(key, line)| Some((renumbered(key, list, kept)?, line))).collect();
    }

    fn read<T: DeserializeOwned>(&mut self, value: Spanned<DeValue<'_>>) -> Option<T> {
        let start = value.span().start;
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(read) => Some(read),
            Err(error) => {
                let offset = error.span().map_or(start, |span| span.start);
                self.report(Some(offset), error.message());
                None
            }
        }
    }
}

/// The schema of a table: itself, or the one behind an optional part; `None` where anything goes.
fn table_schema(schema: &Value) -> Option<&Value> {
    let open = schema.get("additionalProperties").is_some_and(|allowed| *allowed != Value::Bool(false));
    if open || schema.get("properties").is_some() {
        return Some(schema);
    }
    schema.get("anyOf")?.as_array()?.iter().find_map(table_schema)
}

/// `None` for the keys of a table that was left out.
fn renumbered(key: String, list: &str, kept: &[bool]) -> Option<String> {
    let inside =
        key.strip_prefix(list).and_then(|rest| rest.strip_prefix('[')).and_then(|rest| rest.split_once(']'));
    let Some((index, rest)) = inside else { return Some(key) };
    let index: usize = index.parse().ok()?;
    kept.get(index).copied().filter(|kept| *kept)?;
    let before = kept.iter().take(index).filter(|kept| **kept).count();
    Some(format!("{list}[{before}]{rest}"))
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

/// `twin[3].point.x` → `twin.point.x`, as the header in the file reads.
fn bare(path: &str) -> String {
    path.split('.').map(|part| part.split('[').next().unwrap_or(part)).collect::<Vec<_>>().join(".")
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
