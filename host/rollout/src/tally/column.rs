//! One output of both versions: how far they lie apart, and where they have no value.

use geminus_core::Outcome;
use geminus_core::declaration::{Output, Role};

use super::moments::Moments;
use super::{finite, number};
use crate::{Difference, OutputEvidence};

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) role: Role,
    /// Place in the new version's outcome.
    pub(super) place: usize,
    /// Place in the running version's outcome, if it has this output.
    pub(super) old_place: Option<usize>,
    pub(super) allowed: Option<Difference>,
    pub(super) rows: u64,
    equal: u64,
    absolute_sum: f64,
    pub(super) absolute_max: f64,
    relative_max: f64,
    /// Of the differences.
    apart: Moments,
    /// Of the running version's values: the yardstick where there is no limit.
    spread: Moments,
    pub(super) beyond: u64,
    nan_old: u64,
    nan_new: u64,
    pub(super) nan_extra: u64,
}

/// A row of a frame in which the versions differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) row: u32,
    pub(super) old: f64,
    pub(super) new: f64,
    /// Difference over limit; infinite when only one has a value.
    pub(super) score: f64,
}

/// Rows of a frame and output that may belong to the worst: the first [`FOUND_MAX`] beyond the floor, and the worst of
/// all.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    /// Only what is worse is noted.
    pub(super) floor: f64,
    first: Vec<Found>,
    worst: Option<Found>,
}

/// Rows of a frame and output that are looked at one by one; so an outcome in which every row is worse than the one
/// before costs no more than another.
const FOUND_MAX: usize = 32;

impl Findings {
    #[cold]
    fn note(&mut self, found: Found) {
        if self.first.len() < FOUND_MAX {
            self.first.push(found);
        } else if self.worst.is_none_or(|worst| found.score > worst.score) {
            self.worst = Some(found);
        }
    }

    /// Takes them out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Found> {
        self.first.drain(..).chain(self.worst.take())
    }
}

impl Column {
    pub(super) fn new(
        output: &Output,
        place: usize,
        old_place: Option<usize>,
        allowed: Option<Difference>,
    ) -> Self {
        Self {
            name: output.name.clone(),
            unit: output.unit.clone(),
            role: output.role,
            place,
            old_place,
            allowed,
            rows: 0,
            equal: 0,
            absolute_sum: 0.0,
            absolute_max: 0.0,
            relative_max: 0.0,
            apart: Moments::default(),
            spread: Moments::default(),
            beyond: 0,
            nan_old: 0,
            nan_new: 0,
            nan_extra: 0,
        }
    }

    /// Forgets what was counted.
    pub(super) fn renew(&mut self) {
        (self.rows, self.equal, self.beyond) = (0, 0, 0);
        (self.absolute_sum, self.absolute_max, self.relative_max) = (0.0, 0.0, 0.0);
        (self.apart, self.spread) = (Moments::default(), Moments::default());
        (self.nan_old, self.nan_new, self.nan_extra) = (0, 0, 0);
    }

    /// How far `new` lies from `old`, as a multiple of the limit or of the output's spread; infinite when only one of
    /// them is a number, 0 when none is.
    pub(super) fn score(&self, old: f64, new: f64) -> f64 {
        match (old.is_finite(), new.is_finite()) {
            (true, true) => over((new - old).abs(), self.yardstick(old)),
            (false, false) => 0.0,
            _ => f64::INFINITY,
        }
    }

    fn yardstick(&self, old: f64) -> f64 {
        match self.allowed {
            Some(allowed) => allowed.allowed(old),
            None => yardstick_of(&self.spread),
        }
    }

    /// Takes in the rows `kept` of a frame, and notes in `found` those that differ by more than its floor.
    pub(super) fn compare(&mut self, kept: &[u32], old: &Outcome, new: &Outcome, found: &mut Findings) {
        let Some(old_place) = self.old_place else { return self.count_missing(kept, new) };
        let pairs = Pairs { kept, old, old_place, new, new_place: self.place };
        match self.allowed {
            Some(allowed) => self.weigh(&pairs, |old| allowed.allowed(old), 1, found),
            None => {
                // Before the first rows there is no spread to hold them against but their own.
                let spread = match self.spread.rows {
                    0 => yardstick_of(&pairs.spread()),
                    _ => yardstick_of(&self.spread),
                };
                self.weigh(&pairs, |_| spread, 0, found);
            }
        }
    }

