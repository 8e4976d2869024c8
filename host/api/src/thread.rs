//! How several lines of time become one, page after page. Pure: nothing here reads anything.
//!
//! Each source gives what it has after a place, in order, and says how far it has looked. Of that a page is made whose end
//! is the place after which the next one begins. A place is a time, a source and a number in it, so that what comes
//! meanwhile, also at a time that was passed already, neither doubles nor hides an entry. The host that assembles a twin's
//! thread calls this; the cursor of the API is a place as text.

use std::fmt;
use std::str::FromStr;

use geminus_core::Timestamp;

/// Where an entry stands: entries are ordered by time, then by source, then by number. No two have the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// When.
    pub time: Timestamp,
    /// Which source, by its rank.
    pub source: u8,
    /// Number in its source, below 2⁶³.
    pub number: u64,
}

/// What one source gives for a page.
#[derive(Clone, Debug)]
pub struct Part<T> {
    /// In the order of reading.
    pub entries: Vec<(Place, T)>,
    /// How far it has looked: up to and with this place it has named everything. `None`: to its end.
    pub seen_to: Option<Place>,
}

/// One page of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// In the order of reading.
    pub entries: Vec<(Place, T)>,
    /// The next page begins after this place; `None` when nothing is left.
    pub next: Option<Place>,
}

impl Place {
    /// What a source of this rank is asked for when a page begins after this place: everything beyond that time and number,
    /// in the order of reading. `None`: from its beginning.
    #[must_use]
    pub fn bound(self, source: u8, newest_first: bool) -> Option<(Timestamp, u64)> {
        let passed = match newest_first {
            false => source < self.source,
            true => source > self.source,
        };
        match (source == self.source, passed, newest_first) {
            (true, ..) => Some((self.time, self.number)),
            // All of this time comes before the place.
            (false, true, false) => Some((self.time, u64::MAX)),
            (false, true, true) => Some((self.time, 0)),
            // All of this time comes after it.
            (false, false, false) => self.time.0.checked_sub(1).map(|time| (Timestamp(time), u64::MAX)),
            (false, false, true) => self.time.0.checked_add(1).map(|time| (Timestamp(time), 0)),
        }
    }

    /// Whether it comes after another one in the order of reading.
    #[must_use]
    pub fn is_after(self, other: Self, newest_first: bool) -> bool {
        if newest_first { self < other } else { self > other }
    }
}

/// `TIME-SOURCE-NUMBER`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.time.0, self.source, self.number)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-');
        let place = Self {
            time: Timestamp(part(parts.next())?),
            source: part(parts.next())?,
            number: part(parts.next())?,
        };
        if parts.next().is_some() { Err(()) } else { Ok(place) }
    }
}

fn part<N: FromStr>(text: Option<&str>) -> Result<N, ()> {
    let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).ok_or(())?;
    digits.parse().map_err(|_| ())
}

impl<T> Part<T> {
    /// All that a source has in a stretch, given whole and in any order: what comes after `after`, in order.
    #[must_use]
    pub fn whole(entries: Vec<(Place, T)>, after: Option<Place>, newest_first: bool) -> Self {
        let mut entries = entries;
        entries.retain(|(place, _)| after.is_none_or(|after| place.is_after(after, newest_first)));
        order(&mut entries, newest_first);
        Self { entries, seen_to: None }
    }
}

/// Joins what sources give into one page of at most `limit` entries. A page may hold fewer, or none, and have a next one:
/// then a source has looked at as much as it may for one page.
#[must_use]
pub fn join<T>(parts: Vec<Part<T>>, newest_first: bool, limit: usize) -> Page<T> {
    let ends = parts.iter().filter_map(|part| part.seen_to);
    // Beyond the source that has looked least far, others would be named before it.
    let end = if newest_first { ends.max() } else { ends.min() };
    let mut entries: Vec<(Place, T)> = parts.into_iter().flat_map(|part| part.entries).collect();
    entries.retain(|(place, _)| end.is_none_or(|end| !place.is_after(end, newest_first)));
    order(&mut entries, newest_first);
    if entries.len() <= limit {
        return Page { entries, next: end };
    }
    entries.truncate(limit);
    let next = entries.last().map(|(place, _)| *place);
    Page { entries, next }
}

