//! Each limit of the house reached once, by a twin whose neighbours get exactly the answers they would have had.

use std::sync::Arc;

use geminus_behavior::{Cohort, Engine, FaultKind, Limits, StartError};
use geminus_core::TwinIndex;

use crate::probe::{ENGINE, Listener, Oracle, Probe, frame, limits, opening, openings, step};

#[test]
fn no_call_takes_more_than_its_limits() {
    let roomy = Probe { memory_bytes: 256 << 20, fuel_per_row: 10_000_000, ..Probe::default() };
    let engine = Engine::new(Limits { memory_bytes_max: 256 << 20, instances_max: 10, ..limits() }).unwrap();
    let compiled = roomy.compiled_by(&engine);
    let check = |mode: char, kind: FaultKind, expect: &str| {
        let modes = format!("nnnn{mode}nnn");
        let (mut cohort, _) =
            Cohort::start(compiled.clone(), Arc::new(Listener::default()), openings(&modes)).unwrap();
        let mut oracle = Oracle::default();
        for time in 1..=6 {
            let rows =
                frame((0..8).map(|twin| (twin, time, if twin == 4 && time == 3 { 666.0 } else { 1.0 }, 0.1)));
            let stepped = step(&mut cohort, &rows);
            oracle.check(&rows, &stepped, if time >= 3 { &[4] } else { &[] });
            if time == 3 {
                let fault = &stepped.faults[0];
                assert_eq!((fault.twin, fault.kind), (TwinIndex(4), kind), "mode {mode}: {}", fault.message);
                assert!(fault.message.contains(expect), "mode {mode}: {}", fault.message);
            }
        }
    };
    check('l', FaultKind::Fuel, "all fuel consumed");
    check('3', FaultKind::Fuel, "all fuel consumed");
    check('9', FaultKind::Fuel, "all fuel consumed");
    check('1', FaultKind::HostCalls, "more than 4096 calls of the host");
    check('2', FaultKind::HostCalls, "more than 4096 calls of the host");
    check('0', FaultKind::HostCalls, "more than 1048576 bytes of log lines");
    check('4', FaultKind::Memory, "table limit of 20000 elements");
    check('5', FaultKind::Transfer, "too much data");
    check('6', FaultKind::Transfer, "too much data");
    check('x', FaultKind::Trap, "call stack exhausted");
    check('g', FaultKind::Memory, "memory limit of 268435456 bytes");
}

#[test]
fn whether_a_row_is_too_dear_does_not_depend_on_its_neighbours() {
    // A loop that ends: 'y' counts to a number that a row's budget allows, or does not.
    for (fuel_per_row, guilty) in [(100_000, true), (10_000_000, false)] {
        for rows in [1_u32, 2, 50, 256, 700] {
            let mut modes = vec!['n'; 700];
            modes[0] = 'y';
            let modes: String = modes.into_iter().collect();
            let mut cohort = Probe { fuel_per_row, ..Probe::default() }.cohort(&modes);
            let dear = frame((0..rows).map(|twin| (twin, 1, if twin == 0 { 666.0 } else { 1.0 }, 0.1)));
            let stepped = step(&mut cohort, &dear);
            let silent: &[usize] = if guilty { &[0] } else { &[] };
            Oracle::default().check(&dear, &stepped, silent);
            assert_eq!(!stepped.faults.is_empty(), guilty, "{rows} rows with {fuel_per_row}");
        }
    }
}

#[test]
fn a_whole_cohort_that_hangs_burns_a_bounded_amount() {
    let mut cohort = Probe { fuel_per_row: 1_000_000, ..Probe::default() }.cohort(&"l".repeat(600));
    let rows = frame((0..600).map(|twin| (twin, 1, 666.0, 0.1)));
    let stepped = step(&mut cohort, &rows);
    assert_eq!(stepped.faults.len(), 600);
    assert!(stepped.faults.iter().all(|fault| fault.quarantined));
    assert!(stepped.faults.iter().any(|fault| fault.kind == FaultKind::Unresolved));
    assert!(stepped.fuel < 60_000_000, "{} fuel", stepped.fuel);
    assert!(cohort.release(TwinIndex(599)));
    let stepped = step(&mut cohort, &frame([(599, 2, 1.0, 1.0)]));
    assert_eq!(stepped.outcome.values, [2.0, 1.0]);
}

#[test]
fn the_instances_of_a_process_are_counted_and_the_limit_named() {
    let engine = Engine::new(Limits { instances_max: 5, ..limits() }).unwrap();
    let compiled = Probe::default().compiled_by(&engine);
    let start =
        |twin| Cohort::start(compiled.clone(), Arc::new(Listener::default()), vec![opening(twin, 'n')]);
    let mut cohorts: Vec<Cohort> = (0..5).map(|twin| start(twin).unwrap().0).collect();
    assert_eq!(engine.instances(), 5);
    let error = start(5).unwrap_err();
    assert!(matches!(error, StartError::Instantiate { .. }), "{error}");
    assert!(error.to_string().contains("all 5 instances"), "{error}");
    let error = cohorts[0].household().raise(compiled.clone()).unwrap_err();
    assert!(error.to_string().contains("(instances_max"), "{error}");
    drop(cohorts.pop());
    assert_eq!(engine.instances(), 4);
    assert!(start(5).is_ok());
    assert_eq!(ENGINE.instances(), 0, "each engine counts its own");
}

#[test]
fn state_beyond_its_limit_is_refused_when_the_twin_is_opened() {
    let check = |state_bytes_max: usize, expect: bool| {
        let engine = Engine::new(Limits { state_bytes_max, instances_max: 4, ..limits() }).unwrap();
        let started = Cohort::start(
            Probe::default().compiled_by(&engine),
            Arc::new(Listener::default()),
            openings("nn"),
        );
        match started {
            Ok(_) => assert!(expect),
            Err(error) => {
                assert!(!expect && error.to_string().contains("16 bytes, 8 are allowed"), "{error}")
            }
        }
    };
    check(16, true);
    check(8, false);
}

#[test]
fn a_twin_that_is_alone_burns_its_budget_once() {
    let fuel_per_row = 2_000_000;
    let mut cohort = Probe { fuel_per_row, ..Probe::default() }.cohort("l");
    let (calm, endless) = (frame([(0, 1, 1.0, 0.1)]), frame([(0, 2, 666.0, 0.1)]));
    let mut oracle = Oracle::default();
    oracle.check(&calm, &step(&mut cohort, &calm), &[]);
    let stepped = step(&mut cohort, &endless);
    oracle.check(&endless, &stepped, &[0]);
    let named: Vec<_> =
        stepped.faults.iter().map(|fault| (fault.row, fault.kind, fault.quarantined)).collect();
    assert_eq!(named, [(Some(0), FaultKind::Fuel, true)]);
    let budget = fuel_per_row + limits().fuel_per_call_base;
    assert!(stepped.fuel < budget + budget / 2, "{} fuel with {budget} for a call", stepped.fuel);
}
