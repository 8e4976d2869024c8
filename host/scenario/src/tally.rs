//! Outcomes of one run, row by row, made into figures; nothing of them is kept but those.

use std::collections::BTreeMap;
use std::sync::Arc;

use geminus_core::{Declaration, Outcome, Timestamp};

use crate::report::{AlertCount, Course, Crossing, Difference, OutputCourse, ProposalCount};
use crate::threshold::Threshold;
use crate::warp::seconds;

/// Counts one run.
#[derive(Debug)]
pub struct Tally {
    declaration: Arc<Declaration>,
    start: Timestamp,
    thresholds: Vec<(Option<usize>, Threshold)>,
    /// Rows between two entries of a trajectory; 0: none are kept.
    stride: u64,
    rows: u64,
    rows_all: u64,
    course: Course,
    outputs: Vec<Sum>,
    alerts: BTreeMap<u32, AlertCount>,
    proposals: BTreeMap<u32, ProposalCount>,
    at_s: Vec<f64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    rows: u64,
    sum: f64,
}

impl Tally {
    /// For a run of `rows` rows after `start`, of whose trajectories at most `points` entries are kept.
    #[must_use]
    pub fn new(
        declaration: &Arc<Declaration>,
        start: Timestamp,
        thresholds: &[Threshold],
        rows: u64,
        points: u32,
    ) -> Self {
        let outputs = declaration.outputs.iter().map(|output| OutputCourse {
            name: output.name.clone(),
            unit: output.unit.clone(),
            ..OutputCourse::default()
        });
        let crossings = thresholds.iter().map(|threshold| Crossing {
            output: threshold.output.clone(),
            above: threshold.above,
            below: threshold.below,
            at_s: None,
        });
        let course =
            Course { outputs: outputs.collect(), crossings: crossings.collect(), ..Course::default() };
        let placed = |threshold: &Threshold| (threshold.place(declaration), threshold.clone());
        Self {
            declaration: Arc::clone(declaration),
            start,
            thresholds: thresholds.iter().map(placed).collect(),
            stride: if points == 0 { 0 } else { rows.div_ceil(u64::from(points)).max(1) },
            rows: 0,
            rows_all: rows,
            outputs: vec![Sum::default(); course.outputs.len()],
            course,
            alerts: BTreeMap::new(),
            proposals: BTreeMap::new(),
            at_s: Vec::new(),
        }
    }

    /// Takes the next rows: the times that they really have, whatever a wrong clock said, and what came of them. `baseline`
    /// is what came of the same rows when nothing was changed; `None`: this is the baseline.
    pub fn take(&mut self, times: &[Timestamp], outcome: &Outcome, baseline: Option<&Outcome>) {
        let width = outcome.outputs;
        for (row, time) in times.iter().enumerate() {
            let (at_s, number) = (seconds(self.start, *time), self.rows + row as u64);
            let keep =
                self.stride > 0 && ((number + 1).is_multiple_of(self.stride) || number + 1 == self.rows_all);
            if keep {
                self.at_s.push(at_s);
            }
            for (place, course) in self.course.outputs.iter_mut().enumerate() {
                let cell = usable(outcome, row * width + place);
                if let (Some(value), Some(sum)) = (cell, self.outputs.get_mut(place)) {
                    (sum.rows, sum.sum) = (sum.rows + 1, sum.sum + value);
                    extend(course, value, at_s);
                }
                course.last = cell;
                if keep {
                    course.values.push(cell);
                }
                if let Some(baseline) = baseline {
                    let before = usable(baseline, row * width + place);
                    course.difference.get_or_insert_default().note(cell, before, at_s);
                }
            }
            let crossings = self.thresholds.iter().zip(&mut self.course.crossings);
            for ((place, threshold), crossing) in crossings.filter(|(_, crossing)| crossing.at_s.is_none()) {
                let cell = place.and_then(|place| usable(outcome, row * width + place));
                crossing.at_s = cell.filter(|value| threshold.is_beyond(*value)).map(|_| at_s);
            }
        }
        self.rows += times.len() as u64;
        self.speak(times, outcome);
    }

