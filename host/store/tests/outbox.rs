//! Commands are kept as they were said to be: changes follow on each other, all or none, over restarts from whatever was on
//! the disk at that moment; queries have bounds; what is still needed is never forgotten.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use geminus_command::{Command, Event, Feedback, Phase, Proposer, ReadBack, Record, Terms, apply, recover};
use geminus_core::{Event as Word, ManualClock, Quality, Severity, Timestamp};
use geminus_store::{
    COMMANDS_KEPT_MIN, CommandChange, CommandFilter, CommandRow, Options, OutboxReader, Store, StoreError,
};
use uuid::Builder;

const NOW: Timestamp = Timestamp(1_900_000_000_000_000_000);

fn open_at(dir: &Path, now: Timestamp) -> Store {
    Store::open(dir, Options::default(), Arc::new(ManualClock::new(now))).expect("store")
}

fn open(dir: &Path) -> Store {
    open_at(dir, NOW)
}

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn proposed(number: u16) -> Record {
    let mut random = [0; 10];
    random[8..].copy_from_slice(&number.to_be_bytes());
    let command = Command {
        id: Builder::from_unix_timestamp_millis(NOW.millis(), &random).into_uuid(),
        twin: format!("pump-{}", number % 10),
        target: "load-limit".to_owned(),
        value: 0.1 + 0.2,
        unit: "%".to_owned(),
        proposer: Proposer::Operator { name: "anna".to_owned() },
        reason: "too warm".to_owned(),
        evidence: Vec::new(),
        proposed: NOW,
        not_after: after(60),
        class: "routine".to_owned(),
    };
    let feedback = Feedback { point: "load_limit".to_owned(), tolerance: 0.5, within_ms: 5_000 };
    let terms =
        Terms { approvers: 1, approve_within_ms: 30_000, feedback: Some(feedback), destination: None };
    Record::propose(command, terms, NOW).expect("proposed")
}

fn change(record: &Record, cause: &str) -> CommandChange {
    let command = record.command();
    let row = CommandRow {
        number: 0,
        id: *record.id().as_bytes(),
        twin: command.twin.clone(),
        target: command.target.clone(),
        digest: record.digest().to_string(),
        step: record.step(),
        state: record.phase().name().to_owned(),
        since: record.since(),
        open: !record.is_over(),
        document: record.document().expect("document"),
    };
    CommandChange { row, cause: serde_json::json!({ "event": cause }).to_string(), word: None }
}

fn save(store: &Store, record: &Record, cause: &str) {
    store.outbox().save(&[change(record, cause)]).expect("saved");
}

/// What a host that is killed now leaves behind: the files as they are, with their logs.
fn as_killed(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("folder");
    for entry in std::fs::read_dir(dir).expect("folder").map(|entry| entry.expect("entry")) {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("outbox.db") && !name.to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), copy.path().join(name)).expect("copy");
        }
    }
    copy
}

fn loaded(store: &Store) -> Vec<Record> {
    let rows = store.outbox().open_commands().expect("read");
    rows.iter().map(|row| Record::from_document(&row.document).expect("a true record")).collect()
}

/// What the journal is to be told is kept with the change, until it was told: a kill between the two leaves it, and so does one between
/// telling and marking. What is written again in the same words says nothing twice.
#[test]
fn what_the_journal_was_not_told_outlives_a_kill() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let say = |record: &Record, word: &str| CommandChange {
        word: Some(Word::new(word, Severity::Info, word).twin("pump-1")),
        ..change(record, word)
    };
    let first = proposed(1);
    let checked = apply(&first, &Event::Permit, after(1)).expect("legal");
    let held = apply(&checked, &Event::Hold, after(2)).expect("legal");
    for change in [say(&first, "one"), say(&checked, "two"), change(&held, "quiet")] {
        store.outbox().save(std::slice::from_ref(&change)).expect("saved");
        store.outbox().save(&[change]).expect("the same again");
    }
    let untold = |dir: &Path| {
        let reader = OutboxReader::open(dir).expect("outbox");
        let untold = reader.untold(10).expect("read");
        untold.into_iter().map(|one| (one.step, one.word.kind, one.time)).collect::<Vec<_>>()
    };
    let both = [(0, "one".to_owned(), NOW), (1, "two".to_owned(), after(1))];
    assert_eq!(untold(as_killed(dir.path()).path()), both);
    assert_eq!(store.outbox().untold(1).expect("read").len(), 1);
    let id = *first.id().as_bytes();
    store.outbox().told(&[(id, 0), (id, 7), ([0; 16], 0)]).expect("marked, but what is not there");
    assert_eq!(untold(as_killed(dir.path()).path()), both[1..]);
    store.outbox().told(&[(id, 1)]).expect("marked");
    assert_eq!(untold(as_killed(dir.path()).path()), []);
    assert_eq!(store.outbox().transitions(&id).expect("read").len(), 3);
    let many = vec![(id, 0); 1_001];
    assert!(matches!(store.outbox().told(&many), Err(StoreError::TooLarge { .. })));
}

