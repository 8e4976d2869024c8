//! `opcua.ingest`: from nodes of an OPC UA server through subscription and ingest to durable history, against a bare client
//! that watches the same nodes of such a server and only counts.
//!
//! The server is inside this process, on a thread of its own (`opcua-server`), and shows the next values when no more are under
//! way than `WINDOW` rounds of them, so that its queues never spill: a value that is lost fails the figure. There are
//! no behaviors: what a row costs stands in other figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_core::Timestamp;
use geminus_opcua::bench::{Bare, Field, node};
use geminus_opcua::{NodeAddress, OpcUaOptions, Security, Subscribe, User};
use serde_json::{Value, json};

use super::figure::rounded;
use super::processor::Spent;
use super::site::{POINTS, SiteFolder, twin_id};
use super::{Figure, Workbench};
use crate::command::run::tokio_runtime;
use crate::runtime::{Running, StartOptions};

/// Twins, each with eight nodes.
const TWINS: u32 = 125;
/// Times that every node shows another value, after the first.
const ROUNDS: u64 = 1_000;
/// Rounds that are under way at most: the server keeps more of each node.
const WINDOW: u64 = 40;
/// Values that the server is asked to keep of each node.
const QUEUE: u32 = 1_000;
/// Between two messages of the server.
const PUBLISHING: Duration = Duration::from_millis(20);
/// Runs of each side; the best counts, because whatever else the machine does only takes away.
const RUNS: usize = 2;
/// How long a run may take until everything is watched, and from there to its end.
const WATCHED_MAX: Duration = Duration::from_secs(20);
const RUN_MAX: Duration = Duration::from_secs(60);
/// Rest when the window is full, and between two looks at the store: the precision of a run's end.
const NAP: Duration = Duration::from_micros(200);
const LOOK: Duration = Duration::from_millis(1);
/// How far back in source time the first round lies: no value may lie far in the future.
const BEGIN_BEFORE_MS: u64 = 3_600_000;
/// Twins whose history is counted afterwards.
const COUNTED: [u32; 3] = [0, 61, TWINS - 1];

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    let (mut bare, mut host, mut each) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (rate, spent) = bare_run(bench)?;
        bare.push(rate);
        each.push(json!({ "bare_processor_s": spent }));
        let (rate, detail) = host_run(bench)?;
        host.push(rate);
        each.push(detail);
    }
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    let shown = |rates: &[f64]| rates.iter().map(|rate| rounded(*rate)).collect::<Vec<_>>();
    let detail = json!({
        "nodes": names().len(), "values": values(), "publishing_ms": rounded(PUBLISHING.as_secs_f64() * 1e3),
        "runs": shown(&host), "baseline_runs": shown(&bare), "each": each,
    });
    Ok(Figure::new(best(&host), detail).against("a bare client of the same server", best(&bare)))
}

/// Nodes in the order in which they are shown.
fn names() -> Vec<String> {
    let of = |twin: u32| POINTS.map(|point| format!("{}.{point}", twin_id(twin)));
    (0..TWINS).flat_map(of).collect()
}

/// Values of one run, without those that are there at its beginning.
fn values() -> u64 {
    u64::from(TWINS) * POINTS.len() as u64 * ROUNDS
}

/// A server whose nodes have their first value.
struct Ground {
    field: Field,
    nodes: u64,
    /// Source time of the first value.
    first: Timestamp,
    _folder: tempfile::TempDir,
}

impl Ground {
    fn start(bench: &Workbench) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let names = names();
        let field = Field::start(folder.path(), &names)?;
        let first = Timestamp::from_millis(bench.clock.now().millis().saturating_sub(BEGIN_BEFORE_MS));
        let ground = Self { field, nodes: names.len() as u64, first, _folder: folder };
        ground.show(0)?;
        Ok(ground)
    }

    /// Every node shows the value of a round.
    fn show(&self, round: u64) -> anyhow::Result<()> {
        let values: Vec<(usize, f64)> =
            (0..self.nodes as usize).map(|place| (place, value(place, round))).collect();
        Ok(self.field.show(&values, time_of(self.first, round))?)
    }

    /// Shows everything, as fast as `seen` follows; gives the monotonic time of the first value.
    fn flood(&self, bench: &Workbench, seen: impl Fn() -> u64) -> anyhow::Result<Duration> {
        let begin = bench.clock.monotonic();
        for round in 1..=ROUNDS {
            while (self.nodes * round).saturating_sub(seen()) > self.nodes * WINDOW {
                let took = bench.clock.monotonic().saturating_sub(begin);
                ensure!(took < RUN_MAX, "round {round} of {ROUNDS} after {took:?}, {} values seen", seen());
                std::thread::park_timeout(NAP);
            }
            self.show(round)?;
        }
        Ok(begin)
    }

    /// All values, those at the beginning among them.
    fn all(&self) -> u64 {
        self.nodes * (ROUNDS + 1)
    }
}

