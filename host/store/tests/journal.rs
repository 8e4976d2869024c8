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
