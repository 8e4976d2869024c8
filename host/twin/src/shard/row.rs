//! Rows: when they open, what belongs to them, when they close, and what they hold.
//!
//! All of it happens in the time of the samples, so that it does not depend on how they were batched. A closing row
//! of an upstream behavior counts at once as "its outputs have a value at that time" for those that need them; the
//! values themselves follow when the outcome is applied.

use geminus_core::unit::Conversion;
use geminus_core::{Quality, Timestamp};

use super::layout::{Feed, From, Input, Layout, Stage};
use super::waiting::{Cell, List, WaitingRow};
use super::{CLOSED, Moment, NONE, Shard};

/// State of one (twin, behavior).
#[derive(Clone, Copy, Debug)]
pub(super) struct RowState {
    /// Time of the open row, or `CLOSED`.
    pub(super) open: u64,
    /// Monotonic time when it opened.
    pub(super) opened: u64,
    /// Inputs that have a value in the open row.
    pub(super) seen: u64,
    /// Time of the last closed row, 0 before the first.
    pub(super) last: u64,
    /// Samples up to this time belonged to the last closed row.
    pub(super) last_end: u64,
    /// Time of the last row whose outcome was applied.
    pub(super) applied: u64,
    /// Monotonic time when the last row closed.
    pub(super) heard: u64,
    /// Wall time when the last outcome was applied.
    pub(super) applied_at: u64,
    pub(super) closed: u64,
    pub(super) stepped: u64,
    pub(super) waiting: List,
    /// Alerts that the last row raised, and those that the journal knows of.
    pub(super) active: u64,
    pub(super) announced: u64,
    /// Whether the deadline queue holds an entry for it.
    pub(super) queued: bool,
    pub(super) dirty: bool,
    /// Whether its outputs are those of an earlier run.
    pub(super) recalled: bool,
}

impl Default for RowState {
    fn default() -> Self {
        Self {
            open: CLOSED,
            opened: 0,
            seen: 0,
            last: 0,
            last_end: 0,
            applied: 0,
            heard: 0,
            applied_at: 0,
            closed: 0,
            stepped: 0,
            waiting: List::default(),
            active: 0,
            announced: 0,
            queued: false,
            dirty: false,
            recalled: false,
        }
    }
}

#[expect(clippy::indexing_slicing, reason = "places come from the layout, by which all columns were sized")]
impl Shard {
    /// A value of `feed` at `time` is coming: closes the row that it ends. Called before the value is stored, so that
    /// the row holds what was known in its own time.
    pub(super) fn before(&mut self, layout: &Layout, twin: usize, feed: Feed, time: u64, now: Moment) {
        let stage = &layout.stages[feed.stage];
        let row = &self.rows[self.twins[twin].first_row as usize + feed.stage];
        if row.open == CLOSED || time <= row.open {
            return;
        }
        if time > row.open.saturating_add(stage.align_ns) {
            self.close(layout, twin, feed.stage, stage.align_ns, now);
        } else if row.seen & feed.bits & stage.event != 0 {
            // A second event inside the alignment window starts a row of its own: events count once each.
            self.close(layout, twin, feed.stage, 0, now);
        }
    }

    /// A value of `feed` at `time` is there: opens a row for it or adds it to the open one.
    pub(super) fn after(&mut self, layout: &Layout, twin: usize, feed: Feed, time: u64, now: Moment) {
        let stage = &layout.stages[feed.stage];
        let place = self.twins[twin].first_row as usize + feed.stage;
        let row = &mut self.rows[place];
        let missed = if row.open == CLOSED { time <= row.last_end } else { time < row.open };
        if missed {
            self.counters.missed += u64::from(feed.bits & stage.event != 0);
            return;
        }
        if row.open == CLOSED {
            (row.open, row.opened, row.seen) = (time, now.monotonic, 0);
            if !row.queued {
                row.queued = true;
                self.lanes[stage.binding].due.push(now.monotonic + stage.wait_ns, twin as u32);
            }
        }
        row.seen |= feed.bits;
        if row.seen & stage.need == stage.need {
            self.close(layout, twin, feed.stage, stage.align_ns, now);
        }
    }

