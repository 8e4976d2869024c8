//! Carries out what the machines of rollouts order, and tells them what came of it. The machine (`geminus-rollout`)
//! decides and does nothing; this does and decides nothing. One rollout at a time for each binding.
//!
//! The books come first: a rollout is in `control.db` before its first order, each phase before its order is obeyed,
//! and a version is assigned there before the old one is dropped, so that a host that is killed at any point starts with
//! the one that was right and knows what it was doing.

mod begin;
mod books;
mod ledger;
mod pickup;
mod quiet;
mod raise;
mod run;
mod steady;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::Sender;
use geminus_api::Trouble;
use geminus_api::view as api;
use geminus_behavior::{ColdStart, Compiled};
use geminus_core::{Timestamp, TwinIndex};
use geminus_rollout::{Authoritative, Input, Order, Phase, Tally};
use geminus_twin::BindingIndex;

use super::cohorts::trial::{Standing, Wanted};
use super::compile::Effort;
use super::crumb;
use super::floor::Floor;
use super::manager::Heard;
use super::message::{Ask, Candidate};
pub(crate) use begin::meaning;
use raise::Wish;
pub(crate) use raise::alone;
pub(crate) use run::{Document, Run};
use steady::Steady;

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
    /// What machines are told the time by.
    clock: Steady,
    runs: BTreeMap<BindingIndex, Run>,
}

impl Conductor {
    pub(crate) fn new(floor: Arc<Floor>, back: Sender<Heard>) -> Self {
        let clock = Steady::new(Arc::clone(&floor.clock));
        Self { floor, back, clock, runs: BTreeMap::new() }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
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
        // What is known by now comes before a person's wish: a version that has just failed is not promoted.
        let moved = matches!(order, api::RolloutOrder::Promote) && self.moves_by_itself(index);
        if !moved {
            self.hear(index, input);
        }
        let document = self.floor.board.lock().rollouts.get(&id).cloned();
        let document =
            document.ok_or_else(|| Trouble::Internal(format!("rollout {id} is not on the board")))?;
        match document.machine.ending() {
            Some(ending) if moved && ending != Phase::Permanent => {
                let reason = document.machine.reason().unwrap_or_default();
                Err(Trouble::Conflict(format!("rollout {id} has ended: {ending}: {reason}")))
            }
            _ => Ok(document.view(id, true)),
        }
    }

    /// Looks once more; says whether that has ended the phase.
    fn moves_by_itself(&mut self, index: BindingIndex) -> bool {
        let phase = |conductor: &Self| conductor.runs.get(&index).map(Run::phase);
        let before = phase(self);
        if self.runs.get(&index).is_some_and(|run| run.stands) {
            self.examine(index);
        }
        phase(self) != before
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
        let now = self.now();
        let standings = match self.floor.ask_all(|reply| Ask::Standing(index, reply)) {
            Ok(standings) => standings.into_iter().flatten().collect::<Vec<_>>(),
            Err(reason) => return self.hear(index, Input::Failed(reason)),
        };
        if let Some(failure) = standings.iter().find_map(|standing| standing.failure.clone()) {
            return self.hear(index, Input::Failed(failure));
        }
        let Some(run) = self.runs.get_mut(&index) else { return };
        let plant = Arc::clone(&self.floor.plant);
        let name_of = |twin: TwinIndex| super::id_of(&plant, twin).to_owned();
        let waits = quiet::words(run.machine.plan(), run.phase(), &standings, &name_of);
        let rows_min = take_down(run, standings);
        let progress = run.progress(rows_min);
        if run.phase() == Phase::Raising {
            if progress.enrolled < progress.twins {
                return self.hear(index, Input::Tick);
            }
            self.told_cold(index, "start");
            return self.hear(index, Input::Raised);
        }
        let ripe = run.machine.is_ripe(&progress, now);
        let acceptance = &run.machine.plan().stages.acceptance;
        let verdict = run.tally.as_ref().map(|tally| tally.judge_when(acceptance, ripe, &name_of));
        run.record.evidence = run.tally.as_ref().map(|tally| tally.evidence(&name_of));
        run.record.verdict.clone_from(&verdict);
        let phase = run.phase();
        run.looked_at = Some(phase);
        let waits = (run.machine.waits() != waits.as_deref()).then_some(waits);
        if let Some(waits) = waits {
            self.hear(index, Input::Waits(waits));
        }
        // The verdict first: nothing goes on because of an older one that was better.
        if let Some(verdict) = verdict {
            self.hear(index, Input::Judged(&verdict));
        }
        // What was counted belongs to the phase before: the next one looks for itself.
        if self.runs.get(&index).is_some_and(|run| run.phase() == phase) {
            self.hear(index, Input::Progress(&progress));
        }
    }

