//! `models.*`: what one step of a model costs in wasm, in microseconds, against the same Rust natively, with what a Python
//! library takes for the same step beside it.
//!
//! One guest steps them all (`tests/guests/models`); a line opens its twins with the model's name. Every tick is a frame with
//! one row of each twin, through a cohort on one side and a slot table on the other. Both get the same rows and must answer
//! the same bits, or the line fails. Time is processor time of the one thread that works; runs alternate, each side's figure
//! is its median. The Python times were taken once, by `reference/times.py`, on the machine that `detail.python` names.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bench_models::{BenchModels, INTERVAL_S, Kind};
use geminus_behavior::{Cohort, Engine, Limits, Opening};
use geminus_core::{Frame, Quality, Timestamp, TwinIndex};
use geminus_sdk::{OpeningRequest, Rows, SlotTable};
use serde_json::{Value, json};

use super::figure::rounded;
use super::processor::own_time;
use super::step::{Deaf, request};
use super::{Figure, Workbench, median};

/// What the Python libraries took.
const TIMES: &str = include_str!("../../../../tests/guests/models/reference/times.json");

/// Fuel of one row: ten times what a site allows unless it says otherwise, so that a dear model is measured and not stopped.
/// `detail.fuel_per_row` tells what it needs.
const FUEL_PER_ROW_MAX: u64 = 20_000_000;
/// Runs of each side, beside the one before them that warms up.
const RUNS: usize = 9;
/// Twins of the fleet.
const FLEET: u32 = 1_000;
/// Rows a second of each of them.
const FLEET_HZ: f64 = 1.0 / INTERVAL_S;

/// What a line shall not exceed.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// Times the native side.
    Times(f64),
    /// Microseconds a step.
    Micros(f64),
    /// Percent of a core.
    Percent(f64),
    /// Nothing was promised.
    Free,
}

impl Target {
    /// In words, and whether it is met; none where nothing was promised.
    fn judge(self, value: f64, native: f64) -> Option<(String, bool)> {
        match self {
            Self::Times(most) => Some((format!("≤ {most}"), value / native <= most)),
            Self::Micros(most) => Some((format!("≤ {most} µs"), value <= most)),
            Self::Percent(most) => Some((format!("≤ {most} %"), value <= most)),
            Self::Free => None,
        }
    }
}

/// How a model is measured.
#[derive(Clone, Copy, Debug)]
struct Course {
    /// Twins, and so rows of a frame.
    twins: u32,
    /// Frames of a run.
    ticks: u64,
    target: Target,
}

impl Course {
    fn of(kind: Kind) -> Self {
        let (twins, ticks, target) = match kind {
            Kind::Kalman => (1_024, 40, Target::Times(1.2)),
            Kind::Extended | Kind::Unscented => (1_024, 16, Target::Times(1.2)),
            Kind::Particle => (64, 16, Target::Times(1.2)),
            Kind::GaussianProcess => (64, 40, Target::Times(2.0)),
            Kind::NeuralOde => (16, 20, Target::Free),
            Kind::Lstm => (16, 20, Target::Times(1.6)),
            Kind::Mpc => (16, 100, Target::Micros(300.0)),
            Kind::Fleet => (FLEET, 10, Target::Percent(30.0)),
        };
        Self { twins, ticks, target }
    }

    fn rows(self) -> f64 {
        f64::from(self.twins) * self.ticks as f64
    }
}

/// A model on both sides.
struct Pair {
    cohort: Cohort,
    native: SlotTable<BenchModels>,
}

/// Microseconds a row, what was answered in it, and fuel of all rows.
struct Run {
    us: f64,
    values: Vec<f64>,
    fuel: u64,
}

/// Microseconds a step.
pub(super) fn measure(bench: &Workbench, kind: Kind) -> anyhow::Result<Figure> {
    let course = Course::of(kind);
    let (wasm, native, detail) = compare(bench, kind, course)?;
    figure(course, (wasm, native), detail)
}

/// Percent of a core that a thousand twins at 10 Hz take.
pub(super) fn fleet(bench: &Workbench) -> anyhow::Result<Figure> {
    let course = Course::of(Kind::Fleet);
    let (wasm, native, mut detail) = compare(bench, Kind::Fleet, course)?;
    let percent = |us: f64| us * 1e-6 * FLEET_HZ * f64::from(course.twins) * 100.0;
    if let Value::Object(detail) = &mut detail {
        detail.insert("us_per_row".to_owned(), rounded(wasm));
        detail.insert("hz".to_owned(), rounded(FLEET_HZ));
    }
    figure(course, (percent(wasm), percent(native)), detail)
}

