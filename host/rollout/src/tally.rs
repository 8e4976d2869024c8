//! What is counted while two versions run side by side: one tally for each shard and rollout, on the shard's thread.
//!
//! [`Tally::compare`] takes a frame and both outcomes. It allocates nothing per row, and everything it keeps is bounded:
//! a few numbers for each output and each twin of the site, 20 worst rows, curves of 4 twins with 240 points, 32 faults
//! (each limit is named beside its type). Tallies of shards are merged by the host, which judges the sum.

use std::time::Duration;

use geminus_core::declaration::{Arrival, Declaration, Role};
use geminus_core::{Frame, Outcome, Timestamp, TwinIndex};

use crate::Acceptance;

mod column;
mod curve;
mod evidence;
mod fault;
mod innovation;
mod judge;
mod mark;
mod moments;
mod proposal;
mod worst;

#[cfg(test)]
mod tests;

use column::{Column, Findings};
use curve::Curves;
use fault::Faults;
use innovation::{Innovation, Of};
use mark::Marks;
use proposal::Proposals;
use worst::Worst;

/// Rows that a call of both versions cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Rows that the new version stepped.
    pub rows: u64,
    /// Those of them that the running version stepped too: all, but for twins that it holds apart.
    pub old_rows: u64,
    /// Fuel of the running version.
    pub old_fuel: u64,
    /// Fuel of the new version.
    pub new_fuel: u64,
    /// Time of the running version.
    pub old_spent: Duration,
    /// Time of the new version.
    pub new_spent: Duration,
}

/// Sums of one version's costs.
#[derive(Clone, Copy, Debug, Default)]
struct Spending {
    fuel: u64,
    spent: Duration,
    longest: Duration,
    misses: u64,
}

impl Spending {
    fn add(&mut self, fuel: u64, spent: Duration, deadline: Duration) {
        self.fuel = self.fuel.saturating_add(fuel);
        self.spent = self.spent.saturating_add(spent);
        self.longest = self.longest.max(spent);
        self.misses += u64::from(spent > deadline);
    }

    fn merge(&mut self, other: &Self) {
        self.fuel = self.fuel.saturating_add(other.fuel);
        self.spent = self.spent.saturating_add(other.spent);
        self.longest = self.longest.max(other.longest);
        self.misses += other.misses;
    }
}

/// What a row of a frame is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// Both versions are compared.
    Compared,
    /// The new version is not warm for its twin yet.
    Warming,
    /// The running version has no answer to compare with, because it holds the twin apart.
    Unanswered,
    /// It is none that the phase is about.
    LeftOut,
}

/// What was counted so far.
#[derive(Clone, Debug)]
pub struct Tally {
    columns: Vec<Column>,
    innovations: Vec<Innovation>,
    nis: Vec<Innovation>,
    /// Columns of the frame that are measurements.
    measured: Vec<usize>,
    old_outputs: usize,
    new_outputs: usize,
    inputs: usize,
    nis_degrees: Option<u32>,
    nis_confidence: f64,
    deadline: Duration,
    rows: u64,
    rows_warming: u64,
    rows_unanswered: u64,
    marks: Marks,
    proposals: Proposals,
    cost_rows: u64,
    old_cost_rows: u64,
    calls: u64,
    old_cost: Spending,
    new_cost: Spending,
    faults: Faults,
    worst: Worst,
    curves: Curves,
    /// Rows of the present frame that are compared; kept for its memory.
    kept: Vec<u32>,
    /// Rows of the present frame that the running version has no answer for; kept for its memory.
    alone: Vec<u32>,
    /// Rows of the present column that may be among the worst; kept for its memory.
    found: Findings,
}

/// Rows that are compared column by column before the next ones are: so few that both outcomes of them stay in the
/// nearest cache.
const ROWS_AT_ONCE: usize = 128;

/// Confidence of the bands shown when the acceptance names none.
const NIS_CONFIDENCE_SHOWN: f64 = 0.999;

impl Tally {
    /// For two versions of the same declaration.
    #[must_use]
    pub fn new(declaration: &Declaration, acceptance: &Acceptance) -> Self {
        Self::between(declaration, declaration, acceptance)
    }

