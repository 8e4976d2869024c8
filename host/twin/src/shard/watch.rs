//! What changed: conflated values of watched twins, and which twins need to be read again.

use std::sync::Arc;

use geminus_core::{Quality, Timestamp, TwinIndex};

use super::slot::Flags;
use super::{Health, Moment, Shard, State};

/// Everything of one watched twin that changed since it was last asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// Which twin.
    pub twin: TwinIndex,
    /// Its state.
    pub state: State,
    /// Milliseconds since its newest sample was received.
    pub age_ms: Option<u64>,
    /// Its health.
    pub health: Health,
    /// Newest values, by the place of the point in the twin's kind. Intermediate ones are left out.
    pub points: Vec<PointUpdate>,
}

/// Newest value of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointUpdate {
    /// Place in [`crate::plant::Kind::points`].
    pub point: usize,
    /// Source time.
    pub time: Timestamp,
    /// NaN when there is none.
    pub value: f64,
    /// Quality, staleness worked in.
    pub quality: Quality,
}

#[expect(clippy::indexing_slicing, reason = "places come from `settle`, which sized all columns together")]
impl Shard {
    /// Whether somebody looks at the values of `twin`. The first [`Shard::take_dirty`] after it was turned on gives
    /// all points that have a value.
    pub fn watch(&mut self, twin: TwinIndex, watched: bool) {
        let Some(place) = self.place(twin) else { return };
        if self.twins[place].watched == watched {
            return;
        }
        self.twins[place].watched = watched;
        if !watched {
            return;
        }
        let layouts = Arc::clone(&self.layouts);
        let state = &self.twins[place];
        let layout = &layouts[state.layout as usize];
        let (slots, rows) = (state.first_slot as usize, state.first_row as usize);
        self.slots[slots..slots + layout.measured()].iter_mut().for_each(|slot| slot.flags.set(Flags::DIRTY));
        self.rows[rows..rows + layout.stages.len()].iter_mut().for_each(|row| row.dirty = true);
        self.mark_dirty(place);
    }

    /// Moves what changed of watched twins to `into`; costs as much as there are changes. To be called at the rate at
    /// which people want to see values, 10 Hz.
    pub fn take_dirty(&mut self, now: Moment, into: &mut Vec<Update>) {
        let layouts = Arc::clone(&self.layouts);
        let mut dirty = std::mem::take(&mut self.dirty);
        for twin in dirty.drain(..) {
            let twin = twin as usize;
            self.twins[twin].dirty = false;
            if !self.twins[twin].watched {
                continue;
            }
            let layout = &layouts[self.twins[twin].layout as usize];
            let health = self.health(layout, twin);
            let state = &self.twins[twin];
            let mut update = Update {
                twin: state.index,
                state: state.state,
                age_ms: self.age_ms(twin, now),
                health,
                points: Vec::new(),
            };
            let slots = state.first_slot as usize;
            for point in 0..layout.measured() {
                let slot = &mut self.slots[slots + point];
                if slot.flags.take(Flags::DIRTY) && slot.quality != Quality::Missing {
                    let time = Timestamp(slot.time);
                    let (value, quality) = (slot.value, self.measured_quality(layout, slots + point, now));
                    update.points.push(PointUpdate { point, time, value, quality });
                }
            }
            for stage in 0..layout.stages.len() {
                let row = self.twins[twin].first_row as usize + stage;
                if !std::mem::take(&mut self.rows[row].dirty) || self.rows[row].applied_at == 0 {
                    continue;
                }
                for output in layout.stages[stage].outputs.clone() {
                    let (value, quality) = self.output(layout, twin, stage, output, now);
                    let (point, time) = (layout.measured() + output, Timestamp(self.rows[row].applied));
                    update.points.push(PointUpdate { point, time, value, quality });
                }
            }
            into.push(update);
        }
        self.dirty = dirty;
    }

    /// Moves the twins whose state, alerts or health verdict changed to `into`, watched or not, each once.
    pub fn take_changed(&mut self, into: &mut Vec<TwinIndex>) {
        let mut changed = std::mem::take(&mut self.changed);
        for twin in changed.drain(..) {
            let state = &mut self.twins[twin as usize];
            state.changed = false;
            into.push(state.index);
        }
        self.changed = changed;
    }
}
