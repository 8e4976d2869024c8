//! The newest reading of each variable: shards write it, the server takes what is new when it has time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::catalogue::Catalogue;
use super::reading::Reading;

#[derive(Debug, Default)]
struct Slot {
    newest: Option<Reading>,
    /// Whether it waits in `fresh`.
    waits: bool,
}

#[derive(Debug)]
struct Table {
    slots: Vec<Slot>,
    /// Variables that have changed since they were asked for, each once: never longer than there are variables.
    fresh: Vec<u32>,
    replaced: u64,
}

/// Shared by those who know what changes and the server. What it is told costs a lock and waits for no client.
#[derive(Debug)]
pub struct Board {
    table: Mutex<Table>,
    pub(crate) news: Notify,
}

impl Board {
    /// Room for each variable of the catalogue.
    #[must_use]
    pub fn new(catalogue: &Catalogue) -> Self {
        let slots = std::iter::repeat_with(Slot::default).take(catalogue.variables()).collect();
        let table = Mutex::new(Table { slots, fresh: Vec::new(), replaced: 0 });
        Self { table, news: Notify::new() }
    }

    /// Puts in what changed. A reading that waits is replaced by a newer one, and that is counted.
    pub fn put(&self, readings: impl IntoIterator<Item = (u32, Reading)>) {
        let mut table = self.lock();
        let mut any = false;
        for (item, reading) in readings {
            any |= table.put(item, reading);
        }
        drop(table);
        if any {
            self.news.notify_one();
        }
    }

    /// Readings that were replaced by newer ones before the server could push them.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.lock().replaced
    }

    /// How a variable stands; `None` while nobody knows.
    #[must_use]
    pub fn reading(&self, item: u32) -> Option<Reading> {
        self.lock().slots.get(item as usize)?.newest.clone()
    }

    /// Moves up to `max` variables that have changed to `into`, with their readings.
    pub(crate) fn take_fresh(&self, max: usize, into: &mut Vec<(u32, Reading)>) {
        let mut table = self.lock();
        let from = table.fresh.len().saturating_sub(max);
        let fresh: Vec<u32> = table.fresh.drain(from..).collect();
        for item in fresh {
            let Some(slot) = table.slots.get_mut(item as usize) else { continue };
            slot.waits = false;
            into.extend(slot.newest.clone().map(|newest| (item, newest)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn put(&mut self, item: u32, reading: Reading) -> bool {
        let Some(slot) = self.slots.get_mut(item as usize) else { return false };
        if slot.newest.as_ref().is_some_and(|newest| newest.is_same(&reading)) {
            return false;
        }
        self.replaced += u64::from(slot.waits);
        slot.newest = Some(reading);
        if !std::mem::replace(&mut slot.waits, true) {
            self.fresh.push(item);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use geminus_core::{Quality, Timestamp};

    use super::super::catalogue::{Folder, Layout, ShownPoint};
    use super::super::reading::Content;
    use super::*;

    fn board() -> Board {
        let name = "load".to_owned();
        let point =
            ShownPoint { name, description: String::new(), unit: "1".to_owned(), folder: Folder::Measured };
        let layout = Arc::new(Layout { type_id: "dtmi:t:T;1".to_owned(), points: vec![point] });
        let mut catalogue = Catalogue::default();
        catalogue.add("a", "A".to_owned(), "observe", &layout).expect("room");
        Board::new(&catalogue)
    }

    fn reading(content: Content, time: u64) -> Reading {
        Reading { content, quality: Quality::Good, time: Timestamp(time) }
    }

    fn fresh(board: &Board) -> Vec<u32> {
        let mut fresh = Vec::new();
        board.take_fresh(10, &mut fresh);
        fresh.into_iter().map(|(item, _)| item).collect()
    }

    #[test]
    fn the_newest_waits_and_what_it_replaced_is_counted() {
        let board = board();
        board.put((0..100).map(|n| (0, reading(Content::Number(f64::from(n)), 1))));
        board.put([(9, reading(Content::Number(0.0), 1))]);
        assert_eq!((fresh(&board), board.replaced()), (vec![0], 99));
        assert_eq!(board.reading(0), Some(reading(Content::Number(99.0), 1)));
        assert_eq!(board.reading(9), None, "there is no such variable");
    }

    #[test]
    fn a_point_that_says_the_same_again_has_a_new_time_and_a_standing_word_has_not() {
        let board = board();
        let both = |time| [(0, reading(Content::Number(1.0), time)), (2, reading(Content::Word("ok"), time))];
        board.put(both(1));
        assert_eq!(fresh(&board), [0, 2]);
        board.put(both(2));
        assert_eq!(fresh(&board), [0]);
        assert_eq!(board.reading(2).map(|reading| reading.time), Some(Timestamp(1)), "since then");
    }

    #[test]
    fn no_more_is_taken_at_a_time_than_asked_for() {
        let board = board();
        board.put((0..4).map(|item| (item, reading(Content::Index(None), 1))));
        let mut some = Vec::new();
        board.take_fresh(3, &mut some);
        assert_eq!((some.len(), fresh(&board).len()), (3, 1));
    }
}
