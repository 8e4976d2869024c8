//! Which packets wait for which commit, on the connection at hand.
//!
//! Acknowledgements leave in the order of receipt, as MQTT asks, so a batch that committed early waits for
//! those before it. A new connection starts a new generation: what the old one had is forgotten here and
//! delivered again by the broker.

use std::collections::VecDeque;

/// A ticket's number: 24 bits of generation, 40 bits of batch.
const BATCH_BITS: u32 = 40;

#[derive(Debug)]
struct Waiting {
    packets: Vec<u16>,
    committed: bool,
}

/// Batches under way, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    generation: u64,
    /// Batch number of the oldest in `waiting`.
    oldest: u64,
    waiting: VecDeque<Waiting>,
    /// Packets whose acknowledgement may leave, in order.
    due: VecDeque<u16>,
}

impl Ledger {
    /// Enters the packets of a batch and gives the number for its ticket.
    pub(crate) fn enter(&mut self, packets: Vec<u16>) -> u64 {
        let batch = self.oldest + self.waiting.len() as u64;
        self.waiting.push_back(Waiting { packets, committed: false });
        (self.generation << BATCH_BITS) | (batch & ((1 << BATCH_BITS) - 1))
    }

    /// Marks a ticket committed; `false` when it belongs to another connection.
    pub(crate) fn commit(&mut self, number: u64) -> bool {
        let place = self.place(number);
        match place.and_then(|place| self.waiting.get_mut(place)) {
            Some(waiting) => {
                waiting.committed = true;
                true
            }
            None => false,
        }
    }

    /// Whether a ticket belongs to this connection and is still open.
    pub(crate) fn is_current(&self, number: u64) -> bool {
        self.place(number).is_some_and(|place| place < self.waiting.len())
    }

    /// The packet to acknowledge next; the same until [`Ledger::acknowledged`].
    pub(crate) fn due(&mut self) -> Option<u16> {
        while self.due.is_empty() && self.waiting.front()?.committed {
            self.oldest += 1;
            self.due.extend(self.waiting.pop_front()?.packets);
        }
        self.due.front().copied()
    }

    /// The acknowledgement of [`Ledger::due`] has left.
    pub(crate) fn acknowledged(&mut self) {
        self.due.pop_front();
    }

    /// Forgets everything: the connection is gone.
    pub(crate) fn start_over(&mut self) {
        self.generation = (self.generation + 1) & 0xff_ffff;
        self.oldest = 0;
        self.waiting.clear();
        self.due.clear();
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.due.is_empty()
    }

    fn place(&self, number: u64) -> Option<usize> {
        if number >> BATCH_BITS != self.generation {
            return None;
        }
        let batch = number & ((1 << BATCH_BITS) - 1);
        usize::try_from(batch.checked_sub(self.oldest)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released(ledger: &mut Ledger) -> Vec<u16> {
        let next = || {
            let packet = ledger.due()?;
            ledger.acknowledged();
            Some(packet)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn packets_leave_in_the_order_of_receipt() {
        let mut ledger = Ledger::default();
        let (a, b, c) = (ledger.enter(vec![1, 2]), ledger.enter(vec![3]), ledger.enter(vec![4]));
        assert!(ledger.commit(b));
        assert!(released(&mut ledger).is_empty(), "a is before b");
        assert!(ledger.commit(a));
        assert_eq!(released(&mut ledger), [1, 2, 3]);
        assert!(ledger.is_current(c) && !ledger.is_current(a));
        assert!(!ledger.commit(a), "a is done");
        assert!(ledger.commit(c));
        assert_eq!(released(&mut ledger), [4]);
        assert!(ledger.is_empty());
    }

    #[test]
    fn nothing_of_an_old_connection_is_ever_released() {
        let mut ledger = Ledger::default();
        let old = ledger.enter(vec![1]);
        ledger.start_over();
        let new = ledger.enter(vec![1]);
        assert_ne!(old, new);
        assert!(!ledger.commit(old) && !ledger.is_current(old));
        assert!(released(&mut ledger).is_empty());
        assert!(ledger.commit(new));
        assert_eq!(released(&mut ledger), [1]);
    }
}
