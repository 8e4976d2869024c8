//! Keeps the state of behaviors over restarts: copies it at intervals and when the host stops (`desk`), and puts it back
//! when it starts. No state is saved before the rows that it has seen are durable (`pending`). Writes down the state at
//! borders in a twin's record too (a start, a change of versions, a return), so that what followed can be made again.

mod desk;
mod ledger;
mod pending;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use geminus_behavior::{Saved, Snapshot};
use geminus_core::{Digest, Event, Severity, Timestamp, TwinIndex};
use geminus_store::{Border, Checkpoint, Generation, Mark, StateSnapshot, Store};
use geminus_twin::plant::Binding;
use geminus_twin::{BindingIndex, Plant};

use desk::Desk;

use super::chronicle::Chronicle;
use super::message::Ask;
use super::refeed;
use super::shard::ShardParts;
use super::vitals::Vital;

/// State of twins at a border. It waits for its rows as a saved one does: a restart may go on from it, and a replay
/// takes it up after the row whose time it has, even if another version has answered that row since.
#[derive(Debug)]
pub(crate) struct AtBorder {
    pub(crate) binding: BindingIndex,
    pub(crate) incarnation: u32,
    pub(crate) border: Border,
    pub(crate) snapshot: Snapshot,
    /// Stands behind every row that the state has seen; `None` when those are durable.
    pub(crate) after: Option<Mark>,
}

/// A thread that saves at intervals, and once more when it is stopped. Dropped without that, as by a start that fails, it
/// ends without a save: then the shards have ended too, and nothing has been that is not saved.
#[derive(Debug)]
pub(crate) struct Keeper {
    stop: Sender<()>,
    vital: Arc<Vital>,
    thread: JoinHandle<()>,
}

impl Keeper {
    pub(crate) fn start(
        plant: Arc<Plant>,
        shards: Vec<Sender<Ask>>,
        store: Arc<Store>,
        chronicle: Chronicle,
        borders: Receiver<AtBorder>,
        every: Duration,
    ) -> anyhow::Result<Self> {
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let mut desk = Desk::new(plant, shards, store, chronicle);
        let (vital, alive) = Vital::waiting("keeper");
        let thread = std::thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            desk.run(&stopped, &borders, every);
            drop(alive);
        })?;
        Ok(Self { stop, vital, thread })
    }

    /// Whether it lives.
    pub(crate) fn vital(&self) -> Arc<Vital> {
        Arc::clone(&self.vital)
    }

    /// Saves once more and ends. Blocks for it.
    pub(crate) fn stop(self) {
        // Fails only when the thread is gone, which the next line tells.
        self.stop.send(()).unwrap_or_default();
        if self.thread.join().is_err() {
            tracing::error!("the keeper panicked: the last state was not saved");
        }
    }
}

/// Under which name the state of the side that does not answer is kept.
pub(crate) fn standby(binding: &str) -> String {
    format!("{binding}@standby")
}

