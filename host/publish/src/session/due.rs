//! When which item may be said again: what changes faster than the interval waits, and then says how it stands.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

/// Each item that has changed stands here once, whatever comes.
#[derive(Debug)]
pub(super) struct Due {
    interval: Duration,
    /// When each item was said last.
    said: Vec<Option<Duration>>,
    /// When each item is due, for those that are.
    at: Vec<Option<Duration>>,
    order: BTreeSet<(Duration, u32)>,
}

impl Due {
    pub(super) fn new(items: usize, interval: Duration) -> Self {
        Self { interval, said: vec![None; items], at: vec![None; items], order: BTreeSet::new() }
    }

    /// An item has changed; `now` is monotonic.
    pub(super) fn changed(&mut self, item: u32, now: Duration) {
        let place = item as usize;
        let (Some(said), Some(at)) = (self.said.get(place), self.at.get_mut(place)) else { return };
        if at.is_some() {
            return;
        }
        let due = said.map_or(now, |said| now.max(said + self.interval));
        *at = Some(due);
        self.order.insert((due, item));
    }

    /// An item was said, with how it stands now.
    pub(super) fn said(&mut self, item: u32, now: Duration) {
        self.forget(item);
        if let Some(said) = self.said.get_mut(item as usize) {
            *said = Some(now);
        }
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes the item that has been due for longest, and whatever of the items with it is due.
    pub(super) fn take(&mut self, now: Duration, with_it: impl Fn(u32) -> Range<u32>) -> Option<Vec<u32>> {
        let (at, first) = self.order.first().copied()?;
        if at > now {
            return None;
        }
        let is_due = |item: &u32| {
            let at = self.at.get(*item as usize).copied().flatten();
            at.is_some_and(|at| at <= now)
        };
        let items: Vec<u32> = with_it(first).filter(is_due).collect();
        for item in &items {
            self.forget(*item);
        }
        Some(items)
    }

    /// Nothing is due any more.
    pub(super) fn clear(&mut self) {
        for (_, item) in std::mem::take(&mut self.order) {
            if let Some(at) = self.at.get_mut(item as usize) {
                *at = None;
            }
        }
    }

    fn forget(&mut self, item: u32) {
        if let Some(at) = self.at.get_mut(item as usize).and_then(Option::take) {
            self.order.remove(&(at, item));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn take(due: &mut Due, seconds: u64) -> Option<Vec<u32>> {
        due.take(at(seconds), |item| item..item + 1)
    }

    #[test]
    fn what_changes_fast_waits_for_its_interval_and_stands_once() {
        let mut due = Due::new(3, at(10));
        for _ in 0..100 {
            due.changed(1, at(0));
        }
        assert_eq!((take(&mut due, 0), take(&mut due, 0)), (Some(vec![1]), None));
        due.said(1, at(0));
        due.changed(1, at(3));
        due.changed(2, at(4));
        assert_eq!(due.next(), Some(at(4)));
        assert_eq!((take(&mut due, 4), take(&mut due, 9)), (Some(vec![2]), None));
        assert_eq!(take(&mut due, 10), Some(vec![1]));
        due.changed(9, at(0));
        assert_eq!(due.next(), None, "no such item");
    }

    #[test]
    fn those_that_are_due_travel_together_and_a_birth_says_all() {
        let mut due = Due::new(4, at(10));
        due.said(2, at(0));
        for item in [0, 1, 2] {
            due.changed(item, at(1));
        }
        assert_eq!(due.take(at(1), |_| 0..4), Some(vec![0, 1]));
        assert_eq!(due.next(), Some(at(10)));
        due.said(2, at(2));
        assert_eq!(due.next(), None);
        due.changed(3, at(2));
        due.clear();
        assert_eq!((due.next(), take(&mut due, 99)), (None, None));
        due.changed(3, at(3));
        assert_eq!(take(&mut due, 3), Some(vec![3]), "not forgotten for ever");
    }
}
