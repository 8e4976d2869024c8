//! `geminus bench`: the figures the house steers by, measured on this machine in this run, each beside the baseline
//! that makes it comparable.
//!
//! One file a figure. Everything is measured over loopback and in temporary folders, in bounded time, and every
//! process that was started is ended. A figure that could not be measured says why and has no value.

mod append;
mod broker;
mod brokered;
mod commanded;
mod contain;
mod dedicated;
mod figure;
mod first;
mod fleet;
mod flooded;
mod http;
mod interlock;
mod latency;
mod memory;
mod models;
mod mqtt;
mod nodes;
mod obedient;
mod plugins;
mod processor;
mod publisher;
mod reload;
mod replay;
mod shadow;
mod site;
mod step;
mod swap;
mod trial;
mod write;
mod written;

use std::cell::Cell;
use std::sync::Arc;

use anyhow::ensure;
use bench_models::Kind;
use geminus_core::{Clock, SystemClock};

pub(crate) use figure::Figure;
pub(crate) use memory::Probe;
use plugins::Plugins;
use processor::Machine;
pub(crate) use reload::Reloads;

/// What measurements share.
#[derive(Debug)]
pub(crate) struct Workbench {
    clock: Arc<dyn Clock>,
    plugins: Plugins,
    /// Samples a second that `pipeline.host` took, once it was measured.
    load: Cell<Option<f64>>,
}

/// A figure's name, its unit, and what measures it.
type Measurement = (&'static str, &'static str, fn(&Workbench) -> anyhow::Result<Figure>);

/// In the order in which they are measured.
const MEASUREMENTS: &[Measurement] = &[
    ("behavior.step.batch_1", "ns/row", |bench| step::measure(bench, 1)),
    ("behavior.step.batch_16", "ns/row", |bench| step::measure(bench, 16)),
    ("behavior.step.batch_1024", "ns/row", |bench| step::measure(bench, 1_024)),
    ("models.kalman", "us/step", |bench| models::measure(bench, Kind::Kalman)),
    ("models.ekf", "us/step", |bench| models::measure(bench, Kind::Extended)),
    ("models.ukf", "us/step", |bench| models::measure(bench, Kind::Unscented)),
    ("models.particle", "us/step", |bench| models::measure(bench, Kind::Particle)),
    ("models.gp", "us/step", |bench| models::measure(bench, Kind::GaussianProcess)),
    ("models.neural_ode", "us/step", |bench| models::measure(bench, Kind::NeuralOde)),
    ("models.onnx_lstm", "us/step", |bench| models::measure(bench, Kind::Lstm)),
    ("models.mpc", "us/step", |bench| models::measure(bench, Kind::Mpc)),
    ("models.fleet", "% of core", models::fleet),
    ("interlock.check", "ns/check", interlock::measure),
    ("store.write", "points/s", write::measure),
    ("journal.append.single", "entries/s", |bench| append::measure(bench, 1)),
    ("journal.append.grouped", "entries/s", |bench| append::measure(bench, append::CALLERS)),
    ("start.first_estimate", "ms", first::measure),
    ("cohort.memory.10k", "B/twin", |bench| memory::measure(bench, 10_000)),
    ("cohort.memory.100k", "B/twin", |bench| memory::measure(bench, 100_000)),
    ("pipeline.mqtt_qos0", "samples/s", |bench| brokered::measure(bench, 0)),
    ("pipeline.mqtt_qos1", "samples/s", |bench| brokered::measure(bench, 1)),
    ("pipeline.host", "samples/s", |bench| flooded::measure(bench, 0)),
    ("pipeline.host_qos1", "samples/s", |bench| flooded::measure(bench, 1)),
    ("pipeline.latency", "ms", latency::measure),
    ("opcua.ingest", "values/s", nodes::measure),
    ("command.round_trip", "ms", commanded::measure),
    ("command.round_trip_opcua", "ms", written::measure),
    ("swap.twins_10000", "ms", swap::measure),
    ("shadow.overhead", "ns/row", shadow::measure),
    ("contain.neighbours", "ms", contain::measure),
    ("replay.rate", "rows/s", replay::measure),
    ("instances.dedicated_10000", "B/twin", dedicated::measure),
    ("reload.10000", "B/reload", reload::measure),
];

/// Measures what `only` begins (everything, unless given) and hands each figure to `show` as soon as it is there.
///
/// # Errors
/// When no figure has that name, or some could not be measured.
pub(crate) fn run(only: Option<&str>, mut show: impl FnMut(&Figure)) -> anyhow::Result<()> {
    let workbench =
        Workbench { clock: Arc::new(SystemClock::new()), plugins: Plugins::default(), load: Cell::new(None) };
    let wanted = |name: &str| only.is_none_or(|start| name.starts_with(start));
    let mut failed = Vec::new();
    let mut measured = 0;
    for &(name, unit, measure) in MEASUREMENTS.iter().filter(|(name, ..)| wanted(name)) {
        eprintln!("measuring {name}");
        let (start, machine) = (workbench.clock.monotonic(), Machine::now());
        let mut figure = measure(&workbench).unwrap_or_else(|error| {
            failed.push(name);
            Figure::failed(&error)
        });
        let took = workbench.clock.monotonic().saturating_sub(start);
        let others = machine.zip(Machine::now()).map(|(before, after)| after.others_since(&before));
        figure.name(name, unit, took, others);
        show(&figure);
        measured += 1;
    }
    let names = || MEASUREMENTS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
    ensure!(measured > 0, "no figure begins with {}; there are {}", only.unwrap_or_default(), names());
    ensure!(failed.is_empty(), "could not be measured: {}", failed.join(", "));
    Ok(())
}

/// The middle one; NaN of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which this share of all lies, which must be in order; NaN of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middles_and_quantiles() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        for (share, expect) in [(0.5, 50.0), (0.99, 99.0), (0.999, 100.0), (1.0, 100.0), (0.0, 1.0)] {
            assert_eq!(quantile(&hundred, share), expect);
        }
    }

    #[test]
    fn a_name_that_no_figure_has_is_refused_with_those_there_are() {
        let error = run(Some("pipelin.host"), |_| ()).expect_err("unknown").to_string();
        assert!(error.contains("pipeline.host_qos1"), "{error}");
    }
}
