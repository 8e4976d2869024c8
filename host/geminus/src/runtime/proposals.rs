//! What becomes of proposals: held against what the version declares and the host knows of the row, limited after a change of
//! versions, and journaled. What comes through and has a `[[target]]` goes to the desk of commands as a wish; without one it is
//! shown or dropped, and nothing is sent from here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use geminus_command::{EVIDENCE_MAX, Evidence, Proposer, REASON_BYTES_MAX};
use geminus_core::declaration::Command;
use geminus_core::unit::Conversion;
use geminus_core::{Declaration, Event, Frame, Proposal, Quality, Severity, Timestamp, TwinIndex};
use geminus_interlock::{Rules, TwinFacts, Verdict, judge};
use geminus_rollout::Bumpless;
use geminus_twin::shard::{Moment, Shard, State};
use geminus_twin::{BindingIndex, Plant};

use super::chronicle::Chronicle;
use super::commanded::Courses;
use super::commands::wish::BehaviorWish;
use super::commands::{CONFIDENCE, FirstCommands};

/// The same verdict on the same command of a twin is told once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Longest life of a permit.
const PERMIT_MS: u32 = 10_000;

/// What may become of a proposal, in the order of [`Court::verdicts`].
pub(crate) const VERDICTS: [&str; 4] = ["refused", "held", "dropped", "commanded"];

/// A verdict as the journal has it.
struct Told {
    kind: &'static str,
    what: String,
}

/// Kind of a verdict, and whether the value was limited after a change of versions.
type Words = (&'static str, bool);

/// What is heard: proposals of a frame, before what the host knows at that moment.
#[derive(Clone, Copy)]
pub(crate) struct Hearing<'a> {
    pub(crate) index: BindingIndex,
    pub(crate) frame: &'a Frame,
    pub(crate) shard: &'a Shard,
    pub(crate) now: Moment,
    /// Declaration of the version that made the proposals of a row: each is held to its own words.
    pub(crate) declared: &'a dyn Fn(usize) -> Option<&'a Declaration>,
    /// Incarnation of the version that answered each row.
    pub(crate) by: &'a [u32],
}

/// Brings proposals before the interlocks.
#[derive(Debug)]
pub(crate) struct Court {
    plant: Arc<Plant>,
    chronicle: Chronicle,
    /// The last verdict on a command of a twin, whether it was limited, and when it was told.
    told: HashMap<Key, (Words, Duration)>,
    verdicts: [u64; VERDICTS.len()],
    /// What came through last, and how far the limits after changes of versions have run.
    courses: Courses,
    /// How each binding's first commands after a change of versions are limited.
    rule: HashMap<BindingIndex, Bumpless>,
    /// Twins and behaviors whose commands were limited since the last look.
    cut: Vec<(TwinIndex, BindingIndex)>,
    /// Places of the targets that commands of behaviors may propose a value for, by twin.
    targets: HashMap<(BindingIndex, String), HashMap<TwinIndex, usize>>,
    /// What goes to the desk.
    wishes: Vec<(BindingIndex, BehaviorWish)>,
}

/// A command of a behavior of a twin, by its name: its place may be another in another version.
type Key = (TwinIndex, BindingIndex, String);

impl Court {
    pub(crate) fn new(plant: Arc<Plant>, chronicle: Chronicle) -> Self {
        Self {
            targets: targets(&plant),
            wishes: Vec::new(),
            plant,
            chronicle,
            told: HashMap::new(),
            verdicts: [0; VERDICTS.len()],
            courses: Courses::default(),
            rule: HashMap::new(),
            cut: Vec::new(),
        }
    }

    /// How a binding's twins are to be treated when their version changes.
    pub(crate) fn prepare(&mut self, index: BindingIndex, rule: Bumpless) {
        self.rule.insert(index, rule);
    }

    /// Another version answers for these twins from here on.
    pub(crate) fn switched(&mut self, index: BindingIndex, twins: &[TwinIndex]) {
        if let Some(rule) = self.rule.get(&index).cloned() {
            self.switched_by(index, twins, &rule);
        }
    }

    /// As [`Court::switched`], by this rule.
    pub(crate) fn switched_by(&mut self, index: BindingIndex, twins: &[TwinIndex], rule: &Bumpless) {
        twins.iter().for_each(|twin| self.courses.switched((*twin, index), rule));
    }

    /// What is kept over a restart.
    pub(crate) fn courses(&mut self) -> &mut Courses {
        &mut self.courses
    }

