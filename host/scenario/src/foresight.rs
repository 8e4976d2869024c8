//! A forecast: what is asked of a behavior that looks ahead by itself, and its answer with an interval.

use std::collections::BTreeMap;

use geminus_core::{Declaration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::limits::{SPAN_S_MAX, THRESHOLDS_MAX, TIMES_MAX};
use crate::scenario::InputChange;
use crate::threshold::Threshold;
use crate::trajectory::value_at;

/// What will be?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForecastAsk {
    /// Which behavior of the twin; may be left out where only one forecasts.
    #[serde(default)]
    pub behavior: Option<String>,
    /// How far ahead, in seconds.
    pub horizon_s: f64,
    /// At how many times, evenly spread; 60 unless given.
    #[serde(default = "times")]
    pub times: u32,
    /// Assumed inputs; without, the behavior assumes that the last value holds. Only `points` and `between` count here.
    #[serde(default)]
    pub inputs: BTreeMap<String, InputChange>,
    /// Limits of outputs, of which is told when they are reached.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    /// How much of what is likely lies between low and high; 0.95 unless given.
    #[serde(default = "confidence")]
    pub confidence: f64,
}

fn times() -> u32 {
    60
}

fn confidence() -> f64 {
    0.95
}

/// The answer to a forecast. Times are seconds after the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ForecastReport {
    /// Id of the twin.
    pub twin: String,
    /// Name of the behavior.
    pub behavior: String,
    /// `name@version` of the plugin that answered.
    pub plugin: String,
    /// Digest of its component.
    pub digest: String,
    /// Time of the last row that it has seen, RFC 3339.
    pub start: String,
    /// How much of what is likely lies between low and high.
    pub confidence: f64,
    /// The times that were looked at.
    pub at_s: Vec<f64>,
    /// Outputs of which the behavior foresees anything.
    pub outputs: Vec<Foreseen>,
    /// When thresholds are reached, in the order asked.
    pub thresholds: Vec<TimeTo>,
}

/// An output ahead.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Foreseen {
    /// Declared name.
    pub name: String,
    /// UCUM code.
    pub unit: String,
    /// What is expected at each time.
    pub mean: Vec<Option<f64>>,
    /// Standard deviations (1 σ); none where the behavior does not know.
    pub deviation: Vec<Option<f64>>,
    /// Lower end of the interval; none where the deviation is not known.
    pub low: Vec<Option<f64>>,
    /// Upper end.
    pub high: Vec<Option<f64>>,
}

/// The time to a threshold, of the first of the times looked at that is beyond it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimeTo {
    /// Of which output.
    pub output: String,
    /// As asked.
    pub above: Option<f64>,
    /// As asked.
    pub below: Option<f64>,
    /// When the mean is beyond; none when it is not within the horizon.
    pub at_s: Option<f64>,
    /// When the end of the interval that comes first is beyond.
    pub earliest_s: Option<f64>,
    /// When the whole interval is beyond.
    pub latest_s: Option<f64>,
}

impl ForecastAsk {
    /// Looks ahead so far with nothing assumed.
    #[must_use]
    pub fn ahead(horizon_s: f64) -> Self {
        Self {
            behavior: None,
            horizon_s,
            times: times(),
            inputs: BTreeMap::new(),
            thresholds: Vec::new(),
            confidence: confidence(),
        }
    }

