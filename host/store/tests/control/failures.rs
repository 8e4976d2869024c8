//! Strikes, crashes, and runs that did not stop in order.

use crate::*;

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
