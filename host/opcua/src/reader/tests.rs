//! A reader and its house: what holds it back, and that it can be stopped.

use std::path::Path;

use geminus_core::{SeriesId, SystemClock, Ticket, Timestamp};
use geminus_ingest::Point;
use geminus_tests::{Mute, PATIENCE};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::*;
use crate::bench::{Field, node};
use crate::intake::Item;
use crate::{Security, Subscribe, User};

/// Less than any step may take that a server can be waited for.
const SOON: Duration = Duration::from_secs(5);

/// A reader of the node `level`, and what it gives.
fn reader(
    endpoint: &str,
    folder: &Path,
) -> (Reader<mpsc::Sender<Batch>>, watch::Sender<bool>, Receiver<Batch>) {
    let options = OpcUaOptions {
        name: "plc".to_owned(),
        endpoint: endpoint.to_owned(),
        security: Security::None,
        user: User::Anonymous,
        pki: folder.join("client"),
        check_host: false,
        subscribe: Subscribe { publishing: Duration::from_millis(20), sampling: Duration::ZERO, queue: 100 },
        accept_future: Duration::from_hours(1_000_000),
    };
    let mut item = Item::new(node("level").parse().expect("a node"));
    item.feed(Point::plain(SeriesId(1)));
    let intake = Intake::new(vec![item], options.accept_future);
    let (sink, batches) = mpsc::channel(1_000);
    let house = House {
        sink,
        clock: Arc::new(SystemClock::new()),
        events: Arc::new(|_| {}),
        stats: Arc::new(OpcUaStats::default()),
    };
    let (tell, stopped) = watch::channel(false);
    (Reader::new(options, intake, house, stopped), tell, batches)
}

fn show(field: &Field, round: u64) {
    let at = Timestamp(1_800_000_000_000_000_000 + round * 1_000_000_000);
    field.show(&[(0, round as f64)], at).expect("shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_whose_samples_are_not_made_durable_asks_for_no_more_and_goes_on_when_they_are() {
    const OPEN: usize = 2;
    const ROUNDS: u64 = 30;
    let folder = tempfile::tempdir().expect("folder");
    let field = Field::start(&folder.path().join("server"), &["level".to_owned()]).expect("a server");
    show(&field, 0);
    let (mut reader, stop, mut batches) = reader(field.endpoint(), folder.path());
    reader.open = Open::bounded(OPEN, usize::MAX);
    let running = tokio::spawn(reader.run());
    let first = timeout(PATIENCE, batches.recv()).await.expect("in time").expect("a batch");
    let mut held: Vec<Ticket> = first.ticket.into_iter().collect();
    let (mut round, mut got) = (0, 1);
    while round < ROUNDS {
        round += 1;
        show(&field, round);
        let Ok(batch) = timeout(Duration::from_secs(1), batches.recv()).await else { break };
        held.extend(batch.expect("a batch").ticket);
        got += 1;
    }
    assert!(round < ROUNDS, "it took {got} messages of which none was durable");
    assert_eq!(held.len(), got, "each message has its ticket");
    // Those that were asked for before it was full come still.
    assert!((OPEN..=OPEN + 3).contains(&got), "{got}");
    held.into_iter().for_each(Ticket::commit);
    let goes_on = async {
        loop {
            let batch = batches.recv().await.expect("a batch");
            let newest = batch.samples.last().expect("a sample").value;
            batch.ticket.into_iter().for_each(Ticket::commit);
            if newest == round as f64 {
                return;
            }
        }
    };
    timeout(PATIENCE, goes_on).await.expect("the value that the server kept arrives");
    stop.send_replace(true);
    timeout(SOON, running).await.expect("in time").expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_stopped_soon_while_the_server_says_nothing() {
    let mute = Mute::start().expect("a server");
    let folder = tempfile::tempdir().expect("folder");
    let (reader, stop, _batches) = reader(&format!("opc.tcp://127.0.0.1:{}", mute.port), folder.path());
    let running = tokio::spawn(reader.run());
    mute.called(PATIENCE).expect("it is called");
    stop.send_replace(true);
    timeout(SOON, running).await.expect("in time").expect("no panic");
}
