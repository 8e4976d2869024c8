//! What is kept of the evidence for a phase that is over: the numbers, the worst rows and a few thin curves, in a size that
//! does not grow with the fleet, the rows or the outputs.

use std::cmp::Reverse;

use super::{Curve, Evidence, OutputEvidence};

/// Outputs of which the numbers are kept: those that differ most.
const OUTPUTS_MAX: usize = 32;
/// Worst rows that are kept.
const WORST_MAX: usize = 10;
/// Failures that are kept: so many of the first and so many of the last.
const FAULTS_MAX: usize = 4;
/// Curves that are kept: those of the worst rows before others.
const CURVES_MAX: usize = 4;
/// Points of a curve that are kept.
const POINTS_MAX: usize = 60;

impl Evidence {
    /// The same in brief.
    #[must_use]
    pub fn sample(&self) -> Self {
        let last = self.faults.len().saturating_sub(FAULTS_MAX).max(FAULTS_MAX);
        Self {
            outputs: outputs(&self.outputs),
            innovations: self.innovations.iter().take(OUTPUTS_MAX).cloned().collect(),
            nis: self.nis.iter().take(OUTPUTS_MAX).cloned().collect(),
            faults: self
                .faults
                .iter()
                .take(FAULTS_MAX)
                .chain(self.faults.iter().skip(last))
                .cloned()
                .collect(),
            worst: self.worst.iter().take(WORST_MAX).cloned().collect(),
            curves: self.curves(),
            ..self.clone()
        }
    }

    fn curves(&self) -> Vec<Curve> {
        let rank = |curve: &&Curve| {
            let is_of = |row: &super::WorstRow| row.twin == curve.twin && row.output == curve.output;
            self.worst.iter().position(is_of).unwrap_or(usize::MAX)
        };
        let mut curves: Vec<&Curve> = self.curves.iter().collect();
        curves.sort_by_key(rank);
        curves.into_iter().take(CURVES_MAX).map(thin).collect()
    }
}

/// In declared order.
fn outputs(all: &[OutputEvidence]) -> Vec<OutputEvidence> {
    let mut ranked: Vec<(usize, &OutputEvidence)> = all.iter().enumerate().collect();
    ranked.sort_by(|(_, a), (_, b)| {
        let key = |it: &OutputEvidence| (it.beyond, it.nan_extra);
        let far = |it: &OutputEvidence| it.relative_max.or(it.difference_max).unwrap_or(0.0);
        Reverse(key(a)).cmp(&Reverse(key(b))).then(far(b).total_cmp(&far(a)))
    });
    ranked.truncate(OUTPUTS_MAX);
    ranked.sort_by_key(|(place, _)| *place);
    ranked.into_iter().map(|(_, output)| output.clone()).collect()
}

/// Of each stretch the row with the largest difference.
fn thin(curve: &Curve) -> Curve {
    let stretch = curve.times_ms.len().div_ceil(POINTS_MAX).max(1);
    let points: Vec<_> = curve
        .times_ms
        .iter()
        .zip(&curve.old)
        .zip(&curve.new)
        .map(|((time, old), new)| (*time, *old, *new))
        .collect();
    let apart = |(_, old, new): &(u64, Option<f64>, Option<f64>)| match (old, new) {
        (Some(old), Some(new)) => (new - old).abs(),
        (None, None) => 0.0,
        // Only one of them has a value: worse than any number.
        _ => f64::INFINITY,
    };
    let worst = |some: &[(u64, Option<f64>, Option<f64>)]| {
        some.iter().copied().max_by(|a, b| apart(a).total_cmp(&apart(b)))
    };
    let kept: Vec<_> = points.chunks(stretch).filter_map(worst).collect();
    Curve {
        times_ms: kept.iter().map(|(time, ..)| *time).collect(),
        old: kept.iter().map(|(_, old, _)| *old).collect(),
        new: kept.iter().map(|(.., new)| *new).collect(),
        ..curve.clone()
    }
}

#[cfg(test)]
mod tests {
    use geminus_core::declaration::Role;

    use super::*;
    use crate::{FaultEvidence, WorstRow};

