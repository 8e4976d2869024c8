//! What `control.db` keeps: each kind comes back as it went in, counts are right, limits hold, a file of the version
//! before keeps what it held.

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
use geminus_store::{
    Activation, ActivationFilter, AlarmRecord, Control, ControlReader, Generation, Options, PackageRecord,
    Release, RolloutRecord, Store, StoreError, Strike,
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

#[test]
fn alarms_are_kept_and_forgotten_in_one_commit() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(dir.path());
    let alarm = |twin: &str, document: Option<&str>| AlarmRecord {
        twin: twin.to_owned(),
        name: "winding-hot".to_owned(),
        document: document.map(str::to_owned),
    };
    let control = store.control();
    let both = [alarm("rig-1", Some("{\"state\":\"acknowledged\"}")), alarm("rig-2", Some("{}"))];
    control.save_alarms(&both).expect("saved");
    let too_large = alarm("rig-3", Some(&"x".repeat(20_000)));
    let refused = control.save_alarms(&[alarm("rig-1", None), too_large]).expect_err("too large");
    assert!(matches!(refused, StoreError::TooLarge { .. }), "{refused}");
    assert_eq!(control.alarms().expect("read"), both, "all or nothing");
    control.save_alarms(&[alarm("rig-1", None), alarm("rig-2", Some("{\"a\":1}"))]).expect("saved");
    store.close().expect("close");
    let (store, _) = open(dir.path());
    assert_eq!(store.control().alarms().expect("read"), [alarm("rig-2", Some("{\"a\":1}"))]);
}

#[test]
fn packages_are_kept_once_and_the_oldest_unused_go() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(dir.path());
    let control = store.control();
    assert!(control.record_package(&package(1)).expect("record"));
    assert!(control.record_package(&package(2)).expect("record"));
    let again = PackageRecord { source: "api".to_owned(), ..package(1) };
    assert!(!control.record_package(&again).expect("record"), "known");
    assert_eq!(control.packages().expect("read"), [package(1), package(2)]);
    let large = PackageRecord { declaration: "x".repeat((1 << 20) + 1), ..package(3) };
    assert!(matches!(control.record_package(&large), Err(StoreError::TooLarge { .. })));

    control.assign("thermal", None, &digest(1)).expect("assign");
    beside(dir.path())
        .execute_batch(
            "INSERT INTO package(digest, name, version, declaration, bytes, arrived, source)
             WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 1098)
             SELECT 'sha256:x' || i, 'p', '1.0.0', '{}', 1, 1, '' FROM n",
        )
        .expect("fill");
    assert!(control.record_package(&package(5)).expect("record"));
    let kept = control.packages().expect("read");
    assert_eq!(kept.len(), 1_001, "1,000 and the one that is assigned");
    assert_eq!(
        (&kept[0], &kept[1].digest, kept.last()),
        (&package(1), &"sha256:x100".to_owned(), Some(&package(5)))
    );
}

#[test]
fn an_incarnation_has_one_number_for_ever() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, clock) = open(dir.path());
    let control = store.control();
    let number = |binding: &str, digest: &str, parameters: &[u8]| {
        control.incarnation(binding, "motor-thermal@0.1.0", digest, parameters).expect("number")
    };
    let first = number("thermal", "sha256:1", b"{}");
    let others = [
        number("thermal", "sha256:1", b"{1}"),
        number("thermal", "sha256:2", b"{}"),
        number("thermal2", "sha256:1", b"{}"),
    ];
    assert_eq!((first, others), (1, [2, 3, 4]));
    clock.advance(HOUR);
    assert_eq!(number("thermal", "sha256:1", b"{}"), first);
    // Parts must not run into each other.
    assert_eq!([number("a", "bc", b""), number("ab", "c", b""), number("a", "b", b"c")], [5, 6, 7]);
    let many = control
        .incarnations_of("thermal", "motor-thermal@0.1.0", "sha256:1", &[&b"{}"[..], b"new", b"{1}", b"new"])
        .expect("numbers");
    assert_eq!(many, [1, 8, 2, 8]);
    let all = control.incarnations().expect("read");
    assert_eq!(all.iter().map(|one| one.id).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    assert_eq!(
        (all[1].binding.as_str(), all[1].digest.as_str(), &all[1].parameters[..]),
        ("thermal", "sha256:1", &b"{1}"[..])
    );
    assert_eq!(
        (all[0].plugin.as_str(), all[0].since),
        ("motor-thermal@0.1.0", Timestamp::from_millis(1_000))
    );

    beside(dir.path()).execute("UPDATE incarnation SET id = 999999 WHERE id = 8", []).expect("fill");
    let refused = control.incarnations_of("thermal", "p", "sha256:9", &[b"a", b"b"]).expect_err("full");
    assert!(matches!(refused, StoreError::Exhausted { limit: 1_000_000, .. }), "{refused}");
    assert_eq!(control.incarnations().expect("read").len(), 8, "none of the two is there");
    assert_eq!(number("thermal", "sha256:9", b"a"), 1_000_000);
    assert!(matches!(
        control.incarnation("thermal", "p", "d", &vec![0; (1 << 20) + 1]),
        Err(StoreError::TooLarge { .. })
    ));
}