/// The outbox of the version before had no words: all that it kept counts as told, and it can be written on.
#[test]
fn an_outbox_of_the_version_before_is_taken_over() {
    let dir = tempfile::tempdir().expect("folder");
    let first = proposed(1);
    {
        let store = open(dir.path());
        save(&store, &first, "propose");
        store.close().expect("closed");
        let file = rusqlite::Connection::open(dir.path().join("outbox.db")).expect("file");
        file.execute_batch(
            "DROP INDEX transition_untold; ALTER TABLE transition DROP COLUMN word; PRAGMA user_version = 1",
        )
        .expect("as it was");
    }
    let store = open(dir.path());
    assert_eq!(store.outbox().untold(10).expect("read"), []);
    save(&store, &apply(&first, &Event::Permit, after(1)).expect("legal"), "permit");
    assert_eq!(loaded(&store).len(), 1);
}

/// Every step of a command, a kill before and after each write and before and after the bytes leave: what starts next knows
/// how far it was, sends nothing twice, and takes nothing for done that nobody saw.
#[test]
fn a_host_that_is_killed_at_any_step_leaves_a_true_state() {
    let first = proposed(1);
    let sample = ReadBack { value: 0.3, quality: Quality::Good, time: after(2), received: after(2) };
    let path: Vec<(Event, Phase)> = vec![
        (Event::Permit, Phase::Proposed),
        (Event::Hold, Phase::Held),
        (Event::Approve { by: "ben".to_owned(), digest: first.digest() }, Phase::Held),
        (Event::Arm, Phase::Proposed),
        (Event::Send { before: None }, Phase::Indeterminate),
        (Event::Acknowledge { receipt: "PUBACK".to_owned() }, Phase::TransportAcked),
        (Event::ReadBack(sample), Phase::Verified),
    ];
    for kept in 0..=path.len() {
        let dir = tempfile::tempdir().expect("folder");
        let store = open(dir.path());
        save(&store, &first, "propose");
        let mut record = first.clone();
        let (mut left, mut expect) = (0, Phase::Proposed);
        for (event, recovered) in &path[..kept] {
            record = apply(&record, event, after(1)).expect("legal");
            save(&store, &record, event.kind().name());
            // Bytes leave only when the mark is kept.
            left += u32::from(record.phase() == Phase::Sent);
            expect = *recovered;
        }
        // Killed before the next step is written, which makes no difference to what is on the disk.
        let copy = as_killed(dir.path());
        let next = open(copy.path());
        let steps = next.outbox().transitions(first.id().as_bytes()).expect("read");
        assert_eq!(steps.len(), kept + 1);
        assert_eq!(steps.last().map(|last| last.state.as_str()), Some(record.phase().name()));
        let Some(found) = loaded(&next).pop() else {
            assert_eq!(record.phase(), Phase::Verified, "only what is over is not loaded");
            continue;
        };
        assert_eq!(found, record, "not a bit is lost");
        let mut again = recover(&found, None, after(3)).expect("legal");
        assert_eq!(again.phase(), expect, "after {kept} steps");
        if again != found {
            save(&next, &again, "restart");
        }
        // It goes on as far as it can; whatever can be sent now was not sent before.
        for (event, _) in &path[..5] {
            if let Ok(moved) = apply(&again, event, after(3)) {
                left += u32::from(moved.phase() == Phase::Sent && again.phase() == Phase::Armed);
                save(&next, &moved, event.kind().name());
                again = moved;
            }
        }
        assert!(left <= 1, "sent {left} times after {kept} steps");
        assert_eq!(again.sent().is_some(), left == 1, "after {kept} steps");
    }
}

