//! One measured figure: as a line of JSON for machines, as a line of a table for people.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figure {
    name: &'static str,
    /// Null when it could not be measured; `detail.error` says why.
    value: Option<f64>,
    unit: &'static str,
    /// What it is held against in the same run.
    baseline: Option<f64>,
    baseline_name: Option<&'static str>,
    /// Value through baseline; of a rate that is held by how many times it is slower, baseline through value.
    ratio: Option<f64>,
    detail: Value,
}

impl Figure {
    /// A value by itself.
    pub(crate) fn new(value: f64, detail: Value) -> Self {
        Self { value: Some(value), detail, ..Self::default() }
    }

    /// A figure that could not be measured.
    pub(crate) fn failed(error: &anyhow::Error) -> Self {
        Self { detail: json!({ "error": format!("{error:#}") }), ..Self::default() }
    }

    /// Holds it against a baseline.
    pub(crate) fn against(mut self, name: &'static str, baseline: f64) -> Self {
        self.baseline = Some(baseline);
        self.baseline_name = Some(name);
        self.ratio = self.value.map(|value| value / baseline);
        self
    }

    /// Holds a rate against a faster one: the ratio says how many times slower it is.
    pub(crate) fn slower_than(self, name: &'static str, baseline: f64) -> Self {
        let mut figure = self.against(name, baseline);
        figure.ratio = figure.value.map(|value| baseline / value);
        figure
    }

    /// Names it and notes how long measuring took, and which part of the machine others used meanwhile.
    pub(crate) fn name(
        &mut self,
        name: &'static str,
        unit: &'static str,
        took: Duration,
        others: Option<f64>,
    ) {
        (self.name, self.unit) = (name, unit);
        if let Value::Object(detail) = &mut self.detail {
            detail.insert("measured_for_s".to_owned(), rounded(took.as_secs_f64()));
            if let Some(share) = others {
                detail.insert("machine_used_by_others".to_owned(), rounded(share));
            }
        }
    }

    /// The heading of the table.
    pub(crate) const HEADING: &str =
        "figure                              value  unit             baseline   ratio  held against";

    /// A line of the table.
    pub(crate) fn line(&self) -> String {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), spelt);
        let end = match (self.baseline_name, self.detail.get("error").and_then(Value::as_str)) {
            (_, Some(error)) => error,
            (Some(baseline), None) => baseline,
            (None, None) => "",
        };
        format!(
            "{:<28} {:>12}  {:<10} {:>14} {:>7}  {end}",
            self.name,
            number(self.value),
            self.unit,
            number(self.baseline),
            number(self.ratio),
        )
    }
}

/// Three digits behind the point, for details.
pub(crate) fn rounded(value: f64) -> Value {
    json!((value * 1e3).round() / 1e3)
}

/// Big numbers whole, small ones with the digits that count.
fn spelt(value: f64) -> String {
    match value {
        value if value.abs() >= 1_000.0 => format!("{value:.0}"),
        value if value.abs() >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_names_its_ratio_and_a_failure_its_reason() {
        let mut figure = Figure::new(150.0, json!({})).against("native", 100.0);
        figure.name("behavior.step", "ns/row", Duration::from_millis(1_500), Some(0.125));
        let line = serde_json::to_value(&figure).expect("json");
        let expect = json!({
            "name": "behavior.step", "value": 150.0, "unit": "ns/row", "baseline": 100.0, "baseline_name": "native",
            "ratio": 1.5, "detail": { "measured_for_s": 1.5, "machine_used_by_others": 0.125 }
        });
        assert_eq!(line, expect);

        let rate = Figure::new(50.0, json!({})).slower_than("native", 75.0);
        let line = serde_json::to_value(&rate).expect("json");
        assert_eq!((&line["baseline"], &line["ratio"]), (&json!(75.0), &json!(1.5)));

        let failed = Figure::failed(&anyhow::anyhow!("no broker"));
        let line = serde_json::to_value(&failed).expect("json");
        assert_eq!((&line["value"], &line["detail"]["error"]), (&Value::Null, &json!("no broker")));
        assert!(failed.line().ends_with("no broker"));
    }

    #[test]
    fn numbers_are_spelt_by_size() {
        for (value, expect) in [(412_345.6, "412346"), (42.25, "42.2"), (1.294, "1.29")] {
            assert_eq!(spelt(value), expect);
        }
    }
}