    /// The hot loop: sums stay in registers and are joined once for each call; what equal values cannot change is not
    /// looked at for them. `limited` is 1 when the yardstick is a limit.
    fn weigh(
        &mut self,
        pairs: &Pairs<'_>,
        yardstick: impl Fn(f64) -> f64,
        limited: u64,
        found: &mut Findings,
    ) {
        let (mut apart, mut spread) = (self.apart.sums(0.0), self.spread.sums(pairs.first()));
        let (mut sum, mut absolute_max, mut relative_max) = (0.0, self.absolute_max, self.relative_max);
        let (mut equal, mut beyond, floor) = (0, 0, found.floor);
        for (row, before, after) in pairs.iter() {
            equal += u64::from(before.to_bits() == after.to_bits());
            if !(before.is_finite() && after.is_finite()) {
                if before.is_finite() {
                    spread.add(before);
                }
                self.note_missing(row, before, after, limited, found);
                continue;
            }
            let difference = after - before;
            let absolute = difference.abs();
            spread.add(before);
            apart.add(difference);
            sum += absolute;
            absolute_max = f64::max(absolute_max, absolute);
            if absolute > 0.0 {
                // Divisions are slow, so they are made only for what is a new maximum or comes among the worst.
                if before != 0.0 && absolute > relative_max * before.abs() {
                    relative_max = f64::max(relative_max, absolute / before.abs());
                }
                let yard = yardstick(before);
                beyond += limited * u64::from(absolute > yard);
                if absolute > floor * yard {
                    let score = over(absolute, yard);
                    if score > floor {
                        found.note(Found { row, old: before, new: after, score });
                    }
                }
            }
        }
        self.rows += pairs.kept.len() as u64;
        self.equal += equal;
        self.beyond += beyond;
        self.apart.take(&apart);
        self.spread.take(&spread);
        self.absolute_sum += sum;
        self.absolute_max = absolute_max;
        self.relative_max = relative_max;
    }

    /// At least one of them has no value. Two missing values are equal, whatever their bits.
    #[cold]
    fn note_missing(&mut self, row: u32, before: f64, after: f64, limited: u64, found: &mut Findings) {
        self.nan_old += u64::from(!before.is_finite());
        self.nan_new += u64::from(!after.is_finite());
        if before.is_finite() == after.is_finite() {
            self.equal += u64::from(before.to_bits() != after.to_bits());
            return;
        }
        self.nan_extra += u64::from(before.is_finite());
        self.beyond += limited;
        if found.floor < f64::INFINITY {
            found.note(Found { row, old: before, new: after, score: f64::INFINITY });
        }
    }

    /// The running version has no such output: all that can be said is whether the new one gives values.
    fn count_missing(&mut self, kept: &[u32], new: &Outcome) {
        let pairs = Pairs { kept, old: new, old_place: self.place, new, new_place: self.place };
        self.rows += kept.len() as u64;
        self.nan_new += pairs.iter().map(|(_, _, after)| u64::from(!after.is_finite())).sum::<u64>();
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.equal += other.equal;
        self.absolute_sum += other.absolute_sum;
        self.absolute_max = self.absolute_max.max(other.absolute_max);
        self.relative_max = self.relative_max.max(other.relative_max);
        self.apart.merge(&other.apart);
        self.spread.merge(&other.spread);
        self.beyond += other.beyond;
        self.nan_old += other.nan_old;
        self.nan_new += other.nan_new;
        self.nan_extra += other.nan_extra;
    }

    pub(super) fn evidence(&self) -> OutputEvidence {
        let known = |value: f64| (self.apart.rows > 0).then_some(value).and_then(finite);
        OutputEvidence {
            output: self.name.clone(),
            unit: self.unit.clone(),
            role: self.role,
            compared: self.old_place.is_some(),
            rows: self.rows,
            equal: self.equal,
            difference_mean: known(self.absolute_sum / number(self.apart.rows)),
            difference_max: known(self.absolute_max),
            difference_rms: known(self.apart.rms()),
            bias: known(self.apart.mean),
            // Where they differ only in rows whose value was 0, there is nothing that it could be a part of.
            relative_max: known(self.relative_max).filter(|part| *part > 0.0 || self.absolute_max == 0.0),
            allowed: self.allowed,
            beyond: self.beyond,
            nan_old: self.nan_old,
            nan_new: self.nan_new,
            nan_extra: self.nan_extra,
        }
    }
}

/// What differences are held against where there is no limit.
fn yardstick_of(spread: &Moments) -> f64 {
    let sigma = spread.sigma();
    if sigma > 0.0 { sigma } else { spread.mean.abs().max(f64::MIN_POSITIVE) }
}

/// A difference as a multiple of its yardstick; finite, so that a missing value stays the worst of all.
fn over(absolute: f64, yardstick: f64) -> f64 {
    if absolute > 0.0 { (absolute / yardstick).min(f64::MAX) } else { 0.0 }
}

/// One output of both outcomes, over the rows that are compared. The caller has checked that both outcomes hold
/// rows × outputs values.
struct Pairs<'a> {
    kept: &'a [u32],
    old: &'a Outcome,
    old_place: usize,
    new: &'a Outcome,
    new_place: usize,
}

impl Pairs<'_> {
    /// The running version's first value; 0 when it has none.
    fn first(&self) -> f64 {
        self.iter().map(|(_, before, _)| before).find(|before| before.is_finite()).unwrap_or(0.0)
    }

    /// Of the running version's values.
    fn spread(&self) -> Moments {
        let mut spread = Moments::default();
        let mut sums = spread.sums(self.first());
        let values = self.iter().map(|(_, before, _)| before);
        values.filter(|before| before.is_finite()).for_each(|before| sums.add(before));
        spread.take(&sums);
        spread
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "Tally::compare checks the shape of both outcomes")]
    fn iter(&self) -> impl Iterator<Item = (u32, f64, f64)> {
        let (old, new) = (&self.old.values[..], &self.new.values[..]);
        let (old_outputs, new_outputs) = (self.old.outputs, self.new.outputs);
        let (old_place, new_place) = (self.old_place, self.new_place);
        self.kept.iter().map(move |&row| {
            let at = row as usize;
            (row, old[at * old_outputs + old_place], new[at * new_outputs + new_place])
        })
    }
}
