//! The shard from outside: samples in, rows out, and what people see.

use geminus_core::declaration::Priority;
use geminus_core::{Alert, Outcome, SeriesId, Severity};
use proptest::prelude::*;

use super::*;
use crate::rig::{SITE, plant};

mod alerts;
mod batching;
mod freshness;
mod held;
mod recalled;
mod remembered;
mod rows;
mod samples;
mod views;
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
