//! A dead-man in the field: it takes its fail action when no beat came for a time, and stays there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::listener::{Listener, Message};

/// What it has heard and done.
#[derive(Debug, Default)]
pub struct Watch {
    /// Beats as they came.
    pub beats: Vec<Message>,
    /// When the last one came.
    pub last: Option<Instant>,
    /// When it took its fail action.
    pub failed: Option<Instant>,
}

/// A peer that listens to the beats of one target, on a thread of its own.
#[derive(Debug)]
pub struct DeadMan {
    watch: Arc<Mutex<Watch>>,
}

impl DeadMan {
    /// Listens to `topic`. From the first beat on it takes its fail action when none comes for `patience`.
    ///
    /// # Errors
    /// When the broker does not take the connection or the subscription.
    pub fn open(port: u16, client_id: &str, topic: &str, patience: Duration) -> anyhow::Result<Self> {
        let ear = Listener::open(port, client_id, topic)?;
        let watch = Arc::new(Mutex::new(Watch::default()));
        let shared = Arc::clone(&watch);
        std::thread::spawn(move || {
            loop {
                let heard = ear.within(patience);
                let mut watch = shared.lock().unwrap_or_else(PoisonError::into_inner);
                match heard {
                    Ok(Some(beat)) => {
                        watch.beats.push(beat);
                        watch.last = Some(Instant::now());
                    }
                    Ok(None) if watch.last.is_some() && watch.failed.is_none() => {
                        watch.failed = Some(Instant::now());
                    }
                    Ok(None) => {}
                    Err(_) => return,
                }
            }
        });
        Ok(Self { watch })
    }

    /// What it has heard and done until now.
    pub fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
