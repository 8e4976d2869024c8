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

/// (twin, digest) of what a load found, by what each state's first byte says of its turn.
fn found(loaded: &geminus_store::Loaded) -> Vec<(&str, u8)> {
    loaded.states.iter().map(|state| (state.twin.as_str(), state.bytes[0])).collect()
}

#[test]
fn a_restart_asks_for_the_state_that_its_own_version_wrote() {
    let dir = tempfile::tempdir().expect("folder");
    let clock = Arc::new(ManualClock::new(Timestamp(1)));
    let store = Store::open(dir.path(), Options::default(), clock).expect("store");
    let snapshots = store.snapshots();
    let (old, new) = (by(1), Generation { digest: "sha256:cd".to_owned(), ..by(2) });
    snapshots.save(&old, &states(1)).expect("save");
    snapshots.save(&old, &states(2)).expect("save");
    snapshots.save(&new, &states(3)[..1]).expect("save");
    let twins = ["motor-1", "motor-2"];
    let cases = [
        (None, [("motor-1", 3), ("motor-2", 2)]),
        (Some(old.digest.as_str()), [("motor-1", 2), ("motor-2", 2)]),
        (Some(new.digest.as_str()), [("motor-1", 3), ("motor-2", 2)]),
        (Some("sha256:ef"), [("motor-1", 3), ("motor-2", 2)]),
    ];
    for (digest, expect) in cases {
        let loaded = snapshots.load_by("thermal", &twins, digest).expect("load");
        assert_eq!(found(&loaded), expect, "{digest:?}");
        assert!(loaded.damaged.is_empty());
    }
    // Its own newest one is damaged: first its own older one, then the newest of all.
    let meddle = |statement: &str| {
        let connection = rusqlite::Connection::open(dir.path().join("control.db")).expect("file");
        assert_eq!(connection.execute(statement, []).expect(statement), 1, "{statement}");
    };
    meddle("UPDATE snapshot SET state = x'00' WHERE twin = 'motor-1' AND generation = 2");
    let loaded = snapshots.load_by("thermal", &twins, Some(&old.digest)).expect("load");
    assert_eq!((found(&loaded), loaded.damaged.len()), (vec![("motor-1", 1), ("motor-2", 2)], 1));
    meddle("UPDATE snapshot SET state = x'00' WHERE twin = 'motor-1' AND generation = 1");
    let loaded = snapshots.load_by("thermal", &twins, Some(&old.digest)).expect("load");
    assert_eq!((found(&loaded), loaded.damaged.len()), (vec![("motor-1", 3), ("motor-2", 2)], 2));
    assert_eq!(store.control().damage().len(), 2, "each is told once");
}

#[test]
fn the_step_back_goes_before_a_time() {
    let dir = tempfile::tempdir().expect("folder");
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let store =
        Store::open(dir.path(), Options::default(), Arc::<ManualClock>::clone(&clock)).expect("store");
    for turn in 1..=4 {
        clock.advance(Duration::from_millis(1));
        store.snapshots().save(&by(1), &states(turn)).expect("save");
    }
    let older = |than: u64| {
        let state =
            store.snapshots().older("thermal", "motor-1", Timestamp::from_millis(than)).expect("read");
        state.map(|state| (state.saved.millis(), state.bytes[0]))
    };
    let cases = [(9, Some((4, 4))), (5, Some((4, 4))), (4, Some((3, 3))), (3, Some((2, 2))), (2, None)];
    for (than, expect) in cases {
        assert_eq!(older(than), expect, "before {than}");
    }
    let connection = rusqlite::Connection::open(dir.path().join("control.db")).expect("file");
    let meddled = "UPDATE snapshot SET row_time = 9 WHERE twin = 'motor-1' AND generation = 3";
    assert_eq!(connection.execute(meddled, []).expect("meddle"), 1);
    assert_eq!(older(4), Some((2, 2)), "a damaged one is passed over");
    assert_eq!(store.control().damage()[0].row_time, Timestamp(9));
    assert_eq!(store.snapshots().older("thermal", "motor-9", Timestamp(u64::MAX)).expect("read"), None);
}

#[test]
fn both_sides_of_a_rollout_have_generations_of_their_own() {
    let dir = tempfile::tempdir().expect("folder");
    let clock = Arc::new(ManualClock::new(Timestamp(1)));
    let store = Store::open(dir.path(), Options::default(), clock).expect("store");
    let snapshots = store.snapshots();
    let standby = Generation { binding: "thermal@standby".to_owned(), ..by(1) };
    snapshots.save(&standby, &states(9)).expect("save");
    (1..=4).for_each(|turn| snapshots.save(&by(2), &states(turn)).expect("save"));
    let load = |binding: &str| snapshots.load(binding, &["motor-1", "motor-2"]).expect("load");
    assert_eq!(found(&load("thermal")), [("motor-1", 4), ("motor-2", 4)]);
    assert_eq!(found(&load("thermal@standby")), [("motor-1", 9), ("motor-2", 9)]);
    assert_eq!(load("thermal@standby").states[0].by, standby);
    assert_eq!(snapshots.forget("thermal@standby").expect("forget"), 2);
    assert_eq!(snapshots.forget("thermal@standby").expect("forget"), 0);
    assert!(load("thermal@standby").states.is_empty());
    assert_eq!(load("thermal").states.len(), 2, "the other side stays");
}
