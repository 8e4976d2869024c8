//! What behaviors may ask of this house: lines for the log, and look-ups, of which this version grants none.

use geminus_behavior::HostCalls;
use geminus_core::TwinIndex;
use std::sync::Arc;

use geminus_twin::Plant;

/// Answers the guests of one plant.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) plant: Arc<Plant>,
}

impl HostCalls for Desk {
    fn log(&self, twin: Option<TwinIndex>, level: u8, message: &str) {
        let twin = twin.and_then(|twin| self.plant.twin(twin)).map(|twin| &*twin.id);
        match level {
            0 => tracing::error!(twin, "behavior: {message}"),
            1 => tracing::warn!(twin, "behavior: {message}"),
            2 => tracing::info!(twin, "behavior: {message}"),
            3 => tracing::debug!(twin, "behavior: {message}"),
            _ => tracing::trace!(twin, "behavior: {message}"),
        }
    }
}
