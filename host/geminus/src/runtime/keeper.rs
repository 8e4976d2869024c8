//! Keeps the state of behaviors over restarts: copies it at intervals and when the host stops, puts it back when
//! it starts.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender};
use geminus_behavior::{Saved, Snapshot};
use geminus_core::{Digest, Event, Severity, TwinIndex};
use geminus_store::{Generation, StateSnapshot, Store};
use geminus_twin::plant::Binding;
use geminus_twin::{BindingIndex, Plant};

use super::chronicle::Chronicle;
use super::message::{Ask, SavedState};
use super::shard::ShardParts;

/// How long a shard may take to copy its state.
const COPY_MAX: Duration = Duration::from_secs(30);

/// A thread that saves at intervals, and once more when it is stopped.
#[derive(Debug)]
pub(crate) struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    pub(crate) fn start(
        plant: Arc<Plant>,
        shards: Vec<Sender<Ask>>,
        store: Arc<Store>,
        chronicle: Chronicle,
        every: Duration,
    ) -> anyhow::Result<Self> {
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let thread = std::thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            loop {
                let last = stopped.recv_timeout(every) != Err(RecvTimeoutError::Timeout);
                save(&plant, &shards, &store, &chronicle);
                if last {
                    return;
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Saves once more and ends. Blocks for it.
    pub(crate) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the keeper panicked: the last state was not saved");
        }
    }
}

fn save(plant: &Plant, shards: &[Sender<Ask>], store: &Store, chronicle: &Chronicle) {
    for shard in shards {
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
                chronicle.tell(Event::new("snapshot-failed", Severity::Error, message));
                continue;
            }
        };
        for state in states {
            if let Err(reason) = keep(plant, store, state) {
                let message = format!("state was not saved: {reason}; the state saved before stays");
                chronicle.tell(Event::new("snapshot-failed", Severity::Error, message));
            }
        }
    }
}

fn keep(plant: &Plant, store: &Store, state: SavedState) -> Result<(), String> {
    let binding = plant.binding(state.binding).ok_or("there is no such binding")?;
    let snapshot = state.result.map_err(|reason| format!("{}: {reason}", binding.name))?;
    if snapshot.schema == 0 {
        return Ok(());
    }
    let by = Generation {
        binding: binding.name.clone(),
        plugin: snapshot.label.clone(),
        digest: snapshot.digest.to_string(),
        schema: snapshot.schema,
    };
    let states: Vec<_> = snapshot
        .twins
        .into_iter()
        // A twin that has had no row has nothing to keep.
        .filter(|saved| saved.time.0 > 0)
        .filter_map(|saved| Some((plant.twin(saved.twin)?.id.to_string(), saved.time, with_rows(&saved))))
        .collect();
    if states.is_empty() {
        return Ok(());
    }
    store.snapshots().save(&by, &states).map_err(|error| error.to_string())
}

/// The number of rows, which warm-up is counted by, stands before the plugin's own bytes.
fn with_rows(saved: &Saved) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + saved.bytes.len());
    bytes.extend_from_slice(&saved.rows.to_le_bytes());
    bytes.extend_from_slice(&saved.bytes);
    bytes
}

/// Puts the state of a binding's twins back. What cannot be is journaled, and the twin starts cold where the site
/// allows it; where it does not, that too is said, because a cold start must never be silent.
pub(crate) fn restore(
    parts: &mut ShardParts,
    store: &Store,
    index: BindingIndex,
    binding: &Binding,
    twins: &[TwinIndex],
) {
    let ids: Vec<&str> = twins.iter().map(|twin| super::id_of(&parts.plant, *twin)).collect();
    let loaded = match store.snapshots().load(&binding.name, &ids) {
        Ok(loaded) => loaded,
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
    let mut groups: Vec<(Generation, Vec<Saved>)> = Vec::new();
    for (id, twin) in ids.iter().zip(twins) {
        let Some(state) = loaded.states.iter().find(|state| state.twin == **id) else { continue };
        let Some(saved) = saved(*twin, state) else { continue };
        match groups.iter_mut().find(|(by, _)| *by == state.by) {
            Some((_, group)) => group.push(saved),
            None => groups.push((state.by.clone(), vec![saved])),
        }
    }
    for (by, group) in groups {
        let rows: Vec<_> = group.iter().map(|saved| (saved.twin, saved.time, saved.rows)).collect();
        let digest = Digest::of(by.digest.as_bytes());
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
        }
    }
}

fn saved(twin: TwinIndex, state: &StateSnapshot) -> Option<Saved> {
    let (rows, bytes) = state.bytes.split_at_checked(8)?;
    let rows = u64::from_le_bytes(rows.try_into().ok()?);
    Some(Saved { twin, time: state.row_time, rows, bytes: bytes.to_vec() })
}
