//! Who climbs when: twins wait until they are due, and some at a time are sent off, in two lanes, so that a restart does
//! not wait for a compiler. However many fail at once, nobody is turned away; a look takes no more than a handful.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use geminus_core::TwinIndex;
use geminus_twin::BindingIndex;

/// Climbs that a lane sends off at a time; the next ones when these are back.
pub(super) const CLIMBS_MAX: usize = 64;

/// Which behavior of which twin. It waits at most once, so the plant bounds the rota.
pub(super) type Key = (BindingIndex, TwinIndex);

/// Where one waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// What a shard does by itself.
    Quick,
    /// What may have to be compiled first.
    Slow,
}

impl Lane {
    pub(super) const ALL: [Self; 2] = [Self::Quick, Self::Slow];

    /// Of the crumb that its thread carries.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quick => "ladder-quick",
            Self::Slow => "ladder-slow",
        }
    }
}

/// All who wait, and who is under way.
pub(super) struct Rota<T> {
    waiting: HashMap<Key, (Lane, Duration, T)>,
    quick: BTreeSet<(Duration, Key)>,
    slow: BTreeSet<(Duration, Key)>,
    under_way: HashMap<Key, Lane>,
}

impl<T> Default for Rota<T> {
    fn default() -> Self {
        Self {
            waiting: HashMap::new(),
            quick: BTreeSet::new(),
            slow: BTreeSet::new(),
            under_way: HashMap::new(),
        }
    }
}

impl<T> Rota<T> {
    /// Lets it wait, in place of what it waited for before.
    pub(super) fn put(&mut self, lane: Lane, key: Key, due: Duration, item: T) {
        if let Some((lane, due, _)) = self.waiting.insert(key, (lane, due, item)) {
            self.order(lane).remove(&(due, key));
        }
        self.order(lane).insert((due, key));
    }

    /// Those of a lane whose time it is, the longest due first; none while others of it are under way. Who is under way
    /// in the other lane has to come back first.
    pub(super) fn take(&mut self, lane: Lane, now: Duration) -> Vec<T> {
        if self.under_way.values().any(|taken| *taken == lane) {
            return Vec::new();
        }
        let (order, under_way) = match lane {
            Lane::Quick => (&self.quick, &self.under_way),
            Lane::Slow => (&self.slow, &self.under_way),
        };
        let due = order.iter().take_while(|(due, _)| *due <= now);
        let free = due.filter(|(_, key)| !under_way.contains_key(key)).take(CLIMBS_MAX);
        let taken: Vec<(Duration, Key)> = free.copied().collect();
        let mut items = Vec::with_capacity(taken.len());
        for (due, key) in taken {
            self.order(lane).remove(&(due, key));
            self.under_way.insert(key, lane);
            items.extend(self.waiting.remove(&key).map(|(.., item)| item));
        }
        items
    }

    /// One that was taken is back.
    pub(super) fn done(&mut self, key: Key) {
        self.under_way.remove(&key);
    }

    fn order(&mut self, lane: Lane) -> &mut BTreeSet<(Duration, Key)> {
        match lane {
            Lane::Quick => &mut self.quick,
            Lane::Slow => &mut self.slow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn key(twin: u32) -> Key {
        (BindingIndex(0), TwinIndex(twin))
    }

    /// Takes what a lane gives and brings it back at once.
    fn round(rota: &mut Rota<u32>, lane: Lane, now: Duration) -> Vec<u32> {
        let taken = rota.take(lane, now);
        taken.iter().for_each(|twin| rota.done(key(*twin)));
        taken
    }

    #[test]
    fn however_many_fail_at_once_all_of_them_come_in_turn_and_few_at_a_time() {
        let many = 25_000;
        let mut rota = Rota::default();
        for twin in 0..many {
            rota.put(Lane::Quick, key(twin), SECOND, twin);
        }
        assert!(rota.take(Lane::Quick, SECOND / 2).is_empty(), "not due yet");
        let mut came = Vec::new();
        loop {
            let some = round(&mut rota, Lane::Quick, SECOND);
            if some.is_empty() {
                break;
            }
            assert!(some.len() <= CLIMBS_MAX, "{} at a time", some.len());
            came.extend(some);
        }
        assert_eq!(came, (0..many).collect::<Vec<_>>());
        assert!(rota.waiting.is_empty() && rota.quick.is_empty() && rota.under_way.is_empty());
    }

    #[test]
    fn a_restart_does_not_wait_for_a_compiler_and_the_longest_due_goes_first() {
        let mut rota = Rota::default();
        rota.put(Lane::Slow, key(1), SECOND, 1);
        assert_eq!(rota.take(Lane::Slow, SECOND), [1]);
        rota.put(Lane::Slow, key(2), SECOND, 2);
        assert!(rota.take(Lane::Slow, SECOND * 9).is_empty(), "the first is still under way");
        rota.put(Lane::Quick, key(3), SECOND * 2, 3);
        rota.put(Lane::Quick, key(4), SECOND, 4);
        assert_eq!(round(&mut rota, Lane::Quick, SECOND * 2), [4, 3]);
        rota.done(key(1));
        assert_eq!(rota.take(Lane::Slow, SECOND), [2]);
    }

    #[test]
    fn a_twin_waits_once_and_is_under_way_once() {
        let mut rota = Rota::default();
        rota.put(Lane::Quick, key(1), SECOND, 10);
        rota.put(Lane::Slow, key(1), SECOND, 11);
        assert!(rota.take(Lane::Quick, SECOND).is_empty(), "it waits for something else now");
        assert_eq!(rota.take(Lane::Slow, SECOND), [11]);
        // It has failed again before the message of its return was heard.
        rota.put(Lane::Quick, key(1), SECOND, 12);
        assert!(rota.take(Lane::Quick, SECOND).is_empty());
        rota.done(key(1));
        assert_eq!(rota.take(Lane::Quick, SECOND), [12]);
    }
}
