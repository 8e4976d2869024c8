//! What becomes of proposals: judged by the interlocks, journaled, never acted on below authority `control`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Event, Frame, Outcome, Severity, TwinIndex};
use geminus_twin::shard::{Moment, Shard};
use geminus_twin::{BindingIndex, Plant};

use super::chronicle::Chronicle;

/// The same verdict on the same command of a twin is told once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Brings proposals before the interlocks.
#[derive(Debug)]
pub(crate) struct Court {
    plant: Arc<Plant>,
    chronicle: Chronicle,
    told: HashMap<(TwinIndex, BindingIndex, u32), (String, Duration)>,
}

impl Court {
    pub(crate) fn new(plant: Arc<Plant>, chronicle: Chronicle) -> Self {
        Self { plant, chronicle, told: HashMap::new() }
    }

    /// Judges every proposal of an outcome.
    pub(crate) fn hear(
        &mut self,
        index: BindingIndex,
        frame: &Frame,
        outcome: &Outcome,
        _shard: &Shard,
        now: Moment,
    ) {
        for proposal in &outcome.proposals {
            let Some(twin) = frame.twins.get(proposal.row as usize) else { continue };
            let (Some(of), Some(binding)) = (self.plant.twin(*twin), self.plant.binding(index)) else { continue };
            let Some(command) = binding.commands().get(proposal.command as usize) else { continue };
            let verdict = format!("{:?}", of.authority);
            let key = (*twin, index, proposal.command);
            let at = Duration::from_nanos(now.monotonic);
            let known = self.told.get(&key);
            if known.is_some_and(|(said, told)| *said == verdict && at.saturating_sub(*told) < TOLD_EVERY) {
                continue;
            }
            let message = format!("{} proposes {} = {}", binding.name, command.name, proposal.value);
            self.chronicle.tell(Event::new("proposal-refused", Severity::Info, message).twin(&*of.id));
            self.told.insert(key, (verdict, at));
        }
    }
}
