//! What must be refused, survived or recovered from: other hosts, other versions, full disks, damaged blocks.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use geminus_core::ticket::TicketEnd;
use geminus_core::{Quality, Sample, SeriesId, SystemClock, TicketBook, Timestamp};
use geminus_store::{Damage, Options, Reader, Store, StoreError};

fn open(dir: &Path, options: Options) -> Result<Store, StoreError> {
    Store::open(dir, options, Arc::new(SystemClock::new()))
}

/// Values that no codec can pack (SplitMix64's mixing).
fn noise(series: u32, from: u64, count: u64) -> Vec<Sample> {
    let sample = |at: u64| {
        let first = (at ^ (at >> 30)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let second = (first ^ (first >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let noise = (second ^ (second >> 31)) >> 12;
        let time = Timestamp(at * 1_000_000);
        let value = f64::from_bits(0x3ff0_0000_0000_0000 | noise);
        Sample { series: SeriesId(series), quality: Quality::Good, value, time, received: time }
    };
    (from..from + count).map(sample).collect()
}

fn count(reader: &Reader, series: u32) -> u64 {
    reader.count(SeriesId(series), Timestamp(0), Timestamp(u64::MAX)).expect("count")
}

fn book() -> (TicketBook, Arc<Mutex<Vec<TicketEnd>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    (TicketBook::new(move |end| ear.lock().expect("ear").push(end)), heard)
}

#[test]
fn a_folder_belongs_to_one_host() {
    let dir = tempfile::tempdir().expect("folder");
    let first = open(dir.path(), Options::default()).expect("store");
    let second = open(dir.path(), Options::default()).expect_err("second open");
    assert!(matches!(&second, StoreError::Locked { .. }), "{second}");
    first.close().expect("close");
    open(dir.path(), Options::default()).expect("open again").close().expect("close");
}

#[test]
fn files_of_a_newer_version_or_another_program_are_refused() {
    for file in ["hot.db", "journal.db", "control.db", "outbox.db"] {
        let dir = tempfile::tempdir().expect("folder");
        open(dir.path(), Options::default()).expect("store").close().expect("close");
        let connection = rusqlite::Connection::open(dir.path().join(file)).expect("file");
        connection.execute_batch("PRAGMA user_version = 99").expect("pragma");
        drop(connection);
        let refused = open(dir.path(), Options::default()).expect_err("newer");
        assert!(
            matches!(refused, StoreError::NewerSchema { file: named, found: 99, .. } if named == file),
            "{refused}"
        );
        let dir = tempfile::tempdir().expect("folder");
        let connection = rusqlite::Connection::open(dir.path().join(file)).expect("file");
        connection.execute_batch("CREATE TABLE theirs(x)").expect("table");
        drop(connection);
        let refused = open(dir.path(), Options::default()).expect_err("foreign");
        assert!(matches!(refused, StoreError::ForeignFile { file: named } if named == file), "{refused}");
    }
}

#[test]
fn a_damaged_file_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path(), Options::default()).expect("store");
    for at in 0..50 {
        store.journal().write(geminus_core::Event::new(
            "noted",
            geminus_core::Severity::Info,
            "x".repeat(500 + at),
        ));
    }
    store.close().expect("close");
    let path = dir.path().join("journal.db");
    let mut bytes = std::fs::read(&path).expect("file");
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(&path, bytes).expect("file");
    let refused = open(dir.path(), Options::default()).expect_err("damaged").to_string();
    assert!(refused.contains("journal.db"), "{refused}");
}

#[test]
fn a_full_disk_keeps_what_waits_and_recovers_by_itself() {
    let dir = tempfile::tempdir().expect("folder");
    let options = Options { quota_mib: 1, queue_points_max: 60_000, ..Options::default() };
    let store = open(dir.path(), options).expect("store");
    let (book, heard) = book();
    let mut sent = 0u64;
    while store.stats().writable && sent < 200 {
        store.recorder().record(noise(0, sent * 5_000, 5_000), vec![book.open(sent)]);
        sent += 1;
        // An error is what we wait for: it shows in `writable`.
        store.flush().map_or_else(|error| assert!(matches!(error, StoreError::NotWritable { .. })), |()| ());
    }
    let stats = store.stats();
    assert!(
        !stats.writable && stats.reason.as_deref().is_some_and(|reason| reason.contains("full")),
        "{stats:?}"
    );
    let committed = heard.lock().expect("ear").len() as u64;
    assert!(committed > 0 && committed < sent, "{committed} of {sent}");
    // What was committed stays readable; samples that nobody waits for are dropped beyond the limit, others taken.
    assert_eq!(count(&store.reader(), 0), committed * 5_000);
    for at in 0..20 {
        store.recorder().record(noise(1, at * 5_000, 5_000), Vec::new());
    }
    store.recorder().record(noise(0, sent * 5_000, 5_000), vec![book.open(sent)]);
    sent += 1;
    let dropped = store.stats().points_dropped;
    assert!(dropped >= 40_000, "{dropped}");
    assert!(store.flush().is_err());
    store.set_quota_mib(0).expect("quota");
    while store.flush().is_err() {}
    assert!(store.stats().writable && store.stats().reason.is_none());
    let ends: Vec<TicketEnd> = heard.lock().expect("ear").clone();
    assert_eq!(ends, (0..sent).map(TicketEnd::Committed).collect::<Vec<_>>());
    assert_eq!(count(&store.reader(), 0), sent * 5_000);
    assert_eq!(count(&store.reader(), 1), 100_000 - dropped);
    store.close().expect("close");
}

#[test]
fn what_cannot_be_written_at_the_end_voids_its_ticket() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path(), Options { quota_mib: 1, ..Options::default() }).expect("store");
    let (book, heard) = book();
    store.recorder().record(noise(0, 0, 300_000), vec![book.open(1)]);
    assert!(store.flush().is_err());
    let recorder = store.recorder();
    assert!(matches!(store.close(), Err(StoreError::NotWritable { .. })));
    assert_eq!(*heard.lock().expect("ear"), [TicketEnd::Voided(1)]);
    recorder.record(noise(0, 0, 10), vec![book.open(2)]);
    assert_eq!(
        heard.lock().expect("ear").last(),
        Some(&TicketEnd::Voided(2)),
        "a closed store takes nothing"
    );
}

