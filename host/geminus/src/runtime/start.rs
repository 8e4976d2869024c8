//! What runs when the host starts: which version for which twins, compiled, opened, and given its state back. A
//! component in which the last process crashed too often is left out.

mod own;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use geminus_behavior::Compiled;
use geminus_core::{Digest, Event, Severity, Timestamp, TwinIndex};
use geminus_registry::Package;
use geminus_rollout::Phase;
use geminus_store::{ActivationFilter, Border, Control, Store};
use geminus_twin::plant::Binding;
use geminus_twin::site::Containment;
use geminus_twin::{BindingIndex, Plant};

use super::chronicle::Chronicle;
use super::cohorts::{self, Version};
use super::commanded::EarlierCommands;
use super::compile::Effort;
use super::floor::Floor;
use super::keeper::{self, AtBorder};
use super::plan::{Past, Pick};
use super::plugins::Active;
use super::quarantine::Quarantines;
use super::rollouts::Document;
use super::shard::{ShardParts, ShardRunner};
use super::{compile, crashes, crumb, refeed, substitutes, worked};

/// A component that has run for so long did not crash the host by being started.
pub(crate) const TRUSTED_AFTER: Duration = Duration::from_secs(60);
/// Earlier rollouts that are looked at for what has failed.
const ROLLOUTS_READ: usize = 1_000;
/// Earlier activations that are looked at for what has run.
const ACTIVATIONS_READ: usize = 10_000;
/// Twins whose state is written down at a start in one piece.
const BORDER_TWINS: usize = 1_024;

/// A version and the twins that start with it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) version: Version,
    pub(crate) twins: Vec<TwinIndex>,
}

/// What starts, by binding.
#[derive(Debug, Default)]
pub(crate) struct Cast {
    pub(crate) parts: Vec<Vec<Part>>,
    pub(crate) active: Vec<Option<Active>>,
    pub(crate) pinned: HashMap<(BindingIndex, TwinIndex), Digest>,
}

/// What earlier runs left behind. Counts the crash, if the last one ended inside a component.
pub(crate) fn past(
    control: &Control,
    data: &Path,
    (limits, now): (&Containment, Timestamp),
    chronicle: &Chronicle,
) -> Past {
    let trouble = |what: &str, error: &dyn std::fmt::Display| {
        let message = format!("{what} cannot be read: {error}");
        chronicle.tell(Event::new("control-unreadable", Severity::Error, message));
    };
    let ended_inside = crashes::count(control, data, (limits, now), chronicle);
    let mut past = Past { ended_inside, ..Past::default() };
    match control.assignments() {
        Ok(all) => past.assigned.extend(
            all.into_iter().filter_map(|one| Some(((one.binding, one.twin), one.digest.parse().ok()?))),
        ),
        Err(error) => trouble("what ran last", &error),
    }
    let mut whole = HashSet::new();
    match control.rollouts(ROLLOUTS_READ) {
        Ok(all) => {
            let (mut seen, mut held) = (HashSet::new(), HashSet::new());
            for record in all {
                let Ok(document) = serde_json::from_str::<Document>(&record.document) else { continue };
                if document.is_whole() {
                    whole.insert(record.id);
                }
                let Some(target) = document.target() else { continue };
                // From here on the rollouts are older: what failed in them has held since, for all twins.
                if record.phase == Phase::Permanent.name() && document.is_whole() {
                    held.insert(target.clone());
                }
                // As the conductor will end it, which comes after the choice of what starts.
                let fails = record.ended.is_none()
                    && past.ended_inside.contains(&target)
                    && !document.is_decided(&record.phase);
                if (fails || document.has_failed()) && !held.contains(&target) {
                    past.failed.insert(target.clone());
                }
                // The latest counts: what a person did not want once may have been wanted since.
                if seen.insert(target.clone()) && document.was_declined() {
                    past.declined.insert(target);
                }
            }
        }
        Err(error) => trouble("earlier rollouts", &error),
    }
    match control.activations(&ActivationFilter { limit: ACTIVATIONS_READ, ..ActivationFilter::default() }) {
        Ok(all) => {
            for activation in all.iter().filter(|activation| worked::for_good(activation)) {
                let Ok(digest) = activation.digest.parse::<Digest>() else { continue };
                past.ran_for_some.insert((activation.binding.clone(), digest));
                if worked::for_all(activation, |rollout| whole.contains(&rollout)) {
                    past.ran.entry(activation.binding.clone()).or_default().push(digest);
                }
            }
        }
        Err(error) => trouble("what ran before", &error),
    }
    match control.crashes() {
        Ok(all) => past.crashed.extend(
            all.into_iter()
                .filter(|one| one.count >= limits.crashes_max)
                .filter_map(|one| one.digest.parse::<Digest>().ok()),
        ),
        Err(error) => trouble("earlier crashes", &error),
    }
    past
}

