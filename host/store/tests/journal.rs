//! The journal: order, filters, persistence, and a chain that shows every kind of meddling.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Clock, Event, ManualClock, Severity, Timestamp};
use geminus_store::{Chain, Options, Store};

const ENTRIES: u64 = 40;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(1_700_000_000_000)))
}

fn open(dir: &Path) -> Store {
    Store::open(dir, Options::default(), clock()).expect("store")
}

fn event(at: u64) -> Event {
    Event::new("noted", Severity::Info, format!("entry {at}"))
        .twin(format!("pump-{}", at % 4))
        .facts(serde_json::json!({ "at": at }))
}

fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    (1..=ENTRIES).for_each(|at| store.journal().write(event(at)));
    store.close().expect("close");
    dir
}

#[test]
fn entries_come_back_in_order_with_numbers_times_and_filters() {
    let dir = tempfile::tempdir().expect("folder");
    let clock = clock();
    let store =
        Store::open(dir.path(), Options::default(), Arc::<ManualClock>::clone(&clock)).expect("store");
    let journal = store.journal();
    for at in 1..=6 {
        journal.write(event(at));
        clock.advance(Duration::from_millis(10));
    }
    journal.flush().expect("flush");
    let latest = journal.latest(2, None, None).expect("read");
    assert_eq!(latest.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [6, 5]);
    assert_eq!(latest[0].event, event(6));
    assert_eq!(latest[0].time, Timestamp(clock.now().0 - 10_000_000));
    let before = journal.latest(10, Some(3), None).expect("read");
    assert_eq!(before.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2, 1]);
    let twin = journal.latest(10, None, Some("pump-2")).expect("read");
    assert_eq!(twin.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [6, 2]);
    let after = journal.after(4, 10).expect("read");
    assert_eq!(after.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [5, 6]);
    store.close().expect("close");
    let store = open(dir.path());
    store.journal().write(event(7));
    store.flush().expect("flush");
    assert_eq!(store.journal().latest(1, None, None).expect("read")[0].seq, 7);
    assert_eq!(store.journal().verify().expect("read"), Chain::Whole { entries: 7 });
    assert_eq!(store.stats().journal.entries_written, 1);
}

#[test]
fn meddling_is_found_and_the_first_bad_entry_named() {
    let missing = |seq| Chain::Broken { seq, finding: "it is missing" };
    let changed = |seq| Chain::Broken { seq, finding: "it is not as it was written" };
    let cases: [(&str, Chain); 10] = [
        ("SELECT 1", Chain::Whole { entries: ENTRIES }),
        ("UPDATE entry SET body = replace(body, 'entry 7', 'entry 9') WHERE seq = 7", changed(7)),
        ("UPDATE entry SET time = time + 1 WHERE seq = 12", changed(12)),
        ("UPDATE entry SET hash = zeroblob(32) WHERE seq = 40", changed(40)),
        ("DELETE FROM entry WHERE seq = 1", missing(1)),
        ("DELETE FROM entry WHERE seq = 20", missing(20)),
        ("DELETE FROM entry WHERE seq = 20; UPDATE entry SET seq = seq - 1 WHERE seq > 20", changed(20)),
        ("DELETE FROM entry WHERE seq > 35", missing(36)),
        (
            "UPDATE entry SET seq = -5 WHERE seq = 5; UPDATE entry SET seq = 5 WHERE seq = 6;
             UPDATE entry SET seq = 6 WHERE seq = -5",
            changed(5),
        ),
        (
            "INSERT INTO entry(seq, time, body, hash) SELECT 41, time, body, hash FROM entry WHERE seq = 40",
            changed(41),
        ),
    ];
    for (meddling, expect) in cases {
        let dir = filled();
        let connection = rusqlite::Connection::open(dir.path().join("journal.db")).expect("file");
        connection.execute_batch(meddling).expect(meddling);
        drop(connection);
        let store = open(dir.path());
        assert_eq!(store.journal().verify().expect("read"), expect, "{meddling}");
    }
}

