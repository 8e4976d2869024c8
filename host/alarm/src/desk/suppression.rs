//! What suppresses an alarm: the shelf, the site's design, and a twin that does not send.

use std::sync::Arc;

use geminus_core::TwinIndex;

use super::{Change, Desk, Happened};
use crate::{Alarm, Definition, Event, Key, Now, State};

impl Desk {
    pub(super) fn is_stale(&self, key: Key, definition: &Definition) -> bool {
        !definition.tells_staleness && self.stale.contains(&key.twin)
    }

    /// Alarms of the same twin that the condition of this one suppresses.
    pub(super) fn suppressed_by(&self, key: Key) -> Vec<Key> {
        let name = self.definition(key.alarm).map(|definition| &definition.name);
        let places = name.and_then(|name| self.suppresses.get(name)).into_iter().flatten();
        let of_twin = |place: &&u32| self.definition(**place).is_some_and(|other| other.has(key.twin));
        places.filter(of_twin).map(|place| Key { alarm: *place, ..key }).collect()
    }

    pub(super) fn end_shelf(&mut self, key: Key, now: Now, changes: &mut Vec<Change>) {
        let Some(alarm) = self.alarms.get_mut(&key) else { return };
        let before = alarm.shown();
        alarm.shelved = None;
        let (after, silent) = (alarm.shown(), alarm.is_suppressed());
        self.unsaved.insert(key);
        let happened = Happened::ShelfOver;
        changes.push(Change { key: Some(key), happened, mark: None, before, after, silent });
        self.release(key, now, changes);
    }

    pub(super) fn design(&mut self, key: Key, holds: bool, now: Now, changes: &mut Vec<Change>) {
        if !holds && !self.alarms.contains_key(&key) {
            return;
        }
        self.waiting.insert(key);
        let stale = self.definition(key.alarm).is_some_and(|definition| self.is_stale(key, definition));
        let alarm = self.alarms.entry(key).or_insert_with(|| Alarm::new(now, stale));
        if alarm.by_design == holds {
            return;
        }
        let before = alarm.shown();
        alarm.by_design = holds;
        let (after, silent) = (alarm.shown(), alarm.is_suppressed());
        let happened = if holds { Happened::SuppressedByDesign } else { Happened::ReleasedByDesign };
        changes.push(Change { key: Some(key), happened, mark: None, before, after, silent });
        if !holds {
            self.release(key, now, changes);
        }
    }

    /// If nothing suppresses it any more, what still holds is told anew.
    pub(super) fn release(&mut self, key: Key, now: Now, changes: &mut Vec<Change>) {
        let definitions = Arc::clone(&self.definitions);
        let Some(definition) = definitions.get(key.alarm as usize) else { return };
        let Some(alarm) = self.alarms.get_mut(&key).filter(|alarm| !alarm.is_suppressed()) else { return };
        let (before, latch) = (alarm.shown(), definition.latch);
        // A release is never refused.
        if alarm.go(Event::Release, latch, now).is_err() {
            return;
        }
        let (state, after) = (alarm.state, alarm.shown());
        self.unsaved.insert(key);
        if state == State::Normal {
            return;
        }
        let happened = Happened::ToldAnew;
        changes.push(Change { key: Some(key), happened, mark: None, before, after, silent: false });
        self.count(key, now, changes);
    }

    pub(super) fn staleness(&mut self, twin: TwinIndex, stale: bool, now: Now, changes: &mut Vec<Change>) {
        let changed = if stale { self.stale.insert(twin) } else { self.stale.remove(&twin) };
        if !changed {
            return;
        }
        let definitions = Arc::clone(&self.definitions);
        let of_twin = self.alarms.range(Key { twin, alarm: 0 }..=Key { twin, alarm: u32::MAX });
        for key in of_twin.map(|(key, _)| *key).collect::<Vec<_>>() {
            let Some(definition) = definitions.get(key.alarm as usize) else { continue };
            let Some(alarm) = self.alarms.get_mut(&key).filter(|_| !definition.tells_staleness) else {
                continue;
            };
            self.waiting.insert(key);
            let before = alarm.shown();
            alarm.stale = stale;
            let (after, silent) = (alarm.shown(), alarm.is_suppressed());
            if before != after {
                let happened = if stale { Happened::Stale } else { Happened::Fresh };
                changes.push(Change { key: Some(key), happened, mark: None, before, after, silent });
            }
            // What has changed meanwhile is said once.
            let Some(event) = alarm.settle(definition, now) else { continue };
            self.follow(key, event, now, changes);
        }
    }
}
