//! What outputs read before a restart, put back for a twin whose behavior will not answer: so nobody who looks finds it
//! missing until its next row comes.

use geminus_core::{Quality, Timestamp, TwinIndex};

use super::{Moment, Shard};
use crate::plant::BindingIndex;

/// When outputs were computed that are put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// Time of their row.
    pub time: Timestamp,
    /// When history received them.
    pub received: Timestamp,
}

impl Shard {
    /// Lets the outputs of a behavior of a twin read so until its first row, in the order of its declared outputs. That is
    /// no row: it is neither counted nor recorded. `at` is `None` where none was ever computed. Without effect when the
    /// shard does not have the twin or the behavior has had a row in this run.
    pub fn recall(
        &mut self,
        twin: TwinIndex,
        binding: BindingIndex,
        (values, quality): (&[f64], &[Quality]),
        at: Option<Recalled>,
        now: Moment,
    ) {
        let (Some(place), Some(row)) = (self.place(twin), self.row_of(twin, binding)) else { return };
        let Some(state) = self.twins.get(place) else { return };
        let layout = self.layouts.get(state.layout as usize);
        let stage = layout.and_then(|layout| layout.stages.get(layout.stage_of(binding.0 as usize)?));
        let Some(stage) = stage else { return };
        let first = state.first_output as usize;
        let cells = first + stage.outputs.start..first + stage.outputs.end;
        let Some(row) = self.rows.get_mut(row).filter(|row| row.applied_at == 0) else { return };
        let (Some(to_values), Some(to_quality)) =
            (self.output_value.get_mut(cells.clone()), self.output_quality.get_mut(cells))
        else {
            return;
        };
        for ((to, value), (to_quality, quality)) in
            to_values.iter_mut().zip(values).zip(to_quality.iter_mut().zip(quality))
        {
            (*to, *to_quality) = (*value, *quality);
        }
        (row.recalled, row.heard) = (true, now.monotonic);
        if let Some(at) = at {
            (row.applied, row.applied_at) = (row.applied.max(at.time.0), at.received.0);
        }
        self.mark_dirty(place);
    }
}
