//! Messages that came before their turn: kept for a bounded time in a bounded space until what is missing comes.

use std::time::Duration;

use crate::host::Moment;
use crate::topic::Kind;

/// Messages that one edge node may have out of order.
pub(crate) const HELD_MAX: usize = 127;
/// Bytes of their payloads.
pub(crate) const HELD_BYTES_MAX: usize = 4 << 20;

/// A message with a sequence number.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) device: Option<Box<str>>,
    pub(crate) seq: u8,
    pub(crate) timestamp: Option<u64>,
    pub(crate) payload: Vec<u8>,
    pub(crate) moment: Moment,
}

/// What became of a message that was to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Held,
    /// One with its number is there already.
    Twice,
    /// There is no room: waiting on helps nobody.
    Full,
}

/// The messages of one edge node that wait.
#[derive(Debug, Default)]
pub(crate) struct Held {
    messages: Vec<Message>,
    bytes: usize,
    /// Monotonic time since when something is missing.
    since: Option<Duration>,
}

impl Held {
    pub(crate) fn hold(&mut self, message: Message) -> Hold {
        if self.messages.iter().any(|held| held.seq == message.seq) {
            return Hold::Twice;
        }
        if self.messages.len() >= HELD_MAX || self.bytes + message.payload.len() > HELD_BYTES_MAX {
            return Hold::Full;
        }
        self.since.get_or_insert(message.moment.monotonic);
        self.bytes += message.payload.len();
        self.messages.push(message);
        Hold::Held
    }

    /// The message whose turn it is. After it, the wait for the next missing one starts over.
    pub(crate) fn take(&mut self, seq: u8, now: Duration) -> Option<Message> {
        let at = self.messages.iter().position(|held| held.seq == seq)?;
        let message = self.messages.swap_remove(at);
        self.bytes -= message.payload.len();
        self.since = (!self.messages.is_empty()).then_some(now);
        Some(message)
    }

    /// Keeps those only that `keep` wants.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Message) -> bool) {
        self.messages.retain(keep);
        self.bytes = self.messages.iter().map(|held| held.payload.len()).sum();
        if self.messages.is_empty() {
            self.since = None;
        }
    }

    /// Gives all up; how many there were.
    pub(crate) fn clear(&mut self) -> usize {
        let count = self.messages.len();
        *self = Self::default();
        count
    }

    pub(crate) fn since(&self) -> Option<Duration> {
        self.since
    }
}
