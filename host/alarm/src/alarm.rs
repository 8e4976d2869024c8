//! One alarm of one twin: its state, its delays, and what suppresses it.

use std::collections::VecDeque;

use geminus_core::Timestamp;
use geminus_core::declaration::Priority;

use crate::{Definition, Event, Mark, Now, Record, Refusal, Settings, Shelf, Shown, State, Words, nanos};

/// An alarm that is not quiet.
#[derive(Clone, Debug, Default)]
pub struct Alarm {
    pub(crate) state: State,
    pub(crate) since: Timestamp,
    pub(crate) raised: Option<Timestamp>,
    /// Monotonic time at which it was told last; below 0 when that was before the clock began.
    raised_at: i128,
    /// What the field says; `None`: nothing yet.
    said: Option<bool>,
    /// Monotonic time at which what the field says takes effect.
    due: Option<u64>,
    pub(crate) acknowledged: Option<Mark>,
    pub(crate) shelved: Option<Shelf>,
    /// Monotonic time at which it comes from the shelf.
    shelved_to: u64,
    pub(crate) out_of_service: Option<Mark>,
    pub(crate) by_design: bool,
    pub(crate) stale: bool,
    pub(crate) first_out: bool,
    pub(crate) value: Option<f64>,
    pub(crate) detail: String,
    pub(crate) words: Option<Words>,
    /// Monotonic times at which it was told, as many as make chatter.
    told: VecDeque<u64>,
    pub(crate) chatters: bool,
}

impl Alarm {
    /// A quiet one. `stale`: of a twin that does not send.
    pub(crate) fn new(now: Now, stale: bool) -> Self {
        Self { since: now.wall, stale, ..Self::default() }
    }

    /// As an earlier run left it. What was left of its time on the shelf goes on, whatever the clock says, for no longer
    /// than the site allows.
    pub(crate) fn restored(
        record: Record,
        definition: &Definition,
        settings: &Settings,
        now: Now,
        by_design: bool,
    ) -> Self {
        let most = u64::from(settings.shelve_max_min) * 60_000_000_000;
        let left = record.shelved.as_ref().map_or(0, |shelf| nanos(shelf.until.since(now.wall)).min(most));
        let raised_at = record
            .raised
            .map_or(0, |raised| i128::from(now.monotonic) - i128::from(nanos(now.wall.since(raised))));
        let state = record.state.fit(definition.latch);
        Self {
            state,
            since: record.since,
            raised: record.raised,
            raised_at,
            acknowledged: record.acknowledged,
            shelved_to: now.monotonic.saturating_add(left),
            shelved: record.shelved,
            out_of_service: record.out_of_service,
            by_design,
            first_out: record.first_out,
            value: record.value,
            detail: record.detail,
            words: record.words,
            ..Self::default()
        }
    }

    /// What is written down; `None`: nothing.
    pub(crate) fn record(&self) -> Option<Record> {
        let plain = self.state == State::Normal && self.shelved.is_none() && self.out_of_service.is_none();
        (!plain).then(|| Record {
            state: self.state,
            since: self.since,
            raised: self.raised,
            acknowledged: self.acknowledged.clone(),
            shelved: self.shelved.clone(),
            out_of_service: self.out_of_service.clone(),
            first_out: self.first_out,
            value: self.value,
            detail: self.detail.clone(),
            words: self.words.clone(),
        })
    }

    /// Whether nothing would be lost without it. A condition that holds but waits, because the twin is stale, would be: a
    /// shard says only what changes.
    pub(crate) fn is_idle(&self) -> bool {
        self.said != Some(true)
            && self.record().is_none()
            && self.due.is_none()
            && self.told.is_empty()
            && !self.by_design
    }

    /// Whether time alone may change it.
    pub(crate) fn is_waiting(&self) -> bool {
        self.due.is_some() || self.shelved.is_some() || !self.told.is_empty()
    }

    /// What people see.
    #[must_use]
    pub fn shown(&self) -> Shown {
        match self {
            Self { out_of_service: Some(_), .. } => Shown::OutOfService,
            Self { shelved: Some(_), .. } => Shown::Shelved,
            Self { by_design: true, .. } => Shown::SuppressedByDesign,
            Self { stale: true, state, .. } if *state != State::Normal => Shown::SuppressedByStaleness,
            Self { state, .. } => (*state).into(),
        }
    }

    /// Whether its transitions are told to nobody. Staleness is no such reason: it stops them.
    pub(crate) fn is_suppressed(&self) -> bool {
        self.out_of_service.is_some() || self.shelved.is_some() || self.by_design
    }

