//! One sample: accepted, or counted under the reason why not.
//!
//! What comes late steps no behavior, but its source lives: it keeps its point fresh. A point that has nothing but late
//! samples stands still all the same, and the journal says what its newest sample stands in the way of.

use std::collections::HashMap;

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
    /// Late ones of points that have had nothing else for longer than their staleness allows.
    held_up: Notice,
    /// Since when a point has had nothing but late samples, by its place; its flag says that it is here.
    pub(super) late_since: HashMap<u32, u64>,
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
        let slot = *slot;
        let newest = (slot.quality != Quality::Missing).then_some(slot.time);
        if newest == Some(time) {
            // No sign of life: a broker gives the last message again by itself.
            self.counters.duplicates += 1;
            self.belated(place, sample.time, now);
            return false;
        }
        if !sample.value.is_finite() {
            // Who says itself that a value is bad has told already.
            if sample.quality != Quality::Bad {
                self.unusable(place, sample.time, now);
            }
            (sample.value, sample.quality) = (f64::NAN, Quality::Bad);
        }
        let (twin, point) = (slot.twin as usize, usize::from(slot.point));
        let layout = &layouts[self.twins[twin].layout as usize];
        if newest.is_some_and(|newest| time < newest) {
            self.counters.late += 1;
            self.late(layout, place, sample, now);
            return true;
        }
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
    pub(super) fn store(&mut self, layout: &Layout, place: usize, sample: &Sample, now: Moment) {
        let heard = heard(sample, now);
        let slot = &mut self.slots[place];
        let (fresh, late) = (slot.flags.has(Flags::FRESH), slot.flags.has(Flags::LATE));
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
        if late {
            self.notices.late_since.remove(&(place as u32));
        }
        if !fresh {
            self.freshen(layout, twin, heard.saturating_add(layout.spans[point]));
        }
    }

    /// Older than the newest of its point.
    #[expect(clippy::indexing_slicing, reason = "as in `accept`")]
    #[cold]
    fn late(&mut self, layout: &Layout, place: usize, sample: &Sample, now: Moment) {
        let heard = heard(sample, now);
        let since = *self.notices.late_since.entry(place as u32).or_insert(heard);
        let slot = &mut self.slots[place];
        slot.heard = slot.heard.max(heard);
        let fresh = slot.flags.has(Flags::FRESH);
        slot.flags.set(Flags::ALL);
        let (twin, point) = (slot.twin as usize, usize::from(slot.point));
        let span = layout.spans[point];
        self.twins[twin].heard = self.twins[twin].heard.max(heard);
        self.mark_dirty(twin);
        if !fresh {
            self.freshen(layout, twin, heard.saturating_add(span));
        }
        match heard.saturating_sub(since) > span {
            true => self.stands_still(place, heard - since, sample.time, now),
            false => self.belated(place, sample.time, now),
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

    /// Nothing but late samples for `span_ns`.
    #[cold]
    fn stands_still(&mut self, place: usize, span_ns: u64, time: Timestamp, now: Moment) {
        let Some(count) = self.notices.held_up.due(now) else { return };
        let event = self.hindrance(place, span_ns, time, now, count);
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

    fn hindrance(
        &self,
        place: usize,
        span_ns: u64,
        time: Timestamp,
        now: Moment,
        count: u64,
    ) -> Option<Event> {
        let slot = self.slots.get(place)?;
        let twin = self.plant.twin(self.twins.get(slot.twin as usize)?.index)?;
        let point = &self.plant.kind(twin)?.points.get(usize::from(slot.point))?.name;
        let newest = Timestamp(slot.time);
        let why = match newest > now.wall {
            true => format!(
                "{} s ahead of this host's clock, and nothing is newer until {}",
                newest.since(now.wall).as_secs(),
                shown(newest)
            ),
            false => format!(
                "of {}, and what comes is older: has the clock of the source gone back, or is a recording played out of order?",
                shown(newest)
            ),
        };
        let message = format!(
            "{} {point} has had nothing but late samples for {} s, which step no behavior: its newest one is {why}; {count} such since the last notice",
            twin.id,
            span_ns / 1_000_000_000
        );
        let facts = serde_json::json!({
            "point": point, "time_ms": time.millis(), "newest_ms": newest.millis(), "count": count,
        });
        Some(Event::new("samples-late", Severity::Warning, message).twin(&*twin.id).facts(facts))
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

/// When it was received, by the clock that never goes back.
#[inline]
fn heard(sample: &Sample, now: Moment) -> u64 {
    now.monotonic.saturating_sub(now.wall.0.saturating_sub(sample.received.0))
}

/// As people read it.
fn shown(time: Timestamp) -> String {
    let known = i64::try_from(time.millis()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    known.map_or_else(|| format!("{} ms since 1970", time.millis()), |time| time.to_string())
}
