//! What the keeper's thread does: copies the state of the shards, lets it wait until history has what it has seen, and
//! saves it; writes down the states at borders in the same order; tells the journal what happens to the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select};
use geminus_behavior::{Saved, Snapshot};
use geminus_core::{Event, Severity, TwinIndex};
use geminus_store::{Border, Checkpoint, Commanded, Generation, Store, StoreError};
use geminus_twin::plant::Binding;
use geminus_twin::{BindingIndex, Plant};

use super::AtBorder;
use super::ledger::{LOOK_EVERY, Ledger};
use super::pending::{Pending, What};
use crate::runtime::chronicle::Chronicle;
use crate::runtime::message::Ask;
use crate::runtime::{cohorts, keeper};

/// How long a shard may take to copy its state.
const COPY_MAX: Duration = Duration::from_secs(30);
/// How long a stop waits for history, so that the last state may be saved.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Checkpoints that are written in one commit.
const CHECKPOINTS_PER_COMMIT: usize = 10_000;

/// What its thread needs.
pub(super) struct Desk {
    plant: Arc<Plant>,
    shards: Vec<Sender<Ask>>,
    store: Arc<Store>,
    chronicle: Chronicle,
    pending: Pending,
    /// What was commanded last and is not saved yet, by behavior and twin.
    commanded: BTreeMap<(String, String), String>,
    /// Whether it was told that state is not saved; told once until it is.
    told: bool,
    /// Whether it was told that there is no room for states at borders.
    told_full: bool,
}

impl Desk {
    pub(super) fn new(
        plant: Arc<Plant>,
        shards: Vec<Sender<Ask>>,
        store: Arc<Store>,
        chronicle: Chronicle,
    ) -> Self {
        let (pending, commanded) = (Pending::default(), BTreeMap::new());
        Self { plant, shards, store, chronicle, pending, commanded, told: false, told_full: false }
    }

    /// Runs until it is told to stop, and copies at intervals, and once more then. Where `stopped` is closed without a
    /// word it only writes what waits.
    pub(super) fn run(&mut self, stopped: &Receiver<()>, borders: &Receiver<AtBorder>, every: Duration) {
        let tick = crossbeam_channel::tick(every);
        let (looks, mut ledger) = (crossbeam_channel::tick(LOOK_EVERY), Ledger::default());
        let mut next = borders.clone();
        loop {
            self.settle();
            let ear = self.pending.ear();
            select! {
                recv(ear) -> end => self.pending.heard(end),
                recv(next) -> border => match border {
                    Ok(border) => self.at_border(border, borders),
                    // No shard is left that could write one.
                    Err(_) => next = crossbeam_channel::never(),
                },
                recv(tick) -> _ => self.copy(false),
                recv(looks) -> _ => self.look(&mut ledger),
                recv(stopped) -> told => {
                    if told.is_ok() {
                        self.copy(true);
                    }
                    self.finish(borders);
                    return self.look(&mut ledger);
                }
            }
        }
    }

    fn look(&mut self, ledger: &mut Ledger) {
        let stats = self.store.stats();
        for event in ledger.look(&stats) {
            self.chronicle.tell(event);
        }
        if !self.pending.is_empty() && !stats.writable {
            let reason = stats.reason.unwrap_or_else(|| "for no known reason".to_owned());
            self.unsaved(&format!("history, which it must not be ahead of, cannot be written: {reason}"));
        }
    }

    /// Waits for what waits, but not for ever: a state that is given up costs rows that are fed again at the next start,
    /// one that is ahead of history would cost estimates.
    fn finish(&mut self, borders: &Receiver<AtBorder>) {
        let over = crossbeam_channel::after(STOP_GRACE);
        loop {
            if let Ok(border) = borders.try_recv() {
                self.at_border(border, borders);
            }
            self.settle();
            if self.pending.is_empty() {
                return;
            }
            self.store.recorder().hurry();
            let ear = self.pending.ear();
            select! {
                recv(ear) -> end => self.pending.heard(end),
                recv(over) -> _ => break,
            }
        }
        let reason = self.store.stats().reason.unwrap_or_else(|| "it takes too long".to_owned());
        let message = format!(
            "the last state was not saved, since history could not be written within {} s: {reason}; the state saved before stays",
            STOP_GRACE.as_secs()
        );
        self.chronicle.tell(Event::new("snapshot-failed", Severity::Warning, message));
        self.told = true;
    }

    /// Puts this one in line, and what stands behind it, so that they are written in one commit.
    fn at_border(&mut self, first: AtBorder, others: &Receiver<AtBorder>) {
        let others = others.try_iter().take(CHECKPOINTS_PER_COMMIT);
        for border in std::iter::once(first).chain(others) {
            if !self.pending.border(border) && !std::mem::replace(&mut self.told_full, true) {
                self.not_written_down("too many wait for history to be written");
            }
        }
    }

    fn checkpoints(&self, at: AtBorder) -> Vec<Checkpoint> {
        let Some(binding) = self.plant.binding(at.binding) else { return Vec::new() };
        let AtBorder { incarnation, border, snapshot, .. } = at;
        let one = |saved: Saved| Checkpoint {
            binding: binding.name.clone(),
            twin: crate::runtime::id_of(&self.plant, saved.twin).to_owned(),
            row_time: saved.time,
            rows: saved.rows,
            incarnation,
            schema: snapshot.schema,
            border,
            bytes: saved.bytes,
        };
        snapshot.twins.into_iter().map(one).collect()
    }