#[test]
fn assignments_say_what_is_in_force_and_since_when() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, clock) = open(dir.path());
    let control = store.control();
    control.assign("thermal", Some("motor-2"), &digest(1)).expect("assign");
    control.assign("thermal", None, &digest(1)).expect("assign");
    clock.advance(HOUR);
    control.assign("thermal", None, &digest(1)).expect("the same again");
    control.assign("thermal", Some("motor-2"), &digest(2)).expect("another");
    control.assign_all("balance", &[Some("b"), Some("a")], &digest(3)).expect("two");
    let told: Vec<(String, Option<String>, String, u64)> = control
        .assignments()
        .expect("read")
        .into_iter()
        .map(|one| (one.binding, one.twin, one.digest, one.since.millis()))
        .collect();
    let row = |binding: &str, twin: Option<&str>, number, since| {
        (binding.to_owned(), twin.map(str::to_owned), digest(number), since)
    };
    assert_eq!(
        told,
        [
            row("balance", Some("a"), 3, 3_601_000),
            row("balance", Some("b"), 3, 3_601_000),
            row("thermal", None, 1, 1_000),
            row("thermal", Some("motor-2"), 2, 3_601_000),
        ]
    );
    assert!(control.unassign("thermal", Some("motor-2")).expect("unassign"));
    assert!(!control.unassign("thermal", Some("motor-2")).expect("unassign"), "gone already");
    assert!(control.unassign("thermal", None).expect("unassign"));
    assert_eq!(control.assignments().expect("read").len(), 2);
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

#[test]
fn activations_come_back_newest_first_and_filtered() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(dir.path());
    let control = store.control();
    (1..=6).for_each(|at| control.record_activation(&activation(at)).expect("record"));
    let all = ActivationFilter::default();
    let cases: [(ActivationFilter, &[u64]); 6] = [
        (all.clone(), &[6, 5, 4, 3, 2, 1]),
        (ActivationFilter { limit: 2, ..all.clone() }, &[6, 5]),
        (ActivationFilter { binding: Some("binding-1".to_owned()), ..all.clone() }, &[5, 3, 1]),
        (ActivationFilter { rollout: Some(2), ..all.clone() }, &[5, 2]),
        (ActivationFilter { plugin: Some("other".to_owned()), ..all.clone() }, &[]),
        (ActivationFilter { binding: Some("binding-0".to_owned()), rollout: Some(1), ..all.clone() }, &[4]),
    ];
    for (filter, expect) in cases {
        let expect: Vec<Activation> = expect.iter().map(|at| activation(*at)).collect();
        assert_eq!(control.activations(&filter).expect("read"), expect, "{filter:?}");
    }
    beside(dir.path())
        .execute_batch(
            "INSERT INTO activation(time, plugin, version, digest, outcome)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i, 'p', '1', 'd', 'o' FROM n",
        )
        .expect("fill");
    let long = Activation { outcome: "ü".repeat(4_000), ..activation(7) };
    control.record_activation(&long).expect("record");
    let kept = control.activations(&ActivationFilter { limit: usize::MAX, ..all }).expect("read");
    assert_eq!(kept.len(), 10_000);
    assert_eq!((kept[0].outcome.len(), kept[9_999].time), (4_096, Timestamp(2)), "a long outcome is cut");
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

