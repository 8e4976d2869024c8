//! What a twin had when the process before was killed, given to the shard once more: newest values, and rows that stood
//! open. Nothing of it is counted as received or goes into history, where it is from.

use geminus_core::{Quality, Sample, Timestamp, TwinIndex};

use super::layout::{From, Layout};
use super::{CLOSED, Moment, NONE, Shard};
use crate::plant::BindingIndex;

/// How much longer than others a row waits that stood open before: its source has to come back first.
const RETURN_NS: u64 = 60_000_000_000;

#[expect(clippy::indexing_slicing, reason = "places come from `settle`, which sized all columns together")]
impl Shard {
    /// Takes the twin's stored samples, in the order in which they were received, as if they came now: of each point the
    /// last one before the twin's last rows, and all from there on.
    /// `last` is the time of the last row that history has of each of its behaviors. Those rows and what came before
    /// them are not given out again; what belongs to later ones is there when the rest of it comes. To be called after
    /// [`Shard::resume`] and before the first [`Shard::take`]; without effect for twins of other shards.
    pub fn remember(
        &mut self,
        twin: TwinIndex,
        last: &[(BindingIndex, Timestamp)],
        samples: &[Sample],
        now: Moment,
    ) {
        let Some(place) = self.place(twin) else { return };
        let layouts = std::sync::Arc::clone(&self.layouts);
        let Some(layout) = layouts.get(self.twins[place].layout as usize) else { return };
        self.reopen(layout, place, last, samples);
        let missed = self.counters.missed;
        for sample in samples {
            self.give_again(layout, place, *sample, now);
        }
        self.counters.missed = missed;
        // A row of history that stands open still was closed because it had waited long enough.
        let first = self.twins[place].first_row as usize;
        for (stage, it) in layout.stages.iter().enumerate() {
            let row = &mut self.rows[first + stage];
            if row.open == CLOSED {
                continue;
            }
            if row.open <= row.applied {
                self.close(layout, place, stage, it.align_ns, now);
            } else {
                row.opened = row.opened.saturating_add(RETURN_NS);
            }
        }
    }

    /// Lets the last row of each behavior open once more where the sample that opened it is there: that shows what
    /// belonged to it. Of a behavior that had no row yet, only what could belong to an open one opens one.
    fn reopen(
        &mut self,
        layout: &Layout,
        twin: usize,
        last: &[(BindingIndex, Timestamp)],
        samples: &[Sample],
    ) {
        let first = self.twins[twin].first_row as usize;
        let mut reopened = vec![false; layout.stages.len()];
        for (place, stage) in layout.stages.iter().enumerate() {
            let known = last.iter().find(|(binding, _)| binding.0 as usize == stage.binding);
            let row = &mut self.rows[first + place];
            let time = row.applied.max(known.map_or(0, |(_, time)| time.0));
            (row.last, row.applied) = (row.last.max(time), time);
            row.last_end = row.last_end.max(time);
            let fed = || samples.iter().filter(|sample| self.feeds_stage(layout, twin, place, sample));
            let end = match time {
                0 => fed()
                    .map(|sample| sample.time.0)
                    .max()
                    .map(|newest| newest.saturating_sub(stage.align_ns).saturating_sub(1)),
                _ => {
                    let above = stage.upstreams.iter();
                    let above = above.filter(|upstream| reopened[**upstream]);
                    let by_output =
                        above.map(|upstream| self.rows[first + *upstream].applied).any(|at| at == time);
                    let opened = by_output || fed().any(|sample| sample.time.0 == time);
                    reopened[place] = opened;
                    opened.then(|| time - 1)
                }
            };
            if let Some(end) = end {
                self.rows[first + place].last_end = end;
            }
        }
    }

    fn feeds_stage(&self, layout: &Layout, twin: usize, stage: usize, sample: &Sample) -> bool {
        let Some(slot) = self.slot_of_series(sample).map(|place| &self.slots[place]) else { return false };
        let point = From::Measured(usize::from(slot.point));
        slot.twin as usize == twin && layout.stages[stage].inputs.iter().any(|input| input.from == point)
    }

    fn give_again(&mut self, layout: &Layout, twin: usize, mut sample: Sample, now: Moment) {
        let Some(place) = self.slot_of_series(&sample) else { return };
        let slot = self.slots[place];
        let time = sample.time.0;
        let is_newer = slot.quality == Quality::Missing || time > slot.time;
        if slot.twin as usize != twin || !is_newer {
            return;
        }
        if !sample.value.is_finite() {
            (sample.value, sample.quality) = (f64::NAN, Quality::Bad);
        }
        let feeds = layout.feeds(usize::from(slot.point));
        for feed in feeds {
            self.before(layout, twin, *feed, time, now);
        }
        self.store(layout, place, &sample, now);
        for feed in feeds {
            self.after(layout, twin, *feed, time, now);
        }
    }

    fn slot_of_series(&self, sample: &Sample) -> Option<usize> {
        let entry = sample.series.0.wrapping_sub(self.first_series) as usize;
        self.slot_of.get(entry).copied().filter(|place| *place != NONE).map(|place| place as usize)
    }
}
