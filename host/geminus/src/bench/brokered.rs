//! `pipeline.mqtt_qos0` and `pipeline.mqtt_qos1`: from a real mosquitto to durable history and an event stream,
//! against a bare client that reads the same from the same broker and does nothing with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use geminus_core::Clock;
use geminus_ingest::ProtocolVersion;
use geminus_ingest::flood::{self, Progress};
use serde_json::json;

use super::broker::Mosquitto;
use super::figure::rounded;
use super::publisher::Publisher;
use super::site::{TWINS, load};
use super::trial::{Trial, Verdict};
use super::{Figure, Workbench};
use crate::command::run::tokio_runtime;

/// Rows of each twin in a run.
const ROUNDS: [u64; 2] = [110, 60];
/// Runs of each side; the best counts, because whatever else the machine does only takes away.
const RUNS: usize = 2;
/// How long a bare client may take.
const BARE_MAX: Duration = Duration::from_secs(60);

pub(super) fn measure(bench: &Workbench, qos: u8) -> anyhow::Result<Figure> {
    let (mut bare, mut host, mut details) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        bare.push(bare_run(bench, qos)?);
        let (rate, verdict) = host_run(bench, qos)?;
        host.push(rate);
        details.push(verdict.detail);
    }
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    let runs: Vec<_> = host.iter().map(|rate| rounded(*rate)).collect();
    let bare_runs: Vec<_> = bare.iter().map(|rate| rounded(*rate)).collect();
    let detail = json!({ "qos": qos, "runs": runs, "baseline_runs": bare_runs, "each": details });
    Ok(Figure::new(best(&host), detail).against("bare client on the same broker", best(&bare)))
}

fn rounds(qos: u8) -> u64 {
    let [often, seldom] = ROUNDS;
    if qos == 0 { often } else { seldom }
}

/// Messages a second that a bare client reads.
fn bare_run(bench: &Workbench, qos: u8) -> anyhow::Result<f64> {
    let broker = Mosquitto::start(bench.clock.as_ref())?;
    let load = load(bench.clock.as_ref(), TWINS, rounds(qos), qos);
    let (messages, qos) = (load.messages, load.qos);
    let progress = Arc::new(Progress::default());
    let (url, clock, ours) = (broker.url(), Arc::clone(&bench.clock), Arc::clone(&progress));
    let runtime = tokio_runtime()?;
    let reading = runtime.spawn(async move {
        let read = flood::read_watched(&url, ProtocolVersion::V5, qos, "#", messages, clock.as_ref(), &ours);
        tokio::time::timeout(BARE_MAX, read).await
    });
    wait_for(bench, "the bare client has not subscribed", || progress.subscribed.load(Ordering::Acquire))?;
    let seen = move || progress.messages.load(Ordering::Acquire);
    let publisher = Publisher::start(broker.port(), load, Arc::clone(&bench.clock), seen)?;
    let read = runtime.block_on(reading)?.context("the bare client did not get everything in time")?;
    let bare = read.map_err(anyhow::Error::msg)?;
    publisher.join()?;
    Ok(messages as f64 / bare.took.as_secs_f64())
}

/// Samples a second that the house made durable.
fn host_run(bench: &Workbench, qos: u8) -> anyhow::Result<(f64, Verdict)> {
    let broker = Mosquitto::start(bench.clock.as_ref())?;
    let trial = Trial::start(bench, &broker.url(), qos, Some(broker.process()))?;
    trial.wait_subscribed(bench)?;
    let load = load(bench.clock.as_ref(), TWINS, rounds(qos), qos);
    let stats = trial.stats();
    let clock: Arc<dyn Clock> = Arc::clone(&bench.clock);
    let publisher = Publisher::start(broker.port(), load.clone(), clock, move || stats.messages())?;
    let mut verdict = trial.finish(bench, &load)?;
    let published = publisher.join()?;
    if let Some(detail) = verdict.detail.as_object_mut() {
        detail.insert("written_off".to_owned(), published.written_off.into());
    }
    Ok((verdict.samples as f64 / (verdict.end - published.begin).as_secs_f64(), verdict))
}

fn wait_for(bench: &Workbench, otherwise: &'static str, done: impl Fn() -> bool) -> anyhow::Result<()> {
    let start = bench.clock.monotonic();
    while !done() {
        anyhow::ensure!(bench.clock.monotonic() - start < Duration::from_secs(10), otherwise);
        std::thread::park_timeout(Duration::from_millis(1));
    }
    Ok(())
}
