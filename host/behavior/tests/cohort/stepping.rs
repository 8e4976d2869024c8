//! Steps of twins that behave: every row once, in every batch size, quality worsened where it must be.

use std::sync::Arc;

use geminus_behavior::{Flood, Rule};
use geminus_core::{Quality, Timestamp, TwinIndex};

use crate::probe::{Listener, Oracle, Probe, frame, opening, step};

#[test]
fn rows_are_stepped_once_whatever_the_batch() {
    for batch in [1, 2, 7, 64, 5_000] {
        let mut cohort = Probe::default().cohort(&"n".repeat(10));
        let mut oracle = Oracle::default();
        let rows: Vec<_> =
            (0..10_000_u32).map(|i| (i % 10, u64::from(i / 10) + 1, f64::from(i) * 0.1, 1e-3)).collect();
        for part in rows.chunks(batch) {
            let frame = frame(part.iter().copied());
            let stepped = step(&mut cohort, &frame);
            assert_eq!(stepped.faults, []);
            assert!(stepped.fuel > 0);
            oracle.check(&frame, &stepped, &[]);
        }
        assert_eq!(cohort.rows(), 10_000);
    }
}

#[test]
fn a_cohort_may_move_to_its_shards_thread() {
    let mut cohort = Probe::default().cohort("n");
    let stepped = std::thread::spawn(move || step(&mut cohort, &frame([(0, 1, 1.0, 2.0)]))).join().unwrap();
    assert_eq!(stepped.outcome.values, [3.0, 1.0]);
}

#[test]
fn fuel_is_the_same_for_the_same_rows() {
    let fuel = || {
        let mut cohort = Probe::default().cohort("nn");
        (1..50)
            .map(|time| step(&mut cohort, &frame([(0, time, 1.0, 2.0), (1, time, 3.0, 4.0)])).fuel)
            .sum::<u64>()
    };
    assert_eq!(fuel(), fuel());
}

#[test]
fn rows_that_do_not_fit_the_cohort_are_named_and_left_out() {
    let mut cohort = Probe::default().cohort("nn");
    let mut oracle = Oracle::default();
    let first = frame([
        (0, 10, 1.0, 1.0),
        (7, 10, 1.0, 1.0),
        (1, 10, 1.0, 1.0),
        (0, 10, 9.0, 9.0),
        (0, 11, 2.0, 2.0),
    ]);
    let stepped = step(&mut cohort, &first);
    oracle.check(&first, &stepped, &[1, 3]);
    let faults: Vec<_> =
        stepped.faults.iter().map(|fault| (fault.twin.0, fault.row, fault.quarantined)).collect();
    assert_eq!(faults, [(7, Some(1), false), (0, Some(3), false)]);
    assert!(stepped.faults[0].message.contains("not of this cohort"), "{}", stepped.faults[0].message);
    assert!(stepped.faults[1].message.contains("not later"), "{}", stepped.faults[1].message);
    let mut narrow = frame([(0, 12, 1.0, 1.0)]);
    narrow.values.pop();
    let error = cohort.step(&narrow).expect_err("one value is missing");
    assert!(error.to_string().contains("1 values"), "{error}");
}

#[test]
fn quality_is_worsened_by_inputs_and_warm_up_never_bettered() {
    let check = |quality: [Quality; 2], warm_up_rows: u32, expect: Quality| {
        let mut cohort = Probe { warm_up_rows, ..Probe::default() }.cohort("n");
        step(&mut cohort, &frame([(0, 1, 1.0, 1.0)]));
        let mut row = frame([(0, 2, 1.0, 1.0)]);
        row.quality = quality.to_vec();
        assert_eq!(step(&mut cohort, &row).outcome.quality, [expect; 2], "{quality:?} {warm_up_rows}");
    };
    use Quality::{Bad, Good, Missing, Stale, Uncertain};
    check([Good, Good], 0, Good);
    check([Good, Good], 1, Good);
    check([Good, Good], 2, Uncertain);
    check([Good, Missing], 0, Good);
    check([Uncertain, Good], 0, Uncertain);
    check([Stale, Good], 0, Uncertain);
    check([Good, Bad], 0, Uncertain);
}