fn figure(course: Course, (wasm, native): (f64, f64), mut detail: Value) -> anyhow::Result<Figure> {
    if let (Some((words, within)), Value::Object(detail)) = (course.target.judge(wasm, native), &mut detail) {
        detail.insert("target".to_owned(), json!(words));
        detail.insert("within".to_owned(), json!(within));
    }
    ensure!(wasm.is_finite() && native > 0.0, "the processor's account tells no time: {wasm} and {native}");
    Ok(Figure::new(wasm, detail).against("native slot table", native))
}

/// Microseconds a row in wasm and natively, and what else is to be told.
fn compare(bench: &Workbench, kind: Kind, course: Course) -> anyhow::Result<(f64, f64, Value)> {
    let python = python(kind)?;
    let mut pair = open(bench, kind, course.twins)?;
    let (mut wasm_us, mut native_us, mut fuel) = (Vec::new(), Vec::new(), 0);
    for run in 0..=RUNS as u64 {
        let frames = frames(kind, course, run);
        let native = native_run(bench, &mut pair.native, &frames, course.rows())?;
        let wasm = cohort_run(bench, &mut pair.cohort, &frames, course.rows())?;
        ensure!(is_equal(&native.values, &wasm.values), "wasm answers something else than native code");
        // The first one meets cold caches, and models that begin.
        if run > 0 {
            native_us.push(native.us);
            wasm_us.push(wasm.us);
            fuel += wasm.fuel;
        }
    }
    let detail = json!({
        "model": kind.name(), "twins": course.twins, "batch": course.twins,
        "rows": u64::from(course.twins) * course.ticks, "runs": RUNS,
        "fuel_per_row": rounded(fuel as f64 / (course.rows() * RUNS as f64)), "outputs_equal": true, "python": python,
    });
    Ok((median(wasm_us), median(native_us), detail))
}

/// Microseconds that a Python library took for the step, its version, and on which machine.
fn python(kind: Kind) -> anyhow::Result<Value> {
    let times: Value = serde_json::from_str(TIMES)?;
    let of = |value: &Value, field: &str| -> anyhow::Result<Value> {
        let found = value.get(field).filter(|found| !found.is_null()).cloned();
        found.with_context(|| format!("times.json has no {field} of {}", kind.name()))
    };
    let told = of(&of(&times, "models")?, kind.name())?;
    Ok(json!({
        "us": of(&told, "us")?, "library": of(&told, "library")?,
        "python": of(&times, "python")?, "machine": of(&times, "machine")?,
    }))
}

fn open(bench: &Workbench, kind: Kind, twins: u32) -> anyhow::Result<Pair> {
    let package = bench.plugins.models()?;
    let engine = Engine::new(Limits { fuel_per_row_max: FUEL_PER_ROW_MAX, ..Limits::default() })?;
    let compiled = engine.compile(package.digest, &package.bytes, Arc::clone(&package.declaration), None)?;
    let (cohort, refused) = Cohort::start(compiled, Arc::new(Deaf), openings(kind, twins))?;
    ensure!(refused.is_empty(), "twins were refused: {refused:?}");
    let mut native = SlotTable::new();
    let requests: Vec<OpeningRequest> = openings(kind, twins).into_iter().map(request).collect();
    native.open(&requests).map_err(|fault| anyhow::anyhow!("{fault}"))?;
    Ok(Pair { cohort, native })
}

fn openings(kind: Kind, twins: u32) -> Vec<Opening> {
    let parameters = json!({ "model": kind.name() }).to_string();
    let opening = |twin| Opening {
        twin: TwinIndex(twin),
        id: format!("{}-{twin}", kind.name()),
        parameters: Arc::from(parameters.as_bytes()),
        seed: u64::from(twin) + 1,
    };
    (0..twins).map(opening).collect()
}

/// The frames of one run, which goes on where the run before it ended.
fn frames(kind: Kind, course: Course, run: u64) -> Vec<Frame> {
    let interval_ns = Duration::from_secs_f64(INTERVAL_S).as_nanos() as u64;
    let frame = |tick: u64| {
        let mut frame = Frame::new(3);
        for twin in 0..course.twins {
            frame.twins.push(TwinIndex(twin));
            frame.times.push(Timestamp((tick + 1) * interval_ns));
            frame.values.extend(kind.row(twin, tick));
            frame.quality.extend([Quality::Good; 3]);
        }
        frame
    };
    (run * course.ticks..(run + 1) * course.ticks).map(frame).collect()
}

