//! A study for people: what each scenario does to each output, what it would say, when thresholds are reached.

use geminus_scenario::{Course, OutputCourse, Spread, StudyReport};

use crate::command::forecast::{limit, number};

/// Draws that are printed one by one.
const DRAWS_SHOWN_MAX: usize = 10;

pub(super) fn text(report: &StudyReport) -> String {
    let StudyReport { twin, behavior, plugin, start, rows, .. } = report;
    let mut text = format!("{behavior} of {twin} ({plugin}) from {start}: {rows} rows each\n");
    text.push_str(&course(&report.baseline));
    text.extend(report.scenarios.iter().map(course));
    if !report.draws.is_empty() {
        text.push_str(&format!("{} draws: 5 %, 50 %, 95 %\n", report.draws.len()));
        text.extend(report.spread.iter().map(spread));
        text.extend(report.draws.iter().take(DRAWS_SHOWN_MAX).map(draw));
        if let Some(more) = report.draws.len().checked_sub(DRAWS_SHOWN_MAX).filter(|more| *more > 0) {
            text.push_str(&format!("  {more} more: --json has all\n"));
        }
    }
    text
}

fn course(course: &Course) -> String {
    let mut text = format!("{}\n", course.name);
    text.extend(course.outputs.iter().map(output));
    for alert in &course.alerts {
        text.push_str(&format!(
            "  would alert {} in {} rows, first at +{} s: {}\n",
            alert.code,
            alert.rows,
            number(Some(alert.first_s)),
            alert.detail
        ));
    }
    for proposal in &course.proposals {
        text.push_str(&format!(
            "  would propose {} from {} to {} {} in {} rows, first at +{} s: {}\n",
            proposal.command,
            number(proposal.min),
            number(proposal.max),
            proposal.unit,
            proposal.rows,
            number(Some(proposal.first_s)),
            proposal.reason
        ));
    }
    for crossing in &course.crossings {
        let when = crossing.at_s.map_or("never".to_owned(), |at_s| format!("at +{} s", number(Some(at_s))));
        text.push_str(&format!("  {} {when}\n", limit(&crossing.output, crossing.above, crossing.below)));
    }
    if course.faults > 0 {
        let why = course.fault.as_deref().unwrap_or("no reason was given");
        text.push_str(&format!("  {} rows were not answered: {why}\n", course.faults));
    }
    text
}

fn output(output: &OutputCourse) -> String {
    let OutputCourse { name, unit, min, max, mean, last, difference, .. } = output;
    let [min, max, mean, last] = [min, max, mean, last].map(|value| number(*value));
    let mut text = format!("  {name:34}  {min} … {max} {unit}, mean {mean}, last {last}");
    if let Some(difference) = difference {
        text.push_str(&match difference.rows {
            0 => "; as the baseline".to_owned(),
            rows => format!(
                "; differs in {rows} rows from +{} s, by up to {} at +{} s, in the end by {}",
                number(difference.from_s),
                number(difference.largest),
                number(difference.largest_s),
                number(difference.last)
            ),
        });
    }
    text.push('\n');
    text
}

fn spread(spread: &Spread) -> String {
    let shown = |values: [Option<f64>; 3]| values.map(number).join(" / ");
    let Spread { output, unit, last, min, max } = spread;
    format!("  {output:34}  last {} {unit}, lowest {}, highest {}\n", shown(*last), shown(*min), shown(*max))
}

fn draw(course: &Course) -> String {
    let drawn: Vec<String> =
        course.drawn.iter().map(|(path, value)| format!("{path} = {}", number(Some(*value)))).collect();
    let alerts: Vec<&str> = course.alerts.iter().map(|alert| alert.code.as_str()).collect();
    let alerts =
        if alerts.is_empty() { String::new() } else { format!("; would alert {}", alerts.join(", ")) };
    let fault = course.fault.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
    format!("  {}: {}{alerts}{fault}\n", course.name, drawn.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use geminus_core::declaration::Priority;
    use geminus_scenario::{AlertCount, Crossing, Difference};

    use super::*;

    #[test]
    fn a_study_is_told_scenario_by_scenario() {
        let output = |difference| OutputCourse {
            name: "heat".to_owned(),
            unit: "Cel".to_owned(),
            min: Some(1.0),
            max: Some(2.5),
            mean: Some(1.75),
            difference,
            ..OutputCourse::default()
        };
        let alert = AlertCount {
            code: "hot".to_owned(),
            priority: Priority::High,
            rows: 3,
            first_s: 7.0,
            last_s: 9.0,
            value: None,
            detail: "too hot".to_owned(),
        };
        let crossing = Crossing { output: "heat".to_owned(), above: Some(2.0), below: None, at_s: None };
        let differs = Difference { rows: 2, from_s: Some(3.0), largest: Some(-0.5), ..Difference::default() };
        let course = |name: &str, difference| Course {
            name: name.to_owned(),
            outputs: vec![output(difference)],
            ..Course::default()
        };
        let hot = Course { alerts: vec![alert], crossings: vec![crossing], ..course("hot", Some(differs)) };
        let drawn = BTreeMap::from([("inputs.load".to_owned(), 1.5)]);
        let report = StudyReport {
            rows: 9,
            baseline: course("baseline", None),
            scenarios: vec![hot, course("same", Some(Difference::default()))],
            draws: vec![
                Course { drawn, faults: 1, fault: Some("no".to_owned()), ..course("draw 1", None) };
                12
            ],
            ..StudyReport::default()
        };
        let text = text(&report);
        for part in [
            ": 9 rows each\nbaseline\n  heat ",
            "1 … 2.5 Cel, mean 1.75, last -\n",
            "differs in 2 rows from +3 s, by up to -0.5 at +- s",
            "would alert hot in 3 rows, first at +7 s: too hot\n  heat at 2 or more never\n",
            "same\n",
            "; as the baseline\n",
            "12 draws: 5 %, 50 %, 95 %\n",
            "  draw 1: inputs.load = 1.5; no\n",
            "  2 more: --json has all\n",
        ] {
            assert!(text.contains(part), "{text}\n  does not say\n{part}");
        }
    }
}