/// Puts the state of a binding's twins back: the newest that this version wrote, whichever side it was on, else the
/// newest of all. What cannot be is journaled, and the twin starts cold where the site allows it; where it does not,
/// that too is said, because a cold start must never be silent.
pub(crate) fn restore(
    parts: &mut ShardParts,
    store: &Store,
    (index, binding): (BindingIndex, &Binding),
    twins: &[TwinIndex],
    (digest, incarnation): (Digest, u32),
) {
    let ids: Vec<&str> = twins.iter().map(|twin| super::id_of(&parts.plant, *twin)).collect();
    let digest = digest.to_string();
    let load = |name: &str| store.snapshots().load_by(name, &ids, Some(&digest));
    let loaded = match load(&binding.name).and_then(|loaded| Ok((loaded, load(&standby(&binding.name))?))) {
        Ok((mut loaded, other)) => {
            for state in other.states.into_iter().filter(|state| state.by.digest == digest) {
                match loaded.states.iter_mut().find(|known| known.twin == state.twin) {
                    Some(known) if known.by.digest == digest && known.row_time >= state.row_time => {}
                    Some(known) => *known = state,
                    None => loaded.states.push(state),
                }
            }
            loaded
        }
        Err(error) => {
            let message = format!("state of {} cannot be read: {error}; its twins start cold", binding.name);
            parts.chronicle.tell(Event::new("cold-start", Severity::Error, message));
            return;
        }
    };
    for (twin, saved) in &loaded.damaged {
        let message = format!(
            "a snapshot of {} of {twin} was damaged and passed over ({} ms)",
            binding.name,
            saved.millis()
        );
        parts.chronicle.tell(Event::new("snapshot-damaged", Severity::Warning, message).twin(twin));
    }
    let mut by_id: HashMap<String, StateSnapshot> =
        loaded.states.into_iter().map(|state| (state.twin.clone(), state)).collect();
    for id in &ids {
        let than = by_id.get(*id).map_or(Timestamp(0), |state| state.row_time);
        if let Some(checkpoint) = newer(store, binding, id, incarnation, than) {
            by_id.insert((*id).to_owned(), state_of(checkpoint, binding, &digest));
        }
    }
    let mut resumed: HashMap<TwinIndex, (Timestamp, u64)> = HashMap::new();
    let mut groups: Vec<(Generation, Vec<Saved>)> = Vec::new();
    for (id, twin) in ids.iter().zip(twins) {
        let Some(state) = by_id.get(*id) else { continue };
        let Some(saved) = saved(*twin, state) else { continue };
        let key = Generation { binding: binding.name.clone(), ..state.by.clone() };
        match groups.iter_mut().find(|(by, _)| *by == key) {
            Some((_, group)) => group.push(saved),
            None => groups.push((key, vec![saved])),
        }
    }
    for (by, group) in groups {
        let rows: Vec<(TwinIndex, Timestamp, u64)> =
            group.iter().map(|saved| (saved.twin, saved.time, saved.rows)).collect();
        let digest = by.digest.parse().unwrap_or_else(|_| Digest::of(by.digest.as_bytes()));
        let snapshot = Snapshot { label: by.plugin.clone(), digest, schema: by.schema, twins: group };
        let reasons = parts.cohorts.restore(index, &snapshot);
        if let Some(first) = reasons.first() {
            let message = format!(
                "state of {} ({} twins) written by {} was not put back: {first}; they start cold",
                binding.name,
                reasons.len(),
                by.plugin
            );
            parts.chronicle.tell(Event::new("cold-start", Severity::Error, message).plugin(by.plugin));
            continue;
        }
        for (twin, time, rows) in rows {
            parts.shard.resume(twin, index, time, rows);
            resumed.insert(twin, (time, rows));
        }
    }
    if binding.declaration.state.schema == 0 {
        return;
    }
    // What was recorded since, and what a host that was killed before its first snapshot recorded at all.
    for twin in twins {
        let (time, rows) = resumed.get(twin).copied().unwrap_or_default();
        if let Some((last, fed)) = refeed::rows(parts, store, (index, binding), *twin, time) {
            parts.shard.resume(*twin, index, last, rows + fed);
        }
    }
}

/// The state at the last border or save, where it is newer than the snapshot and of the same version: a twin that
/// was put back by the ladder goes on from there.
fn newer(
    store: &Store,
    binding: &Binding,
    twin: &str,
    incarnation: u32,
    than: Timestamp,
) -> Option<Checkpoint> {
    let found = store.control().checkpoint_before(&binding.name, twin, Timestamp(u64::MAX));
    let checkpoint = found.ok().flatten()?;
    let ours = checkpoint.incarnation == incarnation && checkpoint.schema > 0;
    (ours && checkpoint.row_time > than).then_some(checkpoint)
}

/// A saved state of one twin as a snapshot; `None` when it is not one.
pub(crate) fn snapshot_of(twin: TwinIndex, state: &StateSnapshot) -> Option<Snapshot> {
    let digest = state.by.digest.parse().ok()?;
    let twins = vec![saved(twin, state)?];
    Some(Snapshot { label: state.by.plugin.clone(), digest, schema: state.by.schema, twins })
}

fn state_of(checkpoint: Checkpoint, binding: &Binding, digest: &str) -> StateSnapshot {
    let mut bytes = checkpoint.rows.to_le_bytes().to_vec();
    bytes.extend_from_slice(&checkpoint.bytes);
    let by = Generation {
        binding: binding.name.clone(),
        plugin: binding.declaration.label(),
        digest: digest.to_owned(),
        schema: checkpoint.schema,
    };
    StateSnapshot {
        twin: checkpoint.twin,
        by,
        row_time: checkpoint.row_time,
        saved: checkpoint.row_time,
        bytes,
    }
}

fn saved(twin: TwinIndex, state: &StateSnapshot) -> Option<Saved> {
    let (rows, bytes) = state.bytes.split_at_checked(8)?;
    let rows = u64::from_le_bytes(rows.try_into().ok()?);
    Some(Saved { twin, time: state.row_time, rows, bytes: bytes.to_vec() })
}

#[cfg(test)]
mod tests;
