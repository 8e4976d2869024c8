//! Who watches which twins, and what shards may know of it.
//!
//! A twin stays watched for a while after its last reader went. So a reader that lost its connection finds all
//! that happened since, and one that stays away longer is told so.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::Clock;

use super::Interest;

/// The twins whose values somebody wants, at one moment.
///
/// A shard keeps the last snapshot it saw. When [`generation`](Self::generation) has changed it asks
/// [`watch_of`](Self::watch_of) for each of its twins; a number that it has not met before for that twin means a
/// new watch, and the shard publishes *all* points of the twin once. From then on it publishes changed points,
/// gathered over [`VALUES_INTERVAL`](super::VALUES_INTERVAL).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    generation: u64,
    all: Option<u64>,
    twins: HashMap<Arc<str>, u64>,
}

impl Watched {
    /// Grows with each change of the set; 0 before the first.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// True when nobody watches anything: the common case of a host without an open page.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_none() && self.twins.is_empty()
    }

    /// Whether somebody wants this twin's values.
    #[must_use]
    pub fn contains(&self, twin: &str) -> bool {
        self.watch_of(twin).is_some()
    }

    /// The number of the watch on this twin; another number than before means a new watch.
    #[must_use]
    pub fn watch_of(&self, twin: &str) -> Option<u64> {
        self.twins.get(twin).copied().or(self.all)
    }
}

#[derive(Debug)]
struct Watch {
    readers: u32,
    /// Values of every publication above this number are in the table.
    since: u64,
    /// Monotonic time at which the watch ends, once nobody reads.
    ends: Duration,
}

impl Watch {
    fn over(&self, clock: &dyn Clock) -> bool {
        self.readers == 0 && clock.monotonic() >= self.ends
    }
}

#[derive(Debug)]
pub(super) struct Watches {
    all: Option<Watch>,
    twins: HashMap<Arc<str>, Watch>,
    linger: Duration,
    lingering_max: usize,
    generation: u64,
}

impl Watches {
    pub(super) fn new(linger: Duration, lingering_max: usize) -> Self {
        Self { all: None, twins: HashMap::new(), linger, lingering_max, generation: 0 }
    }

    pub(super) fn is_watched(&self, twin: &str) -> bool {
        self.all.is_some() || self.twins.contains_key(twin)
    }

    pub(super) fn readers_of_all(&self) -> u32 {
        self.all.as_ref().map_or(0, |watch| watch.readers)
    }

    /// Whether values of this twin are wanted, and whether finding out has ended a watch.
    pub(super) fn wants(&mut self, twin: &str, clock: &dyn Clock) -> (bool, bool) {
        let mut ended = false;
        if self.twins.get(twin).is_some_and(|watch| watch.over(clock)) {
            ended = self.twins.remove(twin).is_some();
        }
        if self.all.as_ref().is_some_and(|watch| watch.over(clock)) {
            ended = self.all.take().is_some();
        }
        self.generation += u64::from(ended);
        (self.is_watched(twin), ended)
    }

    /// A reader comes; `number` is new: above those of all events and watches before.
    pub(super) fn join(&mut self, interest: &Interest, number: u64, clock: &dyn Clock) {
        self.expire(clock);
        let ends = Duration::ZERO;
        match interest {
            Interest::Site => return,
            Interest::All => self.all.get_or_insert(Watch { readers: 0, since: number, ends }).readers += 1,
            Interest::Twins(twins) => {
                let since = self.all.as_ref().map_or(number, |all| all.since);
                for twin in twins {
                    let fresh = || Watch { readers: 0, since, ends };
                    self.twins.entry(Arc::clone(twin)).or_insert_with(fresh).readers += 1;
                }
            }
        }
        self.generation += 1;
    }

    /// A reader that has joined goes.
    pub(super) fn leave(&mut self, interest: &Interest, clock: &dyn Clock) {
        let ends = clock.monotonic().saturating_add(self.linger);
        let part = |watch: &mut Watch| {
            watch.readers = watch.readers.saturating_sub(1);
            watch.ends = ends;
        };
        match interest {
            Interest::Site => return,
            Interest::All => self.all.iter_mut().for_each(part),
            Interest::Twins(twins) => {
                for twin in twins {
                    self.twins.get_mut(twin).into_iter().for_each(part);
                }
            }
        }
        self.expire(clock);
        self.bound();
        self.generation += 1;
    }