    /// Whose commands were limited since the last look, one entry a command.
    pub(crate) fn take_cut(&mut self) -> Vec<(TwinIndex, BindingIndex)> {
        std::mem::take(&mut self.cut)
    }

    /// What goes to the desk of commands. The digest of who wishes it is not known here.
    pub(crate) fn take_wishes(&mut self) -> Vec<(BindingIndex, BehaviorWish)> {
        std::mem::take(&mut self.wishes)
    }

    /// Which of these proposals would be refused: their rows. Nothing is told and nothing is kept: nobody acts on them.
    pub(crate) fn would_refuse(&self, hearing: &Hearing<'_>, proposals: &[Proposal]) -> Vec<u32> {
        let refused = proposals.iter().filter(|proposal| self.judged(hearing, proposal).1.is_none());
        refused.map(|proposal| proposal.row).collect()
    }

    /// Judges every proposal of an outcome; gives the rows of those that were refused.
    pub(crate) fn hear(&mut self, hearing: &Hearing<'_>, proposals: &[Proposal]) -> Vec<u32> {
        let mut refused = Vec::new();
        for proposal in proposals {
            let Some(twin) = hearing.frame.twins.get(proposal.row as usize).copied() else { continue };
            let (mut told, value) = self.judged(hearing, proposal);
            if let Some(wish) = value.and_then(|value| self.wish(hearing, proposal, twin, value)) {
                told.kind = "proposal-commanded";
                told.what = format!("{}; it goes to target {}", told.what, wish.target);
                self.wishes.push((hearing.index, wish));
            }
            for (verdict, count) in VERDICTS.iter().zip(&mut self.verdicts) {
                *count += u64::from(told.kind.ends_with(verdict));
            }
            let name = command(hearing, proposal).map_or_else(|| nameless(proposal), |it| it.name.clone());
            let key = (twin, hearing.index, name);
            match value {
                None => refused.push(proposal.row),
                Some(value) => {
                    let by = hearing.by.get(proposal.row as usize).copied().unwrap_or(0);
                    self.courses.passed((key.0, key.1), &key.2, value, by);
                    self.cut.extend((value != proposal.value).then_some((key.0, key.1)));
                }
            }
            let limited = value.is_some_and(|value| value != proposal.value);
            self.tell(key, told, limited, hearing.now);
        }
        refused
    }

    /// What goes to the desk: a value that came through, with the row that it came from; `None` where its command has no
    /// target.
    fn wish(
        &self,
        hearing: &Hearing<'_>,
        proposal: &Proposal,
        twin: TwinIndex,
        value: f64,
    ) -> Option<BehaviorWish> {
        let words = (hearing.declared)(proposal.row as usize)?;
        let declared = words.commands.get(proposal.command as usize)?;
        let of_command = self.targets.get(&(hearing.index, declared.name.clone()))?;
        let target = self.plant.targets.get(*of_command.get(&twin)?)?;
        // By the unit of this very version, which may be another one than that of the plant.
        let conversion: Conversion = geminus_core::unit::convert(&declared.unit, &target.unit).ok()?;
        let row = *hearing.frame.times.get(proposal.row as usize)?;
        let proposer = Proposer::Behavior {
            name: words.name.clone(),
            version: words.version.to_string(),
            digest: String::new(),
        };
        let rule = self.rule.get(&hearing.index).or_else(|| {
            let binding = self.plant.binding(hearing.index)?;
            Some(&binding.stages.bumpless)
        })?;
        let span = conversion.apply(declared.maximum) - conversion.apply(declared.minimum);
        let first = FirstCommands { step_max: rule.step_share * span.abs(), count: rule.commands };
        let mut reason = proposal.reason.replace(char::is_control, " ");
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        Some(BehaviorWish {
            twin,
            target: target.name.clone(),
            value: conversion.apply(value),
            proposer,
            reason,
            evidence: evidence(hearing, proposal, words, row),
            row,
            valid: Duration::from_millis(proposal.valid_for_ms.into()),
            first,
        })
    }

    /// How many proposals came to which end.
    pub(crate) fn verdicts(&self) -> [u64; VERDICTS.len()] {
        self.verdicts
    }

