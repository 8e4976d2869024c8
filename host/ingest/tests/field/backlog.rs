//! What waited at a real broker while the host was away does not pass for measured now, and what comes after it does.

use geminus_core::{Batch, Quality, Ticket};
use geminus_ingest::publisher::Publisher;
use geminus_ingest::{MqttOptions, QoS};
use tokio::sync::mpsc::Receiver;

use crate::house::{BOTH, House, PATIENCE, next, publish};
use crate::peer::Mosquitto;

/// As many as a broker does not hand out at once under 3.1.1.
const WAITING: u64 = 200;

/// Publishes bare numbers, which have no time of their own.
async fn publish_bare(publisher: &mut Publisher, numbers: std::ops::Range<u64>) {
    for n in numbers {
        publisher.publish("bare", n.to_string()).await.expect("published");
    }
    publisher.flush().await.expect("flushed");
}

/// Values and qualities of the next samples, committed as they come.
async fn samples(batches: &mut Receiver<Batch>, count: usize) -> Vec<(f64, Quality)> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let batch = next(batches).await;
        seen.extend(batch.samples.iter().map(|sample| (sample.value, sample.quality)));
        batch.ticket.into_iter().for_each(Ticket::commit);
    }
    seen
}

/// Publishes one after the other until one is not stale.
async fn until_fresh(batches: &mut Receiver<Batch>, publisher: &mut Publisher) {
    let fresh = async {
        for n in WAITING.. {
            publish_bare(publisher, n..n + 1).await;
            if samples(batches, 1).await != [(n as f64, Quality::Stale)] {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, fresh).await.expect("a value of now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_without_a_time_that_waited_are_stale_and_those_after_them_are_not() {
    for version in BOTH {
        let Some(mut broker) = Mosquitto::start().await else { return };
        let house = House::with(&["bare", "timed"]);
        let filters = vec!["bare".to_owned(), "timed".to_owned()];
        let options = MqttOptions { version, ..MqttOptions::new(broker.url(), "away", filters) };
        let (source, mut batches) = house.spawn(options.clone());
        house.wait_for("source-connected", 1).await;
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        publish_bare(&mut publisher, 0..1).await;
        let live = next(&mut batches).await;
        assert_eq!(live.samples.first().map(|sample| sample.quality), Some(Quality::Uncertain), "of now");
        live.ticket.into_iter().for_each(Ticket::commit);
        source.stop().await;
        drop(batches);

        // While a new process starts, and again over a broker that went and came back.
        for is_restart in [false, true] {
            if is_restart {
                broker.terminate().await;
                broker.restart().await;
                publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
            }
            publish(&mut publisher, "timed", 0..1).await;
            publish_bare(&mut publisher, 0..WAITING).await;
            let (source, mut batches) = house.spawn(options.clone());
            let seen = samples(&mut batches, WAITING as usize + 1).await;
            let (timed, bare) = seen.split_first().expect("samples");
            assert_eq!(timed.1, Quality::Uncertain, "{version:?}: it says itself how old it is");
            let expect: Vec<_> = (0..WAITING).map(|n| (n as f64, Quality::Stale)).collect();
            assert_eq!(bare, expect, "{version:?}");
            until_fresh(&mut batches, &mut publisher).await;
            assert!(house.told("subscription-refused").is_empty() && house.told("sample-refused").is_empty());
            source.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_has_no_marker_for_us_is_told_of_and_silence_does() {
    for version in BOTH {
        let folder = tempfile::tempdir().expect("a folder");
        let list = folder.path().join("acl");
        std::fs::write(&list, "topic readwrite bare\n").expect("a list");
        let more = format!("acl_file {}\n", list.display());
        let Some(broker) = Mosquitto::start_with(&more).await else { return };
        let house = House::with(&["bare"]);
        let options =
            MqttOptions { version, ..MqttOptions::new(broker.url(), "reader", vec!["bare".to_owned()]) };
        let (source, batches) = house.spawn(options.clone());
        house.wait_for("source-connected", 1).await;
        source.stop().await;
        drop(batches);
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        publish_bare(&mut publisher, 0..WAITING).await;
        let (source, mut batches) = house.spawn(options);
        let seen = samples(&mut batches, WAITING as usize).await;
        assert!(seen.iter().all(|(_, quality)| *quality == Quality::Stale), "{version:?}: {seen:?}");
        // Under 3.1.1 a broker has no words for it: then the marker does not come back.
        if version == geminus_ingest::ProtocolVersion::V5 {
            house.wait_for("subscription-refused", 1).await;
        }
        source.stop().await;
    }
}
