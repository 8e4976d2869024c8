//! What behaviors may ask of this house: lines for the log, and look-ups, of which this version grants none.

use geminus_behavior::{HostCalls, Series};
use geminus_core::{Timestamp, TwinIndex};
use std::sync::Arc;

use geminus_twin::Plant;

/// What a guest hears that wants to look something up. It may put it into its outputs, so a replay says the same.
pub(crate) const NO_LOOKUPS: &str = "this site grants no look-ups";

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

    fn lookup(
        &self,
        _twin: TwinIndex,
        _lookup: u32,
        _from: Timestamp,
        _to: Timestamp,
        _limit: u32,
    ) -> Result<Series, String> {
        Err(NO_LOOKUPS.to_owned())
    }
}
