//! Both versions over time, for a few twins: the first that were seen, and those with the worst rows.
//!
//! A trace covers the whole rollout with at most [`POINTS_MAX`] points. When it is full, neighbours are joined and the
//! row with the larger difference stays; from then on a point stands for twice as many rows. So a short excursion is
//! never thinned away.

use geminus_core::{Frame, Outcome, Timestamp, TwinIndex};

use super::column::Column;
use super::innovation::value;
use super::worst::Worst;

/// Points of a trace; even.
pub(super) const POINTS_MAX: usize = 240;
/// Twins that are followed because they came first.
const FIRST_MAX: usize = 2;
/// Twins that are followed because they are worst.
const WORST_MAX: usize = 2;
/// Outputs of a twin that are followed, in declared order.
const OUTPUTS_MAX: usize = 16;
/// How much worse a twin has to be to take the place of a worst one.
const WORSE: f64 = 2.0;

/// What is followed of an output.
#[derive(Clone, Copy, Debug)]
struct Place {
    column: usize,
    old: usize,
    new: usize,
}

/// Which values are kept of a row: for each followed output, old and new.
type Values = [(f64, f64); OUTPUTS_MAX];

#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) time: Timestamp,
    pub(super) values: Values,
    score: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Trace {
    pub(super) twin: TwinIndex,
    /// Why it is followed: the score of its worst row when it was chosen, 0 for the first twins.
    score: f64,
    points: Vec<Point>,
    /// Rows that a point stands for.
    stride: u32,
    /// The point being made, and of how many rows.
    next: Option<(Point, u32)>,
}

impl Trace {
    fn new(twin: TwinIndex, score: f64) -> Self {
        Self { twin, score, points: Vec::with_capacity(POINTS_MAX), stride: 1, next: None }
    }

    fn note(&mut self, point: Point) {
        let (point, rows) = match self.next.take() {
            Some((next, rows)) if next.score >= point.score => (next, rows + 1),
            Some((_, rows)) => (point, rows + 1),
            None => (point, 1),
        };
        if rows < self.stride {
            self.next = Some((point, rows));
            return;
        }
        self.points.push(point);
        if self.points.len() == POINTS_MAX {
            self.thin();
        }
    }

    /// Half as many points, each for twice as many rows.
    fn thin(&mut self) {
        let worse =
            |pair: &[Point]| pair.iter().copied().reduce(|a, b| if b.score > a.score { b } else { a });
        let mut kept = 0;
        for at in 0..self.points.len() / 2 {
            let Some(point) = self.points.get(2 * at..2 * at + 2).and_then(worse) else { continue };
            if let Some(place) = self.points.get_mut(at) {
                *place = point;
                kept = at + 1;
            }
        }
        self.points.truncate(kept);
        self.stride = self.stride.saturating_mul(2);
    }

    pub(super) fn points(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().chain(self.next.as_ref().map(|(point, _)| point))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Curves {
    places: Vec<Place>,
    first: Vec<Trace>,
    worst: Vec<Trace>,
}

impl Curves {
    pub(super) fn new(columns: &[Column]) -> Self {
        let both = columns.iter().enumerate().filter_map(|(at, column)| {
            column.old_place.map(|old| Place { column: at, old, new: column.place })
        });
        Self { places: both.take(OUTPUTS_MAX).collect(), first: Vec::new(), worst: Vec::new() }
    }

    /// Chooses the first twins, as long as there are too few.
    pub(super) fn meet(&mut self, frame: &Frame, kept: &[u32]) {
        if self.first.len() == FIRST_MAX {
            return;
        }
        for twin in kept.iter().filter_map(|row| frame.twins.get(*row as usize)) {
            if self.first.len() < FIRST_MAX && self.first.iter().all(|trace| trace.twin != *twin) {
                self.first.push(Trace::new(*twin, 0.0));
            }
        }
    }

    /// Chooses the worst twins anew.
    pub(super) fn follow(&mut self, worst: &Worst) {
        let mut seen: [Option<TwinIndex>; WORST_MAX] = [None; WORST_MAX];
        for row in worst.rows() {
            if seen.contains(&Some(row.twin)) {
                continue;
            }
            let Some(place) = seen.iter_mut().find(|place| place.is_none()) else { return };
            *place = Some(row.twin);
            if self.traces().any(|trace| trace.twin == row.twin) {
                continue;
            }
            let fresh = || Trace::new(row.twin, row.score);
            if self.worst.len() < WORST_MAX {
                self.worst.push(fresh());
                continue;
            }
            let lowest = self.worst.iter_mut().min_by(|a, b| a.score.total_cmp(&b.score));
            if let Some(trace) = lowest.filter(|trace| row.score > WORSE * trace.score) {
                *trace = fresh();
            }
        }
    }

    /// Follows the chosen twins through a frame.
    pub(super) fn note(
        &mut self,
        frame: &Frame,
        kept: &[u32],
        columns: &[Column],
        old: &Outcome,
        new: &Outcome,
    ) {
        for &row in kept {
            let at = row as usize;
            let (Some(twin), Some(time)) = (frame.twins.get(at), frame.times.get(at)) else { continue };
            let known = self.first.iter_mut().chain(&mut self.worst).find(|trace| trace.twin == *twin);
            if let Some(trace) = known {
                trace.note(point(&self.places, row, *time, columns, old, new));
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for trace in &other.first {
            if self.first.len() < FIRST_MAX && self.traces().all(|mine| mine.twin != trace.twin) {
                self.first.push(trace.clone());
            }
        }
        for trace in &other.worst {
            if self.traces().all(|mine| mine.twin != trace.twin) {
                self.worst.push(trace.clone());
            }
        }
        self.worst.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.worst.truncate(WORST_MAX);
    }

    pub(super) fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.first.iter().chain(&self.worst)
    }

    /// Columns of the tally that are followed, in the order of a point's values.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        self.places.iter().map(|place| place.column)
    }
}

fn point(
    places: &[Place],
    row: u32,
    time: Timestamp,
    columns: &[Column],
    old: &Outcome,
    new: &Outcome,
) -> Point {
    let mut point = Point { time, values: [(f64::NAN, f64::NAN); OUTPUTS_MAX], score: 0.0 };
    for (slot, place) in point.values.iter_mut().zip(places) {
        *slot = (value(old, row, place.old), value(new, row, place.new));
        let score = columns.get(place.column).map_or(0.0, |column| column.score(slot.0, slot.1));
        point.score = point.score.max(score);
    }
    point
}
