//! Carries out what the machines of rollouts order, and tells them what came of it. The machine (`geminus-rollout`)
//! decides and does nothing; this does and decides nothing. One rollout at a time for each binding.
//!
//! The ledger comes first: a rollout is in `control.db` before its first order, and a version is assigned there before
//! the old one is dropped, so that a host that is killed at any point starts with the one that was right.

mod begin;
mod raise;
mod run;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::Sender;
use geminus_api::Trouble;
use geminus_api::view as api;
use geminus_behavior::{ColdStart, Compiled};
use geminus_core::{Event, Severity, TwinIndex};
use geminus_rollout::{Authoritative, Input, Order, Phase, Tally};
use geminus_store::Snapshots;
use geminus_twin::BindingIndex;

use super::cohorts::trial::{Standing, Wanted};
use super::compile::Effort;
use super::floor::Floor;
use super::manager::Heard;
use super::message::{Ask, Candidate};
use super::plugins::Active;
pub(crate) use begin::meaning;
use raise::Wish;
pub(crate) use raise::alone;
pub(crate) use run::{Document, Run};

/// How often shards are asked how far a trial is.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Rollouts that ended, of which a copy is kept at hand.
const ENDED_MAX: usize = api::ROLLOUTS_MAX;

/// What a worker brings back.
pub(crate) enum Brought {
    Compiled(u64, Result<Arc<Compiled>, String>),
    Raised(u64, Result<Vec<(usize, Candidate)>, String>),
}

/// All rollouts under way.
pub(crate) struct Conductor {
    pub(super) floor: Arc<Floor>,
    pub(super) back: Sender<Heard>,
    runs: BTreeMap<BindingIndex, Run>,
}

impl Conductor {
    pub(crate) fn new(floor: Arc<Floor>, back: Sender<Heard>) -> Self {
        Self { floor, back, runs: BTreeMap::new() }
    }

    /// Ends what the last process left unfinished: the incumbent runs, or the candidate if it had been assigned. Gives
    /// behavior and digest of those that a file had begun.
    pub(crate) fn pick_up(&self) -> Vec<(String, String)> {
        let mut interrupted = Vec::new();
        let open = self.floor.control.rollouts_open().unwrap_or_else(|error| {
            self.trouble("rollouts of the last run cannot be read", &error.to_string());
            Vec::new()
        });
        for record in open {
            let Ok(mut document) = serde_json::from_str::<Document>(&record.document) else {
                self.trouble("a rollout of the last run cannot be read", &format!("number {}", record.id));
                self.save_words(record.id, "failed", &record.document);
                continue;
            };
            let now = self.floor.clock.now();
            let assigned = self.is_assigned(&document.record.binding, &record.to.digest);
            let input = match document.machine.phase() == Phase::Settling && assigned {
                true => Input::Settled,
                false => Input::HostStarted,
            };
            document.machine.hear(input, now);
            document.record.ended = Some(now);
            document.record.interrupted = true;
            self.save(record.id, &document);
            self.told(record.id, &document);
            if record.automatic {
                interrupted.push((record.binding, record.to.digest));
            }
        }
        let ended = self.floor.control.rollouts(ENDED_MAX).unwrap_or_default();
        let mut board = self.floor.board.lock();
        for record in ended {
            if let Ok(document) = serde_json::from_str(&record.document) {
                board.rollouts.insert(record.id, document);
            }
        }
        interrupted
    }

    fn is_assigned(&self, binding: &str, digest: &str) -> bool {
        let assigned = self.floor.control.assignments().unwrap_or_default();
        assigned.iter().any(|known| known.binding == binding && known.digest == digest)
    }

    /// Whether a rollout is under way for a binding.
    pub(crate) fn is_busy(&self, index: BindingIndex) -> bool {
        self.runs.contains_key(&index)
    }

    /// A newer version of a plugin arrived: what is under way gives way to it.
    pub(crate) fn supersede(&mut self, index: BindingIndex) {
        self.hear(index, Input::Superseded);
    }

