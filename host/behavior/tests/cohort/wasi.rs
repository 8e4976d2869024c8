//! What a component gets of WASI: clocks at the row's time, numbers from seed and time, output as log lines; and what it
//! does not get.

use std::sync::Arc;

use geminus_behavior::FaultKind;

use crate::probe::{Listener, Outside, Probe, frame, step};

/// First output: the clock. Second: a random number.
const LOOKS: &str = "
  (f64.store (local.get $at) (f64.convert_i64_u (call $now)))
  (f64.store offset=8 (local.get $at) (f64.convert_i64_u (call $random)))";

/// First output: whole seconds, second: nanoseconds, of the clock on the wall; and an empty environment.
const READS_THE_WALL: &str = "
  (call $wall (i32.const 2048))
  (f64.store (local.get $at) (f64.convert_i64_u (i64.load (i32.const 2048))))
  (f64.store offset=8 (local.get $at) (f64.convert_i32_u (i32.load (i32.const 2056))))
  (call $environment (i32.const 2048))
  (if (i32.load (i32.const 2052)) (then unreachable))";

/// Writes nine letters without an end of line.
const SPEAKS: &str = "
  (local $stream i32)
  (local.set $stream (call $stdout))
  (call $write (local.get $stream) (i32.const 16) (i32.const 9) (i32.const 2048))
  (if (i32.load8_u (i32.const 2048)) (then unreachable))
  (call $drop_stream (local.get $stream))";

const HOARDS: &str = "(drop (call $stdout))";
const LEAVES: &str = "(call $exit (i32.const 0))";
const CALLS_OUT: &str = "(drop (call $network))";

fn probe(body: &'static str) -> Probe {
    Probe { outside: Outside::Wasi(body), ..Probe::default() }
}

/// Outputs of these rows, two each.
fn given(body: &'static str, rows: &[(u32, u64)]) -> Vec<f64> {
    let mut cohort = probe(body).cohort("nn");
    let rows = frame(rows.iter().map(|&(twin, time)| (twin, time, 1.0, 1.0)));
    let stepped = step(&mut cohort, &rows);
    assert_eq!(stepped.faults, []);
    stepped.outcome.values
}

#[test]
fn clocks_stand_at_the_rows_time_and_numbers_follow_from_seed_and_time() {
    const SECOND: u64 = 1_000_000_000;
    let rows = [(0, 5 * SECOND), (1, 5 * SECOND), (0, 7 * SECOND)];
    let all = given(LOOKS, &rows);
    assert_eq!([all[0], all[2], all[4]], [5e9, 5e9, 7e9]);
    assert!(all[1] != all[3] && all[1] != all[5] && all[3] != all[5], "{all:?}");
    // Alone, and in another instance: the same.
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(given(LOOKS, &[*row]), all[index * 2..index * 2 + 2]);
    }
    assert_eq!(given(READS_THE_WALL, &[(0, 3 * SECOND + 17)]), [3.0, 17.0]);
}

#[test]
fn what_is_printed_becomes_a_line_of_the_log() {
    let host = Arc::new(Listener::default());
    let (mut cohort, _) = probe(SPEAKS).cohort_with("n", host.clone());
    step(&mut cohort, &frame([(0, 1, 1.0, 1.0), (0, 2, 1.0, 1.0)]));
    let lines: Vec<_> =
        host.lines.lock().unwrap().iter().map(|(_, level, text)| (*level, text.clone())).collect();
    assert_eq!(lines, [(2, "bad state".to_owned()), (2, "bad state".to_owned())]);
}

#[test]
fn what_it_may_not_ends_the_call_by_name() {
    let check = |body: &'static str, kind: FaultKind, says: &str| {
        let mut cohort = probe(body).cohort("n");
        let rows = frame((1..=300).map(|time| (0, time, 1.0, 1.0)));
        let stepped = step(&mut cohort, &rows);
        let fault = stepped.faults.first().expect("it is told");
        assert_eq!(fault.kind, kind, "{}", fault.message);
        assert!(fault.message.contains(says), "{} does not say {says}", fault.message);
    };
    check(CALLS_OUT, FaultKind::HostCalls, "wasi:sockets/instance-network instance-network");
    check(LEAVES, FaultKind::HostCalls, "wasi:cli/exit exit");
    // One more in each row, and an instance lives long.
    check(HOARDS, FaultKind::HostCalls, "more than 256 handles");
}
