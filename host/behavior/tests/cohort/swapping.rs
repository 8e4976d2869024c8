//! State out and in, and swaps: carried up and down, refused with the incumbent untouched, nothing left behind.

use std::sync::Arc;

use geminus_behavior::{Cohort, ColdStart, RestoreError, SwapError};
use geminus_core::{Digest, TwinIndex};

use crate::probe::{ENGINE, Listener, Oracle, Probe, frame, openings, step};

/// Rows for `twins` twins at `time`.
fn tick(twins: u32, time: u64) -> geminus_core::Frame {
    frame((0..twins).map(|twin| (twin, time, f64::from(twin) * 0.1, time as f64)))
}

#[test]
fn up_down_and_up_again_gives_what_one_version_would_have_given() {
    let mut cohort = Probe::default().cohort(&"n".repeat(50));
    let mut oracle = Oracle::default();
    let versions = [Probe::default().compiled(), Probe::second().compiled()];
    for time in 1..=100 {
        oracle.check(&tick(50, time), &step(&mut cohort, &tick(50, time)), &[]);
        let next = versions[time as usize % 2].clone();
        let report = cohort.succeed(next.clone(), ColdStart::Refuse).unwrap();
        assert_eq!((report.schema, report.carried, report.cold.len()), (Some(1), 50, 0));
        assert_eq!(report.to, next.declaration().label());
    }
}

#[test]
fn a_swap_that_fails_leaves_the_incumbent_as_it_was() {
    let refused = |next: Probe, modes: &str, crash: bool, expect: &str| {
        let mut cohort = Probe::default().cohort(modes);
        let mut oracle = Oracle::default();
        let twins = modes.len() as u32;
        let mut first = tick(twins, 1);
        first.values[2] = if crash { 666.0 } else { 1.0 };
        oracle.check(&first, &step(&mut cohort, &first), &[]);
        let error = cohort.succeed(next.compiled(), ColdStart::Refuse).unwrap_err();
        assert!(error.to_string().contains(expect), "{error} does not say {expect:?}");
        oracle.check(&tick(twins, 2), &step(&mut cohort, &tick(twins, 2)), &[]);
        assert_eq!(cohort.compiled().declaration().label(), "probe@1.0.0");
    };
    let second = Probe::second();
    refused(
        Probe { starts: false, ..second },
        "nn",
        false,
        "cannot be started in place of the incumbent: instantiate",
    );
    refused(Probe { reads: &[2], ..second }, "nn", false, "reads state schemas [2], probe@1.0.0 writes [1]");
    refused(Probe { schema: 0, reads: &[], writes: &[], ..second }, "nn", false, "carry no state");
    refused(Probe { memory_bytes: 1 << 20, ..second }, "nn", false, "memory limit");
    // Twin 1 wrote state that no version restores.
    refused(second, "nr", true, "twin twin-1: restore: ");
    refused(second, "nu", true, "twin twin-1: restore: state: bad state");
    // A declaration that promises a schema which the code does not write.
    refused(
        Probe { code_schema: 1, ..second },
        "nn",
        false,
        "snapshot: schema 2 was asked for, 1 was written",
    );
}

#[test]
fn an_heir_raised_beside_the_incumbent_takes_over_what_happened_meanwhile() {
    let mut cohort = Probe::default().cohort("nnnt");
    let mut oracle = Oracle::default();
    oracle.check(&tick(4, 1), &step(&mut cohort, &tick(4, 1)), &[]);
    let (household, next) = (cohort.household(), Probe::second().compiled());
    let heir = std::thread::spawn(move || household.raise(next)).join().unwrap().unwrap();
    // Meanwhile rows come, one twin crashes, one leaves and its slot goes to another.
    let mut crash = tick(4, 2);
    crash.values[6] = 666.0;
    oracle.check(&crash, &step(&mut cohort, &crash), &[3]);
    cohort.close(&[TwinIndex(1)]);
    assert_eq!(cohort.open(vec![crate::probe::opening(9, 'n')]), []);
    let late = frame([(9, 3, 7.0, 7.0), (0, 3, 1.0, 1.0)]);
    oracle.check(&late, &step(&mut cohort, &late), &[]);
    let report = cohort.inherit(heir, ColdStart::Refuse).unwrap();
    assert_eq!((report.carried, report.rows_lost, report.cold.len()), (4, 0, 0));
    assert_eq!(report.released, [TwinIndex(3)]);
    let after =
        frame([(0, 4, 1.0, 1.0), (9, 4, 1.0, 1.0), (2, 4, 1.0, 1.0), (3, 4, 1.0, 1.0), (1, 4, 1.0, 1.0)]);
    oracle.check(&after, &step(&mut cohort, &after), &[4]);
    // A recovery brings back what was carried, in the schema of the version before.
    let crash = frame([(3, 5, 666.0, 0.0), (0, 5, 2.0, 2.0), (9, 5, 2.0, 2.0)]);
    oracle.check(&crash, &step(&mut cohort, &crash), &[0]);
}

#[test]
fn a_cold_start_happens_only_when_somebody_said_so() {
    let mut cohort = Probe { warm_up_rows: 2, ..Probe::default() }.cohort("nn");
    step(&mut cohort, &tick(2, 1));
    step(&mut cohort, &tick(2, 2));
    let strange = Probe { reads: &[2], warm_up_rows: 2, ..Probe::second() }.compiled();
    let error = cohort.succeed(strange.clone(), ColdStart::Refuse).unwrap_err();
    assert!(matches!(error, SwapError::Schema { .. }));
    let report = cohort.succeed(strange, ColdStart::Allow).unwrap();
    assert_eq!((report.schema, report.carried, report.cold), (None, 0, vec![TwinIndex(0), TwinIndex(1)]));
    let stepped = step(&mut cohort, &tick(2, 3));
    assert_eq!(stepped.outcome.values[1], 1.0, "counts from the beginning");
    assert_eq!(stepped.outcome.quality[1], geminus_core::Quality::Uncertain, "warms up anew");
}

