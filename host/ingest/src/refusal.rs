//! What is not taken from the field: counted by reason, told to the journal at a bounded rate.
//!
//! The first refusal of a topic and reason is told at once, then at most one a minute with the number that
//! was held back. The excerpt is printable and bounded, because it is written by strangers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use geminus_core::{Event, Severity};

/// Bytes of a refused payload that are shown.
pub const EXCERPT_BYTES_MAX: usize = 120;
/// How long a topic and reason stay quiet after an event.
pub const QUIET: Duration = Duration::from_mins(1);
/// Topics and reasons that are told apart; beyond it refusals are only counted.
pub const TOLD_MAX: usize = 1_024;

/// Why a payload or one of its members was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// Neither JSON nor a number nor a known word.
    Malformed,
    /// A number was expected and something else came.
    WrongType,
    /// A word that is not among the point's labels.
    UnknownLabel,
    /// None of the expected members, or an empty payload.
    NoValue,
    /// A quality that cannot be read.
    UnknownQuality,
    /// A time that cannot be read.
    BadTime,
    /// A time further ahead of this host's clock than accepted.
    FutureTime,
    /// Nothing is bound to the topic.
    UnknownTopic,
    /// More bytes than accepted.
    TooLarge,
    /// Sparkplug: data of an edge node or device whose birth is not known.
    NoBirth,
    /// Sparkplug: late, twice, or after a gap.
    OutOfOrder,
    /// Sparkplug: an alias or a name that no birth has given.
    UnknownMetric,
}

impl Reason {
    /// All of them, in the order of [`Reason::index`].
    pub const ALL: [Self; 12] = [
        Self::Malformed,
        Self::WrongType,
        Self::UnknownLabel,
        Self::NoValue,
        Self::UnknownQuality,
        Self::BadTime,
        Self::FutureTime,
        Self::UnknownTopic,
        Self::TooLarge,
        Self::NoBirth,
        Self::OutOfOrder,
        Self::UnknownMetric,
    ];

    /// Place in [`Reason::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Kebab-case name, for metrics and facts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::WrongType => "wrong-type",
            Self::UnknownLabel => "unknown-label",
            Self::NoValue => "no-value",
            Self::UnknownQuality => "unknown-quality",
            Self::BadTime => "bad-time",
            Self::FutureTime => "future-time",
            Self::UnknownTopic => "unknown-topic",
            Self::TooLarge => "too-large",
            Self::NoBirth => "no-birth",
            Self::OutOfOrder => "out-of-order",
            Self::UnknownMetric => "unknown-metric",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Malformed => "is neither a number, a known word nor JSON",
            Self::WrongType => "has a value of the wrong type",
            Self::UnknownLabel => "has a word that is not among the labels of the point",
            Self::NoValue => "has no value",
            Self::UnknownQuality => "has a quality that cannot be read",
            Self::BadTime => "has a time that cannot be read",
            Self::FutureTime => "has a time too far in the future",
            Self::UnknownTopic => "comes from a topic that nothing is bound to",
            Self::TooLarge => "is larger than accepted",
            Self::NoBirth => "came without a birth before it",
            Self::OutOfOrder => "came late, twice or after a gap",
            Self::UnknownMetric => "has a metric that no birth has given",
        }
    }
}

/// Counts of refusals by reason, shared with whoever shows them.
#[derive(Debug, Default)]
pub struct RefusalCounts([AtomicU64; Reason::ALL.len()]);

impl RefusalCounts {
    /// Refusals for `reason` since the start.
    #[must_use]
    pub fn of(&self, reason: Reason) -> u64 {
        self.0.get(reason.index()).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Refusals for any reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        Reason::ALL.iter().map(|reason| self.of(*reason)).sum()
    }

    pub(crate) fn add(&self, reason: Reason, times: u64) {
        if let Some(count) = self.0.get(reason.index()) {
            count.fetch_add(times, Ordering::Relaxed);
        }
    }
}

#[derive(Debug)]
struct Told {
    at: Duration,
    held_back: u64,
}

/// Remembers what was told when. One per source, owned by its reader.
#[derive(Debug, Default)]
pub struct RefusalJournal {
    told: HashMap<(Vec<u8>, Reason), Told>,
}

