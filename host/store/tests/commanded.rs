//! What was commanded last: that it takes the place of what was known, outlives the host, and has limits.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{ManualClock, Timestamp};
use geminus_store::{Commanded, Options, Store, StoreError};

fn open(dir: &Path) -> Store {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    Store::open(dir, Options::default(), clock).expect("store")
}

fn commanded(twin: &str, document: &str) -> Commanded {
    Commanded { binding: "policy".to_owned(), twin: twin.to_owned(), document: document.to_owned() }
}

#[test]
fn the_last_of_each_twin_is_kept_over_a_restart() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let control = store.control();
    control.commanded_save(&[]).expect("nothing to save");
    control.commanded_save(&[commanded("a", "1"), commanded("b", "2")]).expect("saved");
    let other = Commanded { binding: "other".to_owned(), ..commanded("a", "3") };
    control.commanded_save(&[commanded("a", "4"), other.clone()]).expect("saved");
    drop(control);
    store.close().expect("close");
    let store = open(dir.path());
    let all = store.control().commanded().expect("read");
    assert_eq!(all, [commanded("a", "4"), commanded("b", "2"), other]);
}

#[test]
fn what_is_too_long_is_refused_with_all_that_came_with_it_and_the_oldest_goes_when_there_are_too_many() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let control = store.control();
    let refused = control.commanded_save(&[commanded("a", "1"), commanded("b", &"x".repeat((1 << 20) + 1))]);
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    assert!(control.commanded().expect("read").is_empty());
    let meddler = rusqlite::Connection::open(dir.path().join("control.db")).expect("file");
    meddler.busy_timeout(Duration::from_secs(5)).expect("wait");
    meddler
        .execute_batch(
            "INSERT INTO commanded(binding, twin, document)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
             SELECT 'b', 't' || i, '' FROM n",
        )
        .expect("fill");
    control.commanded_save(&[commanded("last", "1")]).expect("saved");
    let all = control.commanded().expect("read");
    assert_eq!((all.len(), all[0].twin.as_str(), all[999_999].twin.as_str()), (1_000_000, "t2", "last"));
}