    fn output(place: usize, beyond: u64) -> OutputEvidence {
        OutputEvidence {
            output: format!("o{place:03}"),
            unit: "1".to_owned(),
            role: Role::Estimate,
            compared: true,
            rows: 10,
            equal: 0,
            difference_mean: Some(1.0),
            difference_max: Some(2.0),
            difference_rms: Some(1.0),
            bias: Some(0.0),
            relative_max: None,
            allowed: None,
            beyond,
            nan_old: 0,
            nan_new: 0,
            nan_extra: 0,
        }
    }

    fn curve(twin: &str, output: &str, points: u64, peak: u64) -> Curve {
        let value = |at: u64| Some(if at == peak { 9.0 } else { 1.0 });
        Curve {
            twin: twin.to_owned(),
            output: output.to_owned(),
            unit: "1".to_owned(),
            times_ms: (0..points).collect(),
            old: vec![Some(1.0); usize::try_from(points).expect("few")],
            new: (0..points).map(value).collect(),
        }
    }

    fn evidence() -> Evidence {
        let worst = |place: u64| WorstRow {
            twin: "t9".to_owned(),
            time_ms: place,
            output: format!("o{place:03}"),
            old: Some(1.0),
            new: Some(9.0),
            times_limit: Some(8.0),
        };
        let fault = |time_ms| FaultEvidence {
            twin: "t9".to_owned(),
            time_ms,
            kind: "trap".to_owned(),
            message: "m".repeat(300),
        };
        let curves =
            (0..64).map(|place| curve(&format!("t{}", place % 10), &format!("o{:03}", place / 10), 240, 77));
        Evidence {
            rows: 1_000_000,
            rows_warming: 5,
            rows_unanswered: 6,
            twins: 10_000,
            twin_hours: 12.5,
            outputs: (0..500).map(|place| output(place, if place % 100 == 99 { 3 } else { 0 })).collect(),
            innovations: Vec::new(),
            nis: Vec::new(),
            alerts: crate::AlertEvidence::default(),
            proposals: crate::ProposalEvidence::default(),
            costs: crate::CostEvidence::default(),
            faults_total: 99,
            faults: (0..32).map(fault).collect(),
            worst: (0..20).map(worst).collect(),
            curves: curves.collect(),
        }
    }

    #[test]
    fn a_sample_has_the_numbers_the_worst_and_a_bounded_size() {
        let (whole, sample) = (evidence(), evidence().sample());
        assert_eq!(
            (sample.rows, sample.twins, sample.faults_total),
            (whole.rows, whole.twins, whole.faults_total)
        );
        assert_eq!(sample.worst, whole.worst[..WORST_MAX]);
        let beyond: Vec<_> =
            sample.outputs.iter().filter(|it| it.beyond > 0).map(|it| it.output.as_str()).collect();
        assert_eq!(beyond, ["o099", "o199", "o299", "o399", "o499"], "in declared order, none is lost");
        assert_eq!(sample.outputs.len(), OUTPUTS_MAX);
        let times: Vec<u64> = sample.faults.iter().map(|fault| fault.time_ms).collect();
        assert_eq!(times, [0, 1, 2, 3, 28, 29, 30, 31]);
        let of: Vec<_> = sample.curves.iter().map(|it| (it.twin.as_str(), it.output.as_str())).collect();
        assert_eq!(
            of,
            [("t9", "o000"), ("t9", "o001"), ("t9", "o002"), ("t9", "o003")],
            "those of the worst rows"
        );
        for thin in &sample.curves {
            assert_eq!((thin.times_ms.len(), thin.old.len(), thin.new.len()), (60, 60, 60));
            let peak = thin.times_ms.iter().position(|time| *time == 77).expect("the worst point is there");
            assert_eq!(thin.new[peak], Some(9.0));
        }
        let bytes = serde_json::to_string(&sample).expect("JSON").len();
        assert!(bytes < 64 * 1_024, "{bytes} bytes");
        // Once more changes nothing.
        assert_eq!(sample.sample(), sample);
    }

    #[test]
    fn what_is_small_is_kept_whole() {
        let mut small = evidence();
        small.outputs.truncate(3);
        small.faults.truncate(5);
        small.worst.truncate(2);
        small.curves = vec![curve("t1", "o000", 60, 7), curve("t9", "o000", 0, 0)];
        let sample = small.sample();
        assert_eq!(
            (&sample.outputs, &sample.faults, &sample.worst),
            (&small.outputs, &small.faults, &small.worst)
        );
        assert_eq!(sample.curves, [small.curves[1].clone(), small.curves[0].clone()], "the worst first");
    }
}