#[test]
fn a_rollout_is_begun_saved_ended_and_never_reopened() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, clock) = open(dir.path());
    let control = store.control();
    let id = control.rollout_begin(&rollout("thermal")).expect("begin");
    let begun = RolloutRecord { id, changed: Timestamp::from_millis(1_000), ..rollout("thermal") };
    assert_eq!(control.rollout(id).expect("read"), Some(begun.clone()));
    let refused = control.rollout_begin(&rollout("thermal")).expect_err("one at a time");
    assert!(
        matches!(&refused, StoreError::RolloutOpen { binding, open } if binding == "thermal" && *open == id),
        "{refused}"
    );
    let fresh = RolloutRecord { from: None, automatic: false, ..rollout("balance") };
    let other = control.rollout_begin(&fresh).expect("another binding");
    assert_ne!(other, id);

    clock.advance(HOUR);
    control.rollout_save(id, "shadow", "{\"rows\":5}", None).expect("save");
    control.rollout_evidence(id, "{\"nis\":1.0}").expect("save");
    let now = Timestamp::from_millis(3_601_000);
    let shadow = RolloutRecord {
        phase: "shadow".to_owned(),
        document: "{\"rows\":5}".to_owned(),
        evidence: Some("{\"nis\":1.0}".to_owned()),
        changed: now,
        ..begun
    };
    assert_eq!(control.rollout(id).expect("read"), Some(shadow.clone()));
    let open = control.rollouts_open().expect("read");
    assert_eq!(open[0], RolloutRecord { evidence: None, ..shadow.clone() }, "lists come without evidence");
    assert_eq!((open.len(), open[1].id, &open[1].from, open[1].automatic), (2, other, &None, false));

    control.rollout_save(id, "failed", "{}", Some(Timestamp(5))).expect("end");
    control.rollout_save(id, "failed", "{\"late\":1}", None).expect("a late word");
    let ended = control.rollout(id).expect("read").expect("there");
    assert_eq!((ended.ended, ended.document.as_str()), (Some(Timestamp(5)), "{\"late\":1}"));
    assert_eq!(control.rollouts_open().expect("read").len(), 1);
    assert!(control.rollout_begin(&rollout("thermal")).expect("the next") > other);
    let listed: Vec<String> = control.rollouts(2).expect("read").into_iter().map(|one| one.binding).collect();
    assert_eq!(listed, ["thermal", "balance"], "newest first");
    let unknown = [
        control.rollout_save(99, "x", "{}", None).expect_err("unknown"),
        control.rollout_evidence(99, "{}").expect_err("unknown"),
    ];
    assert!(unknown.iter().all(|error| matches!(error, StoreError::NoRollout { id: 99 })), "{unknown:?}");
    let large = "x".repeat((1 << 20) + 1);
    assert!(matches!(control.rollout_save(id, "x", &large, None), Err(StoreError::TooLarge { .. })));
    assert!(matches!(control.rollout_evidence(id, &large), Err(StoreError::TooLarge { .. })));
}