#[test]
fn damaged_blocks_are_named_and_skipped_and_set_aside() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path(), Options::default()).expect("store");
    store.recorder().record(noise(0, 0, 10_000), Vec::new());
    store.fold().expect("fold");
    for at in 0..3 {
        store.recorder().record(noise(0, 10_000 + at * 100, 100), Vec::new());
        store.flush().expect("flush");
    }
    store.close().expect("close");
    let connection = rusqlite::Connection::open(dir.path().join("hot.db")).expect("file");
    let lost: i64 =
        connection.query_row("SELECT points FROM folded WHERE id = 2", [], |row| row.get(0)).expect("row");
    for (table, id) in [("folded", 2i64), ("mixed", 2)] {
        let mut data: Vec<u8> = connection
            .query_row(&format!("SELECT data FROM {table} WHERE id = ?1"), [id], |row| row.get(0))
            .expect("row");
        let middle = data.len() / 2;
        data[middle] ^= 0x10;
        connection
            .execute(&format!("UPDATE {table} SET data = ?1 WHERE id = ?2"), (data, id))
            .expect("update");
    }
    drop(connection);

    let store = open(dir.path(), Options::default()).expect("store");
    let whole = 10_300 - lost.cast_unsigned() - 100;
    assert_eq!(count(&store.reader(), 0), whole);
    let finding = "checksum does not match";
    let expect =
        [Damage { table: "mixed", block: 2, finding }, Damage { table: "folded", block: 2, finding }];
    assert_eq!(store.reader().damage(), expect);
    // Late samples that fall into the damaged block make the fold meet it, too.
    store
        .recorder()
        .record(vec![Sample { time: Timestamp(3_000 * 1_000_000 + 1), ..noise(0, 0, 1)[0] }], Vec::new());
    store.fold().expect("fold");
    assert_eq!(store.stats().blocks_damaged, 2);
    assert_eq!(count(&store.reader(), 0), whole + 1);
    let kept = rusqlite::Connection::open(dir.path().join("hot.db"))
        .and_then(|file| file.query_row("SELECT count(*) FROM damaged", [], |row| row.get::<_, i64>(0)));
    assert_eq!(kept.expect("row"), 2);
}

#[test]
fn times_beyond_the_file_are_counted_not_stored() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path(), Options::default()).expect("store");
    let far = Sample { time: Timestamp(u64::MAX - 1), ..noise(0, 0, 1)[0] };
    store.recorder().record(vec![far], Vec::new());
    store.flush().expect("flush");
    assert_eq!((store.stats().points_refused, count(&store.reader(), 0)), (1, 0));
}
