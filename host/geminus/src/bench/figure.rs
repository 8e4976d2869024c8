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

    /// The heading of the book's table, in Markdown.
    pub(crate) const MARKDOWN_HEADING: &str =
        "| line | measured | held against | Python reference | target |\n|---|---|---|---|---|";

    /// A row of the book's table, in Markdown: what was measured, and what `detail` says of a reference and a target.
    pub(crate) fn markdown(&self) -> String {
        let detail = |pointer: &str| self.detail.pointer(pointer);
        let text = |pointer: &str| detail(pointer).and_then(Value::as_str);
        let measured = match (self.value, text("/error")) {
            (Some(value), _) => format!("{} {}", spelt(value), unit_in_words(self.unit)),
            (None, error) => format!("could not be measured: {}", error.unwrap_or("no reason is known")),
        };
        let held = match (self.baseline_name, self.baseline, self.ratio) {
            (Some(name), Some(baseline), Some(ratio)) => {
                format!("{name}, {}: {} ×", spelt(baseline), spelt(ratio))
            }
            _ => String::new(),
        };
        let python = match (text("/python/library"), detail("/python/us").and_then(Value::as_f64)) {
            (Some(library), Some(us)) => format!("{library}: {} µs", spelt(us)),
            _ => String::new(),
        };
        let target = match (text("/target"), detail("/within").and_then(Value::as_bool)) {
            (Some(target), Some(true)) => format!("{target}: met"),
            (Some(target), Some(false)) => format!("{target}: **missed**"),
            _ => "none".to_owned(),
        };
        // A cell ends at a bar and a row at the end of its line, whatever an error says.
        let cells = [format!("`{}`", self.name), measured, held, python, target];
        format!("| {} |", cells.map(|cell| cell.replace('|', "\\|").replace('\n', " ")).join(" | "))
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

/// A unit as people write it.
fn unit_in_words(unit: &str) -> String {
    match unit.strip_prefix("us/") {
        Some(rest) => format!("µs/{rest}"),
        None => unit.to_owned(),
    }
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
    fn a_row_of_the_book_has_reference_target_and_verdict_and_keeps_its_cells() {
        let detail = |within: bool| {
            json!({
                "target": "≤ 1.2", "within": within, "python": { "us": 41.25, "library": "filterpy 2.0.0" }
            })
        };
        let row = |mut figure: Figure| {
            figure.name("models.kalman", "us/step", Duration::ZERO, None);
            figure.markdown()
        };
        let met = row(Figure::new(0.25, detail(true)).against("native slot table", 0.2));
        let expect = "| `models.kalman` | 0.25 µs/step | native slot table, 0.20: 1.25 × | filterpy 2.0.0: 41.2 µs | ≤ 1.2: met |";
        assert_eq!(met, expect);
        assert!(row(Figure::new(0.25, detail(false))).ends_with("| ≤ 1.2: **missed** |"));
        assert_eq!(row(Figure::new(7.0, json!({}))), "| `models.kalman` | 7.00 µs/step |  |  | none |");
        let failed = row(Figure::failed(&anyhow::anyhow!("one | two\nthree")));
        assert_eq!(failed, "| `models.kalman` | could not be measured: one \\| two three |  |  | none |");
        let columns = |line: &str| line.matches('|').count();
        assert_eq!(Some(columns(expect)), Figure::MARKDOWN_HEADING.lines().next().map(columns));
    }

    #[test]
    fn numbers_are_spelt_by_size() {
        for (value, expect) in [(412_345.6, "412346"), (42.25, "42.2"), (1.294, "1.29")] {
            assert_eq!(spelt(value), expect);
        }
    }
}
