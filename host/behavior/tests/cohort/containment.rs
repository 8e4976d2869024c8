//! Twins that misbehave: contained, named, and without a trace in what their neighbours get.

use geminus_behavior::{Cohort, FaultKind, Flood, Limits, Rule};
use geminus_core::TwinIndex;

use crate::probe::{ENGINE, Oracle, Probe, frame, limits, step};

const TWINS: u32 = 20;
const HOSTILE: u32 = 7;

/// A cohort of well-behaved twins, but for number 7.
fn cohort_with(mode: char) -> Cohort {
    let modes: String = (0..TWINS).map(|twin| if twin == HOSTILE { mode } else { 'n' }).collect();
    Probe::default().cohort(&modes)
}

/// One row for each twin; `a` of the hostile one is as given.
fn tick(time: u64, hostile: f64) -> geminus_core::Frame {
    let a = |twin: u32| if twin == HOSTILE { hostile } else { f64::from(twin) * 0.1 };
    frame((0..TWINS).map(|twin| (twin, time, a(twin), time as f64)))
}

#[test]
fn whatever_a_twin_does_in_a_step_only_it_is_stopped() {
    let check = |mode: char, kind: FaultKind, expect: &str| {
        let mut cohort = cohort_with(mode);
        let mut oracle = Oracle::default();
        let mut rebuilds = 0;
        for time in 1..=40 {
            let hostile = if time == 20 { 666.0 } else { 1.0 };
            let frame = tick(time, hostile);
            let stepped = step(&mut cohort, &frame);
            rebuilds += stepped.rebuilds;
            let silent = if time >= 20 { vec![HOSTILE as usize] } else { vec![] };
            oracle.check(&frame, &stepped, &silent);
            if time == 20 {
                assert_eq!(stepped.faults.len(), 1, "mode {mode}: {:?}", stepped.faults);
                let fault = &stepped.faults[0];
                assert_eq!(
                    (fault.twin.0, fault.row, fault.kind),
                    (HOSTILE, Some(HOSTILE), kind),
                    "mode {mode}"
                );
                assert!(fault.message.contains(expect), "mode {mode}: {}", fault.message);
                assert!(fault.quarantined && stepped.rebuilds > 0, "mode {mode}");
            } else {
                assert_eq!((stepped.faults, stepped.rebuilds), (vec![], 0), "mode {mode} at {time}");
            }
        }
        assert_eq!(cohort.quarantined().collect::<Vec<_>>(), [TwinIndex(HOSTILE)]);
        assert_eq!(cohort.rebuilds(), rebuilds, "mode {mode}");
    };
    check('t', FaultKind::Trap, "unreachable");
    check('m', FaultKind::Trap, "out of bounds memory access");
    check('x', FaultKind::Trap, "call stack exhausted");
    check('l', FaultKind::Fuel, "all fuel consumed");
    check('g', FaultKind::Memory, "memory limit of 16777216 bytes");
    check('w', FaultKind::Answer, "values for");
    check('q', FaultKind::Answer, "quality 9");
    check('a', FaultKind::Answer, "more than 16 alerts");
    check('i', FaultKind::Answer, "alert 77 of 1");
    check('s', FaultKind::Transfer, "too much data");
    check('b', FaultKind::Transfer, "utf-8");
}

#[test]
fn a_twin_that_cannot_be_saved_or_brought_back_loses_its_slot_alone() {
    // One row of 20 twins a step; a snapshot is due after 20 × 16 rows.
    let check = |mode: char, kind: FaultKind, expect: &str| {
        let mut cohort = cohort_with(mode);
        let mut oracle = Oracle::default();
        let mut said = Vec::new();
        for time in 1..=60 {
            let frame = tick(time, if time == 3 { 666.0 } else { 1.0 });
            let out = cohort.quarantined().count() > 0;
            let stepped = step(&mut cohort, &frame);
            let silent = if out { vec![HOSTILE as usize] } else { vec![] };
            oracle.check(&frame, &stepped, &silent);
            said.extend(stepped.faults);
        }
        assert_eq!(said.len(), 1, "mode {mode}: {said:?}");
        assert_eq!((said[0].twin.0, said[0].kind, said[0].quarantined), (HOSTILE, kind, true), "mode {mode}");
        assert!(said[0].message.contains(expect), "mode {mode}: {}", said[0].message);
    };
    check('S', FaultKind::Trap, "snapshot: ");
    check('F', FaultKind::Fault, "bad state");
}

