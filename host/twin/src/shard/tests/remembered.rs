//! A shard that goes on from history after a kill gives the rows that one gives that was never killed.

use std::collections::BTreeMap;

use super::*;

/// What history has at the kill.
#[derive(Default)]
struct History {
    /// Measured samples in the order of their receipt, one for each series and time.
    samples: Vec<Sample>,
    /// Time of the last row of each behavior of a twin, and how many there were.
    last: BTreeMap<(BindingIndex, TwinIndex), (u64, u64)>,
    /// The last outputs of `core`.
    outputs: BTreeMap<TwinIndex, (u64, Vec<f64>, Vec<Quality>)>,
}

/// Takes the samples one by one, stepping after each, and keeps what history would.
fn live(shard: &mut Shard, samples: &[Sample], history: &mut History) -> Vec<Row> {
    let mut rows = Vec::new();
    for sample in samples {
        let now = Moment { wall: sample.received, ..at_ms(0) };
        let mut kept = vec![*sample];
        shard.take(&mut kept, now);
        let known = |one: &Sample| (one.series, one.time);
        kept.retain(|one| history.samples.iter().all(|before| known(before) != known(one)));
        history.samples.append(&mut kept);
        while let Some((binding, frame)) = shard.next_frame(1) {
            let outcome = answer(binding, &frame);
            rows.extend(rows_of(binding, &frame));
            shard.apply(binding, &frame, &outcome, now, &mut Vec::new());
            let (twin, time) = (frame.twins[0], frame.times[0]);
            let last = history.last.entry((binding, twin)).or_default();
            *last = (time.0, last.1 + 1);
            if binding == CORE {
                let (values, quality) = shard.outputs(twin, CORE).expect("outputs");
                history.outputs.insert(twin, (time.0, values.to_vec(), quality.to_vec()));
            }
            shard.recycle(frame);
        }
    }
    rows
}

/// A new shard that goes on where `history` ends.
fn again(toml: &str, history: &History, now: Moment) -> Shard {
    let mut shard = shard(toml);
    for twin in [FIRST, TwinIndex(1)] {
        let mut last = Vec::new();
        for binding in [CORE, JUDGE] {
            let Some((time, rows)) = history.last.get(&(binding, twin)) else { continue };
            // A behavior without a state is not resumed.
            if binding == CORE {
                shard.resume(twin, binding, Timestamp(*time), *rows);
            }
            last.push((binding, Timestamp(*time)));
        }
        if let Some((time, values, quality)) = history.outputs.get(&twin) {
            let at = Recalled { time: Timestamp(*time), received: Timestamp(*time) };
            shard.recall(twin, CORE, (values, quality), Some(at), now);
        }
        let from = last.iter().map(|(_, time)| time.0).min().unwrap_or(0);
        let mut samples: Vec<Sample> = Vec::new();
        for series in [HOT, LOAD, SHAKE].map(|series| SeriesId(series + twin.0 * 7)) {
            let of = history.samples.iter().filter(|sample| sample.series == series);
            let (before, since): (Vec<Sample>, Vec<Sample>) = of.partition(|sample| sample.time.0 < from);
            samples.extend(before.iter().max_by_key(|sample| sample.time));
            samples.extend(since);
        }
        samples.sort_by_key(|sample| (sample.received, sample.time));
        shard.remember(twin, &last, &samples, now);
    }
    shard
}

fn check(toml: &str, samples: &[Sample], cut: usize) {
    let now = at_ms(0);
    let expect = {
        let mut shard = shard(toml);
        live(&mut shard, samples, &mut History::default())
    };
    let (before, after) = samples.split_at(cut.min(samples.len()));
    let mut history = History::default();
    let mut rows = live(&mut shard(toml), before, &mut history);
    let mut second = again(toml, &history, now);
    // Nothing is ready that history has; nothing is counted as received.
    assert_eq!((second.ready_rows(), second.counters()), (0, Counters::default()), "after {cut}");
    rows.extend(live(&mut second, after, &mut history));
    assert_eq!(rows, expect, "killed after {cut}");
}

