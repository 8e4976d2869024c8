//! A house whose fleet gets its rows at a steady pace, each twin one a second, through the lanes that sources use; and
//! how long each row took from there until its outcome was applied.
//!
//! Rows of a behavior are done in the order in which they were delivered, on the one shard that such a house has, so
//! the n-th row that is done is the n-th that was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{anyhow, ensure};
use geminus_api::view::RolloutView;
use geminus_api::{House as _, Trouble};
use geminus_core::{Batch, Quality, Sample, SeriesId, Timestamp, TwinIndex};
use geminus_ingest::Sink as _;
use geminus_rollout::Plan;
use geminus_twin::shard::Counters;
use geminus_twin::{BindingIndex, Plant};
use tokio::runtime::Runtime;

use super::site::SiteFolder;
use crate::command::run::tokio_runtime;
use crate::runtime::tap::Done;
use crate::runtime::{Running, StartOptions};

/// Time between two batches.
const TICK: Duration = Duration::from_millis(10);
/// Batches in a second: each has the rows of every hundredth twin.
const TICKS: u64 = 100;
/// Points that a row of the motor is made of, the one that may be old first.
const POINTS: [&str; 3] = ["current", "temperature", "thermocouple"];
/// How long the last rows may take to be applied and written.
const SETTLE_MAX: Duration = Duration::from_secs(20);
/// How long a rollout may take.
const ROLLOUT_MAX: Duration = Duration::from_secs(20);
/// How often something is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Rows that each twin gets in one go before its steady pace begins: a behavior that has to warm up has then done so.
const HEAD_START: u64 = 40;
/// How long they may take.
const HEAD_START_MAX: Duration = Duration::from_secs(30);
/// No guest is fed.
const NOBODY: u32 = u32::MAX;

/// A running house with its folder.
pub(super) struct Fleet {
    pub(super) running: Running,
    runtime: Runtime,
    folder: SiteFolder,
    guest: AtomicU32,
    /// Whether the field has come to its pace.
    steady: AtomicBool,
}

/// What was sent.
#[derive(Debug, Default)]
pub(super) struct Fed {
    /// When each batch was delivered, and its rows.
    batches: Vec<(Duration, usize)>,
    /// By how much each batch came late, because this machine did other things.
    pub(super) late: Vec<Duration>,
    /// Rows of each twin.
    pub(super) rounds: u64,
    /// Source time of the first batch.
    begin: Timestamp,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) sent: Duration,
    pub(super) took: Duration,
}

/// Current, surface and surroundings of a motor without losses in its n-th row.
pub(super) fn reading(twin: u32, round: u64) -> [f64; 3] {
    let noise = ((u64::from(twin) * 31 + round * 17) % 97) as f64 * 0.005 - 0.24;
    [0.0, 25.0 + noise, 25.0 - noise]
}

impl Fed {
    /// Rows of all twins.
    pub(super) fn rows(&self) -> u64 {
        self.batches.iter().map(|(_, rows)| *rows as u64).sum()
    }

    /// Source time of a twin's row.
    pub(super) fn time(&self, twin: u32, round: u64) -> Timestamp {
        let tick = round * TICKS + u64::from(twin) % TICKS;
        Timestamp(self.begin.0 + tick * TICK.as_nanos() as u64)
    }

    /// How long each row took; what was done must be of the binding that was fed.
    pub(super) fn rows_done(&self, done: &[Done], binding: BindingIndex) -> anyhow::Result<Vec<Row>> {
        let sent = self.batches.iter().flat_map(|(at, rows)| std::iter::repeat_n(*at, *rows));
        let done = done.iter().filter(|done| done.binding == binding);
        let ends = done.flat_map(|done| std::iter::repeat_n(done.at, done.rows));
        let rows: Vec<Row> =
            sent.zip(ends).map(|(sent, end)| Row { sent, took: end.saturating_sub(sent) }).collect();
        ensure!(rows.len() as u64 == self.rows(), "{} of {} rows were done", rows.len(), self.rows());
        Ok(rows)
    }
}

impl Fleet {
    pub(super) fn start(folder: SiteFolder) -> anyhow::Result<Self> {
        let runtime = tokio_runtime()?;
        let options = StartOptions { site: folder.site(), listen: None, limits: None };
        let running = runtime.block_on(Running::start(options))?;
        ensure!(running.house().meters.len() == 1, "the site has more than one shard");
        Ok(Self { running, runtime, folder, guest: AtomicU32::new(NOBODY), steady: AtomicBool::new(false) })
    }

    pub(super) fn plant(&self) -> &Arc<Plant> {
        &self.running.house().plant
    }

    pub(super) fn now(&self) -> Duration {
        self.running.house().clock.monotonic()
    }

    /// Waits; somebody else feeds meanwhile.
    pub(super) fn rest(&self, span: Duration) {
        let end = self.now() + span;
        while let Some(left) = end.checked_sub(self.now()).filter(|left| !left.is_zero()) {
            std::thread::park_timeout(left);
        }
    }

    /// From here on this twin, which is not of the fleet, gets a row a second too; or nobody.
    pub(super) fn invite(&self, guest: Option<TwinIndex>) {
        self.guest.store(guest.map_or(NOBODY, |guest| guest.0), Ordering::Relaxed);
    }

