//! The desk: every alarm of a site that is not quiet, what shards say of them, and what people order.
//!
//! One writer. An alarm that is normal, in service and has no delay under way takes no memory. Each call gives what
//! changed, in order; [`Desk::unsaved`] is what must be written down before it is told.

mod change;
mod suppression;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use geminus_core::TwinIndex;
use geminus_core::declaration::Priority;

use crate::{
    Action, Alarm, Definition, Event, Figures, Key, Mark, Now, Order, Record, Refusal, Settings, Shown,
    State, Words,
};

pub use change::{Change, Happened, Signal};

/// An alarm for a list.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'d> {
    /// Which.
    pub key: Key,
    /// What it is.
    pub definition: &'d Definition,
    /// How it stands.
    pub alarm: &'d Alarm,
    /// Whether it stands for longer than the site finds right.
    pub standing: bool,
}

/// All alarms of a site.
#[derive(Debug)]
pub struct Desk {
    definitions: Arc<[Definition]>,
    settings: Settings,
    by_name: HashMap<String, Vec<u32>>,
    /// Definitions that the condition of an alarm of this name suppresses.
    suppresses: HashMap<String, Vec<u32>>,
    alarms: BTreeMap<Key, Alarm>,
    /// Those of them for which time matters: a delay, a shelf, chatter. A tick looks at no other.
    waiting: BTreeSet<Key>,
    stale: BTreeSet<TwinIndex>,
    figures: Figures,
    /// How often each was told since the start.
    told: HashMap<Key, u64>,
    unsaved: BTreeSet<Key>,
}

impl Desk {
    /// A desk on which nothing lies.
    #[must_use]
    pub fn new(definitions: Arc<[Definition]>, settings: Settings) -> Self {
        let mut by_name: HashMap<String, Vec<u32>> = HashMap::new();
        let mut suppresses: HashMap<String, Vec<u32>> = HashMap::new();
        for (place, definition) in (0..).zip(definitions.iter()) {
            by_name.entry(definition.name.clone()).or_default().push(place);
            if let Some(other) = &definition.suppressed_by {
                suppresses.entry(other.clone()).or_default().push(place);
            }
        }
        Self {
            definitions,
            settings,
            by_name,
            suppresses,
            alarms: BTreeMap::new(),
            waiting: BTreeSet::new(),
            stale: BTreeSet::new(),
            figures: Figures::default(),
            told: HashMap::new(),
            unsaved: BTreeSet::new(),
        }
    }

    /// The alarm of this name.
    #[must_use]
    pub fn key(&self, twin: TwinIndex, name: &str) -> Option<Key> {
        let mut places = self.by_name.get(name)?.iter().copied();
        let has = |place: &u32| self.definition(*place).is_some_and(|definition| definition.has(twin));
        places.find(has).map(|alarm| Key { twin, alarm })
    }

    /// What an alarm is.
    #[must_use]
    pub fn definition(&self, place: u32) -> Option<&Definition> {
        self.definitions.get(place as usize)
    }

    /// What holds for all alarms.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Figures of the operator station.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// How often this one was told since the start.
    #[must_use]
    pub fn told(&self, key: Key) -> u64 {
        self.told.get(&key).copied().unwrap_or(0)
    }

    /// Puts an alarm back as an earlier run left it. Before the first signal, all of them.
    pub fn restore(&mut self, key: Key, record: Record, now: Now) {
        let Some(definition) = self.definitions.get(key.alarm as usize) else { return };
        // One that suppresses it may have come first.
        let by_design = self.alarms.get(&key).is_some_and(|alarm| alarm.by_design);
        let alarm = Alarm::restored(record, definition, &self.settings, now, by_design);
        let active = alarm.state.is_active();
        self.alarms.insert(key, alarm);
        self.waiting.insert(key);
        for other in self.suppressed_by(key) {
            self.waiting.insert(other);
            self.alarms.entry(other).or_insert_with(|| Alarm::new(now, false)).by_design = active;
        }
    }

    /// What of this alarm must be written down, or has no record any more.
    #[must_use]
    pub fn unsaved(&self) -> Vec<(Key, Option<Record>)> {
        let record = |key: &Key| self.alarms.get(key).and_then(Alarm::record);
        self.unsaved.iter().map(|key| (*key, record(key))).collect()
    }

    /// All of [`Desk::unsaved`] is written down.
    pub fn saved(&mut self) {
        self.unsaved.clear();
    }