fn order<T>(entries: &mut [(Place, T)], newest_first: bool) {
    entries.sort_by_key(|(place, _)| *place);
    if newest_first {
        entries.reverse();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(time: u64, source: u8, number: u64) -> Place {
        Place { time: Timestamp(time), source, number }
    }

    #[test]
    fn a_place_is_read_as_it_is_written_and_nothing_else_is_one() {
        let some = place(1_772_366_400_000_000_000, 2, 17);
        assert_eq!(some.to_string().parse(), Ok(some));
        for text in
            ["", "1-2", "1-2-3-4", "1-256-3", "-1-2-3", "1-+2-3", "a-2-3", "1-2-18446744073709551616", "1--3"]
        {
            assert_eq!(text.parse::<Place>(), Err(()), "{text:?}");
        }
    }

    #[test]
    fn a_page_ends_where_a_source_has_stopped_looking() {
        let part = |times: &[u64], source: u8, seen_to: Option<u64>| Part {
            entries: times.iter().map(|time| (place(*time, source, *time), *time)).collect(),
            seen_to: seen_to.map(|time| place(time, source, time)),
        };
        let times = |page: &Page<u64>| page.entries.iter().map(|(_, time)| *time).collect::<Vec<_>>();
        let page = join(vec![part(&[1, 5, 9], 0, None), part(&[2], 1, Some(4))], false, 10);
        assert_eq!((times(&page), page.next), (vec![1, 2], Some(place(4, 1, 4))));
        let page = join(vec![part(&[9, 5, 1], 0, None), part(&[8], 1, Some(6))], true, 10);
        assert_eq!((times(&page), page.next), (vec![9, 8], Some(place(6, 1, 6))));
        let page = join(vec![part(&[1, 5, 9], 0, None), part(&[2], 1, None)], false, 3);
        assert_eq!((times(&page), page.next), (vec![1, 2, 5], Some(place(5, 0, 5))));
        let page = join(vec![part(&[1, 5], 0, None)], false, 2);
        assert_eq!(page.next, None, "a full page that is the last one");
        let page = join::<u64>(vec![part(&[], 0, Some(7)), part(&[8], 1, None)], false, 2);
        assert_eq!((times(&page), page.next), (vec![], Some(place(7, 0, 7))), "it goes on all the same");
    }

    /// A source that looks at so many entries for a page and gives those that are wanted.
    fn ask(
        all: &[(Place, bool)],
        source: u8,
        after: Option<Place>,
        newest_first: bool,
        looks: usize,
    ) -> Part<Place> {
        let bound = after.and_then(|after| after.bound(source, newest_first));
        let beyond = |place: &Place| match (bound, newest_first) {
            (None, _) => true,
            (Some(bound), false) => (place.time, place.number) > bound,
            (Some(bound), true) => (place.time, place.number) < bound,
        };
        let mut own: Vec<_> =
            all.iter().filter(|(place, _)| place.source == source && beyond(place)).copied().collect();
        order(&mut own, newest_first);
        let cut = own.len() > looks;
        own.truncate(looks);
        let seen_to = own.last().filter(|_| cut).map(|(place, _)| *place);
        let entries =
            own.into_iter().filter(|(_, wanted)| *wanted).map(|(place, _)| (place, place)).collect();
        Part { entries, seen_to }
    }

    proptest! {
        /// However sources are cut and whatever is filtered out, the pages together are the line: once each, in order.
        #[test]
        fn pages_together_are_the_line(
            raw in prop::collection::vec((0_u64..12, 0_u8..3, any::<bool>()), 0..60),
            newest_first in any::<bool>(), limit in 1_usize..8, looks in 1_usize..8,
        ) {
            let all: Vec<(Place, bool)> = raw.iter().enumerate()
                .map(|(number, (time, source, wanted))| (place(*time, *source, number as u64), *wanted)).collect();
            let mut expect: Vec<(Place, Place)> =
                all.iter().filter(|(_, wanted)| *wanted).map(|(place, _)| (*place, *place)).collect();
            order(&mut expect, newest_first);
            let (mut found, mut after) = (Vec::new(), None);
            for round in 0.. {
                prop_assert!(round < 200, "it goes on and on");
                let parts = (0..3).map(|source| ask(&all, source, after, newest_first, looks)).collect();
                let page = join(parts, newest_first, limit);
                prop_assert!(page.entries.len() <= limit);
                found.extend(page.entries);
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            prop_assert_eq!(found, expect);
        }

        /// A source that gives all it has is cut at the same place as one that is asked for the rest.
        #[test]
        fn what_is_given_whole_goes_on_after_the_place(
            raw in prop::collection::vec((0_u64..6, 0_u8..3), 0..30), newest_first in any::<bool>(),
            time in 0_u64..6, source in 0_u8..3, number in 0_u64..30,
        ) {
            let all: Vec<(Place, bool)> =
                raw.iter().enumerate().map(|(n, (time, source))| (place(*time, *source, n as u64), true)).collect();
            let after = Some(place(time, source, number));
            for source in 0..3 {
                let own = all.iter().filter(|(place, _)| place.source == source).map(|(place, _)| (*place, *place));
                let whole = Part::whole(own.collect(), after, newest_first);
                prop_assert_eq!(whole.entries, ask(&all, source, after, newest_first, 100).entries);
            }
        }
    }
}
