//! What the session at the broker is subscribed to, remembered over restarts. MQTT cannot be asked.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The subscriptions of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    client_id: String,
    broker: String,
    qos: u8,
    filters: BTreeSet<String>,
    /// At QoS 0 whatever `qos` says. Hosts of before knew none.
    #[serde(default)]
    at_most_once: BTreeSet<String>,
}

/// The client id whose session the memo at `path` is of; `None` when there is none that can be read. For whoever chooses
/// client ids: under another one, what the broker keeps for this session would never come. Blocks on the file.
#[must_use]
pub fn remembered_client_id(path: &Path) -> Option<String> {
    read(path).map(|page| page.client_id).filter(|id| !id.is_empty())
}

fn read(path: &Path) -> Option<Page> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// What must be done to bring a session to the wanted filters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// To subscribe at the quality of service of the source.
    pub(crate) subscribe: Vec<String>,
    /// To subscribe at QoS 0.
    pub(crate) at_most_once: Vec<String>,
    /// To unsubscribe.
    pub(crate) unsubscribe: Vec<String>,
}

/// The wanted page and the file that holds the last one.
#[derive(Debug)]
pub(crate) struct Memo {
    path: Option<PathBuf>,
    wanted: Page,
    /// What the session was known to have before `wanted` was confirmed; `None` when nobody knows.
    known: Option<Page>,
    /// The session has what is wanted. Then `known` is gone, because a fleet's filters are many.
    is_confirmed: bool,
}

impl Memo {
    /// Reads the last page; one that cannot be read is as good as none.
    pub(crate) fn open(
        path: Option<PathBuf>,
        client_id: &str,
        broker: &str,
        qos: u8,
        filters: Vec<String>,
        at_most_once: Vec<String>,
    ) -> Self {
        let wanted = Page {
            client_id: client_id.to_owned(),
            broker: broker.to_owned(),
            qos,
            filters: filters.into_iter().collect(),
            at_most_once: at_most_once.into_iter().collect(),
        };
        let known = path
            .as_deref()
            .and_then(read)
            .filter(|page| page.client_id == wanted.client_id && page.broker == wanted.broker);
        let is_confirmed = known.as_ref() == Some(&wanted);
        Self { path, wanted, known: known.filter(|_| !is_confirmed), is_confirmed }
    }

    /// What a connection must do first.
    pub(crate) fn changes(&self, session_present: bool) -> Changes {
        let wanted = &self.wanted;
        let all = || wanted.filters.iter().cloned().collect();
        match &self.known {
            None if session_present && self.is_confirmed => Changes::default(),
            Some(known) if session_present => Changes {
                subscribe: match known.qos == wanted.qos {
                    true => wanted.filters.difference(&known.filters).cloned().collect(),
                    false => all(),
                },
                at_most_once: wanted.at_most_once.difference(&known.at_most_once).cloned().collect(),
                unsubscribe: known
                    .filters
                    .union(&known.at_most_once)
                    .filter(|filter| {
                        !wanted.filters.contains(*filter) && !wanted.at_most_once.contains(*filter)
                    })
                    .cloned()
                    .collect(),
            },
            _ => Changes {
                subscribe: all(),
                at_most_once: wanted.at_most_once.iter().cloned().collect(),
                unsubscribe: Vec::new(),
            },
        }
    }

    /// The broker confirmed the wanted filters.
    ///
    /// # Errors
    /// When the file cannot be written; the session works all the same.
    pub(crate) fn confirmed(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_confirmed, true) {
            return Ok(());
        }
        self.known = None;
        let Some(path) = &self.path else { return Ok(()) };
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec(&self.wanted)?)?;
        std::fs::rename(fresh, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn only_what_changed_is_changed() {
        let folder = tempfile::tempdir().expect("folder");
        let path = Some(folder.path().join("session.json"));
        let open = |filters: &[&str], qos| {
            Memo::open(path.clone(), "me", "mqtt://b:1", qos, names(filters), Vec::new())
        };
        let mut first = open(&["a", "b"], 1);
        assert_eq!(first.changes(true).subscribe, ["a", "b"], "nobody knows what the session has");
        assert_eq!(remembered_client_id(path.as_deref().expect("a path")), None);
        first.confirmed().expect("written");
        assert_eq!(remembered_client_id(path.as_deref().expect("a path")).as_deref(), Some("me"));
        assert_eq!(first.changes(true), Changes::default());
        assert_eq!(first.changes(false).subscribe, ["a", "b"]);
        let second = open(&["b", "c"], 1);
        let changes = Changes { subscribe: names(&["c"]), unsubscribe: names(&["a"]), ..Changes::default() };
        assert_eq!(second.changes(true), changes);
        let moved = Memo::open(path.clone(), "me", "mqtt://b:1", 1, names(&["a"]), names(&["b", "d"]));
        let changes = Changes { at_most_once: names(&["b", "d"]), ..Changes::default() };
        assert_eq!(moved.changes(true), changes, "a filter that moves is asked for anew and not given up");
        assert_eq!(open(&["a", "b"], 0).changes(true).subscribe, ["a", "b"]);
        let other = Memo::open(path.clone(), "another", "mqtt://b:1", 1, names(&["a", "b"]), Vec::new());
        assert_eq!(other.changes(true).subscribe, ["a", "b"]);
        std::fs::write(folder.path().join("session.json"), b"{torn").expect("torn");
        assert_eq!(
            open(&["a", "b"], 1).changes(true).subscribe,
            ["a", "b"],
            "a torn file is as good as none"
        );
    }
}