#[test]
fn a_version_is_handed_over_to_with_all_that_goes_with_it_or_not_at_all() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(dir.path());
    let control = store.control();
    let (old, new) = (digest(1), digest(2));
    control.assign("thermal", None, &old).expect("assign");
    control.assign("thermal", Some("a"), &digest(3)).expect("assign");
    let id = control.rollout_begin(&rollout("thermal")).expect("begin");
    let changes = [(Some("a"), None), (Some("b"), Some(old.as_str())), (None, Some(new.as_str()))];
    let ledger = || -> Vec<(Option<String>, String)> {
        let all = control.assignments().expect("read");
        all.into_iter().map(|one| (one.twin, one.digest)).collect()
    };
    let (before, books) = (ledger(), control.rollout(id).expect("read"));
    let meddler = beside(dir.path());
    // The last of the changes is refused: those before it must not stand either.
    meddler
        .execute_batch(&format!(
            "CREATE TRIGGER shut BEFORE UPDATE ON assignment WHEN new.digest = '{new}'
             BEGIN SELECT raise(ABORT, 'the ledger is shut'); END"
        ))
        .expect("trigger");
    let refused = control.hand_over(id, "permanent", "thermal", &changes).expect_err("shut");
    assert!(refused.to_string().contains("the ledger is shut"), "{refused}");
    assert_eq!((ledger(), control.rollout(id).expect("read")), (before, books));
    meddler.execute_batch("DROP TRIGGER shut").expect("drop");
    control.hand_over(id, "permanent", "thermal", &changes).expect("handed over");
    assert_eq!(ledger(), [(None, new.clone()), (Some("b".to_owned()), old.clone())]);
    let known = control.rollout(id).expect("read").expect("there");
    assert_eq!((known.phase.as_str(), known.ended), ("permanent", None));
    // One that has ended, or never was, hands nothing over.
    control.rollout_save(id, "rolled-back", "{}", Some(Timestamp(5))).expect("end");
    for id in [id, 99] {
        let unknown =
            control.hand_over(id, "permanent", "thermal", &[(None, Some(&old))]).expect_err("ended");
        assert!(matches!(unknown, StoreError::NoRollout { .. }), "{unknown}");
    }
    assert_eq!(ledger()[0], (None, new));
}

#[test]
fn old_rollouts_are_forgotten_but_none_that_is_under_way() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(dir.path());
    let control = store.control();
    let open = control.rollout_begin(&rollout("open")).expect("begin");
    let ended = RolloutRecord { ended: Some(Timestamp(1)), ..rollout("ended") };
    let first = control.rollout_begin(&ended).expect("begin");
    beside(dir.path())
        .execute_batch(
            "INSERT INTO rollout(binding, plugin, to_version, to_digest, automatic, by, started, phase, changed, ended, plan, document)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
             SELECT 'b', 'p', '1', 'd', 0, 'x', i, 'failed', i, i, '{}', '{}' FROM n",
        )
        .expect("fill");
    assert!(control.rollout(first).expect("read").is_some());
    control.rollout_begin(&rollout("last")).expect("begin");
    assert_eq!(control.rollouts(usize::MAX).expect("read").len(), 1_001, "1,000 and the open one");
    assert_eq!(control.rollout(first).expect("read"), None);
    assert!(control.rollout(open).expect("read").is_some());
}

#[test]
fn strikes_count_in_their_window_and_by_version() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(dir.path());
    let control = store.control();
    let day = 24 * HOUR;
    let at = |hours: u32| Timestamp::from_millis(1_700_000_000_000).plus(hours * HOUR);
    let one = |twin: &str, number, hours| Strike {
        binding: "thermal".to_owned(),
        twin: twin.to_owned(),
        digest: digest(number),
        time: at(hours),
        message: "trap: unreachable".to_owned(),
    };
    let strike = |twin: &str, number, hours, window| {
        control.strike(&[one(twin, number, hours)], window).expect("strike").remove(0)
    };
    let counted = [
        strike("motor-1", 1, 0, HOUR),
        strike("motor-1", 1, 1, HOUR),
        strike("motor-1", 1, 3, HOUR),
        strike("motor-1", 1, 3, 3 * HOUR),
        strike("motor-1", 2, 3, 3 * HOUR),
        strike("motor-2", 1, 3, 3 * HOUR),
    ];
    assert_eq!(counted, [1, 2, 1, 4, 1, 1]);
    let all = control.strikes(None, None, 100).expect("read");
    assert_eq!((all.len(), all[0].twin.as_str(), all[5].time), (6, "motor-2", at(0)));
    assert_eq!(all[0].message, "trap: unreachable");
    let listed = |binding, twin, limit| control.strikes(binding, twin, limit).expect("read").len();
    assert_eq!(
        [
            listed(Some("thermal"), Some("motor-1"), 9),
            listed(None, Some("motor-2"), 9),
            listed(Some("x"), None, 9),
            listed(None, None, 2)
        ],
        [5, 1, 0, 2]
    );
    assert_eq!(control.forgive("thermal", "motor-1", Some(&digest(2))).expect("forgive"), 1);
    assert_eq!(control.forgive("thermal", "motor-1", None).expect("forgive"), 4);
    assert_eq!(strike("motor-1", 1, 3, 3 * HOUR), 1, "forgiven is forgotten");
    // After 30 days only what is younger is left, whatever the window.
    assert_eq!(strike("motor-1", 1, 30 * 24 + 3, 365 * day), 2);
    assert_eq!(strike("motor-1", 1, 30 * 24 + 4, 365 * day), 2);
    assert_eq!(listed(None, None, 9), 2);
    beside(dir.path())
        .execute_batch(&format!(
            "INSERT INTO strike(binding, twin, digest, time, message)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
             SELECT 'b', 't', 'd', {}, '' FROM n",
            at(30 * 24 + 4).0
        ))
        .expect("fill");
    let long = Strike { message: "x".repeat(9_000), ..one("t", 3, 30 * 24 + 4) };
    control.strike(&[long], HOUR).expect("strike");
    let all = control.strikes(None, None, usize::MAX).expect("read");
    assert_eq!((all.len(), all[0].message.len()), (100_000, 4_096));
    // Many in one commit count as one by one.
    let many = [one("a", 1, 1_000), one("b", 1, 1_000), one("a", 1, 1_000), one("a", 2, 1_000)];
    assert_eq!(control.strike(&many, HOUR).expect("strikes"), [1, 1, 2, 1]);
    assert!(control.strike(&[], HOUR).expect("none").is_empty());
}