    /// What in it cannot be, or does not fit a behavior that declares this.
    #[must_use]
    pub fn misfits(&self, declaration: &Declaration) -> Vec<String> {
        let mut wrong = Vec::new();
        if !(1e-3..=SPAN_S_MAX).contains(&self.horizon_s) {
            wrong.push(format!("horizon_s must be from a millisecond to {SPAN_S_MAX} s"));
        }
        if self.times == 0 || self.times > TIMES_MAX {
            wrong.push(format!("times is {}, 1 to {TIMES_MAX} are allowed", self.times));
        }
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            wrong.push("confidence must be between 0 and 1".to_owned());
        }
        if self.thresholds.len() > THRESHOLDS_MAX {
            wrong.push(format!("{} thresholds, {THRESHOLDS_MAX} are allowed", self.thresholds.len()));
        }
        wrong.extend(self.thresholds.iter().filter_map(|threshold| threshold.misfit(declaration)));
        for (name, change) in &self.inputs {
            let known = declaration.inputs.iter().any(|input| input.name == *name);
            if !known {
                wrong.push(format!("{} has no input {name}", declaration.label()));
            } else if (change.scale, change.add) != (1.0, 0.0) {
                wrong.push(format!("input {name}: a forecast takes points, not scale and add"));
            } else if let Some(why) = change.misfit() {
                wrong.push(format!("input {name} {why}"));
            }
        }
        wrong
    }

    /// The times to look at, after the last row.
    #[must_use]
    pub fn times(&self, start: Timestamp) -> Vec<Timestamp> {
        // Equal to the nanosecond: a model that is made for an interval is then made once.
        let step_ns = ((self.horizon_s * 1e9 / f64::from(self.times.max(1))).round() as u64).max(1);
        let ahead = (1..=u64::from(self.times)).map(|number| step_ns.saturating_mul(number));
        ahead.map(|ahead| Timestamp(start.0.saturating_add(ahead))).collect()
    }

    /// The assumed inputs at these times, row-major; NaN where the last value holds.
    #[must_use]
    pub fn values(&self, declaration: &Declaration, start: Timestamp, times: &[Timestamp]) -> Vec<f64> {
        let cells = times.iter().flat_map(|time| {
            let at_s = crate::warp::seconds(start, *time);
            declaration.inputs.iter().map(move |input| {
                let change = self.inputs.get(&input.name);
                change.and_then(|it| value_at(&it.points, it.between, at_s)).unwrap_or(f64::NAN)
            })
        });
        cells.collect()
    }

    /// The answer made of means and standard deviations, both times × outputs.
    #[must_use]
    pub fn report(
        &self,
        declaration: &Declaration,
        start: Timestamp,
        times: &[Timestamp],
        (mean, deviation): (&[f64], &[f64]),
    ) -> ForecastReport {
        let factor = factor(self.confidence);
        let width = declaration.outputs.len();
        let number = |column: &[f64], at: usize| column.get(at).copied().filter(|value| value.is_finite());
        let all: Vec<Foreseen> = declaration
            .outputs
            .iter()
            .enumerate()
            .map(|(place, output)| {
                let mut seen =
                    Foreseen { name: output.name.clone(), unit: output.unit.clone(), ..Foreseen::default() };
                for at in (0..times.len()).map(|time| time * width + place) {
                    let mean = number(mean, at);
                    let deviation = number(deviation, at).filter(|deviation| *deviation >= 0.0);
                    let reach = deviation.map(|deviation| deviation * factor);
                    seen.mean.push(mean);
                    seen.deviation.push(deviation.filter(|_| mean.is_some()));
                    seen.low.push(mean.zip(reach).map(|(mean, reach)| mean - reach));
                    seen.high.push(mean.zip(reach).map(|(mean, reach)| mean + reach));
                }
                seen
            })
            .collect();
        let at_s: Vec<f64> = times.iter().map(|time| crate::warp::seconds(start, *time)).collect();
        let time_to = |threshold: &Threshold| {
            let seen = all.iter().find(|seen| seen.name == threshold.output);
            let first = |column: Option<&Vec<Option<f64>>>| {
                let mut cells = at_s.iter().zip(column?);
                let beyond = |cell: Option<f64>| cell.is_some_and(|value| threshold.is_beyond(value));
                cells.find(|(_, cell)| beyond(**cell)).map(|(at_s, _)| *at_s)
            };
            let (low, high) = (first(seen.map(|it| &it.low)), first(seen.map(|it| &it.high)));
            let rises = threshold.above.is_some();
            let (earliest_s, latest_s) = if rises { (high, low) } else { (low, high) };
            let (output, above, below) = (threshold.output.clone(), threshold.above, threshold.below);
            TimeTo { output, above, below, at_s: first(seen.map(|it| &it.mean)), earliest_s, latest_s }
        };
        let thresholds = self.thresholds.iter().map(time_to).collect();
        let outputs = all.iter().filter(|seen| seen.mean.iter().any(Option::is_some)).cloned().collect();
        ForecastReport { confidence: self.confidence, at_s, outputs, thresholds, ..ForecastReport::default() }
    }
}

