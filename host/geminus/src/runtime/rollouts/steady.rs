//! The time that machines of rollouts are told: wall time at the host's start, and from there on what has really gone
//! by. A wall clock that is set forward or back moves no deadline: a step of an hour would otherwise fail every rollout, and
//! make one permanent that is in probation.

use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Clock, Timestamp};

/// A clock that is never set.
#[derive(Debug)]
pub(super) struct Steady {
    clock: Arc<dyn Clock>,
    began: Timestamp,
    began_monotonic: Duration,
}

impl Steady {
    /// Begins at the wall time of now.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { began: clock.now(), began_monotonic: clock.monotonic(), clock }
    }

    /// Near wall time, and never a step away from the time before.
    pub(super) fn now(&self) -> Timestamp {
        self.began.plus(self.clock.monotonic().saturating_sub(self.began_monotonic))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use geminus_core::ManualClock;

    use super::*;

    /// A clock whose wall time a person sets.
    #[derive(Debug)]
    struct Set {
        clock: ManualClock,
        wall: AtomicU64,
    }

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            Timestamp(self.wall.load(Ordering::SeqCst))
        }

        fn monotonic(&self) -> Duration {
            self.clock.monotonic()
        }
    }

    #[test]
    fn a_wall_clock_that_is_set_moves_no_deadline() {
        let start = Timestamp::from_millis(1_700_000_000_000);
        let set = Arc::new(Set { clock: ManualClock::new(start), wall: AtomicU64::new(start.0) });
        set.clock.advance(Duration::from_secs(5));
        let steady = Steady::new(Arc::<Set>::clone(&set));
        assert_eq!(steady.now(), start);
        for wall in [start.plus(Duration::from_secs(3_600)), start.minus(Duration::from_secs(3_600))] {
            let before = steady.now();
            set.wall.store(wall.0, Ordering::SeqCst);
            assert_eq!(steady.now(), before);
            set.clock.advance(Duration::from_secs(7));
            assert_eq!(steady.now().since(before), Duration::from_secs(7));
        }
    }
}
