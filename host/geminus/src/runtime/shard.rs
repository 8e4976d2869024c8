//! One shard's thread: the only writer of its twins and the only caller of their behaviors.
//!
//! It drains what has arrived, closes rows, runs frames through their instances, applies the outcomes, and hands
//! everything to the store in one piece. Between two such rounds it answers questions and carries out swaps, so
//! that a swap always falls between two rows. When the store is behind, samples stay on the lane until it has caught
//! up, so that the source is slowed down rather than history thinned out; a store that cannot write holds nobody up.

mod answers;
mod faults;
mod rows;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, select_biased};
use geminus_api::EventBus;
use geminus_behavior::{HostCalls, Snapshot};
use geminus_command::Proposer;
use geminus_core::{Batch, Clock, Event, Sample, Ticket, TwinIndex};
use geminus_store::{Border, Recorder, Store};
use geminus_twin::BindingIndex;
use geminus_twin::plant::Plant;
use geminus_twin::shard::{Moment, Shard};

use super::alarms::watch::Watch as AlarmWatch;
use super::chronicle::Chronicle;
use super::cohorts::Cohorts;
use super::cohorts::side::{Berth, Watch};
use super::cohorts::trial::{Moved, Trial};
use super::commanded::EarlierCommands;
use super::commands::watch::Watch as CommandWatch;
use super::crumb::{self, Crumb};
use super::floods::Floods;
use super::keeper::AtBorder;
use super::lane::Exit;
use super::live::Live;
use super::manager;
use super::message::{Ask, Candidate, Copied};
use super::meters::ShardMeters;
use super::opcua_server::Exhibit;
use super::plugins::Board;
use super::press::Press;
use super::proposals::{Court, Hearing};
use super::quarantine::Earlier;
use super::reopen;
use super::substitutes::Substitutes;
use super::swaps::Swaps;

/// Samples taken in one round: bounds how long a question waits.
const ROUND_SAMPLES_MAX: usize = 8_192;
/// How often rows that wait too long are closed.
const ROUND_EVERY: Duration = Duration::from_millis(20);
/// Points that wait for a commit before a shard leaves samples on its lane: two of the store's blocks.
const UNCOMMITTED_POINTS_MAX: u64 = 131_072;
/// How long a shard rests when the store is that far behind.
const REST: Duration = Duration::from_millis(1);
/// How often staleness is judged and pages are served.
const TICK_EVERY: Duration = Duration::from_millis(100);
/// How often twins are counted by state, and from how many twins on five times more rarely.
const TOTALS_EVERY: Duration = Duration::from_secs(1);
const LARGE_FLEET: usize = 10_000;

/// What a shard needs from the house.
pub(crate) struct ShardParts {
    pub(crate) number: usize,
    pub(crate) plant: Arc<Plant>,
    pub(crate) shard: Shard,
    pub(crate) cohorts: Cohorts,
    pub(crate) exit: Exit,
    pub(crate) asks: Receiver<Ask>,
    pub(crate) recorder: Recorder,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) bus: Arc<EventBus>,
    pub(crate) chronicle: Chronicle,
    pub(crate) board: Board,
    pub(crate) host: Arc<dyn HostCalls>,
    pub(crate) meters: Arc<ShardMeters>,
    pub(crate) crumb: Arc<Crumb>,
    /// To the manager. Never waited for.
    pub(crate) notes: crossbeam_channel::Sender<manager::Heard>,
    /// To the keeper.
    pub(crate) borders: crossbeam_channel::Sender<AtBorder>,
    pub(crate) alarms: AlarmWatch,
    /// Where results are published.
    pub(crate) press: Arc<Press>,
    pub(crate) exhibit: Arc<Exhibit>,
    pub(crate) commands: CommandWatch,
}