/// Every bit of what an entry says is under the chain.
#[test]
fn any_flipped_byte_of_any_entry_is_found() {
    let dir = filled();
    let connection = rusqlite::Connection::open(dir.path().join("journal.db")).expect("file");
    for seq in 1..=ENTRIES.cast_signed() {
        let body: String = connection
            .query_row("SELECT body FROM entry WHERE seq = ?1", [seq], |row| row.get(0))
            .expect("row");
        let at = body.find("entry").expect("message") + usize::try_from(seq).expect("small") % 5;
        let mut flipped = body.clone().into_bytes();
        flipped[at] ^= 1;
        let flipped = String::from_utf8(flipped).expect("ASCII");
        connection.execute("UPDATE entry SET body = ?1 WHERE seq = ?2", (&flipped, seq)).expect("update");
        let store = open(dir.path());
        let expect = Chain::Broken { seq: seq.cast_unsigned(), finding: "it is not as it was written" };
        assert_eq!(store.journal().verify().expect("read"), expect);
        store.close().expect("close");
        connection.execute("UPDATE entry SET body = ?1 WHERE seq = ?2", (&body, seq)).expect("update");
    }
    drop(connection);
    assert_eq!(open(dir.path()).journal().verify().expect("read"), Chain::Whole { entries: ENTRIES });
}

#[test]
fn a_journal_that_cannot_keep_up_says_so_and_recovers() {
    let dir = tempfile::tempdir().expect("folder");
    let options = Options { journal_queue_max: 1, ..Options::default() };
    let store = Store::open(dir.path(), options, clock()).expect("store");
    let journal = store.journal();
    // Another program that holds the file stops the writer, as a full disk would.
    let other = rusqlite::Connection::open(dir.path().join("journal.db")).expect("file");
    other.execute_batch("BEGIN IMMEDIATE").expect("lock");
    (0..20_000).for_each(|at| journal.write(event(at)));
    assert!(!journal.writable() && journal.reason().is_some());
    assert!(store.stats().journal.entries_dropped > 0);
    other.execute_batch("ROLLBACK").expect("unlock");
    drop(other);
    while journal.flush().is_err() {}
    journal.write(event(1));
    journal.flush().expect("flush");
    assert!(journal.writable() && journal.reason().is_none());
    let stats = store.stats().journal;
    assert_eq!(stats.entries_written + stats.entries_dropped, 20_001);
    assert_eq!(journal.verify().expect("read"), Chain::Whole { entries: stats.entries_written });
    store.close().expect("close");
}

#[test]
fn who_records_gets_the_number_of_a_durable_entry_of_his_own() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let (threads, each) = (32_u64, 40_u64);
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let record = |thread: u64| {
            let journal = store.journal();
            // A connection of its own: what it sees is committed.
            let file = rusqlite::Connection::open(dir.path().join("journal.db")).expect("file");
            (0..each)
                .map(|at| {
                    let own = thread * each + at;
                    let seq = journal.record(event(own)).expect("recorded");
                    let body: String = file
                        .query_row("SELECT body FROM entry WHERE seq = ?1", [seq.cast_signed()], |row| {
                            row.get(0)
                        })
                        .expect("it is there");
                    assert!(body.contains(&format!("\"entry {own}\"")), "{seq}: {body}");
                    seq
                })
                .collect::<Vec<_>>()
        };
        let handles: Vec<_> = (0..threads).map(|thread| scope.spawn(move || record(thread))).collect();
        handles.into_iter().flat_map(|handle| handle.join().expect("thread")).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=threads * each).collect::<Vec<_>>());
    store.close().expect("close");
}

#[test]
fn who_records_hears_when_it_is_not_durable() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let journal = store.journal();
    assert_eq!(journal.record(event(1)).expect("recorded"), 1);
    let other = rusqlite::Connection::open(dir.path().join("journal.db")).expect("file");
    other.execute_batch("BEGIN IMMEDIATE").expect("lock");
    let refused = journal.record(event(2)).expect_err("the file is locked");
    assert!(refused.to_string().contains("journal.db"), "{refused}");
    // From now on it is refused at once, and nothing is queued.
    assert!(!journal.writable());
    assert!(journal.record(event(3)).is_err());
    other.execute_batch("ROLLBACK").expect("unlock");
    drop(other);
    while journal.flush().is_err() {}
    let seq = journal.record(event(4)).expect("recorded");
    let messages: Vec<String> =
        journal.after(0, 10).expect("read").into_iter().map(|entry| entry.event.message).collect();
    assert_eq!(
        (seq, messages.as_slice()),
        (3, ["entry 1", "entry 2", "entry 4"].map(str::to_owned).as_slice())
    );
    store.close().expect("close");
    let after = journal.record(event(5)).expect_err("closed");
    assert!(matches!(after, geminus_store::StoreError::Closed), "{after}");
}

fn signed_to(dir: &Path) -> u64 {
    let audit = geminus_store::audit(dir, &geminus_store::Kept::default()).expect("read");
    assert!(matches!(audit.chain, Chain::Whole { .. }), "{audit:?}");
    audit.signed_to
}

