//! Which plugin version runs for which binding, and how another takes over.
//!
//! Runs on a thread of its own: it hears what arrives in the plugin folder, compiles off the path, and orders the
//! shards to swap. Whatever fails leaves the incumbent running and is journaled. Shadow, canary and probation
//! will stand between `compile` and `order`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;
use geminus_api::metrics::Histogram;
use geminus_behavior::{ColdStart, Compiled, Engine, Heir};
use geminus_core::{Clock, Digest, Event, Severity, Timestamp};
use geminus_registry::{Change, Package, Shelf, Vault};
use geminus_store::{Activation, Control};
use geminus_twin::plant::Binding;
use geminus_twin::{BindingIndex, Plant};

use super::chronicle::Chronicle;
use super::message::{Ask, Swap, Swapped};

/// Refused files that are remembered for the page.
const REFUSED_MAX: usize = 100;
/// How long a shard may take to answer a swap before it counts as failed.
const SWAP_ANSWER: Duration = Duration::from_secs(60);

/// What runs for one binding.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) parameters: Arc<[u8]>,
    pub(crate) since: Timestamp,
}

impl Active {
    pub(crate) fn digest(&self) -> Digest {
        self.compiled.digest()
    }
}

/// A file that could not be used.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
    pub(crate) time: Timestamp,
}

/// What the page and the API see.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) shelf: Shelf,
    /// By binding; `None` while nothing runs for it.
    pub(crate) active: Vec<Option<Active>>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) swaps_done: u64,
    pub(crate) swaps_refused: u64,
    /// Pauses of swaps in seconds, one for each shard that switched.
    pub(crate) pauses: Histogram,
}

/// Shared: the manager thread writes, the API reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<State>>);