#[test]
fn a_row_that_a_kill_cuts_in_two_is_whole() {
    let samples = [
        sample(LOAD, 0, 0, 1000.0),
        sample(HOT, 1000, 1001, 20.0),
        sample(LOAD, 2000, 2001, 3000.0),
        sample(SHAKE, 2000, 2002, 0.5),
        sample(HOT, 2000, 2003, 21.0),
        sample(HOT, 3000, 3001, 22.0),
    ];
    for cut in 0..=samples.len() {
        check(SITE, &samples, cut);
    }
}

#[test]
fn what_was_in_the_last_row_opens_none() {
    // The load at 90 belongs to the row at 0; the second temperature of the next window has a row of its own.
    let samples = [
        sample(LOAD, 0, 1, 1000.0),
        sample(HOT, 80, 81, 20.0),
        sample(LOAD, 90, 91, 3000.0),
        sample(HOT, 1000, 1001, 21.0),
        sample(HOT, 1050, 1051, 22.0),
        sample(HOT, 2000, 2001, 23.0),
    ];
    for cut in 0..=samples.len() {
        check(&format!("{SITE}align_ms = 100\n"), &samples, cut);
    }
}

#[test]
fn a_row_that_had_waited_long_enough_is_not_filled_afterwards() {
    let mut shard = shard(SITE);
    give(&mut shard, LOAD, 0, 1000.0);
    shard.close_due(at_ms(200));
    let (rows, _) = step_all(&mut shard, at_ms(200));
    assert_eq!(rows.len(), 1);
    let history = History {
        samples: vec![sample(LOAD, 0, 0, 1000.0)],
        last: [((CORE, FIRST), (at_ms(0).wall.0, 1))].into(),
        ..History::default()
    };
    let mut second = again(SITE, &history, at_ms(300));
    give(&mut second, HOT, 0, 20.0);
    second.close_due(at_ms(5000));
    assert_eq!((ready(&mut second), second.counters().missed), (vec![], 1));
}

#[test]
fn a_row_that_stood_open_waits_for_its_source_to_come_back() {
    let history = History {
        samples: vec![sample(LOAD, 1000, 1000, 1000.0)],
        last: [((CORE, FIRST), (at_ms(0).wall.0, 1))].into(),
        ..History::default()
    };
    let mut second = again(SITE, &history, at_ms(1500));
    second.close_due(at_ms(1500 + 60_199));
    assert_eq!(ready(&mut second), []);
    second.close_due(at_ms(1500 + 60_200));
    assert_eq!(ready(&mut second).len(), 1);
}

#[test]
fn old_values_of_a_behavior_without_rows_open_none_but_the_last() {
    let history = History {
        samples: (0..5).map(|second| sample(HOT, second * 1000, second * 1000, 20.0)).collect(),
        ..History::default()
    };
    let mut second = again(SITE, &history, at_ms(9_000));
    let times: Vec<_> = ready(&mut second).iter().filter(|row| row.0 == CORE).map(|row| row.2).collect();
    assert_eq!(times, [4000]);
}

proptest! {
    /// Wherever a kill falls, rows before and after it are those of a shard that was not killed: in time, values and quality.
    #[test]
    fn a_kill_changes_no_row(
        steps in proptest::collection::vec((0_u32..2, 0_u32..3, 0_u64..4, -50_i32..50), 1..60),
        cut in 0_usize..60,
        align in prop_oneof![Just(0_u32), Just(700)],
    ) {
        let mut clock = [0_u64; 2];
        let samples: Vec<Sample> = steps
            .iter()
            .zip(0_u64..)
            .map(|((twin, point, ahead, value), received)| {
                let clock = &mut clock[*twin as usize];
                *clock = if *ahead == 3 { clock.saturating_sub(500) } else { *clock + ahead * 500 };
                sample(HOT + twin * 7 + point, *clock, received, f64::from(*value))
            })
            .collect();
        // A first row of all at time 0 has no place before it.
        prop_assume!(samples.iter().all(|sample| sample.time.0 > 0));
        let align = format!("{SITE}align_ms = {align}\n");
        check(&align, &samples, cut);
    }
}
