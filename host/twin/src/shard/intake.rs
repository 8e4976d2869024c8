//! One sample: accepted, or counted under the reason why not.

use geminus_core::{Event, Quality, Sample, Severity, Timestamp};

use super::layout::Layout;
use super::slot::{Flags, Slot};
use super::{Moment, NONE, Shard};

/// Source times that are accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    from: u64,
    to: u64,
}

/// Samples of which the journal hears, by why.
#[derive(Debug, Default)]
pub(super) struct Notices {
    refused: Notice,
    /// Late ones and duplicates.
    late: Notice,
    /// Values that are no numbers.
    bad: Notice,
}

/// Samples since the journal last heard of their kind.
#[derive(Debug, Default)]
struct Notice {
    count: u64,
    quiet_until: u64,
}

impl Notice {
    /// One more; gives how many there were since the last time when it is time to tell.
    fn due(&mut self, now: Moment) -> Option<u64> {
        self.count += 1;
        if now.monotonic < self.quiet_until {
            return None;
        }
        self.quiet_until = now.monotonic + QUIET_NS;
        Some(std::mem::take(&mut self.count))
    }
}

/// How long the journal is left in peace after it heard of samples of one kind.
const QUIET_NS: u64 = 60_000_000_000;
const DAY_NS: u64 = 86_400_000_000_000;

impl Shard {
    pub(super) fn window(&self, now: Moment) -> Window {
        let limits = &self.plant.limits;
        let to = now.wall.0.saturating_add(limits.accept_future_s.saturating_mul(1_000_000_000));
        let from = match limits.accept_past_days {
            0 => 0,
            days => now.wall.0.saturating_sub(days.saturating_mul(DAY_NS)),
        };
        Window { from, to }
    }

    /// Whether it belongs into history.
    #[expect(
        clippy::indexing_slicing,
        reason = "places come from `settle`, which sized all columns together"
    )]
    #[inline]
    pub(super) fn accept(
        &mut self,
        layouts: &[Layout],
        sample: &mut Sample,
        window: Window,
        now: Moment,
    ) -> bool {
        self.counters.samples += 1;
        let entry = sample.series.0.wrapping_sub(self.first_series) as usize;
        let place = self.slot_of.get(entry).copied().unwrap_or(NONE);
        if place == NONE {
            self.counters.strays += 1;
            return false;
        }
        let (place, time) = (place as usize, sample.time.0);
        let slot = &self.slots[place];
        if time > window.to || time < window.from {
            self.refuse(place, sample, now);
            return false;
        }
        if slot.quality != Quality::Missing && time <= slot.time {
            let late = time < slot.time;
            self.counters.late += u64::from(late);
            self.counters.duplicates += u64::from(!late);
            self.belated(place, sample.time, now);
            return late;
        }
        let slot = *slot;
        if !sample.value.is_finite() {
            // Who says itself that a value is bad has told already.
            if sample.quality != Quality::Bad {
                self.unusable(place, sample.time, now);
            }
            (sample.value, sample.quality) = (f64::NAN, Quality::Bad);
        }
        let (twin, point) = (slot.twin as usize, usize::from(slot.point));
        let layout = &layouts[self.twins[twin].layout as usize];
        let feeds = layout.feeds(point);
        for feed in feeds {
            self.before(layout, twin, *feed, time, now);
        }
        self.store(layout, place, sample, now);
        for feed in feeds {
            self.after(layout, twin, *feed, time, now);
        }
        true
    }

    #[expect(clippy::indexing_slicing, reason = "as in `accept`")]
    #[inline]
    fn store(&mut self, layout: &Layout, place: usize, sample: &Sample, now: Moment) {
        let waited = now.wall.0.saturating_sub(sample.received.0);
        let heard = now.monotonic.saturating_sub(waited);
        let slot = &mut self.slots[place];
        let fresh = slot.flags.has(Flags::FRESH);
        *slot = Slot {
            value: sample.value,
            // A quality of `Missing` has no place in a sample and would look like no sample at all.
            quality: if sample.quality == Quality::Missing { Quality::Bad } else { sample.quality },
            time: sample.time.0,
            received: sample.received.0,
            heard,
            flags: Flags::BOTH,
            ..*slot
        };
        let (twin, point) = (slot.twin as usize, usize::from(slot.point));
        let state = &mut self.twins[twin];
        state.heard = state.heard.max(heard);
        if state.watched && !state.dirty {
            state.dirty = true;
            self.dirty.push(twin as u32);
        }
        if !fresh {
            self.freshen(layout, twin, heard.saturating_add(layout.spans[point]));
        }
    }

    #[cold]
    fn refuse(&mut self, place: usize, sample: &Sample, now: Moment) {
        self.counters.refused += 1;
        let Some(count) = self.notices.refused.due(now) else { return };
        let event = self.refusal(place, sample.time, now, count);
        self.events.extend(event);
    }

    #[cold]
    fn belated(&mut self, place: usize, time: Timestamp, now: Moment) {
        let Some(count) = self.notices.late.due(now) else { return };
        let what = "came late or twice: it is not newer than the last one, and steps no behavior";
        let event = self.notice(place, ("samples-late", Severity::Info, what), time, count);
        self.events.extend(event);
    }

    #[cold]
    fn unusable(&mut self, place: usize, time: Timestamp, now: Moment) {
        let Some(count) = self.notices.bad.due(now) else { return };
        let what = "is no number and counts as bad";
        let event = self.notice(place, ("sample-bad", Severity::Warning, what), time, count);
        self.events.extend(event);
    }

    fn notice(
        &self,
        place: usize,
        (kind, severity, what): (&str, Severity, &str),
        time: Timestamp,
        count: u64,
    ) -> Option<Event> {
        let slot = self.slots.get(place)?;
        let twin = self.plant.twin(self.twins.get(slot.twin as usize)?.index)?;
        let point = &self.plant.kind(twin)?.points.get(usize::from(slot.point))?.name;
        let message = format!("sample of {} {point} {what}; {count} such since the last notice", twin.id);
        let facts = serde_json::json!({ "point": point, "time_ms": time.millis(), "count": count });
        Some(Event::new(kind, severity, message).twin(&*twin.id).facts(facts))
    }

    fn refusal(&self, place: usize, time: Timestamp, now: Moment, count: u64) -> Option<Event> {
        let slot = self.slots.get(place)?;
        let twin = self.plant.twin(self.twins.get(slot.twin as usize)?.index)?;
        let point = self.plant.kind(twin)?.points.get(usize::from(slot.point))?;
        let ahead = time > now.wall;
        let (away, limit) = match ahead {
            true => (time.since(now.wall), format!("{} s", self.plant.limits.accept_future_s)),
            false => (now.wall.since(time), format!("{} days", self.plant.limits.accept_past_days)),
        };
        let side = if ahead { "ahead of" } else { "behind" };
        let message = format!(
            "sample of {} {} refused: its time is {} s {side} this host's, more than {limit}; {count} refused since the last notice. Check the clocks",
            twin.id,
            point.name,
            away.as_secs()
        );
        let facts = serde_json::json!({ "point": point.name, "time_ms": time.millis(), "count": count });
        Some(Event::new("sample-refused", Severity::Warning, message).twin(&*twin.id).facts(facts))
    }
}
