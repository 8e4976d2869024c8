//! Which checkpoints of one twin are kept: a pure rule over their times.
//!
//! Borders: the latest 64. Periodic ones: the last 3, and before those the latest of each hour of row time, as far as
//! 72 hours back from the newest checkpoint.

use std::time::Duration;

use geminus_core::Timestamp;

use super::Border;

/// Most borders of one twin.
pub(super) const BORDERS_MAX: usize = 64;
/// Periodic checkpoints that are kept whatever their age.
pub(super) const PERIODIC_LAST: usize = 3;
/// How far back periodic ones are kept.
pub(super) const PERIODIC_AGE_MAX: Duration = Duration::from_secs(72 * 3600);
/// Of so long a time one is kept.
const THINNED_NS: u64 = 3600 * 1_000_000_000;

/// A checkpoint as far as the rule looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) id: i64,
    pub(super) row_time: Timestamp,
    pub(super) border: Border,
}

/// The ids of those that go, of one twin's checkpoints, which are given newest first.
pub(super) fn beyond(newest_first: &[Kept]) -> Vec<i64> {
    let Some(newest) = newest_first.first() else { return Vec::new() };
    let oldest = newest.row_time.minus(PERIODIC_AGE_MAX);
    let (mut borders, mut periodic, mut hour) = (0usize, 0usize, None);
    let goes = |kept: &&Kept| match kept.border {
        Border::Periodic => {
            periodic += 1;
            let own = Some(kept.row_time.0 / THINNED_NS);
            let first_of_hour = std::mem::replace(&mut hour, own) != own;
            periodic > PERIODIC_LAST && (!first_of_hour || kept.row_time < oldest)
        }
        _ => {
            borders += 1;
            borders > BORDERS_MAX
        }
    };
    newest_first.iter().filter(goes).map(|kept| kept.id).collect()
}
