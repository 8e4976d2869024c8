//! What it takes to give each twin an instance of its own: memory, mappings and time for a step, for as many twins as
//! are asked for. One line of JSON: the figure `instances.dedicated_10000` is made of it.
//!
//! `cargo run --release -p geminus-behavior --example dedicated -- [TWINS]`

#![allow(
    dead_code,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the probe belongs to the tests, which fail by panicking"
)]

#[path = "../tests/cohort/probe.rs"]
mod probe;

use std::sync::Arc;

use geminus_behavior::{Cohort, Engine, Limits};
use geminus_core::clock::{Clock, SystemClock};
use probe::{Listener, Probe, frame, opening};

/// Rounds in which each twin has a row.
const ROUNDS: u64 = 10;

fn main() -> anyhow::Result<()> {
    let twins: u32 = std::env::args().nth(1).map_or(Ok(10_000), |count| count.parse())?;
    let clock = SystemClock::new();
    let bare = resident_bytes()?;
    let engine = Engine::new(Limits::default())?;
    let (engine_ms, engine_bytes) =
        (clock.monotonic().as_secs_f64() * 1e3, resident_bytes()?.saturating_sub(bare));
    let compiled = Probe::default().compiled_by(&engine);
    let host = Arc::new(Listener::default());
    let (resident, mapped) = (resident_bytes()?, mappings()?);
    let start = clock.monotonic();
    let mut cohorts = Vec::new();
    let mut refusal = None;
    for twin in 0..twins {
        match Cohort::start(compiled.clone(), host.clone(), vec![opening(twin, 'n')]) {
            Ok((cohort, _)) => cohorts.push(cohort),
            Err(error) => {
                refusal = Some(error.to_string());
                break;
            }
        }
    }
    let started = clock.monotonic() - start;
    let count = cohorts.len().max(1);
    let mut nanoseconds = Vec::new();
    for time in 1..=ROUNDS {
        let start = clock.monotonic();
        for (cohort, twin) in cohorts.iter_mut().zip(0..) {
            let stepped = cohort.step(&frame([(twin, time, 1.0, 1.0)]))?;
            anyhow::ensure!(stepped.outcome.values.get(1) == Some(&(time as f64)), "a row was lost");
        }
        nanoseconds.push((clock.monotonic() - start).as_nanos() as f64 / count as f64);
    }
    nanoseconds.sort_by(f64::total_cmp);
    println!(
        "{}",
        serde_json::json!({
            "instances": cohorts.len(), "refusal": refusal,
            "start_us_per_instance": started.as_secs_f64() * 1e6 / count as f64,
            "bytes_per_instance": (resident_bytes()?.saturating_sub(resident)) / count,
            "mappings_per_instance": (mappings()?.saturating_sub(mapped)) as f64 / count as f64,
            "engine_ms": engine_ms, "engine_bytes": engine_bytes,
            "reservation_bytes": engine.limits().memory_reservation_bytes, "instances_max": engine.limits().instances_max,
            "step_ns": nanoseconds.get(nanoseconds.len() / 2),
        })
    );
    Ok(())
}

fn resident_bytes() -> anyhow::Result<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    Ok(pages.split(' ').nth(1).unwrap_or_default().parse::<usize>()? * 4_096)
}

fn mappings() -> anyhow::Result<usize> {
    Ok(std::fs::read_to_string("/proc/self/maps")?.lines().count())
}