    /// Writes what need not wait any more.
    fn settle(&mut self) {
        let mut borders = Vec::new();
        while let Some((what, durable)) = self.pending.take() {
            self.told_full = false;
            match what {
                _ if !durable => self.unsaved("the rows that it has seen were given up"),
                What::Border(border) => borders.extend(self.checkpoints(border)),
                What::Copy(_, states) => {
                    self.write_down(&mut borders);
                    self.keep_all(states);
                }
            }
            if borders.len() >= CHECKPOINTS_PER_COMMIT {
                self.write_down(&mut borders);
            }
        }
        self.write_down(&mut borders);
    }

    fn write_down(&self, borders: &mut Vec<Checkpoint>) {
        if let Err(error) = self.store.control().checkpoint_save(borders) {
            self.not_written_down(&error.to_string());
        }
        borders.clear();
    }

    fn not_written_down(&self, reason: &str) {
        let message =
            format!("state at a border was not written down, so what follows cannot be replayed: {reason}");
        self.chronicle.tell(Event::new("snapshot-failed", Severity::Warning, message));
    }

    /// Says once that state is not saved, until it is again.
    fn unsaved(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.told, true) {
            let message = format!("state is not saved: {reason}; the state saved before stays");
            self.chronicle.tell(Event::new("snapshot-failed", Severity::Warning, message));
        }
    }

    /// Copies the state of every shard and puts it in line. A shard whose last copy still waits is passed over, unless it
    /// is the last time: the older copy is due first, and what has happened since is fed again after a kill.
    fn copy(&mut self, last: bool) {
        let mut changed = Vec::new();
        for (number, shard) in self.shards.iter().enumerate() {
            if self.pending.has_copy(number) && !last {
                continue;
            }
            let (reply, answer) = crossbeam_channel::bounded(1);
            let asked = shard.send(Ask::Snapshot(reply)).is_ok();
            match answer.recv_timeout(COPY_MAX) {
                Ok(mut copied) => {
                    changed.append(&mut copied.commanded);
                    self.pending.copy(number, copied);
                }
                Err(error) => {
                    let why = match error {
                        RecvTimeoutError::Timeout if asked => "did not copy its state in time",
                        _ => "has ended and cannot copy its state",
                    };
                    let message = format!("a shard {why}; the state saved before stays");
                    self.chronicle.tell(Event::new("snapshot-failed", Severity::Error, message));
                }
            }
        }
        self.keep_commanded(changed);
    }

    /// Saves what was commanded last. It waits for no row: a command that came through did so whatever becomes of its row.
    /// What cannot be saved is tried again with the next copy.
    fn keep_commanded(&mut self, changed: Vec<((TwinIndex, BindingIndex), String)>) {
        let plant = &self.plant;
        let name = |(twin, index)| {
            let twin = crate::runtime::id_of(plant, twin).to_owned();
            Some((plant.binding(index)?.name.clone(), twin))
        };
        let named = changed.into_iter().filter_map(|(pair, document)| Some((name(pair)?, document)));
        self.commanded.extend(named);
        let all: Vec<Commanded> = std::mem::take(&mut self.commanded)
            .into_iter()
            .map(|((binding, twin), document)| Commanded { binding, twin, document })
            .collect();
        if let Err(error) = self.store.control().commanded_save(&all) {
            self.unsaved(&format!("what was commanded last: {error}"));
            self.commanded = all.into_iter().map(|one| ((one.binding, one.twin), one.document)).collect();
        }
    }

    fn keep_all(&mut self, states: Vec<(BindingIndex, cohorts::Saved)>) {
        let mut trouble = None;
        for (index, saved) in states {
            let Some(binding) = self.plant.binding(index) else { continue };
            match saved.state {
                Ok(snapshot) => {
                    let kept = self.keep((index, binding), (saved.incarnation, saved.standby), snapshot);
                    trouble = trouble.or(kept.err());
                }
                Err(reason) => {
                    let message = format!(
                        "state was not saved: {}: {reason}; the state saved before stays",
                        binding.name
                    );
                    self.chronicle.tell(Event::new("snapshot-failed", Severity::Error, message));
                }
            }
        }
        match trouble {
            Some(error) => self.unsaved(&error.to_string()),
            None => self.told = false,
        }
    }

    fn keep(
        &self,
        (index, binding): (BindingIndex, &Binding),
        (incarnation, standby): (u32, bool),
        snapshot: Snapshot,
    ) -> Result<(), StoreError> {
        if snapshot.schema == 0 {
            return Ok(());
        }
        let by = Generation {
            binding: if standby { keeper::standby(&binding.name) } else { binding.name.clone() },
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
        self.store.snapshots().save(&by, &states)?;
        if standby {
            return Ok(());
        }
        let (border, after) = (Border::Periodic, None);
        let checkpoints = self.checkpoints(AtBorder { binding: index, incarnation, border, snapshot, after });
        self.store.control().checkpoint_save(&checkpoints)
    }
}

/// The number of rows, which warm-up is counted by, stands before the plugin's own bytes.
fn with_rows(saved: &Saved) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + saved.bytes.len());
    bytes.extend_from_slice(&saved.rows.to_le_bytes());
    bytes.extend_from_slice(&saved.bytes);
    bytes
}
