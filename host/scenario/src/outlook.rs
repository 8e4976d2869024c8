//! The rows that come when nothing changes: held inputs keep their values, a row at every interval.

use std::time::Duration;

use geminus_core::declaration::Arrival;
use geminus_core::{Declaration, Frame, Quality, Timestamp, TwinIndex};

use crate::study::Measurements;

/// Rows in one frame: bounds how long a call of the behavior takes. No outcome depends on it.
pub const ROWS_PER_CALL: usize = 256;

/// What an input held when the fork was taken, in the declared unit; NaN and missing when nothing.
pub type Held = (f64, Quality);

/// Rows ahead of a moment.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// Whose rows.
    pub twin: TwinIndex,
    /// The row before the first.
    pub start: Timestamp,
    /// Time between two rows, at least a nanosecond.
    pub every: Duration,
    /// How many.
    pub rows: u64,
    /// By input.
    pub held: Vec<Held>,
    /// What is assumed of inputs whose values count once.
    pub measurements: Measurements,
}

impl Outlook {
    /// The rows, in frames of at most [`ROWS_PER_CALL`].
    #[must_use]
    pub fn frames(&self, declaration: &Declaration) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut frame = Frame::new(declaration.inputs.len());
        let every = u64::try_from(self.every.as_nanos()).unwrap_or(u64::MAX).max(1);
        for row in 1..=self.rows {
            let ahead = every.saturating_mul(row);
            frame.twins.push(self.twin);
            frame.times.push(Timestamp(self.start.0.saturating_add(ahead)));
            for (place, input) in declaration.inputs.iter().enumerate() {
                let counts_once = input.arrival == Arrival::Event;
                let held = self.held.get(place).copied().filter(|(value, _)| value.is_finite());
                let held = held.filter(|_| !counts_once || self.measurements == Measurements::Held);
                let (value, quality) = held.unwrap_or((f64::NAN, Quality::Missing));
                frame.values.push(value);
                frame.quality.push(quality);
                if declaration.ages {
                    let age = if counts_once { 0 } else { ahead / 1_000_000 };
                    let age = if held.is_some() { age } else { u64::MAX };
                    frame.ages_ms.push(u32::try_from(age).unwrap_or(u32::MAX));
                }
            }
            if frame.rows() == ROWS_PER_CALL {
                frames.push(std::mem::replace(&mut frame, Frame::new(declaration.inputs.len())));
            }
        }
        if !frame.is_empty() {
            frames.push(frame);
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warp::tests::declaration;

    #[test]
    fn held_inputs_go_on_and_measurements_come_only_where_they_are_assumed() {
        let mut outlook = Outlook {
            twin: TwinIndex(3),
            start: Timestamp(1_000_000_000),
            every: Duration::from_millis(500),
            rows: ROWS_PER_CALL as u64 + 1,
            held: vec![(2.5, Quality::Uncertain), (7.0, Quality::Good)],
            measurements: Measurements::Missing,
        };
        let frames = outlook.frames(&declaration());
        assert_eq!(frames.iter().map(Frame::rows).collect::<Vec<_>>(), [ROWS_PER_CALL, 1]);
        assert_eq!(frames[0].times[..2], [Timestamp(1_500_000_000), Timestamp(2_000_000_000)]);
        assert_eq!(frames[1].twins, [TwinIndex(3)]);
        assert_eq!(
            frames[0].quality[..4],
            [Quality::Uncertain, Quality::Missing, Quality::Uncertain, Quality::Missing]
        );
        assert!(frames[0].values[0] == 2.5 && frames[0].values[1].is_nan());
        outlook.measurements = Measurements::Held;
        assert_eq!(outlook.frames(&declaration())[0].values[..4], [2.5, 7.0, 2.5, 7.0]);
        outlook.held.clear();
        assert_eq!(outlook.frames(&declaration())[0].quality[..2], [Quality::Missing; 2]);
    }
}