/// A running shard.
pub(crate) struct ShardRunner {
    parts: ShardParts,
    live: Live,
    court: Court,
    frame_rows_max: usize,
    /// Samples of this round, measured and computed, for the store.
    samples: Vec<Sample>,
    tickets: Vec<Ticket>,
    events: Vec<Event>,
    swaps: Swaps,
    /// What the trial of a binding changes, for marks.
    trials: HashMap<BindingIndex, (u64, String)>,
    substitutes: Substitutes,
    /// Last fault of a behavior of a twin, and when it was told.
    faults: HashMap<(BindingIndex, TwinIndex), (String, Duration)>,
    floods: Floods,
    next_tick: Duration,
    next_totals: Duration,
}

impl ShardRunner {
    pub(crate) fn new(mut parts: ShardParts) -> Self {
        let outlets = (Arc::clone(&parts.press), Arc::clone(&parts.exhibit));
        let live = Live::new(&parts.plant, outlets, &mut parts.shard, Arc::clone(&parts.bus));
        let court = Court::new(Arc::clone(&parts.plant), parts.chronicle.clone());
        Self {
            live,
            court,
            frame_rows_max: parts.plant.limits.frame_rows_max as usize,
            samples: Vec::new(),
            tickets: Vec::new(),
            events: Vec::new(),
            swaps: Swaps::default(),
            trials: HashMap::new(),
            substitutes: Substitutes::default(),
            faults: HashMap::new(),
            floods: Floods::default(),
            next_tick: Duration::ZERO,
            next_totals: Duration::ZERO,
            parts,
        }
    }

    /// Holds a twin apart before the first row, as an earlier run did for this reason; its outputs read as they did then.
    pub(crate) fn hold_apart(
        &mut self,
        index: BindingIndex,
        twin: TwinIndex,
        reason: String,
        earlier: Option<Earlier>,
    ) {
        if !self.parts.cohorts.hold(index, twin) {
            return;
        }
        self.faults.insert((index, twin), (reason, self.parts.clock.monotonic()));
        if let (Some(earlier), Some(binding)) = (earlier, self.parts.plant.binding(index)) {
            let Earlier { last, at, since } = earlier;
            let shown = self.substitutes.go_on(&binding.substitute, (index, twin), &last, since);
            let now = Moment::of(self.parts.clock.as_ref());
            self.parts.shard.recall(twin, index, (&shown.values, &shown.quality), at, now);
        }
    }

    /// Goes on with the rows that stood open when the run before was killed.
    pub(crate) fn reopen_rows(&mut self, store: &Store) {
        reopen::shard(&mut self.parts, store);
    }

    /// Goes on from what was commanded last in an earlier run.
    pub(crate) fn resume_commands(&mut self, earlier: &EarlierCommands) {
        let here: HashSet<TwinIndex> = self.parts.shard.twins().collect();
        for ((twin, index), document) in earlier.of_twins(|twin| here.contains(&twin)) {
            let Some(binding) = self.parts.plant.binding(index) else { continue };
            let berth = self.parts.cohorts.berth(index, twin).filter(|_| earlier.is_whole());
            let same = berth.map(|berth| berth.incarnation);
            let rule = &binding.stages.bumpless;
            if let Err(error) = self.court.courses().resume((twin, index), document, same, rule) {
                let id = super::id_of(&self.parts.plant, twin);
                tracing::warn!(%error, twin = id, "what was commanded last cannot be read");
            }
        }
    }

    /// Runs until [`Ask::Stop`].
    pub(crate) fn run(mut self) {
        let _carried = crumb::carry(Arc::clone(&self.parts.crumb));
        loop {
            match self.wait() {
                Heard::Stop => break self.finish(),
                Heard::Ask(ask) => self.answer(ask),
                Heard::Batch(batch) => self.drain(batch),
                Heard::Nothing => {}
            }
            self.round();
        }
    }

    fn wait(&self) -> Heard {
        let (asks, batches) = (&self.parts.asks, &self.parts.exit.batches);
        if self.is_store_behind() {
            return match asks.recv_timeout(REST) {
                Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => Heard::Stop,
                Ok(ask) => Heard::Ask(ask),
                Err(RecvTimeoutError::Timeout) => Heard::Nothing,
            };
        }
        select_biased! {
            recv(asks) -> ask => match ask {
                Ok(Ask::Stop) | Err(_) => Heard::Stop,
                Ok(ask) => Heard::Ask(ask),
            },
            recv(batches) -> batch => batch.map_or(Heard::Stop, Heard::Batch),
            default(self.patience()) => Heard::Nothing,
        }
    }

