//! Entries of the journal on the thread of an asset: which kind of entry each is, and which of them it leaves out.

use geminus_api::view::{ThreadEntryView, ThreadKind};
use geminus_store::{Entry, StoreError};

use super::explain::Explainer;

/// What entries of the journal can be.
pub(super) const KINDS: [ThreadKind; 7] = [
    ThreadKind::Design,
    ThreadKind::Version,
    ThreadKind::Samples,
    ThreadKind::Alert,
    ThreadKind::Decision,
    ThreadKind::Record,
    ThreadKind::Event,
];

/// Steps of a command between its proposal and its end at which nobody decides anything: the page of the command has them.
const STEPS: [&str; 6] = [
    "command-checked",
    "command-armed",
    "command-sending",
    "command-sent",
    "command-acknowledged",
    "proposal-commanded",
];

/// What an event of the journal is on a thread; `None` for what is left out.
pub(super) fn kind(event: &str) -> Option<ThreadKind> {
    let begins = |words: &[&str]| words.iter().any(|word| event.starts_with(word));
    Some(match event {
        step if STEPS.contains(&step) => return None,
        "site-changed" => ThreadKind::Design,
        "twin-stale" | "twin-live" => ThreadKind::Samples,
        "records-corrected" => ThreadKind::Record,
        "twin-apart" | "twin-restarted" | "twin-quarantined" | "twin-refused" | "version-set-aside" => {
            ThreadKind::Version
        }
        _ if begins(&["alert-", "alarm-"]) => ThreadKind::Alert,
        _ if begins(&["command-", "proposal-", "target-", "interlock-", "authority-", "heartbeat-"]) => {
            ThreadKind::Decision
        }
        _ => ThreadKind::Event,
    })
}

/// An entry as the thread shows it. Blocks when it is about a command.
pub(super) fn view(
    entry: Entry,
    kind: ThreadKind,
    explainer: &mut Explainer<'_>,
) -> Result<ThreadEntryView, StoreError> {
    let explain = explainer.explain(&entry, kind)?;
    let Entry { seq, time, event } = entry;
    let id = format!("journal-{seq}");
    Ok(ThreadEntryView {
        severity: event.severity,
        facts: event.facts,
        explain,
        ..super::plain(id, kind, &event.kind, time, event.message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_journal_says_has_its_place_on_the_thread() {
        let check = |event: &str, expect: Option<ThreadKind>| assert_eq!(kind(event), expect, "{event}");
        check("alert-raised", Some(ThreadKind::Alert));
        check("alarm-acknowledged", Some(ThreadKind::Alert));
        check("command-proposed", Some(ThreadKind::Decision));
        check("command-approved", Some(ThreadKind::Decision));
        check("command-sending", None);
        check("proposal-refused", Some(ThreadKind::Decision));
        check("proposal-commanded", None);
        check("interlock-tripped", Some(ThreadKind::Decision));
        check("authority-set", Some(ThreadKind::Decision));
        check("twin-stale", Some(ThreadKind::Samples));
        check("twin-quarantined", Some(ThreadKind::Version));
        check("site-changed", Some(ThreadKind::Design));
        check("host-started", Some(ThreadKind::Event));
        check("records-corrected", Some(ThreadKind::Record));
        check("behavior-fault", Some(ThreadKind::Event));
    }
}