    /// A person's order.
    ///
    /// # Errors
    /// `NotFound`, or `Conflict` with the reason why it does not fit.
    pub(crate) fn order(
        &mut self,
        id: u64,
        order: api::RolloutOrder,
        by: String,
    ) -> Result<api::RolloutView, Trouble> {
        let Some(index) = self.runs.values().find(|run| run.id == id).map(|run| run.index) else {
            let known = self.floor.board.lock().rollouts.get(&id).cloned();
            return Err(match known {
                Some(document) => {
                    Trouble::Conflict(format!("rollout {id} has ended: {}", document.machine.phase()))
                }
                None => Trouble::NotFound(format!("there is no rollout {id}")),
            });
        };
        let input = match order {
            api::RolloutOrder::Promote => Input::Promote { by },
            api::RolloutOrder::Cancel => Input::Cancel { by },
            api::RolloutOrder::Rollback => Input::Rollback { by },
        };
        if let Some(objection) = self.runs.get(&index).and_then(|run| run.machine.objection(&input)) {
            return Err(Trouble::Conflict(format!("rollout {id}: {objection}")));
        }
        self.hear(index, input);
        let document = self.floor.board.lock().rollouts.get(&id).cloned();
        document
            .map(|document| document.view(id, true))
            .ok_or_else(|| Trouble::Internal(format!("rollout {id} is not on the board")))
    }

    /// A worker is back.
    pub(crate) fn brought(&mut self, brought: Brought) {
        match brought {
            Brought::Compiled(id, result) => {
                let Some(run) = self.runs.values_mut().find(|run| run.id == id) else { return };
                let index = run.index;
                let version = result
                    .and_then(|compiled| self.floor.version(index, compiled, Arc::clone(&run.parameters)));
                match version {
                    Ok(version) => {
                        run.version = Some(version);
                        self.hear(index, Input::Compiled);
                    }
                    Err(reason) => self.hear(index, Input::Failed(reason)),
                }
            }
            Brought::Raised(id, result) => {
                let Some(run) = self.runs.values_mut().find(|run| run.id == id) else { return };
                let index = run.index;
                match result {
                    Ok(candidates) if run.phase() == Phase::Raising => {
                        run.stands = true;
                        if let Err(reason) = self.stand(index, candidates) {
                            self.hear(index, Input::Failed(reason));
                        }
                    }
                    // It was given up meanwhile.
                    Ok(candidates) => {
                        let berths = candidates.into_iter().flat_map(|(_, candidate)| candidate.berths);
                        self.floor.drop_apart(berths.collect());
                    }
                    Err(reason) => self.hear(index, Input::Failed(reason)),
                }
            }
        }
    }

    /// Puts candidates beside the incumbents.
    fn stand(&self, index: BindingIndex, candidates: Vec<(usize, Candidate)>) -> Result<(), String> {
        for (shard, candidate) in candidates {
            self.floor.ask(shard, |reply| Ask::Begin(index, Box::new(candidate), reply))??;
        }
        Ok(())
    }

    /// Looks how far everything is. Called every [`LOOK_EVERY`].
    pub(crate) fn look(&mut self) {
        let busy: Vec<BindingIndex> = self.runs.keys().copied().collect();
        for index in busy {
            match self.runs.get(&index).is_some_and(|run| run.stands) {
                true => self.examine(index),
                false => self.hear(index, Input::Tick),
            }
        }
    }

