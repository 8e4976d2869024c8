//! Snapshots: three generations a twin, a step back over damage.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::sync::Arc;
use std::time::Duration;

use geminus_core::{ManualClock, Timestamp};
use geminus_store::{Generation, Options, Store, StoreError};

fn by(schema: u32) -> Generation {
    Generation {
        binding: "thermal".to_owned(),
        plugin: "motor-thermal@0.1.0".to_owned(),
        digest: format!("sha256:{}", "ab".repeat(32)),
        schema,
    }
}

fn states(turn: u8) -> Vec<(String, Timestamp, Vec<u8>)> {
    ["motor-1", "motor-2"]
        .iter()
        .map(|twin| ((*twin).to_owned(), Timestamp(u64::from(turn)), vec![turn; 100]))
        .collect()
}

#[test]
fn the_newest_whole_state_of_three_is_loaded() {
    let dir = tempfile::tempdir().expect("folder");
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    let store =
        Store::open(dir.path(), Options::default(), Arc::<ManualClock>::clone(&clock)).expect("store");
    for turn in 1..=5 {
        store.snapshots().save(&by(u32::from(turn)), &states(turn)).expect("save");
        clock.advance(Duration::from_secs(1));
    }
    let loaded = store.snapshots().load("thermal", &["motor-2", "motor-9", "motor-1"]).expect("load");
    assert!(loaded.damaged.is_empty());
    let twins: Vec<&str> = loaded.states.iter().map(|state| state.twin.as_str()).collect();
    assert_eq!(twins, ["motor-2", "motor-1"]);
    assert_eq!(loaded.states[0].by, by(5));
    assert_eq!((loaded.states[0].row_time, loaded.states[0].bytes.clone()), (Timestamp(5), vec![5; 100]));
    assert_eq!(loaded.states[0].saved, Timestamp::from_millis(5_000));
    assert!(store.snapshots().load("other", &["motor-1"]).expect("load").states.is_empty());
    store.close().expect("close");

    let damage = [
        // Of motor-1: the newest, then also the one before, then all that are left.
        ("UPDATE snapshot SET state = zeroblob(100) WHERE twin = 'motor-1' AND generation = 5", Some(4u8), 1),
        ("UPDATE snapshot SET schema = 9 WHERE twin = 'motor-1' AND generation = 4", Some(3), 2),
        ("UPDATE snapshot SET row_time = 77 WHERE twin = 'motor-1' AND generation = 3", None, 3),
    ];
    for (meddling, expect, damaged) in damage {
        let connection = rusqlite::Connection::open(dir.path().join("control.db")).expect("file");
        assert_eq!(connection.execute(meddling, []).expect(meddling), 1, "{meddling}");
        drop(connection);
        let store =
            Store::open(dir.path(), Options::default(), Arc::<ManualClock>::clone(&clock)).expect("store");
        let loaded = store.snapshots().load("thermal", &["motor-1", "motor-2"]).expect("load");
        let found = |twin: &str| loaded.states.iter().find(|state| state.twin == twin);
        assert_eq!(found("motor-1").map(|state| state.bytes[0]), expect);
        assert_eq!(found("motor-2").map(|state| state.bytes[0]), Some(5), "the neighbour is whole");
        assert_eq!(loaded.damaged.len(), damaged);
        assert!(loaded.damaged.iter().all(|(twin, _)| twin == "motor-1"));
        store.close().expect("close");
    }
    let connection = rusqlite::Connection::open(dir.path().join("control.db")).expect("file");
    let kept: i64 = connection.query_row("SELECT count(*) FROM snapshot", [], |row| row.get(0)).expect("row");
    assert_eq!(kept, 6, "three generations of two twins");
}

#[test]
fn a_state_beyond_the_limit_is_refused_whole() {
    let dir = tempfile::tempdir().expect("folder");
    let clock = Arc::new(ManualClock::new(Timestamp(1)));
    let store = Store::open(dir.path(), Options::default(), clock).expect("store");
    let mut states = states(1);
    states[1].2 = vec![0; (64 << 20) + 1];
    let refused = store.snapshots().save(&by(1), &states).expect_err("too large");
    assert!(matches!(refused, StoreError::TooLarge { .. }), "{refused}");
    assert!(store.snapshots().load("thermal", &["motor-1"]).expect("load").states.is_empty());
}
