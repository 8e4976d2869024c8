//! Packages, incarnations, what is assigned to whom, and what was put to work.

use crate::*;

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
