//! Which messages wait for their samples to be durable. Pure.
//!
//! A message is acknowledged when all its samples are; one whose samples were given up is not. A new subscription starts a new
//! generation: what the old one had open ends later, and acknowledges nothing there.

use std::collections::HashMap;

use geminus_core::ticket::TicketEnd;

/// Messages that may be open before no more are asked for; those that are under way then come still.
const MESSAGES_MAX: usize = 1_000;
/// Samples of them, likewise.
const SAMPLES_MAX: usize = 1_000_000;
/// A ticket's number: generation and number of the message.
const NUMBER_BITS: u32 = 32;

/// Messages under way to the disk.
#[derive(Debug)]
pub(super) struct Open {
    messages_max: usize,
    samples_max: usize,
    generation: u64,
    /// Samples of each.
    messages: HashMap<u64, usize>,
    samples: usize,
}

impl Default for Open {
    fn default() -> Self {
        Self::bounded(MESSAGES_MAX, SAMPLES_MAX)
    }
}

impl Open {
    /// With other bounds than those of the house.
    pub(super) fn bounded(messages_max: usize, samples_max: usize) -> Self {
        Self { messages_max, samples_max, generation: 0, messages: HashMap::new(), samples: 0 }
    }

    /// Enters a message and gives the number for its ticket.
    pub(super) fn enter(&mut self, number: u32, samples: usize) -> u64 {
        let ticket = self.ticket(number);
        self.samples += samples;
        // The same number twice would be one that went round: the samples of both count.
        *self.messages.entry(ticket).or_default() += samples;
        ticket
    }

    /// The message that may be acknowledged by this end, if one of this subscription may.
    pub(super) fn ended(&mut self, end: TicketEnd) -> Option<u32> {
        let (TicketEnd::Committed(ticket) | TicketEnd::Voided(ticket)) = end;
        self.samples -= self.messages.remove(&ticket)?;
        let number = u32::try_from(ticket & u64::from(u32::MAX)).ok()?;
        (matches!(end, TicketEnd::Committed(_)) && ticket == self.ticket(number)).then_some(number)
    }

    /// Whether the message of this subscription waits.
    pub(super) fn has(&self, number: u32) -> bool {
        self.messages.contains_key(&self.ticket(number))
    }

    /// Whether so much waits that no more may be asked for.
    pub(super) fn is_full(&self) -> bool {
        self.messages.len() >= self.messages_max || self.samples >= self.samples_max
    }

    /// Another subscription begins. What is open still counts: it is in memory until it ends.
    pub(super) fn start_over(&mut self) {
        self.generation = (self.generation + 1) & u64::from(u32::MAX);
    }

    fn ticket(&self, number: u32) -> u64 {
        (self.generation << NUMBER_BITS) | u64::from(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_acknowledged_when_its_samples_are_durable_and_not_when_they_were_given_up() {
        let mut open = Open::default();
        let (first, second) = (open.enter(7, 3), open.enter(u32::MAX, 1));
        assert!(open.has(7) && open.has(u32::MAX) && !open.has(8));
        assert_eq!(open.ended(TicketEnd::Committed(second)), Some(u32::MAX));
        assert_eq!(open.ended(TicketEnd::Voided(first)), None);
        assert!(!open.has(7));
        assert_eq!(open.ended(TicketEnd::Committed(first)), None, "it has ended");
    }

    #[test]
    fn nothing_is_acknowledged_to_another_subscription_and_what_it_had_counts_until_it_ends() {
        let mut open = Open::default();
        let old = open.enter(1, SAMPLES_MAX);
        open.start_over();
        assert!(open.is_full() && !open.has(1));
        let new = open.enter(1, 0);
        assert_ne!(old, new);
        assert_eq!(open.ended(TicketEnd::Committed(old)), None);
        assert!(!open.is_full());
        assert_eq!(open.ended(TicketEnd::Committed(new)), Some(1));
    }

    #[test]
    fn messages_and_samples_are_bounded() {
        let mut open = Open::default();
        open.enter(1, SAMPLES_MAX - 1);
        assert!(!open.is_full());
        let last = open.enter(2, 1);
        assert!(open.is_full());
        assert_eq!(open.ended(TicketEnd::Committed(last)), Some(2));
        let most = u32::try_from(MESSAGES_MAX).expect("a number");
        for number in 3..=most {
            open.enter(number, 0);
        }
        assert!(!open.is_full());
        open.enter(most + 1, 0);
        assert!(open.is_full());
    }
}