    /// Feeds the first `twins` twins while `work` runs, which begins when the field has come to its pace, and listens. Gives what was sent and what was done when
    /// everything is applied and written.
    pub(super) fn fed<T>(
        &self,
        twins: u32,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, Fed, Vec<Done>)> {
        let stop = AtomicBool::new(false);
        let tap = || self.running.house().meters.iter().map(|meters| &meters.tap);
        tap().for_each(|tap| tap.listen());
        let before = self.counters().applied;
        let (worked, fed) = std::thread::scope(|scope| {
            let feeder = std::thread::Builder::new().name("field".to_owned());
            let feeder = feeder.spawn_scoped(scope, || self.feed(twins, &stop))?;
            let worked = self.wait_steady(&|| feeder.is_finished()).and_then(|()| work());
            stop.store(true, Ordering::Relaxed);
            let fed = feeder.join().map_err(|_| anyhow!("the field panicked"))?;
            anyhow::Ok((worked?, fed?))
        })?;
        let start = self.now();
        let pending = || {
            let waits = self.running.store().stats().queue_points > 0;
            waits || self.counters().applied - before < fed.rows()
        };
        while pending() {
            ensure!(
                self.now() - start < SETTLE_MAX,
                "rows were lost: {:?} of {}",
                self.counters(),
                fed.rows()
            );
            std::thread::park_timeout(LOOK);
        }
        let done = tap().flat_map(|tap| tap.take()).collect();
        Ok((worked, fed, done))
    }

    fn wait_steady(&self, has_ended: &dyn Fn() -> bool) -> anyhow::Result<()> {
        let start = self.now();
        while !self.steady.load(Ordering::Relaxed) && !has_ended() {
            ensure!(self.now() - start < HEAD_START_MAX, "the first rows take more than {HEAD_START_MAX:?}");
            std::thread::park_timeout(LOOK);
        }
        Ok(())
    }

    fn feed(&self, twins: u32, stop: &AtomicBool) -> anyhow::Result<Fed> {
        let house = self.running.house();
        let series = |twin: TwinIndex| POINTS.map(|point| house.plant.series_of(twin, point));
        let all: Vec<_> = (0..twins).map(|twin| series(TwinIndex(twin))).collect();
        let (head_start, head_ticks) = (Duration::from_secs(HEAD_START), HEAD_START * TICKS);
        let mut fed =
            Fed { begin: Timestamp(house.clock.now().0 - head_start.as_nanos() as u64), ..Fed::default() };
        let mut begin = self.now();
        for tick in 0_u64.. {
            let (round, group) = (tick / TICKS, tick % TICKS);
            if group == 0 && stop.load(Ordering::Relaxed) {
                fed.rounds = round;
                break;
            }
            if tick == head_ticks {
                begin = self.now();
                self.steady.store(true, Ordering::Relaxed);
            }
            let due = begin + TICK * u32::try_from(tick.saturating_sub(head_ticks))?;
            while let Some(left) = due.checked_sub(self.now()).filter(|left| !left.is_zero()) {
                std::thread::park_timeout(left);
            }
            let some = all.iter().zip(0_u32..).skip(group as usize).step_by(TICKS as usize);
            let received = house.clock.now();
            let row = |(series, twin): (&[Option<SeriesId>; 3], u32)| {
                samples(*series, reading(twin, round), fed.time(twin, round), received)
            };
            let mut batch: Vec<Sample> = some.flat_map(row).collect();
            let rows = batch.len() / POINTS.len();
            let guest = self.guest.load(Ordering::Relaxed);
            if guest != NOBODY && group == TICKS / 2 {
                let time = Timestamp(fed.begin.0 + tick * TICK.as_nanos() as u64);
                batch.extend(samples(series(TwinIndex(guest)), reading(guest, round), time, received));
            }
            let at = self.now();
            if tick >= head_ticks {
                fed.late.push(at - due);
            }
            fed.batches.push((at, rows));
            let delivered = self.running.lanes().deliver(Batch { samples: batch, ticket: None });
            self.runtime.block_on(delivered)?;
        }
        Ok(fed)
    }

    /// As of the last tick of the shard.
    pub(super) fn counters(&self) -> Counters {
        let meters = self.running.house().meters.iter();
        meters.map(|meters| meters.counters()).fold(Counters::default(), Counters::plus)
    }

    /// Begins a rollout and waits for its end.
    pub(super) fn roll_out(&self, plan: Plan) -> anyhow::Result<RolloutView> {
        let house = self.running.house();
        let trouble = |trouble: Trouble| anyhow!("{trouble}");
        let begun = self.runtime.block_on(house.start_rollout(plan, "geminus bench".to_owned()));
        let id = begun.map_err(trouble)?.id;
        let start = self.now();
        loop {
            let view = self.runtime.block_on(house.rollout(id)).map_err(trouble)?;
            if view.phase.is_end() {
                return Ok(view);
            }
            ensure!(
                self.now() - start < ROLLOUT_MAX,
                "the rollout is still {} after {ROLLOUT_MAX:?}",
                view.phase
            );
            std::thread::park_timeout(LOOK * 10);
        }
    }

    pub(super) fn stop(self) -> anyhow::Result<SiteFolder> {
        self.runtime.block_on(self.running.stop())?;
        Ok(self.folder)
    }
}

fn samples(
    series: [Option<SeriesId>; 3],
    values: [f64; 3],
    time: Timestamp,
    received: Timestamp,
) -> impl Iterator<Item = Sample> {
    let quality = Quality::Good;
    let sample = move |(series, value): (Option<SeriesId>, f64)| {
        Some(Sample { series: series?, quality, value, time, received })
    };
    series.into_iter().zip(values).filter_map(sample)
}