    /// How long to wait for something to do. A trial that moves twins does it between rounds, so it wants many.
    fn patience(&self) -> Duration {
        if self.parts.cohorts.is_moving() { Duration::ZERO } else { ROUND_EVERY }
    }

    /// Whether taking more would only make the queue to the store longer. While nothing can be written, twins stay live
    /// and the store counts what it drops.
    fn is_store_behind(&self) -> bool {
        let recorder = &self.parts.recorder;
        recorder.waiting() > UNCOMMITTED_POINTS_MAX && recorder.writable()
    }

    /// Takes a batch and what stands behind it, up to the size of a round.
    fn drain(&mut self, first: Batch) {
        let mut next = Some(first);
        while let Some(batch) = next.take() {
            self.parts.exit.taken(batch.samples.len());
            self.tickets.extend(batch.ticket);
            match self.samples.is_empty() {
                true => self.samples = batch.samples,
                false => self.samples.extend_from_slice(&batch.samples),
            }
            if self.samples.len() < ROUND_SAMPLES_MAX {
                next = self.parts.exit.batches.try_recv().ok();
            }
        }
    }

    /// One round: samples in, rows through the behaviors, everything to the store.
    fn round(&mut self) {
        let now = Moment::of(self.parts.clock.as_ref());
        let monotonic = Duration::from_nanos(now.monotonic);
        self.parts.meters.beat(monotonic);
        if !self.samples.is_empty() {
            self.parts.shard.take(&mut self.samples, now);
        }
        self.parts.shard.close_due(now);
        self.step(now);
        self.parts.alarms.samples(&self.samples, now);
        self.parts.alarms.pass_on();
        self.parts.commands.samples(&self.samples);
        self.parts.commands.pass_on();
        if !self.samples.is_empty() || !self.tickets.is_empty() {
            self.parts.recorder.record(std::mem::take(&mut self.samples), std::mem::take(&mut self.tickets));
        }
        // After it, so that the mark of a state at a border stands behind the rows that the state has seen.
        self.advance();
        if monotonic >= self.next_tick {
            self.next_tick = monotonic + TICK_EVERY;
            self.tick(now);
        }
    }

    /// Runs every row that is ready.
    fn step(&mut self, now: Moment) {
        let plant = Arc::clone(&self.parts.plant);
        let clock = Arc::clone(&self.parts.clock);
        while let Some((index, frame)) = self.parts.shard.next_frame(self.frame_rows_max) {
            let Some(binding) = plant.binding(index) else { continue };
            let watch =
                Watch { clock: clock.as_ref(), crumb: &self.parts.crumb, deadline: deadline(binding) };
            let begun = clock.monotonic();
            let answer = self.parts.cohorts.step(index, binding.declaration.outputs.len(), &frame, &watch);
            self.parts.shard.took(index, frame.rows(), clock.monotonic().saturating_sub(begun));
            let mut stepped = answer.stepped;
            for fault in std::mem::take(&mut stepped.faults) {
                self.fault(index, &fault, now);
            }
            for fault in &answer.silent {
                self.silent_fault(index, fault);
            }
            for flooded in std::mem::take(&mut stepped.floods) {
                self.flood(index, &flooded, now);
            }
            let (shard, samples) = (&self.parts.shard, &mut self.samples);
            rows::record(&plant, index, &frame, &stepped, now, samples);
            let before = |twin| shard.outputs(twin, index);
            self.substitutes.stand_in(&binding.substitute, index, &frame, &mut stepped, before);
            let cohorts = &self.parts.cohorts;
            let by = |row: usize| Some((*frame.twins.get(row)?, *stepped.by.get(row)?));
            let heard = |row: usize| {
                by(row).and_then(|(twin, by)| cohorts.declared(index, twin, by)).map(|words| &**words)
            };
            let hearing = Hearing { index, frame: &frame, shard, now, declared: &heard, by: &stepped.by };
            let refused = self.court.hear(&hearing, &stepped.outcome.proposals);
            for (index, mut wish) in self.court.take_wishes() {
                let (Some(berth), Proposer::Behavior { digest, .. }) =
                    (cohorts.berth(index, wish.twin), &mut wish.proposer)
                else {
                    continue;
                };
                *digest = berth.cohort.compiled().digest().to_string();
                self.parts.commands.wish(wish);
            }
            for (twin, index) in self.court.take_cut() {
                if let Some(berth) = cohorts.berth(index, twin) {
                    berth.account.limited.fetch_add(1, Relaxed);
                }
            }
            if cohorts.trial(index).is_some() {
                let unheard =
                    |row: usize| by(row).and_then(|(twin, by)| cohorts.declared_aside(index, twin, by));
                let hearing = Hearing { declared: &unheard, ..hearing };
                let aside = self.court.would_refuse(&hearing, &answer.aside.proposals);
                self.parts.cohorts.refused_proposals(index, &answer.aside.compared, &refused, &aside);
            }
            let cohorts = &self.parts.cohorts;
            let words =
                |row: usize| by(row).and_then(|(twin, by)| cohorts.declared(index, twin, by)).cloned();
            self.parts.alarms.rows(index, &frame, &stepped.outcome, &words);
            self.parts.shard.apply_by(index, &frame, &stepped.outcome, now, samples, &words);
            #[cfg(feature = "bench")]
            self.parts.meters.tap.done(index, frame.rows(), clock.as_ref());
            self.parts.shard.recycle(frame);
        }
    }