    /// How one alarm stands; `None` while it is quiet.
    #[must_use]
    pub fn alarm(&self, key: Key) -> Option<&Alarm> {
        self.alarms.get(&key)
    }

    /// Puts an alarm back as it was before an order that could not be written down.
    pub fn undo(&mut self, key: Key, before: Option<Alarm>) {
        self.waiting.insert(key);
        match before {
            Some(alarm) => drop(self.alarms.insert(key, alarm)),
            None => drop(self.alarms.remove(&key)),
        }
    }

    /// Every alarm that is not normal, or suppressed by a person or by design.
    pub fn entries(&self, now: Now) -> impl Iterator<Item = Entry<'_>> {
        let all = self.alarms.iter().filter(|(_, alarm)| alarm.shown() != Shown::Normal);
        all.filter_map(move |(key, alarm)| {
            let definition = self.definition(key.alarm)?;
            let standing = alarm.is_standing(&self.settings, now);
            Some(Entry { key: *key, definition, alarm, standing })
        })
    }

    /// One alarm as in a list, quiet or not.
    #[must_use]
    pub fn entry<'d>(&'d self, key: Key, quiet: &'d Alarm, now: Now) -> Option<Entry<'d>> {
        let alarm = self.alarms.get(&key).unwrap_or(quiet);
        let definition = self.definition(key.alarm).filter(|definition| definition.has(key.twin))?;
        Some(Entry { key, definition, alarm, standing: alarm.is_standing(&self.settings, now) })
    }

    /// Takes what a shard says.
    pub fn hear(&mut self, signal: Signal, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        match signal {
            Signal::Condition { key, holds, value, detail, words } => {
                self.condition(key, holds, (value, detail, words), now, &mut changes);
            }
            Signal::Design { key, holds } => self.design(key, holds, now, &mut changes),
            Signal::Stale { twin, stale } => self.staleness(twin, stale, now, &mut changes),
        }
        changes
    }

    /// Lets delays and shelves end, and counts. To be called several times a second.
    pub fn tick(&mut self, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        for key in self.waiting.iter().copied().collect::<Vec<_>>() {
            let Some(definition) = self.definitions.get(key.alarm as usize) else { continue };
            let Some(alarm) = self.alarms.get_mut(&key) else {
                self.waiting.remove(&key);
                continue;
            };
            alarm.forget(&self.settings, now);
            let event = alarm.settle(definition, now);
            if alarm.is_shelf_over(now) {
                self.end_shelf(key, now, &mut changes);
            }
            if let Some(event) = event {
                self.follow(key, event, now, &mut changes);
            }
            let alarm = self.alarms.get(&key);
            if alarm.is_none_or(|alarm| !alarm.is_waiting()) {
                self.waiting.remove(&key);
            }
            if alarm.is_some_and(Alarm::is_idle) {
                self.alarms.remove(&key);
            }
        }
        let limits = (self.settings.flood_above, self.settings.flood_over_below);
        if let Some(begins) = self.figures.tick(now, limits) {
            let happened = if begins { Happened::FloodBegan } else { Happened::FloodEnded };
            let (before, after) = (Shown::Normal, Shown::Normal);
            changes.push(Change { key: None, happened, mark: None, before, after, silent: false });
        }
        changes
    }

    /// Does what a person orders.
    ///
    /// # Errors
    /// Why it does not fit; then nothing has changed.
    pub fn order(&mut self, key: Key, order: Order, now: Now) -> Result<Vec<Change>, Refusal> {
        let definition =
            self.definitions.get(key.alarm as usize).filter(|definition| definition.has(key.twin));
        let definition = definition.ok_or(Refusal::Unknown)?;
        let (latch, stale) = (definition.latch, self.is_stale(key, definition));
        let mut alarm = self.alarms.get(&key).cloned().unwrap_or_else(|| Alarm::new(now, stale));
        let (before, mark) = (alarm.shown(), Mark { by: order.by, at: now.wall, reason: order.reason });
        let mut released = false;
        match order.action {
            Action::Acknowledge => {
                alarm.go(Event::Acknowledge, latch, now)?;
                alarm.acknowledged = Some(mark.clone()).filter(|_| alarm.state != State::Normal);
            }
            Action::Reset => drop(alarm.go(Event::Reset, latch, now)?),
            Action::Shelve { minutes } => {
                let most = self.settings.shelve_max_min;
                if !(1..=most).contains(&minutes) {
                    return Err(Refusal::Shelf { wished: minutes, most });
                }
                alarm.shelve(mark.clone(), minutes, now);
            }
            Action::Unshelve => {
                alarm.shelved.take().ok_or(Refusal::NotShelved)?;
                released = true;
            }
            Action::OutOfService if alarm.out_of_service.is_some() => {
                return Err(Refusal::OutOfServiceAlready);
            }
            Action::OutOfService => alarm.out_of_service = Some(mark.clone()),
            Action::InService => {
                alarm.out_of_service.take().ok_or(Refusal::InService)?;
                released = true;
            }
        }
        let (after, silent) = (alarm.shown(), alarm.is_suppressed());
        self.alarms.insert(key, alarm);
        self.waiting.insert(key);
        self.unsaved.insert(key);
        let happened = Happened::Ordered(order.action);
        let mut changes = vec![Change { key: Some(key), happened, mark: Some(mark), before, after, silent }];
        if released {
            self.release(key, now, &mut changes);
        }
        Ok(changes)
    }

    fn condition(
        &mut self,
        key: Key,
        holds: bool,
        (value, detail, words): (f64, String, Option<Words>),
        now: Now,
        changes: &mut Vec<Change>,
    ) {
        let definitions = Arc::clone(&self.definitions);
        let Some(definition) = definitions.get(key.alarm as usize) else { return };
        // What a version keeps for the journal is no alarm; one that stands already is let go.
        let is_alarm = definition.priority(words.as_ref()) != Priority::Journal;
        let holds = holds && is_alarm;
        if !holds && !self.alarms.contains_key(&key) {
            return;
        }
        let stale = self.is_stale(key, definition);
        self.waiting.insert(key);
        let alarm = self.alarms.entry(key).or_insert_with(|| Alarm::new(now, stale));
        if holds {
            (alarm.value, alarm.detail) = (Some(value).filter(|value| value.is_finite()), detail);
            alarm.words = words.or_else(|| alarm.words.take());
        }
        if let Some(event) = alarm.say(holds, definition, now) {
            self.follow(key, event, now, changes);
        }
    }

    /// What follows when a delay is over.
    fn follow(&mut self, key: Key, event: Event, now: Now, changes: &mut Vec<Change>) {
        let definitions = Arc::clone(&self.definitions);
        let Some(definition) = definitions.get(key.alarm as usize) else { return };
        let Some(alarm) = self.alarms.get(&key) else { return };
        let first_out = event == Event::Rise && !alarm.is_suppressed() && self.is_first(key, definition);
        let Some(alarm) = self.alarms.get_mut(&key) else { return };
        let before = alarm.shown();
        // Neither a rise nor a fall is ever refused.
        if alarm.go(event, definition.latch, now).is_err() {
            return;
        }
        alarm.first_out |= first_out;
        self.waiting.insert(key);
        let (after, silent) = (alarm.shown(), alarm.is_suppressed());
        self.unsaved.insert(key);
        let happened = if event == Event::Rise { Happened::Raised } else { Happened::Returned };
        changes.push(Change { key: Some(key), happened, mark: None, before, after, silent });
        if event == Event::Rise && !silent {
            self.count(key, now, changes);
        }
        for other in self.suppressed_by(key) {
            self.design(other, event == Event::Rise, now, changes);
        }
    }

    /// An alarm was told.
    fn count(&mut self, key: Key, now: Now, changes: &mut Vec<Change>) {
        *self.told.entry(key).or_default() += 1;
        self.figures.told(now);
        let Some(alarm) = self.alarms.get_mut(&key) else { return };
        if alarm.tell(&self.settings, now) {
            let shown = alarm.shown();
            let happened = Happened::Chatters;
            let (before, after) = (shown, shown);
            changes.push(Change { key: Some(key), happened, mark: None, before, after, silent: false });
        }
    }

    /// Whether no other alarm of its group and twin is up.
    fn is_first(&self, key: Key, definition: &Definition) -> bool {
        let Some(group) = &definition.group else { return false };
        let all = self.alarms.range(Key { alarm: 0, ..key }..=Key { alarm: u32::MAX, ..key });
        let others = all.filter(|(other, alarm)| **other != key && alarm.is_shown());
        let mut groups = others.filter_map(|(other, _)| self.definition(other.alarm)?.group.as_ref());
        !groups.any(|other| other == group)
    }
}
