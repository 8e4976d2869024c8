//! A field that goes on: rounds of all eight sensors of some rigs, on a thread of its own, until it is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;

use super::field::Publisher;
use super::host::Host;
use super::question::PATIENCE;
use super::wait::wait_for;

/// Source time of the first round; each later one is a second after the one before.
pub const START_MS: u64 = 1_750_000_000_000;
/// Time between two rounds, so that samples flow before, during and after what a scenario does.
const PAUSE: Duration = Duration::from_millis(50);

/// The sensors as the field calls them.
const SENSORS: [&str; 8] = [
    "accelerometer1-rms",
    "accelerometer2-rms",
    "current",
    "pressure",
    "temperature",
    "thermocouple",
    "voltage",
    "volume-flow-rate-rms",
];

/// Publishes one round of one rig with QoS 1: `prefix` is its topic with a slash at the end.
///
/// # Errors
/// When the connection is lost.
pub fn publish_round(field: &mut Publisher, prefix: &str, round: u64) -> anyhow::Result<()> {
    let wave = (round as f64 / 40.0).sin();
    let values = [0.2, 0.27, 2.0 + 0.2 * wave, 0.2, 80.0 + 2.0 * wave, 26.0, 230.0, 120.0];
    let time = START_MS + round * 1_000;
    for (sensor, value) in SENSORS.iter().zip(values) {
        let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
        field.publish(&format!("{prefix}{sensor}"), payload.as_bytes(), 1)?;
    }
    Ok(())
}

/// Rigs that are fed in the background; stopped when dropped.
#[derive(Debug)]
pub struct Rounds {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Rounds {
    /// Feeds `rig/<twin>/…` of each of the twins.
    ///
    /// # Errors
    /// When the broker does not take the connection.
    pub fn start(port: u16, twins: &[&str]) -> anyhow::Result<Self> {
        let mut field = Publisher::connect(port, "rounds")?;
        let prefixes: Vec<String> = twins.iter().map(|twin| format!("rig/{twin}/")).collect();
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let round = count.load(Ordering::Relaxed);
                for prefix in &prefixes {
                    publish_round(&mut field, prefix, round)?;
                }
                field.flush()?;
                count.store(round + 1, Ordering::Relaxed);
                std::thread::sleep(PAUSE);
            }
            Ok(())
        });
        Ok(Self { stop, done, thread: Some(thread) })
    }

    /// Rounds that the broker has acknowledged.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Ends the feed and gives the number of rounds, all of them acknowledged.
    ///
    /// # Errors
    /// When the feed failed meanwhile.
    pub fn stop(mut self) -> anyhow::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("already stopped")?;
        thread.join().map_err(|_| anyhow::anyhow!("the feed panicked"))??;
        Ok(self.done())
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A scenario that ends early has its own error to tell.
            drop(thread.join());
        }
    }
}

/// Where the first rounds are missing, in words.
fn first_gap(found: &[(f64, Option<f64>)]) -> String {
    let rounds = found.iter().map(|(time, _)| (time - START_MS as f64) / 1_000.0);
    let gap = rounds.zip(0_u32..).find(|(round, expected)| *round != f64::from(*expected));
    gap.map_or_else(String::new, |(round, expected)| format!(", none from round {expected} to {round}"))
}

/// Waits until every one of `rounds` rounds of `twin` is in history once, measured and estimated, and until its
/// behavior `thermal` has stepped as many rows.
///
/// # Errors
/// When a sample is missing or there are too many.
pub fn whole(host: &Host, twin: &str, rounds: u64) -> anyhow::Result<()> {
    let range = (START_MS, START_MS + rounds * 1_000);
    for point in ["temperature", "flow", "thermal.winding_temperature"] {
        let found = wait_for(&format!("{rounds} rounds of {twin} {point}"), PATIENCE, || {
            let found = host.stored(twin, point, range, 1_000)?;
            match found.len() as u64 {
                count if count >= rounds => Ok(Some(found)),
                count => anyhow::bail!("{count} are there{}", first_gap(&found)),
            }
        })?;
        let times = found.iter().map(|(time, _)| *time);
        let expected = (0..rounds).map(|round| (START_MS + round * 1_000) as f64);
        anyhow::ensure!(times.eq(expected), "{twin} {point}: not each round once");
        let empty = found.iter().filter(|(_, value)| value.is_none()).count();
        anyhow::ensure!(empty == 0, "{twin} {point}: {empty} of {rounds} have no number");
    }
    let rows = host.behavior(twin, "thermal")?["rows"].as_u64();
    anyhow::ensure!(rows == Some(rounds), "{twin}: {rows:?} rows of {rounds}");
    Ok(())
}
