//! One shard's thread: the only writer of its twins and the only caller of their behaviors.
//!
//! It drains what has arrived, closes rows, runs frames through their instances, applies the outcomes, and hands
//! everything to the store in one piece. Between two such rounds it answers questions and carries out swaps, so
//! that a swap always falls between two rows. When the store is behind, samples stay on the lane until it has caught
//! up, so that the source is slowed down rather than history thinned out; a store that cannot write holds nobody up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, select_biased};
use geminus_api::EventBus;
use geminus_behavior::{Heir, HostCalls};
use geminus_core::{Batch, Clock, Event, Sample, Severity, Ticket, TwinIndex};
use geminus_store::Recorder;
use geminus_twin::plant::Plant;
use geminus_twin::shard::{Moment, Shard};
use geminus_twin::{BindingIndex, shard};

use super::chronicle::Chronicle;
use super::cohorts::Cohorts;
use super::lane::Exit;
use super::live::Live;
use super::message::{Ask, Past, SavedState, Swap, Swapped, Totals};
use super::meters::ShardMeters;
use super::plugins::Board;
use super::proposals::Court;
use super::view;

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
/// Swaps that are remembered for marks in plots.
const SWAPS_MAX: usize = 64;
/// A behavior's fault that repeats is told once in this time for each twin.
const FAULT_TOLD_EVERY: Duration = Duration::from_secs(60);

/// A swap that this shard has made: what it was, and the last row of each twin before it.
#[derive(Debug)]
struct SwapMark {
    text: String,
    before: HashMap<TwinIndex, geminus_core::Timestamp>,
}

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
    swaps: Vec<SwapMark>,
    /// Last fault of a behavior of a twin, and when it was told.
    faults: HashMap<(BindingIndex, TwinIndex), (String, Duration)>,
    next_tick: Duration,
    next_totals: Duration,
}

impl ShardRunner {
    pub(crate) fn new(parts: ShardParts) -> Self {
        let live = Live::new(&parts.plant, parts.shard.twins(), Arc::clone(&parts.bus));
        let court = Court::new(Arc::clone(&parts.plant), parts.chronicle.clone());
        Self {
            live,
            court,
            frame_rows_max: parts.plant.limits.frame_rows_max as usize,
            samples: Vec::new(),
            tickets: Vec::new(),
            events: Vec::new(),
            swaps: Vec::new(),
            faults: HashMap::new(),
            next_tick: Duration::ZERO,
            next_totals: Duration::ZERO,
            parts,
        }
    }

