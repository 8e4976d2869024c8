//! `pipeline.latency`: from the moment at which a row's last sample is due to the moment at which the estimate of
//! that row was read over HTTP, at half of what `pipeline.host` takes.
//!
//! Due, not sent: when the house holds the source up, the wait counts. Twins are asked in the order in which their
//! rows are due; one that is late makes those behind it late too, as it would for a page.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_ingest::flood::{Flood, Pace};
use serde_json::{Value, json};

use super::figure::rounded;
use super::http::Client;
use super::site::{POINTS, TWINS, load, time_of, twin_id};
use super::trial::Trial;
use super::{Figure, Workbench, flooded, quantile};

/// How long each load lasts.
const SPAN: Duration = Duration::from_secs(12);
/// What is left out at the beginning.
const WARM_UP: Duration = Duration::from_secs(2);
/// A load that does not depend on what else was measured, in samples a second: half of the house's target.
const FIXED_LOAD: f64 = 200_000.0;
/// Twins that are asked, evenly over the fleet.
const ASKED: u32 = 8;
/// A row that is not readable after so long is lost.
const LATE_MAX: Duration = Duration::from_secs(10);
/// Rows that make a p99.
const ROWS_MIN: usize = 400;

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    if bench.load.get().is_none() {
        eprintln!("  measuring pipeline.host first: this load is half of it");
        flooded::measure(bench, 0)?;
    }
    let half = bench.load.get().context("pipeline.host was not measured")? / 2.0;
    let (p99, at_half) = run(bench, half)?;
    let (_, at_fixed) = run(bench, FIXED_LOAD)?;
    Ok(Figure::new(p99, json!({ "at_half_of_pipeline_host": at_half, "at_200k": at_fixed })))
}

/// The p99 in milliseconds, and everything else.
fn run(bench: &Workbench, rate: f64) -> anyhow::Result<(f64, Value)> {
    let topics = u64::from(TWINS) * POINTS.len() as u64;
    let rounds = (rate * SPAN.as_secs_f64() / topics as f64) as u64;
    let load = load(bench.clock.as_ref(), TWINS, rounds, 0);
    let pace = Arc::new(Pace::new(rate, Arc::clone(&bench.clock)));
    let flood = Flood::start_paced(load.clone(), Some(Arc::clone(&pace)))?;
    let trial = Trial::start(bench, &flood.url(), 0, None)?;
    let mut client = Client::connect(trial.address()?)?;
    let (mut rows, mut gets) = (Vec::new(), 0);
    for round in 0..rounds {
        for asked in 0..ASKED {
            let twin = asked * TWINS / ASKED;
            let last = round * topics + (u64::from(twin) + 1) * POINTS.len() as u64 - 1;
            let (due, woken) = wait_until_due(bench, &pace, last)?;
            let wanted = geminus_api::view::Time(time_of(&load, round)).to_string();
            let path = format!("/api/v1/twins/{}", twin_id(twin));
            loop {
                let readable = estimate_time(client.get(&path)?)?.is_some_and(|time| time >= wanted);
                gets += 1;
                let late = bench.clock.monotonic().saturating_sub(due);
                if readable {
                    rows.push(Seen { due, woken, late });
                    break;
                }
                ensure!(late < LATE_MAX, "the estimate of {} at {wanted} is not readable", twin_id(twin));
            }
        }
    }
    let verdict = trial.finish(bench, &load)?;
    rows.retain(|seen| pace.at(0).is_some_and(|begin| seen.due >= begin + WARM_UP));
    ensure!(rows.len() >= ROWS_MIN, "only {} rows were seen: too few for a p99", rows.len());
    let late = sorted(rows.iter().map(|seen| seen.late));
    let woken = sorted(rows.iter().filter_map(|seen| seen.woken));
    let of = |share: f64| rounded(quantile(&late, share));
    let detail = json!({
        "samples_per_s": rounded(rate), "rows_seen": rows.len(), "gets": gets,
        "p50_ms": of(0.5), "p90_ms": of(0.9), "p99_ms": of(0.99), "p99_9_ms": of(0.999), "max_ms": of(1.0),
        "woken_late_p99_ms": rounded(quantile(&woken, 0.99)), "run": verdict.detail,
    });
    Ok((quantile(&late, 0.99), detail))
}

/// One row that was waited for.
struct Seen {
    due: Duration,
    /// How late the kernel woke the waiting reader, who then had not asked yet: what this machine adds by itself.
    woken: Option<Duration>,
    late: Duration,
}

/// In milliseconds.
fn sorted(spans: impl Iterator<Item = Duration>) -> Vec<f64> {
    let mut spans: Vec<f64> = spans.map(|span| span.as_secs_f64() * 1e3).collect();
    spans.sort_unstable_by(f64::total_cmp);
    spans
}

/// When a message is due, and how late this returned if it had to wait for that.
fn wait_until_due(
    bench: &Workbench,
    pace: &Pace,
    message: u64,
) -> anyhow::Result<(Duration, Option<Duration>)> {
    let start = bench.clock.monotonic();
    loop {
        let now = bench.clock.monotonic();
        match pace.at(message) {
            Some(due) if due <= now => return Ok((due, (start < due).then(|| now - due))),
            Some(due) => std::thread::park_timeout(due - now),
            None => {
                ensure!(now - start < LATE_MAX, "the host has not subscribed");
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
    }
}

/// Time of the newest estimate of the winding, as the page shows it: RFC 3339 with whole seconds here, so that texts
/// compare like times.
fn estimate_time(body: &[u8]) -> anyhow::Result<Option<String>> {
    let view: Value = serde_json::from_slice(body)?;
    let estimated = view.get("estimated").and_then(Value::as_array).context("a twin without estimates")?;
    let winding = estimated
        .iter()
        .find(|point| point.get("name").and_then(Value::as_str) == Some("thermal.winding_temperature"));
    let winding = winding.context("a twin without a winding temperature")?;
    Ok(winding.get("time").and_then(Value::as_str).map(str::to_owned))
}