    /// Moves some twins of trials, between two rows.
    fn advance(&mut self) {
        if !self.parts.cohorts.is_moving() {
            return;
        }
        let start = self.parts.clock.monotonic();
        let all = self.parts.cohorts.advance();
        self.parts.meters.paused(self.parts.clock.monotonic().saturating_sub(start));
        for (index, moved) in all {
            self.moved(index, moved);
        }
    }

    fn moved(&mut self, index: BindingIndex, moved: Moved) {
        for (incarnation, snapshot) in moved.states {
            self.write_down(index, incarnation, Border::Switch, snapshot);
        }
        if let Some((rollout, text)) = self.trials.get(&index).cloned() {
            if !moved.to_candidate.is_empty() {
                self.mark(index, &moved.to_candidate, rollout, &text);
                self.court.switched(index, &moved.to_candidate);
            }
            if !moved.to_incumbent.is_empty() {
                let back = text.split(" → ").collect::<Vec<_>>();
                let text = format!("back: {}", back.iter().rev().copied().collect::<Vec<_>>().join(" → "));
                self.mark(index, &moved.to_incumbent, u64::MAX - rollout, &text);
                self.court.switched(index, &moved.to_incumbent);
            }
        }
        for twin in moved.to_candidate.iter().chain(&moved.to_incumbent) {
            self.faults.remove(&(index, *twin));
        }
        self.apart(index, &moved.apart);
    }

    /// What happens a few times a second: staleness, events, pages.
    fn tick(&mut self, now: Moment) {
        self.parts.shard.tick(now);
        self.parts.alarms.tick(&mut self.parts.shard, now);
        self.parts.shard.take_events(&mut self.events);
        for event in self.events.drain(..) {
            self.parts.chronicle.tell(event);
        }
        let cohorts = &self.parts.cohorts;
        let by = |index, twin| cohorts.berth(index, twin).map(|berth| Arc::clone(berth.cohort.compiled()));
        self.live.publish(&mut self.parts.shard, now, &by);
        let monotonic = Duration::from_nanos(now.monotonic);
        for told in self.floods.due(monotonic) {
            self.parts.chronicle.tell(told.event(&self.parts.plant));
        }
        if monotonic >= self.next_totals {
            let many = self.parts.shard.twins().nth(LARGE_FLEET).is_some();
            self.next_totals = monotonic + if many { TOTALS_EVERY * 5 } else { TOTALS_EVERY };
            self.parts.meters.note_totals(self.totals(now), self.court.verdicts());
            self.parts.cohorts.account(&self.parts.meters.accounts());
            if self.parts.plant.has_metrics_by_twin() {
                self.parts.meters.note_charges(self.parts.cohorts.charges());
            }
        }
        self.parts.meters.note(self.parts.shard.counters(), self.parts.exit.waiting());
        for index in self.indices() {
            self.parts.meters.apart(index, self.parts.cohorts.quarantined(index));
        }
    }