    /// Lets the machine hear something and does what it orders, until it orders nothing more. Each phase is in the books
    /// before its order is obeyed.
    pub(super) fn hear(&mut self, index: BindingIndex, input: Input<'_>) {
        let now = self.now();
        let Some(run) = self.runs.get_mut(&index) else { return };
        let before = run.phase();
        let mut orders = run.machine.hear(input, now);
        let mut written = self.publish(index, before);
        while let Some(order) = orders.pop() {
            let answer = match written {
                Ok(()) => self.obey(index, order),
                // Nobody could tell later whether the ledger was written.
                Err(reason) if order == Order::Settle => Some(Input::Failed(reason)),
                Err(_) => self.obey(index, order),
            };
            let (Some(answer), Some(run)) = (answer, self.runs.get_mut(&index)) else { return };
            let before = run.phase();
            orders = run.machine.hear(answer, now);
            written = self.publish(index, before);
        }
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
        let parameters = Arc::clone(&run.parameters);
        let limit = Duration::from_secs(run.machine.plan().stages.compile_seconds_max);
        let floor = Arc::clone(&self.floor);
        let lost = |id, reason| Brought::Compiled(id, Err(reason));
        self.send_off(id, lost, move || {
            let number = || floor.number(index, &package.declaration.label(), package.digest, &parameters);
            let effort = Effort { limit, wanted: &wanted, clock: floor.clock.as_ref(), number: &number };
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
        let old = run.incumbent.as_ref().map_or(new, |incumbent| &incumbent.declaration);
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
            from: run
                .incumbent
                .as_ref()
                .map(|incumbent| (incumbent.declaration.label(), incumbent.digest.to_string())),
            twins: Arc::clone(&run.twins),
            version,
        };
        let (id, floor) = (run.id, Arc::clone(&self.floor));
        let lost = |id, reason| Brought::Raised(id, Err(reason));
        self.send_off(id, lost, move || Brought::Raised(id, raise::candidates(&floor, &wish)));
        None
    }

    /// Runs on a thread of its own what takes its time. What panics there fails its rollout, and this run of the host does
    /// not count as one that ended in order.
    fn send_off(
        &self,
        id: u64,
        lost: fn(u64, String) -> Brought,
        work: impl FnOnce() -> Brought + Send + 'static,
    ) {
        let (back, floor) = (self.back.clone(), Arc::clone(&self.floor));
        let run = move || {
            let brought = crumb::work(&floor.data, &format!("rollout-{id}"), work).unwrap_or_else(|_| {
                floor.broken.store(true, Relaxed);
                lost(id, "the host itself broke on it (a panic): its log says where".to_owned())
            });
            // The manager has ended: nobody needs it any more.
            drop(back.send(Heard::Brought(Box::new(brought))));
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
}

/// Sums up what the shards say; gives the rows of the twin that has fewest.
fn take_down(run: &mut Run, standings: Vec<Standing>) -> u64 {
    let rows_min = match quiet::counts(run.machine.plan(), run.phase()) {
        true => standings.iter().filter_map(|standing| standing.rows_fewest).min(),
        false => standings.iter().map(|standing| standing.rows_min).filter(|rows| *rows > 0).min(),
    };
    let rows_min = rows_min.unwrap_or(0);
    let sum = |count: fn(&Standing) -> usize| standings.iter().map(count).sum::<usize>() as u64;
    run.record.twins = api::RolloutTwins {
        all: run.twins.len() as u64,
        enrolled: sum(|standing| standing.enrolled),
        warm: sum(|standing| standing.warm),
        authoritative: sum(|standing| standing.authoritative),
        rows_min,
    };
    run.idle = sum(|standing| standing.idle);
    run.cold = standings.iter().map(|standing| standing.cold).sum();
    let mut tallies = standings.into_iter().map(|standing| standing.tally);
    run.tally = tallies.next().map(|mut first| {
        tallies.for_each(|other| first.merge(&other));
        first
    });
    rows_min
}
