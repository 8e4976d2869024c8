//! Innovations and normalised innovations squared of both versions.
//!
//! When a model holds, its innovations have mean zero, and the sum of its normalised innovations squared is
//! chi-square distributed with as many degrees of freedom as there were measurements (Bar-Shalom, Li, Kirubarajan,
//! "Estimation with Applications to Tracking and Navigation", 2001, section 5.4).

use geminus_core::{Frame, Outcome};

use super::moments::Moments;

#[derive(Clone, Debug)]
pub(super) struct Innovation {
    /// Which column of the tally it is.
    pub(super) column: usize,
    old_place: Option<usize>,
    new_place: usize,
    /// Whether it is about one input, so that a row has one degree of freedom.
    pub(super) of_one: bool,
    pub(super) old: Side,
    pub(super) new: Side,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Side {
    pub(super) moments: Moments,
    pub(super) degrees: u64,
}

impl Side {
    fn merge(&mut self, other: &Self) {
        self.moments.merge(&other.moments);
        self.degrees += other.degrees;
    }
}

/// Value of an output in a row; NaN when there is none.
pub(super) fn value(outcome: &Outcome, row: u32, place: usize) -> f64 {
    outcome.values.get(row as usize * outcome.outputs + place).copied().unwrap_or(f64::NAN)
}

impl Innovation {
    pub(super) fn new(column: usize, old_place: Option<usize>, new_place: usize, of_one: bool) -> Self {
        Self { column, old_place, new_place, of_one, old: Side::default(), new: Side::default() }
    }

    /// Forgets what was counted.
    pub(super) fn renew(&mut self) {
        (self.old, self.new) = (Side::default(), Side::default());
    }

    /// Takes in rows that only the new version has answered.
    pub(super) fn note_alone(&mut self, alone: &[u32], new: &Outcome, degrees: impl Fn(u32) -> u32) {
        note(&mut self.new, alone, new, self.new_place, &degrees);
    }

    /// Takes in the rows `kept`; `degrees` says how many degrees of freedom a row has in the old version and the new one.
    pub(super) fn note(
        &mut self,
        kept: &[u32],
        (old, new): (&Outcome, &Outcome),
        degrees: (impl Fn(u32) -> u32, impl Fn(u32) -> u32),
    ) {
        if let Some(place) = self.old_place {
            note(&mut self.old, kept, old, place, &degrees.0);
        }
        note(&mut self.new, kept, new, self.new_place, &degrees.1);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.old.merge(&other.old);
        self.new.merge(&other.new);
    }
}

fn note(side: &mut Side, kept: &[u32], outcome: &Outcome, place: usize, degrees: &impl Fn(u32) -> u32) {
    let mut sums = side.moments.sums(0.0);
    for &row in kept {
        let value = value(outcome, row, place);
        if value.is_finite() {
            sums.add(value);
            side.degrees += u64::from(degrees(row));
        }
    }
    side.moments.take(&sums);
}

/// Which of two versions.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    Old,
    New,
}

/// Degrees of freedom of a row: its measurements, by the declared arrival of the inputs; without such inputs, the
/// innovations that have a value in this version's outcome; at least 1.
pub(super) fn degrees(
    row: u32,
    frame: &Frame,
    measured: &[usize],
    innovations: &[Innovation],
    (of, outcome): (Of, &Outcome),
) -> u32 {
    let start = row as usize * frame.inputs;
    let has = |place: &&usize| frame.quality.get(start + **place).is_some_and(|quality| quality.usable());
    let gives = |innovation: &&Innovation| {
        let place = match of {
            Of::Old => innovation.old_place,
            Of::New => Some(innovation.new_place),
        };
        place.is_some_and(|place| value(outcome, row, place).is_finite())
    };
    let count = match measured.is_empty() {
        true => innovations.iter().filter(gives).count(),
        false => measured.iter().filter(has).count(),
    };
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}
