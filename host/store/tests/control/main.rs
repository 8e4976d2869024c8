//! What `control.db` keeps: each kind comes back as it went in, counts are right, limits hold, a file of the version
//! before keeps what it held.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

mod alarms;
mod failures;
mod files;
mod rollouts;
mod versions;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{ManualClock, Timestamp};
use geminus_store::{
    Activation, ActivationFilter, Control, ControlReader, Generation, Options, PackageRecord, Release,
    RolloutRecord, Store, StoreError, Strike,
};

const HOUR: Duration = Duration::from_secs(3600);

fn open(dir: &Path) -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    (Store::open(dir, Options::default(), Arc::<ManualClock>::clone(&clock)).expect("store"), clock)
}

/// A connection that meddles beside the store's.
fn beside(dir: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(dir.join("control.db")).expect("file");
    connection.busy_timeout(Duration::from_secs(5)).expect("wait");
    connection
}

fn digest(number: u32) -> String {
    format!("sha256:{number:064x}")
}

fn package(number: u32) -> PackageRecord {
    PackageRecord {
        digest: digest(number),
        name: "motor-thermal".to_owned(),
        version: format!("0.{number}.0"),
        declaration: format!("{{\"number\":{number}}}"),
        bytes: u64::from(number) * 1_000,
        arrived: Timestamp::from_millis(u64::from(number)),
        source: "motor-thermal.wasm".to_owned(),
    }
}

fn activation(at: u64) -> Activation {
    Activation {
        time: Timestamp(at),
        binding: format!("binding-{}", at % 2),
        plugin: "motor-thermal".to_owned(),
        version: format!("0.{at}.0"),
        digest: digest(0),
        twins: at * 10,
        rollout: (!at.is_multiple_of(3)).then_some(at % 3),
        outcome: "activated".to_owned(),
    }
}

fn rollout(binding: &str) -> RolloutRecord {
    RolloutRecord {
        id: 0,
        binding: binding.to_owned(),
        plugin: "motor-thermal".to_owned(),
        from: Some(Release { version: "0.1.0".to_owned(), digest: digest(1) }),
        to: Release { version: "0.2.0".to_owned(), digest: digest(2) },
        automatic: true,
        by: "folder".to_owned(),
        started: Timestamp::from_millis(900),
        phase: "verifying".to_owned(),
        changed: Timestamp(0),
        ended: None,
        plan: "{\"plan\":1}".to_owned(),
        document: "{}".to_owned(),
        evidence: None,
    }
}
