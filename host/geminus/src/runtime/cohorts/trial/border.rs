//! What a trial does between two rows: it takes twins in with the state that their incumbent has, and lets twins change
//! sides. Some at a time, because a row waits for it.

use std::collections::HashSet;
use std::sync::Arc;

use geminus_behavior::Standing::Live;
use geminus_behavior::{ColdStart, Snapshot, handover_schema};
use geminus_core::TwinIndex;

use super::super::side::Side;
use super::{Apart, Trial};

/// Twins that are enrolled, or change sides, between two rows: what they take no row should wait for.
const TWINS_PER_ROUND: usize = 256;

/// What became of some twins between two rows.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Twins for which the candidate answers from here on, with its state at this border.
    pub(crate) to_candidate: Vec<TwinIndex>,
    /// Twins for which the incumbent answers again.
    pub(crate) to_incumbent: Vec<TwinIndex>,
    /// State of those who changed sides, as the side has it that answers now.
    pub(crate) states: Vec<(u32, Snapshot)>,
    /// Of them, those that the side which answers now holds apart: what it did while the other one answered.
    pub(crate) apart: Vec<Apart>,
}

impl Trial {
    /// Enrols some twins, and lets some change sides. Called between two rows.
    pub(crate) fn advance(&mut self, incumbent: &mut Side) -> Moved {
        if self.failure.is_none()
            && let Err(reason) = self.enrol(incumbent)
        {
            self.failure = Some(reason);
        }
        self.change_sides(incumbent)
    }

    fn enrol(&mut self, incumbent: &mut Side) -> Result<(), String> {
        let count = self.waiting.len().min(TWINS_PER_ROUND);
        let some: Vec<TwinIndex> = self.waiting.drain(..count).collect();
        if some.is_empty() {
            return Ok(());
        }
        let mut cold: HashSet<TwinIndex> = some.iter().copied().collect();
        let new = self.side.berths().first().map(|berth| Arc::clone(berth.cohort.compiled().declaration()));
        for (berth, here) in incumbent.housed(&some) {
            // Twins may run different versions, and each hands over in a schema of its own.
            let old = Arc::clone(berth.cohort.compiled().declaration());
            let Some(new) = &new else { continue };
            let schema = handover_schema(&old, new, self.cold_start).map_err(|error| error.to_string())?;
            let Some(schema) = schema else {
                if old.state.schema == 0 {
                    cold.retain(|twin| !here.contains(twin));
                }
                continue;
            };
            let asked = (schema != old.state.schema).then_some(schema);
            let copied = berth.enter().copy(&here, asked).map_err(|error| error.to_string())?;
            copied.twins.iter().for_each(|saved| {
                cold.remove(&saved.twin);
            });
            // One that has been lost since the state was tried on a copy.
            let left_behind = here.iter().filter(|twin| cold.contains(twin)).count();
            if left_behind > 0 && self.cold_start == ColdStart::Refuse {
                return Err(format!(
                    "the state of {left_behind} twins cannot be carried: {} has lost it meanwhile and has none in \
                     schema {schema}; begin again when they run, or allow cold_start in the plan",
                    old.label()
                ));
            }
            self.take_in(&copied)?;
        }
        self.cold += if incumbent.is_empty() { 0 } else { cold.len() };
        for twin in some {
            // One that failed before is let in again, with the state that the incumbent has now.
            if let Some(berth) = self.side.berth_mut(twin)
                && berth.enter().release(twin)
            {
                self.silent.candidate.remove(&twin);
            }
            let (warm, alone) = (self.side.is_warm(twin), incumbent.standing(twin) != Some(Live));
            if let Some(flags) = self.flags_mut(twin) {
                (flags.enrolled, flags.warm, flags.alone) = (true, warm, alone);
            }
        }
        self.restless = true;
        Ok(())
    }

    fn take_in(&mut self, copied: &Snapshot) -> Result<(), String> {
        let twins: Vec<TwinIndex> = copied.twins.iter().map(|saved| saved.twin).collect();
        for (berth, here) in self.side.housed(&twins) {
            let here: HashSet<TwinIndex> = here.into_iter().collect();
            let part = copied.twins.iter().filter(|saved| here.contains(&saved.twin)).cloned().collect();
            let part = Snapshot {
                label: copied.label.clone(),
                digest: copied.digest,
                schema: copied.schema,
                twins: part,
            };
            let refused = berth.enter().take_in(&part).map_err(|error| error.to_string())?;
            if let Some(first) = refused.first() {
                return Err(format!("state of {} twins is refused, first {first}", refused.len()));
            }
        }
        Ok(())
    }

    fn change_sides(&mut self, incumbent: &mut Side) -> Moved {
        let mut moved = Moved::default();
        if !self.restless {
            return moved;
        }
        let moving: Vec<TwinIndex> = self
            .twins
            .iter()
            .copied()
            .filter(|twin| self.should_move(*twin, || incumbent.is_settled(*twin)))
            .take(TWINS_PER_ROUND)
            .collect();
        self.restless = moving.len() == TWINS_PER_ROUND;
        moved.to_incumbent.append(&mut self.fallen);
        for twin in moving {
            let to_candidate = self.wanted.has(twin);
            if let Some(flags) = self.flags_mut(twin) {
                flags.authoritative = to_candidate;
            }
            match to_candidate {
                true => moved.to_candidate.push(twin),
                false => moved.to_incumbent.push(twin),
            }
        }
        states(&mut self.side, &moved.to_candidate, &mut moved.states);
        states(incumbent, &moved.to_incumbent, &mut moved.states);
        moved
    }
}

/// State of these twins, by the incarnation that has them.
pub(in crate::runtime::cohorts) fn states(
    side: &mut Side,
    twins: &[TwinIndex],
    into: &mut Vec<(u32, Snapshot)>,
) {
    for (berth, here) in side.housed(twins) {
        if berth.cohort.compiled().declaration().state.schema == 0 {
            continue;
        }
        let copied = berth.enter().copy(&here, None);
        match copied {
            Ok(snapshot) => into.push((berth.incarnation, snapshot)),
            // What cannot be copied cannot be replayed from here; the next step tells why.
            Err(error) => tracing::warn!(%error, "state at a change of sides was not copied"),
        }
    }
}
