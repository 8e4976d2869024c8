//! What becomes of proposals: brought before the interlocks with what the host knows, and journaled.
//!
//! No egress is wired in this version and `site.toml` refuses the authority `control`, so no permit comes out; one
//! that did would be journaled and dropped here, never sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Event, Frame, Outcome, Proposal, Quality, Severity, TwinIndex};
use geminus_interlock::{Rules, TwinFacts, Verdict, judge};
use geminus_twin::plant::Binding;
use geminus_twin::shard::{Moment, Shard, State};
use geminus_twin::{BindingIndex, Plant};

use super::chronicle::Chronicle;

/// The same verdict on the same command of a twin is told once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Longest life of a permit.
const PERMIT_MS: u32 = 10_000;

/// What may become of a proposal, in the order of [`Court::verdicts`].
pub(crate) const VERDICTS: [&str; 3] = ["refused", "held", "dropped"];

/// A verdict as the journal has it.
struct Told {
    kind: &'static str,
    what: String,
}

/// Brings proposals before the interlocks.
#[derive(Debug)]
pub(crate) struct Court {
    plant: Arc<Plant>,
    chronicle: Chronicle,
    /// Kind of the last verdict on a command of a twin, and when it was told.
    told: HashMap<(TwinIndex, BindingIndex, u32), (&'static str, Duration)>,
    verdicts: [u64; VERDICTS.len()],
}

impl Court {
    pub(crate) fn new(plant: Arc<Plant>, chronicle: Chronicle) -> Self {
        Self { plant, chronicle, told: HashMap::new(), verdicts: [0; VERDICTS.len()] }
    }

    /// Judges every proposal of an outcome.
    pub(crate) fn hear(
        &mut self,
        index: BindingIndex,
        frame: &Frame,
        outcome: &Outcome,
        shard: &Shard,
        now: Moment,
    ) {
        let plant = Arc::clone(&self.plant);
        let Some(binding) = plant.binding(index) else { return };
        for proposal in &outcome.proposals {
            let Some(twin) = frame.twins.get(proposal.row as usize).copied() else { continue };
            let Some(told) = self.judged(binding, frame, proposal, twin, shard, now) else { continue };
            for (verdict, count) in VERDICTS.iter().zip(&mut self.verdicts) {
                *count += u64::from(told.kind.ends_with(verdict));
            }
            self.tell((twin, index, proposal.command), told, now);
        }
    }

    /// How many proposals came to which end.
    pub(crate) fn verdicts(&self) -> [u64; VERDICTS.len()] {
        self.verdicts
    }

    fn judged(
        &self,
        binding: &Binding,
        frame: &Frame,
        proposal: &Proposal,
        twin: TwinIndex,
        shard: &Shard,
        now: Moment,
    ) -> Option<Told> {
        let command = binding.commands().get(proposal.command as usize)?;
        let row = proposal.row as usize;
        let cells = row * frame.inputs..(row + 1) * frame.inputs;
        let quality: &[Quality] = frame.quality.get(cells)?;
        let names = binding.declaration.inputs.iter().map(|input| input.name.as_str());
        // An input that the site leaves unbound is always missing and judged by nobody.
        let bound = binding.declaration.inputs.iter().map(|input| input.required);
        let inputs: Vec<(&str, Quality)> = names
            .zip(quality.iter().copied())
            .zip(bound)
            .filter(|((_, quality), required)| *required || *quality != Quality::Missing)
            .map(|(input, _)| input)
            .collect();
        let facts = TwinFacts {
            twin,
            authority: self.plant.twin(twin)?.authority,
            generation: 0,
            live: shard.summary(twin, now)?.state == State::Live,
            inputs: &inputs,
            row_time: *frame.times.get(row)?,
            present: None,
        };
        let rules = Rules {
            command,
            minimum: None,
            maximum: None,
            step_max: None,
            confidence_min: 0.0,
            permit_ms: PERMIT_MS,
        };
        let what =
            format!("{} proposes {} = {} {}", binding.name, command.name, proposal.value, command.unit);
        Some(match judge(proposal, &facts, &rules, now.wall) {
            Verdict::Refused(refusal) => {
                Told { kind: "proposal-refused", what: format!("{what}: refused, {}", refusal.reason) }
            }
            Verdict::Held(held) => Told { kind: "proposal-held", what: format!("{what}: {}", held.note) },
            Verdict::Permit(_) => Told {
                kind: "proposal-dropped",
                what: format!("{what}: permitted, but this version has no way to the field"),
            },
        })
    }

    fn tell(&mut self, key: (TwinIndex, BindingIndex, u32), told: Told, now: Moment) {
        let at = Duration::from_nanos(now.monotonic);
        let known = self.told.get(&key);
        if known.is_some_and(|(kind, when)| *kind == told.kind && at.saturating_sub(*when) < TOLD_EVERY) {
            return;
        }
        self.told.insert(key, (told.kind, at));
        let twin = super::id_of(&self.plant, key.0).to_owned();
        self.chronicle.tell(Event::new(told.kind, Severity::Info, told.what).twin(twin));
    }
}