    /// Runs until [`Ask::Stop`].
    pub(crate) fn run(mut self) {
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
            default(ROUND_EVERY) => Heard::Nothing,
        }
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
        if !self.samples.is_empty() || !self.tickets.is_empty() {
            self.parts.recorder.record(std::mem::take(&mut self.samples), std::mem::take(&mut self.tickets));
        }
        if monotonic >= self.next_tick {
            self.next_tick = monotonic + TICK_EVERY;
            self.tick(now);
        }
    }

    /// Runs every row that is ready.
    fn step(&mut self, now: Moment) {
        while let Some((index, frame)) = self.parts.shard.next_frame(self.frame_rows_max) {
            let outputs = self.parts.plant.binding(index).map_or(0, |b| b.declaration.outputs.len());
            let start = self.parts.clock.monotonic();
            let stepped = self.parts.cohorts.step(index, outputs, &frame);
            let spent = self.parts.clock.monotonic().saturating_sub(start);
            self.parts.meters.stepped(index, frame.rows(), spent, stepped.fuel);
            for fault in stepped.faults {
                self.fault(index, &fault, now);
            }
            self.court.hear(index, &frame, &stepped.outcome, &self.parts.shard, now);
            self.parts.shard.apply(index, &frame, &stepped.outcome, now, &mut self.samples);
            self.parts.shard.recycle(frame);
        }
    }

    fn fault(&mut self, index: BindingIndex, fault: &geminus_behavior::TwinFault, now: Moment) {
        self.parts.meters.fault(index, fault.kind.name());
        let (plant, now) = (Arc::clone(&self.parts.plant), Duration::from_nanos(now.monotonic));
        let (Some(binding), Some(twin)) = (plant.binding(index), plant.twin(fault.twin)) else { return };
        let message = format!("{}: {}", fault.kind.name(), fault.message);
        let known = self.faults.get(&(index, fault.twin));
        let told = known.is_some_and(|(_, at)| now.saturating_sub(*at) < FAULT_TOLD_EVERY);
        if told && !fault.quarantined {
            return;
        }
        let label = self.label(index).unwrap_or_else(|| binding.declaration.label());
        let (kind, severity, end) = match fault.quarantined {
            true => ("twin-quarantined", Severity::Error, "; this behavior gets no more rows of this twin"),
            false => ("behavior-fault", Severity::Warning, ""),
        };
        let text = format!("{} of {}: {message}{end}", binding.name, twin.id);
        self.parts.chronicle.tell(Event::new(kind, severity, text).twin(&*twin.id).plugin(label));
        self.faults.insert((index, fault.twin), (message, now));
    }

    fn label(&self, index: BindingIndex) -> Option<String> {
        let state = self.parts.board.lock();
        let active = state.active.get(index.0 as usize)?.as_ref()?;
        Some(active.compiled.declaration().label())
    }

    /// What happens a few times a second: staleness, events, pages.
    fn tick(&mut self, now: Moment) {
        self.parts.shard.tick(now);
        self.parts.shard.take_events(&mut self.events);
        for event in self.events.drain(..) {
            self.parts.chronicle.tell(event);
        }
        self.live.publish(&mut self.parts.shard, now);
        let monotonic = Duration::from_nanos(now.monotonic);
        if monotonic >= self.next_totals {
            let many = self.parts.shard.twins().nth(LARGE_FLEET).is_some();
            self.next_totals = monotonic + if many { TOTALS_EVERY * 5 } else { TOTALS_EVERY };
            self.parts.meters.note_totals(self.totals(now), self.court.verdicts());
        }
        self.parts.meters.note(self.parts.shard.counters(), self.parts.exit.waiting());
        for index in self.indices() {
            let (memory, apart) =
                (self.parts.cohorts.memory_bytes(index), self.parts.cohorts.quarantined(index));
            self.parts.meters.instance(index, memory, apart);
        }
    }

    fn indices(&self) -> impl Iterator<Item = BindingIndex> + use<> {
        (0..u32::try_from(self.parts.plant.bindings.len()).unwrap_or(u32::MAX)).map(BindingIndex)
    }

    /// Answers; a reply whose asker has gone is thrown away.
    fn answer(&mut self, ask: Ask) {
        let now = Moment::of(self.parts.clock.as_ref());
        match ask {
            Ask::Twin(twin, reply) => drop(reply.send(self.view(twin, now))),
            Ask::Past(twin, reply) => drop(reply.send(self.past(twin, now))),
            Ask::Summaries(twins, reply) => {
                let brief = |&twin: &TwinIndex| {
                    let summary = self.parts.shard.summary(twin, now)?;
                    view::summary(&self.parts.plant, &summary)
                };
                drop(reply.send(twins.iter().filter_map(brief).collect()));
            }
            Ask::InState(state, reply) => {
                let shard = &self.parts.shard;
                let here = |twin: &TwinIndex| {
                    shard.summary(*twin, now).is_some_and(|summary| view::state(summary.state) == state)
                };
                drop(reply.send(shard.twins().filter(here).collect()));
            }
            Ask::Households(index, reply) => drop(reply.send(self.parts.cohorts.households(index))),
            Ask::Swap(swap, heirs, reply) => drop(reply.send(self.swap(&swap, heirs))),
            Ask::Snapshot(reply) => drop(reply.send(self.snapshot())),
            Ask::Stop => {}
        }
    }

    fn view(&self, twin: TwinIndex, now: Moment) -> Option<geminus_api::view::TwinView> {
        let seen = self.parts.shard.view(twin, now)?;
        let board = self.parts.board.read();
        let fault = |index: BindingIndex| self.faults.get(&(index, twin)).map(|(message, _)| message.clone());
        let standing = |index: BindingIndex| view::Standing {
            runs: self.parts.cohorts.runs(index),
            quarantined: self.parts.cohorts.is_quarantined(index, twin),
            fault: fault(index),
        };
        view::twin(seen, &self.parts.plant, &board, standing)
    }

    fn past(&self, twin: TwinIndex, now: Moment) -> Past {
        let newest = self.parts.shard.view(twin, now).and_then(|view| {
            view.measured.iter().chain(&view.estimated).filter_map(|point| point.time).max()
        });
        let swaps = self.swaps.iter().filter_map(|mark| Some((*mark.before.get(&twin)?, mark.text.clone())));
        Past { newest, swaps: swaps.collect() }
    }

    fn totals(&self, now: Moment) -> Totals {
        let mut totals = Totals::default();
        for summary in self.parts.shard.twins().filter_map(|twin| self.parts.shard.summary(twin, now)) {
            match summary.state {
                shard::State::Live => totals.live += 1,
                shard::State::Stale => totals.stale += 1,
                shard::State::Waiting => totals.waiting += 1,
            }
            if let (Some(priority), true) = (summary.highest, summary.alerts > 0)
                && let Some(count) = totals.by_priority.get_mut(priority as usize)
            {
                // Counted under the highest of the twin: the others stand on its page.
                *count += summary.alerts as u64;
            }
        }
        totals
    }

    fn swap(&mut self, swap: &Swap, heirs: Vec<Heir>) -> Result<Swapped, String> {
        let (plant, index) = (Arc::clone(&self.parts.plant), swap.binding);
        let binding = plant.binding(index).ok_or("there is no such binding")?;
        let mine: Vec<TwinIndex> =
            self.parts.shard.twins().filter(|twin| binding.twins.binary_search(twin).is_ok()).collect();
        let start = self.parts.clock.monotonic();
        let from = self.label(index);
        let (carried, cold) = if self.parts.cohorts.runs(index) {
            let version = (&swap.compiled, &swap.parameters);
            let reports = self.parts.cohorts.swap(index, version, heirs, swap.cold);
            let reports = reports.map_err(|error| error.to_string())?;
            let carried = reports.iter().map(|report| report.carried).sum();
            (carried, reports.iter().map(|report| report.cold.len()).sum())
        } else {
            let openings = super::cohorts::openings(&plant, binding, &mine, &swap.parameters);
            let started =
                self.parts.cohorts.start(index, binding, &swap.compiled, &self.parts.host, openings);
            started.map_err(|error| error.to_string())?;
            (0, 0)
        };
        let pause = self.parts.clock.monotonic().saturating_sub(start);
        self.faults.retain(|(binding, _), _| *binding != index);
        let to = swap.compiled.declaration().label();
        self.mark(index, &mine, from.map_or_else(|| to.clone(), |from| format!("{from} → {to}")));
        Ok(Swapped { twins: mine.len(), carried, cold, pause })
    }

    /// Remembers where in each twin's time a swap fell.
    fn mark(&mut self, index: BindingIndex, twins: &[TwinIndex], text: String) {
        let last = |&twin: &TwinIndex| {
            let count = self.parts.shard.row_count(twin, index)?;
            Some((twin, count.last.unwrap_or_else(|| self.parts.clock.now())))
        };
        let before = twins.iter().filter_map(last).collect();
        self.swaps.push(SwapMark { text, before });
        let surplus = self.swaps.len().saturating_sub(SWAPS_MAX);
        self.swaps.drain(..surplus);
    }

    fn snapshot(&mut self) -> Vec<SavedState> {
        let mut saved = Vec::new();
        for index in self.indices() {
            let results = self.parts.cohorts.snapshots(index);
            saved.extend(results.into_iter().map(|result| SavedState { binding: index, result }));
        }
        saved
    }

    /// Takes what is left on the lane, closes every open row, and records it.
    fn finish(mut self) {
        while let Ok(batch) = self.parts.exit.batches.try_recv() {
            self.drain(batch);
            self.round();
        }
        self.parts.shard.close_all(Moment::of(self.parts.clock.as_ref()));
        self.round();
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
