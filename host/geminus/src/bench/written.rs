//! `command.round_trip_opcua`: as `command.round_trip`, through an OPC UA server: the order is written to one node, and
//! another one shows it; against a bare client that writes to such a node and waits for the same value.
//!
//! A server tells what changed once in a publishing interval, here the shortest that a site may have. Both sides wait for
//! that, so it is most of both numbers, and the ratio says less than the difference.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_opcua::NodeAddress;
use geminus_opcua::bench::{Bare, Field, node};

use super::commanded::{BARE, TARGET, TWINS, check_obeyed, figure, host_run, value, writable};
use super::figure::rounded;
use super::nodes::{bare_options, site};
use super::site::{POINTS, SiteFolder, twin_id};
use super::{Figure, Workbench};
use crate::command::run::tokio_runtime;
use crate::runtime::Running;

/// The node that an order of a twin is written to.
const ORDER: &str = "order";
/// The point that shows what was ordered.
const SHOWS: &str = "current";
/// Between two messages of the server.
const PUBLISHING: Duration = Duration::from_millis(10);
/// Values that the server is asked to keep of each node.
const QUEUE: u32 = 100;
/// How long the subscription may take to stand, and one value to come.
const WATCHED_MAX: Duration = Duration::from_secs(20);
const SHOWN_MAX: Duration = Duration::from_secs(8);
/// How long the bare client may take for all that it orders.
const BARE_MAX: Duration = Duration::from_secs(30);
/// Round trips of the bare client that make a p99.
const BARE_MIN: usize = 200;

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    let folder = tempfile::tempdir()?;
    let names = names();
    let field = Arc::new(Field::start(folder.path(), &names)?);
    let shows_of = |twin: u32| {
        let place = |name: String| names.iter().position(|known| *known == name);
        place(order(twin)).zip(place(format!("{}.{SHOWS}", twin_id(twin))))
    };
    let pairs: Option<Vec<(usize, usize)>> = (0..TWINS).map(shows_of).collect();
    let obedience = field.obey(&pairs.context("a node has no name")?, Arc::clone(&bench.clock))?;
    let bare = bare_run(bench, &field)?;
    let site = |text: String| {
        let target = TARGET.replace("set/{twin}/current", &node(&format!("{{twin}}.{ORDER}")));
        writable(&site(&text, field.endpoint(), PUBLISHING, QUEUE), &target)
    };
    let site = SiteFolder::edited(bench, TWINS, None, site)?;
    let trips = host_run(bench, &site, |running| wait_connected(bench, running))?;
    check_obeyed(obedience.stop()?, bare.len(), &trips)?;
    figure(&trips, bare, ("publishing_ms", rounded(PUBLISHING.as_secs_f64() * 1e3)))
}

fn order(twin: u32) -> String {
    format!("{}.{ORDER}", twin_id(twin))
}

/// All nodes: what the twins show, and where their orders go.
fn names() -> Vec<String> {
    let shown = |twin: u32| POINTS.map(|point| format!("{}.{point}", twin_id(twin)));
    (0..TWINS).flat_map(shown).chain((0..TWINS).map(order)).collect()
}

/// Waits until the subscription of the house stands.
fn wait_connected(bench: &Workbench, running: &Running) -> anyhow::Result<()> {
    let source = running.sources().first().context("the site has no source")?;
    let start = bench.clock.monotonic();
    while !source.handle.connected() {
        let waited = bench.clock.monotonic().saturating_sub(start);
        ensure!(waited < WATCHED_MAX, "the house does not watch the server after {waited:?}");
        std::thread::park_timeout(Duration::from_millis(4));
    }
    Ok(())
}

/// From an order until the field shows it, without a house.
fn bare_run(bench: &Workbench, field: &Field) -> anyhow::Result<Vec<Duration>> {
    let (runtime, pki) = (tokio_runtime()?, tempfile::tempdir()?);
    let watched: NodeAddress = node(&format!("{}.{SHOWS}", twin_id(0))).parse()?;
    let order = node(&order(0));
    let (tell, shown) = channel();
    let options = bare_options(field.endpoint(), pki.path(), PUBLISHING, QUEUE);
    let watched = [watched];
    let connect = Bare::connect(&options, bench.clock.now(), &watched, Some(&order), move |value| {
        // Nobody listens when the run is over.
        tell.send(value).unwrap_or_default();
    });
    let bare = runtime.block_on(async { tokio::time::timeout(WATCHED_MAX, connect).await });
    let bare = bare.context("the bare client does not watch in time")??;
    let first = shown.recv_timeout(WATCHED_MAX).context("the node shows no value")?;
    ensure!(first == 0.0, "the node shows {first} before anything was ordered");
    let begin = bench.clock.monotonic();
    let mut trips = Vec::with_capacity(BARE);
    for number in 0..BARE {
        let start = bench.clock.monotonic();
        if start.saturating_sub(begin) >= BARE_MAX {
            break;
        }
        // No two in a row are the same.
        let value = value(number * TWINS as usize);
        runtime.block_on(bare.order(value))?;
        let found = shown.recv_timeout(SHOWN_MAX).context("the node does not show what was ordered")?;
        trips.push(bench.clock.monotonic().saturating_sub(start));
        ensure!(found == value, "{value} was ordered, and the node shows {found}");
    }
    runtime.block_on(bare.stop());
    ensure!(trips.len() >= BARE_MIN, "only {} round trips in {BARE_MAX:?}: too few for a p99", trips.len());
    Ok(trips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_twin_has_a_node_for_its_orders_beside_those_that_it_shows() {
        let names = names();
        assert_eq!(names.len(), TWINS as usize * (POINTS.len() + 1));
        assert!(names.contains(&"rig-1.order".to_owned()) && names.contains(&"rig-10.current".to_owned()));
    }

    #[test]
    fn the_target_is_written_to_a_node() {
        let target = TARGET.replace("set/{twin}/current", &node("{twin}.order"));
        let text =
            writable(&site(include_str!("site.toml"), "opc.tcp://127.0.0.1:9", PUBLISHING, QUEUE), &target);
        for part in [
            "authority = \"control\"",
            "topic = \"nsu=urn:geminus:bench;s={twin}.order\"",
            "publishing_ms = 10",
        ] {
            assert_eq!(text.matches(part).count(), 1, "{part}");
        }
    }
}
