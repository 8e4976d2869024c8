//! The shard from outside: samples in, rows out, and what people see.

use geminus_core::declaration::Priority;
use geminus_core::{Alert, Outcome, SeriesId, Severity};
use proptest::prelude::*;

use super::*;
use crate::rig::{SITE, plant};

mod recalled;
mod words;

const CORE: BindingIndex = BindingIndex(1);
const JUDGE: BindingIndex = BindingIndex(0);
const FIRST: TwinIndex = TwinIndex(0);
const SECOND_NS: u64 = 1_000_000_000;
/// Wall time when the monotonic clock is at zero.
const START_S: u64 = 1_700_000_000;

/// Series of the first twin (the second's are 7 higher).
const HOT: u32 = 100;
const LOAD: u32 = 101;
const SHAKE: u32 = 102;

fn at_ms(ms: u64) -> Moment {
    Moment { wall: Timestamp::from_millis(START_S * 1000 + ms), monotonic: ms * 1_000_000 }
}

/// A good sample of the source time `time_ms`, received `received_ms` after the start.
fn sample(series: u32, time_ms: u64, received_ms: u64, value: f64) -> Sample {
    Sample {
        series: SeriesId(series),
        quality: Quality::Good,
        value,
        time: at_ms(time_ms).wall,
        received: at_ms(received_ms).wall,
    }
}

fn shard(toml: &str) -> Shard {
    Shard::new(plant(toml).expect("plant"), &[FIRST, TwinIndex(1)])
}

/// Gives one sample, received at its own time, and says whether history keeps it.
fn give(shard: &mut Shard, series: u32, time_ms: u64, value: f64) -> bool {
    let mut samples = vec![sample(series, time_ms, time_ms, value)];
    shard.take(&mut samples, at_ms(time_ms));
    !samples.is_empty()
}

/// All frames that are ready, as (binding, twin, ms, values with `None` for missing ones).
type Row = (BindingIndex, TwinIndex, u64, Vec<Option<f64>>, Vec<Quality>);

fn rows_of(binding: BindingIndex, frame: &Frame) -> Vec<Row> {
    let each = frame.twins.iter().zip(&frame.times).enumerate();
    each.map(|(row, (twin, time))| {
        let cells = row * frame.inputs..(row + 1) * frame.inputs;
        let (values, quality) = (&frame.values[cells.clone()], &frame.quality[cells]);
        for (value, quality) in values.iter().zip(quality) {
            assert_eq!(value.is_nan(), *quality == Quality::Missing, "NaN exactly where missing");
        }
        let values = values.iter().map(|value| Some(*value).filter(|value| !value.is_nan())).collect();
        (binding, *twin, time.millis() - START_S * 1000, values, quality.to_vec())
    })
    .collect()
}

fn drain(shard: &mut Shard) -> Vec<(BindingIndex, Frame)> {
    std::iter::from_fn(|| shard.next_frame(1000)).collect()
}

fn ready(shard: &mut Shard) -> Vec<Row> {
    drain(shard).iter().flat_map(|(binding, frame)| rows_of(*binding, frame)).collect()
}

/// What the two plugins would answer: numbers made of their inputs, so that a wrong input shows.
fn answer(binding: BindingIndex, frame: &Frame) -> Outcome {
    let outputs = if binding == CORE { 2 } else { 1 };
    let mut outcome = Outcome { outputs, ..Outcome::default() };
    for row in 0..frame.rows() {
        let cell = |input: usize| frame.values[row * frame.inputs + input];
        if binding == CORE {
            outcome.values.extend([cell(0) * 2.0 + cell(1), 0.5 + cell(0) / 1e3]);
        } else {
            outcome.values.push((cell(0) + cell(1) + cell(2)) / 1e4);
        }
    }
    outcome.quality = outcome
        .values
        .iter()
        .map(|value| if value.is_nan() { Quality::Bad } else { Quality::Good })
        .collect();
    outcome
}

