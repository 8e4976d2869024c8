//! What everyone needs who moves plugin versions about: the plant, the engine, the shards, the books. Shared by the
//! manager's thread and by the workers that it sends off to compile and to raise.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender};
use geminus_api::EventBus;
use geminus_behavior::{Compiled, Engine, HostCalls};
use geminus_core::{Clock, Declaration, Digest, Event, Severity, TwinIndex};
use geminus_registry::{Package, Vault};
use geminus_store::{Activation, Control, Snapshots};
use geminus_twin::plant::Binding;
use geminus_twin::{BindingIndex, Plant};

use super::chronicle::Chronicle;
use super::cohorts::Version;
use super::cohorts::side::Berth;
use super::message::{Ask, Reply};
use super::meters::ShardMeters;
use super::plugins::Board;

/// How long a shard may take to answer before it counts as stuck.
const ANSWER: Duration = Duration::from_secs(60);

/// A version that has run, as its number stands for it.
#[derive(Clone, Debug)]
pub(crate) struct Incarnation {
    pub(crate) digest: Digest,
    pub(crate) label: String,
    /// What its twins are opened with.
    pub(crate) parameters: Arc<[u8]>,
}

/// Shared by the manager and its workers.
pub(crate) struct Floor {
    pub(crate) plant: Arc<Plant>,
    pub(crate) engine: Engine,
    pub(crate) cache: PathBuf,
    /// Where everything of this site lies, crumbs among it.
    pub(crate) data: PathBuf,
    pub(crate) shards: Vec<Sender<Ask>>,
    pub(crate) meters: Vec<Arc<ShardMeters>>,
    pub(crate) host: Arc<dyn HostCalls>,
    pub(crate) board: Board,
    pub(crate) chronicle: Chronicle,
    pub(crate) control: Control,
    pub(crate) snapshots: Snapshots,
    pub(crate) vault: Vault,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) bus: Arc<EventBus>,
    pub(crate) incarnations: Mutex<HashMap<u32, Incarnation>>,
    /// Behavior and digest of what the last run ended inside of.
    pub(crate) ended_inside: HashSet<(String, Digest)>,
    /// Whether a worker has panicked: then this run does not end in order.
    pub(crate) broken: Arc<AtomicBool>,
}

