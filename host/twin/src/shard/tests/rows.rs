//! Rows: when they close, what stands in them, and what waits for whom.

use super::*;

#[test]
fn a_row_closes_when_its_event_inputs_are_there() {
    let mut shard = shard(SITE);
    give(&mut shard, LOAD, 0, 2000.0);
    assert_eq!(ready(&mut shard), []);
    give(&mut shard, HOT, 1000, 20.0);
    let good = [Quality::Good, Quality::Good, Quality::Missing];
    // The load's own row at 0 has no event; the row at 1000 holds it, in ampere, and the temperature in kelvin.
    let expect = vec![
        (
            CORE,
            FIRST,
            0,
            vec![None, Some(2.0), None],
            vec![Quality::Missing, Quality::Good, Quality::Missing],
        ),
        (CORE, FIRST, 1000, vec![Some(293.15), Some(2.0), None], good.to_vec()),
    ];
    let frames = drain(&mut shard);
    let rows: Vec<Row> = frames.iter().flat_map(|(binding, frame)| rows_of(*binding, frame)).collect();
    assert_eq!(rows, expect);
    // Ages as declared: 0 for what is of the row's time, a second for what is held, the end of the scale for nothing.
    assert_eq!(frames[0].1.ages_ms, [u32::MAX, 0, u32::MAX, 0, 1000, u32::MAX]);
    assert!(shard.next_frame(1000).is_none());
}

#[test]
fn a_row_waits_for_its_inputs_but_not_for_ever() {
    let mut shard = shard(SITE);
    give(&mut shard, LOAD, 0, 1000.0);
    shard.close_due(at_ms(199));
    assert_eq!(ready(&mut shard), []);
    shard.close_due(at_ms(200));
    assert_eq!(ready(&mut shard).len(), 1);
    // The temperature of that time comes too late for its row: kept, shown, in no row, counted.
    assert!(give(&mut shard, HOT, 0, 20.0));
    shard.close_due(at_ms(5000));
    assert_eq!((ready(&mut shard), shard.counters().missed), (vec![], 1));
    // Each row has its own deadline, also when an earlier one closed before its own.
    give(&mut shard, LOAD, 6000, 1000.0);
    give(&mut shard, HOT, 6000, 20.0);
    give(&mut shard, LOAD, 6100, 1000.0);
    assert_eq!(ready(&mut shard).len(), 1);
    shard.close_due(at_ms(6200));
    assert_eq!(ready(&mut shard), []);
    shard.close_due(at_ms(6300));
    assert_eq!(ready(&mut shard).len(), 1);
}

#[test]
fn samples_near_each_other_share_a_row_when_asked_to() {
    let mut shard = shard(&format!("{SITE}align_ms = 100\n"));
    give(&mut shard, LOAD, 0, 1000.0);
    give(&mut shard, HOT, 80, 20.0);
    give(&mut shard, LOAD, 90, 3000.0);
    give(&mut shard, HOT, 1000, 21.0);
    give(&mut shard, HOT, 1050, 22.0);
    let rows: Vec<_> = ready(&mut shard).into_iter().map(|(_, _, ms, values, _)| (ms, values)).collect();
    // The load at 90 belongs to the row that has closed; the second temperature of a window has its own row.
    assert_eq!(
        rows,
        [(0, vec![Some(293.15), Some(1.0), None]), (1000, vec![Some(294.15), Some(3.0), None]),]
    );
    give(&mut shard, HOT, 2000, 23.0);
    assert_eq!(ready(&mut shard).len(), 1);
}