/// Processor time where the kernel tells it, else the clock's.
fn now(bench: &Workbench) -> Duration {
    own_time().unwrap_or_else(|| bench.clock.monotonic())
}

/// Columns are made beforehand: the native side pays for nothing but its own code.
fn native_run(
    bench: &Workbench,
    table: &mut SlotTable<BenchModels>,
    frames: &[Frame],
    rows: f64,
) -> anyhow::Result<Run> {
    let columns = |frame: &Frame| {
        let slots: Vec<u32> = frame.twins.iter().map(|twin| twin.0).collect();
        let times: Vec<u64> = frame.times.iter().map(|time| time.0).collect();
        let quality: Vec<u8> = frame.quality.iter().map(|&quality| quality as u8).collect();
        (slots, times, quality)
    };
    let columns: Vec<_> = frames.iter().map(columns).collect();
    let mut outcomes = Vec::with_capacity(frames.len());
    let start = now(bench);
    for (frame, (slots, times, quality)) in frames.iter().zip(&columns) {
        let outcome = table.step(Rows { slots, times, values: &frame.values, quality });
        outcomes.push(outcome.map_err(|fault| anyhow::anyhow!("{fault}"))?);
    }
    let us = now(bench).saturating_sub(start).as_secs_f64() * 1e6 / rows;
    let values = outcomes.into_iter().flat_map(|outcome| outcome.values).collect();
    Ok(Run { us, values, fuel: 0 })
}

fn cohort_run(bench: &Workbench, cohort: &mut Cohort, frames: &[Frame], rows: f64) -> anyhow::Result<Run> {
    let mut all = Vec::with_capacity(frames.len());
    let start = now(bench);
    for frame in frames {
        all.push(cohort.step(frame)?);
    }
    let us = now(bench).saturating_sub(start).as_secs_f64() * 1e6 / rows;
    let faults: Vec<_> = all.iter().flat_map(|stepped| &stepped.faults).take(1).collect();
    ensure!(faults.is_empty(), "a twin broke: {faults:?}");
    let fuel = all.iter().map(|stepped| stepped.fuel).sum();
    let values = all.into_iter().flat_map(|stepped| stepped.outcome.values).collect();
    Ok(Run { us, values, fuel })
}

/// To the bit; what is no number on one side is none on the other.
fn is_equal(one: &[f64], other: &[f64]) -> bool {
    let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    !one.is_empty() && one.len() == other.len() && one.iter().zip(other).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_a_python_time_that_names_its_library_and_machine() {
        for kind in Kind::ALL {
            let told = python(kind).expect("measured");
            assert!(told["us"].as_f64().is_some_and(|us| us > 0.0), "{told}");
            assert!(["library", "python", "machine"].iter().all(|field| told[*field].is_string()), "{told}");
        }
    }

    #[test]
    fn targets_are_met_at_their_number_and_not_above() {
        let judged = |target: Target, value| target.judge(value, 2.0).map(|(_, within)| within);
        for (target, most) in
            [(Target::Times(1.5), 3.0), (Target::Micros(5.0), 5.0), (Target::Percent(30.0), 30.0)]
        {
            assert_eq!(judged(target, most), Some(true), "{target:?}");
            assert_eq!(judged(target, most + 0.01), Some(false), "{target:?}");
        }
        assert_eq!(judged(Target::Free, 1e9), None);
    }

    #[test]
    fn answers_are_compared_to_the_bit_and_nothing_is_no_answer() {
        assert!(is_equal(&[1.0, f64::NAN], &[1.0, f64::NAN]));
        for (one, other) in
            [(vec![], vec![]), (vec![0.0], vec![-0.0]), (vec![1.0], vec![]), (vec![f64::NAN], vec![1.0])]
        {
            assert!(!is_equal(&one, &other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn runs_go_on_in_time_with_a_row_of_each_twin_a_tick() {
        let course = Course { twins: 3, ticks: 2, target: Target::Free };
        let all: Vec<Frame> = (0..2).flat_map(|run| frames(Kind::Kalman, course, run)).collect();
        let times: Vec<u64> = all.iter().map(|frame| frame.times[0].0 / 1_000_000).collect();
        assert_eq!(times, [100, 200, 300, 400]);
        assert!(all.iter().all(|frame| frame.rows() == 3 && frame.values.len() == 9));
    }
}
