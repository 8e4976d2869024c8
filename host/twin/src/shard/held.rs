//! What the inputs of a behavior hold now, for whoever computes rows that have not come: forks and forecasts.

use geminus_core::{Quality, Timestamp, TwinIndex};

use super::{Moment, Shard};
use crate::plant::BindingIndex;

/// Every input has a value in the row, so that one that counts once gives its last reading.
const ALL_SEEN: u64 = u64::MAX;

impl Shard {
    /// The last value of each declared input of a behavior of a twin, in the declared unit, with the quality that it has
    /// now; NaN and missing where there is none. `None` when the twin is not here or has no such behavior.
    #[must_use]
    pub fn held(&self, twin: TwinIndex, binding: BindingIndex, now: Moment) -> Option<Vec<(f64, Quality)>> {
        let place = self.place(twin)?;
        let layout = self.layouts.get(self.twins.get(place)?.layout as usize)?;
        let stage = layout.stages.get(layout.stage_of(binding.0 as usize)?)?;
        let Timestamp(time) = self.row_count(twin, binding)?.last.unwrap_or(now.wall);
        let cell = |input| {
            let (value, quality, _) = self.cell(layout, place, stage, input, time, ALL_SEEN, now);
            (value, quality)
        };
        Some(stage.inputs.iter().map(cell).collect())
    }
}
