//! What was found, as a part of `site.toml`: a source, and binds by object. Pure.

use std::fmt::Write as _;

use super::{Found, Variable};

/// Characters that the topic of a bind cannot hold.
const NOT_IN_TOPIC: [char; 4] = ['{', '}', '#', '+'];

impl Found {
    /// The part of a site file, with the lines that belong below `[source.opcua]`. Twins are named like the objects, points
    /// like the variables: types with these points are to be written or renamed.
    #[must_use]
    pub fn to_toml(&self, source: &str, settings: &str) -> String {
        let mut out = String::new();
        let mut line = |text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        line("[[source]]".to_owned());
        line(format!("name = {}", quoted(source)));
        line("[source.opcua]".to_owned());
        settings.lines().for_each(|one| line(one.to_owned()));
        if self.cut {
            line(
                "\n# There is more: a bound was met. Look under one node at a time, or raise the bounds."
                    .to_owned(),
            );
        }
        let mut rest = self.variables.as_slice();
        while let Some(first) = rest.first() {
            let end = rest.iter().position(|one| one.path != first.path).unwrap_or(rest.len());
            let (group, after) = rest.split_at(end);
            rest = after;
            line(format!("\n# {}", printable(&first.path.join(" / "))));
            binds(source, group).lines().for_each(|one| line(one.to_owned()));
        }
        out
    }
}

/// Binds of the variables of one object.
fn binds(source: &str, group: &[Variable]) -> String {
    let mut out = String::new();
    let twin = twin_id(group.first().and_then(|one| one.path.last()).map_or("server", String::as_str));
    let (usable, other): (Vec<&Variable>, Vec<&Variable>) =
        group.iter().partition(|one| one.fits && !one.node.contains(NOT_IN_TOPIC));
    for one in other {
        let why = if one.fits { "its name cannot stand in a topic" } else { "no point can hold it" };
        let kind = one.kind.as_deref().unwrap_or("unknown type");
        line(&mut out, format_args!("# {} {} ({kind}): {why}", printable(&one.node), printable(&one.name)));
    }
    // Nodes that are named like their point share one bind.
    let template = |one: &Variable| {
        let start = one.node.strip_suffix(one.name.as_str()).filter(|_| identifier(&one.name) == one.name)?;
        Some(format!("{start}{{point}}"))
    };
    let mut done: Vec<String> = Vec::new();
    for one in &usable {
        let (topic, members) = match template(one) {
            Some(topic) if done.contains(&topic) => continue,
            Some(topic) => {
                let members =
                    usable.iter().filter(|other| template(other).as_ref() == Some(&topic)).copied().collect();
                done.push(topic.clone());
                (topic, members)
            }
            None => (one.node.clone(), vec![*one]),
        };
        bind(&mut out, source, &twin, &topic, &members);
    }
    out
}

fn bind(out: &mut String, source: &str, twin: &str, topic: &str, members: &[&Variable]) {
    line(out, format_args!("[[bind]]\nsource = {}\ntwins = {}", quoted(source), quoted(twin)));
    line(out, format_args!("topic = {}", quoted(topic)));
    let points: Vec<String> = members.iter().map(|one| quoted(&identifier(&one.name))).collect();
    let kinds: Vec<&str> = members.iter().map(|one| one.kind.as_deref().unwrap_or("unknown type")).collect();
    line(out, format_args!("points = [{}] # {}", points.join(", "), kinds.join(", ")));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    writeln!(out, "{text}").unwrap_or_default();
}

/// A TOML string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => write!(out, "\\u{:04X}", u32::from(c)).unwrap_or_default(),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What may stand in a comment.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// An id for a twin.
fn twin_id(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.:".contains(c) { c } else { '_' };
    name.chars().map(safe).collect()
}

/// A name for a point.
fn identifier(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let text: String = name.chars().map(safe).collect();
    match text.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => text,
        _ => format!("x{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(path: &[&str], name: &str, node: &str, kind: &str, fits: bool) -> Variable {
        Variable {
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            name: name.to_owned(),
            node: node.to_owned(),
            kind: Some(kind.to_owned()),
            fits,
        }
    }

    #[test]
    fn objects_become_binds_and_what_does_not_fit_a_comment() {
        let found = Found {
            variables: vec![
                variable(&["Plant", "Pump 1"], "Load", "ns=2;s=Pump1.Load", "Double", true),
                variable(&["Plant", "Pump 1"], "Speed", "ns=2;s=Pump1.Speed", "Int32", true),
                variable(&["Plant", "Pump 1"], "Count", "ns=2;i=17", "UInt32", true),
                variable(&["Plant", "Pump 1"], "Curve", "ns=2;s=Pump1.Curve", "array of Double", false),
                variable(&["Plant"], "a#b", "ns=2;s=a#b", "Double", true),
            ],
            cut: false,
        };
        let text = found.to_toml("plc", "endpoint = \"opc.tcp://plc:4840\"");
        let expect = r#"[[source]]
name = "plc"
[source.opcua]
endpoint = "opc.tcp://plc:4840"

# Plant / Pump 1
# ns=2;s=Pump1.Curve Curve (array of Double): no point can hold it
[[bind]]
source = "plc"
twins = "Pump_1"
topic = "ns=2;s=Pump1.{point}"
points = ["Load", "Speed"] # Double, Int32
[[bind]]
source = "plc"
twins = "Pump_1"
topic = "ns=2;i=17"
points = ["Count"] # UInt32

# Plant
# ns=2;s=a#b a#b (Double): its name cannot stand in a topic
"#;
        assert_eq!(text, expect);
    }

    #[test]
    fn what_strangers_wrote_cannot_leave_its_place() {
        let evil = "x\"\n[http]\nlisten = \"0.0.0.0:1\"";
        let found = Found {
            variables: vec![variable(&[evil], evil, &format!("ns=2;s={evil}"), "Double", true)],
            cut: true,
        };
        let text = found.to_toml("plc", "");
        assert!(
            text.lines().all(|line| !line.starts_with("[http]") && !line.starts_with("listen")),
            "{text}"
        );
        assert!(text.contains("There is more"));
        assert_eq!(quoted("a\"b\\c\u{7f}"), "\"a\\\"b\\\\c\\u007F\"");
        assert_eq!(identifier("1 Ä"), "x1__");
    }
}