/// No node has the same value twice in a row.
fn value(place: usize, round: u64) -> f64 {
    20.0 + ((round * 7 + place as u64) % 1_000) as f64 / 1e3
}

fn time_of(first: Timestamp, round: u64) -> Timestamp {
    first.plus(Duration::from_secs(round))
}

/// Waits for a count, and gives the moment at which it was there.
fn reaches(
    bench: &Workbench,
    what: &str,
    wanted: u64,
    max: Duration,
    count: impl Fn() -> u64,
) -> anyhow::Result<Duration> {
    let start = bench.clock.monotonic();
    loop {
        let (found, now) = (count(), bench.clock.monotonic());
        if found >= wanted {
            return Ok(now);
        }
        ensure!(now.saturating_sub(start) < max, "{found} of {wanted} values are {what} after {max:?}");
        std::thread::park_timeout(LOOK);
    }
}

/// Values a second that a bare client hears, and what threads spent on it.
fn bare_run(bench: &Workbench) -> anyhow::Result<(f64, Value)> {
    let ground = Ground::start(bench)?;
    let runtime = tokio_runtime()?;
    let pki = tempfile::tempdir()?;
    let watched: Vec<NodeAddress> =
        names().iter().map(|name| node(name).parse()).collect::<Result<_, _>>()?;
    let heard = Arc::new(AtomicU64::new(0));
    let ours = Arc::clone(&heard);
    let options = bare_options(ground.field.endpoint(), pki.path(), PUBLISHING, QUEUE);
    let connect = Bare::connect(&options, bench.clock.now(), &watched, None, move |_| {
        ours.fetch_add(1, Ordering::Relaxed);
    });
    let bare = runtime.block_on(async { tokio::time::timeout(WATCHED_MAX, connect).await });
    let bare = bare.context("the bare client does not watch in time")??;
    let seen = || heard.load(Ordering::Relaxed);
    reaches(bench, "heard", ground.nodes, WATCHED_MAX, seen)?;
    let before = Spent::now(None);
    let begin = ground.flood(bench, seen)?;
    let end = reaches(bench, "heard", ground.all(), RUN_MAX, seen)?;
    let spent = Spent::now(None).since(&before);
    runtime.block_on(bare.stop());
    ensure!(seen() == ground.all(), "the bare client heard {} of {} values", seen(), ground.all());
    Ok((values() as f64 / (end - begin).as_secs_f64(), spent))
}

/// How a bare client speaks to a server of the bench.
pub(super) fn bare_options(
    endpoint: &str,
    folder: &std::path::Path,
    publishing: Duration,
    queue: u32,
) -> OpcUaOptions {
    OpcUaOptions {
        name: "bare".to_owned(),
        endpoint: endpoint.to_owned(),
        security: Security::None,
        user: User::Anonymous,
        pki: folder.to_owned(),
        check_host: true,
        subscribe: Subscribe { publishing, sampling: Duration::ZERO, queue },
        accept_future: Duration::from_mins(10),
    }
}

/// Values a second that the house made durable.
fn host_run(bench: &Workbench) -> anyhow::Result<(f64, Value)> {
    let ground = Ground::start(bench)?;
    let endpoint = ground.field.endpoint();
    let folder =
        SiteFolder::edited(bench, TWINS, Some("thermal"), |text| site(&text, endpoint, PUBLISHING, QUEUE))?;
    let runtime = tokio_runtime()?;
    let options = StartOptions { site: folder.site(), listen: None, limits: None };
    let running = runtime.block_on(Running::start(options))?;
    let measured = measured(bench, &ground, &running);
    runtime.block_on(running.stop())?;
    measured
}

