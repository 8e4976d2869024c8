//! What a candidate declares otherwise than the incumbent, graded by what that means for taking over while the plant
//! runs. Pure; read before anything is compiled, shown to people, kept with the rollout. The host still holds every
//! call against the declaration of the version that answers it.
//!
//! Rows, outputs, alerts and commands cross the border by their place in the declaration, and a plant lays them out
//! once. So a place that changes cannot be taken over by a running plant, however well it is meant.

use std::fmt::Debug;

use geminus_core::Declaration;
use geminus_core::declaration::{Command, Kind};
use serde::{Deserialize, Serialize};

mod lists;
mod parameters;

/// What a change means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeSeverity {
    /// Worth telling.
    Info,
    /// The candidate may do or use more than the incumbent: a person says yes first.
    Widening,
    /// The candidate cannot take over a running plant.
    Breaking,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What changed: `input surface`, `command speed`, `budget`, …
    pub what: String,
    /// What that means.
    pub severity: ChangeSeverity,
    /// For people.
    pub text: String,
}

/// All differences, worst first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Diff {
    /// In order of severity, then of the declaration.
    pub changes: Vec<Change>,
}

impl Diff {
    /// Whether the candidate cannot take over.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.of(ChangeSeverity::Breaking).next().is_some()
    }

    /// Whether a person must say yes first. An automatic rollout does not start then.
    #[must_use]
    pub fn widens(&self) -> bool {
        self.of(ChangeSeverity::Widening).next().is_some()
    }

    /// The changes of one severity.
    pub fn of(&self, severity: ChangeSeverity) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.severity == severity)
    }

    /// The texts of one severity with semicolons between; empty when there are none.
    #[must_use]
    pub fn reasons(&self, severity: ChangeSeverity) -> String {
        let told = |change: &Change| format!("{}: {}", change.what, change.text);
        self.of(severity).map(told).collect::<Vec<_>>().join("; ")
    }

    fn note(&mut self, what: impl Into<String>, severity: ChangeSeverity, text: impl Into<String>) {
        self.changes.push(Change { what: what.into(), severity, text: text.into() });
    }

    /// Notes `before → after` when they differ.
    fn compare<T: PartialEq + Debug>(
        &mut self,
        what: &str,
        severity: ChangeSeverity,
        name: &str,
        pair: (&T, &T),
    ) {
        if pair.0 != pair.1 {
            self.note(what, severity, format!("{name} changed from {:?} to {:?}", pair.0, pair.1));
        }
    }
}

/// Holds what the candidate declares against what the incumbent declares.
#[must_use]
pub fn diff(incumbent: &Declaration, candidate: &Declaration) -> Diff {
    use ChangeSeverity::{Breaking, Info};
    let mut diff = Diff::default();
    diff.compare("plugin", Breaking, "name", (&incumbent.name, &candidate.name));
    diff.compare("plugin", Breaking, "kind", (&incumbent.kind, &candidate.kind));
    version(&mut diff, incumbent, candidate);
    lists::compare(&mut diff, incumbent, candidate);
    diff.compare("inputs", Breaking, "whether ages are wanted", (&incumbent.ages, &candidate.ages));
    diff.compare("windows", Breaking, "the list", (&incumbent.windows, &candidate.windows));
    diff.compare("texts", Breaking, "the list", (&incumbent.texts, &candidate.texts));
    commands_of_kind(&mut diff, candidate);
    parameters::compare(&mut diff, &incumbent.parameters, &candidate.parameters);
    state(&mut diff, incumbent, candidate);
    budget(&mut diff, incumbent, candidate);
    diff.compare("forecast", Info, "whether it forecasts", (&incumbent.forecast, &candidate.forecast));
    diff.compare("warm-up", Info, "rows", (&incumbent.warm_up_rows, &candidate.warm_up_rows));
    diff.changes.sort_by_key(|change| std::cmp::Reverse(change.severity));
    diff
}

fn version(diff: &mut Diff, incumbent: &Declaration, candidate: &Declaration) {
    let (old, new) = (&incumbent.version, &candidate.version);
    if new < old {
        diff.note("version", ChangeSeverity::Info, format!("a step back from {old} to {new}"));
    }
}

/// A candidate that is no policy cannot have commands; its declaration was refused then. Held twice because it is the
/// border between watching and acting.
fn commands_of_kind(diff: &mut Diff, candidate: &Declaration) {
    if candidate.kind != Kind::CommandPolicy && !candidate.commands.is_empty() {
        diff.note("commands", ChangeSeverity::Breaking, "only a command policy may have commands");
    }
}

fn state(diff: &mut Diff, incumbent: &Declaration, candidate: &Declaration) {
    use ChangeSeverity::{Info, Widening};
    let (old, new) = (&incumbent.state, &candidate.state);
    let common =
        |writes: &[u32], reads: &[u32]| writes.iter().filter(|schema| reads.contains(schema)).max().copied();
    match (old.schema, new.schema) {
        (0, 0) => return,
        // Neither begins by itself: such a version is taken over cold or not at all.
        (0, _) | (_, 0) => {
            let stateless = if old.schema == 0 { incumbent } else { candidate };
            let text = format!("cannot be carried: {} keeps none; it would start cold", stateless.label());
            return diff.note("state", Widening, text);
        }
        _ => {}
    }
    match common(&old.writes, &new.reads) {
        None => diff.note(
            "state",
            Widening,
            format!(
                "cannot be carried: {} writes {:?}, {} reads {:?}; it would start cold",
                incumbent.label(),
                old.writes,
                candidate.label(),
                new.reads
            ),
        ),
        Some(schema) if old.schema != new.schema => diff.note(
            "state",
            Info,
            format!("schema {} becomes {}, carried as {schema}", old.schema, new.schema),
        ),
        Some(_) => {}
    }
    if common(&new.writes, &old.reads).is_none() {
        let text =
            format!("no way down: {} reads nothing that {} writes", incumbent.label(), candidate.label());
        diff.note("state", Info, text);
    }
}

fn budget(diff: &mut Diff, incumbent: &Declaration, candidate: &Declaration) {
    let (old, new) = (&incumbent.budget, &candidate.budget);
    for (name, before, after) in [
        ("fuel per row", old.fuel_per_row, new.fuel_per_row),
        ("bytes of memory", old.memory_bytes, new.memory_bytes),
    ] {
        let severity = if after > before { ChangeSeverity::Widening } else { ChangeSeverity::Info };
        diff.compare("budget", severity, name, (&before, &after));
    }
}

/// Whether a command may go where it could not go before.
fn wider(old: &Command, new: &Command) -> bool {
    new.minimum < old.minimum || new.maximum > old.maximum
}

#[cfg(test)]
mod tests;