    /// Closes rows of a binding that have waited long enough.
    pub(super) fn close_waited(&mut self, layouts: &[Layout], lane: usize, now: Moment) {
        while let Some((_, twin)) = self.lanes[lane].due.pop_due(now.monotonic) {
            let state = &self.twins[twin as usize];
            let layout = &layouts[state.layout as usize];
            let Some(place) = layout.stage_of(lane) else { continue };
            let stage = &layout.stages[place];
            let row = &mut self.rows[state.first_row as usize + place];
            let due = row.opened + stage.wait_ns;
            row.queued = row.open != CLOSED && due > now.monotonic;
            if row.queued {
                self.lanes[lane].due.push(due, twin);
            } else if row.open != CLOSED {
                self.close(layout, twin as usize, place, stage.align_ns, now);
            }
        }
    }

    /// Closes the open rows of a twin, upstream first.
    pub(super) fn close_open(&mut self, layouts: &[Layout], twin: usize, now: Moment) {
        let layout = &layouts[self.twins[twin].layout as usize];
        for (place, stage) in layout.stages.iter().enumerate() {
            if self.rows[self.twins[twin].first_row as usize + place].open != CLOSED {
                self.close(layout, twin, place, stage.align_ns, now);
            }
        }
    }

    /// A row that history has already (see [`Shard::remember`]) closes for the sake of what follows it, and is not given out.
    pub(super) fn close(&mut self, layout: &Layout, twin: usize, place: usize, align_ns: u64, now: Moment) {
        let stage = &layout.stages[place];
        let row = &mut self.rows[self.twins[twin].first_row as usize + place];
        let time = row.open;
        row.open = CLOSED;
        row.last = time;
        row.last_end = time.saturating_add(align_ns);
        row.heard = now.monotonic;
        if time > row.applied {
            row.closed += 1;
            self.counters.rows += 1;
            self.capture(layout, twin, place, time, now);
        }
        for feed in &stage.dependents {
            self.before(layout, twin, *feed, time, now);
            self.after(layout, twin, *feed, time, now);
        }
    }

    /// Puts a closed row into the binding's frame, or aside when it needs outputs that are not there yet.
    fn capture(&mut self, layout: &Layout, twin: usize, place: usize, time: u64, now: Moment) {
        let stage = &layout.stages[place];
        let state = &self.twins[twin];
        let (index, first_row) = (state.index, state.first_row as usize);
        let seen = self.rows[first_row + place].seen;
        let under_way = |upstream: &usize| {
            let row = &self.rows[first_row + upstream];
            row.last > row.applied
        };
        let left = stage.upstreams.iter().filter(|upstream| under_way(upstream)).count();
        if left == 0 {
            return self.push_row(layout, twin, stage, time, seen, now);
        }
        let binding = stage.binding;
        let mut list = self.rows[first_row + place].waiting;
        let row = WaitingRow { twin: index, time, seen, left: left as u32, next: NONE };
        let waiting = self.lanes[binding].waiting.add(&mut list, row);
        self.rows[first_row + place].waiting = list;
        for (lane, upstream) in stage.upstreams.iter().enumerate() {
            let row = &self.rows[first_row + upstream];
            let need = if row.last > row.applied { row.last } else { 0 };
            *self.lanes[binding].waiting.need(waiting, lane) = need;
        }
        for (column, input) in stage.inputs.iter().enumerate() {
            let cell = self.cell(layout, twin, stage, input, time, seen, now);
            *self.lanes[binding].waiting.cell(waiting, column) = cell;
        }
    }

