//! A stretch of time that is read page after page, in order of time and, where times are equal, of number. The next page
//! begins after the last row of the one before, wherever that row now stands, so that rows that came meanwhile neither
//! double nor hide one.

use geminus_core::Timestamp;

use crate::sqlite::column_from_time;

/// What of a line of time is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// First time.
    pub from: Timestamp,
    /// End, exclusive.
    pub to: Timestamp,
    /// Only what comes after this time and number in the order of reading.
    pub after: Option<(Timestamp, u64)>,
    /// From the end to the beginning.
    pub newest_first: bool,
}

/// The same as SQLite's numbers: time from (inclusive), to (exclusive), and the place after which it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) time: i64,
    pub(crate) number: i64,
}

impl Stretch {
    /// Everything there is, the oldest first.
    #[must_use]
    pub fn all() -> Self {
        Self { from: Timestamp(0), to: Timestamp(u64::MAX), after: None, newest_first: false }
    }

    /// Times are narrowed to what is left, so that a late page does not walk over the ones before it.
    pub(crate) fn bounds(&self) -> Bounds {
        let (from, to) = (column_from_time(self.from), column_from_time(self.to));
        match (self.after, self.newest_first) {
            (None, false) => Bounds { from, to, time: -1, number: -1 },
            (None, true) => Bounds { from, to, time: i64::MAX, number: i64::MAX },
            (Some((time, number)), newest_first) => {
                let (time, number) = (column_from_time(time), i64::try_from(number).unwrap_or(i64::MAX));
                match newest_first {
                    false => Bounds { from: from.max(time), to, time, number },
                    true => Bounds { from, to: to.min(time.saturating_add(1)), time, number },
                }
            }
        }
    }

    /// How a statement compares (time, number) with the place, and how it orders by both.
    pub(crate) fn order(&self) -> (&'static str, &'static str) {
        match self.newest_first {
            false => (">", "ASC"),
            true => ("<", "DESC"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_narrowed_to_what_is_left_of_the_stretch() {
        let check = |after: Option<(u64, u64)>, newest_first: bool, expect: (i64, i64, i64, i64)| {
            let after = after.map(|(time, number)| (Timestamp(time), number));
            let bounds = Stretch { from: Timestamp(10), to: Timestamp(20), after, newest_first }.bounds();
            assert_eq!((bounds.from, bounds.to, bounds.time, bounds.number), expect, "{after:?}");
        };
        check(None, false, (10, 20, -1, -1));
        check(None, true, (10, 20, i64::MAX, i64::MAX));
        check(Some((15, 3)), false, (15, 20, 15, 3));
        check(Some((15, 3)), true, (10, 16, 15, 3));
        check(Some((5, 3)), false, (10, 20, 5, 3));
        check(Some((25, u64::MAX)), true, (10, 20, 25, i64::MAX));
        assert_eq!(Stretch::all().bounds().to, i64::MAX);
    }
}
