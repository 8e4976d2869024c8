//! What a server counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts of a server. Shared, and cheap to read.
#[derive(Debug, Default)]
pub struct ServerStats {
    pub(super) sessions: AtomicU64,
    pub(super) subscriptions: AtomicU64,
    pub(super) pushed: AtomicU64,
}

impl ServerStats {
    /// Sessions that are open, as of the last look.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Relaxed)
    }

    /// Subscriptions of all of them.
    #[must_use]
    pub fn subscriptions(&self) -> u64 {
        self.subscriptions.load(Relaxed)
    }

    /// Values that were given to subscriptions.
    #[must_use]
    pub fn pushed(&self) -> u64 {
        self.pushed.load(Relaxed)
    }
}
