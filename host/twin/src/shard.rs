//! A shard: the one writer of its twins. Samples in, frames out, outcomes in, views out.
//!
//! Pure and synchronous: no IO, no threads, no clock. State lies in dense arrays, one stretch for each twin: measured
//! points, outputs, and one row state for each behavior. A sample finds its point through a table by series number,
//! without hashing or allocating. The caller drains its channel into [`Shard::take`], runs what
//! [`Shard::next_frame`] gives, hands every outcome to [`Shard::apply`], and calls [`Shard::close_due`] and
//! [`Shard::tick`] a few times a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Clock, Event, Frame, Quality, Sample, Timestamp, TwinIndex};

use crate::plant::{BindingIndex, Plant};

mod alarm;
mod deadline;
mod freshness;
mod held;
mod intake;
mod lane;
mod layout;
mod outcome;
mod recall;
mod remember;
mod row;
mod slot;
mod view;
mod waiting;
mod watch;

#[cfg(test)]
mod tests;

pub use recall::Recalled;
pub use view::{AlertView, BehaviorView, Health, PointView, State, Summary, TwinView, Verdict};
pub use watch::{PointUpdate, Update};

use alarm::Raised;
use deadline::Deadlines;
use lane::Lane;
use layout::Layout;
use row::RowState;
use slot::Slot;

/// Now, on both clocks: wall time for what people see, monotonic time for ages and deadlines, so that neither a
/// daylight saving nor a wrong clock makes old data fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Wall time.
    pub wall: Timestamp,
    /// Nanoseconds of a clock that never goes back.
    pub monotonic: u64,
}

impl Moment {
    /// Reads `clock`.
    #[must_use]
    pub fn of(clock: &dyn Clock) -> Self {
        let monotonic = u64::try_from(clock.monotonic().as_nanos()).unwrap_or(u64::MAX);
        Self { wall: clock.now(), monotonic }
    }
}

/// What has come in, since the shard was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Everything that was given to [`Shard::take`].
    pub samples: u64,
    /// Earlier than the newest of their point: kept in history, in no row.
    pub late: u64,
    /// At the very time of the newest of their point: dropped.
    pub duplicates: u64,
    /// Too far in the future, or older than the site accepts: dropped.
    pub refused: u64,
    /// Of a series that no twin of this shard has: dropped.
    pub strays: u64,
    /// Values of `event` inputs that came after the row of their time had closed: live and in history, in no row.
    pub missed: u64,
    /// Rows closed.
    pub rows: u64,
    /// Rows whose outcome was applied.
    pub applied: u64,
}

impl Counters {
    /// Sum of two shards.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            samples: self.samples + other.samples,
            late: self.late + other.late,
            duplicates: self.duplicates + other.duplicates,
            refused: self.refused + other.refused,
            strays: self.strays + other.strays,
            missed: self.missed + other.missed,
            rows: self.rows + other.rows,
            applied: self.applied + other.applied,
        }
    }
}

/// State of some twins of a plant.
#[derive(Debug)]
pub struct Shard {
    plant: Arc<Plant>,
    layouts: Arc<[Layout]>,
    twins: Vec<TwinState>,
    /// From [`TwinIndex`] to the place in `twins`; `NONE` for twins of other shards.
    place_of: Vec<u32>,
    slots: Vec<Slot>,
    /// From series number minus `first_series` to the place in `slots`.
    slot_of: Vec<u32>,
    first_series: u32,
    output_value: Vec<f64>,
    output_quality: Vec<Quality>,
    rows: Vec<RowState>,
    lanes: Vec<Lane>,
    raised: BTreeMap<(u32, u8), Raised>,
    fresh_until: Deadlines,
    dirty: Vec<u32>,
    changed: Vec<u32>,
    /// Twins that have turned stale, or live again, in order.
    turned: Vec<(TwinIndex, bool)>,
    events: Vec<Event>,
    notices: intake::Notices,
    counters: Counters,
    spare: Vec<Frame>,
}

/// No place.
const NONE: u32 = u32::MAX;
/// No row is open.
const CLOSED: u64 = u64::MAX;

#[derive(Debug)]
struct TwinState {
    index: TwinIndex,
    layout: u32,
    first_slot: u32,
    first_output: u32,
    first_row: u32,
    state: State,
    verdict: Verdict,
    watched: bool,
    dirty: bool,
    changed: bool,
    /// Monotonic time of the newest accepted sample.
    heard: u64,
    /// When its freshness is looked at next; older entries of the queue are void.
    due: u64,
}