#[test]
fn crashes_are_counted_until_they_are_forgiven() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(dir.path());
    let control = store.control();
    let counted = [
        control.crash(&digest(1), Timestamp(10)).expect("crash"),
        control.crash(&digest(2), Timestamp(11)).expect("crash"),
        control.crash(&digest(1), Timestamp(12)).expect("crash"),
    ];
    assert_eq!(counted, [1, 1, 2]);
    let told: Vec<_> = control
        .crashes()
        .expect("read")
        .into_iter()
        .map(|one| (one.digest, one.count, one.first.0, one.last.0))
        .collect();
    assert_eq!(told, [(digest(1), 2, 10, 12), (digest(2), 1, 11, 11)]);
    assert!(control.forgive_crash(&digest(1)).expect("forgive"));
    assert!(!control.forgive_crash(&digest(1)).expect("forgive"));
    assert_eq!(control.crash(&digest(1), Timestamp(13)).expect("crash"), 1);
    beside(dir.path())
        .execute_batch(
            "INSERT INTO crash WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 998)
             SELECT 'd' || i, 1, 100 + i, 100 + i FROM n",
        )
        .expect("fill");
    control.crash(&digest(3), Timestamp(1)).expect("crash");
    let kept = control.crashes().expect("read");
    assert_eq!(kept.len(), 1_000);
    assert!(
        kept.iter().any(|one| one.digest == digest(3)),
        "the one just told stays, though its clock is behind"
    );
    assert!(!kept.iter().any(|one| one.digest == digest(2)), "the one longest ago went");
}

#[test]
fn a_run_that_did_not_stop_in_order_shows() {
    let dir = tempfile::tempdir().expect("folder");
    let turn = |run: &dyn Fn(&Control)| {
        let (store, _) = open(dir.path());
        let was_clean = store.control().was_clean();
        run(&store.control());
        store.close().expect("close");
        was_clean
    };
    let stopped = |control: &Control| {
        control.mark_running().expect("mark");
        assert!(control.was_clean(), "that is of the run before");
        control.mark_stopped().expect("mark");
    };
    let crashed = |control: &Control| control.mark_running().expect("mark");
    assert!(turn(&stopped), "the first run of all");
    assert!(turn(&crashed));
    assert!(!turn(&|_| ()), "the mark of the crashed run is there");
    assert!(!turn(&|control| control.mark_stopped().expect("mark")), "and stays until a run stops in order");
    assert!(turn(&stopped));
}

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
        matches!(refused, StoreError::OlderSchema { file: "control.db", found: 1, known: 4 }),
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
    store.close().expect("close");
    let (store, _) = open(dir.path());
    let loaded = store.snapshots().load("thermal", &["motor-1"]).expect("load");
    assert_eq!(loaded.states[0].row_time, Timestamp(18));
    assert_eq!(store.control().rollouts_open().expect("read").len(), 1);
}
