//! The file itself: read beside the host, and of the version before.

use crate::*;

#[test]
fn a_reader_beside_the_host_sees_what_is_committed_and_writes_nothing() {
    let dir = tempfile::tempdir().expect("folder");
    assert!(ControlReader::open(dir.path()).is_err(), "no file, and none is made");
    assert!(!dir.path().join("control.db").exists());
    let (store, _) = open(dir.path());
    let reader = Control::read_only(dir.path()).expect("reader");
    for number in 1..=300 {
        store.control().assign("thermal", None, &digest(number)).expect("assign");
        assert_eq!(reader.assignments().expect("read")[0].digest, digest(number));
    }
    let log = std::fs::metadata(dir.path().join("control.db-wal")).expect("log").len();
    assert!(log < 4 << 20, "the log is cut although somebody reads: {log}");
    let control = store.control();
    store.close().expect("close");
    assert_eq!(reader.assignments().expect("read")[0].digest, digest(300), "also when the host has gone");
    assert!(matches!(control.assign("thermal", None, "d"), Err(StoreError::Closed)));
    assert!(matches!(control.assignments(), Err(StoreError::Closed)));
    drop(reader);
    let reader = ControlReader::open(dir.path()).expect("reader without a host");
    assert_eq!(reader.assignments().expect("read")[0].digest, digest(300));
}

/// The file as "First light" made it.
const SCHEMA_1: &str = "
    PRAGMA page_size=4096; PRAGMA journal_mode=WAL;
    CREATE TABLE snapshot(binding TEXT NOT NULL, twin TEXT NOT NULL, generation INTEGER NOT NULL, plugin TEXT NOT NULL,
        digest TEXT NOT NULL, schema INTEGER NOT NULL, row_time INTEGER NOT NULL, saved INTEGER NOT NULL,
        crc INTEGER NOT NULL, state BLOB NOT NULL, PRIMARY KEY(binding, twin, generation)) STRICT;
    CREATE TABLE activation(id INTEGER PRIMARY KEY, time INTEGER NOT NULL, plugin TEXT NOT NULL, version TEXT NOT NULL,
        digest TEXT NOT NULL, outcome TEXT NOT NULL) STRICT;
    PRAGMA application_id=1197829481; PRAGMA user_version=1;
    INSERT INTO snapshot VALUES('thermal', 'motor-1', 4, 'motor-thermal@0.1.0', 'sha256:ab', 1, 17, 99, 2424278622, x'0102030405');
    INSERT INTO activation VALUES(3, 55, 'motor-thermal', '0.1.0', 'sha256:ab', 'activated')";

#[test]
fn a_file_of_the_version_before_keeps_what_it_held() {
    let dir = tempfile::tempdir().expect("folder");
    beside(dir.path()).execute_batch(SCHEMA_1).expect("old file");
    let refused = ControlReader::open(dir.path()).expect_err("only a host may migrate it");
    assert!(
        matches!(refused, StoreError::OlderSchema { file: "control.db", found: 1, known: 5 }),
        "{refused}"
    );
    let (store, _) = open(dir.path());
    let by = Generation {
        binding: "thermal".to_owned(),
        plugin: "motor-thermal@0.1.0".to_owned(),
        digest: "sha256:ab".to_owned(),
        schema: 1,
    };
    let loaded = store.snapshots().load("thermal", &["motor-1"]).expect("load");
    assert!(loaded.damaged.is_empty(), "its checksum still holds");
    let state = &loaded.states[0];
    assert_eq!(
        (&state.by, state.row_time, state.saved, &state.bytes[..]),
        (&by, Timestamp(17), Timestamp(99), &[1, 2, 3, 4, 5][..])
    );
    let old = Activation {
        time: Timestamp(55),
        plugin: "motor-thermal".to_owned(),
        version: "0.1.0".to_owned(),
        digest: "sha256:ab".to_owned(),
        outcome: "activated".to_owned(),
        ..Activation::default()
    };
    let control = store.control();
    assert!(control.was_clean());
    assert_eq!(control.activations(&ActivationFilter::default()).expect("read"), [old]);
    store.snapshots().save(&by, &[("motor-1".to_owned(), Timestamp(18), vec![6])]).expect("save");
    assert_eq!(control.rollout_begin(&rollout("thermal")).expect("begin"), 1);
    assert!(control.quarantines().expect("read").is_empty(), "the table is there");
    assert!(control.commanded().expect("read").is_empty(), "and that one");
    store.close().expect("close");
    let (store, _) = open(dir.path());
    let loaded = store.snapshots().load("thermal", &["motor-1"]).expect("load");
    assert_eq!(loaded.states[0].row_time, Timestamp(18));
    assert_eq!(store.control().rollouts_open().expect("read").len(), 1);
}
