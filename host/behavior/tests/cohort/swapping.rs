//! State out and in, and the hot swap made of it: carried up and down in parts, refused before it is needed with the
//! incumbent untouched, nothing left behind.

use std::sync::Arc;

use geminus_behavior::{Cohort, ColdStart, Compiled, Household, RestoreError, SwapError, handover_schema};
use geminus_core::{Digest, TwinIndex};

use crate::probe::{ENGINE, Listener, Oracle, Probe, frame, opening, openings, step};

/// Rows for `twins` twins at `time`.
fn tick(twins: u32, time: u64) -> geminus_core::Frame {
    frame((0..twins).map(|twin| (twin, time, f64::from(twin) * 0.1, time as f64)))
}

/// A cohort of `next` with the twins and the state of `old`, carried over in parts of `some` twins.
fn succeed(old: &mut Cohort, next: Arc<Compiled>, some: usize) -> Result<Cohort, SwapError> {
    let schema = handover_schema(old.compiled().declaration(), next.declaration(), ColdStart::Refuse)?;
    let mut heir = old.household().raise(next)?;
    let twins: Vec<TwinIndex> = old.twins().collect();
    assert_eq!(heir.twins().count(), twins.len());
    heir.rehearse(&old.copy(&twins, schema).expect("copy"))?;
    let mut cohort = heir.into_cohort();
    for twins in twins.chunks(some) {
        let state = old.copy(twins, schema).expect("copy");
        assert_eq!(cohort.take_in(&state).expect("readable"), []);
    }
    Ok(cohort)
}

#[test]
fn up_down_and_up_again_gives_what_one_version_would_have_given() {
    let mut cohort = Probe::default().cohort(&"n".repeat(50));
    let mut oracle = Oracle::default();
    let versions = [Probe::default().compiled(), Probe::second().compiled()];
    for time in 1..=60 {
        oracle.check(&tick(50, time), &step(&mut cohort, &tick(50, time)), &[]);
        let next = versions[time as usize % 2].clone();
        cohort = succeed(&mut cohort, next.clone(), 1 + time as usize % 60).unwrap();
        assert_eq!(cohort.compiled().declaration().label(), next.declaration().label());
        assert_eq!(cohort.twins().count(), 50);
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
        let error = succeed(&mut cohort, next.compiled(), 256).unwrap_err();
        assert!(error.to_string().contains(expect), "{error} does not say {expect:?}");
        oracle.check(&tick(twins, 2), &step(&mut cohort, &tick(twins, 2)), &[]);
        assert_eq!(cohort.compiled().declaration().label(), "probe@1.0.0");
    };
    let second = Probe::second();
    let dies = Probe { starts: false, ..second };
    refused(dies, "nn", false, "cannot be started in place of the incumbent: instantiate");
    refused(Probe { reads: &[2], ..second }, "nn", false, "reads state schemas [2], probe@1.0.0 writes [1]");
    refused(Probe { schema: 0, reads: &[], writes: &[], ..second }, "nn", false, "carry no state");
    refused(Probe { memory_bytes: 1 << 20, ..second }, "nn", false, "memory limit");
    // Twin 1 has state that its next version does not restore: a crash, a refusal, a hang.
    refused(second, "nr", true, "twin twin-1: restore: ");
    refused(second, "nu", true, "twin twin-1: restore: state: bad state");
    refused(second, "n8", true, "twin twin-1: restore: wasm trap: all fuel consumed");
    // A declaration that promises a schema which the code does not write.
    let lies = Probe { code_schema: 1, ..second };
    refused(lies, "nn", false, "snapshot: schema 2 was asked for, 1 was written");
}

#[test]
fn a_candidate_is_fed_beside_the_incumbent_and_answers_the_same_from_the_first_row() {
    let mut incumbent = Probe::default().cohort(&"n".repeat(40));
    let mut candidate = incumbent.household().raise(Probe::second().compiled()).unwrap().into_cohort();
    let mut oracle = Oracle::default();
    for time in 1..=30_u64 {
        // Four twins more are carried over between two rows.
        let enrolled = (time as u32 - 1).min(10) * 4;
        let all = tick(40, time);
        let some = frame((0..enrolled).map(|twin| (twin, time, f64::from(twin) * 0.1, time as f64)));
        let stepped = step(&mut incumbent, &all);
        oracle.check(&all, &stepped, &[]);
        let of_candidate = step(&mut candidate, &some);
        let cells = some.rows() * 2;
        assert_eq!(of_candidate.outcome.values, stepped.outcome.values[..cells], "at {time}");
        let next: Vec<TwinIndex> = (enrolled..(enrolled + 4).min(40)).map(TwinIndex).collect();
        let state = incumbent.copy(&next, Some(1)).unwrap();
        assert_eq!((state.schema, state.twins.len()), (1, next.len()));
        assert_eq!(candidate.take_in(&state).unwrap(), []);
    }
    // The candidate is rebuilt exactly, with what was taken in between two saves.
    assert!(candidate.forecast(TwinIndex(0), &[geminus_core::Timestamp(99)], &[0.0; 2]).is_ok());
    let next = tick(40, 31);
    assert_eq!(step(&mut candidate, &next).outcome, step(&mut incumbent, &next).outcome);
}