    /// Notes rows that were not answered, with the reason for the first of them.
    pub fn unanswered(&mut self, rows: u64, reason: Option<&str>) {
        self.course.faults += rows;
        if let (None, Some(reason)) = (&self.course.fault, reason) {
            self.course.fault = Some(reason.to_owned());
        }
    }

    fn speak(&mut self, times: &[Timestamp], outcome: &Outcome) {
        let at = |row: u32| times.get(row as usize).map_or(f64::NAN, |time| seconds(self.start, *time));
        let number = |value: f64| value.is_finite().then_some(value);
        for alert in &outcome.alerts {
            let Some(declared) = self.declaration.alerts.get(alert.alert as usize) else { continue };
            let at_s = at(alert.row);
            let count = self.alerts.entry(alert.alert).or_insert_with(|| AlertCount {
                code: declared.code.clone(),
                priority: declared.priority,
                rows: 0,
                first_s: at_s,
                last_s: at_s,
                value: number(alert.value),
                detail: alert.detail.clone(),
            });
            (count.rows, count.last_s) = (count.rows + 1, at_s);
        }
        for proposal in &outcome.proposals {
            let Some(declared) = self.declaration.commands.get(proposal.command as usize) else { continue };
            let (at_s, value) = (at(proposal.row), number(proposal.value));
            let count = self.proposals.entry(proposal.command).or_insert_with(|| ProposalCount {
                command: declared.name.clone(),
                unit: declared.unit.clone(),
                rows: 0,
                first_s: at_s,
                last_s: at_s,
                first: value,
                last: value,
                min: value,
                max: value,
                reason: proposal.reason.clone(),
            });
            (count.rows, count.last_s, count.last) = (count.rows + 1, at_s, value);
            count.min = [count.min, value].into_iter().flatten().reduce(f64::min);
            count.max = [count.max, value].into_iter().flatten().reduce(f64::max);
        }
    }

    /// What it came to, and the times of the entries of its trajectories.
    #[must_use]
    pub fn finish(self, name: &str) -> (Course, Vec<f64>) {
        let mut course = Course { name: name.to_owned(), ..self.course };
        for (output, sum) in course.outputs.iter_mut().zip(&self.outputs) {
            output.mean = (sum.rows > 0).then(|| sum.sum / sum.rows as f64).filter(|mean| mean.is_finite());
        }
        course.alerts = self.alerts.into_values().collect();
        course.proposals = self.proposals.into_values().collect();
        (course, self.at_s)
    }
}

/// A cell that is a number and may be used.
fn usable(outcome: &Outcome, at: usize) -> Option<f64> {
    let (value, quality) = (*outcome.values.get(at)?, *outcome.quality.get(at)?);
    (value.is_finite() && quality.usable()).then_some(value)
}

fn extend(course: &mut OutputCourse, value: f64, at_s: f64) {
    if course.min.is_none_or(|min| value < min) {
        (course.min, course.min_s) = (Some(value), Some(at_s));
    }
    if course.max.is_none_or(|max| value > max) {
        (course.max, course.max_s) = (Some(value), Some(at_s));
    }
}