    /// For the running version `old` and the candidate `new`: outputs, alerts and commands are matched by name, and
    /// only what both have is compared.
    #[must_use]
    pub fn between(old: &Declaration, new: &Declaration, acceptance: &Acceptance) -> Self {
        let columns: Vec<Column> = new
            .outputs
            .iter()
            .enumerate()
            .map(|(place, output)| {
                let old_place = old.outputs.iter().position(|other| other.name == output.name);
                Column::new(output, place, old_place, acceptance.difference_of(&output.name))
            })
            .collect();
        let of_role = |role: Role| {
            let all = columns.iter().enumerate().filter(|(_, column)| column.role == role);
            all.map(|(at, column)| {
                Innovation::new(at, column.old_place, column.place, is_of_one(new, column.place))
            })
            .collect::<Vec<_>>()
        };
        let measured = new.inputs.iter().enumerate().filter(|(_, input)| input.arrival == Arrival::Event);
        Self {
            innovations: of_role(Role::Innovation),
            nis: of_role(Role::Nis),
            measured: measured.map(|(place, _)| place).collect(),
            old_outputs: old.outputs.len(),
            new_outputs: new.outputs.len(),
            inputs: new.inputs.len(),
            nis_degrees: acceptance.nis_degrees,
            nis_confidence: acceptance.nis_confidence.unwrap_or(NIS_CONFIDENCE_SHOWN),
            deadline: Duration::from_millis(acceptance.deadline_ms),
            rows: 0,
            rows_warming: 0,
            rows_unanswered: 0,
            marks: Marks::default(),
            proposals: Proposals::new(old, new, acceptance.proposals_tolerance_share),
            cost_rows: 0,
            old_cost_rows: 0,
            calls: 0,
            old_cost: Spending::default(),
            new_cost: Spending::default(),
            faults: Faults::default(),
            worst: Worst::default(),
            curves: Curves::new(&columns),
            kept: Vec::new(),
            alone: Vec::new(),
            found: Findings::default(),
            columns,
        }
    }

    /// Forgets what was counted of rows; the columns and their limits stay, and so do faults. So each phase is judged by
    /// its own rows, while no phase forgives what the candidate failed in before.
    pub fn renew(&mut self) {
        self.columns.iter_mut().for_each(Column::renew);
        self.innovations.iter_mut().chain(&mut self.nis).for_each(Innovation::renew);
        (self.rows, self.rows_warming, self.rows_unanswered) = (0, 0, 0);
        self.marks = Marks::default();
        self.proposals.renew();
        (self.cost_rows, self.old_cost_rows, self.calls) = (0, 0, 0);
        (self.old_cost, self.new_cost) = (Spending::default(), Spending::default());
        self.worst = Worst::default();
        self.curves = Curves::new(&self.columns);
    }

    /// Compares what both versions made of a frame, for the rows of twins that the candidate is warm for. An outcome of
    /// another shape than declared counts as a fault of the candidate.
    pub fn compare(
        &mut self,
        frame: &Frame,
        old: &Outcome,
        new: &Outcome,
        warm: &mut dyn FnMut(TwinIndex) -> bool,
    ) {
        self.compare_rows(frame, old, new, &mut |_, twin| match warm(twin) {
            true => Row::Compared,
            false => Row::Warming,
        });
    }

    /// As [`Self::compare`], with a word for each row of the frame.
    pub fn compare_rows(
        &mut self,
        frame: &Frame,
        old: &Outcome,
        new: &Outcome,
        word: &mut dyn FnMut(usize, TwinIndex) -> Row,
    ) {
        let rows = frame.rows();
        if !has_shape(old, rows, self.old_outputs) || !has_shape(new, rows, self.new_outputs) {
            let (twin, time) = (frame.twins.first(), frame.times.first());
            if let (Some(twin), Some(time)) = (twin, time) {
                self.fault(*twin, *time, "shape", "outcomes do not have the declared number of outputs");
            }
            return;
        }
        self.kept.clear();
        self.alone.clear();
        for (row, (place, twin)) in (0_u32..).zip(frame.twins.iter().enumerate()) {
            match word(place, *twin) {
                Row::Compared => self.kept.push(row),
                Row::Warming => self.rows_warming += 1,
                Row::Unanswered => self.alone.push(row),
                Row::LeftOut => {}
            }
        }
        self.rows += self.kept.len() as u64;
        self.rows_unanswered += self.alone.len() as u64;
        self.marks.note(frame, &self.kept, &old.alerts, &new.alerts);
        self.proposals.compare(&self.kept, &old.proposals, &new.proposals);
        for kept in self.kept.chunks(ROWS_AT_ONCE) {
            for (at, column) in self.columns.iter_mut().enumerate() {
                self.found.floor = self.worst.floor();
                column.compare(kept, old, new, &mut self.found);
                self.found.drain().for_each(|found| self.worst.note(frame, at, found));
            }
        }
        self.weigh_innovations(frame, old, new);
        self.curves.meet(frame, &self.kept);
        self.curves.follow(&self.worst);
        self.curves.note(frame, &self.kept, &self.columns, old, new);
    }