fn step_all(shard: &mut Shard, now: Moment) -> (Vec<Row>, Vec<Sample>) {
    let (mut rows, mut recorded) = (Vec::new(), Vec::new());
    while let Some((binding, frame)) = shard.next_frame(3) {
        rows.extend(rows_of(binding, &frame));
        shard.apply(binding, &frame, &answer(binding, &frame), now, &mut recorded);
        shard.recycle(frame);
    }
    (rows, recorded)
}

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
fn samples_that_do_not_belong_are_counted_under_their_reason() {
    let mut shard = shard(&format!("{SITE}[limits]\naccept_past_days = 1\n"));
    let day = 86_400_000;
    assert!(give(&mut shard, HOT, 1000, 20.0));
    assert!(!give(&mut shard, HOT, 1000, 21.0), "a duplicate is dropped");
    assert!(give(&mut shard, HOT, 500, 19.0), "a late one is history");
    assert!(!give(&mut shard, 999, 1000, 1.0), "a stray is dropped");
    let mut refused = vec![sample(HOT, 602_000, 1000, 1.0), sample(HOT, 601_000, 1000, 1.0)];
    shard.take(&mut refused, at_ms(1000));
    assert_eq!(refused.len(), 1, "600 s ahead is accepted, more is not");
    let mut old = vec![sample(LOAD, 0, day + 1, 1.0)];
    shard.take(&mut old, at_ms(day + 1));
    assert!(old.is_empty());
    let counters = shard.counters();
    assert_eq!((counters.samples, counters.duplicates, counters.late), (7, 1, 1));
    assert_eq!((counters.strays, counters.refused), (1, 2));
    let mut events = Vec::new();
    shard.take_events(&mut events);
    let told: Vec<_> =
        events.iter().filter(|event| event.kind == "sample-refused").map(|event| &event.message).collect();
    assert_eq!(told.len(), 2, "the journal hears once a minute");
    assert!(told[0].starts_with("sample of rig-1 hot refused: its time is 601 s ahead of"), "{}", told[0]);
    let late: Vec<_> = events.iter().filter(|event| event.kind == "samples-late").collect();
    assert_eq!(late.len(), 1, "of both kinds one entry a minute");
    assert!(late[0].message.contains("rig-1 hot came late or twice") && late[0].facts["count"] == 1);
    assert!(!give(&mut shard, HOT, 601_000, 1.0));
    let mut events = Vec::new();
    shard.take_events(&mut events);
    let late: Vec<_> = events.iter().filter(|event| event.kind == "samples-late").collect();
    assert_eq!(
        (late.len(), &late[0].facts["count"]),
        (1, &2.into()),
        "the late one and this, after a minute"
    );
    assert!(told[1].contains("86400 s behind") || told[1].contains("86401 s behind"), "{}", told[1]);
}