    fn push_row(&mut self, layout: &Layout, twin: usize, stage: &Stage, time: u64, seen: u64, now: Moment) {
        let mut frame = std::mem::take(&mut self.lanes[stage.binding].ready);
        frame.twins.push(self.twins[twin].index);
        frame.times.push(Timestamp(time));
        for input in &stage.inputs {
            let (value, quality, age) = self.cell(layout, twin, stage, input, time, seen, now);
            frame.values.push(value);
            frame.quality.push(quality);
            if stage.ages {
                frame.ages_ms.push(age);
            }
        }
        self.lanes[stage.binding].ready = frame;
    }

    /// After the outcome of `stage`'s row at `time` was stored: rows that waited for it get their values.
    pub(super) fn settle_dependents(
        &mut self,
        layout: &Layout,
        twin: usize,
        stage: usize,
        time: u64,
        now: Moment,
    ) {
        for feed in &layout.stages[stage].dependents {
            let place = self.twins[twin].first_row as usize + feed.stage;
            let dependent = &layout.stages[feed.stage];
            let Some(lane) = dependent.upstreams.iter().position(|upstream| *upstream == stage) else {
                continue;
            };
            let mut waiting = self.rows[place].waiting.head;
            while waiting != NONE {
                let row = self.lanes[dependent.binding].waiting.row(waiting);
                let need = *self.lanes[dependent.binding].waiting.need(waiting, lane);
                if need > time {
                    break;
                }
                if need == time {
                    self.fill(layout, twin, dependent, waiting, lane, row, now);
                }
                waiting = row.next;
            }
            let mut list = self.rows[place].waiting;
            let target = &mut self.lanes[dependent.binding];
            target.waiting.release(&mut list, &mut target.ready, dependent.ages);
            self.rows[place].waiting = list;
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all of them are places in columns")]
    fn fill(
        &mut self,
        layout: &Layout,
        twin: usize,
        stage: &Stage,
        waiting: u32,
        lane: usize,
        row: WaitingRow,
        now: Moment,
    ) {
        for (column, input) in stage.inputs.iter().enumerate() {
            if matches!(input.from, From::Output { upstream, .. } if upstream == lane) {
                let cell = self.cell(layout, twin, stage, input, row.time, row.seen, now);
                *self.lanes[stage.binding].waiting.cell(waiting, column) = cell;
            }
        }
        *self.lanes[stage.binding].waiting.need(waiting, lane) = 0;
        self.lanes[stage.binding].waiting.satisfied(waiting);
    }

    /// What an input of a row holds, in the declared unit.
    #[expect(clippy::too_many_arguments, reason = "all of them are places in columns")]
    #[inline]
    pub(super) fn cell(
        &self,
        layout: &Layout,
        twin: usize,
        stage: &Stage,
        input: &Input,
        time: u64,
        seen: u64,
        now: Moment,
    ) -> Cell {
        const EMPTY: Cell = (f64::NAN, Quality::Missing, u32::MAX);
        if input.event && seen & input.bit == 0 {
            return EMPTY;
        }
        let state = &self.twins[twin];
        let (value, quality, at, stale) = match input.from {
            From::Nothing => return EMPTY,
            From::Measured(point) => {
                let slot = &self.slots[state.first_slot as usize + point];
                let stale = now.monotonic.saturating_sub(slot.heard) > layout.spans[point];
                (slot.value, slot.quality, slot.time, stale)
            }
            From::Output { output, upstream } => {
                let upstream = stage.upstreams[upstream];
                let row = &self.rows[state.first_row as usize + upstream];
                let stale = now.monotonic.saturating_sub(row.heard) > layout.stages[upstream].span;
                let output = state.first_output as usize + output;
                (self.output_value[output], self.output_quality[output], row.applied, stale)
            }
        };
        let value = converted(input.conversion, value);
        if quality == Quality::Missing || !value.is_finite() {
            return EMPTY;
        }
        let quality = if stale { quality.worse(Quality::Stale) } else { quality };
        let age = u32::try_from(time.saturating_sub(at) / 1_000_000).unwrap_or(u32::MAX);
        (value, quality, age)
    }
}

#[inline]
fn converted(conversion: Conversion, value: f64) -> f64 {
    if conversion.is_identity() { value } else { conversion.apply(value) }
}