    fn weigh_innovations(&mut self, frame: &Frame, old: &Outcome, new: &Outcome) {
        if self.innovations.is_empty() && self.nis.is_empty() {
            return;
        }
        for innovation in &mut self.innovations {
            innovation.note(&self.kept, (old, new), (|_| 1, |_| 1));
            innovation.note_alone(&self.alone, new, |_| 1);
        }
        let measured: &[usize] = if frame.inputs == self.inputs { &self.measured } else { &[] };
        let innovations = &self.innovations;
        let all = self.nis_degrees;
        for nis in &mut self.nis {
            let one = nis.of_one;
            let degrees = |row, side| match (one, all) {
                (true, _) => 1,
                (false, Some(degrees)) => degrees,
                (false, None) => innovation::degrees(row, frame, measured, innovations, side),
            };
            let (of_old, of_new) = (|row| degrees(row, (Of::Old, old)), |row| degrees(row, (Of::New, new)));
            nis.note(&self.kept, (old, new), (of_old, of_new));
            nis.note_alone(&self.alone, new, of_new);
        }
    }

    /// What a call of both versions cost.
    pub fn cost(&mut self, cost: Cost) {
        self.cost_rows += cost.rows;
        self.old_cost_rows += cost.old_rows;
        self.calls += 1;
        self.old_cost.add(cost.old_fuel, cost.old_spent, self.deadline);
        self.new_cost.add(cost.new_fuel, cost.new_spent, self.deadline);
    }

    /// The candidate trapped at this row or answered it with a fault. `kind` is a word such as `trap`, `fuel` or
    /// `deadline`.
    pub fn fault(&mut self, twin: TwinIndex, row_time: Timestamp, kind: &str, message: &str) {
        self.faults.add(twin, row_time, kind, message);
    }

    /// Proposals that an interlock refused or would have refused, since the last call.
    pub fn refused_proposals(&mut self, old: u64, new: u64) {
        self.proposals.refused(old, new);
    }

    /// Adds what another shard counted for the same rollout.
    pub fn merge(&mut self, other: &Self) {
        self.columns.iter_mut().zip(&other.columns).for_each(|(mine, others)| mine.merge(others));
        self.innovations.iter_mut().zip(&other.innovations).for_each(|(mine, others)| mine.merge(others));
        self.nis.iter_mut().zip(&other.nis).for_each(|(mine, others)| mine.merge(others));
        self.rows += other.rows;
        self.rows_warming += other.rows_warming;
        self.rows_unanswered += other.rows_unanswered;
        self.marks.merge(&other.marks);
        self.proposals.merge(&other.proposals);
        self.cost_rows += other.cost_rows;
        self.old_cost_rows += other.old_cost_rows;
        self.calls += other.calls;
        self.old_cost.merge(&other.old_cost);
        self.new_cost.merge(&other.new_cost);
        self.faults.merge(&other.faults);
        self.worst.merge(&other.worst);
        self.curves.merge(&other.curves);
    }

    /// Rows that were compared, over all twins.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Compared rows of this twin, for [`crate::Progress::rows_min`].
    #[must_use]
    pub fn rows_of(&self, twin: TwinIndex) -> u64 {
        self.marks.rows(twin)
    }
}

/// Whether an output says that it is about one input: an innovation, or a NIS of one measurement.
fn is_of_one(declaration: &Declaration, place: usize) -> bool {
    let of = declaration.outputs.get(place).and_then(|output| output.of.as_deref());
    of.is_some_and(|of| declaration.inputs.iter().any(|input| input.name == of))
}

fn has_shape(outcome: &Outcome, rows: usize, outputs: usize) -> bool {
    outcome.outputs == outputs && outcome.values.len() == rows * outputs
}

/// A finite number, or none: JSON knows no others.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// A count as a number to calculate with; exact up to 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "counts of rows stay far below 2^53")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}
