//! `geminus forecast`: what a behavior foresees of a twin, asked of the running host.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use geminus_scenario::{ForecastAsk, ForecastReport, Foreseen, InputChange, Threshold, TimeTo};

use super::alarm::escaped;
use super::rollout::Answer;
use super::span;

/// Entries of each output that are printed.
const SHOWN_MAX: usize = 12;

#[derive(Debug, Args)]
pub(crate) struct Forecast {
    /// Id of the twin.
    twin: String,
    /// How far ahead, for example 30m or 2h.
    #[arg(long, value_parser = span::parse)]
    horizon: Duration,
    /// Name of the behavior; may be left out where only one forecasts.
    #[arg(long)]
    behavior: Option<String>,
    /// At how many times, evenly spread.
    #[arg(long, default_value_t = 60)]
    times: u32,
    /// An assumed input, in the declared unit, throughout; without, the last value holds.
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = assigned)]
    inputs: Vec<(String, f64)>,
    /// Asks when an output is at this value or more.
    #[arg(long, value_name = "OUTPUT=VALUE", value_parser = assigned)]
    above: Vec<(String, f64)>,
    /// Asks when an output is at this value or less.
    #[arg(long, value_name = "OUTPUT=VALUE", value_parser = assigned)]
    below: Vec<(String, f64)>,
    /// How much of what is likely lies between low and high.
    #[arg(long, default_value_t = 0.95)]
    confidence: f64,
    #[command(flatten)]
    answer: Answer,
}

/// `name=number`
pub(super) fn assigned(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?}: write NAME=VALUE"))?;
    let value: f64 = value.parse().map_err(|_| format!("{value:?} is no number"))?;
    match value.is_finite() && !name.is_empty() {
        true => Ok((name.to_owned(), value)),
        false => Err(format!("{text:?}: write NAME=VALUE")),
    }
}

/// Thresholds as they are typed.
pub(super) fn thresholds(above: &[(String, f64)], below: &[(String, f64)]) -> Vec<Threshold> {
    let above = above.iter().map(|(output, value)| (output, Some(*value), None));
    let below = below.iter().map(|(output, value)| (output, None, Some(*value)));
    let each = above.chain(below);
    each.map(|(output, above, below)| Threshold { output: output.clone(), above, below }).collect()
}

pub(crate) fn run(forecast: &Forecast) -> anyhow::Result<()> {
    let path = format!("/api/v1/twins/{}/forecast", escaped(&forecast.twin));
    let report: ForecastReport = forecast.answer.door.host()?.ask(&path, &forecast.ask())?;
    let mut out = std::io::stdout().lock();
    match print(forecast, &report, &mut out) {
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if super::rollout::is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn print(forecast: &Forecast, report: &ForecastReport, out: &mut impl Write) -> anyhow::Result<()> {
    forecast.answer.print(out, report, text)
}

impl Forecast {
    fn ask(&self) -> ForecastAsk {
        let change = |(name, value): &(String, f64)| (name.clone(), InputChange::constant(*value));
        ForecastAsk {
            behavior: self.behavior.clone(),
            times: self.times,
            inputs: self.inputs.iter().map(change).collect(),
            thresholds: thresholds(&self.above, &self.below),
            confidence: self.confidence,
            ..ForecastAsk::ahead(self.horizon.as_secs_f64())
        }
    }
}

fn text(report: &ForecastReport) -> String {
    let ForecastReport { twin, behavior, plugin, start, confidence, .. } = report;
    let mut text = format!(
        "{behavior} of {twin} ({plugin}) from {start}; intervals hold {} % of what is likely\n",
        confidence * 100.0
    );
    for seen in &report.outputs {
        text.push_str(&format!("{} [{}]\n", seen.name, seen.unit));
        let stride = report.at_s.len().div_ceil(SHOWN_MAX).max(1);
        let places = (0..report.at_s.len()).filter(|at| (at + 1).is_multiple_of(stride));
        text.extend(places.map(|at| line(report, seen, at)));
    }
    text.extend(report.thresholds.iter().map(time_to));
    text
}

fn line(report: &ForecastReport, seen: &Foreseen, at: usize) -> String {
    let cell = |column: &[Option<f64>]| number(column.get(at).copied().flatten());
    let at_s = number(report.at_s.get(at).copied());
    format!("  +{at_s:>9} s  {:>12}  {:>12} … {}\n", cell(&seen.mean), cell(&seen.low), cell(&seen.high))
}

fn time_to(found: &TimeTo) -> String {
    let limit = limit(&found.output, found.above, found.below);
    let when = |at_s: Option<f64>| {
        at_s.map_or("not within the horizon".to_owned(), |at_s| format!("+{} s", number(Some(at_s))))
    };
    format!(
        "{limit}: {}; earliest {}, latest {}\n",
        when(found.at_s),
        when(found.earliest_s),
        when(found.latest_s)
    )
}

/// A threshold in words.
pub(super) fn limit(output: &str, above: Option<f64>, below: Option<f64>) -> String {
    match (above, below) {
        (Some(above), _) => format!("{output} at {above} or more"),
        (None, Some(below)) => format!("{output} at {below} or less"),
        (None, None) => output.to_owned(),
    }
}

/// Short for people; `-` where there is none.
pub(super) fn number(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value == 0.0 || (1e-3..1e7).contains(&value.abs()) => {
            let text = format!("{value:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Some(value) => format!("{value:.4e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_a_name_and_a_number() {
        assert_eq!(assigned("load=-1.5"), Ok(("load".to_owned(), -1.5)));
        for text in ["load", "load=", "=1", "load=x", "load=inf"] {
            assert!(assigned(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_short() {
        let check = |value, expect: &str| assert_eq!(number(value), expect);
        check(None, "-");
        check(Some(0.0), "0");
        check(Some(60.0), "60");
        check(Some(-1.23456), "-1.2346");
        check(Some(1e-9), "1.0000e-9");
        check(Some(2.5e9), "2.5000e9");
    }

    #[test]
    fn a_forecast_is_told_with_its_interval_and_times() {
        let report = ForecastReport {
            twin: "rig".to_owned(),
            behavior: "thermal".to_owned(),
            confidence: 0.9,
            at_s: vec![30.0, 60.0],
            outputs: vec![Foreseen {
                name: "winding".to_owned(),
                unit: "Cel".to_owned(),
                mean: vec![Some(80.0), Some(90.5)],
                low: vec![Some(79.0), None],
                high: vec![Some(81.0), None],
                deviation: vec![Some(0.5), None],
            }],
            thresholds: vec![TimeTo {
                output: "winding".to_owned(),
                above: Some(90.0),
                at_s: Some(60.0),
                earliest_s: Some(30.0),
                ..TimeTo::default()
            }],
            ..ForecastReport::default()
        };
        let text = text(&report);
        for part in [
            "thermal of rig",
            "90 % of what is likely",
            "winding [Cel]\n  +       30 s            80            79 … 81\n",
            "          90.5             - … -\n",
            "winding at 90 or more: +60 s; earliest +30 s, latest not within the horizon\n",
        ] {
            assert!(text.contains(part), "{text}\n  does not say\n{part}");
        }
    }
}