/// Standard deviations to each side within which that share of a normal distribution lies.
fn factor(confidence: f64) -> f64 {
    let normal = Normal::standard();
    normal.inverse_cdf(0.5 + confidence / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warp::tests::declaration;

    const START: Timestamp = Timestamp(5_000_000_000);

    fn ask(text: &str) -> ForecastAsk {
        toml::from_str(text).expect("ask")
    }

    #[test]
    fn an_ask_has_times_and_assumed_inputs() {
        let ask = ask("horizon_s = 2\ntimes = 4\n[inputs.load]\npoints = [[1, 3.0]]\n");
        assert_eq!(ask.misfits(&declaration()), Vec::<String>::new());
        let times = ask.times(START);
        let seconds: Vec<f64> = times.iter().map(|time| (time.0 - START.0) as f64 / 1e9).collect();
        assert_eq!(seconds, [0.5, 1.0, 1.5, 2.0]);
        let values = ask.values(&declaration(), START, &times);
        assert!(values[0].is_nan() && values.iter().skip(1).step_by(2).all(|level| level.is_nan()));
        assert_eq!((values[2], values[4], values[6]), (3.0, 3.0, 3.0));
    }

    #[test]
    fn an_answer_has_intervals_and_times_to_thresholds() {
        let ask = ask("horizon_s = 3\ntimes = 3\n[[thresholds]]\noutput = \"heat\"\nabove = 2.0\n\
                       [[thresholds]]\noutput = \"heat\"\nbelow = 1.0\n[[thresholds]]\noutput = \"rate\"\nabove = 0\n");
        let times = ask.times(START);
        let nan = f64::NAN;
        let mean = [1.0, nan, 2.0, nan, 3.0, nan];
        let deviation = [0.5, 1.0, 0.75, nan, nan, nan];
        let report = ask.report(&declaration(), START, &times, (&mean, &deviation));
        assert_eq!((report.at_s, report.outputs.len()), (vec![1.0, 2.0, 3.0], 1));
        let heat = &report.outputs[0];
        assert_eq!(heat.mean, [Some(1.0), Some(2.0), Some(3.0)]);
        assert_eq!(heat.deviation, [Some(0.5), Some(0.75), None]);
        assert!((heat.high[0].expect("high") - (1.0 + 0.5 * 1.959_963_984_540_054)).abs() < 1e-9);
        assert_eq!(heat.low[2], None);
        let to = |at: usize| {
            let it = &report.thresholds[at];
            (it.at_s, it.earliest_s, it.latest_s)
        };
        assert_eq!(to(0), (Some(2.0), Some(2.0), None), "the interval ends where nothing is known of it");
        assert_eq!(to(1), (Some(1.0), Some(1.0), None));
        assert_eq!(to(2), (None, None, None));
    }

    #[test]
    fn what_cannot_be_asked_is_named() {
        let check = |text: &str, expect: &str| {
            let found = ask(text).misfits(&declaration()).join("; ");
            assert!(found.contains(expect) && !found.is_empty(), "{found}, not {expect}");
        };
        check("horizon_s = 0", "from a millisecond");
        check("horizon_s = nan", "from a millisecond");
        check("horizon_s = 1e9", "from a millisecond");
        check("horizon_s = 1\ntimes = 0", "times is 0");
        check("horizon_s = 1\ntimes = 1001", "1 to 1000");
        check("horizon_s = 1\nconfidence = 1", "between 0 and 1");
        check("horizon_s = 1\n[inputs.x]", "no input x");
        check("horizon_s = 1\n[inputs.load]\nadd = 1", "not scale and add");
        check("horizon_s = 1\n[inputs.load]\npoints = [[2, 1], [1, 1]]", "do not increase");
        check("horizon_s = 1\n[[thresholds]]\noutput = \"x\"\nabove = 1", "no output x");
        let many = "[[thresholds]]\noutput = \"heat\"\nabove = 1\n".repeat(THRESHOLDS_MAX + 1);
        check(&format!("horizon_s = 1\n{many}"), "33 thresholds");
    }
}
