//! How long to wait before the next attempt to connect: from 0.1 s to 5 s, doubled each time, with jitter so
//! that many hosts do not come back to a restarted broker in step.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(5);

/// The next wait.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    seed: u64,
}

impl Backoff {
    /// `seed` varies between hosts (the clock will do).
    pub fn new(seed: u64) -> Self {
        Self { next: FIRST, seed }
    }

    /// Starts over, after a connection that held.
    pub fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Half to all of the step, which then doubles.
    pub fn wait(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(LAST);
        // SplitMix64 (Steele, Lea, Flood 2014): enough to spread hosts.
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let part = u32::try_from((mixed ^ (mixed >> 31)) & 0xffff).unwrap_or(0);
        step / 2 + (step / 2) * part / 0xffff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_stay_in_their_band_and_differ() {
        let mut one = Backoff::new(1);
        let mut step = FIRST;
        for _ in 0..12 {
            let wait = one.wait();
            assert!(wait >= step / 2 && wait <= step, "{wait:?} for {step:?}");
            step = (step * 2).min(LAST);
        }
        one.reset();
        assert!(one.wait() <= FIRST);
        assert_ne!(Backoff::new(1).wait(), Backoff::new(2).wait());
    }
}