impl Shard {
    /// A shard that owns `twins`, none of which has said anything yet.
    #[must_use]
    pub fn new(plant: Arc<Plant>, twins: &[TwinIndex]) -> Self {
        let layouts: Arc<[Layout]> = plant.kinds.iter().map(|kind| Layout::new(&plant, kind)).collect();
        let lanes = (0..plant.bindings.len()).map(|place| Lane::new(&plant, &layouts, place)).collect();
        let mut shard = Self {
            layouts,
            twins: Vec::with_capacity(twins.len()),
            place_of: Vec::new(),
            slots: Vec::new(),
            slot_of: Vec::new(),
            first_series: 0,
            output_value: Vec::new(),
            output_quality: Vec::new(),
            rows: Vec::new(),
            lanes,
            raised: BTreeMap::new(),
            fresh_until: Deadlines::default(),
            dirty: Vec::new(),
            changed: Vec::new(),
            turned: Vec::new(),
            events: Vec::new(),
            notices: intake::Notices::default(),
            counters: Counters::default(),
            spare: Vec::new(),
            plant,
        };
        shard.settle(twins);
        shard
    }

    /// Lays out the state of `twins`.
    fn settle(&mut self, twins: &[TwinIndex]) {
        let (plant, layouts) = (Arc::clone(&self.plant), Arc::clone(&self.layouts));
        let known = twins.iter().filter_map(|index| {
            let twin = plant.twin(*index)?;
            let layout = layouts.get(twin.kind as usize)?;
            Some((*index, twin, layout))
        });
        let known: Vec<_> = known.collect();
        let (slots, outputs, rows) =
            known.iter().fold((0, 0, 0), |(slots, outputs, rows), (_, _, layout)| {
                (slots + layout.measured(), outputs + layout.outputs, rows + layout.stages.len())
            });
        self.slots.reserve_exact(slots);
        self.output_value = vec![f64::NAN; outputs];
        self.output_quality = vec![Quality::Missing; outputs];
        self.rows = vec![RowState::default(); rows];
        let highest = known.iter().map(|(index, ..)| index.0 as usize + 1).max().unwrap_or(0);
        self.place_of = vec![NONE; highest];
        let measured = |twin| plant.series(twin).iter();
        let (low, high) = known.iter().fold((u32::MAX, 0), |range, (_, twin, layout)| {
            measured(twin)
                .take(layout.measured())
                .fold(range, |(low, high), id| (low.min(id.0), high.max(id.0)))
        });
        self.first_series = low;
        self.slot_of = if low <= high { vec![NONE; (high - low) as usize + 1] } else { Vec::new() };
        let (mut first_output, mut first_row) = (0, 0);
        for (index, twin, layout) in known {
            let place = self.twins.len() as u32;
            if let Some(entry) = self.place_of.get_mut(index.0 as usize) {
                *entry = place;
            }
            self.twins.push(TwinState::new(
                index,
                twin.kind,
                self.slots.len() as u32,
                first_output,
                first_row,
            ));
            for (point, id) in measured(twin).take(layout.measured()).enumerate() {
                if let Some(entry) = self.slot_of.get_mut((id.0 - low) as usize) {
                    *entry = self.slots.len() as u32;
                }
                self.slots.push(Slot::empty(place, point as u16));
            }
            first_output += layout.outputs as u32;
            first_row += layout.stages.len() as u32;
        }
    }

    /// Takes samples in order of arrival and leaves in `samples` what belongs into history: duplicates, refused ones
    /// and strays are removed and counted, values that are no numbers become bad.
    pub fn take(&mut self, samples: &mut Vec<Sample>, now: Moment) {
        let layouts = Arc::clone(&self.layouts);
        let window = self.window(now);
        samples.retain_mut(|sample| self.accept(&layouts, sample, window, now));
    }

    /// Closes rows that have waited long enough for inputs.
    pub fn close_due(&mut self, now: Moment) {
        let layouts = Arc::clone(&self.layouts);
        for lane in 0..self.lanes.len() {
            self.close_waited(&layouts, lane, now);
        }
    }

    /// Closes every open row, whatever it waits for: before the last snapshot of a host that stops.
    pub fn close_all(&mut self, now: Moment) {
        let layouts = Arc::clone(&self.layouts);
        for twin in 0..self.twins.len() {
            self.close_open(&layouts, twin, now);
        }
    }

    /// Up to `rows_max` rows of one binding, of each twin in order of time; `None` when nothing is ready. Every row is
    /// given out once, and must come back through [`Shard::apply`], stepped or not: rows of behaviors that need its
    /// outputs wait for it. What will take the least time goes first, so that a behavior which takes long keeps nobody
    /// waiting but those that come after the round: see [`Shard::took`]. Ask until there is nothing ready before taking in
    /// more samples, or what takes long might wait for ever.
    #[must_use]
    pub fn next_frame(&mut self, rows_max: usize) -> Option<(BindingIndex, Frame)> {
        let rows_max = rows_max.max(1);
        let ready = self.lanes.iter().enumerate().filter(|(_, lane)| lane.left() > 0);
        let (place, _) = ready.min_by_key(|(_, lane)| lane.expected_ns(rows_max))?;
        let spare = self.spare.pop();
        let frame = self.lanes.get_mut(place)?.give(rows_max, spare);
        Some((BindingIndex(place as u32), frame))
    }