impl Difference {
    fn note(&mut self, cell: Option<f64>, before: Option<f64>, at_s: f64) {
        self.last = cell.zip(before).map(|(cell, before)| cell - before);
        if cell.map(f64::to_bits) == before.map(f64::to_bits) {
            return;
        }
        self.rows += 1;
        self.from_s.get_or_insert(at_s);
        let Some(difference) = self.last else { return };
        if self.largest.is_none_or(|largest| difference.abs() > largest.abs()) {
            (self.largest, self.largest_s) = (Some(difference), Some(at_s));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warp::tests::declaration;
    use geminus_core::{Alert, Quality};

    const S: u64 = 1_000_000_000;

    /// Five rows of two outputs; heat as given, rate always missing.
    fn outcome(heat: [f64; 5], bad: &[usize]) -> Outcome {
        let quality = |row| if bad.contains(&row) { Quality::Bad } else { Quality::Good };
        let hot = heat.iter().enumerate().filter(|(_, heat)| **heat > 3.0);
        Outcome {
            outputs: 2,
            values: heat.iter().flat_map(|heat| [*heat, f64::NAN]).collect(),
            quality: (0..5).flat_map(|row| [quality(row), Quality::Missing]).collect(),
            alerts: hot
                .map(|(row, heat)| Alert {
                    row: row as u32,
                    alert: 0,
                    value: *heat,
                    detail: format!("row {row}"),
                })
                .collect(),
            proposals: vec![],
        }
    }

    fn times() -> Vec<Timestamp> {
        (1..=5).map(|row| Timestamp((10 + row) * S)).collect()
    }

    fn tally(points: u32) -> Tally {
        let thresholds = [
            Threshold { output: "heat".to_owned(), above: Some(4.0), below: None },
            Threshold { output: "heat".to_owned(), above: None, below: Some(0.0) },
        ];
        Tally::new(&declaration(), Timestamp(10 * S), &thresholds, 5, points)
    }

    #[test]
    fn rows_become_figures() {
        let mut tally = tally(2);
        tally.take(&times(), &outcome([2.0, 9.0, 4.0, 1.0, 3.0], &[1]), None);
        tally.unanswered(1, Some("fault: no"));
        tally.unanswered(2, Some("later"));
        let (course, at_s) = tally.finish("baseline");
        assert_eq!(at_s, [3.0, 5.0]);
        let heat = &course.outputs[0];
        assert_eq!(heat.values, [Some(4.0), Some(3.0)]);
        assert_eq!(
            (heat.min, heat.min_s, heat.max, heat.max_s),
            (Some(1.0), Some(4.0), Some(4.0), Some(3.0))
        );
        assert_eq!((heat.mean, heat.last, &heat.difference), (Some(2.5), Some(3.0), &None));
        let rate = &course.outputs[1];
        assert_eq!((rate.mean, rate.min, rate.last, &rate.values[..]), (None, None, None, &[None, None][..]));
        assert_eq!(course.crossings.iter().map(|it| it.at_s).collect::<Vec<_>>(), [Some(3.0), None]);
        let alert = &course.alerts[0];
        assert_eq!((alert.code.as_str(), alert.rows, alert.first_s, alert.last_s), ("hot", 2, 2.0, 3.0));
        assert_eq!((alert.value, alert.detail.as_str()), (Some(9.0), "row 1"));
        assert_eq!((course.faults, course.fault.as_deref()), (3, Some("fault: no")));
    }

    #[test]
    fn a_difference_is_counted_to_the_last_bit() {
        let check = |heat: [f64; 5], bad: &[usize], expect: Difference| {
            let mut tally = tally(0);
            tally.take(&times(), &outcome(heat, bad), Some(&outcome([1.0; 5], &[])));
            let (course, at_s) = tally.finish("x");
            assert_eq!((course.outputs[0].difference.as_ref(), at_s.len()), (Some(&expect), 0));
            assert_eq!(course.outputs[1].difference, Some(Difference::default()), "missing in both");
        };
        let same = Difference { last: Some(0.0), ..Difference::default() };
        check([1.0; 5], &[], same);
        let expect = Difference {
            rows: 3,
            from_s: Some(2.0),
            largest: Some(-2.0),
            largest_s: Some(4.0),
            last: Some(f64::EPSILON),
        };
        check([1.0, 2.0, 1.0, -1.0, 1.0 + f64::EPSILON], &[], expect);
        let expect = Difference { rows: 1, from_s: Some(1.0), last: Some(0.0), ..Difference::default() };
        check([1.0; 5], &[0], expect);
    }
}