#[test]
fn what_is_no_number_is_bad_and_missing_for_behaviors() {
    let mut shard = shard(SITE);
    for (time, value) in [(0, f64::NAN), (1000, f64::INFINITY)] {
        let mut samples = vec![sample(HOT, time, time, value)];
        shard.take(&mut samples, at_ms(time));
        assert!(samples[0].value.is_nan() && samples[0].quality == Quality::Bad);
    }
    let mut known = vec![Sample { quality: Quality::Bad, ..sample(LOAD, 0, 0, f64::NAN) }];
    shard.take(&mut known, at_ms(120_000));
    let mut events = Vec::new();
    shard.take_events(&mut events);
    let told: Vec<_> = events.iter().filter(|event| event.kind == "sample-bad").collect();
    assert_eq!(told.len(), 1, "once a minute, and never of what its source calls bad: {told:?}");
    assert!(told[0].message.starts_with("sample of rig-1 hot is no number"), "{told:?}");
    let rows = ready(&mut shard);
    assert!(
        rows.iter().all(|(_, _, _, values, quality)| values[0].is_none() && quality[0] == Quality::Missing)
    );
    let view = shard.view(FIRST, at_ms(1000)).expect("view");
    assert_eq!((view.measured[0].value, view.measured[0].quality), (None, Quality::Bad));
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
fn staleness_goes_by_the_time_of_receipt() {
    let mut shard = shard(SITE);
    let state = |shard: &Shard, ms: u64| shard.summary(FIRST, at_ms(ms)).expect("summary").state;
    assert_eq!(
        (state(&shard, 0), shard.summary(FIRST, at_ms(0)).expect("it").age_ms),
        (State::Waiting, None)
    );
    give(&mut shard, LOAD, 0, 1.0);
    give(&mut shard, HOT, 3000, 20.0);
    shard.tick(at_ms(5001));
    assert_eq!(state(&shard, 5001), State::Live);
    let quality =
        |shard: &Shard, point: usize, ms| shard.view(FIRST, at_ms(ms)).expect("view").measured[point].quality;
    assert_eq!((quality(&shard, 1, 5000), quality(&shard, 1, 5001)), (Quality::Good, Quality::Stale));
    assert_eq!((quality(&shard, 0, 5001), quality(&shard, 2, 5001)), (Quality::Good, Quality::Missing));
    shard.tick(at_ms(8000));
    assert_eq!(state(&shard, 8000), State::Live);
    shard.tick(at_ms(8001));
    assert_eq!(state(&shard, 8001), State::Stale);
    // The same once more is no sign of life: a broker gives its last message again by itself.
    let mut again = vec![sample(HOT, 3000, 9000, 20.0)];
    shard.take(&mut again, at_ms(9000));
    assert_eq!((state(&shard, 9000), again.len()), (State::Stale, 0));
    // A late sample is one: its source sends.
    let mut late = vec![sample(HOT, 2000, 10_000, 20.0)];
    shard.take(&mut late, at_ms(10_000));
    assert_eq!((state(&shard, 10_000), late.len()), (State::Live, 1));
    assert_eq!(shard.summary(FIRST, at_ms(10_000)).expect("it").age_ms, Some(0));
    assert_eq!((quality(&shard, 0, 15_000), quality(&shard, 0, 15_001)), (Quality::Good, Quality::Stale));
    let mut events = Vec::new();
    shard.take_events(&mut events);
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["twin-stale", "samples-late", "twin-live"]);
    // The other twin never spoke, and is not stale but waiting.
    assert_eq!(shard.summary(TwinIndex(1), at_ms(99_000)).expect("it").state, State::Waiting);
}

#[test]
fn a_point_that_has_only_late_samples_is_live_and_the_journal_says_what_stands_in_the_way() {
    let mut shard = shard(SITE);
    let late = |shard: &mut Shard, ms: u64| {
        let kept = give(shard, HOT, ms, 20.0);
        shard.tick(at_ms(ms));
        let mut events = Vec::new();
        shard.take_events(&mut events);
        let all: Vec<_> = events
            .into_iter()
            .map(|event| (event.kind, event.severity, event.message, event.facts))
            .collect();
        (kept, all)
    };
    // A clock that is 300 s ahead for a moment, and right again.
    shard.take(&mut vec![sample(HOT, 300_000, 0, 20.0)], at_ms(0));
    for second in 1..=120_u64 {
        let (kept, told) = late(&mut shard, second * 1000);
        assert!(kept, "late ones are history");
        assert_eq!(shard.summary(FIRST, at_ms(second * 1000)).expect("it").state, State::Live, "{second}");
        // The first is told as usual; what lasts longer than five seconds is a warning, once a minute.
        match second {
            1 => assert_eq!((told.len(), told[0].1), (1, Severity::Info), "{told:?}"),
            7 | 67 => {
                let [(kind, severity, message, facts)] = &told[..] else { panic!("{second}: {told:?}") };
                assert_eq!((kind.as_str(), *severity), ("samples-late", Severity::Warning));
                let ahead = 300 - second;
                assert!(
                    message.contains(&format!(
                        "rig-1 hot has had nothing but late samples for {} s",
                        second - 1
                    )),
                    "{message}"
                );
                assert!(message.contains(&format!("{ahead} s ahead of this host's clock")), "{message}");
                assert!(message.contains("nothing is newer until 2023-11-14T22:18:20"), "{message}");
                assert_eq!(facts["newest_ms"], START_S * 1000 + 300_000);
                assert_eq!(facts["count"], if second == 7 { 1 } else { 60 });
            }
            _ => assert_eq!(told, [], "{second}"),
        }
    }
    // A newer one ends it: what is late after it has to last again.
    assert!(give(&mut shard, HOT, 300_001, 20.0));
    let (_, told) = late(&mut shard, 300_000);
    assert_eq!((told.len(), told[0].1), (1, Severity::Info), "{told:?}");
    assert!(shard.notices.late_since.len() == 1 && shard.counters().late == 121);
    give(&mut shard, HOT, 300_002, 20.0);
    assert!(shard.notices.late_since.is_empty());
}