#[test]
fn the_end_is_signed_by_number_by_time_and_at_the_stop() {
    let dir = tempfile::tempdir().expect("folder");
    let clock = clock();
    let options = Options { journal_checkpoint_entries: 10, journal_checkpoint_s: 60, ..Options::default() };
    let store = Store::open(dir.path(), options, Arc::<ManualClock>::clone(&clock)).expect("store");
    let journal = store.journal();
    let write = |count: u64| {
        (0..count).for_each(|at| journal.write(event(at)));
        journal.flush().expect("flush");
    };
    // The first checkpoint comes by itself; it may cover these already.
    write(2);
    let first = signed_to(dir.path());
    assert!(first <= 2);
    write(3);
    assert_eq!(signed_to(dir.path()), first);
    write(20);
    let second = signed_to(dir.path());
    assert!(second >= 10, "{second}");
    clock.advance(Duration::from_secs(61));
    write(1);
    assert_eq!(signed_to(dir.path()), 26);
    write(1);
    assert_eq!(signed_to(dir.path()), 26);
    store.close().expect("close");
    assert_eq!(signed_to(dir.path()), 27);
}

#[test]
fn a_new_key_is_signed_by_the_old_one_and_either_is_enough_to_verify() {
    use geminus_store::{Kept, PublicKey, audit, rotate_key};
    let dir = filled();
    let key = || PublicKey::of_folder(dir.path()).expect("read").expect("a key");
    let old = key();
    let store = open(dir.path());
    let refused = rotate_key(dir.path(), clock().as_ref()).expect_err("in use").to_string();
    assert!(refused.contains("in use"), "{refused}");
    store.close().expect("close");
    let new = rotate_key(dir.path(), clock().as_ref()).expect("rotated");
    assert_eq!(key(), new);
    assert_ne!(old, new);
    let store = open(dir.path());
    store.journal().write(event(1));
    store.close().expect("close");
    for keys in [vec![], vec![old], vec![new]] {
        let found = audit(dir.path(), &Kept { keys, ..Kept::default() }).expect("read");
        assert_eq!((found.chain, found.key), (Chain::Whole { entries: ENTRIES + 1 }, Some(new)));
    }
    let stranger = rotate_key(filled().path(), clock().as_ref()).expect("another's");
    let found = audit(dir.path(), &Kept { keys: vec![stranger], ..Kept::default() }).expect("read");
    assert!(matches!(found.chain, Chain::Broken { seq: 1, .. }), "{found:?}");
}

#[test]
fn what_was_altered_while_the_host_was_down_is_journaled_at_the_start() {
    let dir = filled();
    let file = rusqlite::Connection::open(dir.path().join("journal.db")).expect("file");
    file.execute_batch("DELETE FROM entry WHERE seq > 30; UPDATE head SET (seq, hash) = (SELECT seq, hash FROM entry WHERE seq = 30)")
        .expect("cut");
    drop(file);
    std::fs::remove_file(dir.path().join("keys/journal.key")).expect("removed");
    let store = open(dir.path());
    store.journal().flush().expect("flush");
    let kinds: Vec<_> = store
        .journal()
        .after(30, 10)
        .expect("read")
        .into_iter()
        .map(|entry| entry.event.kind.to_string())
        .collect();
    assert_eq!(kinds, ["journal-altered", "journal-key-lost"]);
    store.close().expect("close");
}

#[test]
fn a_part_is_exported_by_time_and_holds_by_itself() {
    use geminus_store::{Format, Kept, audit_export, export};
    let dir = tempfile::tempdir().expect("folder");
    let clock = clock();
    let options = Options { journal_checkpoint_entries: 5, ..Options::default() };
    let store = Store::open(dir.path(), options, Arc::<ManualClock>::clone(&clock)).expect("store");
    for at in 1..=ENTRIES {
        clock.advance(Duration::from_secs(1));
        store.journal().record(event(at)).expect("recorded");
    }
    let at = |seconds: u64| Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000);
    for format in [Format::Jsonl, Format::Csv] {
        let mut bytes = Vec::new();
        let span = (Some(at(8)), Some(at(31)));
        // Read beside the running writer.
        let written = export(dir.path(), span, format, &mut bytes).expect("read").expect("written");
        assert_eq!(written, 23);
        let found = audit_export(bytes.as_slice(), &Kept::default()).expect("read");
        assert_eq!(found.chain, Chain::Whole { entries: 23 });
        assert!((26..=30).contains(&found.signed_to), "{found:?}");
        assert!(found.checkpoints >= 4, "{found:?}");
    }
    let nonsense = audit_export(b"time,value\n1,2\n".as_slice(), &Kept::default()).expect_err("no export");
    assert!(nonsense.to_string().contains("no export"), "{nonsense}");
    store.close().expect("close");
}
