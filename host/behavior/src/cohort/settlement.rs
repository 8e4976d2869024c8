//! From answers to the outcome of a frame: quality worsened by inputs and warm-up, rows put back to where they came
//! from, refused rows reported, accounts kept.

use geminus_core::declaration::Role;
use geminus_core::{Alert, Declaration, Frame, Outcome, Proposal, Quality};

use crate::answer::Answers;
use crate::cohort::Cohort;
use crate::flood::{Flood, Rule};
use crate::trouble::TwinFault;

impl Cohort {
    /// Makes the outcome of the frame from the answers for the work, and keeps accounts.
    pub(super) fn settle(
        &mut self,
        frame: &Frame,
        start: usize,
        mut answers: Answers,
        faults: &mut Vec<TwinFault>,
    ) -> (Outcome, u64) {
        let declaration = self.compiled.declaration().clone();
        let outputs = declaration.outputs.len();
        let work = self.log.columns().part(start, self.log.rows());
        let warm_up = u64::from(declaration.warm_up_rows);
        let converged = convergence(&declaration);
        let mut cold = Vec::new();
        let answered = answers.values.chunks(outputs).zip(answers.quality.chunks_mut(outputs));
        let rows = work.slots.iter().zip(work.quality_rows()).zip(answered).zip(0..);
        let mut refused = answers.refused.iter().map(|&(row, _)| row).peekable();
        for (((&slot, inputs), (values, quality)), row) in rows {
            if refused.next_if_eq(&(row as usize)).is_some() {
                continue;
            }
            self.rows += 1;
            let warm = self.slots.pace_mut(slot).is_some_and(|pace| {
                pace.rows += 1;
                pace.converged =
                    converged.is_some_and(|output| says_yes(values.get(output), quality.get(output)));
                pace.rows > warm_up && (pace.converged || converged.is_none())
            });
            if !warm {
                cold.push(row);
            }
            if !warm || inputs.iter().any(|&input| tainting(input)) {
                quality.iter_mut().for_each(|quality| *quality = quality.worse(Quality::Uncertain));
            }
        }
        let proposed = answers.proposals.len();
        if !cold.is_empty() {
            answers.proposals.retain(|proposal| cold.binary_search(&proposal.row).is_err());
        }
        let inhibited = (proposed - answers.proposals.len()) as u64;
        self.book_not_finite(start, &answers);
        self.strike_refused(start, &mut answers, faults);
        (self.outcome(frame, answers), inhibited)
    }

    /// Enters outputs that should have been numbers, by whose row they are of.
    fn book_not_finite(&self, start: usize, answers: &Answers) {
        for (row, count) in &answers.not_finite {
            let slot = self.log.columns().slots.get(start + row).copied();
            let twin = slot.and_then(|slot| self.slots.twin(slot));
            self.meter.enter_flood(Flood { twin, rule: Rule::NotFinite, limit: 0, count: *count });
        }
    }

    /// Rows that the behavior answered with a fault are reported and leave no trace in the log.
    fn strike_refused(&mut self, start: usize, answers: &mut Answers, faults: &mut Vec<TwinFault>) {
        if answers.refused.is_empty() {
            return;
        }
        let refused = std::mem::take(&mut answers.refused);
        for (row, trouble) in &refused {
            let slot = self.log.columns().slots.get(start + row).copied().unwrap_or(u32::MAX);
            let Some(twin) = self.slots.twin(slot) else { continue };
            let (kind, message) = (trouble.kind, trouble.message.clone());
            faults.push(TwinFault {
                twin,
                row: Some(self.frame_row(*row)),
                kind,
                message,
                quarantined: false,
            });
        }
        let mut refused = refused.iter().map(|(row, _)| start + row).peekable();
        self.log.retain(|row, _| refused.next_if_eq(&row).is_none());
    }

    /// Row of the frame that row `row` of the work came from.
    pub(super) fn frame_row(&self, row: usize) -> u32 {
        self.origin.get(row).copied().unwrap_or_else(|| u32::try_from(row).unwrap_or(u32::MAX))
    }

    fn outcome(&self, frame: &Frame, answers: Answers) -> Outcome {
        let outputs = self.compiled.declaration().outputs.len();
        let Answers { values, quality, mut alerts, mut proposals, .. } = answers;
        if self.origin.is_empty() && values.len() == frame.rows() * outputs {
            return Outcome { outputs, values, quality, alerts, proposals };
        }
        let cells = frame.rows() * outputs;
        let mut all = Outcome {
            outputs,
            values: vec![f64::NAN; cells],
            quality: vec![Quality::Bad; cells],
            ..Outcome::default()
        };
        let rows = values.chunks(outputs).zip(quality.chunks(outputs));
        for ((values, quality), row) in rows.zip(0..) {
            let from = self.frame_row(row) as usize * outputs;
            if let Some(place) = all.values.get_mut(from..from + outputs) {
                place.copy_from_slice(values);
            }
            if let Some(place) = all.quality.get_mut(from..from + outputs) {
                place.copy_from_slice(quality);
            }
        }
        alerts.iter_mut().for_each(|Alert { row, .. }| *row = self.frame_row(*row as usize));
        proposals.iter_mut().for_each(|Proposal { row, .. }| *row = self.frame_row(*row as usize));
        (all.alerts, all.proposals) = (alerts, proposals);
        all
    }
}

/// The output with which a behavior says that it may be trusted, when it declares one.
pub(super) fn convergence(declaration: &Declaration) -> Option<usize> {
    declaration.outputs.iter().position(|output| output.role == Role::Converged)
}

/// Whether that output says so: 1, and usable.
fn says_yes(value: Option<&f64>, quality: Option<&Quality>) -> bool {
    value == Some(&1.0) && quality.is_some_and(|quality| quality.usable())
}

/// Uncertain, bad and stale inputs make what is derived in their row uncertain. A missing one does not: it is
/// the normal case of an input that is measured more rarely, and the behavior itself knows what it then does.
fn tainting(input: u8) -> bool {
    (Quality::Uncertain as u8..=Quality::Stale as u8).contains(&input)
}