impl Board {
    pub(crate) fn new(shelf: Shelf, active: Vec<Option<Active>>) -> Self {
        let pauses = super::house::pause_histogram();
        Self(Arc::new(Mutex::new(State { shelf, active, pauses, ..State::default() })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy, for readers that take their time.
    pub(crate) fn read(&self) -> State {
        self.lock().clone()
    }

    pub(crate) fn refuse(&self, path: &Path, reason: String, time: Timestamp) {
        let mut state = self.lock();
        state.refused.retain(|refused| refused.path != path);
        state.refused.push(Refused { path: path.to_owned(), reason, time });
        let surplus = state.refused.len().saturating_sub(REFUSED_MAX);
        state.refused.drain(..surplus);
    }
}

/// Keeps the bindings on the best version that the folder has.
#[derive(Debug)]
pub(crate) struct Manager {
    pub(crate) plant: Arc<Plant>,
    pub(crate) engine: Engine,
    pub(crate) cache: PathBuf,
    pub(crate) shards: Vec<Sender<Ask>>,
    pub(crate) board: Board,
    pub(crate) chronicle: Chronicle,
    pub(crate) control: Control,
    pub(crate) vault: Vault,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Manager {
    /// Deals with one thing that happened in the folder.
    pub(crate) fn hear(&self, change: Change) {
        match change {
            Change::Arrived(package) => self.arrived(*package),
            Change::Refused { path, reason } => {
                let message = format!("{} is not taken: {reason}", file_name(&path));
                self.board.refuse(&path, reason.to_string(), self.clock.now());
                let facts = serde_json::json!({ "file": file_name(&path) });
                self.chronicle.tell(Event::new("plugin-refused", Severity::Error, message).facts(facts));
            }
            Change::Gone(path) => {
                self.board.lock().shelf.remove(&path);
                let message = format!("{} was removed; what runs goes on running", file_name(&path));
                self.chronicle.tell(Event::new("plugin-gone", Severity::Info, message));
            }
            Change::Unreadable(error) => {
                let message = format!("the plugin folder cannot be read: {error}");
                self.chronicle.tell(Event::new("plugin-folder-unreadable", Severity::Error, message));
            }
        }
    }

    fn arrived(&self, package: Package) {
        let (name, label, digest) =
            (package.declaration.name.clone(), package.declaration.label(), package.digest);
        {
            let mut state = self.board.lock();
            state.refused.retain(|refused| refused.path != package.path);
            state.shelf.put(package);
        }
        let message = format!("{label} ({}) arrived", digest.short());
        self.chronicle.tell(Event::new("plugin-arrived", Severity::Info, message).plugin(&label));
        for (index, binding) in (0..).map(BindingIndex).zip(&self.plant.bindings) {
            if binding.declaration.name == name {
                self.review(index, binding);
            }
        }
    }

    /// Swaps a binding to the version that it should run, when it runs another.
    fn review(&self, index: BindingIndex, binding: &Binding) {
        let (picked, active) = {
            let state = self.board.lock();
            let picked = state.shelf.pick(&binding.declaration.name, &binding.versions).cloned();
            (picked, state.active.get(index.0 as usize).cloned().flatten())
        };
        let Some(package) = picked else { return };
        if active.as_ref().is_some_and(|active| active.digest() == package.digest) {
            return;
        }
        let label = package.declaration.label();
        match self.take_over(index, binding, &package, active.as_ref()) {
            Ok(swapped) => self.done(index, binding, &package, active.as_ref(), &swapped),
            Err(reason) => {
                self.board.refuse(&package.path, reason.clone(), self.clock.now());
                self.board.lock().swaps_refused += 1;
                let incumbent = active.map_or("nothing".to_owned(), |a| a.compiled.declaration().label());
                let message =
                    format!("{label} does not take over {}: {reason}; {incumbent} goes on", binding.name);
                let facts = serde_json::json!({
                    "binding": binding.name, "digest": package.digest.to_string(), "incumbent": incumbent,
                });
                self.chronicle
                    .tell(Event::new("swap-refused", Severity::Error, message).plugin(&label).facts(facts));
                self.remember(&package, format!("refused: {reason}"));
            }
        }
    }

    fn take_over(
        &self,
        index: BindingIndex,
        binding: &Binding,
        package: &Package,
        active: Option<&Active>,
    ) -> Result<Vec<Swapped>, String> {
        let parameters = binding.adopt(&package.declaration).map_err(|reasons| reasons.join("; "))?;
        let compiled = self
            .engine
            .compile(package.digest, &package.bytes, Arc::clone(&package.declaration), Some(&self.cache))
            .map_err(|error| error.to_string())?;
        let cold = match binding.allow_cold_start {
            true => ColdStart::Allow,
            false => ColdStart::Refuse,
        };
        let swap = Swap { binding: index, compiled: Arc::clone(&compiled), parameters, cold };
        let swapped = self.order(&swap, active)?;
        let since = self.clock.now();
        let mut state = self.board.lock();
        if let Some(place) = state.active.get_mut(index.0 as usize) {
            *place = Some(Active { compiled, parameters: swap.parameters, since });
        }
        state.swaps_done += 1;
        for part in &swapped {
            note(&mut state.pauses, part.pause.as_secs_f64());
        }
        Ok(swapped)
    }

    /// Orders every shard; when one refuses, those that switched are ordered back.
    fn order(&self, swap: &Swap, active: Option<&Active>) -> Result<Vec<Swapped>, String> {
        let heirs = self.raise(swap)?;
        let answers: Vec<Result<Swapped, String>> =
            self.shards.iter().zip(heirs).map(|(shard, heirs)| ask(shard, swap.clone(), heirs)).collect();
        let refusal = answers.iter().find_map(|answer| answer.as_ref().err()).cloned();
        let Some(reason) = refusal else {
            return Ok(answers.into_iter().flatten().collect());
        };
        if let Some(active) = active {
            let back = Swap {
                compiled: Arc::clone(&active.compiled),
                parameters: Arc::clone(&active.parameters),
                cold: ColdStart::Allow,
                ..swap.clone()
            };
            for (shard, _) in self.shards.iter().zip(&answers).filter(|(_, answer)| answer.is_ok()) {
                if let Err(error) = ask(shard, back.clone(), Vec::new()) {
                    let message = format!("a shard could not go back to the incumbent: {error}");
                    self.chronicle.tell(Event::new("swap-stuck", Severity::Error, message));
                }
            }
        }
        Err(reason)
    }

    /// Raises the heirs of every shard's instances here, where no row waits for it.
    fn raise(&self, swap: &Swap) -> Result<Vec<Vec<Heir>>, String> {
        let mut heirs = Vec::new();
        for shard in &self.shards {
            let (reply, answer) = crossbeam_channel::bounded(1);
            shard.send(Ask::Households(swap.binding, reply)).map_err(|_| "the shard has ended".to_owned())?;
            let households = answer
                .recv_timeout(SWAP_ANSWER)
                .map_err(|_| "the shard did not answer in time".to_owned())?;
            let raised = households
                .into_iter()
                .map(|household| {
                    household.with_parameters(&swap.parameters).raise(Arc::clone(&swap.compiled))
                })
                .collect::<Result<Vec<_>, _>>();
            heirs.push(raised.map_err(|error| error.to_string())?);
        }
        Ok(heirs)
    }

    fn done(
        &self,
        index: BindingIndex,
        binding: &Binding,
        package: &Package,
        before: Option<&Active>,
        swapped: &[Swapped],
    ) {
        let label = package.declaration.label();
        let from = before.map_or("nothing".to_owned(), |active| active.compiled.declaration().label());
        let twins: usize = swapped.iter().map(|part| part.twins).sum();
        let carried: usize = swapped.iter().map(|part| part.carried).sum();
        let pause = swapped.iter().map(|part| part.pause).max().unwrap_or_default();
        let message = format!(
            "{} runs {label} ({}) instead of {from}: {twins} twins, state of {carried} carried, rows waited {:.1} ms",
            binding.name,
            package.digest.short(),
            pause.as_secs_f64() * 1e3
        );
        let facts = serde_json::json!({
            "binding": binding.name, "index": index.0, "from": from, "to": label,
            "digest": package.digest.to_string(), "twins": twins, "carried": carried,
            "pause_ms": pause.as_secs_f64() * 1e3,
        });
        self.chronicle.tell(Event::new("swap-done", Severity::Info, message).plugin(&label).facts(facts));
        let cold: usize = swapped.iter().map(|part| part.cold).sum();
        if cold > 0 {
            let message = format!(
                "{cold} twins of {} start cold with {label}: no state of theirs could be carried",
                binding.name
            );
            self.chronicle.tell(Event::new("cold-start", Severity::Warning, message).plugin(&label));
        }
        keep(&self.vault, package, &self.chronicle);
        self.remember(package, "activated".to_owned());
    }

    fn remember(&self, package: &Package, outcome: String) {
        let activation = Activation {
            time: self.clock.now(),
            plugin: package.declaration.name.clone(),
            version: package.declaration.version.to_string(),
            digest: package.digest.to_string(),
            outcome,
            ..Activation::default()
        };
        if let Err(error) = self.control.record_activation(&activation) {
            tracing::error!(%error, "an activation was not recorded");
        }
    }
}

/// Keeps a package that runs now, for a start at which the folder has lost it.
pub(crate) fn keep(vault: &Vault, package: &Package, chronicle: &Chronicle) {
    if let Err(error) = vault.keep(package) {
        let label = package.declaration.label();
        let message = format!("{label} could not be kept for the next start: {error}");
        chronicle.tell(Event::new("plugin-not-kept", Severity::Warning, message).plugin(label));
    }
}

/// Counts one observation.
fn note(histogram: &mut Histogram, value: f64) {
    let place = histogram.bounds.iter().position(|bound| value <= *bound).unwrap_or(histogram.bounds.len());
    if let Some(count) = histogram.counts.get_mut(place) {
        *count += 1;
    }
    histogram.sum += value;
}

fn ask(shard: &Sender<Ask>, swap: Swap, heirs: Vec<Heir>) -> Result<Swapped, String> {
    let (reply, answer) = crossbeam_channel::bounded(1);
    shard.send(Ask::Swap(swap, heirs, reply)).map_err(|_| "the shard has ended".to_owned())?;
    answer.recv_timeout(SWAP_ANSWER).map_err(|_| "the shard did not answer in time".to_owned())?
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