#[test]
fn a_wall_clock_that_jumps_makes_nothing_fresh_or_stale() {
    let mut shard = shard(SITE);
    give(&mut shard, HOT, 0, 20.0);
    let jumped = |ms: u64, by_s: i64| Moment {
        wall: Timestamp((at_ms(ms).wall.0 as i64 + by_s * SECOND_NS as i64) as u64),
        monotonic: ms * 1_000_000,
    };
    shard.tick(jumped(4000, 86_400));
    assert_eq!(shard.summary(FIRST, jumped(4000, 86_400)).expect("it").state, State::Live);
    shard.tick(jumped(6000, -86_400));
    assert_eq!(shard.summary(FIRST, jumped(6000, -86_400)).expect("it").state, State::Stale);
}

fn raise(shard: &mut Shard, time_ms: u64, alerts: &[u32]) {
    give(shard, LOAD, time_ms, 1000.0);
    give(shard, HOT, time_ms, 20.0);
    while let Some((binding, frame)) = shard.next_frame(10) {
        let mut outcome = answer(binding, &frame);
        let last = frame.rows() as u32 - 1;
        if binding == CORE {
            let alert =
                |alert: &u32| Alert { row: last, alert: *alert, value: 7.0, detail: format!("at {time_ms}") };
            outcome.alerts = alerts.iter().map(alert).collect();
        }
        shard.apply(binding, &frame, &outcome, at_ms(time_ms), &mut Vec::new());
    }
}

fn told(shard: &mut Shard) -> Vec<String> {
    let mut events = Vec::new();
    shard.take_events(&mut events);
    events.iter().map(|event| format!("{} {}", event.kind, event.message)).collect()
}

#[test]
fn alerts_rise_and_fall_with_the_rows() {
    let mut shard = shard(SITE);
    raise(&mut shard, 0, &[]);
    raise(&mut shard, 1000, &[0]);
    raise(&mut shard, 2000, &[0, 1]);
    assert_eq!(told(&mut shard), ["alert-raised rig-1 too-hot: at 1000", "alert-raised rig-1 odd: at 2000"]);
    let view = shard.view(FIRST, at_ms(2000)).expect("view");
    let alerts: Vec<_> = view
        .alerts
        .iter()
        .map(|alert| (alert.code.as_str(), alert.priority, alert.detail.as_str()))
        .collect();
    assert_eq!(alerts, [("too-hot", Priority::High, "at 2000"), ("odd", Priority::Low, "at 2000")]);
    assert_eq!(view.alerts[0].since, at_ms(1000).wall);
    assert_eq!((view.summary.alerts, view.summary.highest), (2, Some(Priority::High)));
    // An index that was never declared is nobody's alert.
    raise(&mut shard, 3000, &[1, 63]);
    assert_eq!(told(&mut shard), ["alert-cleared rig-1 too-hot: cleared"]);
    // A row that was not stepped clears nothing.
    give(&mut shard, HOT, 4000, 20.0);
    let (binding, frame) = shard.next_frame(10).expect("row");
    let bad = Outcome {
        outputs: 2,
        values: vec![f64::NAN; 2],
        quality: vec![Quality::Bad; 2],
        ..Outcome::default()
    };
    let mut recorded = Vec::new();
    shard.apply(binding, &frame, &bad, at_ms(4000), &mut recorded);
    assert_eq!(shard.summary(FIRST, at_ms(4000)).expect("it").alerts, 1);
    assert!(recorded.len() == 2 && recorded.iter().all(|it| it.value.is_nan() && it.quality == Quality::Bad));
    assert!(told(&mut shard).is_empty());
}