    /// Whether a person sees it as something to look at.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.state != State::Normal && !self.is_suppressed() && !self.stale
    }

    /// How much it matters.
    #[must_use]
    pub fn priority(&self, definition: &Definition) -> Priority {
        definition.priority(self.words.as_ref())
    }

    /// Whether it is active for longer than the site finds right.
    #[must_use]
    pub fn is_standing(&self, settings: &Settings, now: Now) -> bool {
        let most = i128::from(settings.stale_after_h) * 3_600_000_000_000;
        self.is_shown() && self.state.is_active() && i128::from(now.monotonic) - self.raised_at > most
    }

    /// The field says whether the condition holds. Gives the event that follows at once.
    pub(crate) fn say(&mut self, holds: bool, definition: &Definition, now: Now) -> Option<Event> {
        self.said = Some(holds);
        self.settle(definition, now)
    }

    /// Begins, goes on with or ends a delay.
    pub(crate) fn settle(&mut self, definition: &Definition, now: Now) -> Option<Event> {
        let holds = self.said.filter(|_| !self.stale);
        let Some(holds) = holds.filter(|holds| *holds != self.state.is_active()) else {
            self.due = None;
            return None;
        };
        let delay = if holds { definition.on_delay } else { definition.off_delay };
        let due = *self.due.get_or_insert(now.monotonic.saturating_add(nanos(delay)));
        if now.monotonic < due {
            return None;
        }
        self.due = None;
        Some(if holds { Event::Rise } else { Event::Fall })
    }

    /// Goes into the state after `event`; gives the one before.
    pub(crate) fn go(&mut self, event: Event, latch: bool, now: Now) -> Result<State, Refusal> {
        let after = self.state.after(event, latch, self.is_suppressed())?;
        let before = std::mem::replace(&mut self.state, after);
        if before != after {
            self.since = now.wall;
        }
        if matches!(after, State::Unacknowledged | State::Normal) {
            self.acknowledged = None;
        }
        if after == State::Normal {
            self.first_out = false;
        }
        if event == Event::Rise {
            (self.raised, self.raised_at) = (Some(now.wall), i128::from(now.monotonic));
        }
        Ok(before)
    }

    pub(crate) fn shelve(&mut self, mark: Mark, minutes: u32, now: Now) {
        let span = std::time::Duration::from_secs(u64::from(minutes) * 60);
        self.shelved_to = now.monotonic.saturating_add(nanos(span));
        self.shelved = Some(Shelf { mark, until: now.wall.plus(span) });
    }

    pub(crate) fn is_shelf_over(&self, now: Now) -> bool {
        self.shelved.is_some() && now.monotonic >= self.shelved_to
    }

    /// It was told; gives whether it chatters from now on.
    pub(crate) fn tell(&mut self, settings: &Settings, now: Now) -> bool {
        self.told.push_back(now.monotonic);
        while self.told.len() > settings.chatter_count as usize {
            self.told.pop_front();
        }
        self.forget(settings, now);
        let chatters = self.told.len() >= settings.chatter_count as usize;
        !std::mem::replace(&mut self.chatters, chatters) && chatters
    }

    /// Lets go of what is too old for chatter, which ends when nothing is left.
    pub(crate) fn forget(&mut self, settings: &Settings, now: Now) {
        let from = now.monotonic.saturating_sub(u64::from(settings.chatter_s) * 1_000_000_000);
        while self.told.front().is_some_and(|time| *time < from) {
            self.told.pop_front();
        }
        self.chatters &= !self.told.is_empty();
    }
}

/// What people see of it.
impl Alarm {
    /// State without suppression.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Since when it is in that state.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// When it was raised last.
    #[must_use]
    pub fn raised(&self) -> Option<Timestamp> {
        self.raised
    }

    /// What raised it; `None` when there was no number.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.value
    }

    /// What the behavior added.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Words of the version that raised it.
    #[must_use]
    pub fn words(&self) -> Option<&Words> {
        self.words.as_ref()
    }

    /// Who acknowledged it.
    #[must_use]
    pub fn acknowledged(&self) -> Option<&Mark> {
        self.acknowledged.as_ref()
    }

    /// Who shelved it.
    #[must_use]
    pub fn shelf(&self) -> Option<&Shelf> {
        self.shelved.as_ref()
    }

    /// Who took it out of service.
    #[must_use]
    pub fn out_of_service(&self) -> Option<&Mark> {
        self.out_of_service.as_ref()
    }

    /// Whether it was the first of its group.
    #[must_use]
    pub fn is_first_out(&self) -> bool {
        self.first_out
    }

    /// Whether it is told too often.
    #[must_use]
    pub fn chatters(&self) -> bool {
        self.chatters
    }
}