    fn indices(&self) -> impl Iterator<Item = BindingIndex> + use<> {
        (0..u32::try_from(self.parts.plant.bindings.len()).unwrap_or(u32::MAX)).map(BindingIndex)
    }

    fn begin(&mut self, index: BindingIndex, candidate: Candidate) -> Result<(), String> {
        let Candidate { rollout, berths, cold, tally, bumpless, text } = candidate;
        self.parts.cohorts.begin(index, Trial::new(rollout, berths, cold, tally))?;
        self.trials.insert(index, (rollout, text));
        self.court.prepare(index, bumpless);
        Ok(())
    }

    fn withdraw(&mut self, index: BindingIndex, rollout: u64) -> Vec<Berth> {
        // Another one's candidate is not this one's to take away.
        if self.parts.cohorts.trial(index).is_none_or(|trial| trial.rollout != rollout) {
            return Vec::new();
        }
        let (moved, left) = self.parts.cohorts.withdraw(index);
        self.moved(index, moved);
        self.trials.remove(&index);
        left
    }

    /// The state of a twin that has just been set from outside, for its record.
    fn border(&mut self, index: BindingIndex, twin: TwinIndex) {
        let incarnation = self.parts.cohorts.berth(index, twin).map_or(0, |berth| berth.incarnation);
        let last = self.parts.shard.row_count(twin, index).and_then(|count| count.last).unwrap_or_default();
        for mut snapshot in self.parts.cohorts.copy(index, &[twin], None).into_iter().flatten() {
            // The state may be an older one; what follows it are the rows from here on.
            snapshot.twins.iter_mut().for_each(|saved| saved.time = saved.time.max(last));
            self.write_down(index, incarnation, Border::Restore, snapshot);
        }
    }

    /// Leaves it to the keeper, for when the rows before it are durable.
    fn write_down(&self, binding: BindingIndex, incarnation: u32, border: Border, snapshot: Snapshot) {
        let after = Some(self.parts.recorder.mark());
        drop(self.parts.borders.send(AtBorder { binding, incarnation, border, snapshot, after }));
    }

    /// Remembers where in each twin's time a swap fell.
    fn mark(&mut self, index: BindingIndex, twins: &[TwinIndex], key: u64, text: &str) {
        let (shard, clock) = (&self.parts.shard, &self.parts.clock);
        let last = |&twin: &TwinIndex| {
            let count = shard.row_count(twin, index)?;
            Some((twin, count.last.unwrap_or_else(|| clock.now())))
        };
        self.swaps.note(key, text, twins.iter().filter_map(last));
    }

    /// Between two rounds, so all that the states have seen is recorded before the mark.
    fn snapshot(&mut self) -> Copied {
        let mut states = Vec::new();
        for index in self.indices() {
            states.extend(self.parts.cohorts.snapshots(index).into_iter().map(|saving| (index, saving)));
        }
        Copied { states, commanded: self.court.courses().take_changed(), after: self.parts.recorder.mark() }
    }

    /// Takes what is left on the lane, closes every open row, and records it.
    fn finish(mut self) {
        while let Ok(batch) = self.parts.exit.batches.try_recv() {
            self.drain(batch);
            self.round();
        }
        self.parts.shard.close_all(Moment::of(self.parts.clock.as_ref()));
        self.round();
        self.parts.alarms.finish();
        tracing::debug!(shard = self.parts.number, counters = ?self.parts.shard.counters(), "shard ended");
    }
}

/// What woke a shard.
enum Heard {
    Ask(Ask),
    Batch(Batch),
    Nothing,
    Stop,
}

/// A call of the behavior that takes longer is a missed deadline.
fn deadline(binding: &geminus_twin::plant::Binding) -> Duration {
    Duration::from_millis(binding.stages.acceptance.deadline_ms)
}
