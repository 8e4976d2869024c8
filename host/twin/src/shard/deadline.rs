//! Things that are due at a time: pushed mostly in order, popped strictly in order.
//!
//! Nearly all deadlines are "now plus a constant", which a queue keeps for nothing; the few that are not go into a
//! heap. Nothing is ever removed: whoever pops checks whether the entry still means anything.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

#[derive(Debug, Default)]
pub(super) struct Deadlines {
    queue: VecDeque<(u64, u32)>,
    heap: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Deadlines {
    /// `what` is due `at`.
    pub(super) fn push(&mut self, at: u64, what: u32) {
        match self.queue.back() {
            Some((last, _)) if *last > at => self.heap.push(Reverse((at, what))),
            _ => self.queue.push_back((at, what)),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        (self.queue.capacity() + self.heap.capacity()) * size_of::<(u64, u32)>()
    }

    /// The earliest entry, if it is due by `now`.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<(u64, u32)> {
        let queued = self.queue.front().copied();
        let heaped = self.heap.peek().map(|Reverse(entry)| *entry);
        let first = queued.into_iter().chain(heaped).min().filter(|(at, _)| *at <= now)?;
        if queued == Some(first) {
            self.queue.pop_front();
        } else {
            self.heap.pop();
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_out_in_order_and_not_before_their_time() {
        let mut deadlines = Deadlines::default();
        for (at, what) in [(5, 1), (9, 2), (7, 3), (9, 4), (1, 5), (12, 6)] {
            deadlines.push(at, what);
        }
        let mut popped =
            |now| std::iter::from_fn(|| deadlines.pop_due(now)).map(|(_, what)| what).collect::<Vec<_>>();
        assert_eq!(popped(0), Vec::<u32>::new());
        assert_eq!(popped(8), [5, 1, 3]);
        assert_eq!(popped(11), [2, 4]);
        assert_eq!(popped(12), [6]);
    }
}
