//! Signs of life of the threads of the house beside the shards, which have their own: whoever has ended while the house stands, or should turn
//! and does not, is told by `/livez`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// One thread, as others see it.
#[derive(Debug)]
pub(crate) struct Vital {
    name: &'static str,
    /// When it turned last, in milliseconds of the monotonic clock; `None`: it waits for as long as nobody wants anything.
    turned_ms: Option<AtomicU64>,
    ended: AtomicBool,
}

/// Held by the thread. Whether that comes to its end or panics, this goes with it.
#[derive(Debug)]
pub(crate) struct Alive(Arc<Vital>);

impl Vital {
    /// A thread whose loop turns also when nobody wants anything.
    pub(crate) fn turning(name: &'static str, now: Duration) -> (Arc<Self>, Alive) {
        Self::begin(name, Some(AtomicU64::new(millis(now))))
    }

    /// A thread that waits.
    pub(crate) fn waiting(name: &'static str) -> (Arc<Self>, Alive) {
        Self::begin(name, None)
    }

    fn begin(name: &'static str, turned_ms: Option<AtomicU64>) -> (Arc<Self>, Alive) {
        let vital = Arc::new(Self { name, turned_ms, ended: AtomicBool::new(false) });
        (Arc::clone(&vital), Alive(vital))
    }

    /// What is wrong with it, if it may not have turned for `silence_max`.
    pub(crate) fn trouble(&self, now: Duration, silence_max: Duration) -> Option<String> {
        let name = self.name;
        if self.ended.load(Ordering::Acquire) {
            return Some(format!("the thread of {name} has ended"));
        }
        let turned = Duration::from_millis(self.turned_ms.as_ref()?.load(Ordering::Acquire));
        let is_silent = now.saturating_sub(turned) > silence_max;
        is_silent.then(|| format!("the thread of {name} has not turned for {silence_max:?}"))
    }
}

impl Alive {
    /// The loop turns.
    pub(crate) fn turn(&self, now: Duration) {
        if let Some(turned) = &self.0.turned_ms {
            turned.store(millis(now), Ordering::Release);
        }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(10);

    #[test]
    fn a_thread_that_panicked_or_hangs_is_told_and_one_that_waits_is_not() {
        let second = Duration::from_secs;
        let (turning, alive) = Vital::turning("alarms", second(100));
        let (waiting, waits) = Vital::waiting("plugins");
        assert_eq!((turning.trouble(second(110), MAX), waiting.trouble(second(999), MAX)), (None, None));
        assert!(turning.trouble(second(111), MAX).is_some_and(|why| why.contains("alarms has not turned")));
        alive.turn(second(111));
        assert_eq!(turning.trouble(second(120), MAX), None);
        let thread = std::thread::spawn(move || {
            let _alive = (alive, waits);
            panic!("on request");
        });
        assert!(thread.join().is_err());
        assert!(turning.trouble(second(120), MAX).is_some_and(|why| why.contains("alarms has ended")));
        assert!(waiting.trouble(second(120), MAX).is_some_and(|why| why.contains("plugins has ended")));
    }
}
