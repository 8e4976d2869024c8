//! How long a twin that misbehaves stops the thread that all twins of its shard share: the step in which it happens,
//! with everything that finds it and brings the others back. One line for each misdeed and size of frame.
//!
//! `cargo run --release -p geminus-behavior --example stalls -- [TWINS]`

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

use geminus_behavior::{Cohort, Compiled, Engine, Limits};
use geminus_core::clock::{Clock, SystemClock};
use probe::{Listener, Probe, frame, openings};

/// Rows that each twin has behind it when it happens.
const ROWS_BEFORE: u64 = 12;

fn main() -> anyhow::Result<()> {
    let twins: u32 = std::env::args().nth(1).map_or(Ok(1_000), |count| count.parse())?;
    let engine = Engine::new(Limits { instances_max: 64, ..Limits::default() })?;
    let probe = Probe { fuel_per_row: 1_000_000, memory_bytes: 64 << 20, ..Probe::default() };
    let compiled = probe.compiled_by(&engine);
    println!("{twins} twins, ms that the thread stands still");
    println!("{:<28} {:>10} {:>10} {:>10}", "misdeed", "1 row", "64 rows", "1,024 rows");
    let deeds = [
        ("none", 'n'),
        ("trap", 't'),
        ("endless loop", 'l'),
        ("deep recursion", 'x'),
        ("memory bomb", 'g'),
        ("endless host calls", '1'),
        ("endless look-ups", '2'),
        ("endless giant copies", '3'),
        ("endless empty grows", '9'),
    ];
    for (name, mode) in deeds {
        let mut ms = Vec::new();
        for rows in [1, 64, 1_024] {
            ms.push(stall(&compiled, twins, &[(twins / 2, mode)], rows)?);
        }
        println!("{name:<28} {:>10.2} {:>10.2} {:>10.2}", ms[0], ms[1], ms[2]);
    }
    let everybody: Vec<_> = (0..twins).map(|twin| (twin, 'l')).collect();
    println!(
        "{:<28} {:>10} {:>10} {:>10.2}",
        "endless loop, every twin",
        "",
        "",
        stall(&compiled, twins, &everybody, 1_024)?
    );
    for (name, mode) in [("snapshot never returns", '7'), ("trap in snapshot", 'S')] {
        println!("{name:<28} {:>10} {:>10} {:>10.2}", "", "", save(&compiled, twins, mode)?);
    }
    Ok(())
}

/// A cohort with rows behind it, some of whose twins are as given.
fn cohort(compiled: &Arc<Compiled>, twins: u32, odd: &[(u32, char)]) -> anyhow::Result<Cohort> {
    let mut modes = vec!['n'; twins as usize];
    odd.iter().for_each(|&(twin, mode)| modes[twin as usize] = mode);
    let modes: String = modes.into_iter().collect();
    let (mut cohort, refused) =
        Cohort::start(compiled.clone(), Arc::new(Listener::default()), openings(&modes))?;
    anyhow::ensure!(refused.is_empty(), "{refused:?}");
    for time in 1..=ROWS_BEFORE {
        cohort.step(&frame((0..twins).map(|twin| (twin, time, 1.0, 1.0))))?;
    }
    Ok(cohort)
}

/// The step of a frame of `rows` rows that spread around the middle twin.
fn stall(compiled: &Arc<Compiled>, twins: u32, odd: &[(u32, char)], rows: u32) -> anyhow::Result<f64> {
    let mut cohort = cohort(compiled, twins, odd)?;
    let first = twins / 2 - rows.min(twins) / 2;
    let bad = |twin: u32| odd.iter().any(|&(other, _)| other == twin);
    let frame = frame((0..rows).map(|row| {
        let twin = (first + row) % twins;
        (twin, ROWS_BEFORE + 1 + u64::from(row / twins), if bad(twin) { 666.0 } else { 1.0 }, 1.0)
    }));
    let clock = SystemClock::new();
    let start = clock.monotonic();
    let stepped = cohort.step(&frame)?;
    let ms = (clock.monotonic() - start).as_secs_f64() * 1e3;
    let guilty = odd.iter().filter(|&&(_, mode)| mode != 'n').count();
    anyhow::ensure!(guilty == 0 || !stepped.faults.is_empty(), "nobody was caught");
    Ok(ms)
}

/// The longest step on the way to the next save.
fn save(compiled: &Arc<Compiled>, twins: u32, mode: char) -> anyhow::Result<f64> {
    let mut cohort = cohort(compiled, twins, &[(twins / 2, mode)])?;
    let clock = SystemClock::new();
    let mut worst = 0.0_f64;
    for time in ROWS_BEFORE + 1..ROWS_BEFORE + 40 {
        let frame =
            frame((0..twins).map(|twin| (twin, time, if twin == twins / 2 { 666.0 } else { 1.0 }, 1.0)));
        let start = clock.monotonic();
        let stepped = cohort.step(&frame)?;
        worst = worst.max((clock.monotonic() - start).as_secs_f64() * 1e3);
        if !stepped.faults.is_empty() {
            return Ok(worst);
        }
    }
    Err(anyhow::anyhow!("nobody was caught"))
}