#[test]
fn a_change_follows_on_what_is_kept_or_is_refused() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let outbox = store.outbox();
    let first = proposed(1);
    let checked = apply(&first, &Event::Permit, after(1)).expect("legal");
    let held = apply(&checked, &Event::Hold, after(1)).expect("legal");
    let step = |result: Result<(), StoreError>| match result {
        Err(StoreError::OutboxStep { given, kept, .. }) => (given, kept),
        other => panic!("{other:?}"),
    };
    assert_eq!(step(outbox.save(&[change(&checked, "permit")])), (1, None), "of a command that nobody knows");
    save(&store, &first, "propose");
    save(&store, &first, "propose");
    assert_eq!(step(outbox.save(&[change(&held, "hold")])), (2, Some(0)), "one step is missing");
    save(&store, &checked, "permit");
    save(&store, &checked, "permit");
    let other = apply(&first, &Event::Supersede { by: proposed(2).id() }, after(1)).expect("legal");
    let refused = outbox.save(&[change(&other, "supersede")]);
    assert!(refused.as_ref().is_err_and(|error| error.to_string().contains("read it again")), "{refused:?}");
    assert_eq!(step(refused), (1, Some(1)), "somebody else was first");
    let mut forged = change(&held, "hold");
    forged.row.digest = proposed(2).digest().to_string();
    assert_eq!(step(outbox.save(&[forged])), (2, Some(1)), "the bytes of a command never change");
    assert_eq!(
        outbox.transitions(first.id().as_bytes()).expect("read").len(),
        2,
        "what is repeated counts once"
    );
    assert!(outbox.writable(), "a refusal is no failure");
}

#[test]
fn changes_that_belong_together_are_kept_together() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let (old, new) = (proposed(1), proposed(11));
    save(&store, &old, "propose");
    let gone = apply(&old, &Event::Supersede { by: new.id() }, after(1)).expect("legal");
    let orphan = apply(&proposed(2), &Event::Permit, after(1)).expect("legal");
    let changes = [change(&gone, "supersede"), change(&new, "propose"), change(&orphan, "permit")];
    assert!(store.outbox().save(&changes).is_err());
    assert_eq!(loaded(&store), [old], "none of them");
    store.outbox().save(&changes[..2]).expect("saved");
    assert_eq!(loaded(&store), [new], "all of them");
    store.outbox().save(&[]).expect("nothing to do");
}

#[test]
fn many_who_write_at_once_are_all_answered() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    std::thread::scope(|scope| {
        for writer in 0..8u16 {
            let outbox = store.outbox();
            scope.spawn(move || {
                for turn in 0..25 {
                    let first = proposed(writer * 100 + turn);
                    outbox.save(&[change(&first, "propose")]).expect("saved");
                    let checked = apply(&first, &Event::Permit, after(1)).expect("legal");
                    outbox.save(&[change(&checked, "permit")]).expect("saved");
                    // What was answered is there for everybody at once.
                    let row = outbox.command(first.id().as_bytes()).expect("read").expect("there");
                    assert_eq!((row.step, row.state.as_str()), (1, "checked"));
                }
            });
        }
    });
    assert_eq!(loaded(&store).len(), 200);
    let outbox = store.outbox();
    store.close().expect("close");
    assert!(matches!(outbox.save(&[change(&proposed(999), "propose")]), Err(StoreError::Closed)));
    assert_eq!(loaded(&open(dir.path())).len(), 200);
}

#[test]
fn history_is_asked_by_twin_target_and_state_in_pages() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let outbox = store.outbox();
    let records: Vec<Record> = (0..1_200).map(proposed).collect();
    for part in records.chunks(400) {
        let changes: Vec<CommandChange> = part.iter().map(|record| change(record, "propose")).collect();
        outbox.save(&changes).expect("saved");
    }
    let refused = Event::Refuse { rule: "range".to_owned(), reason: "too much".to_owned() };
    let refused = apply(&records[7], &refused, after(1)).expect("legal");
    save(&store, &refused, "refuse");
    let numbers = |filter: CommandFilter, limit| {
        let rows = outbox.commands(&filter, limit).expect("read");
        rows.iter().map(|row| row.number).collect::<Vec<_>>()
    };
    let all = CommandFilter::default();
    assert_eq!(numbers(all.clone(), 3), [1_200, 1_199, 1_198], "the newest first");
    assert_eq!(numbers(all.clone(), usize::MAX).len(), 1_000, "no answer is longer");
    assert_eq!(numbers(CommandFilter { before: Some(3), ..all.clone() }, 10), [2, 1]);
    let twin = CommandFilter { twin: Some("pump-7".to_owned()), ..all.clone() };
    assert_eq!(numbers(twin.clone(), 2), [1_198, 1_188]);
    let state = CommandFilter { state: Some("refused".to_owned()), ..all.clone() };
    assert_eq!(numbers(state.clone(), 10), [8]);
    assert_eq!(numbers(CommandFilter { twin: twin.twin.clone(), ..state.clone() }, 10), [8]);
    assert_eq!(numbers(CommandFilter { twin: Some("pump-8".to_owned()), ..state }, 10), [0; 0]);
    let target = CommandFilter { target: Some("load-limit".to_owned()), ..twin };
    assert_eq!(numbers(target.clone(), 1_000).len(), 120);
    assert_eq!(numbers(CommandFilter { target: Some("speed".to_owned()), ..target }, 10), [0; 0]);
    let beside = OutboxReader::open(dir.path()).expect("beside the host");
    assert_eq!(beside.open_commands().expect("read").len(), 1_199);
    assert_eq!(beside.command(&[0; 16]).expect("read"), None);
}

