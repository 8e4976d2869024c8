//! `start.first_estimate`: from the start of a process to the first estimate of a twin read over HTTP, with
//! components compiled before (the figure) and with none (the baseline).
//!
//! The process is this program's own `run`, its source a flood that publishes as soon as it is subscribed to.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_ingest::flood::Flood;
use serde_json::{Value, json};

use super::figure::rounded;
use super::http::{self, Client};
use super::site::{SiteFolder, load, twin_id};
use super::{Figure, Workbench, median};

/// Starts without compiled components.
const COLD_RUNS: usize = 3;
/// Starts with them.
const WARM_RUNS: usize = 5;
/// How long a process runs; it then stops in order by itself.
const RUNS_FOR: &str = "1500ms";
/// An estimate that takes longer is an error.
const FIRST_MAX: Duration = Duration::from_secs(10);

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    let (mut cold, mut warm, mut listening) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..COLD_RUNS {
        let site = Site::new(bench)?;
        cold.push(site.start(bench)?.estimate_ms);
    }
    let site = Site::new(bench)?;
    // Compiles.
    site.start(bench)?;
    for _ in 0..WARM_RUNS {
        let first = site.start(bench)?;
        warm.push(first.estimate_ms);
        listening.push(first.listening_ms);
    }
    let all = |runs: &[f64]| runs.iter().map(|run| rounded(*run)).collect::<Vec<_>>();
    let detail = json!({
        "cold_ms": all(&cold), "warm_ms": all(&warm), "warm_listening_ms": rounded(median(listening)), "twins": 1,
    });
    Ok(Figure::new(median(warm), detail).against("cold cache", median(cold)))
}

/// A site of one rig, and the flood in front of it.
struct Site {
    folder: SiteFolder,
}

/// Milliseconds since the process was started.
struct First {
    listening_ms: f64,
    estimate_ms: f64,
}

/// Ends the process, whatever happens.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None))
            && let Err(error) = self.0.kill().and_then(|()| self.0.wait())
        {
            eprintln!("a process was not ended: {error}");
        }
    }
}

impl Site {
    fn new(bench: &Workbench) -> anyhow::Result<Self> {
        Ok(Self { folder: SiteFolder::new(bench, "mqtt://{address}", 0, 1, None)? })
    }

    /// Runs the site once, with newer samples than the time before.
    fn start(&self, bench: &Workbench) -> anyhow::Result<First> {
        let mut load = load(bench.clock.as_ref(), 1, 20, 0);
        (load.start, load.step) = (bench.clock.now(), Duration::from_millis(1));
        let flood = Flood::start(load)?;
        let template = std::fs::read_to_string(self.folder.site())?;
        let site = self.folder.path().join("running.toml");
        std::fs::write(&site, template.replace("mqtt://{address}", &flood.url()))?;

        let begin = bench.clock.monotonic();
        let since = || (bench.clock.monotonic() - begin).as_secs_f64() * 1e3;
        let child = Command::new(std::env::current_exe()?)
            .args(["--log", "error", "run", "--for", RUNS_FOR])
            .arg(&site)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut child = Guard(child);
        let mut line = String::new();
        let stdout = child.0.stdout.take().context("the process has no output")?;
        let mut stdout = BufReader::new(stdout);
        stdout.read_line(&mut line)?;
        let listening_ms = since();
        let url = line.trim().rsplit(' ').next().unwrap_or_default();
        let mut client = Client::connect(http::address(url)?)?;
        while !has_estimate(client.get(&format!("/api/v1/twins/{}", twin_id(0)))?)? {
            ensure!(since() < FIRST_MAX.as_secs_f64() * 1e3, "no estimate in {FIRST_MAX:?}");
        }
        let estimate_ms = since();
        let status = child.0.wait()?;
        ensure!(status.success(), "the process ended with {status}");
        Ok(First { listening_ms, estimate_ms })
    }
}

fn has_estimate(body: &[u8]) -> anyhow::Result<bool> {
    let view: Value = serde_json::from_slice(body)?;
    let estimated = view.get("estimated").and_then(Value::as_array).context("a twin without estimates")?;
    let value = |point: &Value| point.get("value").is_some_and(Value::is_number);
    Ok(estimated.iter().any(|point| point.get("behavior") == Some(&json!("thermal")) && value(point)))
}
