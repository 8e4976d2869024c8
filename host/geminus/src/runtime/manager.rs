//! The manager's thread: hears what arrives in the plugin folder, what people order, and what shards note; lets the
//! conductor and the ladder do what follows. Nothing here waits for a guest, so it always has an ear.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use geminus_api::Trouble;
use geminus_api::view as api;
use geminus_core::{Digest, Event, Severity, TwinIndex};
use geminus_registry::{Change, Package};
use geminus_rollout::Plan;
use geminus_store::{ActivationFilter, PackageRecord};
use geminus_twin::BindingIndex;
use geminus_twin::plant::Binding;
use geminus_twin::site::Arrivals;
use tokio::sync::oneshot;

use super::floor::Floor;
use super::kept;
use super::ladder::{Climbed, Ladder};
use super::message::Note;
use super::pinned;
use super::plugins::Active;
use super::rollouts::{Brought, Conductor, LOOK_EVERY};
use super::start::TRUSTED_AFTER;

/// Activations of a behavior that are looked through for what was tried.
const ACTIVATIONS_READ: usize = 10_000;

/// What the manager may hear.
pub(crate) enum Heard {
    /// Something happened in the plugin folder.
    Change(Change),
    /// A shard noted something.
    Note(Note),
    /// A worker of a rollout is back.
    Brought(Box<Brought>),
    /// A twin that the ladder has sent off is back.
    Climbed(Box<Climbed>),
    /// A rollout of this binding has ended, or something else changed: should it run another version?
    Review(BindingIndex),
    /// What would this plan do?
    Plan(Plan, oneshot::Sender<api::RolloutPreview>),
    /// Begin it.
    Start(Plan, String, oneshot::Sender<Result<api::RolloutView, Trouble>>),
    /// A person's order to a rollout.
    Order(u64, api::RolloutOrder, String, oneshot::Sender<Result<api::RolloutView, Trouble>>),
    /// The host stops.
    Stop,
}

/// The thread's state.
pub(crate) struct Manager {
    floor: Arc<Floor>,
    conductor: Conductor,
    ladder: Ladder,
    heard: Receiver<Heard>,
    /// What has arrived for a behavior and had no rollout yet: each arrival gets one by itself, and no more, so that
    /// nobody's decision is undone by a file that goes on lying there.
    fresh: HashSet<(BindingIndex, Digest)>,
    /// Until when what runs may still be what crashes the host; `None`: it has been trusted.
    trusted_at: Option<Duration>,
}

