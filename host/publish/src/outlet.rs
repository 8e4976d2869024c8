//! The way in: the newest state of each item, which whoever publishes takes when it has time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use geminus_core::{Quality, Timestamp};
use serde::Serialize;
use tokio::sync::Notify;

/// Who computed a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct By {
    /// Name of the behavior in the site.
    pub behavior: String,
    /// Name of the plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Digest of its bytes, `sha256:…`.
    pub digest: String,
}

/// What a state says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Of a point. What is not finite is no value.
    Number(f64),
    /// Of a twin's health.
    Health {
        /// 0 (failed) … 1 (healthy); `None` when unknown.
        index: Option<f64>,
        /// `ok`, `warning`, `critical` or `unknown`.
        verdict: &'static str,
    },
    /// Of an alarm.
    Alarm {
        /// As the API names it: `normal`, `unacknowledged`, …
        state: &'static str,
        /// After ISA-18.2.
        priority: &'static str,
        /// What an operator reads.
        message: String,
        /// What raised it.
        value: Option<f64>,
        /// Unit of that.
        unit: String,
    },
}

/// How an item stands.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What it says.
    pub content: Content,
    /// How far to trust it.
    pub quality: Quality,
    /// Source time.
    pub time: Timestamp,
    /// Who computed it, where somebody did.
    pub by: Option<Arc<By>>,
}

impl State {
    /// The value and its quality: a number that is none is not passed on, and is bad at best.
    pub(crate) fn number(&self) -> (Option<f64>, Quality) {
        let value = match &self.content {
            Content::Number(value) => Some(*value),
            Content::Health { index, .. } => *index,
            Content::Alarm { value, .. } => *value,
        };
        match value.filter(|value| value.is_finite()) {
            Some(value) => (Some(value), self.quality),
            None => (None, self.quality.worse(Quality::Bad)),
        }
    }

    /// Whether both say the same, whenever they say it.
    fn says_as(&self, other: &Self) -> bool {
        let same = match (&self.content, &other.content) {
            (Content::Number(a), Content::Number(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        };
        same && self.quality == other.quality && self.by == other.by
    }
}

#[derive(Debug, Default)]
struct Slot {
    newest: Option<State>,
    /// Whether it waits in `fresh`.
    waits: bool,
}

#[derive(Debug)]
struct Table {
    slots: Vec<Slot>,
    /// Items that have changed since they were asked for, each once: never longer than there are items.
    fresh: Vec<u32>,
    /// States that were replaced before anybody asked.
    replaced: u64,
}

/// Shared by those who know what changes and the one who publishes it.
#[derive(Debug)]
pub struct Outlet {
    table: Mutex<Table>,
    pub(crate) news: Notify,
}

impl Outlet {
    pub(crate) fn new(items: usize) -> Arc<Self> {
        let slots = std::iter::repeat_with(Slot::default).take(items).collect();
        let table = Mutex::new(Table { slots, fresh: Vec::new(), replaced: 0 });
        Arc::new(Self { table, news: Notify::new() })
    }

    /// Puts in what changed; what says the same as before is passed over. Costs a lock, waits for no broker.
    pub fn put(&self, states: impl IntoIterator<Item = (u32, State)>) {
        let mut table = self.lock();
        let mut any = false;
        for (item, state) in states {
            any |= table.put(item, state);
        }
        drop(table);
        if any {
            self.news.notify_one();
        }
    }

    /// States that were replaced by newer ones before they could be published.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.lock().replaced
    }

    /// Items that have changed since the last call.
    pub(crate) fn take_fresh(&self, into: &mut Vec<u32>) {
        let mut table = self.lock();
        into.append(&mut table.fresh);
        for item in into.iter() {
            if let Some(slot) = table.slots.get_mut(*item as usize) {
                slot.waits = false;
            }
        }
    }

    /// How an item stands; `None` while nobody knows.
    #[must_use]
    pub fn state(&self, item: u32) -> Option<State> {
        self.lock().slots.get(item as usize)?.newest.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn put(&mut self, item: u32, state: State) -> bool {
        let Some(slot) = self.slots.get_mut(item as usize) else { return false };
        if slot.newest.as_ref().is_some_and(|newest| newest.says_as(&state)) {
            return false;
        }
        self.replaced += u64::from(slot.waits);
        slot.newest = Some(state);
        if !std::mem::replace(&mut slot.waits, true) {
            self.fresh.push(item);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: f64, quality: Quality, seconds: u64) -> State {
        State { content: Content::Number(value), quality, time: Timestamp(seconds), by: None }
    }

    fn fresh(outlet: &Outlet) -> Vec<u32> {
        let mut fresh = Vec::new();
        outlet.take_fresh(&mut fresh);
        fresh
    }

    #[test]
    fn only_the_newest_waits_and_only_what_changed() {
        let outlet = Outlet::new(2);
        outlet.put((0..100).map(|n| (1, number(f64::from(n), Quality::Good, 0))));
        outlet.put([(0, number(f64::NAN, Quality::Bad, 0)), (7, number(1.0, Quality::Good, 0))]);
        assert_eq!((fresh(&outlet), outlet.replaced()), (vec![1, 0], 99));
        assert_eq!(outlet.state(1), Some(number(99.0, Quality::Good, 0)));
        outlet.put([(1, number(99.0, Quality::Good, 5)), (0, number(f64::NAN, Quality::Bad, 5))]);
        assert!(fresh(&outlet).is_empty(), "the same at another time is no change");
        outlet.put([(1, number(99.0, Quality::Stale, 0))]);
        assert_eq!(fresh(&outlet), [1]);
        assert_eq!(outlet.state(7), None);
    }

    #[test]
    fn what_is_no_number_is_no_value_and_never_good() {
        for (value, quality, expect) in [
            (1.5, Quality::Uncertain, (Some(1.5), Quality::Uncertain)),
            (f64::NAN, Quality::Good, (None, Quality::Bad)),
            (f64::INFINITY, Quality::Uncertain, (None, Quality::Bad)),
            (f64::NAN, Quality::Missing, (None, Quality::Missing)),
        ] {
            assert_eq!(number(value, quality, 0).number(), expect);
        }
    }
}