    fn examine(&mut self, index: BindingIndex) {
        let standings = match self.floor.ask_all(|reply| Ask::Standing(index, reply)) {
            Ok(standings) => standings.into_iter().flatten().collect::<Vec<_>>(),
            Err(reason) => return self.hear(index, Input::Failed(reason)),
        };
        if let Some(failure) = standings.iter().find_map(|standing| standing.failure.clone()) {
            return self.hear(index, Input::Failed(failure));
        }
        let Some(run) = self.runs.get_mut(&index) else { return };
        let rows_min = take_down(run, standings);
        let progress = run.progress(rows_min);
        if run.phase() == Phase::Raising {
            let done = progress.enrolled >= progress.twins;
            return self.hear(index, if done { Input::Raised } else { Input::Tick });
        }
        let acceptance = &run.machine.plan().stages.acceptance;
        let plant = Arc::clone(&self.floor.plant);
        let name_of = |twin: TwinIndex| super::id_of(&plant, twin).to_owned();
        let verdict = run.tally.as_ref().map(|tally| tally.judge(acceptance));
        run.record.evidence = run.tally.as_ref().map(|tally| tally.evidence(&name_of));
        run.record.verdict.clone_from(&verdict);
        let phase = run.phase();
        self.hear(index, Input::Progress(&progress));
        // Evidence was gathered in the phase before: the next one looks for itself.
        let same = self.runs.get(&index).is_some_and(|run| run.phase() == phase);
        if let Some(verdict) = verdict.filter(|_| same) {
            self.hear(index, Input::Judged(&verdict));
        }
    }

    /// Lets the machine hear something and does what it orders, until it orders nothing more.
    pub(super) fn hear(&mut self, index: BindingIndex, input: Input<'_>) {
        let now = self.floor.clock.now();
        let Some(run) = self.runs.get_mut(&index) else { return };
        let before = run.phase();
        let mut orders = run.machine.hear(input, now);
        loop {
            let mut next = Vec::new();
            for order in orders {
                let Some(answer) = self.obey(index, order) else { continue };
                let Some(run) = self.runs.get_mut(&index) else { return };
                next.extend(run.machine.hear(answer, now));
            }
            if next.is_empty() {
                break;
            }
            orders = next;
        }
        self.publish(index, before);
    }