impl Manager {
    pub(crate) fn new(floor: Arc<Floor>, heard: Receiver<Heard>, back: Sender<Heard>) -> Self {
        let ladder = Ladder::new(Arc::clone(&floor), back.clone());
        let conductor = Conductor::new(Arc::clone(&floor), back);
        let interrupted = conductor.pick_up();
        let fresh = untried(&floor, &interrupted);
        let trusted_at = Some(floor.clock.monotonic() + TRUSTED_AFTER);
        Self { ladder, floor, conductor, heard, fresh, trusted_at }
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self) {
        for index in self.indices() {
            self.review(index);
        }
        kept::prune(&self.floor);
        let mut next_look = self.floor.clock.monotonic();
        loop {
            let now = self.floor.clock.monotonic();
            if now >= next_look {
                next_look = now + LOOK_EVERY;
                self.conductor.look();
                self.ladder.look();
                self.trust(now);
            }
            match self.heard.recv_timeout(next_look.saturating_sub(now)) {
                Ok(Heard::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(heard) => self.hear(heard),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn indices(&self) -> impl Iterator<Item = BindingIndex> + use<> {
        (0..u32::try_from(self.floor.plant.bindings.len()).unwrap_or(u32::MAX)).map(BindingIndex)
    }

    /// A reply whose asker has gone is thrown away.
    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Change(change) => self.change(change),
            Heard::Note(Note::Apart { binding, twin, incarnation, kind, message }) => {
                self.ladder.apart(binding, twin, incarnation, kind, &message);
            }
            Heard::Brought(brought) => self.conductor.brought(*brought),
            Heard::Climbed(climbed) => self.ladder.climbed(*climbed),
            Heard::Review(index) => {
                self.review(index);
                kept::prune(&self.floor);
            }
            Heard::Plan(plan, reply) => {
                let meaning = super::rollouts::meaning(&self.floor, plan);
                let busy = self.conductor.busy_with(&meaning);
                drop(reply.send(meaning.preview(&self.floor, busy)));
            }
            Heard::Start(plan, by, reply) => {
                let meaning = super::rollouts::meaning(&self.floor, plan);
                let target = meaning.target();
                let begun = self.conductor.begin(meaning, &by, false);
                if let (Ok(_), Some(target)) = (&begun, target) {
                    self.fresh.remove(&target);
                }
                drop(reply.send(begun));
            }
            Heard::Order(id, order, by, reply) => drop(reply.send(self.conductor.order(id, order, by))),
            Heard::Stop => {}
        }
    }

    /// What has run long enough did not crash the host by being started: earlier crashes in it are forgiven.
    fn trust(&mut self, now: Duration) {
        if self.trusted_at.is_none_or(|at| now < at) {
            return;
        }
        self.trusted_at = None;
        let state = self.floor.board.lock();
        let running: Vec<_> = state.active.iter().flatten().map(Active::digest).collect();
        let running: BTreeSet<String> =
            running.iter().chain(state.pinned.values()).map(ToString::to_string).collect();
        drop(state);
        for digest in running {
            if let Err(error) = self.floor.control.forgive_crash(&digest) {
                tracing::warn!(%error, "a crash was not forgiven");
            }
        }
    }

    /// Deals with one thing that happened in the folder.
    fn change(&mut self, change: Change) {
        let floor = Arc::clone(&self.floor);
        match change {
            Change::Arrived(package) => self.arrived(*package),
            Change::Refused { path, reason } => {
                let message = format!("{} is not taken: {reason}", file_name(&path));
                floor.board.refuse(&path, reason.to_string(), floor.clock.now());
                let facts = serde_json::json!({ "file": file_name(&path) });
                floor.chronicle.tell(Event::new("plugin-refused", Severity::Error, message).facts(facts));
            }
            Change::Gone(path) => {
                self.leaves(&path);
                let message = format!("{} was removed; what runs goes on running", file_name(&path));
                floor.chronicle.tell(Event::new("plugin-gone", Severity::Info, message));
            }
            Change::Unreadable(error) => {
                let message = format!("the plugin folder cannot be read: {error}");
                floor.chronicle.tell(Event::new("plugin-folder-unreadable", Severity::Error, message));
            }
        }
    }

    /// What a file held is no longer on the shelf; it stays at hand if it was kept.
    fn leaves(&self, path: &Path) {
        let left = self.floor.board.lock().shelf.packages().iter().find(|known| known.path == *path).cloned();
        let kept = left.filter(|package| self.floor.vault.get(package.digest).is_ok());
        let mut state = self.floor.board.lock();
        state.shelf.remove(path);
        if let Some(package) = kept.filter(|package| state.shelf.by_digest(package.digest).is_none()) {
            state.kept.retain(|known| known.digest != package.digest);
            state.kept.push(package);
        }
    }

    fn arrived(&mut self, package: Package) {
        let (name, label, digest) =
            (package.declaration.name.clone(), package.declaration.label(), package.digest);
        let failed_for: Vec<String> = {
            let state = self.floor.board.lock();
            let bindings = self.floor.plant.bindings.iter();
            let names = bindings.filter(|known| known.declaration.name == name).map(|known| &known.name);
            names.filter(|binding| state.failed.contains(&((*binding).clone(), digest))).cloned().collect()
        };
        let more = match failed_for.as_slice() {
            [] => String::new(),
            names => {
                format!("; it failed for {} before, so a person has to start it there", names.join(", "))
            }
        };
        let message = format!("{label} ({}) arrived{more}", digest.short());
        self.floor.chronicle.tell(Event::new("plugin-arrived", Severity::Info, message).plugin(&label));
        record(&self.floor, &package, &file_name(&package.path));
        if let Err(error) = self.floor.vault.keep(&package) {
            let message = format!("{label} could not be kept: {error}");
            self.floor
                .chronicle
                .tell(Event::new("plugin-not-kept", Severity::Warning, message).plugin(&label));
        }
        self.leaves(&package.path);
        {
            let mut state = self.floor.board.lock();
            state.refused.retain(|refused| refused.path != package.path);
            state.kept.retain(|known| known.digest != digest);
            state.shelf.put(package);
        }
        for index in self.indices() {
            let Some(binding) = self.floor.binding(index).filter(|known| known.declaration.name == name)
            else {
                continue;
            };
            self.floor.board.lock().declined.remove(&(binding.name.clone(), digest));
            // The same file again is no other version than the one that is being tried.
            if self.conductor.tries(index) == Some(digest) {
                continue;
            }
            self.fresh.insert((index, digest));
            match self.conductor.is_busy(index) {
                true => self.knock(index, &label),
                false => self.review(index),
            }
        }
        kept::prune(&self.floor);
    }

    /// A file came while a rollout is under way: what would not take over itself ends nothing. The end of what is under
    /// way brings the next look.
    fn knock(&mut self, index: BindingIndex, label: &str) {
        let mut passed_over = HashSet::new();
        while let Some((plan, package)) = self.wish(index, &passed_over) {
            match self.conductor.gives_way_to(index, plan) {
                Ok(()) => return self.conductor.supersede(index),
                Err(reason) => tracing::info!(label, %reason, "it takes nobody's place"),
            }
            passed_over.insert(package.digest);
        }
    }

    /// Begins an automatic rollout when a version has arrived that a binding should run and does not. What is refused
    /// stands in nobody's way.
    fn review(&mut self, index: BindingIndex) {
        while !self.conductor.is_busy(index) {
            let Some((plan, package)) = self.wish(index, &HashSet::new()) else { return };
            self.try_out(index, plan, &package);
        }
    }

    /// Begins it, or says why not; then it is not tried again by itself.
    fn try_out(&mut self, index: BindingIndex, plan: Plan, package: &Package) {
        let Some(binding) = self.floor.binding(index) else { return };
        self.fresh.remove(&(index, package.digest));
        let meaning = super::rollouts::meaning(&self.floor, plan);
        let label = package.declaration.label();
        let begun = match meaning.against() {
            Some(reason) => Err(Trouble::Conflict(reason)),
            None => self.conductor.begin(meaning, "plugin folder", true).map(drop),
        };
        let Err(trouble) = begun else { return };
        let reason = trouble.to_string();
        let facts = serde_json::json!({
            "binding": binding.name, "digest": package.digest.to_string(), "reason": reason,
        });
        let message = format!("{label} does not take over {}: {reason}", binding.name);
        self.floor
            .chronicle
            .tell(Event::new("swap-refused", Severity::Error, message).plugin(&label).facts(facts));
        self.floor.board.refuse(&package.path, reason.clone(), self.floor.clock.now());
        let version = package.declaration.version.to_string();
        let named = (package.declaration.name.as_str(), version.as_str(), package.digest);
        self.floor.remember(named, &binding.name, 0, None, format!("refused: {reason}"));
        let mut board = self.floor.board.lock();
        board.swaps_refused += 1;
        board.failed.insert((binding.name.clone(), package.digest));
    }

    /// The version that a binding should run by itself, and does not: for its twins, or for some that are pinned. What was
    /// passed over is none.
    fn wish(&self, index: BindingIndex, passed_over: &HashSet<Digest>) -> Option<(Plan, Package)> {
        let binding = self.floor.binding(index).filter(|binding| binding.arrivals == Arrivals::Rollout)?;
        let state = self.floor.board.lock();
        let name = &binding.declaration.name;
        let good = |package: &&Package| {
            let failed = state.failed.contains(&(binding.name.clone(), package.digest));
            !failed && !passed_over.contains(&package.digest)
        };
        let running = state.active.get(index.0 as usize).cloned().flatten();
        let stays =
            |package: &&Package| running.as_ref().is_some_and(|active| active.digest() == package.digest);
        let highest = state.shelf.pick(name, &binding.versions).map(|package| package.digest);
        let arrived = state
            .shelf
            .packages()
            .iter()
            .filter(|package| package.declaration.name == *name)
            .filter(|package| binding.versions.matches(&package.declaration.version.0))
            .filter(|package| self.fresh.contains(&(index, package.digest)))
            .filter(good)
            .max_by(|a, b| a.declaration.version.cmp(&b.declaration.version));
        // One that is lower than what runs is meant to take over only where the folder has no higher one.
        let is_meant = |package: &&Package| {
            let below =
                |active: &Active| package.declaration.version < active.version.compiled.declaration().version;
            highest == Some(package.digest) || !running.as_ref().is_some_and(below)
        };
        if let Some(package) = arrived.filter(is_meant).filter(|package| !stays(package)) {
            return Some((plan(binding, package, None), package.clone()));
        }
        binding.pins.iter().find_map(|pin| {
            let wanted =
                |package: &&Package| !state.declined.contains(&(binding.name.clone(), package.digest));
            let package = state.shelf.pick(name, &pin.versions).filter(good).filter(wanted)?;
            let digest = package.digest;
            let given_up = |twin: &TwinIndex| state.given_up.contains(&(index, *twin, digest));
            let runs = |twin: &TwinIndex| state.runs(index, *twin) == Some(digest);
            let others = pin.twins.iter().filter(|twin| !runs(twin) && !given_up(twin));
            let ids = others.map(|twin| super::id_of(&self.floor.plant, *twin));
            Some((plan(binding, package, Some(pinned::pattern(ids)?)), package.clone()))
        })
    }
}

fn plan(binding: &Binding, package: &Package, twins: Option<String>) -> Plan {
    let mut plan =
        Plan::through(package.declaration.name.clone(), package.digest.to_string(), binding.stages.clone());
    plan.behavior = Some(binding.name.clone());
    plan.twins = twins;
    plan
}

/// What lies in the folder and was never tried for a behavior, or was interrupted: it came while the host was away.
fn untried(floor: &Floor, interrupted: &[(String, String)]) -> HashSet<(BindingIndex, Digest)> {
    let mut fresh = HashSet::new();
    for (index, binding) in (0..).map(BindingIndex).zip(&floor.plant.bindings) {
        let filter = ActivationFilter {
            binding: Some(binding.name.clone()),
            limit: ACTIVATIONS_READ,
            ..ActivationFilter::default()
        };
        let tried: BTreeSet<String> = match floor.control.activations(&filter) {
            Ok(past) => past.into_iter().map(|activation| activation.digest).collect(),
            Err(error) => {
                let message = format!("what was tried for {} cannot be read: {error}", binding.name);
                floor.chronicle.tell(Event::new("control-unreadable", Severity::Error, message));
                continue;
            }
        };
        let state = floor.board.lock();
        let ended = state.rollouts.values().filter(|known| known.is_over() && !known.was_interrupted());
        let ended: BTreeSet<(String, Digest)> = ended.filter_map(|known| known.target()).collect();
        let again = |digest: &str| interrupted.iter().any(|(name, of)| *name == binding.name && of == digest);
        let digests = state.shelf.packages().iter().map(|package| package.digest);
        fresh.extend(digests.map(|digest| (index, digest)).filter(|(_, digest)| {
            let was_tried = ended.contains(&(binding.name.clone(), *digest));
            let digest = digest.to_string();
            !(was_tried || tried.contains(&digest)) || again(&digest)
        }));
    }
    fresh
}

/// Writes down that a package exists.
pub(crate) fn record(floor: &Floor, package: &Package, source: &str) {
    let record = PackageRecord {
        digest: package.digest.to_string(),
        name: package.declaration.name.clone(),
        version: package.declaration.version.to_string(),
        declaration: serde_json::to_string(&*package.declaration).unwrap_or_default(),
        bytes: package.bytes.len() as u64,
        arrived: floor.clock.now(),
        source: source.to_owned(),
    };
    if let Err(error) = floor.control.record_package(&record) {
        let message = format!("{} could not be entered into the books: {error}", package.declaration.label());
        floor.chronicle.tell(Event::new("plugin-not-kept", Severity::Warning, message));
    }
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
