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
use super::site::{NO_BROKER, POINTS, SiteFolder};
use super::{Figure, Workbench};
use crate::command::run::tokio_runtime;
use crate::runtime::{Account, Running, StartOptions};

/// Rows that every twin gets, so that it has all the state it will have.
const ROWS: u64 = 4;
/// How long the rows may take.
const ROWS_MAX: Duration = Duration::from_secs(60);
/// Twins that one batch tells of.
const TWINS_PER_BATCH: usize = 500;

/// What a process with a fleet in it saw of itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Probe {
    pub(super) resident_bytes: u64,
    /// Linear memory of the cohorts, part of the former.
    pub(super) cohort_bytes: u64,
    pub(super) start_ms: u64,
    pub(super) rows: u64,
    /// Time in the behaviors of the rows of the second half, when everything has been made that a twin needs.
    pub(super) late_step_ns: u64,
    pub(super) mappings: u64,
}

pub(super) fn measure(bench: &Workbench, twins: u32) -> anyhow::Result<Figure> {
    let without = Some("health");
    let site = |twins| SiteFolder::new(bench, NO_BROKER, 0, twins, without);
    let (one, fleet) = (probe(&site(1)?, 1)?, probe(&site(twins)?, twins)?);
    let each = |bytes: u64| bytes as f64 / f64::from(twins);
    let detail = json!({
        "twins": twins, "points": POINTS.len(), "resident_bytes": fleet.resident_bytes,
        "resident_bytes_of_one": one.resident_bytes, "start_ms": fleet.start_ms,
        "cohort_bytes_per_twin": rounded(each(fleet.cohort_bytes)),
    });
    Ok(Figure::new(each(fleet.resident_bytes.saturating_sub(one.resident_bytes)), detail))
}

/// Runs this program with a fleet of this size and lets it look at itself.
pub(super) fn probe(site: &SiteFolder, twins: u32) -> anyhow::Result<Probe> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--log", "error", "bench", "--probe"])
        .arg(site.site())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the process with {twins} twins ended with {}", output.status);
    let seen: Probe =
        serde_json::from_slice(&output.stdout).context("the process with the fleet gave no figures")?;
    ensure!(seen.rows == u64::from(twins) * ROWS, "{} rows were stepped", seen.rows);
    Ok(seen)
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
        use std::sync::atomic::{AtomicU64, Ordering};
        let sum = |of: fn(&Account) -> &AtomicU64| -> u64 {
            let books = running.house().meters.iter().flat_map(|meters| meters.accounts());
            books.map(|account| of(&account).load(Ordering::Relaxed)).sum()
        };
        let rows = || sum(|account| &account.rows);
        let begin = clock.now().millis().saturating_sub(1_000 * (ROWS + 1));
        let mut early_step_ns = 0;
        for row in 0..ROWS {
            if row == ROWS / 2 {
                early_step_ns = sum(|account| &account.step_ns);
            }
            let time = Timestamp::from_millis(begin + 1_000 * row);
            runtime.block_on(feed(&running, time, clock.now()))?;
            let fed = clock.monotonic();
            while rows() < twins * (row + 1) || running.store().stats().queue_points > 0 {
                let waited = clock.monotonic() - fed;
                ensure!(waited < ROWS_MAX, "{} of {} rows were stepped", rows(), twins * ROWS);
                std::thread::park_timeout(Duration::from_millis(5));
            }
        }
        // One more look of every shard at itself.
        std::thread::park_timeout(Duration::from_millis(1_300));
        let probe = Self {
            resident_bytes: resident_bytes()?,
            cohort_bytes: sum(|account| &account.memory_bytes),
            start_ms,
            rows: rows(),
            late_step_ns: sum(|account| &account.step_ns).saturating_sub(early_step_ns),
            mappings: std::fs::read_to_string("/proc/self/maps")?.lines().count() as u64,
        };
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