#[test]
fn a_new_version_releases_those_whom_the_old_one_broke() {
    let mut cohort = Probe::default().cohort("nt");
    let mut oracle = Oracle::default();
    oracle.check(&tick(2, 1), &step(&mut cohort, &tick(2, 1)), &[]);
    let crash = frame([(1, 2, 666.0, 0.0)]);
    oracle.check(&crash, &step(&mut cohort, &crash), &[0]);
    let report = cohort.succeed(Probe::second().compiled(), ColdStart::Refuse).unwrap();
    assert_eq!((report.carried, report.released), (2, vec![TwinIndex(1)]));
    oracle.check(&tick(2, 3), &step(&mut cohort, &tick(2, 3)), &[]);
}

#[test]
fn a_snapshot_restores_into_a_new_cohort_of_any_version_that_reads_it() {
    let mut first = Probe::second().cohort("nnn");
    let mut oracle = Oracle::default();
    oracle.check(&tick(3, 1), &step(&mut first, &tick(3, 1)), &[]);
    let saved = first.snapshot(Some(1)).unwrap();
    assert_eq!((saved.schema, saved.label.as_str(), saved.twins.len()), (1, "probe@2.0.0", 3));
    assert!(saved.twins.iter().all(|twin| twin.time.0 == 1 && twin.rows == 1 && twin.bytes.len() == 16));
    assert!(first.snapshot(Some(9)).unwrap_err().to_string().contains("does not write state schema 9"));
    let mut second = Probe::default().cohort("nnn");
    assert_eq!(second.restore(&saved).unwrap(), []);
    let stepped = step(&mut second, &frame([(0, 1, 5.0, 5.0)]));
    assert!(
        stepped.faults[0].message.contains("not later"),
        "row times are part of it: {:?}",
        stepped.faults
    );
    oracle.check(&tick(3, 2), &step(&mut second, &tick(3, 2)), &[]);

    let mut harmed = saved.clone();
    harmed.twins[1].bytes.pop();
    let mut third = Probe::default().cohort("nnn");
    let refused = third.restore(&harmed).unwrap();
    assert_eq!(refused.iter().map(|r| r.twin.0).collect::<Vec<_>>(), [1]);
    assert!(refused[0].message.contains("bad state"), "{}", refused[0].message);
    let newest = first.snapshot(None).unwrap();
    assert_eq!(
        third.restore(&newest),
        Err(RestoreError::Schema { label: "probe@1.0.0".to_owned(), schema: 2 })
    );
    harmed.label = "other@1.0.0".to_owned();
    assert!(matches!(third.restore(&harmed), Err(RestoreError::Plugin { .. })));
}

#[test]
fn nothing_stays_behind_after_a_swap() {
    let mut cohort = Probe::default().cohort(&"n".repeat(100));
    let bytes = [Probe::default(), Probe::second()].map(Probe::component);
    let declarations = [Probe::default().declaration(), Probe::second().declaration()];
    let mut reload = |times: usize| {
        for time in 0..times {
            let which = time % 2;
            let digest = Digest::of(&bytes[which]);
            let next = ENGINE.compile(digest, &bytes[which], declarations[which].clone(), None).unwrap();
            cohort.succeed(next, ColdStart::Refuse).unwrap();
        }
    };
    reload(40);
    let before = (resident_bytes(), open_files(), mappings());
    reload(200);
    let after = (resident_bytes(), open_files(), mappings());
    assert!(after.0 < before.0 + (8 << 20), "{before:?} to {after:?}");
    assert!(after.1 <= before.1 + 2 && after.2 <= before.2 + 8, "{before:?} to {after:?}");
}

#[test]
fn many_swaps_lose_and_double_no_row_with_crashes_in_between() {
    let mut cohort = Probe::default().cohort(&format!("{}t", "n".repeat(9)));
    let mut oracle = Oracle::default();
    let versions = [Probe::default().compiled(), Probe::second().compiled()];
    for time in 1..=300_u64 {
        let mut rows = tick(10, time);
        let crash = time % 10 == 5;
        rows.values[18] = if crash { 666.0 } else { 1.0 };
        let quarantined = cohort.quarantined().count() > 0;
        let stepped = step(&mut cohort, &rows);
        oracle.check(&rows, &stepped, if crash || quarantined { &[9] } else { &[] });
        if time % 7 == 0 {
            cohort.succeed(versions[(time / 7) as usize % 2].clone(), ColdStart::Refuse).unwrap();
        }
    }
}

#[test]
fn other_engines_components_are_refused() {
    let mut cohort = Probe::default().cohort("n");
    let other = geminus_behavior::Engine::new(crate::probe::limits()).unwrap();
    let error = cohort.succeed(Probe::second().compiled_by(&other), ColdStart::Refuse).unwrap_err();
    assert_eq!(error, SwapError::OtherEngine("probe@2.0.0".to_owned()));
    let host = Arc::new(Listener::default());
    assert!(Cohort::start(Probe::second().compiled_by(&other), host, openings("n")).is_ok());
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}