#[test]
fn a_crash_right_after_state_was_taken_in_loses_nothing() {
    let mut incumbent = Probe::default().cohort("nnnt");
    let mut candidate = incumbent.household().raise(Probe::second().compiled()).unwrap().into_cohort();
    let mut oracle = Oracle::default();
    oracle.check(&tick(4, 1), &step(&mut incumbent, &tick(4, 1)), &[]);
    // The candidate has had rows of its own, which count for nothing once the state is there.
    step(&mut candidate, &frame([(0, 1, 77.0, 0.0), (1, 1, 77.0, 0.0)]));
    let everybody: Vec<_> = (0..4).map(TwinIndex).collect();
    let state = incumbent.copy(&everybody, Some(1)).unwrap();
    assert_eq!(candidate.take_in(&state).unwrap(), []);
    let mut crash = tick(4, 2);
    crash.values[6] = 666.0;
    let stepped = step(&mut candidate, &crash);
    assert!(stepped.rebuilds > 0);
    oracle.check(&crash, &stepped, &[3]);
    let late = candidate.take_in(&state).unwrap();
    assert_eq!(late, [], "a quarantined twin takes state in as well");
    assert_eq!(candidate.quarantined().collect::<Vec<_>>(), [TwinIndex(3)]);
}

#[test]
fn state_that_is_refused_or_breaks_the_restore_is_given_back_and_the_others_taken_in() {
    for (mode, expect) in [('u', "bad state"), ('r', "unreachable"), ('8', "all fuel consumed")] {
        let modes: String = (0..300).map(|twin| if twin == 123 { mode } else { 'n' }).collect();
        let mut incumbent = Probe::default().cohort(&modes);
        let mut candidate = incumbent.household().raise(Probe::second().compiled()).unwrap().into_cohort();
        let mut oracle = Oracle::default();
        let mut first = tick(300, 1);
        first.values[246] = 666.0;
        oracle.check(&first, &step(&mut incumbent, &first), &[]);
        let twins: Vec<_> = (0..300).map(TwinIndex).collect();
        let refused = candidate.take_in(&incumbent.copy(&twins, Some(1)).unwrap()).unwrap();
        assert_eq!(refused.iter().map(|refused| refused.twin.0).collect::<Vec<_>>(), [123], "mode {mode}");
        assert!(refused[0].message.contains(expect), "{}", refused[0].message);
        let next = tick(300, 2);
        let stepped = step(&mut candidate, &next);
        let other = step(&mut incumbent, &next);
        for row in (0..300).filter(|&row| row != 123) {
            let cells = row * 2..row * 2 + 2;
            assert_eq!(stepped.outcome.values[cells.clone()], other.outcome.values[cells]);
        }
        assert_eq!(stepped.outcome.values[247], 1.0, "the refused one stayed as it was: fresh");
    }
}

#[test]
fn a_candidate_may_be_for_some_twins_only_or_have_no_incumbent() {
    let mut incumbent = Probe::default().cohort("nnnnn");
    step(&mut incumbent, &tick(5, 1));
    let chosen = [TwinIndex(3), TwinIndex(1), TwinIndex(99)];
    let household = incumbent.household().only(&chosen);
    assert_eq!(household.twins(), 2);
    let heir = household.raise(Probe::second().compiled()).unwrap();
    assert_eq!(heir.twins().collect::<Vec<_>>(), [TwinIndex(1), TwinIndex(3)]);
    let mut candidate = heir.into_cohort();
    assert_eq!(candidate.take_in(&incumbent.copy(&chosen, Some(1)).unwrap()).unwrap(), []);
    let stepped = step(&mut candidate, &frame([(3, 2, 1.0, 1.0), (0, 2, 1.0, 1.0)]));
    assert_eq!(stepped.outcome.values[1], 2.0);
    assert!(stepped.faults[0].message.contains("not of this cohort"), "{:?}", stepped.faults);

    let host = Arc::new(Listener::default());
    let alone = Household::of(host, vec![opening(7, 'n'), opening(7, 'n')]);
    let mut alone = alone.raise(Probe::default().compiled()).unwrap().into_cohort();
    assert_eq!(step(&mut alone, &frame([(7, 1, 1.0, 1.0)])).outcome.values, [2.0, 1.0]);
    let refused = Household::of(Arc::new(Listener::default()), openings("np"));
    let error = refused.raise(Probe::default().compiled()).unwrap_err();
    assert!(error.to_string().contains("twin twin-1: open: parameter /m"), "{error}");
}