#[test]
fn state_that_cannot_be_restored_is_found_when_it_is_needed() {
    for (mode, expect) in [('r', "restore: "), ('u', "bad state")] {
        let modes: String = (0..TWINS)
            .map(|twin| [(HOSTILE, mode), (11, 't')].iter().find(|m| m.0 == twin).map_or('n', |m| m.1))
            .collect();
        let mut cohort = Probe::default().cohort(&modes);
        let mut oracle = Oracle::default();
        // The hostile sum grows beyond what it will restore, a snapshot is taken, then twin 11 crashes.
        for time in 1..=20 {
            let frame = tick(time, if time == 3 { 666.0 } else { 1.0 });
            oracle.check(&frame, &step(&mut cohort, &frame), &[]);
        }
        let mut crash = tick(21, 1.0);
        crash.values[11 * 2] = 666.0;
        let stepped = step(&mut cohort, &crash);
        let mut named: Vec<_> = stepped.faults.iter().map(|fault| fault.twin.0).collect();
        named.sort_unstable();
        assert_eq!(named, [HOSTILE, 11], "mode {mode}: {:?}", stepped.faults);
        assert!(stepped.faults.iter().any(|fault| fault.message.contains(expect)), "{:?}", stepped.faults);
        oracle.check(&crash, &stepped, &[HOSTILE as usize, 11]);
        let next = tick(22, 1.0);
        oracle.check(&next, &step(&mut cohort, &next), &[HOSTILE as usize, 11]);
    }
}

#[test]
fn a_fault_answer_costs_its_row_and_nothing_else() {
    let mut cohort = cohort_with('f');
    let mut oracle = Oracle::default();
    for time in 1..=40 {
        let bad = time % 3 == 0;
        let frame = tick(time, if bad { 666.0 } else { 1.0 });
        let stepped = step(&mut cohort, &frame);
        oracle.check(&frame, &stepped, if bad { &[HOSTILE as usize] } else { &[] });
        let faults: Vec<_> =
            stepped.faults.iter().map(|f| (f.twin.0, f.row, f.kind, f.quarantined)).collect();
        let expect = [(HOSTILE, Some(HOSTILE), FaultKind::Fault, false)];
        assert_eq!(faults, if bad { &expect[..] } else { &[] });
        assert_eq!(stepped.rebuilds, 0);
    }
    assert_eq!(cohort.quarantined().count(), 0);
}

#[test]
fn values_that_are_no_numbers_leave_as_bad_and_long_words_are_cut() {
    let mut cohort = Probe::default().cohort("ed");
    let stepped = step(&mut cohort, &frame([(0, 1, 666.0, 0.0), (1, 1, 666.0, 0.0)]));
    assert!(stepped.outcome.values[..2].iter().all(|value| value.to_bits() == f64::NAN.to_bits()));
    assert_eq!(stepped.outcome.quality[..2], [geminus_core::Quality::Bad; 2]);
    assert_eq!(stepped.outcome.values[2..], [666.0, 1.0]);
    let alerts: Vec<_> = stepped.outcome.alerts.iter().map(|a| (a.row, a.alert, a.detail.len())).collect();
    assert_eq!(alerts, [(1, 0, 512)]);
    assert_eq!(stepped.faults, []);
    let flood = Flood { twin: Some(TwinIndex(0)), rule: Rule::NotFinite, limit: 0, count: 2 };
    assert_eq!(stepped.floods, [flood]);
}

#[test]
fn rows_of_one_twin_before_the_one_that_crashes_it_count() {
    let mut cohort = Probe::default().cohort("nt");
    let mut oracle = Oracle::default();
    let rows = frame(
        (1..=10).flat_map(|time| [(0, time, 1.0, 0.0), (1, time, if time == 6 { 666.0 } else { 1.0 }, 0.0)]),
    );
    let stepped = step(&mut cohort, &rows);
    oracle.check(&rows, &stepped, &[11, 13, 15, 17, 19]);
    assert_eq!(
        stepped.faults.iter().map(|fault| (fault.twin.0, fault.row)).collect::<Vec<_>>(),
        [(1, Some(11))]
    );
    let saved = cohort.snapshot(None).unwrap();
    let state: Vec<_> =
        saved.twins.iter().map(|s| f64::from_le_bytes(s.bytes[..8].try_into().unwrap())).collect();
    assert_eq!(state, [10.0, 5.0]);
}

