//! Rollouts, from their beginning to their being forgotten.

use crate::*;

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