    /// The verdict, and the value that came through. What cannot be judged is refused.
    fn judged(&self, hearing: &Hearing<'_>, proposal: &Proposal) -> (Told, Option<f64>) {
        let name = self.plant.binding(hearing.index).map_or("", |binding| binding.name.as_str());
        let Some(command) = command(hearing, proposal) else {
            let what = format!(
                "{name} proposes {} = {}: refused, the version that proposes it declares no such command",
                nameless(proposal),
                proposal.value
            );
            return (Told { kind: "proposal-refused", what }, None);
        };
        let what = format!("{name} proposes {} = {} {}", command.name, proposal.value, command.unit);
        match self.verdict(hearing, proposal, command) {
            None => {
                let what = format!("{what}: refused, nothing is known of its row");
                (Told { kind: "proposal-refused", what }, None)
            }
            Some(Verdict::Refused(refusal)) => {
                let what = format!("{what}: refused, {}", refusal.reason);
                (Told { kind: "proposal-refused", what }, None)
            }
            Some(Verdict::Held(held)) => {
                (Told { kind: "proposal-held", what: format!("{what}: {}", held.note) }, Some(held.value))
            }
            Some(Verdict::Permit(permit)) => {
                let what = format!("{what}: permitted");
                (Told { kind: "proposal-dropped", what }, Some(permit.value()))
            }
        }
    }

    fn verdict(&self, hearing: &Hearing<'_>, proposal: &Proposal, command: &Command) -> Option<Verdict> {
        let Hearing { index, frame, shard, now, .. } = *hearing;
        let binding = self.plant.binding(index)?;
        let row = proposal.row as usize;
        let twin = *frame.twins.get(row)?;
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
            live: shard.state(twin)? == State::Live,
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
            bumpless: self.courses.limit((twin, index), command),
        };
        Some(judge(proposal, &facts, &rules, now.wall))
    }

    fn tell(&mut self, key: Key, told: Told, limited: bool, now: Moment) {
        let (at, words) = (Duration::from_nanos(now.monotonic), (told.kind, limited));
        let twin = super::id_of(&self.plant, key.0).to_owned();
        let known = self.told.get(&key);
        if known.is_some_and(|(known, when)| *known == words && at.saturating_sub(*when) < TOLD_EVERY) {
            return;
        }
        self.told.insert(key, (words, at));
        self.chronicle.tell(Event::new(told.kind, Severity::Info, told.what).twin(twin));
    }
}

/// An input as the evidence names it. What the host itself says there stands under a name that no input has.
fn named(input: &str) -> String {
    if input == CONFIDENCE { format!("inputs.{input}") } else { input.to_owned() }
}

/// What the row held, and how sure the behavior is: one entry is kept for that, and it stands last.
fn evidence(
    hearing: &Hearing<'_>,
    proposal: &Proposal,
    words: &Declaration,
    row: Timestamp,
) -> Vec<Evidence> {
    let frame = hearing.frame;
    let cells = proposal.row as usize * frame.inputs..(proposal.row as usize + 1) * frame.inputs;
    let values = frame.values.get(cells.clone()).unwrap_or_default();
    let quality = frame.quality.get(cells).unwrap_or_default();
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let inputs = words.inputs.iter().zip(values).zip(quality).take(EVIDENCE_MAX - 1);
    let mut all: Vec<Evidence> = inputs
        .map(|((input, value), quality)| Evidence {
            point: named(&input.name),
            value: finite(*value),
            quality: *quality,
            time: row,
        })
        .collect();
    let (value, quality) = (finite(proposal.confidence), Quality::Good);
    all.push(Evidence { point: CONFIDENCE.to_owned(), value, quality, time: row });
    all
}

/// Places of targets by the command that may propose a value for them.
fn targets(plant: &Plant) -> HashMap<(BindingIndex, String), HashMap<TwinIndex, usize>> {
    let mut all: HashMap<(BindingIndex, String), HashMap<TwinIndex, usize>> = HashMap::new();
    for (place, target) in plant.targets.iter().enumerate() {
        for command in &target.commands {
            let named = |binding: &geminus_twin::plant::Binding| binding.name == command.behavior;
            let found = (0..).map(BindingIndex).zip(&plant.bindings).find(|(_, binding)| named(binding));
            let Some((index, _)) = found else { continue };
            let twins = all.entry((index, command.command.clone())).or_default();
            twins.extend(target.twins.iter().map(|twin| (*twin, place)));
        }
    }
    all
}

/// The command of a proposal, as the version declares it that made it.
fn command<'a>(hearing: &Hearing<'a>, proposal: &Proposal) -> Option<&'a Command> {
    (hearing.declared)(proposal.row as usize)?.commands.get(proposal.command as usize)
}

/// What a command is called that nobody has declared.
fn nameless(proposal: &Proposal) -> String {
    format!("command {}", proposal.command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_input_stands_in_the_evidence_as_the_confidence() {
        assert_eq!(named("winding_temperature"), "winding_temperature");
        assert_ne!(named(CONFIDENCE), CONFIDENCE);
    }
}
