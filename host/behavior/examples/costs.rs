//! What running a behavior costs: `motor-thermal` through a cohort against the same Rust code called natively, and
//! the costs of starting, compiling, loading and swapping. Medians of interleaved runs; one line each.
//!
//! `cargo run --release -p geminus-behavior --example costs -- plugins/motor-thermal [BATCH...]`

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use geminus_behavior::{Cohort, Engine, HostCalls, Limits, Opening, Series};
use geminus_core::clock::{Clock, SystemClock};
use geminus_core::{Frame, Quality, Timestamp, TwinIndex};
use geminus_sdk::{OpeningRequest, Rows, SlotTable};
use motor_thermal::MotorThermal;

/// Rows stepped in each measurement.
const ROWS: usize = 1 << 15;
/// Measurements of each kind.
const RUNS: usize = 15;
/// Twins of the big cohort.
const MANY: u32 = 10_000;
/// Twins carried over between two rows.
const CHUNK: usize = 256;

struct Deaf;

impl HostCalls for Deaf {
    fn log(&self, _: Option<TwinIndex>, _: u8, _: &str) {}
    fn lookup(&self, _: TwinIndex, _: u32, _: Timestamp, _: Timestamp, _: u32) -> Result<Series, String> {
        Err("no look-ups here".to_owned())
    }
}

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| "plugins/motor-thermal".into(), PathBuf::from);
    let package = geminus_registry::author::build(&folder, None, |_| ())?.package;
    let clock = SystemClock::new();
    let (engine, engine_ms) = timed(&clock, || Engine::new(Limits::default()));
    let engine = engine?;
    let cache = tempfile::tempdir()?;
    let compile = |cache| engine.compile(package.digest, &package.bytes, package.declaration.clone(), cache);
    let (compiled, compile_ms) = timed(&clock, || compile(None));
    let compiled = compiled?;
    compile(Some(cache.path()))?;
    let (cached, load_ms) = timed(&clock, || compile(Some(cache.path())));
    anyhow::ensure!(cached?.from_cache(), "the artefact was not kept");
    println!(
        "component {} bytes; engine {engine_ms:.2} ms, compile {compile_ms:.1} ms, cached load {load_ms:.2} ms",
        package.bytes.len()
    );

    let asked: Vec<usize> = std::env::args().skip(2).map(|batch| batch.parse()).collect::<Result<_, _>>()?;
    for batch in if asked.is_empty() { vec![1, 16, 128, 1_024] } else { asked } {
        let mut native = SlotTable::<MotorThermal>::new();
        let requests: Vec<_> = openings(1_024).iter().map(request).collect();
        native.open(&requests).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        let (mut cohort, refused) = Cohort::start(compiled.clone(), Arc::new(Deaf), openings(1_024))?;
        anyhow::ensure!(refused.is_empty(), "{refused:?}");
        let (mut native_ns, mut wasm_ns) = (Vec::new(), Vec::new());
        for run in 0..RUNS as u64 {
            let frames: Vec<Frame> = frames(batch, run);
            native_ns.push(native_run(&clock, &mut native, &frames));
            wasm_ns.push(wasm_run(&clock, &mut cohort, &frames)?);
        }
        let (native_ns, wasm_ns) = (median(&mut native_ns), median(&mut wasm_ns));
        println!(
            "batch {batch:>5}: native {native_ns:.0} ns, cohort {wasm_ns:.0} ns a row, ratio {:.2}",
            wasm_ns / native_ns
        );
    }

    // Ten thousand twins may need more memory than the plugin promises; the figure is shown beside the promise.
    let promised = package.declaration.budget.memory_bytes;
    let mut roomy = (*package.declaration).clone();
    roomy.budget.memory_bytes = u64::MAX;
    let compiled = engine.compile(package.digest, &package.bytes, Arc::new(roomy), None)?;
    let (started, start_ms) =
        timed(&clock, || Cohort::start(compiled.clone(), Arc::new(Deaf), openings(MANY)));
    let (mut cohort, _) = started?;
    // Every twin has a row behind it, so that it has state worth the name.
    for frame in frames_of(MANY, MANY as usize, 0) {
        cohort.step(&frame)?;
    }
    let (saved, save_ms) = timed(&clock, || cohort.snapshot(None));
    let saved = saved?;
    let bytes: usize = saved.twins.iter().map(|twin| twin.bytes.len()).sum();
    let (restored, restore_ms) = timed(&clock, || cohort.restore(&saved));
    anyhow::ensure!(restored?.is_empty());
    let everybody: Vec<TwinIndex> = cohort.twins().collect();
    let (mut raised, mut swaps) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (heir, raise_ms) = timed(&clock, || cohort.household().raise(compiled.clone()));
        let mut next = heir?.into_cohort();
        // As a rollout carries it over: some twins between two rows.
        for some in everybody.chunks(CHUNK) {
            let (refused, swap_ms) =
                timed(&clock, || -> anyhow::Result<_> { Ok(next.take_in(&cohort.copy(some, None)?)?.len()) });
            anyhow::ensure!(refused? == 0);
            swaps.push(swap_ms);
        }
        cohort = next;
        raised.push(raise_ms);
    }
    println!(
        "{MANY} twins: start {start_ms:.1} ms, snapshot {save_ms:.1} ms ({bytes} bytes), restore {restore_ms:.1} ms, raise an heir {:.1} ms off the path, carry {CHUNK} of them over {:.2} ms (max {:.2}), instance {} bytes, {promised} promised",
        median(&mut raised),
        median(&mut swaps),
        swaps.iter().copied().fold(0.0, f64::max),
        cohort.memory_bytes()
    );
    Ok(())
}

