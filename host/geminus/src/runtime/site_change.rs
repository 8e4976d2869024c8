//! Whether the site file is the one of the last start: what changed is journaled by the names of its keys. Values are
//! not told, since an address may hold a password. A copy of the file in the data folder, readable by its owner only,
//! is what the next start compares with.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use geminus_core::{Digest, Event, Severity};

use super::chronicle::Chronicle;

/// The site file of the last start.
const LAST: &str = "site.last.toml";
/// Most keys that the message names; the number of the others follows.
const NAMED_MAX: usize = 12;

/// Compares, tells, and keeps the file for the next start.
pub(crate) fn tell(site: &Path, data: &Path, chronicle: &Chronicle) -> anyhow::Result<()> {
    let text = fs::read_to_string(site)?;
    let last = data.join(LAST);
    match fs::read_to_string(&last) {
        Ok(before) if before == text => return Ok(()),
        Ok(before) => chronicle.tell(event(&before, &text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    keep(&last, &text)?;
    Ok(())
}

fn event(before: &str, text: &str) -> Event {
    let keys = changes(before, text);
    let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
    let named = keys.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = match (keys.len(), keys.len().saturating_sub(NAMED_MAX)) {
        (0, _) => "the site file differs from that of the last start in comments or spelling only".to_owned(),
        (_, 0) => format!("the site file is not that of the last start: {named}"),
        (_, more) => format!("the site file is not that of the last start: {named} and {more} more"),
    };
    let facts = serde_json::json!({ "before": digest(before), "digest": digest(text), "keys": keys.len() });
    Event::new("site-changed", Severity::Info, message).facts(facts)
}

/// Whole or not at all: written beside, synced, renamed.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("toml.new");
    let mut options = fs::File::options();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// `changed a.b`, `added c[2]`, `removed d`, in the order of their keys. A table that came or went is one key.
fn changes(before: &str, after: &str) -> Vec<String> {
    // What is no TOML counts as one value of its own: a copy that somebody damaged is told as a change.
    let read = |text: &str| {
        toml::from_str(text).map_or_else(|_| toml::Value::String(text.to_owned()), toml::Value::Table)
    };
    let mut found = Vec::new();
    compare("", &read(before), &read(after), &mut found);
    found
}

fn compare(key: &str, before: &toml::Value, after: &toml::Value, found: &mut Vec<String>) {
    let parts = |value: &toml::Value| match value {
        toml::Value::Table(table) => {
            let name = |name: &String| if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            Some(table.iter().map(|(own, value)| (name(own), value.clone())).collect::<BTreeMap<_, _>>())
        }
        // Lists of plain values are one value.
        toml::Value::Array(list) if list.iter().any(toml::Value::is_table) => {
            Some(list.iter().enumerate().map(|(at, value)| (format!("{key}[{at}]"), value.clone())).collect())
        }
        _ => None,
    };
    match (parts(before), parts(after)) {
        (Some(before), Some(after)) => {
            for (key, value) in &before {
                match after.get(key) {
                    Some(other) => compare(key, value, other, found),
                    None => found.push(format!("removed {key}")),
                }
            }
            found.extend(
                after.keys().filter(|key| !before.contains_key(*key)).map(|key| format!("added {key}")),
            );
        }
        _ if before != after => found.push(format!("changed {key}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_by_key_and_never_by_value() {
        let before =
            "[site]\nname = \"a\"\n[source.mqtt]\nurl = \"mqtt://ann:secret@x\"\n[[twin]]\nid = \"p\"\n";
        let check = |after: &str, expect: &[&str]| {
            assert_eq!(changes(before, after), expect, "{after}");
            assert!(!event(before, after).message.contains("secret"));
        };
        check(before, &[]);
        check(&format!("# a comment\n{before}"), &[]);
        check(&before.replace("secret", "other-secret"), &["changed source.mqtt.url"]);
        check(&before.replace("name = \"a\"", "data = \"d\""), &["removed site.name", "added site.data"]);
        check(&format!("{before}[[twin]]\nid = \"q\"\n"), &["added twin[1]"]);
    }

    #[test]
    fn a_comment_is_told_as_one() {
        let message = event("a = 1\n", "a = 1 # one\n").message;
        assert!(message.contains("comments"), "{message}");
    }
}
