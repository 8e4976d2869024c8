//! The tally as plain data.

use std::time::Duration;

use geminus_core::TwinIndex;

use super::innovation::{Innovation, Side};
use super::{Spending, Tally, finite, number};
use crate::chi_square::band;
use crate::{
    AlertEvidence, CostEvidence, CostSide, Curve, Evidence, FaultEvidence, InnovationEvidence, NisEvidence,
    NisSide, ProposalEvidence, WorstRow,
};

const NANOS_PER_HOUR: f64 = 3.6e12;

impl Tally {
    /// What was counted so far, with the names of the twins.
    #[must_use]
    pub fn evidence(&self, name_of: &dyn Fn(TwinIndex) -> String) -> Evidence {
        Evidence {
            rows: self.rows,
            rows_warming: self.rows_warming,
            rows_unanswered: self.rows_unanswered,
            twins: self.marks.known,
            twin_hours: self.twin_hours(),
            outputs: self.columns.iter().map(super::Column::evidence).collect(),
            innovations: self.innovations.iter().map(|of| self.innovation(of)).collect(),
            nis: self.nis.iter().map(|of| self.nis(of)).collect(),
            alerts: self.alerts(),
            proposals: self.proposals(),
            costs: self.costs(),
            faults_total: self.faults.total,
            faults: self.faults(name_of),
            worst: self.worst(name_of),
            curves: self.curves(name_of),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "hours of rows; the last digits do not matter")]
    pub(super) fn twin_hours(&self) -> f64 {
        self.marks.nanos as f64 / NANOS_PER_HOUR
    }

    pub(super) fn output_name(&self, column: usize) -> (&str, &str) {
        self.columns.get(column).map_or(("", ""), |column| (column.name.as_str(), column.unit.as_str()))
    }

    fn innovation(&self, of: &Innovation) -> InnovationEvidence {
        let (output, unit) = self.output_name(of.column);
        InnovationEvidence {
            output: output.to_owned(),
            unit: unit.to_owned(),
            old: of.old.moments.shown(),
            new: of.new.moments.shown(),
        }
    }

    fn nis(&self, of: &Innovation) -> NisEvidence {
        NisEvidence {
            output: self.output_name(of.column).0.to_owned(),
            confidence: self.nis_confidence,
            old: nis_side(&of.old, self.nis_confidence),
            new: nis_side(&of.new, self.nis_confidence),
        }
    }

    fn alerts(&self) -> AlertEvidence {
        let (old, new, hours) = (self.marks.old_raised, self.marks.new_raised, self.twin_hours());
        let rate = |count: u64| (hours > 0.0).then(|| number(count) / hours).and_then(finite);
        AlertEvidence { old, new, old_per_hour: rate(old), new_per_hour: rate(new) }
    }

    fn proposals(&self) -> ProposalEvidence {
        let all = &self.proposals;
        ProposalEvidence {
            rows: all.rows,
            differ: all.differ,
            old: all.old,
            new: all.new,
            old_refused: all.old_refused,
            new_refused: all.new_refused,
        }
    }

    fn costs(&self) -> CostEvidence {
        CostEvidence {
            rows: self.cost_rows,
            calls: self.calls,
            deadline_ms: u64::try_from(self.deadline.as_millis()).unwrap_or(u64::MAX),
            old: cost_side(&self.old_cost, self.old_cost_rows),
            new: cost_side(&self.new_cost, self.cost_rows),
        }
    }

    fn faults(&self, name_of: &dyn Fn(TwinIndex) -> String) -> Vec<FaultEvidence> {
        let kept = self.faults.kept().map(|fault| FaultEvidence {
            twin: name_of(fault.twin),
            time_ms: fault.time.millis(),
            kind: fault.kind.clone(),
            message: fault.message.clone(),
        });
        kept.collect()
    }

    fn worst(&self, name_of: &dyn Fn(TwinIndex) -> String) -> Vec<WorstRow> {
        let rows = self.worst.rows().iter().map(|row| WorstRow {
            twin: name_of(row.twin),
            time_ms: row.time.millis(),
            output: self.output_name(row.column).0.to_owned(),
            old: finite(row.old),
            new: finite(row.new),
            times_limit: finite(row.score),
        });
        rows.collect()
    }

    fn curves(&self, name_of: &dyn Fn(TwinIndex) -> String) -> Vec<Curve> {
        let mut curves = Vec::new();
        for trace in self.curves.traces() {
            let twin = name_of(trace.twin);
            for (slot, column) in self.curves.columns().enumerate() {
                let (output, unit) = self.output_name(column);
                let values = |side: fn(&(f64, f64)) -> f64| {
                    let all = trace.points().map(|point| point.values.get(slot).map(side).and_then(finite));
                    all.collect()
                };
                curves.push(Curve {
                    twin: twin.clone(),
                    output: output.to_owned(),
                    unit: unit.to_owned(),
                    times_ms: trace.points().map(|point| point.time.millis()).collect(),
                    old: values(|pair| pair.0),
                    new: values(|pair| pair.1),
                });
            }
        }
        curves
    }
}

fn cost_side(spending: &Spending, rows: u64) -> CostSide {
    let per_row = |sum: f64| (rows > 0).then(|| sum / number(rows));
    CostSide {
        fuel_per_row: per_row(number(spending.fuel)),
        step_us_per_row: per_row(spending.spent.as_secs_f64() * 1e6),
        call_ms_max: milliseconds(spending.longest),
        deadline_misses: spending.misses,
    }
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// Mean per degree of freedom and the band it has to lie in.
pub(super) fn nis_side(side: &Side, confidence: f64) -> NisSide {
    let (rows, degrees) = (side.moments.rows, side.degrees);
    let per_degree = |sum: f64| (degrees > 0).then(|| sum / number(degrees)).and_then(finite);
    let ends = band(degrees, confidence);
    NisSide {
        rows,
        degrees,
        mean: per_degree(side.moments.mean * number(rows)),
        band_low: ends.and_then(|(low, _)| per_degree(low)),
        band_high: ends.and_then(|(_, high)| per_degree(high)),
    }
}