/// Works out who starts with what, and compiles it. What cannot be compiled is journaled; its twins wait for a
/// better one, the rest of the house runs.
pub(crate) fn cast(floor: &Floor, picked: &[Pick], past: &Past) -> Cast {
    let _carried = crumb::carry_for_work(&floor.data, "start");
    let mut cast = Cast::default();
    let mut known: HashMap<Digest, Arc<Compiled>> = HashMap::new();
    for ((index, binding), pick) in (0..).map(BindingIndex).zip(&floor.plant.bindings).zip(picked) {
        let label = pick.package.declaration.label();
        if pick.left_out && past.crashed.contains(&pick.package.digest) {
            let substitute = substitutes::name(&binding.substitute);
            let what = format!("without {label} and any other version (substitute: {substitute})");
            tell_left_out(floor, binding, &pick.package, &what, None);
        } else if pick.left_out {
            let why = match past.failed.contains(&(binding.name.clone(), pick.package.digest)) {
                true => "which failed here before",
                false => {
                    "which has not run here: the host crashed in what ran last, and the package of that is gone"
                }
            };
            let message = format!(
                "{} starts without {label}, {why}: another version, or `geminus rollout start` of this one, brings it back",
                binding.name
            );
            floor.chronicle.tell(Event::new("safe-start", Severity::Error, message).plugin(&label));
        } else if let Some(crashed) = &pick.instead_of {
            let what = format!("with {label} instead of {}", crashed.declaration.label());
            tell_left_out(floor, binding, crashed, &what, None);
        } else if pick.revived {
            let others: Vec<Digest> = {
                let board = floor.board.lock();
                let same =
                    board.shelf.packages().iter().filter(|package| package.declaration.label() == label);
                same.map(|package| package.digest).collect()
            };
            let message = revived(&label, pick.package.digest, &others);
            floor.chronicle.tell(Event::new("plugin-revived", Severity::Warning, message).plugin(&label));
        }
        let main = Some(pick.package.clone()).filter(|_| !pick.left_out);
        let mut groups: BTreeMap<Digest, (Package, Vec<TwinIndex>)> = BTreeMap::new();
        for twin in &binding.twins {
            let own = own::package(floor, binding, *twin, past);
            let Some(package) = own.clone().or_else(|| main.clone()) else { continue };
            if let Some(own) = own.filter(|own| main.as_ref().is_none_or(|main| main.digest != own.digest)) {
                cast.pinned.insert((index, *twin), own.digest);
            }
            groups.entry(package.digest).or_insert_with(|| (package, Vec::new())).1.push(*twin);
        }
        let mut parts = Vec::new();
        let mut active = None;
        for (digest, (package, twins)) in groups {
            let Some(version) = ready(floor, (index, binding), &package, &mut known) else { continue };
            let is_main = main.as_ref().is_some_and(|main| main.digest == digest);
            if is_main {
                active = Some(Active { version: version.clone(), since: floor.clock.now() });
            }
            let outcome = if is_main { worked::STARTED } else { worked::STARTED_OWN };
            floor.remember(
                (&package.declaration.name, &package.declaration.version.to_string(), digest),
                &binding.name,
                twins.len(),
                None,
                outcome.to_owned(),
            );
            parts.push(Part { version, twins });
        }
        if let (Some(active), false) = (&active, past.assigned.contains_key(&(binding.name.clone(), None)))
            && let Err(error) = floor.control.assign(&binding.name, None, &active.digest().to_string())
        {
            tracing::error!(%error, "what runs was not assigned, so the next start may choose another version");
        }
        cast.parts.push(parts);
        cast.active.push(active);
    }
    cast
}

