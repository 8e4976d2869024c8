//! What scenarios ask a running host: its journal, its metrics, the history of a point, a behavior of a twin.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::host::Host;
use super::http::asking;
use super::wait::wait_for;

/// How long anything may take to show, on a machine that does something else besides.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Raw points that one answer about history holds at most.
const RAW_POINTS_MAX: u64 = 10_000;

impl Host {
    /// The newest thousand entries of the journal, newest first.
    ///
    /// # Errors
    /// When the host does not answer.
    pub fn journal(&self) -> anyhow::Result<Vec<Value>> {
        Ok(self.get("/journal?limit=1000")?["entries"].as_array().cloned().unwrap_or_default())
    }

    /// Waits for an entry of this kind that `wish` accepts, and gives it.
    ///
    /// # Errors
    /// When none comes; the message shows the entries that there are.
    pub fn entry(&self, kind: &str, wish: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let found = wait_for(&format!("a journal entry {kind}"), PATIENCE, || {
            Ok(self.journal()?.into_iter().find(|entry| entry["kind"] == kind && wish(entry)))
        });
        found.with_context(|| match self.journal() {
            Ok(entries) => entries.iter().map(|e| format!("\n  {}: {}", e["kind"], e["message"])).collect(),
            Err(error) => error.to_string(),
        })
    }

    /// A sample of `/metrics`, by its name and labels as they stand there; `None` when it has none.
    ///
    /// # Errors
    /// When the host does not answer or the value is no number.
    pub fn metric(&self, sample: &str) -> anyhow::Result<Option<f64>> {
        let text = asking().get(self.url("/metrics")).call()?.body_mut().read_to_string()?;
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map(|value| value.parse().with_context(|| format!("{sample} {value}"))).transpose()
    }

    /// History of a point in [from, to) ms since 1970, as stored: time in ms, value (`None`: no number).
    /// `step_ms` is the time between two samples, so that no answer is thinned.
    ///
    /// # Errors
    /// When an answer is thinned all the same.
    pub fn stored(
        &self,
        twin: &str,
        point: &str,
        (from, to): (u64, u64),
        step_ms: u64,
    ) -> anyhow::Result<Vec<(f64, Option<f64>)>> {
        let (mut found, mut at) = (Vec::new(), from);
        while at < to {
            let end = (at + step_ms * RAW_POINTS_MAX / 2).min(to);
            let path = format!("/twins/{twin}/history?points={point}&from={at}&to={end}&buckets=10000");
            let answer = self.get(&path)?;
            let series = &answer["series"][0];
            anyhow::ensure!(series["decimated"] == false, "{path} is thinned");
            let times = series["times_ms"].as_array().context("times")?;
            let values = series["values"].as_array().context("values")?;
            let times = times.iter().map(|time| time.as_f64().unwrap_or(f64::NAN));
            found.extend(times.zip(values.iter().map(Value::as_f64)));
            at = end;
        }
        Ok(found)
    }

    /// A behavior of a twin, as the page sees it.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn behavior(&self, twin: &str, name: &str) -> anyhow::Result<Value> {
        let answer = self.get(&format!("/twins/{twin}"))?;
        let behaviors = answer["behaviors"].as_array().cloned().unwrap_or_default();
        let found = behaviors.into_iter().find(|behavior| behavior["name"] == name);
        found.with_context(|| format!("{twin} has no behavior {name}: {answer}"))
    }

    /// A measured or estimated point of a twin, as the page sees it.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn point(&self, twin: &str, name: &str) -> anyhow::Result<Value> {
        let answer = self.get(&format!("/twins/{twin}"))?;
        let all = ["measured", "estimated"].into_iter().filter_map(|part| answer[part].as_array());
        let found = all.flatten().find(|point| point["name"] == name).cloned();
        found.with_context(|| format!("{twin} has no point {name}"))
    }
}
