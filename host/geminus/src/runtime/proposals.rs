//! What becomes of proposals: brought before the interlocks with what the host knows, and journaled.
//!
//! No egress is wired in this version and `site.toml` refuses the authority `control`, so no permit comes out; one
//! that did would be journaled and dropped here, never sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Event, Frame, Outcome, Proposal, Quality, Severity, TwinIndex};
use geminus_interlock::{Bumpless, Rules, TwinFacts, Verdict, judge};
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
    told: HashMap<Key, (&'static str, Duration)>,
    verdicts: [u64; VERDICTS.len()],
    /// The last value that was wished for.
    last: HashMap<Key, f64>,
    /// How each binding's first commands after a change of versions are limited.
    rule: HashMap<BindingIndex, geminus_rollout::Bumpless>,
    /// How many commands of a twin are still to be limited, by command.
    limited: HashMap<Key, u32>,
    /// Twins and behaviors whose commands were limited since the last look.
    cut: Vec<(TwinIndex, BindingIndex)>,
}

/// A command of a behavior of a twin.
type Key = (TwinIndex, BindingIndex, u32);

impl Court {
    pub(crate) fn new(plant: Arc<Plant>, chronicle: Chronicle) -> Self {
        Self {
            plant,
            chronicle,
            told: HashMap::new(),
            verdicts: [0; VERDICTS.len()],
            last: HashMap::new(),
            rule: HashMap::new(),
            limited: HashMap::new(),
            cut: Vec::new(),
        }
    }

    /// How a binding's twins are to be treated when their version changes.
    pub(crate) fn prepare(&mut self, index: BindingIndex, rule: geminus_rollout::Bumpless) {
        self.rule.insert(index, rule);
    }

    /// Another version answers for these twins from here on.
    pub(crate) fn switched(&mut self, index: BindingIndex, twins: &[TwinIndex]) {
        let Some(rule) = self.rule.get(&index).filter(|rule| rule.commands > 0) else { return };
        let Some(binding) = self.plant.binding(index) else { return };
        for twin in twins {
            for (command, _) in (0..).zip(binding.commands()) {
                self.limited.insert((*twin, index, command), rule.commands);
            }
        }
    }

    /// Whose commands were limited since the last look, one entry a command.
    pub(crate) fn take_cut(&mut self) -> Vec<(TwinIndex, BindingIndex)> {
        std::mem::take(&mut self.cut)
    }

    /// How many of these proposals would be refused. Nothing is told and nothing is kept: nobody acts on them.
    pub(crate) fn would_refuse(
        &self,
        index: BindingIndex,
        frame: &Frame,
        proposals: &[Proposal],
        shard: &Shard,
        now: Moment,
    ) -> u64 {
        let Some(binding) = self.plant.binding(index) else { return 0 };
        let refused = |proposal: &&Proposal| {
            let twin = frame.twins.get(proposal.row as usize).copied();
            let told = twin.and_then(|twin| self.judged(binding, frame, proposal, (twin, index), shard, now));
            told.is_none_or(|(told, _)| told.kind == "proposal-refused")
        };
        proposals.iter().filter(refused).count() as u64
    }

    /// Judges every proposal of an outcome; gives how many were refused.
    pub(crate) fn hear(
        &mut self,
        index: BindingIndex,
        frame: &Frame,
        outcome: &Outcome,
        shard: &Shard,
        now: Moment,
    ) -> u64 {
        let plant = Arc::clone(&self.plant);
        let Some(binding) = plant.binding(index) else { return 0 };
        let mut refused = 0;
        for proposal in &outcome.proposals {
            let Some(twin) = frame.twins.get(proposal.row as usize).copied() else { continue };
            let judged = self.judged(binding, frame, proposal, (twin, index), shard, now);
            let Some((told, value)) = judged else { continue };
            for (verdict, count) in VERDICTS.iter().zip(&mut self.verdicts) {
                *count += u64::from(told.kind.ends_with(verdict));
            }
            let key = (twin, index, proposal.command);
            match value {
                None => refused += 1,
                Some(value) => self.passed(key, value, value != proposal.value),
            }
            self.tell(key, told, now);
        }
        refused
    }

    /// A wish got through with this value.
    fn passed(&mut self, key: Key, value: f64, cut: bool) {
        self.last.insert(key, value);
        if let Some(left) = self.limited.get_mut(&key) {
            *left -= 1;
            if *left == 0 {
                self.limited.remove(&key);
            }
        }
        self.cut.extend(cut.then_some((key.0, key.1)));
    }

    fn bumpless(&self, binding: &Binding, key: Key) -> Option<Bumpless> {
        self.limited.get(&key)?;
        let (rule, command) = (self.rule.get(&key.1)?, binding.commands().get(key.2 as usize)?);
        let last = *self.last.get(&key)?;
        Some(Bumpless { last, step_max: rule.step_share * (command.maximum - command.minimum) })
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
        (twin, index): (TwinIndex, BindingIndex),
        shard: &Shard,
        now: Moment,
    ) -> Option<(Told, Option<f64>)> {
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
            bumpless: self.bumpless(binding, (twin, index, proposal.command)),
        };
        let what =
            format!("{} proposes {} = {} {}", binding.name, command.name, proposal.value, command.unit);
        Some(match judge(proposal, &facts, &rules, now.wall) {
            Verdict::Refused(refusal) => {
                let what = format!("{what}: refused, {}", refusal.reason);
                (Told { kind: "proposal-refused", what }, None)
            }
            Verdict::Held(held) => {
                (Told { kind: "proposal-held", what: format!("{what}: {}", held.note) }, Some(held.value))
            }
            Verdict::Permit(permit) => {
                let what = format!("{what}: permitted, but this version has no way to the field");
                (Told { kind: "proposal-dropped", what }, Some(permit.value()))
            }
        })
    }

    fn tell(&mut self, key: Key, told: Told, now: Moment) {
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