    /// Carries an order out; gives the answer when it is there at once.
    fn obey(&mut self, index: BindingIndex, order: Order) -> Option<Input<'static>> {
        match order {
            Order::Verify => Some(match self.verify(index) {
                Ok(()) => Input::Verified,
                Err(reason) => Input::Failed(reason),
            }),
            Order::Compile => {
                self.compile(index);
                None
            }
            Order::Raise => self.raise(index),
            Order::Conduct(whom) => self.conduct(index, whom).err().map(Input::Failed),
            Order::Settle => Some(match self.settle(index) {
                Ok(()) => Input::Settled,
                Err(reason) => Input::Failed(reason),
            }),
            Order::Withdraw => Some(match self.withdraw(index) {
                Ok(()) => Input::Withdrawn,
                Err(reason) => Input::Failed(reason),
            }),
        }
    }

    fn compile(&mut self, index: BindingIndex) {
        let Some(run) = self.runs.get(&index) else { return };
        let (id, package, wanted) = (run.id, run.package.clone(), Arc::clone(&run.wanted));
        let limit = Duration::from_secs(run.machine.plan().stages.compile_seconds_max);
        let floor = Arc::clone(&self.floor);
        self.send_off(move || {
            let effort = Effort { limit, wanted: &wanted, clock: floor.clock.as_ref() };
            let compiled = super::compile::apart(&floor.engine, &package, &floor.cache, &effort);
            Brought::Compiled(id, compiled)
        });
    }

    fn raise(&mut self, index: BindingIndex) -> Option<Input<'static>> {
        let run = self.runs.get(&index)?;
        let Some(version) = run.version.clone() else {
            return Some(Input::Failed("nothing was compiled".to_owned()));
        };
        let stages = &run.machine.plan().stages;
        let new = version.compiled.declaration();
        let old = run.incumbent.as_ref().map_or(new, |incumbent| incumbent.compiled.declaration());
        let binding = self.floor.binding(index)?;
        let wish = Wish {
            rollout: run.id,
            index,
            tally: Tally::between(old, new, &stages.acceptance),
            bumpless: stages.bumpless.clone(),
            cold: match stages.cold_start || binding.allow_cold_start {
                true => ColdStart::Allow,
                false => ColdStart::Refuse,
            },
            incumbent: run.incumbent.clone(),
            twins: Arc::clone(&run.twins),
            version,
        };
        let (id, floor) = (run.id, Arc::clone(&self.floor));
        self.send_off(move || Brought::Raised(id, raise::candidates(&floor, &wish)));
        None
    }

    /// Runs on a thread of its own what takes its time.
    fn send_off(&self, work: impl FnOnce() -> Brought + Send + 'static) {
        let back = self.back.clone();
        let run = move || {
            // The manager has ended: nobody needs it any more.
            drop(back.send(Heard::Brought(Box::new(work()))));
        };
        if let Err(error) = std::thread::Builder::new().name("rollout".to_owned()).spawn(run) {
            self.trouble("a rollout has no thread to work on", &error.to_string());
        }
    }

    fn conduct(&self, index: BindingIndex, whom: Authoritative) -> Result<(), String> {
        let run = self.runs.get(&index).ok_or("there is no such rollout")?;
        let wanted = match whom {
            Authoritative::Nobody => Wanted::Nobody,
            Authoritative::Canary => Wanted::Some(Arc::clone(&run.canary)),
            Authoritative::All => Wanted::All,
        };
        let phase = run.phase();
        self.floor.ask_all(|reply| Ask::Conduct(index, wanted.clone(), phase, reply)).map(drop)
    }

    /// The ledger first: from the moment it is written, a start of the host takes the new version.
    fn settle(&mut self, index: BindingIndex) -> Result<(), String> {
        let run = self.runs.get(&index).ok_or("there is no such rollout")?;
        let version = run.version.clone().ok_or("nothing was compiled")?;
        let (binding, digest) = (run.record.binding.clone(), run.package.digest.to_string());
        let (control, plant) = (&self.floor.control, &self.floor.plant);
        let stay = if run.whole { self.who_stays(index) } else { Vec::new() };
        let before = run.incumbent.as_ref().map(|incumbent| incumbent.compiled.digest());
        let written = match run.whole {
            true => self
                .with_their_own(index, &run.twins)
                .iter()
                .try_for_each(|id| control.unassign(&binding, Some(id)).map(drop))
                .and_then(|()| match before {
                    Some(before) => control.assign_all(&binding, &ids(plant, &stay), &before.to_string()),
                    None => Ok(()),
                })
                .and_then(|()| control.assign(&binding, None, &digest)),
            false => {
                let twins: Vec<TwinIndex> = run.twins.iter().copied().collect();
                control.assign_all(&binding, &ids(plant, &twins), &digest)
            }
        };
        // Whoever was left out because the host crashed in it has now run through a whole rollout.
        let written = written.and_then(|()| self.floor.control.forgive_crash(&digest).map(drop));
        written.map_err(|error| format!("the new version cannot be assigned: {error}"))?;
        let (whole, run_twins) = (run.whole, Arc::clone(&run.twins));
        let left = self.floor.ask_all(|reply| Ask::Settle(index, reply))?;
        self.floor.drop_apart(left.into_iter().flatten().collect());
        if let Some(run) = self.runs.get_mut(&index) {
            run.stands = false;
        }
        let mut board = self.floor.board.lock();
        if let Some(before) = before {
            board.pinned.extend(stay.iter().map(|twin| ((index, *twin), before)));
        }
        for twin in run_twins.iter() {
            match whole {
                true => board.pinned.remove(&(index, *twin)),
                false => board.pinned.insert((index, *twin), version.compiled.digest()),
            };
            board.strikes.remove(&(index, *twin));
        }
        if let Some(place) = board.active.get_mut(index.0 as usize).filter(|_| whole) {
            *place = Some(Active { version, since: self.floor.clock.now() });
        }
        Ok(())
    }

    /// Twins of a behavior that a rollout of the whole behavior is not for, because of their pins, and that have run
    /// what all run so far.
    fn who_stays(&self, index: BindingIndex) -> Vec<TwinIndex> {
        let (Some(binding), Some(run)) = (self.floor.binding(index), self.runs.get(&index)) else {
            return Vec::new();
        };
        let board = self.floor.board.lock();
        let others = binding.twins.iter().filter(|twin| !run.twins.contains(twin));
        others.filter(|twin| !board.pinned.contains_key(&(index, **twin))).copied().collect()
    }

    /// Ids of those twins that have a version of their own so far: few, for each costs a commit.
    fn with_their_own(&self, index: BindingIndex, twins: &HashSet<TwinIndex>) -> Vec<String> {
        let board = self.floor.board.lock();
        let own = board.pinned.keys().filter(|(of, twin)| *of == index && twins.contains(twin));
        own.map(|(_, twin)| super::id_of(&self.floor.plant, *twin).to_owned()).collect()
    }

    fn withdraw(&mut self, index: BindingIndex) -> Result<(), String> {
        let stands = self.runs.get_mut(&index).is_some_and(|run| {
            let twins = &mut run.record.twins;
            (twins.enrolled, twins.warm, twins.authoritative) = (0, 0, 0);
            std::mem::take(&mut run.stands)
        });
        if !stands {
            return Ok(());
        }
        let left = self.floor.ask_all(|reply| Ask::Withdraw(index, reply))?;
        self.floor.drop_apart(left.into_iter().flatten().collect());
        Ok(())
    }

    /// Puts on the board and into the books how it stands, and ends it when it has ended.
    fn publish(&mut self, index: BindingIndex, before: Phase) {
        let Some(run) = self.runs.get_mut(&index) else { return };
        let (id, phase) = (run.id, run.phase());
        if phase.is_end() && run.record.ended.is_none() {
            run.record.ended = Some(self.floor.clock.now());
        }
        let document = run.document();
        let event = document.event(id);
        let known = self.floor.board.lock().rollouts.insert(id, document.clone());
        if known.is_none_or(|known| known.event(id) != event) {
            self.floor.bus.publish_rollout(&event);
        }
        if phase == before {
            return;
        }
        self.save(id, &document);
        self.told(id, &document);
        if phase.is_end() {
            self.end(index);
        }
    }

    fn end(&mut self, index: BindingIndex) {
        let Some(run) = self.runs.remove(&index) else { return };
        run.wanted.store(false, Relaxed);
        let (phase, document) = (run.phase(), run.document());
        let reason = document.machine.reason().unwrap_or_default().to_owned();
        let outcome = match phase {
            Phase::Permanent => "activated".to_owned(),
            Phase::RolledBack if reason.starts_with("rolled back") => reason.clone(),
            Phase::RolledBack => format!("rolled back: {reason}"),
            Phase::Cancelled if reason.starts_with("cancelled") => reason.clone(),
            Phase::Cancelled => format!("cancelled: {reason}"),
            _ => format!("refused: {reason}"),
        };
        let declaration = &run.package.declaration;
        let version = declaration.version.to_string();
        let package = (declaration.name.as_str(), version.as_str(), run.package.digest);
        self.floor.remember(package, &run.record.binding, run.twins.len(), Some(run.id), outcome);
        if run.cold > 0 && phase == Phase::Permanent {
            let message = format!(
                "{} twins of {} started cold with {}: no state of theirs could be carried",
                run.cold,
                run.record.binding,
                declaration.label()
            );
            let event = Event::new("cold-start", Severity::Warning, message).plugin(declaration.label());
            self.floor.chronicle.tell(event);
        }
        let mut board = self.floor.board.lock();
        *board.ended.entry(phase).or_default() += 1;
        match phase {
            Phase::Permanent => board.swaps_done += 1,
            Phase::Cancelled => {}
            _ => {
                board.swaps_refused += 1;
                board.failed.insert((run.record.binding.clone(), run.package.digest));
            }
        }
        board.forget_old_rollouts(ENDED_MAX);
        drop(board);
        if matches!(phase, Phase::RolledBack | Phase::Failed) {
            self.floor.board.refuse(&run.package.path, reason, self.floor.clock.now());
        }
        if let Err(error) =
            Snapshots::forget(&self.floor.snapshots, &super::keeper::standby(&run.record.binding))
        {
            tracing::debug!(%error, "state of the side that is gone was not forgotten");
        }
        // A worker may still be under way; what it brings finds nobody.
        drop(self.back.send(Heard::Review(index)));
    }

    /// Says in the journal where it stands.
    fn told(&self, id: u64, document: &Document) {
        let (machine, record) = (&document.machine, &document.record);
        let phase = machine.phase();
        let from = record.from.as_ref().map_or("nothing", |from| from.version.as_str());
        let reason = machine.history().last().map(|step| step.reason.clone()).unwrap_or_default();
        let (plugin, to) = (&record.plugin, &record.to.version);
        let what = format!("rollout {id} of {} ({plugin} {from} → {to})", record.binding);
        let (kind, severity, message) = match phase {
            Phase::Permanent => (
                "swap-done",
                Severity::Info,
                format!("{what} is permanent: {} twins, {reason}", record.twins.all),
            ),
            Phase::RolledBack => {
                ("rollout-rolled-back", Severity::Error, format!("{what} was rolled back: {reason}"))
            }
            Phase::Failed => (
                "swap-refused",
                Severity::Error,
                format!("{what} failed: {reason}; {} goes on", incumbent_of(record)),
            ),
            Phase::Cancelled => {
                ("rollout-cancelled", Severity::Warning, format!("{what} was cancelled: {reason}"))
            }
            _ => ("rollout-phase", Severity::Info, format!("{what} is {phase}: {reason}")),
        };
        let facts = serde_json::json!({
            "rollout": id, "binding": record.binding, "phase": phase.name(), "from": from, "to": to,
            "digest": record.to.digest, "twins": record.twins.all, "reason": reason, "by": record.by,
        });
        let label = format!("{plugin}@{to}");
        self.floor.chronicle.tell(Event::new(kind, severity, message).plugin(label).facts(facts));
    }

    fn save(&self, id: u64, document: &Document) {
        let mut lean = document.clone();
        let evidence = lean.record.evidence.take();
        let text = serde_json::to_string(&lean).unwrap_or_default();
        let saved = self
            .floor
            .control
            .rollout_save(id, lean.machine.phase().name(), &text, lean.record.ended)
            .and_then(|()| {
                match evidence.map(|evidence| serde_json::to_string(&evidence).unwrap_or_default()) {
                    Some(evidence) => self.floor.control.rollout_evidence(id, &evidence),
                    None => Ok(()),
                }
            });
        if let Err(error) = saved {
            self.trouble("a rollout could not be written down", &error.to_string());
        }
    }

    fn save_words(&self, id: u64, phase: &str, document: &str) {
        let now = self.floor.clock.now();
        if let Err(error) = self.floor.control.rollout_save(id, phase, document, Some(now)) {
            self.trouble("a rollout could not be ended", &error.to_string());
        }
    }

    fn trouble(&self, what: &str, why: &str) {
        self.floor.chronicle.tell(Event::new("rollout-trouble", Severity::Error, format!("{what}: {why}")));
    }
}