#[test]
fn log_lines_and_look_ups_are_bounded() {
    let host = Arc::new(Listener::default());
    let (mut cohort, _) = Probe::default().cohort_with("vk", host.clone());
    let stepped = step(&mut cohort, &frame([(0, 1, 666.0, 0.0)]));
    assert_eq!(stepped.faults, []);
    let lines = std::mem::take(&mut *host.lines.lock().unwrap());
    assert_eq!(lines.len(), 33);
    assert!(
        lines[..32]
            .iter()
            .all(|(twin, level, line)| (*twin, *level, line.len()) == (Some(TwinIndex(0)), 2, 1_024))
    );
    assert!(lines[32].2.contains("68 more"), "{}", lines[32].2);
    let flood = |twin, rule, limit, count| Flood { twin: Some(TwinIndex(twin)), rule, limit, count };
    assert_eq!(stepped.floods, [flood(0, Rule::LogLines, 32, 68)]);
    let stepped = step(&mut cohort, &frame([(1, 1, 666.0, 0.0)]));
    assert_eq!(stepped.outcome.values, [666.0, 16.0]);
    assert_eq!(stepped.floods, [flood(1, Rule::LookUps, 16, 4)]);
    let stepped = step(&mut cohort, &frame([(0, 2, 1.0, 0.0), (1, 2, 1.0, 0.0)]));
    assert_eq!(stepped.floods, []);
}

#[test]
fn twins_come_and_go() {
    let mut cohort = Probe::default().cohort("nnn");
    let mut oracle = Oracle::default();
    let first = frame([(0, 1, 1.0, 1.0), (1, 1, 2.0, 2.0), (2, 1, 3.0, 3.0)]);
    oracle.check(&first, &step(&mut cohort, &first), &[]);
    cohort.close(&[TwinIndex(1), TwinIndex(55)]);
    assert_eq!(cohort.open(vec![opening(9, 'n')]), []);
    let again = cohort.open(vec![opening(9, 'n'), opening(10, 'p')]);
    assert_eq!(again.iter().map(|refused| refused.twin.0).collect::<Vec<_>>(), [9, 10]);
    assert!(again[1].message.contains("/m: not this value"), "{}", again[1].message);
    let second = frame([(0, 2, 1.0, 1.0), (1, 2, 2.0, 2.0), (2, 2, 3.0, 3.0), (9, 2, 5.0, 5.0)]);
    oracle.check(&second, &step(&mut cohort, &second), &[1]);
    assert_eq!(cohort.twins().map(|twin| twin.0).collect::<Vec<_>>(), [0, 9, 2]);
}

#[test]
fn a_forecast_looks_ahead_and_changes_nothing() {
    let mut cohort = Probe::default().cohort("nT");
    let mut oracle = Oracle::default();
    let first = frame([(0, 1, 1.0, 2.0), (1, 1, 1.0, 2.0)]);
    oracle.check(&first, &step(&mut cohort, &first), &[]);
    let times = [Timestamp(2), Timestamp(3)];
    let prediction = cohort.forecast(TwinIndex(0), &times, &[0.0; 4]).unwrap();
    assert_eq!((prediction.mean, prediction.deviation), (vec![3.0; 4], vec![3.0; 4]));
    for (times, values, expect) in
        [(&[Timestamp(1)][..], 2, "after the last row"), (&times[..], 3, "3 values")]
    {
        let error = cohort.forecast(TwinIndex(0), times, &vec![0.0; values]).unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
    }
    let error = cohort.forecast(TwinIndex(1), &times, &[0.0; 4]).unwrap_err();
    assert!(error.to_string().contains("unreachable"), "{error}");
    let second = frame([(0, 2, 1.0, 2.0), (1, 2, 1.0, 2.0)]);
    oracle.check(&second, &step(&mut cohort, &second), &[]);
}