impl Floor {
    /// Asks one shard and waits.
    ///
    /// # Errors
    /// When it does not answer in time, or has ended.
    pub(crate) fn ask<T>(&self, shard: usize, make: impl FnOnce(Reply<T>) -> Ask) -> Result<T, String> {
        let (reply, answer) = crossbeam_channel::bounded(1);
        let sender = self.shards.get(shard).ok_or("there is no such shard")?;
        sender.send(make(reply)).map_err(|_| "the shard has ended".to_owned())?;
        answer.recv_timeout(ANSWER).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                format!("shard {shard} did not answer within {} s", ANSWER.as_secs())
            }
            RecvTimeoutError::Disconnected => "the shard has ended".to_owned(),
        })
    }

    /// Asks every shard, and waits for all of them together.
    ///
    /// # Errors
    /// As [`Floor::ask`], of the first that failed.
    pub(crate) fn ask_all<T>(&self, make: impl Fn(Reply<T>) -> Ask) -> Result<Vec<T>, String> {
        self.ask_each(make).into_iter().collect()
    }

    /// The same, for an order that the others obey whatever becomes of one.
    pub(crate) fn ask_each<T>(&self, make: impl Fn(Reply<T>) -> Ask) -> Vec<Result<T, String>> {
        let ask = |sender: &Sender<Ask>| {
            let (reply, answer) = crossbeam_channel::bounded(1);
            sender.send(make(reply)).map_err(|_| "the shard has ended".to_owned())?;
            Ok(answer)
        };
        let asked: Vec<Result<crossbeam_channel::Receiver<T>, String>> =
            self.shards.iter().map(ask).collect();
        let wait = |answer: crossbeam_channel::Receiver<T>| {
            answer.recv_timeout(ANSWER).map_err(|_| "a shard did not answer in time".to_owned())
        };
        asked.into_iter().map(|asked| asked.and_then(wait)).collect()
    }

    /// Which shard has a twin.
    pub(crate) fn shard_of(&self, twin: TwinIndex) -> usize {
        usize::from(super::shard_number(twin, self.shards.len()))
    }

    /// Of these twins, those of a shard.
    pub(crate) fn members(&self, shard: usize, twins: &HashSet<TwinIndex>) -> Vec<TwinIndex> {
        let mut mine: Vec<TwinIndex> =
            twins.iter().copied().filter(|twin| self.shard_of(*twin) == shard).collect();
        mine.sort_unstable_by_key(|twin| twin.0);
        mine
    }

    pub(crate) fn binding(&self, index: BindingIndex) -> Option<&Binding> {
        self.plant.binding(index)
    }

    /// A version as it runs for a binding, with its number.
    ///
    /// # Errors
    /// When the number cannot be had from the store.
    pub(crate) fn version(
        &self,
        index: BindingIndex,
        compiled: Arc<Compiled>,
        parameters: Arc<[u8]>,
    ) -> Result<Version, String> {
        let (label, digest) = (compiled.declaration().label(), compiled.digest());
        let incarnation = self.number(index, &label, digest, &parameters)?;
        self.know(incarnation, Incarnation { digest, label, parameters: Arc::clone(&parameters) });
        Ok(Version { compiled, parameters, incarnation })
    }

    /// The number of a version with these parameters for a binding.
    ///
    /// # Errors
    /// When it cannot be had from the store.
    pub(crate) fn number(
        &self,
        index: BindingIndex,
        label: &str,
        digest: Digest,
        parameters: &[u8],
    ) -> Result<u32, String> {
        let binding = self.binding(index).ok_or("there is no such binding")?;
        let number = self.control.incarnation(&binding.name, label, &digest.to_string(), parameters);
        number.map_err(|error| error.to_string())
    }

    pub(crate) fn know(&self, number: u32, incarnation: Incarnation) {
        self.incarnations.lock().unwrap_or_else(PoisonError::into_inner).insert(number, incarnation);
    }

    pub(crate) fn known(&self, number: u32) -> Option<Incarnation> {
        self.incarnations.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    /// A package with this digest: from the folder, or kept from before.
    pub(crate) fn package(&self, digest: Digest) -> Option<Package> {
        let shelved = self.board.lock().shelf.by_digest(digest).cloned();
        shelved.or_else(|| self.vault.get(digest).ok())
    }

    /// The declaration of a version that runs for a binding; `None` when its package is gone.
    pub(crate) fn declaration(&self, index: BindingIndex, digest: Digest) -> Option<Arc<Declaration>> {
        let active = self.board.lock().active.get(index.0 as usize).cloned().flatten();
        let active = active.filter(|active| active.digest() == digest);
        let active = active.map(|active| Arc::clone(active.version.compiled.declaration()));
        active.or_else(|| self.package(digest).map(|package| package.declaration))
    }

    /// Every package that there is: in the folder, and kept from before.
    pub(crate) fn packages(&self) -> Vec<Package> {
        let state = self.board.lock();
        state.shelf.packages().iter().chain(&state.kept).cloned().collect()
    }

    /// Drops instances where no row waits for it.
    pub(crate) fn drop_apart(&self, berths: Vec<Berth>) {
        if berths.is_empty() {
            return;
        }
        let thread = std::thread::Builder::new().name("drop".to_owned());
        if let Err(error) = thread.spawn(move || drop(berths)) {
            tracing::warn!(%error, "no thread to drop instances on");
        }
    }

    /// Writes down that a version was put to work, or was not.
    pub(crate) fn remember(
        &self,
        package: (&str, &str, Digest),
        binding: &str,
        twins: usize,
        rollout: Option<u64>,
        outcome: String,
    ) {
        let (plugin, version, digest) = package;
        let activation = Activation {
            time: self.clock.now(),
            binding: binding.to_owned(),
            plugin: plugin.to_owned(),
            version: version.to_owned(),
            digest: digest.to_string(),
            twins: twins as u64,
            rollout,
            outcome,
        };
        if let Err(error) = self.control.record_activation(&activation) {
            let message = format!("an activation was not recorded: {error}");
            self.chronicle.tell(Event::new("activation-not-recorded", Severity::Error, message));
        }
    }
}