fn timed<T>(clock: &SystemClock, run: impl FnOnce() -> T) -> (T, f64) {
    let start = clock.monotonic();
    let result = run();
    (result, (clock.monotonic() - start).as_secs_f64() * 1e3)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn openings(count: u32) -> Vec<Opening> {
    let opening = |twin| Opening {
        twin: TwinIndex(twin),
        id: format!("motor-{twin}"),
        parameters: Arc::from(b"{}".as_slice()),
        seed: 1,
    };
    (0..count).map(opening).collect()
}

fn request(opening: &Opening) -> OpeningRequest {
    let Opening { twin, id, parameters, seed } = opening.clone();
    OpeningRequest { slot: twin.0, twin: id, parameters: parameters.to_vec(), seed }
}

/// `ROWS` rows in frames of `batch`, the twins in turn, each a second after its row before.
fn frames(batch: usize, run: u64) -> Vec<Frame> {
    frames_of(1_024, batch, run)
}

fn frames_of(twins: u32, batch: usize, run: u64) -> Vec<Frame> {
    let twins = twins as usize;
    let rows: Vec<usize> = (0..ROWS).collect();
    let frame = |rows: &[usize]| {
        let mut frame = Frame::new(3);
        for &row in rows {
            let second = run * (ROWS / twins) as u64 + (row / twins) as u64 + 1;
            frame.twins.push(TwinIndex((row % twins) as u32));
            frame.times.push(Timestamp(second * 1_000_000_000));
            // A motor that stands still, with the noise of its sensors: nothing to raise an alert about.
            let noise = ((row % 97) as f64 - 48.0) * 0.005;
            frame.values.extend([25.0 + noise, 25.0 - noise, 0.0]);
            frame.quality.extend([Quality::Good; 3]);
        }
        frame
    };
    rows.chunks(batch).map(frame).collect()
}

fn native_run(clock: &SystemClock, table: &mut SlotTable<MotorThermal>, frames: &[Frame]) -> f64 {
    let columns: Vec<(Vec<u32>, Vec<u64>, Vec<u8>)> = frames
        .iter()
        .map(|frame| {
            let slots = frame.twins.iter().map(|twin| twin.0).collect();
            let times = frame.times.iter().map(|time| time.0).collect();
            (slots, times, frame.quality.iter().map(|&quality| quality as u8).collect())
        })
        .collect();
    let ((), ms) = timed(clock, || {
        for (frame, (slots, times, quality)) in frames.iter().zip(&columns) {
            let outcome = table.step(Rows { slots, times, values: &frame.values, quality });
            std::hint::black_box(&outcome);
        }
    });
    ms * 1e6 / ROWS as f64
}

fn wasm_run(clock: &SystemClock, cohort: &mut Cohort, frames: &[Frame]) -> anyhow::Result<f64> {
    let (faults, ms) = timed(clock, || {
        frames
            .iter()
            .map(|frame| cohort.step(frame).map(|stepped| stepped.faults.len()))
            .sum::<Result<usize, _>>()
    });
    let faults = faults.context("step")?;
    anyhow::ensure!(faults == 0, "{faults} faults and alerts");
    Ok(ms * 1e6 / ROWS as f64)
}
