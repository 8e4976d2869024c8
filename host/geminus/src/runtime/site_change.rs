//! Whether the site file and the types that it uses are those of the last start: what changed is journaled by the names of keys and of type
//! files. Values are not told, since an address may hold a password. A copy of the file in the data folder, readable by its owner only, and
//! the digests of the types are what the next start compares with. They are written only once the journal has what changed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use geminus_core::{Digest, Event, Severity};

use super::chronicle::Chronicle;

/// The site file of the last start.
const LAST: &str = "site.last.toml";
/// Digests of the type files of the last start, by name.
const LAST_TYPES: &str = "types.last.json";
/// Most keys that the message names; the number of the others follows.
const NAMED_MAX: usize = 12;

/// Type files by name, with their digests.
type Types = BTreeMap<String, String>;

/// Compares, records, and keeps file and digests for the next start: in this order, so that a host that is killed in between records it
/// once more rather than never. `types`: the folder of the site's types. Blocks for the journal.
///
/// # Errors
/// When a file cannot be read or written, or the journal not be written: then the next start compares with the same as this one.
pub(crate) fn tell(site: &Path, types: &Path, data: &Path, chronicle: &Chronicle) -> anyhow::Result<()> {
    let (text, types) = (fs::read_to_string(site)?, digests(types)?);
    let (last, last_types) = (data.join(LAST), data.join(LAST_TYPES));
    let (before, before_types) = (kept(&last)?, kept(&last_types)?);
    let is_same = before.as_ref().is_none_or(|before| *before == text);
    // A host of an earlier version kept no digests, and what somebody damaged differs from every type.
    let read = |text: &String| serde_json::from_str::<Types>(text).unwrap_or_default();
    let of_types =
        before_types.as_ref().map(|before| type_changes(&read(before), &types)).unwrap_or_default();
    if !is_same || !of_types.is_empty() {
        let event = event(before.as_deref().unwrap_or(&text), &text, of_types);
        chronicle.record(event).context("a change of the site cannot be journaled")?;
    }
    if before.as_ref() != Some(&text) {
        keep(&last, &text)?;
    }
    let types = serde_json::to_string(&types)?;
    if before_types.as_ref() != Some(&types) {
        keep(&last_types, &types)?;
    }
    Ok(())
}

/// What a file holds; `None` when there is none.
fn kept(path: &Path) -> std::io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The files of a folder of types, as the host reads them.
fn digests(types: &Path) -> std::io::Result<Types> {
    let mut found = Types::new();
    for entry in fs::read_dir(types)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.extension().is_some_and(|extension| extension == "json") {
            found.insert(name, Digest::of(&fs::read(&path)?).to_string());
        }
    }
    Ok(found)
}

/// `changed type a.json`, `added type b.json`, `removed type c.json`.
fn type_changes(before: &Types, after: &Types) -> Vec<String> {
    let gone =
        before.keys().filter(|name| !after.contains_key(*name)).map(|name| format!("removed type {name}"));
    let come = after.iter().filter_map(|(name, digest)| match before.get(name) {
        None => Some(format!("added type {name}")),
        Some(other) => (other != digest).then(|| format!("changed type {name}")),
    });
    gone.chain(come).collect()
}

fn event(before: &str, text: &str, types: Vec<String>) -> Event {
    let mut keys = changes(before, text);
    let is_of_types_only = before == text && !types.is_empty();
    keys.extend(types);
    let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
    let named = keys.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = match (keys.len(), keys.len().saturating_sub(NAMED_MAX)) {
        (0, _) => "the site file differs from that of the last start in comments or spelling only".to_owned(),
        (_, 0) if is_of_types_only => format!("the types are not those of the last start: {named}"),
        (_, more) if is_of_types_only => {
            format!("the types are not those of the last start: {named} and {more} more")
        }
        (_, 0) => format!("the site file is not that of the last start: {named}"),
        (_, more) => format!("the site file is not that of the last start: {named} and {more} more"),
    };
    let facts = serde_json::json!({ "before": digest(before), "digest": digest(text), "keys": keys.len() });
    Event::new("site-changed", Severity::Info, message).facts(facts)
}

