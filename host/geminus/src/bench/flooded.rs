//! `pipeline.host`: from a source that is never the limit to durable history and an event stream, all in this
//! process, against a bare client that reads the same flood and does nothing with it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use geminus_ingest::ProtocolVersion;
use geminus_ingest::flood::{self, Flood, Pace};
use serde_json::json;

use super::figure::rounded;
use super::site::{TWINS, load};
use super::trial::{Trial, Verdict};
use super::{Figure, Workbench};
use crate::command::run::tokio_runtime;

/// Rows of each twin in a run: enough that folding of history, which follows writing, is part of what is measured.
const ROUNDS: [u64; 2] = [1_500, 500];
/// Runs of each side; the best counts, because whatever else the machine does only takes away.
const RUNS: usize = 2;

pub(super) fn measure(bench: &Workbench, qos: u8) -> anyhow::Result<Figure> {
    let (mut bare, mut host, mut details) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        bare.push(bare_run(bench, qos)?);
        let (rate, verdict) = host_run(bench, qos)?;
        host.push(rate);
        details.push(verdict.detail);
    }
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    if qos == 0 {
        bench.load.set(Some(best(&host)));
    }
    let runs: Vec<_> = host.iter().map(|rate| rounded(*rate)).collect();
    let bare_runs: Vec<_> = bare.iter().map(|rate| rounded(*rate)).collect();
    let detail = json!({ "qos": qos, "runs": runs, "baseline_runs": bare_runs, "each": details });
    Ok(Figure::new(best(&host), detail).against("bare client on the same flood", best(&bare)))
}

fn rounds(qos: u8) -> u64 {
    let [sustained, short] = ROUNDS;
    if qos == 0 { sustained } else { short }
}

/// Messages a second that a bare client reads.
fn bare_run(bench: &Workbench, qos: u8) -> anyhow::Result<f64> {
    let load = load(bench.clock.as_ref(), TWINS, rounds(qos), qos);
    let (messages, qos) = (load.messages, load.qos);
    let flood = Flood::start(load)?;
    let url = flood.url();
    let read = flood::read(&url, ProtocolVersion::V5, qos, "#", messages, bench.clock.as_ref());
    let limited = async { tokio::time::timeout(Duration::from_secs(60), read).await };
    let bare = tokio_runtime()?.block_on(limited)?.map_err(anyhow::Error::msg)?;
    Ok(messages as f64 / bare.took.as_secs_f64())
}

/// Samples a second that the house made durable.
fn host_run(bench: &Workbench, qos: u8) -> anyhow::Result<(f64, Verdict)> {
    let load = load(bench.clock.as_ref(), TWINS, rounds(qos), qos);
    let pace = Arc::new(Pace::unlimited(Arc::clone(&bench.clock)));
    let flood = Flood::start_paced(load.clone(), Some(Arc::clone(&pace)))?;
    let counts = flood.counts();
    let trial = Trial::start(bench, &flood.url(), qos, None)?;
    let verdict = trial.finish(bench, &load)?;
    drop(flood);
    let begin = pace.at(0).context("the house never subscribed")?;
    anyhow::ensure!(counts.out_of_order() == 0, "{} acknowledgements out of order", counts.out_of_order());
    Ok((verdict.samples as f64 / (verdict.end - begin).as_secs_f64(), verdict))
}
