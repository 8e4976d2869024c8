//! `cohort.memory`: what a twin costs in RAM, everything included: its state, its routes and series, its slot in the
//! cohort of `motor-thermal`. The same house with one twin is subtracted.
//!
//! Each size runs in a process of its own, because memory that earlier measurements freed would hide what a fleet
//! needs.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_core::{Batch, Clock as _, Quality, Sample, SystemClock, Timestamp};
use geminus_ingest::Sink as _;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::figure::rounded;
use super::processor::resident_bytes;
use super::site::{POINTS, SiteFolder};
use super::{Figure, Workbench};
use crate::command::run::tokio_runtime;
use crate::runtime::{Running, StartOptions};

/// Rows that every twin gets, so that it has all the state it will have.
const ROWS: u64 = 4;
/// How long the rows may take.
const ROWS_MAX: Duration = Duration::from_secs(60);
/// Twins that one batch tells of.
const TWINS_PER_BATCH: usize = 500;

/// What a process with a fleet in it saw of itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Probe {
    resident_bytes: u64,
    /// Linear memory of the cohorts, part of the former.
    cohort_bytes: u64,
    start_ms: u64,
    rows: u64,
}

pub(super) fn measure(bench: &Workbench, twins: u32) -> anyhow::Result<Figure> {
    let one = probe(bench, 1)?;
    let fleet = probe(bench, twins)?;
    ensure!(fleet.rows == u64::from(twins) * ROWS, "{} rows were stepped", fleet.rows);
    let each = |bytes: u64| bytes as f64 / f64::from(twins);
    let detail = json!({
        "twins": twins, "points": POINTS.len(), "resident_bytes": fleet.resident_bytes,
        "resident_bytes_of_one": one.resident_bytes, "start_ms": fleet.start_ms,
        "cohort_bytes_per_twin": rounded(each(fleet.cohort_bytes)),
    });
    Ok(Figure::new(each(fleet.resident_bytes.saturating_sub(one.resident_bytes)), detail))
}

/// Runs this program with a fleet of this size and lets it look at itself.
fn probe(bench: &Workbench, twins: u32) -> anyhow::Result<Probe> {
    let site = SiteFolder::new(bench, "mqtt://127.0.0.1:1", 0, twins, Some("health"))?;
    let output = Command::new(std::env::current_exe()?)
        .args(["--log", "error", "bench", "--probe"])
        .arg(site.site())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the process with {twins} twins ended with {}", output.status);
    serde_json::from_slice(&output.stdout).context("the process with the fleet gave no figures")
}

impl Probe {
    /// Runs a site in this process, gives every twin some rows, and looks at the memory.
    pub(crate) fn run(site: &std::path::Path) -> anyhow::Result<Self> {
        let clock = SystemClock::new();
        let runtime = tokio_runtime()?;
        let start = clock.monotonic();
        let options = StartOptions { site: site.to_owned(), listen: None, limits: None };
        let running = runtime.block_on(Running::start(options))?;
        let start_ms = u64::try_from((clock.monotonic() - start).as_millis())?;
        let twins = running.house().plant.twins.len() as u64;
        let begin = clock.now().millis().saturating_sub(1_000 * (ROWS + 1));
        for row in 0..ROWS {
            let time = Timestamp::from_millis(begin + 1_000 * row);
            runtime.block_on(feed(&running, time, clock.now()))?;
        }
        let rows = || -> u64 {
            use std::sync::atomic::Ordering::Relaxed;
            let books = running.house().meters.iter().flat_map(|meters| meters.accounts());
            books.map(|account| account.rows.load(Relaxed)).sum()
        };
        let fed = clock.monotonic();
        while rows() < twins * ROWS || running.store().stats().queue_points > 0 {
            ensure!(clock.monotonic() - fed < ROWS_MAX, "{} of {} rows were stepped", rows(), twins * ROWS);
            std::thread::park_timeout(Duration::from_millis(20));
        }
        // One more look of every shard at itself.
        std::thread::park_timeout(Duration::from_millis(1_300));
        let books = running.house().meters.iter().flat_map(|meters| meters.accounts());
        let cohort_bytes =
            books.map(|account| account.memory_bytes.load(std::sync::atomic::Ordering::Relaxed)).sum();
        let probe = Self { resident_bytes: resident_bytes()?, cohort_bytes, start_ms, rows: rows() };
        runtime.block_on(running.stop())?;
        Ok(probe)
    }
}

/// One sample of every point of every twin.
async fn feed(running: &Running, time: Timestamp, received: Timestamp) -> anyhow::Result<()> {
    let plant = &running.house().plant;
    for twins in plant.twins.chunks(TWINS_PER_BATCH) {
        let measured = twins.iter().flat_map(|twin| plant.series(twin).iter().take(POINTS.len()));
        let sample = |series: &geminus_core::SeriesId| Sample {
            series: *series,
            quality: Quality::Good,
            value: 20.5,
            time,
            received,
        };
        let batch = Batch { samples: measured.map(sample).collect(), ticket: None };
        running.lanes().deliver(batch).await?;
    }
    Ok(())
}