#[test]
fn alerts_of_a_stale_twin_are_kept_aside_and_come_back() {
    let mut shard = shard(SITE);
    raise(&mut shard, 0, &[0]);
    told(&mut shard);
    shard.tick(at_ms(5001));
    let view = shard.view(FIRST, at_ms(5001)).expect("view");
    assert_eq!((view.alerts.len(), view.suppressed_alerts, view.summary.alerts), (0, 1, 0));
    assert_eq!(view.summary.highest, None);
    // A row that was closed before and is applied now changes the set, but the journal hears of it later.
    give(&mut shard, HOT, 6000, 20.0);
    let (binding, frame) = shard.next_frame(10).expect("row");
    shard.tick(at_ms(12_000));
    let outcome = Outcome {
        alerts: vec![Alert { row: 0, alert: 1, value: 1.0, detail: String::new() }],
        ..answer(CORE, &frame)
    };
    shard.apply(binding, &frame, &outcome, at_ms(12_000), &mut Vec::new());
    let words = told(&mut shard);
    let kinds: Vec<_> = words.iter().filter_map(|event| event.split(' ').next()).collect();
    assert_eq!(kinds, ["twin-stale", "twin-live", "twin-stale"]);
    give(&mut shard, LOAD, 13_000, 1.0);
    assert_eq!(
        told(&mut shard),
        [
            "twin-live rig-1 sends again",
            "alert-raised rig-1 odd: odd",
            "alert-cleared rig-1 too-hot: cleared"
        ]
    );
    assert_eq!(shard.summary(FIRST, at_ms(13_000)).expect("it").alerts, 1);
}

#[test]
fn health_is_unknown_unless_somebody_knows() {
    let mut shard = shard(SITE);
    let health = |shard: &Shard, ms| shard.summary(FIRST, at_ms(ms)).expect("summary").health;
    let unknown = Health { index: None, verdict: Verdict::Unknown };
    assert_eq!(health(&shard, 0), unknown);
    for (second, index, verdict) in
        [(1, 0.9, Verdict::Ok), (2, 0.49, Verdict::Warning), (3, 0.1, Verdict::Critical)]
    {
        let ms = second * 1000;
        give(&mut shard, HOT, ms, 20.0);
        give(&mut shard, LOAD, ms, 1.0);
        give(&mut shard, SHAKE, ms, 1.0);
        while let Some((binding, frame)) = shard.next_frame(10) {
            let mut outcome = answer(binding, &frame);
            if binding == JUDGE {
                outcome.values.fill(index);
                outcome.quality.fill(Quality::Good);
            }
            shard.apply(binding, &frame, &outcome, at_ms(ms), &mut Vec::new());
        }
        assert_eq!(health(&shard, ms), Health { index: Some(index), verdict });
    }
    let mut changed = Vec::new();
    shard.take_changed(&mut changed);
    assert_eq!(changed, [FIRST], "told once, however often it changed");
    shard.tick(at_ms(60_000));
    assert_eq!(health(&shard, 60_000), unknown);
}

