//! One run of the whole house under load: a fresh site in this process, a reader of its event stream, and a verdict
//! on what became durable.
//!
//! A trial is over when nothing has changed for a while; its end is the moment of the last change, so that waiting
//! costs nothing. Then history is counted point by point for some twins: a rate of samples that were lost is no rate.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use geminus_core::Timestamp;
use geminus_ingest::MqttStats;
use geminus_ingest::flood::FloodOptions;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::Workbench;
use super::figure::rounded;
use super::http::{self, Ear};
use super::processor::Spent;
use super::site::{POINTS, SiteFolder, TWINS, time_of, twin_id};
use crate::command::run::tokio_runtime;
use crate::runtime::{Running, StartOptions};

/// When nothing has changed for so long, it is over: rows wait 200 ms for inputs, commits take a few.
const QUIET: Duration = Duration::from_millis(700);
/// How long the first sample may take.
const FIRST_MAX: Duration = Duration::from_secs(20);
/// How long a trial may take.
const TRIAL_MAX: Duration = Duration::from_secs(60);
/// How often a trial is looked at: the precision of its end.
const LOOK: Duration = Duration::from_millis(4);
/// Twins that the page watches.
const WATCHED: [u32; 8] = [0, 100, 200, 300, 400, 500, 600, 700];
/// Twins whose history is counted afterwards.
const COUNTED: [u32; 3] = [0, 500, TWINS - 1];
/// Points of theirs that are: the first and the last that are published.
const COUNTED_POINTS: [usize; 2] = [0, POINTS.len() - 1];

/// A house that runs, and what is looked at while it does.
pub(crate) struct Trial {
    runtime: Runtime,
    running: Running,
    folder: SiteFolder,
    stats: Arc<MqttStats>,
    ear: Ear,
    spent: Spent,
    child: Option<u32>,
}

/// What a trial came to.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// Samples that arrived and are durable.
    pub(crate) samples: u64,
    /// Monotonic time of the last change.
    pub(crate) end: Duration,
    /// Everything else, for the figure's detail.
    pub(crate) detail: Value,
}

impl Trial {
    /// Starts a house whose source is at `broker`; `child` is a process whose cost is shown beside.
    pub(crate) fn start(
        bench: &Workbench,
        broker: &str,
        qos: u8,
        child: Option<u32>,
    ) -> anyhow::Result<Self> {
        let folder = SiteFolder::new(bench, broker, qos, TWINS, None)?;
        let runtime = tokio_runtime()?;
        let options = StartOptions { site: folder.site(), listen: None, limits: None };
        let spent = Spent::now(child);
        let running = runtime.block_on(Running::start(options))?;
        let source = running.sources().first().context("the site has no source")?;
        let stats = source.handle.mqtt().context("the source of the site is no broker")?;
        let ear = Ear::open(http::address(&running.url())?, &WATCHED.map(twin_id))?;
        Ok(Self { runtime, running, folder, stats, ear, spent, child })
    }

    /// Counts of the source.
    pub(crate) fn stats(&self) -> Arc<MqttStats> {
        Arc::clone(&self.stats)
    }

    /// Address of the API.
    pub(crate) fn address(&self) -> anyhow::Result<std::net::SocketAddr> {
        http::address(&self.running.url())
    }

    /// Waits until a broker has confirmed every subscription.
    pub(crate) fn wait_subscribed(&self, bench: &Workbench) -> anyhow::Result<()> {
        self.folder.wait_subscribed(bench)
    }

    /// Waits until all is over, counts, and stops the house.
    pub(crate) fn finish(self, bench: &Workbench, load: &FloodOptions) -> anyhow::Result<Verdict> {
        let end = self.settle(bench)?;
        let spent = Spent::now(self.child).since(&self.spent);
        let Self { runtime, running, ear, stats, folder, .. } = self;
        let store = running.store().stats();
        let meters = &running.house().meters;
        let counters = meters
            .iter()
            .map(|meters| meters.counters())
            .fold(Default::default(), geminus_twin::shard::Counters::plus);
        let (values, bytes) = ear.close()?;
        let arrived = stats.messages();
        let detail = json!({
            "messages": load.messages, "arrived": arrived, "lost": load.messages.saturating_sub(arrived),
            "acknowledged": stats.acknowledged(), "refused": stats.refusals().total(), "twins": TWINS,
            "rows": counters.applied, "points_durable": store.points_written,
            "samples_per_batch": stats.samples() / stats.batches().max(1),
            "commits": store.commits, "commit_p99_ms": rounded(store.commit.p99_ms),
            "history_bytes": store.file_bytes, "journal_entries": store.journal.entries_written,
            "sse_values": values, "sse_bytes": bytes, "processor_s": spent,
        });
        let reader = running.store().reader();
        let whole = arrived == load.messages;
        let counted = if whole { count(&running, &reader, load) } else { Ok(()) };
        runtime.block_on(running.stop())?;
        drop(folder);
        counted?;
        ensure!(store.points_dropped == 0, "the store dropped {} points", store.points_dropped);
        ensure!(counters.applied == counters.rows, "{} rows were lost", counters.rows - counters.applied);
        ensure!(
            stats.samples() == arrived,
            "{} of {arrived} messages were refused",
            stats.refusals().total()
        );
        Ok(Verdict { samples: arrived, end, detail })
    }

    /// The moment of the last change.
    fn settle(&self, bench: &Workbench) -> anyhow::Result<Duration> {
        let now = || bench.clock.monotonic();
        let picture = || {
            let store = self.running.store().stats();
            (self.stats.messages(), self.stats.acknowledged(), store.points_written, store.points_duplicate)
        };
        let start = now();
        let (mut last, mut changed) = (picture(), start);
        loop {
            std::thread::park_timeout(LOOK);
            let (next, at) = (picture(), now());
            if next != last {
                (last, changed) = (next, at);
            }
            let quiet = at - changed;
            match last.0 {
                0 if quiet > FIRST_MAX => bail!("no sample arrived in {FIRST_MAX:?}"),
                0 => {}
                _ if quiet > QUIET => return Ok(changed),
                _ => {}
            }
            ensure!(at - start < TRIAL_MAX, "not over after {TRIAL_MAX:?}: {last:?}");
        }
    }
}

/// Every sample of some twins must be in history, once.
fn count(running: &Running, reader: &geminus_store::Reader, load: &FloodOptions) -> anyhow::Result<()> {
    let plant = &running.house().plant;
    let rounds = load.messages / load.topics.len() as u64;
    let (from, to) = (time_of(load, 0), Timestamp(time_of(load, rounds).0));
    for number in COUNTED {
        let id = twin_id(number);
        let twin = plant.twins.iter().find(|twin| *twin.id == *id).context("a twin is missing")?;
        for series in COUNTED_POINTS.iter().filter_map(|point| plant.series(twin).get(*point)) {
            let found = reader.count(*series, from, to)?;
            ensure!(
                found == rounds,
                "{id} has {found} of {rounds} samples of series {} in history",
                series.0
            );
        }
    }
    Ok(())
}
