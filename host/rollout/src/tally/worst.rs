//! The rows with the largest differences, at most one for each twin and output.

use geminus_core::{Frame, Timestamp, TwinIndex};

use super::column::Found;

/// Rows that are kept.
pub(super) const WORST_MAX: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) twin: TwinIndex,
    pub(super) time: Timestamp,
    pub(super) column: usize,
    pub(super) old: f64,
    pub(super) new: f64,
    pub(super) score: f64,
}

/// Worst first.
#[derive(Clone, Debug, Default)]
pub(super) struct Worst(Vec<Row>);

impl Worst {
    /// What a row has to exceed to be kept.
    pub(super) fn floor(&self) -> f64 {
        if self.0.len() < WORST_MAX { 0.0 } else { self.0.last().map_or(0.0, |row| row.score) }
    }

    /// Notes a row of a column in this frame.
    pub(super) fn note(&mut self, frame: &Frame, column: usize, found: Found) {
        let at = found.row as usize;
        if let (Some(twin), Some(time)) = (frame.twins.get(at), frame.times.get(at)) {
            let Found { old, new, score, .. } = found;
            self.keep(Row { twin: *twin, time: *time, column, old, new, score });
        }
    }

    fn keep(&mut self, row: Row) {
        let same = |other: &Row| other.twin == row.twin && other.column == row.column;
        match self.0.iter().position(same) {
            Some(place) if self.0.get(place).is_some_and(|other| other.score >= row.score) => return,
            Some(place) => drop(self.0.remove(place)),
            None if self.0.len() < WORST_MAX => {}
            None if self.0.last().is_some_and(|last| last.score >= row.score) => return,
            None => drop(self.0.pop()),
        }
        let place = self.0.partition_point(|other| other.score >= row.score);
        self.0.insert(place, row);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|row| self.keep(*row));
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.0
    }
}
