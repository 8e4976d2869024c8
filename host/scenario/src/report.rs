//! What came of a study. A number that is not known is none, never NaN; times are seconds after the start.

use std::collections::BTreeMap;

use geminus_core::declaration::Priority;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to a study. Alerts and proposals in it were raised nowhere and sent nowhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StudyReport {
    /// Id of the twin.
    pub twin: String,
    /// Name of the behavior.
    pub behavior: String,
    /// `name@version` of the plugin that answered.
    pub plugin: String,
    /// Digest of its component.
    pub digest: String,
    /// Time of the row from which the fork goes on, RFC 3339.
    pub start: String,
    /// Rows of each run.
    pub rows: u64,
    /// Seconds after the start of the entries of each trajectory.
    pub at_s: Vec<f64>,
    /// What comes when nothing changes.
    pub baseline: Course,
    /// What comes in each scenario, in the order asked.
    pub scenarios: Vec<Course>,
    /// What comes in each draw; without trajectories.
    pub draws: Vec<Course>,
    /// The draws together, by output.
    pub spread: Vec<Spread>,
    /// What all of it has used: a measure of work that is the same everywhere.
    pub fuel: u64,
}

/// What came in one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Course {
    /// Name of the scenario.
    pub name: String,
    /// What was drawn for it; empty unless it is a draw.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drawn: BTreeMap<String, f64>,
    /// By declared output.
    pub outputs: Vec<OutputCourse>,
    /// Alerts that it would raise, by code.
    pub alerts: Vec<AlertCount>,
    /// What it would propose, by command.
    pub proposals: Vec<ProposalCount>,
    /// When thresholds are reached, in the order asked.
    pub crossings: Vec<Crossing>,
    /// Rows that were not answered.
    pub faults: u64,
    /// The first reason for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// One output in one run. Figures are of the rows in which it is a number that may be used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputCourse {
    /// Declared name.
    pub name: String,
    /// UCUM code.
    pub unit: String,
    /// Values at the times of the report; none where there is no number that may be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Option<f64>>,
    /// Lowest value.
    pub min: Option<f64>,
    /// When.
    pub min_s: Option<f64>,
    /// Highest value.
    pub max: Option<f64>,
    /// When.
    pub max_s: Option<f64>,
    /// Mean over the rows.
    pub mean: Option<f64>,
    /// Value of the last row.
    pub last: Option<f64>,
    /// How it differs from the baseline; none of the baseline itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

/// How an output differs from the baseline, row by row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Rows in which it is another number, to the last bit, or one where the baseline has none, or none where it has one.
    pub rows: u64,
    /// When it does so first.
    pub from_s: Option<f64>,
    /// The largest difference, run minus baseline.
    pub largest: Option<f64>,
    /// When.
    pub largest_s: Option<f64>,
    /// Difference in the last row, run minus baseline.
    pub last: Option<f64>,
}

/// An alert that would be raised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertCount {
    /// Declared code.
    pub code: String,
    /// Declared priority.
    pub priority: Priority,
    /// Rows that raise it.
    pub rows: u64,
    /// The first of them.
    pub first_s: f64,
    /// The last of them.
    pub last_s: f64,
    /// What tripped it first, in the declared unit.
    pub value: Option<f64>,
    /// What it said then.
    pub detail: String,
}

/// A command that would be proposed. It would have to pass the interlocks; here it goes nowhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProposalCount {
    /// Declared name.
    pub command: String,
    /// UCUM code.
    pub unit: String,
    /// Rows that propose it.
    pub rows: u64,
    /// The first of them.
    pub first_s: f64,
    /// The last of them.
    pub last_s: f64,
    /// What is proposed first.
    pub first: Option<f64>,
    /// What is proposed last.
    pub last: Option<f64>,
    /// The lowest value.
    pub min: Option<f64>,
    /// The highest value.
    pub max: Option<f64>,
    /// The first reason.
    pub reason: String,
}

/// When a threshold is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Crossing {
    /// Of which output.
    pub output: String,
    /// As asked.
    pub above: Option<f64>,
    /// As asked.
    pub below: Option<f64>,
    /// The first row beyond; none when there is none.
    pub at_s: Option<f64>,
}

/// An output over all draws: the values that 5, 50 and 95 % of them stay at or under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Declared name.
    pub output: String,
    /// UCUM code.
    pub unit: String,
    /// Of the last row.
    pub last: [Option<f64>; 3],
    /// Of the lowest value.
    pub min: [Option<f64>; 3],
    /// Of the highest value.
    pub max: [Option<f64>; 3],
}

impl Spread {
    /// Of each output of these draws.
    #[must_use]
    pub fn of(draws: &[Course]) -> Vec<Self> {
        let Some(first) = draws.first() else { return Vec::new() };
        let each = first.outputs.iter().enumerate().map(|(place, output)| {
            let of = |what: fn(&OutputCourse) -> Option<f64>| {
                let values = draws.iter().filter_map(|course| what(course.outputs.get(place)?));
                quantiles(values.collect())
            };
            let (name, unit) = (output.name.clone(), output.unit.clone());
            let (last, min, max) = (of(|it| it.last), of(|it| it.min), of(|it| it.max));
            Self { output: name, unit, last, min, max }
        });
        each.collect()
    }
}

/// The nearest ranks of 5, 50 and 95 %.
fn quantiles(mut values: Vec<f64>) -> [Option<f64>; 3] {
    values.sort_by(f64::total_cmp);
    [0.05, 0.5, 0.95].map(|share: f64| {
        let rank = (share * values.len() as f64).ceil() as usize;
        values.get(rank.max(1) - 1).copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_nearest_ranks() {
        assert_eq!(quantiles(vec![]), [None; 3]);
        assert_eq!(quantiles(vec![7.0]), [Some(7.0); 3]);
        let values = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantiles(values), [Some(5.0), Some(50.0), Some(95.0)]);
        let course = |last| Course {
            outputs: vec![OutputCourse { name: "heat".to_owned(), last, ..OutputCourse::default() }],
            ..Course::default()
        };
        let spread = Spread::of(&[course(Some(3.0)), course(None), course(Some(1.0))]);
        assert_eq!((spread[0].last, spread[0].max), ([Some(1.0), Some(1.0), Some(3.0)], [None; 3]));
    }
}