fn measured(bench: &Workbench, ground: &Ground, running: &Running) -> anyhow::Result<(f64, Value)> {
    let source = running.sources().first().context("the site has no source")?;
    let stats = source.handle.opcua().context("the source of the site is no OPC UA server")?;
    let written = || running.store().stats().points_written;
    reaches(bench, "durable before the run", ground.nodes, WATCHED_MAX, written)?;
    let before = Spent::now(None);
    let begin = ground.flood(bench, || stats.samples())?;
    let end = reaches(bench, "durable", ground.all(), RUN_MAX, written)?;
    let spent = Spent::now(None).since(&before);
    let store = running.store().stats();
    let (lost, refused) = (stats.lost(), stats.refusals().total());
    ensure!(
        stats.samples() == ground.all() && store.points_written == ground.all(),
        "{} of {} values arrived, {} points are durable",
        stats.samples(),
        ground.all(),
        store.points_written
    );
    ensure!(lost == 0 && refused == 0, "{lost} messages were lost, {refused} values refused");
    ensure!(store.points_dropped == 0, "the store dropped {} points", store.points_dropped);
    count(ground, running)?;
    let detail = json!({
        "values_per_message": stats.samples() / stats.messages().max(1), "messages": stats.messages(),
        "asked_again": stats.asked_again(), "repeats": stats.repeats(), "commits": store.commits,
        "commit_p99_ms": rounded(store.commit.p99_ms), "history_bytes": store.file_bytes, "processor_s": spent,
    });
    Ok((values() as f64 / (end - begin).as_secs_f64(), detail))
}

/// Every value of some twins must be in history, once.
fn count(ground: &Ground, running: &Running) -> anyhow::Result<()> {
    let (plant, reader) = (&running.house().plant, running.store().reader());
    let (from, to) = (ground.first, time_of(ground.first, ROUNDS + 1));
    for number in COUNTED {
        let id = twin_id(number);
        let twin = plant.twins.iter().find(|twin| *twin.id == *id).context("a twin is missing")?;
        for series in plant.series(twin).iter().take(POINTS.len()) {
            let found = reader.count(*series, from, to)?;
            ensure!(found == ROUNDS + 1, "{id} has {found} of {} values of series {}", ROUNDS + 1, series.0);
        }
    }
    Ok(())
}

/// The site of the other figures, with nodes of a server in place of topics.
pub(super) fn site(text: &str, endpoint: &str, publishing: Duration, queue: u32) -> String {
    let source = format!(
        "opcua = {{ endpoint = \"{endpoint}\", publishing_ms = {}, sampling_ms = 0, queue_size = {queue} }}",
        publishing.as_millis()
    );
    let points = POINTS.map(|point| format!("\"{point}\"")).join(", ");
    text.replace("mqtt = { url = \"{broker}\", version = \"5\", qos = {qos} }", &source)
        .replace("\"rig/{twin}/{point}\"", &format!("\"{}\"\npoints = [{points}]", node("{twin}.{point}")))
        .replace("[bind.payload]\nquality_absent = \"good\"\n", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_has_nodes_in_place_of_topics() {
        let text = site(include_str!("site.toml"), "opc.tcp://127.0.0.1:9", PUBLISHING, QUEUE);
        for part in [
            "endpoint = \"opc.tcp://127.0.0.1:9\", publishing_ms = 20",
            "topic = \"nsu=urn:geminus:bench;s={twin}.{point}\"",
            "points = [\"accelerometer_1\", ",
        ] {
            assert_eq!(text.matches(part).count(), 1, "{part}");
        }
        assert!(!text.contains("mqtt") && !text.contains("[bind.payload]"), "{text}");
    }

    #[test]
    fn no_node_shows_a_value_twice_in_a_row_and_the_window_fits_into_the_queue() {
        for round in 0..ROUNDS {
            assert_ne!(value(3, round), value(3, round + 1));
        }
        assert_eq!(names().len() as u64 * ROUNDS, values());
        assert!(WINDOW * 2 < u64::from(QUEUE));
        const { assert!(ROUNDS * 1_000 < BEGIN_BEFORE_MS, "no value lies in the future") };
    }
}
