//! Twins and versions that are kept from each other: for how long, over what, and what brings them together again.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{ManualClock, Timestamp};
use geminus_store::{Options, Quarantine, Release, RolloutRecord, Store, Strike};

const HOUR: Duration = Duration::from_secs(3600);

fn open(dir: &Path) -> Store {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    Store::open(dir, Options::default(), clock).expect("store")
}

fn digest(number: u32) -> String {
    format!("sha256:{number:064x}")
}

/// A rollout of version 2.
fn rollout() -> RolloutRecord {
    RolloutRecord {
        id: 0,
        binding: "thermal".to_owned(),
        plugin: "motor-thermal".to_owned(),
        from: Some(Release { version: "0.1.0".to_owned(), digest: digest(1) }),
        to: Release { version: "0.2.0".to_owned(), digest: digest(2) },
        automatic: false,
        by: "test".to_owned(),
        started: Timestamp::from_millis(900),
        phase: "verifying".to_owned(),
        changed: Timestamp(0),
        ended: None,
        plan: "{}".to_owned(),
        document: "{}".to_owned(),
        evidence: None,
    }
}

fn quarantine(twin: &str, number: u32) -> Quarantine {
    Quarantine {
        binding: "thermal".to_owned(),
        twin: twin.to_owned(),
        digest: digest(number),
        since: Timestamp::from_millis(500),
        strikes: 3,
        reason: "trap: unreachable".to_owned(),
    }
}

#[test]
fn a_twin_and_a_version_are_kept_apart_until_a_rollout_brings_them_together_again() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let control = store.control();
    let pairs = || -> Vec<(String, String)> {
        let all = control.quarantines().expect("read");
        all.into_iter().map(|pair| (pair.twin, pair.digest)).collect()
    };
    let named = |all: &[(&str, u32)]| -> Vec<(String, String)> {
        all.iter().map(|(twin, number)| ((*twin).to_owned(), digest(*number))).collect()
    };
    control.assign("thermal", None, &digest(1)).expect("assign");
    for twin in ["a", "b", "own"] {
        control.quarantine(&quarantine(twin, 2)).expect("quarantine");
    }
    // Moved to what ran before: both are written, and what is known of the pair is told anew but for its beginning.
    control.move_to(&quarantine("a", 1), &digest(3)).expect("move");
    let later =
        Quarantine { since: Timestamp(9), strikes: 7, reason: "ü".repeat(4_000), ..quarantine("a", 2) };
    control.quarantine(&later).expect("again");
    assert_eq!(pairs(), named(&[("a", 2), ("b", 2), ("own", 2), ("a", 1)]));
    let first = &control.quarantines().expect("read")[0];
    assert_eq!(
        (first.since, first.strikes, first.reason.len()),
        (Timestamp::from_millis(500), 7, 4_096),
        "since stays, a long reason is cut"
    );
    let assigned = control.assignments().expect("read");
    assert_eq!((assigned[1].twin.as_deref(), &assigned[1].digest), (Some("a"), &digest(3)));
    // A rollout that gives one twin the version anew frees this pair, and no other.
    for twin in ["a", "b"] {
        let strike = Strike {
            binding: "thermal".to_owned(),
            twin: twin.to_owned(),
            digest: digest(2),
            time: Timestamp::from_millis(900),
            message: String::new(),
        };
        control.strike(&[strike], HOUR).expect("strike");
    }
    let (new, other) = (digest(2), digest(4));
    let id = control.rollout_begin(&rollout()).expect("begin");
    control.hand_over(id, "permanent", "thermal", &[(Some("b"), Some(&new))]).expect("handed over");
    assert_eq!(pairs(), named(&[("a", 2), ("own", 2), ("a", 1)]));
    let strikes = control.strikes(None, None, 9).expect("read");
    assert_eq!(strikes.iter().map(|strike| strike.twin.as_str()).collect::<Vec<_>>(), ["a"]);
    control.rollout_save(id, "permanent", "{}", Some(Timestamp(5))).expect("end");
    // One for the whole binding frees whoever goes with it: not the twin that keeps a version of its own.
    let id = control.rollout_begin(&rollout()).expect("begin");
    let changes = [(Some("a"), None), (Some("own"), Some(other.as_str())), (None, Some(new.as_str()))];
    control.hand_over(id, "permanent", "thermal", &changes).expect("handed over");
    assert_eq!(pairs(), named(&[("own", 2), ("a", 1)]));
    assert!(control.strikes(None, None, 9).expect("read").is_empty());
    // It outlives the host, and has a limit.
    drop(control);
    store.close().expect("close");
    let store = open(dir.path());
    let control = store.control();
    assert_eq!(control.quarantines().expect("read").len(), 2);
    let meddler = rusqlite::Connection::open(dir.path().join("control.db")).expect("file");
    meddler.busy_timeout(Duration::from_secs(5)).expect("wait");
    meddler
        .execute_batch(
            "INSERT INTO quarantine(binding, twin, digest, since, strikes, reason)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
             SELECT 'b', 't' || i, 'd', 1, 3, '' FROM n",
        )
        .expect("fill");
    control.quarantine(&quarantine("last", 1)).expect("quarantine");
    let all = control.quarantines().expect("read");
    assert_eq!((all.len(), all[0].twin.as_str(), all[199_999].twin.as_str()), (200_000, "t2", "last"));
}
