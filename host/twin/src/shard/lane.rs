//! The rows of one binding on their way out: those that can be stepped, and those that wait.

use geminus_core::Frame;

use super::deadline::Deadlines;
use super::layout::Layout;
use super::waiting::Waiting;
use crate::plant::Plant;

/// Rows of one binding that wait to be stepped, and those that wait for another behavior.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) ready: Frame,
    /// Rows of `ready` that were given out already.
    given: usize,
    pub(super) waiting: Waiting,
    pub(super) due: Deadlines,
}

impl Lane {
    pub(super) fn new(plant: &Plant, layouts: &[Layout], place: usize) -> Self {
        let inputs = plant.bindings.get(place).map_or(0, |binding| binding.declaration.inputs.len());
        let stages = layouts.iter().filter_map(|layout| layout.stages.get(layout.stage_of(place)?));
        let upstreams = stages.map(|stage| stage.upstreams.len()).max().unwrap_or(0);
        Self {
            ready: Frame::new(inputs),
            given: 0,
            waiting: Waiting::new(inputs, upstreams),
            due: Deadlines::default(),
        }
    }

    pub(super) fn left(&self) -> usize {
        self.ready.rows() - self.given
    }

    pub(super) fn give(&mut self, rows_max: usize, spare: Option<Frame>) -> Frame {
        let mut frame = spare.unwrap_or_default();
        frame.inputs = self.ready.inputs;
        if self.given == 0 && self.ready.rows() <= rows_max {
            std::mem::swap(&mut frame, &mut self.ready);
            return frame;
        }
        let to = (self.given + rows_max).min(self.ready.rows());
        frame.extend_from(&self.ready, self.given, to);
        self.given = to;
        if self.given == self.ready.rows() {
            self.ready.clear();
            self.given = 0;
        }
        frame
    }
}