fn ids<'p>(plant: &'p geminus_twin::Plant, twins: &[TwinIndex]) -> Vec<Option<&'p str>> {
    twins.iter().map(|twin| Some(super::id_of(plant, *twin))).collect()
}

/// What goes on when a rollout does not.
fn incumbent_of(record: &run::Record) -> String {
    record.from.as_ref().map_or("nothing".to_owned(), |from| format!("{}@{}", record.plugin, from.version))
}

/// Sums up what the shards say; gives the rows of the twin that has fewest.
fn take_down(run: &mut Run, standings: Vec<Standing>) -> u64 {
    let rows_min =
        standings.iter().map(|standing| standing.rows_min).filter(|rows| *rows > 0).min().unwrap_or(0);
    let sum = |count: fn(&Standing) -> usize| standings.iter().map(count).sum::<usize>() as u64;
    run.record.twins = api::RolloutTwins {
        all: run.twins.len() as u64,
        enrolled: sum(|standing| standing.enrolled),
        warm: sum(|standing| standing.warm),
        authoritative: sum(|standing| standing.authoritative),
        rows_min,
    };
    run.cold = standings.iter().map(|standing| standing.cold).sum();
    let mut tallies = standings.into_iter().map(|standing| standing.tally);
    run.tally = tallies.next().map(|mut first| {
        tallies.for_each(|other| first.merge(&other));
        first
    });
    rows_min
}