#[test]
fn watched_twins_tell_what_changed_once() {
    let mut shard = shard(SITE);
    give(&mut shard, HOT, 0, 20.0);
    let mut updates = Vec::new();
    shard.take_dirty(at_ms(0), &mut updates);
    assert_eq!(updates, [], "nobody looks");
    shard.watch(FIRST, true);
    give(&mut shard, HOT + 7, 0, 20.0);
    shard.take_dirty(at_ms(10), &mut updates);
    let points = |updates: &[Update]| -> Vec<_> {
        updates
            .iter()
            .flat_map(|update| update.points.iter().map(|point| (point.point, point.value)))
            .collect()
    };
    assert_eq!((updates.len(), points(&updates)), (1, vec![(0, 20.0)]), "what was there when looking began");
    updates.clear();
    give(&mut shard, HOT, 1000, 21.0);
    give(&mut shard, HOT, 2000, 22.0);
    step_all(&mut shard, at_ms(2000));
    shard.take_dirty(at_ms(2000), &mut updates);
    assert_eq!(points(&updates)[0], (0, 22.0), "only the newest");
    assert_eq!(points(&updates).iter().map(|(point, _)| *point).collect::<Vec<_>>(), [0, 4, 5, 6]);
    updates.clear();
    shard.take_dirty(at_ms(2100), &mut updates);
    assert_eq!(updates, []);
    shard.tick(at_ms(7001));
    shard.take_dirty(at_ms(7001), &mut updates);
    assert_eq!((updates[0].state, updates[0].points[0].quality), (State::Stale, Quality::Stale));
    shard.watch(FIRST, false);
    give(&mut shard, HOT, 9000, 22.0);
    updates.clear();
    shard.take_dirty(at_ms(9000), &mut updates);
    assert_eq!(updates, []);
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

#[test]
fn the_view_says_everything() {
    let mut shard = shard(SITE);
    give(&mut shard, LOAD, 0, 1000.0);
    give(&mut shard, HOT, 0, 20.0);
    step_all(&mut shard, at_ms(0));
    let view = shard.view(TwinIndex(0), at_ms(700)).expect("view");
    assert_eq!(
        (view.id.as_str(), view.display_name.as_str(), view.type_id.as_str()),
        ("rig-1", "Rig rig-1", "dtmi:t:Rig;1")
    );
    assert_eq!((view.summary.state, view.summary.age_ms), (State::Live, Some(700)));
    let hot = &view.measured[0];
    assert_eq!((hot.value, hot.age_ms, hot.interval_ms, hot.role), (Some(20.0), Some(700), Some(1000), None));
    let inside = &view.estimated[0];
    assert_eq!(
        (inside.name.as_str(), inside.unit.as_str(), inside.of.as_deref()),
        ("core.inside", "K", Some("hot"))
    );
    assert_eq!((inside.value, inside.behavior.as_deref()), (Some(293.15 * 2.0 + 1.0), Some("core")));
    assert_eq!((inside.time, inside.received), (Some(at_ms(0).wall), Some(at_ms(0).wall)));
    assert_eq!(
        (view.behaviors[0].name.as_str(), view.behaviors[0].rows, view.behaviors[0].warming_up),
        ("core", 1, true)
    );
    assert_eq!(view.estimated[2].value, None);
    assert!(shard.view(TwinIndex(7), at_ms(0)).is_none());
}

/// What a run gives: every row of both behaviors, by binding and twin, in order.
fn run(samples: &[Sample], cuts: &[usize], step_every: usize) -> (Vec<Row>, Counters) {
    let mut shard = shard(SITE);
    let now = at_ms(0);
    let mut rows = Vec::new();
    let mut from = 0;
    for (round, cut) in cuts.iter().chain([&samples.len()]).enumerate() {
        let to = (*cut).clamp(from, samples.len());
        shard.take(&mut samples[from..to].to_vec(), now);
        from = to;
        if round % step_every == 0 {
            rows.extend(step_all(&mut shard, now).0);
        }
    }
    shard.close_all(now);
    rows.extend(step_all(&mut shard, now).0);
    rows.sort_by_key(|row| (row.0, row.1));
    (rows, shard.counters())
}

proptest! {
    /// How samples are batched, and when frames are stepped, changes no value of any row; each twin's rows come in
    /// strictly increasing time, each is stepped once.
    #[test]
    fn batching_changes_nothing(
        steps in proptest::collection::vec((0_u32..2, 0_u32..3, 0_u64..4, -50_i32..50), 1..200),
        mut cuts in proptest::collection::vec(0_usize..200, 0..20),
        step_every in 1_usize..6,
    ) {
        let mut clock = [0_u64; 2];
        let samples: Vec<Sample> = steps
            .iter()
            .map(|(twin, point, ahead, value)| {
                let clock = &mut clock[*twin as usize];
                // Mostly on, sometimes the same time again, sometimes back: late ones and duplicates are among them.
                *clock = if *ahead == 3 { clock.saturating_sub(500) } else { *clock + ahead * 500 };
                sample(HOT + twin * 7 + point, *clock, 0, f64::from(*value))
            })
            .collect();
        cuts.sort_unstable();
        let single: Vec<usize> = (1..samples.len()).collect();
        let (one_by_one, counters) = run(&samples, &single, 1);
        let (batched, others) = run(&samples, &cuts, step_every);
        prop_assert_eq!(&one_by_one, &batched);
        prop_assert_eq!(counters, others);
        prop_assert_eq!(counters.rows, counters.applied);
        prop_assert_eq!(counters.rows, batched.len() as u64);
        for pair in batched.windows(2) {
            prop_assert!((pair[0].0, pair[0].1) != (pair[1].0, pair[1].1) || pair[0].2 < pair[1].2);
        }
    }
}
