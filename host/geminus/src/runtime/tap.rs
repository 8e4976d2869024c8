//! An ear for measurements: when the rows of each frame were done. Deaf, and nearly free, unless `geminus bench` listens.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use geminus_core::Clock;
use geminus_twin::BindingIndex;

/// Rows of a binding whose outcome has just been applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) binding: BindingIndex,
    pub(crate) rows: usize,
    /// Monotonic time of the house's clock.
    pub(crate) at: Duration,
}

/// What was heard since it began to listen; `None`: nobody listens.
#[derive(Debug, Default)]
pub(crate) struct Tap(Mutex<Option<Vec<Done>>>);

impl Tap {
    /// Forgets what was heard, and listens.
    pub(crate) fn listen(&self) {
        *self.lock() = Some(Vec::new());
    }

    /// What was heard so far; nobody listens any more.
    pub(crate) fn take(&self) -> Vec<Done> {
        self.lock().take().unwrap_or_default()
    }

    pub(crate) fn done(&self, binding: BindingIndex, rows: usize, clock: &dyn Clock) {
        if let Some(heard) = self.lock().as_mut() {
            heard.push(Done { binding, rows, at: clock.monotonic() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Done>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
