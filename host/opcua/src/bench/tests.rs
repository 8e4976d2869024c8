//! What is measured with is right: values of the server arrive with their times, each once, at the bare client as at a
//! source; and the server obeys.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use geminus_core::{Batch, Clock as _, Sample, SeriesId, SystemClock, Timestamp};
use geminus_ingest::Point;
use tokio::runtime::Runtime;

use super::{Bare, Field, node};
use crate::{NodeAddress, NodePoint, OpcUaOptions, OpcUaSource, Security, Subscribe, User};

const PATIENCE: Duration = Duration::from_secs(20);
/// More rounds than a server keeps messages for by itself, so that the limits that were raised count.
const ROUNDS: u64 = 200;
const NODES: usize = 20;

fn names() -> Vec<String> {
    (0..NODES).map(|number| format!("rig-{number}.current")).collect()
}

fn addresses() -> Vec<NodeAddress> {
    names().iter().map(|name| node(name).parse().expect("a node")).collect()
}

fn options(folder: &Path, endpoint: &str) -> OpcUaOptions {
    OpcUaOptions {
        name: "bench".to_owned(),
        endpoint: endpoint.to_owned(),
        security: Security::None,
        user: User::Anonymous,
        pki: folder.join("pki"),
        check_host: true,
        subscribe: Subscribe {
            publishing: Duration::from_millis(20),
            sampling: Duration::ZERO,
            queue: 1_000,
        },
        accept_future: Duration::from_mins(10),
    }
}

fn time(round: u64) -> Timestamp {
    Timestamp(1_900_000_000_000_000_000 + round * 1_000_000_000)
}

/// All nodes show the number of the round.
fn show(field: &Field, round: u64) {
    let values: Vec<(usize, f64)> = (0..NODES).map(|place| (place, round as f64)).collect();
    field.show(&values, time(round)).expect("shown");
}

#[test]
fn every_value_arrives_once_with_its_time_at_a_source() {
    let folder = tempfile::tempdir().expect("a folder");
    let field = Field::start(&folder.path().join("server"), &names()).expect("a server");
    show(&field, 0);
    let runtime = Runtime::new().expect("a runtime");
    let (sink, mut batches) = tokio::sync::mpsc::channel::<Batch>(10_000);
    let points = (0..).zip(addresses());
    let points = points.map(|(number, node)| NodePoint { node, point: Point::plain(SeriesId(number)) });
    let options = OpcUaOptions {
        accept_future: Duration::from_hours(200_000),
        ..options(folder.path(), field.endpoint())
    };
    let spawn = async {
        OpcUaSource::spawn(options, points.collect(), sink, Arc::new(SystemClock::new()), Arc::new(|_| ()))
    };
    let handle = runtime.block_on(spawn).expect("a source");
    let mut got: Vec<Sample> = Vec::new();
    let mut take = |count: usize| {
        while got.len() < count {
            let next = async { tokio::time::timeout(PATIENCE, batches.recv()).await };
            let batch = runtime.block_on(next).expect("in time").expect("a batch");
            got.extend(batch.samples);
            batch.ticket.into_iter().for_each(geminus_core::Ticket::commit);
        }
        got.clone()
    };
    take(NODES);
    for round in 1..=ROUNDS {
        show(&field, round);
    }
    let got = take(NODES * (ROUNDS as usize + 1));
    for series in 0..NODES as u32 {
        let of: Vec<(Timestamp, f64)> = got
            .iter()
            .filter(|sample| sample.series == SeriesId(series))
            .map(|sample| (sample.time, sample.value))
            .collect();
        let expect: Vec<(Timestamp, f64)> = (0..=ROUNDS).map(|round| (time(round), round as f64)).collect();
        assert_eq!(of, expect, "{series}");
    }
    assert_eq!((handle.stats().lost(), handle.stats().refusals().total()), (0, 0));
    runtime.block_on(handle.stop());
}

#[test]
fn a_bare_client_hears_every_value_and_sees_what_it_ordered() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = names();
    all.push("order".to_owned());
    let field = Arc::new(Field::start(&folder.path().join("server"), &all).expect("a server"));
    let clock: Arc<SystemClock> = Arc::new(SystemClock::new());
    let obedience = field.obey(&[(NODES, 0)], clock.clone()).expect("obedience");
    let runtime = Runtime::new().expect("a runtime");
    let (tell, told) = channel();
    let (options, watched) = (options(folder.path(), field.endpoint()), addresses());
    let order = node("order");
    let connect = Bare::connect(&options, clock.now(), &watched, Some(&order), move |value| {
        tell.send(value).unwrap_or_default();
    });
    let bare = runtime.block_on(connect).expect("a bare client");
    let take = |count: usize| -> Vec<f64> {
        (0..count).map(|_| told.recv_timeout(PATIENCE).expect("a value")).collect()
    };
    assert_eq!(take(NODES), [0.0; NODES]);
    for round in 1..=ROUNDS {
        show(&field, round);
    }
    let heard = take(NODES * ROUNDS as usize);
    assert_eq!(heard.iter().sum::<f64>(), NODES as f64 * (ROUNDS * (ROUNDS + 1) / 2) as f64);
    for value in [4.25, 5.5] {
        runtime.block_on(bare.order(value)).expect("taken");
        assert_eq!(take(1), [value], "what was ordered is shown");
    }
    assert_eq!(obedience.stop().expect("obeyed"), 2);
    runtime.block_on(bare.stop());
    assert!(told.try_recv().is_err(), "and nothing else came");
}

#[test]
fn a_node_that_is_not_there_is_not_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let field = Field::start(&folder.path().join("server"), &names()).expect("a server");
    field.show(&[(NODES - 1, 1.0)], time(0)).expect("the last one is there");
    assert!(field.show(&[(NODES, 1.0)], time(0)).is_err());
}
