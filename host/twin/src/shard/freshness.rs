//! Fresh and stale: a point by the time since its last sample was received, a twin when all its points are stale.
//!
//! A twin stands in the queue of deadlines once, at the first moment when one of its points could turn stale, and is
//! looked at only then: a tick over a hundred thousand quiet twins touches none of them.

use geminus_core::{Event, Severity};

use super::layout::Layout;
use super::slot::Flags;
use super::{Moment, Shard, State};

#[expect(clippy::indexing_slicing, reason = "places come from `settle`, which sized all columns together")]
impl Shard {
    /// Turns points and twins stale whose time has come. To be called several times a second, after
    /// [`Shard::take`].
    pub fn tick(&mut self, now: Moment) {
        let layouts = std::sync::Arc::clone(&self.layouts);
        while let Some((at, twin)) = self.fresh_until.pop_due(now.monotonic) {
            if self.twins[twin as usize].due == at {
                self.review(&layouts, twin as usize, now);
            }
        }
    }

    /// A point of `twin` that was stale or silent has a sample, and is fresh until `until`.
    #[cold]
    pub(super) fn freshen(&mut self, layout: &Layout, twin: usize, until: u64) {
        if until < self.twins[twin].due {
            self.twins[twin].due = until;
            self.fresh_until.push(until, twin as u32);
        }
        let before = self.twins[twin].state;
        if before == State::Live {
            return;
        }
        self.twins[twin].state = State::Live;
        self.mark_changed(twin);
        if before == State::Stale {
            self.turned.push((self.twins[twin].index, false));
            self.tell(twin, "twin-live", Severity::Info, "sends again");
        }
        self.announce(layout, twin);
    }

    fn review(&mut self, layouts: &[Layout], twin: usize, now: Moment) {
        let state = &self.twins[twin];
        let layout = &layouts[state.layout as usize];
        let first = state.first_slot as usize;
        let (mut next, mut turned) = (u64::MAX, false);
        for (slot, span) in
            self.slots[first..].iter_mut().zip(&layout.spans).filter(|(slot, _)| slot.flags.has(Flags::FRESH))
        {
            // Stale means more than the span: a sample exactly at its end still came in time.
            let until = slot.heard.saturating_add(*span);
            if until < now.monotonic {
                slot.flags.take(Flags::FRESH);
                slot.flags.set(Flags::DIRTY);
                turned = true;
            } else {
                next = next.min(until + 1);
            }
        }
        self.twins[twin].due = next;
        if next != u64::MAX {
            self.fresh_until.push(next, twin as u32);
        }
        if turned {
            // What was computed from it is judged anew too.
            let rows = self.twins[twin].first_row as usize;
            self.rows[rows..rows + layout.stages.len()].iter_mut().for_each(|row| row.dirty = true);
            self.mark_dirty(twin);
        }
        if next == u64::MAX {
            self.twins[twin].state = State::Stale;
            self.turned.push((self.twins[twin].index, true));
            self.refresh_verdict(layout, twin);
            self.mark_changed(twin);
            self.tell(
                twin,
                "twin-stale",
                Severity::Warning,
                "is stale: no sample in time, its alerts are suppressed",
            );
        }
    }

    fn tell(&mut self, twin: usize, kind: &str, severity: Severity, what: &str) {
        let plant = std::sync::Arc::clone(&self.plant);
        if let Some(twin) = plant.twin(self.twins[twin].index) {
            let message = format!("{} {what}", twin.id);
            self.events.push(Event::new(kind, severity, message).twin(&*twin.id));
        }
    }
}
