//! Sealed history: the samples of closed hours, moved out of `hot.db` into Parquet files that others read without us.
//!
//! A file holds some series of one class in one hour of source time, in order of point, twin and time. It is written
//! beside the others, synced and renamed; then one transaction of `hot.db` adds its row to the table `sealed` and deletes
//! the blocks that it holds, so a sample is in `hot.db` until it is in a file that is known. What comes late for an hour
//! stays in `hot.db` until a later revision of the file takes it in. The `sealer` does this on a thread of its own; the
//! history writer alone changes `hot.db` (`hot::writer::seal`). Readers come through `archive`.

pub(crate) mod archive;
pub(crate) mod checked;
mod choose;
mod class;
mod disk;
mod file;
mod gather;
mod makers;
pub(crate) mod manifest;
pub(crate) mod order;
mod place;
pub(crate) mod sealer;
mod sweep;

pub use class::Class;
pub(crate) use place::{HISTORY_FOLDER, PASSING_FOLDER};

/// Nanoseconds of an hour: what one file spans at most.
pub(crate) const HOUR_NS: u64 = 3_600_000_000_000;

/// Number of the hour, since 1970, in which a time lies.
pub(crate) fn hour_of(nanos: u64) -> u64 {
    nanos / HOUR_NS
}