#[test]
fn many_hostile_twins_at_once_and_a_search_cut_short() {
    let modes: String = (0..64).map(|twin| if twin % 8 == 3 { 't' } else { 'n' }).collect();
    let rows = || frame((0..64).map(|twin| (twin, 1, if twin % 8 == 3 { 666.0 } else { 1.0 }, 0.5)));
    let guilty: Vec<usize> = (0..64).filter(|twin| twin % 8 == 3).collect();
    let mut cohort = Probe::default().cohort(&modes);
    let stepped = step(&mut cohort, &rows());
    Oracle::default().check(&rows(), &stepped, &guilty);
    assert_eq!(stepped.faults.len(), 8);

    let engine = geminus_behavior::Engine::new(Limits { trials_per_step_max: 4, ..limits() }).unwrap();
    let host = std::sync::Arc::new(crate::probe::Listener::default());
    let compiled = Probe::default().compiled_by(&engine);
    let (mut cohort, _) = Cohort::start(compiled, host, crate::probe::openings(&modes)).unwrap();
    let stepped = step(&mut cohort, &rows());
    assert!(stepped.faults.iter().any(|fault| fault.kind == FaultKind::Unresolved), "{:?}", stepped.faults);
    assert!(guilty.iter().all(|&twin| stepped.faults.iter().any(|fault| fault.twin.0 as usize == twin)));
    let named: Vec<usize> = stepped.faults.iter().map(|fault| fault.twin.0 as usize).collect();
    Oracle::default().check(&rows(), &stepped, &named);
}

#[test]
fn a_loop_with_fuel_without_end_is_stopped_by_the_wall_clock() {
    let rich = Limits {
        fuel_per_row_max: u64::MAX,
        fuel_per_call_base: u64::MAX / 2,
        call_wall: std::time::Duration::from_millis(50),
        epoch_tick: std::time::Duration::from_millis(5),
        ..limits()
    };
    let engine = geminus_behavior::Engine::new(rich).unwrap();
    let host = std::sync::Arc::new(crate::probe::Listener::default());
    let compiled = Probe { fuel_per_row: u64::MAX / 4, ..Probe::default() }.compiled_by(&engine);
    let (mut cohort, _) = Cohort::start(compiled, host, crate::probe::openings("nl")).unwrap();
    let mut oracle = Oracle::default();
    let rows = frame([(0, 1, 1.0, 1.0), (1, 1, 666.0, 1.0)]);
    let stepped = step(&mut cohort, &rows);
    oracle.check(&rows, &stepped, &[1]);
    assert_eq!(
        stepped.faults.iter().map(|f| (f.twin.0, f.kind)).collect::<Vec<_>>(),
        [(1, FaultKind::WallClock)]
    );
    // Long after the first deadline the instance still works: it is armed for each call.
    for time in 2..200 {
        let rows = frame([(0, time, 1.0, 1.0)]);
        oracle.check(&rows, &step(&mut cohort, &rows), &[]);
    }
}

#[test]
fn a_crash_while_closing_or_looking_ahead_leaves_the_others_as_they_were() {
    let mut cohort = Probe::default().cohort("nncT");
    let mut oracle = Oracle::default();
    let rows = |time| frame((0..4).map(|twin| (twin, time, f64::from(twin), 0.25)));
    oracle.check(&rows(1), &step(&mut cohort, &rows(1)), &[]);
    cohort.close(&[TwinIndex(2)]);
    oracle.check(&rows(2), &step(&mut cohort, &rows(2)), &[2]);
    assert!(cohort.forecast(TwinIndex(3), &[geminus_core::Timestamp(9)], &[0.0; 2]).is_err());
    oracle.check(&rows(3), &step(&mut cohort, &rows(3)), &[2]);
    assert_eq!(cohort.quarantined().count(), 0);
}

#[test]
fn one_engine_holds_all_cohorts_and_takes_back_what_they_held() {
    // More cohorts, one after the other, than the pool has instances.
    for _ in 0..3 * ENGINE.limits().instances_max {
        let mut cohort = Probe::default().cohort("nt");
        step(&mut cohort, &frame([(1, 1, 666.0, 0.0), (0, 1, 1.0, 0.0)]));
        assert!(cohort.memory_bytes() >= 2 << 20);
    }
}
