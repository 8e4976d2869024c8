//! What the instances of one cohort have used, and what a row or a slot tends to cost in each export. The second
//! decides how many go into one call: a call has the fuel that *one* row or slot may use, however many it carries,
//! so whatever never returns burns no more than one's share, and whether something is too much never depends on who
//! happened to stand beside it. Fuel is deterministic, so all of this is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::flood::{Flood, Floods};

/// Accounts of a cohort, shared by all instances that it goes through.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    fuel: AtomicU64,
    burnt: AtomicU64,
    /// Whether there is something in `floods`: a look at every step, where a lock is one only after a flood.
    flooded: AtomicBool,
    floods: Mutex<Floods>,
    pub(crate) step: Appetite,
    pub(crate) open: Appetite,
    pub(crate) snapshot: Appetite,
    pub(crate) restore: Appetite,
    pub(crate) close: Appetite,
}

/// How much dearer rows or slots may be than those before, until a call breaks that should not.
const MARGIN: u64 = 8;

/// Fuel that one row or slot has cost lately; 0 before the first call.
#[derive(Debug, Default)]
pub(crate) struct Appetite(AtomicU64);

impl Meter {
    /// Enters a call. `failed`: it broke, so its fuel was burnt for nothing.
    pub(crate) fn enter(&self, fuel: u64, failed: bool) {
        self.fuel.fetch_add(fuel, Ordering::Relaxed);
        if failed {
            self.burnt.fetch_add(fuel, Ordering::Relaxed);
        }
    }

    /// Enters what a call was not allowed.
    pub(crate) fn enter_flood(&self, flood: Flood) {
        self.floods.lock().unwrap_or_else(PoisonError::into_inner).add(flood);
        self.flooded.store(true, Ordering::Relaxed);
    }

    /// What was not allowed since this was asked last.
    pub(crate) fn take_floods(&self) -> Vec<Flood> {
        match self.flooded.swap(false, Ordering::Relaxed) {
            true => self.floods.lock().unwrap_or_else(PoisonError::into_inner).take(),
            false => Vec::new(),
        }
    }

    /// Fuel used by all calls so far.
    pub(crate) fn fuel(&self) -> u64 {
        self.fuel.load(Ordering::Relaxed)
    }

    /// Fuel used by calls that broke.
    pub(crate) fn burnt(&self) -> u64 {
        self.burnt.load(Ordering::Relaxed)
    }
}

impl Appetite {
    /// How many may go into one call that has `allowance`: a small part of it is meant to be enough for them, since what
    /// comes may cost more than what was (state of a twin that has run, a row that fits a model anew).
    pub(crate) fn portion(&self, allowance: u64, count_max: usize) -> usize {
        match self.0.load(Ordering::Relaxed) {
            0 => 1,
            each => {
                usize::try_from(allowance / MARGIN / each).unwrap_or(usize::MAX).clamp(1, count_max.max(1))
            }
        }
    }

    /// Learns what a call of `count` cost. Quick to grow, slow to forget.
    pub(crate) fn learn(&self, count: usize, fuel: u64) {
        let each = fuel / (count as u64).max(1);
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(each.max(before - before / 4).max(1), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_follow_what_calls_have_cost() {
        let appetite = Appetite::default();
        let check = |count: usize, fuel: u64, expect: usize| {
            appetite.learn(count, fuel);
            assert_eq!(appetite.portion(2_000_000, 256), expect, "after {count} for {fuel}");
        };
        check(1, 500, 256);
        check(1, 1_000, 250);
        check(1, 50_000, 5);
        check(5, 10_000, 6);
        check(6, 2_000_000, 1);
        (0..60).for_each(|_| appetite.learn(1, 0));
        assert_eq!(appetite.portion(2_000_000, 256), 256, "what was dear once is forgotten");
        assert_eq!(Appetite::default().portion(2_000_000, 256), 1, "the first call carries one");
    }
}