/// Why a package that was kept is used. `others` are what the folder has under its name and version, with other bytes.
fn revived(label: &str, ran: Digest, others: &[Digest]) -> String {
    let others: Vec<String> = others.iter().map(Digest::short).collect();
    match others.as_slice() {
        [] => format!("the plugin folder has no usable {label}: the one that ran last is used"),
        _ => format!(
            "the plugin folder has {label} {}, but {} is what ran last: that one is used, from what was kept; \
             `geminus rollout start` brings the other",
            others.join(" and "),
            ran.short()
        ),
    }
}

/// Says what is left out because the host crashed in it, and by which rule.
fn tell_left_out(floor: &Floor, binding: &Binding, crashed: &Package, what: &str, twin: Option<&str>) {
    let (name, limit) = (&binding.name, floor.plant.containment.crashes_max);
    let label = crashed.declaration.label();
    let whom = twin.map_or_else(|| format!("{} twins", binding.twins.len()), str::to_owned);
    let message = format!(
        "{name} of {whom} starts {what}: the host ended inside it {limit} times or more (containment.crashes_max); another version, or `geminus rollout start` of this one, brings it back"
    );
    let facts = serde_json::json!({
        "binding": name, "digest": crashed.digest.to_string(), "crashes_max": limit,
        "twins": if twin.is_some() { 1 } else { binding.twins.len() },
    });
    let event = Event::new("safe-start", Severity::Error, message).plugin(label).facts(facts);
    floor.chronicle.tell(match twin {
        Some(twin) => event.twin(twin),
        None => event,
    });
}

fn ready(
    floor: &Floor,
    (index, binding): (BindingIndex, &Binding),
    package: &Package,
    known: &mut HashMap<Digest, Arc<Compiled>>,
) -> Option<Version> {
    let label = package.declaration.label();
    let limit = Duration::from_secs(binding.stages.compile_seconds_max);
    let parameters = binding
        .adopt_for(&package.declaration, &semver::VersionReq::STAR)
        .map_err(|reasons| reasons.join("; "));
    let version = parameters.and_then(|parameters| {
        let compiled = match known.get(&package.digest) {
            Some(compiled) => Arc::clone(compiled),
            None => {
                let number = || floor.number(index, &label, package.digest, &parameters);
                let (wanted, clock) = (&compile::WANTED, floor.clock.as_ref());
                compile::apart(
                    &floor.engine,
                    package,
                    &floor.cache,
                    &Effort { limit, wanted, clock, number: &number },
                )?
            }
        };
        known.insert(package.digest, Arc::clone(&compiled));
        floor.version(index, compiled, parameters)
    });
    match version {
        Ok(version) => {
            if let Err(error) = floor.vault.keep(package) {
                let message = format!("{label} could not be kept for the next start: {error}");
                floor
                    .chronicle
                    .tell(Event::new("plugin-not-kept", Severity::Warning, message).plugin(&label));
            }
            Some(version)
        }
        Err(error) => {
            let message = format!("{} cannot run {label}: {error}", binding.name);
            floor.chronicle.tell(Event::new("plugin-refused", Severity::Error, message).plugin(label));
            None
        }
    }
}