/// Whole or not at all: written beside, synced, renamed.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("new");
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
            assert!(!event(before, after, Vec::new()).message.contains("secret"));
        };
        check(before, &[]);
        check(&format!("# a comment\n{before}"), &[]);
        check(&before.replace("secret", "other-secret"), &["changed source.mqtt.url"]);
        check(&before.replace("name = \"a\"", "data = \"d\""), &["removed site.name", "added site.data"]);
        check(&format!("{before}[[twin]]\nid = \"q\"\n"), &["added twin[1]"]);
    }

    #[test]
    fn a_comment_is_told_as_one() {
        let message = event("a = 1\n", "a = 1 # one\n", Vec::new()).message;
        assert!(message.contains("comments"), "{message}");
    }

    /// A folder with a site, its types and its data.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let place = Self(tempfile::tempdir().expect("folder"));
            ["types", "data"].iter().for_each(|name| fs::create_dir(place.at(name)).expect("folder"));
            place.write("site.toml", "a = 1\n");
            place.write("types/pump.json", "{}");
            place
        }

        fn at(&self, name: &str) -> std::path::PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.at(name), text).expect("written");
        }

        fn store(&self) -> geminus_store::Store {
            let clock = std::sync::Arc::new(geminus_core::SystemClock::new());
            geminus_store::Store::open(&self.at("data"), geminus_store::Options::default(), clock)
                .expect("store")
        }

        fn tell(&self, chronicle: &Chronicle) -> anyhow::Result<()> {
            tell(&self.at("site.toml"), &self.at("types"), &self.at("data"), chronicle)
        }
    }

    /// What a start journals of what changed.
    fn told(place: &Place) -> Vec<String> {
        let store = place.store();
        let before =
            store.journal().latest(1, None, None).expect("read").first().map_or(0, |entry| entry.seq);
        place.tell(&Chronicle::new(store.journal())).expect("told");
        let entries = store.journal().after(before, 10).expect("read");
        store.close().expect("closed");
        entries.into_iter().map(|entry| entry.event.message).collect()
    }

    #[test]
    fn a_change_of_a_type_is_told_like_one_of_the_site() {
        let place = Place::new();
        assert_eq!(told(&place), Vec::<String>::new(), "the first start");
        place.write("types/pump.json", "[]");
        place.write("types/fan.json", "{}");
        place.write("types/notes.txt", "no type");
        let of_types =
            "the types are not those of the last start: added type fan.json, changed type pump.json";
        assert_eq!(told(&place), [of_types]);
        assert_eq!(told(&place), Vec::<String>::new(), "it is told once");
        fs::remove_file(place.at("types/fan.json")).expect("removed");
        place.write("site.toml", "a = 2\n");
        assert_eq!(
            told(&place),
            ["the site file is not that of the last start: changed a, removed type fan.json"]
        );
        // A host of an earlier version kept no digests.
        fs::remove_file(place.at("data/types.last.json")).expect("removed");
        place.write("types/pump.json", "{}");
        assert_eq!(told(&place), Vec::<String>::new());
        place.write("types/pump.json", "[]");
        assert_eq!(told(&place).len(), 1);
    }

    #[test]
    fn what_the_journal_did_not_take_is_told_at_the_next_start() {
        let place = Place::new();
        told(&place);
        place.write("site.toml", "a = 2\n");
        place.write("types/pump.json", "[]");
        let store = place.store();
        let chronicle = Chronicle::new(store.journal());
        store.close().expect("the journal takes nothing any more");
        assert!(place.tell(&chronicle).is_err());
        assert_eq!(fs::read_to_string(place.at("data/site.last.toml")).expect("kept"), "a = 1\n");
        assert_eq!(
            told(&place),
            ["the site file is not that of the last start: changed a, changed type pump.json"]
        );
    }
}