impl RefusalJournal {
    /// Counts a refusal and gives the event that should be journaled for it, if it is time for one.
    /// `now` is monotonic.
    pub fn refuse(
        &mut self,
        counts: &RefusalCounts,
        topic: &[u8],
        payload: &[u8],
        reason: Reason,
        now: Duration,
    ) -> Option<Event> {
        counts.add(reason, 1);
        let key = (topic.to_vec(), reason);
        if let Some(told) = self.told.get_mut(&key) {
            if now.saturating_sub(told.at) < QUIET {
                told.held_back += 1;
                return None;
            }
            let held_back = std::mem::take(&mut told.held_back);
            told.at = now;
            return Some(event(topic, payload, reason, held_back));
        }
        if self.told.len() >= TOLD_MAX {
            self.told.retain(|_, told| now.saturating_sub(told.at) < QUIET);
        }
        if self.told.len() >= TOLD_MAX {
            return None;
        }
        self.told.insert(key, Told { at: now, held_back: 0 });
        Some(event(topic, payload, reason, 0))
    }
}

fn event(topic: &[u8], payload: &[u8], reason: Reason, held_back: u64) -> Event {
    let (topic, excerpt) = (excerpt(topic), excerpt(payload));
    let message = format!("a message on `{topic}` was refused: it {}", reason.sentence());
    Event::new("sample-refused", Severity::Warning, message).facts(serde_json::json!({
        "topic": topic,
        "reason": reason.name(),
        "excerpt": excerpt,
        "payload_bytes": payload.len(),
        "refused_since_last_entry": held_back + 1,
    }))
}

/// The start of strangers' bytes as printable ASCII of at most [`EXCERPT_BYTES_MAX`] bytes, cut marked by `…`. Quotes
/// and backslashes stay as they came: whoever puts the text into JSON or a log line escapes it there.
#[must_use]
pub fn excerpt(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let printable = byte.is_ascii_graphic() || *byte == b' ';
        let shown = if printable { char::from(*byte).to_string() } else { byte.escape_ascii().to_string() };
        if text.len() + shown.len() > EXCERPT_BYTES_MAX {
            text.push('…');
            break;
        }
        text.push_str(&shown);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_then_one_a_minute_with_the_number_held_back() {
        let (mut journal, counts) = (RefusalJournal::default(), RefusalCounts::default());
        let mut at = |second: u64, topic: &[u8]| {
            journal.refuse(&counts, topic, b"{", Reason::Malformed, Duration::from_secs(second))
        };
        assert!(at(0, b"a").is_some());
        assert!(at(1, b"a").is_none() && at(59, b"a").is_none());
        assert!(at(59, b"b").is_some(), "another topic is told for itself");
        let event = at(60, b"a").expect("a minute later");
        assert_eq!(event.facts["refused_since_last_entry"], 3);
        assert_eq!(counts.of(Reason::Malformed), 5);
        assert_eq!(counts.total(), 5);
    }

    #[test]
    fn many_topics_cannot_fill_the_memory() {
        let (mut journal, counts) = (RefusalJournal::default(), RefusalCounts::default());
        let mut told = 0;
        for n in 0..5_000_u32 {
            let topic = n.to_be_bytes();
            told += usize::from(
                journal.refuse(&counts, &topic, b"", Reason::UnknownTopic, Duration::ZERO).is_some(),
            );
        }
        assert_eq!(told, TOLD_MAX);
        assert_eq!(counts.of(Reason::UnknownTopic), 5_000);
        let later = journal.refuse(&counts, b"new", b"", Reason::UnknownTopic, QUIET);
        assert!(later.is_some(), "old entries make room");
    }

    #[test]
    fn an_excerpt_is_bounded_printable_and_marked() {
        assert_eq!(excerpt(b"plain"), "plain");
        assert_eq!(
            excerpt(b"{\"a\":'b\\u0041'}"),
            r#"{"a":'b\u0041'}"#,
            "escaped once, by whoever writes it down"
        );
        assert_eq!(excerpt(b"a\n\xff"), r"a\n\xff");
        let long = excerpt(&[0; 1_000]);
        assert!(long.len() <= EXCERPT_BYTES_MAX + '…'.len_utf8() && long.ends_with('…'), "{long}");
    }
}
