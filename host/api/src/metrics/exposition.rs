//! Writes metrics in Prometheus' text format, version 0.0.4.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use super::catalogue::{self, Kind, Metric};

/// Observations counted by size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// B upper bounds, inclusive, strictly increasing; without the last one, which is infinite.
    pub bounds: Vec<f64>,
    /// B + 1 numbers of observations, each of its own bucket only (not cumulative).
    pub counts: Vec<u64>,
    /// Sum of all observations.
    pub sum: f64,
}

/// Metrics being gathered, shown in the order of the catalogue. The first value of a series counts: one that is
/// there twice would make Prometheus refuse everything.
#[derive(Debug, Default)]
pub struct Exposition {
    lines: BTreeMap<&'static str, String>,
    series: HashSet<String>,
}

impl Exposition {
    /// A value of a counter or gauge; `labels` has the values of the metric's labels in its order. Missing ones
    /// are written empty, surplus ones left out.
    pub fn value(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        self.line(metric, "", labels, None, &number(value));
    }

    /// A whole number.
    pub fn count(&mut self, metric: &'static Metric, labels: &[&str], count: u64) {
        self.line(metric, "", labels, None, &count.to_string());
    }

    /// A histogram.
    pub fn histogram(&mut self, metric: &'static Metric, labels: &[&str], histogram: &Histogram) {
        let mut total = 0;
        let bounds = histogram.bounds.iter().copied().chain([f64::INFINITY]);
        for (bound, count) in bounds.zip(histogram.counts.iter().copied().chain(std::iter::repeat(0))) {
            total += count;
            self.line(metric, "_bucket", labels, Some(&number(bound)), &total.to_string());
        }
        self.line(metric, "_sum", labels, None, &number(histogram.sum));
        self.line(metric, "_count", labels, None, &total.to_string());
    }

    fn line(
        &mut self,
        metric: &'static Metric,
        suffix: &str,
        labels: &[&str],
        bound: Option<&str>,
        value: &str,
    ) {
        let series = format!("{}{suffix}{}", metric.name, label_text(metric, labels, bound));
        let lines = self.lines.entry(metric.name).or_default();
        if !self.series.contains(&series) {
            write(lines, format_args!("{series} {value}\n"));
            self.series.insert(series);
        }
    }

    /// The text: each metric that has a value, with its help and kind.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Metric { name, kind, help, .. } in catalogue::ALL.iter().copied() {
            if let Some(lines) = self.lines.get(name) {
                let help = help.replace('\\', "\\\\").replace('\n', "\\n");
                write(
                    &mut text,
                    format_args!("# HELP {name} {help}\n# TYPE {name} {}\n{lines}", kind.name()),
                );
            }
        }
        text
    }
}

/// As Prometheus spells it.
fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        // Rust spells NaN as Prometheus does.
        _ => value.to_string(),
    }
}

fn write(to: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    to.write_fmt(what).unwrap_or_default();
}

fn label_text(metric: &Metric, values: &[&str], bound: Option<&str>) -> String {
    debug_assert_eq!(metric.labels.len(), values.len(), "label values of {}", metric.name);
    debug_assert!(bound.is_none() || metric.kind == Kind::Histogram, "{} is no histogram", metric.name);
    let values = values.iter().copied().chain(std::iter::repeat(""));
    let pairs = metric.labels.iter().copied().zip(values).chain(bound.map(|bound| ("le", bound)));
    let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let mut out = Exposition::default();
        out.count(&catalogue::ROWS, &["thermal@1.0.0"], u64::MAX);
        out.count(&catalogue::ROWS, &["a\"b\\c\nd"], 1);
        out.value(&catalogue::STEP_SECONDS, &["thermal@1.0.0"], 0.125);
        out.value(&catalogue::INFO, &["0.1.0"], f64::NAN);
        out.value(&catalogue::INFO, &["0.1.0"], 7.0);
        let commits = Histogram { bounds: vec![0.001, 0.01], counts: vec![2, 3, 1], sum: 0.5 };
        out.histogram(&catalogue::SWAP_PAUSE_SECONDS, &[], &commits);
        let expect = r#"# HELP geminus_info Always 1; the version is the label.
# TYPE geminus_info gauge
geminus_info{version="0.1.0"} NaN
# HELP geminus_rows_total Rows that a behavior stepped, under the behavior's name.
# TYPE geminus_rows_total counter
geminus_rows_total{plugin="thermal@1.0.0"} 18446744073709551615
geminus_rows_total{plugin="a\"b\\c\nd"} 1
# HELP geminus_step_seconds_total Time spent in calls of step, under the behavior's name.
# TYPE geminus_step_seconds_total counter
geminus_step_seconds_total{plugin="thermal@1.0.0"} 0.125
# HELP geminus_swap_pause_seconds Time for which rows of a cohort waited for a switch.
# TYPE geminus_swap_pause_seconds histogram
geminus_swap_pause_seconds_bucket{le="0.001"} 2
geminus_swap_pause_seconds_bucket{le="0.01"} 5
geminus_swap_pause_seconds_bucket{le="+Inf"} 6
geminus_swap_pause_seconds_sum 0.5
geminus_swap_pause_seconds_count 6
"#;
        assert_eq!(out.text(), expect);
    }
}