/// Starts the instances of a shard, puts their state back, and lets the thread run. Whoever is quarantined has its state
/// too, and no rows.
pub(crate) fn shard(
    mut parts: ShardParts,
    cast: &Cast,
    quarantines: &Quarantines,
    earlier: &EarlierCommands,
    store: &Store,
) -> anyhow::Result<JoinHandle<()>> {
    let plant = Arc::clone(&parts.plant);
    let carried = crumb::carry(Arc::clone(&parts.crumb));
    let here: HashSet<TwinIndex> = parts.shard.twins().collect();
    let mut held: Vec<(BindingIndex, TwinIndex, String)> = Vec::new();
    for ((index, binding), own) in (0..).map(BindingIndex).zip(&plant.bindings).zip(&cast.parts) {
        for part in own {
            let mine: Vec<TwinIndex> =
                part.twins.iter().copied().filter(|twin| here.contains(twin)).collect();
            start(&mut parts, &plant, (index, binding), &part.version, &mine, store);
            let digest = part.version.compiled.digest();
            let reason = |twin: &TwinIndex| quarantines.reason(index, *twin, digest).map(str::to_owned);
            held.extend(mine.iter().filter_map(|twin| Some((index, *twin, reason(twin)?))));
        }
    }
    drop(carried);
    let name = format!("shard-{}", parts.number);
    let mut runner = ShardRunner::new(parts);
    runner.resume_commands(earlier);
    for (index, twin, reason) in held {
        let last = super::quarantine::last_outputs(store, &plant, index, twin);
        runner.hold_apart(index, twin, reason, last);
    }
    // A host that ended in order has closed its rows.
    if !store.control().was_clean() {
        runner.reopen_rows(store);
    }
    Ok(std::thread::Builder::new().name(name).spawn(move || runner.run())?)
}

fn start(
    parts: &mut ShardParts,
    plant: &Plant,
    (index, binding): (BindingIndex, &Binding),
    version: &Version,
    mine: &[TwinIndex],
    store: &Store,
) {
    let openings = cohorts::openings(plant, binding, mine, &version.parameters);
    let account = parts.meters.account(index, &version.compiled.declaration().version.to_string());
    // Around all of it: opening, restoring, feeding, copying.
    let _inside = crumb::inside(version.incarnation);
    let started = parts.cohorts.start(index, binding, (version, &account), &parts.host, openings);
    match started {
        Ok(refused) => {
            for twin in refused {
                let message = format!("{} does not take up {}: {}", binding.name, twin.id, twin.message);
                let event = Event::new("twin-refused", Severity::Error, message).twin(twin.id);
                parts.chronicle.tell(event.plugin(version.label()));
            }
            let who = (version.compiled.digest(), version.incarnation);
            keeper::restore(parts, store, (index, binding), mine, who);
            for some in mine.chunks(BORDER_TWINS) {
                for mut snapshot in parts.cohorts.copy(index, some, None).into_iter().flatten() {
                    // What begins anew, and what has no state, stands after the rows that were recorded all the same.
                    for cold in snapshot.twins.iter_mut().filter(|saved| saved.time.0 == 0) {
                        cold.time = refeed::newest(store, plant, index, cold.twin);
                    }
                    let (incarnation, border) = (version.incarnation, Border::Start);
                    // Made of what history and the books hold, so it waits for nothing.
                    let after = None;
                    drop(parts.borders.send(AtBorder {
                        binding: index,
                        incarnation,
                        border,
                        snapshot,
                        after,
                    }));
                }
            }
        }
        Err(error) => {
            let message = format!("{} does not run: {error}", binding.name);
            parts.chronicle.tell(Event::new("behavior-not-started", Severity::Error, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_other_bytes_of_the_version_is_told_apart_from_one_without() {
        let [ran, other] = [b"ran", b"new"].map(|bytes| Digest::of(bytes));
        let none = revived("a@0.1.0", ran, &[]);
        assert!(none.contains("no usable a@0.1.0"), "{none}");
        let some = revived("a@0.1.0", ran, &[other]);
        assert!(some.contains(&format!("has a@0.1.0 {}", other.short())), "{some}");
        assert!(some.contains(&format!("but {} is what ran last", ran.short())), "{some}");
        assert!(!some.contains("no usable"), "{some}");
    }
}