#[test]
fn a_row_that_needs_another_behavior_waits_for_its_outcome() {
    let mut shard = shard(SITE);
    for second in 0..3 {
        give(&mut shard, LOAD, second * 1000, 1000.0);
        give(&mut shard, SHAKE, second * 1000, second as f64);
        give(&mut shard, HOT, second * 1000, 20.0 + second as f64);
    }
    // All three rows of `judge` are closed, none can be stepped before `core` has answered.
    let (binding, frame) = shard.next_frame(1000).expect("core");
    assert_eq!((binding, frame.rows()), (CORE, 3));
    assert!(shard.next_frame(1000).is_none());
    let mut recorded = Vec::new();
    shard.apply(CORE, &frame, &answer(CORE, &frame), at_ms(2000), &mut recorded);
    assert_eq!(recorded.len(), 6);
    let rows = ready(&mut shard);
    let seen: Vec<_> = rows.iter().map(|(_, _, ms, values, _)| (*ms, values.clone())).collect();
    for (second, (ms, values)) in seen.iter().enumerate() {
        let kelvin = 293.15 + second as f64;
        let expect = [kelvin * 2.0 + 1.0 - 273.15, (0.5 + kelvin / 1e3) * 1.8, second as f64];
        let close = values.iter().zip(expect).all(|(got, want)| (got.expect("value") - want).abs() < 1e-9);
        assert!(*ms == second as u64 * 1000 && close, "{ms} {values:?} {expect:?}");
    }
    assert_eq!((seen.len(), shard.counters().rows, shard.counters().applied), (3, 6, 3));
}

#[test]
fn outputs_are_tainted_by_what_they_were_made_of() {
    let mut shard = shard(SITE);
    let mut record = Vec::new();
    let mut quality = |shard: &mut Shard, time: u64, load: Quality| {
        let load = Sample { quality: load, ..sample(LOAD, time, time, 1000.0) };
        shard.take(&mut vec![load, sample(HOT, time, time, 20.0)], at_ms(time));
        let (binding, frame) = shard.next_frame(10).expect("row");
        shard.apply(binding, &frame, &answer(binding, &frame), at_ms(time), &mut record);
        drain(shard);
        shard.view(FIRST, at_ms(time)).expect("view").estimated[0].quality
    };
    // As good as the inputs: how long it warms up is for the version to say that answers, not for the twin.
    assert_eq!(quality(&mut shard, 1000, Quality::Good), Quality::Good);
    assert_eq!(quality(&mut shard, 2000, Quality::Good), Quality::Good);
    assert_eq!(quality(&mut shard, 3000, Quality::Uncertain), Quality::Uncertain);
    assert_eq!(quality(&mut shard, 4000, Quality::Bad), Quality::Uncertain);
    // A load that has not been heard of for more than five seconds is stale in the row, and taints.
    give(&mut shard, HOT, 9001, 20.0);
    let (binding, frame) = shard.next_frame(10).expect("row");
    assert_eq!(frame.quality[1], Quality::Stale);
    shard.apply(binding, &frame, &answer(binding, &frame), at_ms(9001), &mut record);
    assert_eq!(shard.view(FIRST, at_ms(9001)).expect("view").estimated[0].quality, Quality::Uncertain);
}

#[test]
fn a_resumed_behavior_skips_what_it_has_seen() {
    let mut shard = shard(SITE);
    shard.resume(FIRST, CORE, at_ms(5000).wall, 41);
    for second in 3..8 {
        give(&mut shard, HOT, second * 1000, 20.0);
    }
    let times: Vec<_> = ready(&mut shard).iter().filter(|row| row.0 == CORE).map(|row| row.2).collect();
    assert_eq!(times, [6000, 7000]);
    let count = shard.row_count(FIRST, CORE).expect("count");
    assert_eq!((count.closed, count.applied, count.last), (43, 41, Some(at_ms(5000).wall)));
    assert_eq!(shard.row_count(TwinIndex(9), CORE), None);
}

#[test]
fn open_rows_close_when_the_host_stops() {
    let mut shard = shard(SITE);
    give(&mut shard, LOAD, 0, 1000.0);
    give(&mut shard, LOAD + 7, 0, 1000.0);
    shard.close_all(at_ms(1));
    let rows = ready(&mut shard);
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.4[1] == Quality::Good), "nothing is stale because the host stops");
}
