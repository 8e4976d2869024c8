//! What the HTTP side counts of itself.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

use crate::metrics::{Exposition, catalogue};

/// Counters of connections and answers; one for the process.
#[derive(Debug, Default)]
pub struct Traffic {
    success: AtomicU64,
    redirection: AtomicU64,
    client_error: AtomicU64,
    server_error: AtomicU64,
    connections: AtomicU64,
    stalled: AtomicU64,
}

impl Traffic {
    pub(crate) fn answered(&self, status: StatusCode) {
        let class = match status.as_u16() {
            ..300 => &self.success,
            300..400 => &self.redirection,
            400..500 => &self.client_error,
            _ => &self.server_error,
        };
        class.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn stalled(&self) {
        self.stalled.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn write(&self, out: &mut Exposition) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let classes = [
            ("2xx", &self.success),
            ("3xx", &self.redirection),
            ("4xx", &self.client_error),
            ("5xx", &self.server_error),
        ];
        for (class, counter) in classes {
            out.count(&catalogue::HTTP_REQUESTS, &[class], read(counter));
        }
        out.count(&catalogue::HTTP_CONNECTIONS, &[], read(&self.connections));
        out.count(&catalogue::HTTP_STALLED, &[], read(&self.stalled));
    }
}