#[test]
fn what_is_too_large_is_refused() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let whole = change(&proposed(1), "propose");
    let check = |change: CommandChange, expect: &str| {
        let refused = store.outbox().save(&[change]).expect_err(expect).to_string();
        assert!(refused.contains(expect), "{refused}");
    };
    let row = |twin: usize, document: usize| CommandRow {
        twin: "x".repeat(twin),
        document: "x".repeat(document),
        ..whole.row.clone()
    };
    check(CommandChange { row: row(1_025, 1), ..whole.clone() }, "a name's number of bytes is 1025");
    check(CommandChange { row: row(1, (1 << 18) + 1), ..whole.clone() }, "a command's number of bytes");
    check(CommandChange { cause: "x".repeat(16_385), ..whole.clone() }, "a cause's number of bytes");
    let many = vec![whole; 1_001];
    assert!(matches!(store.outbox().save(&many), Err(StoreError::TooLarge { found: 1_001, .. })));
    assert!(store.outbox().save_target("pump-1", "limit", &"x".repeat((1 << 18) + 1)).is_err());
}

#[test]
fn commands_are_forgotten_by_age_but_never_what_still_needs_somebody() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let over: Vec<CommandChange> = (0..900)
        .flat_map(|number| {
            let first = proposed(number);
            let gone = Event::Withdraw { by: "anna".to_owned(), reason: "changed my mind".to_owned() };
            let gone = apply(&first, &gone, after(1)).expect("legal");
            [change(&first, "propose"), change(&gone, "withdraw")]
        })
        .collect();
    over.chunks(900).for_each(|part| store.outbox().save(part).expect("saved"));
    save(&store, &proposed(1_000), "propose");
    store.close().expect("close");

    // However short a time is asked for, a replayed id is known for two days.
    let early = open_at(dir.path(), after(1).plus(COMMANDS_KEPT_MIN));
    assert_eq!(early.outbox().prune(Duration::ZERO).expect("pruned"), 0);
    early.close().expect("close");
    let late = open_at(dir.path(), after(2).plus(COMMANDS_KEPT_MIN));
    assert_eq!(late.outbox().prune(Duration::from_secs(90 * 86_400)).expect("pruned"), 0);
    assert_eq!(late.outbox().prune(Duration::ZERO).expect("pruned"), 900);
    assert_eq!(late.outbox().commands(&CommandFilter::default(), 10).expect("read").len(), 1);
    assert_eq!(late.outbox().transitions(proposed(1).id().as_bytes()).expect("read"), []);
    assert_eq!(loaded(&late), [proposed(1_000)]);
    // Numbers are not given twice, so that a page never shows another command than before.
    save(&late, &proposed(2_000), "propose");
    assert_eq!(late.outbox().commands(&CommandFilter::default(), 1).expect("read")[0].number, 902);
}

#[test]
fn who_asked_for_a_target_survives_a_restart() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    store.outbox().save_target("pump-1", "limit", "{\"a\":1}").expect("saved");
    store.outbox().save_target("pump-1", "limit", "{\"a\":2}").expect("saved");
    store.outbox().save_target("pump-1", "speed", "{}").expect("saved");
    store.close().expect("close");
    let rows = open_at(dir.path(), after(9)).outbox().targets().expect("read");
    let told: Vec<_> =
        rows.iter().map(|row| (row.target.as_str(), row.document.as_str(), row.changed)).collect();
    assert_eq!(told, [("limit", "{\"a\":2}", NOW), ("speed", "{}", NOW)]);
}
