//! The journal's share of what becomes of commands: whatever the outbox keeps of a change says what the journal is to be told of it, until
//! the journal has it. A host that is killed between the two tells it at its next start.

use geminus_store::{Entry, Journal, Outbox, Untold};

use super::books::HouseBooks;
use crate::runtime::chronicle::Chronicle;

/// Words that are looked at and marked together.
const TOGETHER_MAX: usize = 1_000;
/// How many of the newest entries are looked through for words that were told and not marked: far more than a host writes between two
/// marks.
const ENTRIES_MAX: usize = 4_096;

impl HouseBooks {
    /// Marks what was told, once the journal has it. What cannot be marked now stays for the next time. Blocks for two commits, if there
    /// is anything to mark.
    pub(super) fn mark_told(&mut self) {
        if self.told.is_empty() || !self.journal.writable() || self.chronicle.flush().is_err() {
            return;
        }
        let told = std::mem::take(&mut self.told);
        for some in told.chunks(TOGETHER_MAX) {
            if let Err(error) = self.outbox.told(some) {
                tracing::debug!(%error, "what the journal was told is marked later");
                self.told.extend(some);
            }
        }
    }
}

/// Tells the journal what an earlier run kept and did not come to tell. Each is durable before the next one, and no one is told twice.
/// What cannot be told now stays for the next start. Blocks.
///
/// # Errors
/// When outbox or journal cannot be read.
pub(super) fn catch_up(
    outbox: &Outbox,
    journal: &Journal,
    chronicle: &Chronicle,
) -> Result<(), geminus_store::StoreError> {
    loop {
        let untold = outbox.untold(TOGETHER_MAX)?;
        if untold.is_empty() {
            return Ok(());
        }
        let known = journal.latest(ENTRIES_MAX, None, None)?;
        for Untold { id, step, time, word } in untold {
            let mut event = word;
            let is_known = known.iter().any(|entry| says(entry, &event));
            if let Some(facts) = event.facts.as_object_mut() {
                facts.insert("made".to_owned(), geminus_api::view::Time::from(time).to_string().into());
            }
            let told = if is_known { Ok(()) } else { chronicle.record(event).map(drop) };
            if let Err(error) = told.and_then(|()| outbox.told(&[(id, step)])) {
                tracing::error!(%error, "what became of commands of the last run is not in the journal yet");
                return Ok(());
            }
        }
    }
}

/// Whether an entry is this word: of the same change of the same command.
fn says(entry: &Entry, word: &geminus_core::Event) -> bool {
    let same = |fact: &str| entry.event.facts.get(fact) == word.facts.get(fact);
    entry.event.kind == word.kind && same("command") && same("step")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use geminus_api::{BusLimits, EventBus};
    use geminus_core::{Clock, Event, Severity, SystemClock, Timestamp};
    use geminus_store::{CommandChange, CommandRow, Options, Store};
    use uuid::Uuid;

    use super::super::books::Books as _;
    use super::*;

    fn open(dir: &Path) -> (Store, HouseBooks) {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store = Store::open(dir, Options::default(), Arc::clone(&clock)).expect("store");
        let books = HouseBooks {
            outbox: store.outbox(),
            journal: store.journal(),
            chronicle: Chronicle::new(store.journal()),
            bus: EventBus::new(Arc::clone(&clock), BusLimits::default()),
            clock,
            told: Vec::new(),
        };
        (store, books)
    }

    fn change(number: u8) -> (CommandChange, Event) {
        let id = Uuid::from_bytes([number; 16]);
        let facts = serde_json::json!({ "command": id, "step": 0 });
        let word = Event::new("command-proposed", Severity::Info, "proposed").twin("rig").facts(facts);
        let row = CommandRow {
            number: 0,
            id: *id.as_bytes(),
            twin: "rig".to_owned(),
            target: "limit".to_owned(),
            digest: "sha256:00".to_owned(),
            step: 0,
            state: "proposed".to_owned(),
            since: Timestamp(1_900_000_000_000_000_000),
            open: true,
            document: "{}".to_owned(),
        };
        (CommandChange { row, cause: "{}".to_owned(), word: Some(word.clone()) }, word)
    }

    /// What the journal has of these commands, in its order: the first byte of the id, and whether it says when it was.
    fn journaled(store: &Store) -> Vec<(u8, bool)> {
        let entries = store.journal().after(0, 100).expect("read");
        let of = |entry: &Entry| {
            let id: Uuid = entry.event.facts.get("command")?.as_str()?.parse().ok()?;
            Some((id.as_bytes().first().copied()?, entry.event.facts.get("made").is_some()))
        };
        entries.iter().filter_map(of).collect()
    }

    #[test]
    fn what_was_kept_and_not_told_is_told_once_at_the_next_start() {
        let dir = tempfile::tempdir().expect("folder");
        let (store, mut books) = open(dir.path());
        for number in 1..=3 {
            let (kept, word) = change(number);
            books.save(&kept).expect("kept");
            // The first was told and marked, the second was told; then the host was killed.
            if number < 3 {
                books.tell_of((Uuid::from_bytes(kept.row.id), 0), word);
            }
            if number == 1 {
                books.mark_told();
            }
        }
        store.journal().flush().expect("the journal has the second one");
        assert_eq!(store.outbox().untold(10).expect("read").len(), 2);
        drop(books);
        store.close().expect("closed");

        let (store, books) = open(dir.path());
        for _ in 0..2 {
            catch_up(&books.outbox, &books.journal, &books.chronicle).expect("caught up");
            assert_eq!(journaled(&store), [(1, false), (2, false), (3, true)]);
            assert_eq!(store.outbox().untold(10).expect("read"), []);
        }
    }
}