#[test]
fn a_cold_start_happens_only_when_somebody_said_so() {
    let old = Probe { warm_up_rows: 2, ..Probe::default() }.declaration();
    let strange = Probe { reads: &[2], warm_up_rows: 2, ..Probe::second() }.declaration();
    let error = handover_schema(&old, &strange, ColdStart::Refuse).unwrap_err();
    assert!(matches!(error, SwapError::Schema { .. }));
    assert_eq!(handover_schema(&old, &strange, ColdStart::Allow), Ok(None));
    assert_eq!(handover_schema(&strange, &old, ColdStart::Refuse), Ok(Some(1)), "the way down");
    let stateless = Probe { schema: 0, reads: &[], writes: &[], ..Probe::default() }.declaration();
    assert_eq!(handover_schema(&stateless, &stateless, ColdStart::Refuse), Ok(None));
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
    assert!(first.copy(&[TwinIndex(0)], Some(9)).unwrap_err().to_string().contains("state schema 9"));
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
    let unread = RestoreError::Schema { label: "probe@1.0.0".to_owned(), schema: 2 };
    assert_eq!(third.restore(&newest), Err(unread));
    harmed.label = "other@1.0.0".to_owned();
    assert!(matches!(third.restore(&harmed), Err(RestoreError::Plugin { .. })));
    let mut heir = third.household().raise(Probe::default().compiled()).unwrap();
    let error = heir.rehearse(&harmed).unwrap_err();
    assert!(error.to_string().contains("snapshot is of other@1.0.0"), "{error}");
}

#[test]
fn without_state_times_and_rows_are_carried() {
    let stateless = Probe { schema: 0, reads: &[], writes: &[], ..Probe::default() };
    let mut old = stateless.cohort("nn");
    (1..=3).for_each(|time| drop(step(&mut old, &tick(2, time))));
    let state = old.copy(&[TwinIndex(1)], None).unwrap();
    assert_eq!((state.schema, state.twins.len(), state.twins[0].rows), (0, 1, 3));
    let mut new = stateless.cohort("nn");
    assert_eq!(new.take_in(&state).unwrap(), []);
    let stepped = step(&mut new, &frame([(0, 3, 1.0, 1.0), (1, 3, 1.0, 1.0)]));
    assert_eq!(stepped.faults.iter().map(|fault| fault.twin.0).collect::<Vec<_>>(), [1], "3 is its last row");
}

#[test]
fn nothing_stays_behind_after_hundreds_of_reloads() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = [Probe::default(), Probe::second()].map(Probe::component);
    let declarations = [Probe::default().declaration(), Probe::second().declaration()];
    let digests = [Digest::of(&bytes[0]), Digest::of(&bytes[1])];
    (0..2).for_each(|which| ENGINE.precompile(digests[which], &bytes[which], folder.path()).unwrap());
    let mut cohort = Probe::default().cohort(&"n".repeat(20));
    let mut reload = |times: usize| {
        for time in 0..times {
            // In turn, and the same version twice in a row.
            let which = (time / 2) % 2;
            let next = ENGINE.load(digests[which], declarations[which].clone(), folder.path()).unwrap();
            cohort = succeed(&mut cohort, next.expect("is in the cache"), 256).unwrap();
        }
    };
    reload(60);
    let before = (resident_bytes(), open_files(), mappings(), threads());
    reload(400);
    let after = (resident_bytes(), open_files(), mappings(), threads());
    assert!(after.0 < before.0 + (4 << 20), "{before:?} to {after:?}");
    assert!(after.1 <= before.1 && after.2 <= before.2 + 4 && after.3 == before.3, "{before:?} to {after:?}");
    assert_eq!(ENGINE.instances(), 1);
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
            cohort = succeed(&mut cohort, versions[(time / 7) as usize % 2].clone(), 3).unwrap();
            assert_eq!(cohort.quarantined().count(), 0, "a new version gives everybody rows");
        }
    }
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}
