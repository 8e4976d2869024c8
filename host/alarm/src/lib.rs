//! Alarms after ISA-18.2: what is an alarm, whether its condition holds, what state it is in, and who did what to it.
//!
//! Everything here is pure: no IO, no clock, no threads; time is an argument. A shard looks at values with a
//! [`Detector`] or a [`Hold`] and says what changed; the [`Desk`] keeps every alarm of a site, takes orders of people and
//! answers with [`Change`]s, which the host writes down and shows. Spans are measured on a clock that never goes back,
//! so that a clock that is set shifts no delay and no shelf.

mod alarm;
mod definition;
mod desk;
mod detector;
mod figures;
mod order;
mod record;
mod rule;
mod state;

pub use alarm::Alarm;
pub use definition::{Definition, Key, Words};
pub use desk::{Change, Desk, Entry, Happened, Signal};
pub use detector::{Condition, Detector, Hold};
pub use figures::Figures;
pub use order::{Action, Order, REASON_CHARS_MAX, Refusal};
pub use record::{Mark, Record, Shelf};
pub use rule::{AlarmRule, Comparison, Kind, Settings};
pub use state::{Event, Shown, State};

/// Now, on both clocks: wall time for what people read, monotonic time for every span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Wall time.
    pub wall: geminus_core::Timestamp,
    /// Nanoseconds of a clock that never goes back.
    pub monotonic: u64,
}

/// Nanoseconds of a span, saturating.
fn nanos(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