    /// Whether the table has every value of this interest above `cursor`.
    pub(super) fn reaches(&self, interest: &Interest, cursor: u64) -> bool {
        let reached = |watch: Option<&Watch>| watch.is_some_and(|watch| watch.since <= cursor);
        match interest {
            Interest::Site => true,
            Interest::All => reached(self.all.as_ref()),
            Interest::Twins(twins) => twins.iter().all(|twin| reached(self.twins.get(twin))),
        }
    }

    pub(super) fn snapshot(&self) -> Watched {
        let twins = self.twins.iter().map(|(twin, watch)| (Arc::clone(twin), watch.since));
        Watched {
            generation: self.generation,
            all: self.all.as_ref().map(|watch| watch.since),
            twins: twins.collect(),
        }
    }

    fn expire(&mut self, clock: &dyn Clock) {
        self.twins.retain(|_, watch| !watch.over(clock));
        self.all = self.all.take().filter(|watch| !watch.over(clock));
    }

    /// Ends the oldest watches without readers while there are more than allowed.
    fn bound(&mut self) {
        let idle = self.twins.iter().filter(|(_, watch)| watch.readers == 0);
        let mut idle: Vec<_> = idle.map(|(twin, watch)| (watch.ends, Arc::clone(twin))).collect();
        let surplus = idle.len().saturating_sub(self.lingering_max);
        idle.sort();
        for (_, twin) in idle.into_iter().take(surplus) {
            self.twins.remove(&twin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::{ManualClock, Timestamp};

    const LINGER: Duration = Duration::from_secs(30);

    fn twins(ids: &[&str]) -> Interest {
        Interest::Twins(ids.iter().map(|id| Arc::from(*id)).collect())
    }

    fn house() -> (Watches, ManualClock) {
        (Watches::new(LINGER, 2), ManualClock::new(Timestamp(1)))
    }

    #[test]
    fn a_watch_lasts_while_there_is_a_reader_and_lingers_after() {
        let (mut watches, clock) = house();
        watches.join(&twins(&["p"]), 5, &clock);
        watches.join(&twins(&["p"]), 9, &clock);
        watches.leave(&twins(&["p"]), &clock);
        clock.advance(LINGER * 2);
        assert_eq!(watches.wants("p", &clock), (true, false), "one reader is left");
        watches.leave(&twins(&["p"]), &clock);
        clock.advance(LINGER - Duration::from_nanos(1));
        assert_eq!(watches.wants("p", &clock), (true, false), "it lingers");
        assert!(watches.reaches(&twins(&["p"]), 5) && !watches.reaches(&twins(&["p"]), 4));
        clock.advance(Duration::from_nanos(1));
        assert_eq!(watches.wants("p", &clock), (false, true), "it is over");
        assert_eq!(watches.wants("p", &clock), (false, false), "and it was said once");
        assert!(watches.snapshot().is_empty());
    }

    #[test]
    fn a_watch_of_all_counts_for_each_twin() {
        let (mut watches, clock) = house();
        watches.join(&Interest::All, 5, &clock);
        assert_eq!(watches.wants("anything", &clock), (true, false));
        watches.join(&twins(&["p"]), 9, &clock);
        assert_eq!(watches.snapshot().watch_of("p"), Some(5), "its values were in the table before");
        watches.leave(&Interest::All, &clock);
        clock.advance(LINGER);
        assert_eq!(watches.wants("q", &clock), (false, true));
        assert_eq!(watches.wants("p", &clock), (true, false));
    }

    #[test]
    fn each_change_shows_in_the_generation_and_a_new_watch_in_its_number() {
        let (mut watches, clock) = house();
        watches.join(&twins(&["p"]), 5, &clock);
        let first = watches.snapshot();
        assert_eq!((first.watch_of("p"), first.contains("q")), (Some(5), false));
        watches.leave(&twins(&["p"]), &clock);
        clock.advance(LINGER);
        watches.join(&twins(&["p"]), 9, &clock);
        let second = watches.snapshot();
        assert!(second.generation() > first.generation());
        assert_eq!(second.watch_of("p"), Some(9));
    }

    #[test]
    fn watches_without_readers_are_bounded_and_the_oldest_go() {
        let (mut watches, clock) = house();
        for id in ["a", "b", "c"] {
            watches.join(&twins(&[id]), 1, &clock);
            watches.leave(&twins(&[id]), &clock);
            clock.advance(Duration::from_secs(1));
        }
        let snapshot = watches.snapshot();
        assert_eq!(["a", "b", "c"].map(|id| snapshot.contains(id)), [false, true, true]);
    }
}