    /// How long so many rows of a binding took, for the order of [`Shard::next_frame`].
    pub fn took(&mut self, binding: BindingIndex, rows: usize, spent: Duration) {
        if let Some(lane) = self.lanes.get_mut(binding.0 as usize) {
            lane.took(rows, spent);
        }
    }

    /// Gives the memory of a frame back after [`Shard::apply`], so that the next one does not allocate.
    pub fn recycle(&mut self, mut frame: Frame) {
        const SPARE_MAX: usize = 8;
        if self.spare.len() < SPARE_MAX {
            frame.clear();
            self.spare.push(frame);
        }
    }

    /// Rows that wait in [`Shard::next_frame`].
    #[must_use]
    pub fn ready_rows(&self) -> usize {
        self.lanes.iter().map(Lane::left).sum()
    }

    /// Continues the count of a behavior whose state was restored: rows up to `last` were stepped before the restart
    /// and are not opened again.
    pub fn resume(&mut self, twin: TwinIndex, binding: BindingIndex, last: Timestamp, rows: u64) {
        let Some(row) = self.row_of(twin, binding) else { return };
        if let Some(row) = self.rows.get_mut(row) {
            (row.last, row.last_end, row.applied) = (last.0, last.0, last.0);
            (row.closed, row.stepped) = (rows, rows);
        }
    }

    /// Rows closed and the time of the last one applied, of a behavior of a twin; `None` for unknown ones. Equal to
    /// [`RowCount::applied`] whenever nothing is under way: no row is lost or doubled, across swaps too.
    #[must_use]
    pub fn row_count(&self, twin: TwinIndex, binding: BindingIndex) -> Option<RowCount> {
        let row = self.rows.get(self.row_of(twin, binding)?)?;
        let last = (row.applied > 0).then_some(Timestamp(row.applied));
        Some(RowCount { closed: row.closed, applied: row.stepped, last })
    }

    /// What a behavior of a twin gave last, in the order of its declared outputs.
    #[must_use]
    pub fn outputs(&self, twin: TwinIndex, binding: BindingIndex) -> Option<(&[f64], &[Quality])> {
        let state = self.twins.get(self.place(twin)?)?;
        let layout = self.layouts.get(state.layout as usize)?;
        let stage = layout.stages.get(layout.stage_of(binding.0 as usize)?)?;
        let first = state.first_output as usize;
        let cells = first + stage.outputs.start..first + stage.outputs.end;
        Some((self.output_value.get(cells.clone())?, self.output_quality.get(cells)?))
    }

    /// What has come in so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Moves what is worth journaling to `into`.
    pub fn take_events(&mut self, into: &mut Vec<Event>) {
        into.append(&mut self.events);
    }

    /// Moves the twins that have turned stale (`true`) or send again (`false`) to `into`, in order. To be called as often
    /// as [`Shard::tick`].
    pub fn take_turned(&mut self, into: &mut Vec<(TwinIndex, bool)>) {
        into.append(&mut self.turned);
    }

    /// Bytes of memory that the state of its twins takes, rows under way and active alerts not counted; the plant,
    /// which all shards share, has the id, 48 bytes, and 4 for each point besides.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        fn of<T>(column: &Vec<T>) -> usize {
            column.capacity() * size_of::<T>()
        }
        let queues = self.lanes.iter().map(|lane| lane.due.memory_bytes()).sum::<usize>();
        let state = of(&self.twins) + of(&self.slots) + of(&self.rows);
        let outputs = of(&self.output_value) + of(&self.output_quality);
        let tables = of(&self.place_of) + of(&self.slot_of);
        state + outputs + tables + queues + self.fresh_until.memory_bytes()
    }

    /// The twins of this shard.
    pub fn twins(&self) -> impl Iterator<Item = TwinIndex> + '_ {
        self.twins.iter().map(|twin| twin.index)
    }

    fn place(&self, twin: TwinIndex) -> Option<usize> {
        let place = *self.place_of.get(twin.0 as usize)?;
        (place != NONE).then_some(place as usize)
    }

    fn row_of(&self, twin: TwinIndex, binding: BindingIndex) -> Option<usize> {
        let twin = self.twins.get(self.place(twin)?)?;
        let stage = self.layouts.get(twin.layout as usize)?.stage_of(binding.0 as usize)?;
        Some(twin.first_row as usize + stage)
    }
}

/// Rows of one behavior of one twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowCount {
    /// Closed, hence to be stepped.
    pub closed: u64,
    /// Whose outcome was applied.
    pub applied: u64,
    /// Time of the last one applied.
    pub last: Option<Timestamp>,
}

impl TwinState {
    fn new(index: TwinIndex, layout: u32, first_slot: u32, first_output: u32, first_row: u32) -> Self {
        Self {
            index,
            layout,
            first_slot,
            first_output,
            first_row,
            state: State::Waiting,
            verdict: Verdict::Unknown,
            watched: false,
            dirty: false,
            changed: false,
            heard: 0,
            due: u64::MAX,
        }
    }
}
