//! What each twin of an instance has cost. A call steps rows of many twins and tells one sum of fuel and time for all
//! of them, so each row of a call gets the same share of both: what a twin costs is exact where it is alone in its
//! instance, and its part by rows where it is not. Written for every frame: one pass, no hashing, no allocation.

use std::time::Duration;

use geminus_behavior::{Cohort, FaultKind, Standing, Stepped};
use geminus_core::{Frame, TwinIndex};

/// Of one twin in one instance, since it has been there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Rows that were stepped, those among them that had no result.
    pub(crate) rows: u64,
    pub(crate) fuel: u64,
    pub(crate) step_ns: u64,
    /// Calls that took longer than they may and had a row of it.
    pub(crate) misses: u64,
    /// Times that it had no result because of what its behavior did.
    pub(crate) faults: u64,
}

impl Cost {
    /// Of two instances.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            fuel: self.fuel + other.fuel,
            step_ns: self.step_ns + other.step_ns,
            misses: self.misses + other.misses,
            faults: self.faults + other.faults,
        }
    }
}

/// Of all twins of an instance.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    /// By slot, with whom it is of: a slot may be given to another twin.
    of: Vec<(TwinIndex, Cost)>,
    /// Slots of the rows that share the running step; kept, so that no step allocates.
    shares: Vec<u32>,
}

/// Whose a slot is that had no row yet.
const NOBODY: TwinIndex = TwinIndex(u32::MAX);

impl Costs {
    /// With room for so many twins.
    pub(crate) fn for_twins(count: usize) -> Self {
        Self { of: vec![(NOBODY, Cost::default()); count], shares: Vec::new() }
    }

    pub(crate) fn of(&self, cohort: &Cohort, twin: TwinIndex) -> Cost {
        let known = cohort.slot(twin).and_then(|(slot, _)| self.of.get(slot as usize));
        known.filter(|(whose, _)| *whose == twin).map_or_else(Cost::default, |(_, cost)| *cost)
    }

    /// Books a step of `frame` that took `spent`; `missed`: that was longer than it may take.
    pub(crate) fn charge(
        &mut self,
        cohort: &Cohort,
        frame: &Frame,
        stepped: &Stepped,
        (spent, missed): (Duration, bool),
    ) {
        self.shares.clear();
        for twin in &frame.twins {
            let Some((slot, standing)) = cohort.slot(*twin) else { continue };
            // Rows of a twin that is held apart are not stepped, but for the one that it is held apart for.
            let stepped =
                standing == Standing::Live || stepped.faults.iter().any(|fault| fault.twin == *twin);
            if stepped && self.entry(slot, *twin).is_some() {
                self.shares.push(slot);
            }
        }
        let count = self.shares.len() as u64;
        let nanos = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        let (fuel, nanos) = (Share::of(stepped.fuel, count), Share::of(nanos, count));
        for (slot, place) in self.shares.iter().zip(0..) {
            if let Some((_, cost)) = self.of.get_mut(*slot as usize) {
                cost.rows += 1;
                cost.fuel += fuel.at(place);
                cost.step_ns += nanos.at(place);
            }
        }
        if missed {
            // A call counts once, however many rows of a twin it had. Late calls are rare.
            self.shares.sort_unstable();
            self.shares.dedup();
            for slot in &self.shares {
                if let Some((_, cost)) = self.of.get_mut(*slot as usize) {
                    cost.misses += 1;
                }
            }
        }
        // A row that is not later than the one before is the field's fault.
        for fault in stepped.faults.iter().filter(|fault| fault.kind != FaultKind::Row) {
            let slot = cohort.slot(fault.twin).map(|(slot, _)| slot);
            if let Some(cost) = slot.and_then(|slot| self.entry(slot, fault.twin)) {
                cost.faults += 1;
            }
        }
    }

    fn entry(&mut self, slot: u32, twin: TwinIndex) -> Option<&mut Cost> {
        let place = slot as usize;
        if self.of.len() <= place {
            self.of.resize(place + 1, (NOBODY, Cost::default()));
        }
        let (whose, cost) = self.of.get_mut(place)?;
        if *whose != twin {
            (*whose, *cost) = (twin, Cost::default());
        }
        Some(cost)
    }
}

/// Equal shares of a sum; what does not divide goes to the first ones, so that together they are the sum.
struct Share {
    each: u64,
    rest: u64,
}

impl Share {
    fn of(sum: u64, count: u64) -> Self {
        let count = count.max(1);
        Self { each: sum / count, rest: sum % count }
    }

    fn at(&self, place: u64) -> u64 {
        self.each + u64::from(place < self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_another_twin_gets_begins_anew() {
        let mut costs = Costs::for_twins(1);
        let rows = |costs: &mut Costs, slot, twin| costs.entry(slot, TwinIndex(twin)).map(|cost| cost.rows);
        if let Some(cost) = costs.entry(0, TwinIndex(5)) {
            cost.rows = 3;
        }
        assert_eq!(rows(&mut costs, 0, 5), Some(3));
        assert_eq!(rows(&mut costs, 2, 7), Some(0), "a slot that was opened later");
        assert_eq!(rows(&mut costs, 0, 5), Some(3));
        assert_eq!(rows(&mut costs, 0, 6), Some(0));
        assert_eq!(rows(&mut costs, 0, 5), Some(0));
    }

    #[test]
    fn shares_are_equal_and_make_the_sum() {
        let check = |sum: u64, count: u64, expect: &[u64]| {
            let share = Share::of(sum, count);
            let all: Vec<u64> = (0..count).map(|place| share.at(place)).collect();
            assert_eq!(all, expect, "{sum} for {count}");
            assert_eq!(all.iter().sum::<u64>(), if count == 0 { 0 } else { sum });
        };
        check(10, 1, &[10]);
        check(10, 4, &[3, 3, 2, 2]);
        check(2, 3, &[1, 1, 0]);
        check(0, 2, &[0, 0]);
        check(5, 0, &[]);
    }
}
