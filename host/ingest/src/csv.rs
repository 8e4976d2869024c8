//! Recorded data: a table of times and columns, played into a broker or straight into the host.
//!
//! [`Recording`] reads a file, [`ColumnMap`] says which column is which topic, [`feed`] publishes through MQTT
//! and [`CsvSource`] replays without a broker. Both send the same payloads in the same order.
//!
//! A point takes each source time once, so rows that repeat the time of the row before, as recorders with coarse
//! clocks write them, would lose their values: such a row gets the time of the row before plus one millisecond. Rows whose
//! time goes *back* keep it, and the host counts them as late.

mod feed;
mod map;
mod pace;
mod recording;
mod refused;
mod source;

pub use feed::{Fed, feed};
pub use map::{ColumnMap, ColumnTarget, MapError};
pub use pace::{Pace, Stamp};
pub use recording::{Message, Recording, RecordingError};
pub use refused::{RefusedKind, RefusedRows};
pub use source::{CsvSource, Replayed};

/// How far a play has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows played.
    pub rows: usize,
    /// Rows in all.
    pub of: usize,
    /// Messages sent.
    pub messages: u64,
}

/// How a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlayOptions {
    /// How fast.
    pub pace: Pace,
    /// With which times.
    pub stamp: Stamp,
}

impl Default for PlayOptions {
    fn default() -> Self {
        Self { pace: Pace::Speed(1.0), stamp: Stamp::Keep }
    }
}
