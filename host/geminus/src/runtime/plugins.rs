//! The board: which packages there are, what runs for which binding, what was refused, and how rollouts stand. The
//! manager writes it, the API reads it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use geminus_core::{Digest, Timestamp, TwinIndex};
use geminus_registry::{Package, Shelf};
use geminus_rollout::Phase;
use geminus_twin::BindingIndex;

use super::cohorts::Version;
use super::rollouts::Document;

/// Refused files that are remembered for the page.
const REFUSED_MAX: usize = 100;

/// What runs for one binding, but for twins that have a version of their own.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    pub(crate) version: Version,
    pub(crate) since: Timestamp,
}

impl Active {
    pub(crate) fn digest(&self) -> Digest {
        self.version.compiled.digest()
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
    /// What lies in the plugin folder.
    pub(crate) shelf: Shelf,
    /// What was kept from before, and no file in the folder has.
    pub(crate) kept: Vec<Package>,
    /// By binding; `None` while nothing runs for it.
    pub(crate) active: Vec<Option<Active>>,
    /// Twins that run another version than their binding.
    pub(crate) pinned: HashMap<(BindingIndex, TwinIndex), Digest>,
    /// Digests that failed for a binding: nothing starts them again by itself.
    pub(crate) failed: HashSet<(String, Digest)>,
    /// Digests that a person did not want for a binding: as `failed`, until a file brings them again.
    pub(crate) declined: HashSet<(String, Digest)>,
    pub(crate) refused: Vec<Refused>,
    /// Under way, and the latest that ended.
    pub(crate) rollouts: BTreeMap<u64, Document>,
    /// How rollouts of this run ended.
    pub(crate) ended: BTreeMap<Phase, u64>,
    pub(crate) swaps_done: u64,
    pub(crate) swaps_refused: u64,
    /// Strikes within their window.
    pub(crate) strikes: HashMap<(BindingIndex, TwinIndex), u32>,
    /// Versions that the ladder has given up for a twin: it gets none of them again but by a rollout.
    pub(crate) given_up: HashSet<(BindingIndex, TwinIndex, Digest)>,
}

impl State {
    /// The version that answers for a twin outside of a rollout, as far as one was put to work.
    pub(crate) fn runs(&self, index: BindingIndex, twin: TwinIndex) -> Option<Digest> {
        let active = || self.active.get(index.0 as usize)?.as_ref().map(Active::digest);
        self.pinned.get(&(index, twin)).copied().or_else(active)
    }

    /// Takes down what the end of a rollout says about its version.
    pub(crate) fn judge(&mut self, document: &Document, digest: Digest) {
        let Some((binding, _)) = document.target() else { return };
        if document.has_failed() {
            self.failed.insert((binding, digest));
        } else if document.was_declined() {
            self.declined.insert((binding, digest));
        } else if document.phase() == Phase::Permanent {
            let target = (binding, digest);
            self.declined.remove(&target);
            // A person gave it another chance, and it held. That it held for some says nothing of the others.
            if document.is_whole() {
                self.failed.remove(&target);
            }
        }
    }

    /// Keeps those under way and the latest `count` of all.
    pub(crate) fn forget_old_rollouts(&mut self, count: usize) {
        let surplus = self.rollouts.len().saturating_sub(count);
        let old: Vec<u64> = self
            .rollouts
            .iter()
            .filter(|(_, document)| document.is_over())
            .map(|(id, _)| *id)
            .take(surplus)
            .collect();
        for id in old {
            self.rollouts.remove(&id);
        }
    }
}

/// Shared: the manager thread writes, the API reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<State>>);

impl Board {
    pub(crate) fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn refuse(&self, path: &Path, reason: String, time: Timestamp) {
        let mut state = self.lock();
        state.refused.retain(|refused| refused.path != path);
        state.refused.push(Refused { path: path.to_owned(), reason, time });
        let surplus = state.refused.len().saturating_sub(REFUSED_MAX);
        state.refused.drain(..surplus);
    }
}
