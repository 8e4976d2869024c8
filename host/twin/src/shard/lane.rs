//! The rows of one binding on their way out: those that can be stepped, and those that wait.

use std::time::Duration;

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
    /// Nanoseconds that a row took lately; `None` before the first.
    row_ns: Option<u64>,
}

/// A row's time is held as the mean over about so many frames.
const FRAMES_MEANT: u64 = 8;

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
            row_ns: None,
        }
    }

    /// So many of its rows took so long.
    pub(super) fn took(&mut self, rows: usize, spent: Duration) {
        let spent = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        let row_ns = spent / (rows as u64).max(1);
        self.row_ns = Some(match self.row_ns {
            // Trusted more slowly than it is suspected.
            Some(before) if row_ns < before => before - (before - row_ns) / FRAMES_MEANT,
            _ => row_ns,
        });
    }

    /// How long its next frame will take by what its rows took lately; what is not known may take any time.
    pub(super) fn expected_ns(&self, rows_max: usize) -> u64 {
        let rows = self.left().min(rows_max) as u64;
        self.row_ns.map_or(u64::MAX, |row_ns| row_ns.saturating_mul(rows))
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

#[cfg(test)]
mod tests {
    use geminus_core::{Timestamp, TwinIndex};

    use super::*;

    fn lane(rows: u32) -> Lane {
        let mut ready = Frame::new(0);
        ready.twins.extend((0..rows).map(TwinIndex));
        ready.times.extend((0..rows).map(|row| Timestamp(u64::from(row))));
        Lane { ready, given: 0, waiting: Waiting::new(0, 0), due: Deadlines::default(), row_ns: None }
    }

    #[test]
    fn what_a_frame_will_take_is_told_by_what_its_rows_took() {
        let mut lane = lane(100);
        assert_eq!(lane.expected_ns(10), u64::MAX, "nothing is known");
        lane.took(10, Duration::from_nanos(4_000));
        assert_eq!((lane.expected_ns(10), lane.expected_ns(1_000)), (4_000, 40_000));
        lane.took(1, Duration::from_millis(1));
        assert_eq!(lane.expected_ns(1), 1_000_000, "one slow frame is enough for suspicion");
        lane.took(1, Duration::ZERO);
        assert_eq!(lane.expected_ns(1), 875_000);
        for _ in 0..200 {
            lane.took(1, Duration::from_nanos(400));
        }
        assert!(lane.expected_ns(1) < 500, "and many fast ones end it: {}", lane.expected_ns(1));
    }

    #[test]
    fn more_than_a_number_can_hold_is_the_most_it_can() {
        let mut lane = lane(3);
        lane.took(0, Duration::MAX);
        assert_eq!(lane.expected_ns(2), u64::MAX);
    }
}
