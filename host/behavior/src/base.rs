//! What a recovery starts from: the state of each slot at its last good moment, and the row of the log from which on
//! the slot must be replayed. A save of the whole cohort makes it anew; state that is taken in for some twins lies
//! over it, so that taking in costs what those twins cost and not what the cohort does.

use std::collections::BTreeMap;

use crate::states::States;

/// State of a cohort's slots, in the newest schema of its plugin or in the one it was carried in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Base {
    saved: States,
    /// State that came after the save, in the same schema.
    later: BTreeMap<u32, Later>,
    /// Last good state of slots that are lost.
    lost: BTreeMap<u32, Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Later {
    state: Vec<u8>,
    /// First row of the log that the state does not know of.
    since: usize,
}

impl Base {
    pub(crate) fn new(saved: States) -> Self {
        Self { saved, ..Self::default() }
    }

    pub(crate) fn schema(&self) -> u32 {
        self.saved.schema()
    }

    /// Takes a save of all open slots for the new base; what is known of lost ones stays.
    pub(crate) fn renew(&mut self, saved: States) {
        self.saved = saved;
        self.later.clear();
    }

    /// Lays state of some slots, which knows all rows of the log before `since`, over what is here.
    pub(crate) fn put(&mut self, states: &States, since: usize) {
        for (slot, state) in states.iter() {
            self.later.insert(slot, Later { state: state.to_vec(), since });
            self.lost.remove(&slot);
        }
    }

    /// State of the slots that `member` says yes to.
    pub(crate) fn of(&self, member: impl Fn(u32) -> bool) -> States {
        let mut states = self.saved.filtered(|slot| member(slot) && !self.later.contains_key(&slot));
        for (&slot, later) in self.later.iter().filter(|&(&slot, _)| member(slot)) {
            states.push(slot, &later.state);
        }
        states
    }

    /// Whether row `row` of the log must be replayed on the state of `slot`.
    pub(crate) fn lacks(&self, row: usize, slot: u32) -> bool {
        self.later.get(&slot).is_none_or(|later| row >= later.since)
    }

    /// Notes that the slot is lost; what it had stays until it is closed or comes back.
    pub(crate) fn bury(&mut self, slot: u32) {
        let state = self.of(|other| other == slot).iter().next().map(|(_, state)| state.to_vec());
        if let Some(state) = state {
            self.lost.insert(slot, state);
        }
        self.later.remove(&slot);
    }

    /// Last good state of a lost slot.
    pub(crate) fn last_of_lost(&self, slot: u32) -> Option<&[u8]> {
        self.lost.get(&slot).map(Vec::as_slice)
    }

    /// Forgets slots, after rows that need not be replayed were struck from the log.
    pub(crate) fn keep(&mut self, stays: impl Fn(u32) -> bool) {
        self.saved = self.saved.filtered(&stays);
        self.later.retain(|&slot, later| {
            later.since = 0;
            stays(slot)
        });
        self.lost.retain(|&slot, _| stays(slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(of: &[(u32, u8)]) -> States {
        let mut states = States::empty(1);
        of.iter().for_each(|&(slot, byte)| states.push(slot, &[byte]));
        states
    }

    fn check(base: &Base, expect: &[(u32, u8)]) {
        let mut found: Vec<_> = base.of(|_| true).iter().map(|(slot, state)| (slot, state[0])).collect();
        found.sort_unstable();
        assert_eq!(found, expect);
    }

    #[test]
    fn later_state_lies_over_the_save_until_the_next_one() {
        let mut base = Base::new(states(&[(0, 1), (1, 2), (2, 3)]));
        base.put(&states(&[(1, 9), (5, 8)]), 40);
        check(&base, &[(0, 1), (1, 9), (2, 3), (5, 8)]);
        assert!(!base.lacks(39, 1) && base.lacks(40, 1) && base.lacks(0, 0));
        base.keep(|slot| slot != 2);
        check(&base, &[(0, 1), (1, 9), (5, 8)]);
        assert!(base.lacks(0, 1), "the caller has struck the rows");
        base.renew(states(&[(0, 4)]));
        check(&base, &[(0, 4)]);
    }

    #[test]
    fn a_lost_slot_keeps_its_last_good_state() {
        let mut base = Base::new(states(&[(0, 1), (1, 2)]));
        base.put(&states(&[(1, 9)]), 3);
        base.bury(1);
        base.renew(states(&[(0, 5)]));
        assert_eq!((base.last_of_lost(1), base.last_of_lost(0)), (Some(&[9][..]), None));
        base.put(&states(&[(1, 7)]), 0);
        assert_eq!(base.last_of_lost(1), None);
    }
}
