//! Keeps the state of behaviors over restarts: copies it at intervals and when the host stops, puts it back when
//! it starts. Writes down the state at borders in a twin's record too (a start, a change of versions, a return), so
//! that what followed can be made again. Tells the journal what happens to the store.

mod ledger;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select};
use geminus_behavior::{Saved, Snapshot};
use geminus_core::{Digest, Event, Severity, Timestamp, TwinIndex};
use geminus_store::{Border, Checkpoint, Generation, StateSnapshot, Store};
use geminus_twin::plant::Binding;
use geminus_twin::{BindingIndex, Plant};

use ledger::{LOOK_EVERY, Ledger};

use super::chronicle::Chronicle;
use super::cohorts;
use super::message::Ask;
use super::refeed;
use super::shard::ShardParts;

/// How long a shard may take to copy its state.
const COPY_MAX: Duration = Duration::from_secs(30);

/// State of twins at a border.
#[derive(Debug)]
pub(crate) struct AtBorder {
    pub(crate) binding: BindingIndex,
    pub(crate) incarnation: u32,
    pub(crate) border: Border,
    pub(crate) snapshot: Snapshot,
}

/// A thread that saves at intervals, and once more when it is stopped. Dropped without that, as by a start that fails, it
/// ends without a save: then the shards have ended too, and nothing has been that is not saved.
#[derive(Debug)]
pub(crate) struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// What its thread needs.
struct Desk {
    plant: Arc<Plant>,
    shards: Vec<Sender<Ask>>,
    store: Arc<Store>,
    chronicle: Chronicle,
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
        let desk = Desk { plant, shards, store, chronicle };
        let thread = std::thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || desk.run(&stopped, &borders, every))?;
        Ok(Self { stop, thread })
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

impl Desk {
    fn run(&self, stopped: &Receiver<()>, borders: &Receiver<AtBorder>, every: Duration) {
        let tick = crossbeam_channel::tick(every);
        let (looks, mut ledger) = (crossbeam_channel::tick(LOOK_EVERY), Ledger::default());
        let mut next = borders.clone();
        loop {
            select! {
                recv(next) -> border => match border {
                    Ok(border) => self.at_border(border, borders),
                    // No shard is left that could write one.
                    Err(_) => next = crossbeam_channel::never(),
                },
                recv(tick) -> _ => self.save(),
                recv(looks) -> _ => self.look(&mut ledger),
                recv(stopped) -> told => {
                    if told.is_ok() {
                        self.save();
                    }
                    self.look(&mut ledger);
                    while let Ok(border) = borders.try_recv() {
                        self.at_border(border, borders);
                    }
                    return;
                }
            }
        }
    }

    fn look(&self, ledger: &mut Ledger) {
        for event in ledger.look(&self.store.stats()) {
            self.chronicle.tell(event);
        }
    }

    /// Writes this one down, and what stands behind it, in one commit.
    fn at_border(&self, first: AtBorder, others: &Receiver<AtBorder>) {
        let mut all = self.checkpoints(first);
        while all.len() < CHECKPOINTS_PER_COMMIT
            && let Ok(next) = others.try_recv()
        {
            all.extend(self.checkpoints(next));
        }
        self.write_down(&all);
    }

    fn checkpoints(&self, at: AtBorder) -> Vec<Checkpoint> {
        let Some(binding) = self.plant.binding(at.binding) else { return Vec::new() };
        let AtBorder { incarnation, border, snapshot, .. } = at;
        let one = |saved: Saved| Checkpoint {
            binding: binding.name.clone(),
            twin: super::id_of(&self.plant, saved.twin).to_owned(),
            row_time: saved.time,
            rows: saved.rows,
            incarnation,
            schema: snapshot.schema,
            border,
            bytes: saved.bytes,
        };
        snapshot.twins.into_iter().map(one).collect()
    }

    fn write_down(&self, checkpoints: &[Checkpoint]) {
        if let Err(error) = self.store.control().checkpoint_save(checkpoints) {
            let message = format!(
                "state at a border was not written down, so what follows cannot be replayed: {error}"
            );
            self.chronicle.tell(Event::new("snapshot-failed", Severity::Warning, message));
        }
    }

    fn save(&self) {
        for shard in &self.shards {
            let (reply, answer) = crossbeam_channel::bounded(1);
            let asked = shard.send(Ask::Snapshot(reply)).is_ok();
            let states = match answer.recv_timeout(COPY_MAX) {
                Ok(states) => states,
                Err(error) => {
                    let why = match error {
                        RecvTimeoutError::Timeout if asked => "did not copy its state in time",
                        _ => "has ended and cannot copy its state",
                    };
                    let message = format!("a shard {why}; the state saved before stays");
                    self.chronicle.tell(Event::new("snapshot-failed", Severity::Error, message));
                    continue;
                }
            };
            for (index, saved) in states {
                if let Err(reason) = self.keep(index, saved) {
                    let message = format!("state was not saved: {reason}; the state saved before stays");
                    self.chronicle.tell(Event::new("snapshot-failed", Severity::Error, message));
                }
            }
        }
    }

    fn keep(&self, index: BindingIndex, saved: cohorts::Saved) -> Result<(), String> {
        let binding = self.plant.binding(index).ok_or("there is no such binding")?;
        let snapshot = saved.state.map_err(|reason| format!("{}: {reason}", binding.name))?;
        if snapshot.schema == 0 {
            return Ok(());
        }
        let by = Generation {
            binding: if saved.standby { standby(&binding.name) } else { binding.name.clone() },
            plugin: snapshot.label.clone(),
            digest: snapshot.digest.to_string(),
            schema: snapshot.schema,
        };
        let states: Vec<_> = snapshot
            .twins
            .iter()
            // A twin that has had no row has nothing to keep.
            .filter(|one| one.time.0 > 0)
            .filter_map(|one| Some((self.plant.twin(one.twin)?.id.to_string(), one.time, with_rows(one))))
            .collect();
        if states.is_empty() {
            return Ok(());
        }
        self.store.snapshots().save(&by, &states).map_err(|error| error.to_string())?;
        if !saved.standby {
            let (incarnation, border) = (saved.incarnation, Border::Periodic);
            self.write_down(&self.checkpoints(AtBorder { binding: index, incarnation, border, snapshot }));
        }
        Ok(())
    }
}

/// Checkpoints that are written in one commit.
const CHECKPOINTS_PER_COMMIT: usize = 10_000;

/// Under which name the state of the side that does not answer is kept.
pub(crate) fn standby(binding: &str) -> String {
    format!("{binding}@standby")
}

/// The number of rows, which warm-up is counted by, stands before the plugin's own bytes.
fn with_rows(saved: &Saved) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + saved.bytes.len());
    bytes.extend_from_slice(&saved.rows.to_le_bytes());
    bytes.extend_from_slice(&saved.bytes);
    bytes
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
