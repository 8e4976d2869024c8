//! What a row through a component costs: `motor-thermal` in a cohort against the same Rust code called natively.
//!
//! Both get the same rows. Runs alternate, so that a machine that is busy for a while disturbs both; each side's
//! figure is its median.

use std::sync::Arc;

use anyhow::ensure;
use geminus_behavior::{Cohort, Engine, HostCalls, Limits, Opening, Series};
use geminus_core::{Frame, Quality, Timestamp, TwinIndex};
use geminus_sdk::{OpeningRequest, Rows, SlotTable};
use motor_thermal::MotorThermal;
use serde_json::json;

use super::figure::rounded;
use super::{Figure, Workbench, median};

/// Rows of one run.
const ROWS: usize = 1 << 15;
/// Runs of each side.
const RUNS: usize = 31;
/// Twins of the cohort.
pub(super) const TWINS: u32 = 1_024;

/// A host that guests cannot ask anything.
pub(super) struct Deaf;

impl HostCalls for Deaf {
    fn log(&self, _: Option<TwinIndex>, _: u8, _: &str) {}
    fn lookup(&self, _: TwinIndex, _: u32, _: Timestamp, _: Timestamp, _: u32) -> Result<Series, String> {
        Err("no look-ups here".to_owned())
    }
}

pub(super) fn measure(bench: &Workbench, batch: usize) -> anyhow::Result<Figure> {
    let package = bench.plugins.motor_thermal()?;
    let engine = Engine::new(Limits::default())?;
    let compiled = engine.compile(package.digest, &package.bytes, Arc::clone(&package.declaration), None)?;
    let (mut cohort, refused) = Cohort::start(compiled, Arc::new(Deaf), openings())?;
    ensure!(refused.is_empty(), "twins were refused: {refused:?}");
    let mut native = SlotTable::<MotorThermal>::new();
    let requests: Vec<OpeningRequest> = openings().into_iter().map(request).collect();
    native.open(&requests).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;

    let (mut native_ns, mut cohort_ns, mut fuel) = (Vec::new(), Vec::new(), 0);
    for run in 0..RUNS {
        let frames = frames(batch, run);
        native_ns.push(native_run(bench, &mut native, &frames)?);
        let (ns, used) = cohort_run(bench, &mut cohort, &frames)?;
        cohort_ns.push(ns);
        fuel += used;
    }
    let lowest = |all: &[f64]| all.iter().copied().fold(f64::INFINITY, f64::min);
    let detail = json!({
        "rows": ROWS, "runs": RUNS, "twins": TWINS,
        "fastest_ns": rounded(lowest(&cohort_ns)), "native_fastest_ns": rounded(lowest(&native_ns)),
        "fuel_per_row": fuel / (ROWS * RUNS) as u64,
    });
    Ok(Figure::new(median(cohort_ns), detail).against("native slot table", median(native_ns)))
}

pub(super) fn openings() -> Vec<Opening> {
    openings_of(TWINS)
}

pub(super) fn openings_of(twins: u32) -> Vec<Opening> {
    let opening = |twin| Opening {
        twin: TwinIndex(twin),
        id: format!("motor-{twin}"),
        parameters: std::sync::Arc::from(b"{}".as_slice()),
        seed: 1,
    };
    (0..twins).map(opening).collect()
}

pub(super) fn request(opening: Opening) -> OpeningRequest {
    let Opening { twin, id, parameters, seed } = opening;
    OpeningRequest { slot: twin.0, twin: id, parameters: parameters.to_vec(), seed }
}

/// The rows of one run in frames of `batch`.
pub(super) fn frames(batch: usize, run: usize) -> Vec<Frame> {
    frames_of(TWINS, ROWS, batch, run)
}

/// Rows in frames of `batch`: the twins in turn, each a second after its row before. The motors stand still and their
/// sensors have noise, so there is nothing to raise an alert about.
pub(super) fn frames_of(twins: u32, rows: usize, batch: usize, run: usize) -> Vec<Frame> {
    let all: Vec<usize> = (0..rows).collect();
    let frame = |some: &[usize]| {
        let mut frame = Frame::new(3);
        for &row in some {
            let second = (run * rows + row) as u64 / u64::from(twins) + 1;
            let noise = ((row % 97) as f64 - 48.0) * 0.005;
            frame.twins.push(TwinIndex(row as u32 % twins));
            frame.times.push(Timestamp(second * 1_000_000_000));
            frame.values.extend([25.0 + noise, 25.0 - noise, 0.0]);
            frame.quality.extend([Quality::Good; 3]);
        }
        frame
    };
    all.chunks(batch).map(frame).collect()
}

/// Nanoseconds a row. Columns are made beforehand: the native side pays for nothing but its own code.
fn native_run(
    bench: &Workbench,
    table: &mut SlotTable<MotorThermal>,
    frames: &[Frame],
) -> anyhow::Result<f64> {
    let columns = |frame: &Frame| {
        let slots: Vec<u32> = frame.twins.iter().map(|twin| twin.0).collect();
        let times: Vec<u64> = frame.times.iter().map(|time| time.0).collect();
        let quality: Vec<u8> = frame.quality.iter().map(|&quality| quality as u8).collect();
        (slots, times, quality)
    };
    let columns: Vec<_> = frames.iter().map(columns).collect();
    let start = bench.clock.monotonic();
    for (frame, (slots, times, quality)) in frames.iter().zip(&columns) {
        let outcome = table.step(Rows { slots, times, values: &frame.values, quality });
        std::hint::black_box(outcome).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
    }
    Ok((bench.clock.monotonic() - start).as_secs_f64() * 1e9 / ROWS as f64)
}

/// Nanoseconds a row, and fuel of all rows.
fn cohort_run(bench: &Workbench, cohort: &mut Cohort, frames: &[Frame]) -> anyhow::Result<(f64, u64)> {
    let (mut faults, mut fuel) = (0, 0);
    let start = bench.clock.monotonic();
    for frame in frames {
        let stepped = std::hint::black_box(cohort.step(frame)?);
        faults += stepped.faults.len();
        fuel += stepped.fuel;
    }
    let took = bench.clock.monotonic() - start;
    ensure!(faults == 0, "{faults} faults");
    Ok((took.as_secs_f64() * 1e9 / ROWS as f64, fuel))
}
