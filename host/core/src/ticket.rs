//! The claim of a source to hear when its samples are durable.
//!
//! A source opens a ticket per batch; every room that splits the batch clones it; the store marks its part
//! committed. The source hears exactly once, when every clone was committed. A clone that is dropped
//! uncommitted (queue full, disk full, shutdown) voids the ticket: the source then hears that too and must
//! not acknowledge, so that the broker delivers again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a source hears of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketEnd {
    /// Everything under this number is durable.
    Committed(u64),
    /// Something under this number was given up before it was durable.
    Voided(u64),
}

struct Shared {
    number: u64,
    void: AtomicBool,
    tell: Arc<dyn Fn(TicketEnd) + Send + Sync>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let end = match self.void.load(Ordering::Acquire) {
            true => TicketEnd::Voided(self.number),
            false => TicketEnd::Committed(self.number),
        };
        (self.tell)(end);
    }
}

/// One share of a claim. Clone it to split a batch; see the module text.
pub struct Ticket {
    shared: Arc<Shared>,
    committed: bool,
}

impl Ticket {
    /// This share is durable.
    pub fn commit(mut self) {
        self.committed = true;
    }

    /// The number that its source gave it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.shared.number
    }
}

impl Clone for Ticket {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), committed: false }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.committed {
            self.shared.void.store(true, Ordering::Release);
        }
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticket({})", self.shared.number)
    }
}

/// A source's book of tickets: numbers them and says where to tell their end.
#[derive(Clone)]
pub struct TicketBook {
    tell: Arc<dyn Fn(TicketEnd) + Send + Sync>,
}

impl TicketBook {
    /// `tell` runs on whatever thread ends a ticket: it must not block and must not fail.
    pub fn new(tell: impl Fn(TicketEnd) + Send + Sync + 'static) -> Self {
        Self { tell: Arc::new(tell) }
    }

    /// A fresh ticket; `number` is the source's own (a generation and a count, say).
    #[must_use]
    pub fn open(&self, number: u64) -> Ticket {
        let shared = Shared { number, void: AtomicBool::new(false), tell: Arc::clone(&self.tell) };
        Ticket { shared: Arc::new(shared), committed: false }
    }
}

impl std::fmt::Debug for TicketBook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TicketBook")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn book() -> (TicketBook, Arc<Mutex<Vec<TicketEnd>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        (TicketBook::new(move |end| ear.lock().expect("ear").push(end)), heard)
    }

    #[test]
    fn a_ticket_ends_committed_only_when_every_share_was_committed() {
        let (book, heard) = book();
        let first = book.open(7);
        let second = first.clone();
        first.commit();
        assert!(heard.lock().expect("ear").is_empty());
        second.commit();
        assert_eq!(*heard.lock().expect("ear"), [TicketEnd::Committed(7)]);
    }

    #[test]
    fn a_dropped_share_voids_the_ticket() {
        let (book, heard) = book();
        let first = book.open(8);
        drop(first.clone());
        first.commit();
        assert_eq!(*heard.lock().expect("ear"), [TicketEnd::Voided(8)]);
    }
}
