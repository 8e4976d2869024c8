//! How often somebody who is known may ask: a bucket of requests for each, which fills again with time. A program that has
//! gone wild slows itself down and nobody else; logins have a measure of their own, in `access`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use geminus_access::{Kind, Principal};

/// Most buckets that are remembered; full ones go first.
const BUCKETS_MAX: usize = 10_000;

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaceLimits {
    /// Requests a second in the long run.
    pub requests_per_second: f64,
    /// Requests at once.
    pub requests_at_once: f64,
}

impl Default for PaceLimits {
    fn default() -> Self {
        Self { requests_per_second: 200.0, requests_at_once: 1_000.0 }
    }
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    seen: Duration,
}

/// The buckets of all who have asked lately.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<HashMap<String, Bucket>>);

impl Pace {
    /// Lets a request through, or says how long to wait. A site without users, which listens to this machine alone, counts
    /// nothing.
    pub(crate) fn admit(&self, who: &Principal, limits: PaceLimits, now: Duration) -> Result<(), Duration> {
        if matches!(who.kind, Kind::Local | Kind::Visitor) {
            return Ok(());
        }
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = who.signature();
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&name) {
            buckets.retain(|_, bucket| bucket.filled(limits, now) < limits.requests_at_once);
        }
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&name) {
            // As many are busy as a site can have users and tokens: whoever is new starts where all are.
            return Ok(());
        }
        let bucket = buckets.entry(name).or_insert(Bucket { left: limits.requests_at_once, seen: now });
        let left = bucket.filled(limits, now);
        *bucket = Bucket { left, seen: now };
        if left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - left) / limits.requests_per_second));
        }
        bucket.left = left - 1.0;
        Ok(())
    }
}

impl Bucket {
    fn filled(self, limits: PaceLimits, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.seen).as_secs_f64();
        (self.left + passed * limits.requests_per_second).min(limits.requests_at_once)
    }
}

#[cfg(test)]
mod tests {
    use geminus_access::{Role, Roles, Scope};

    use super::*;

    fn program(name: &str) -> Principal {
        Principal {
            name: name.to_owned(),
            kind: Kind::Program { owner: "ada".to_owned() },
            roles: Roles::new([Role::Viewer]).expect("roles"),
            scope: Scope::all(),
        }
    }

    #[test]
    fn whoever_asks_too_often_waits_and_nobody_else() {
        let limits = PaceLimits { requests_per_second: 10.0, requests_at_once: 5.0 };
        let (pace, at) = (Pace::default(), Duration::from_millis);
        for _ in 0..5 {
            assert_eq!(pace.admit(&program("wild"), limits, at(0)), Ok(()));
        }
        let wait = pace.admit(&program("wild"), limits, at(0)).expect_err("too often");
        assert!(wait > at(99) && wait < at(101), "{wait:?}");
        assert_eq!(pace.admit(&program("calm"), limits, at(0)), Ok(()));
        assert!(pace.admit(&program("wild"), limits, at(50)).is_err());
        assert_eq!(pace.admit(&program("wild"), limits, at(101)), Ok(()));
        assert_eq!(pace.admit(&program("wild"), limits, Duration::from_secs(60)), Ok(()));
        let left = pace.0.lock().expect("buckets").values().map(|bucket| bucket.left).fold(0.0, f64::max);
        assert!(left < 5.0, "no more is saved up than goes at once: {left}");
    }

    #[test]
    fn this_machine_alone_is_not_counted_and_buckets_are_bounded() {
        let limits = PaceLimits { requests_per_second: 1e-9, requests_at_once: 1.0 };
        let pace = Pace::default();
        for _ in 0..100 {
            assert_eq!(pace.admit(&Principal::local(), limits, Duration::ZERO), Ok(()));
        }
        for number in 0..BUCKETS_MAX + 100 {
            assert_eq!(pace.admit(&program(&number.to_string()), limits, Duration::ZERO), Ok(()));
        }
        assert_eq!(pace.0.lock().expect("buckets").len(), BUCKETS_MAX);
    }
}
