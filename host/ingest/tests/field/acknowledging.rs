//! Acknowledged means committed, whatever breaks.

use std::collections::HashSet;

use geminus_ingest::{MqttOptions, ProtocolVersion, QoS};

use crate::house::{BOTH, House, next, publish, take, until};
use crate::peer::Mosquitto;

fn options(broker: &Mosquitto, version: ProtocolVersion) -> MqttOptions {
    MqttOptions { version, ..MqttOptions::new(broker.url(), "geminus-test", vec!["plant/#".to_owned()]) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_host_is_cut_off_in_the_middle() {
    const MESSAGES: u64 = 20_000;
    for version in BOTH {
        let Some(broker) = Mosquitto::start().await else { return };
        let house = House::with(&["plant/a"]);
        let (first, mut batches) = house.spawn(options(&broker, version));
        house.wait_for("source-connected", 1).await;
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        let publishing = tokio::spawn(async move { publish(&mut publisher, "plant/a", 0..MESSAGES).await });

        // Every third batch stays uncommitted until the host dies with it.
        let (mut committed, mut kept, mut seen) = (HashSet::new(), Vec::new(), 0);
        while committed.len() < 2_000 || kept.len() < 3 {
            let batch = next(&mut batches).await;
            seen += 1;
            if seen % 3 == 0 && kept.len() < 3 {
                kept.push(batch);
                continue;
            }
            committed.extend(batch.samples.iter().map(|sample| sample.value as u64));
            batch.ticket.expect("a ticket").commit();
            // A window of 20 that is stuck behind the first kept batch brings nothing more.
            if version == ProtocolVersion::V311 && !kept.is_empty() {
                break;
            }
        }
        drop(first);
        let uncommitted: HashSet<u64> =
            kept.iter().flat_map(|batch| &batch.samples).map(|sample| sample.value as u64).collect();
        assert!(uncommitted.is_disjoint(&committed) && !uncommitted.is_empty());
        drop(kept);

        let (second, mut batches) = house.spawn(options(&broker, version));
        let mut again = HashSet::new();
        while committed.union(&again).count() < MESSAGES as usize {
            let batch = next(&mut batches).await;
            again.extend(batch.samples.iter().map(|sample| sample.value as u64));
            batch.ticket.expect("a ticket").commit();
        }
        assert!(uncommitted.is_subset(&again), "what was not committed came again");
        publishing.await.expect("published");
        let stats = second.stats();
        until("everything acknowledged", || stats.acknowledged() == stats.messages()).await;
        second.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voided_ticket_brings_redelivery() {
    for version in BOTH {
        let Some(broker) = Mosquitto::start().await else { return };
        let house = House::with(&["plant/a"]);
        let (source, mut batches) = house.spawn(options(&broker, version));
        house.wait_for("source-connected", 1).await;
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        publish(&mut publisher, "plant/a", 0..1).await;
        let given_up = next(&mut batches).await;
        assert_eq!(given_up.samples.len(), 1);
        drop(given_up);
        assert_eq!(take(&mut batches, 1).await, [0.0], "delivered again");
        publish(&mut publisher, "plant/a", 1..101).await;
        let values = take(&mut batches, 100).await;
        assert_eq!(values, (1..101).map(f64::from).collect::<Vec<_>>());
        assert_eq!(source.stats().voided(), 1);
        assert_eq!(source.stats().connections(), 2);
        assert_eq!(house.told("source-redelivery").len(), 1);
        assert!(house.told("source-lost").is_empty(), "the broker was there all the time");
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_commit_of_an_old_connection_acknowledges_nothing() {
    for version in BOTH {
        let Some(broker) = Mosquitto::start().await else { return };
        let house = House::with(&["plant/a"]);
        let (source, mut batches) = house.spawn(options(&broker, version));
        house.wait_for("source-connected", 1).await;
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        publish(&mut publisher, "plant/a", 0..1).await;
        let late = next(&mut batches).await;
        publish(&mut publisher, "plant/a", 1..2).await;
        drop(next(&mut batches).await);
        // The connection is new: both come again, under packet ids that the old tickets know nothing of.
        let first = next(&mut batches).await;
        late.ticket.expect("a ticket").commit();
        let mut values: Vec<f64> = first.samples.iter().map(|sample| sample.value).collect();
        first.ticket.expect("a ticket").commit();
        values.extend(take(&mut batches, 2 - values.len()).await);
        assert_eq!(values, [0.0, 1.0]);
        let stats = source.stats();
        until("both acknowledged once", || stats.acknowledged() == 2).await;
        source.stop().await;
        assert_eq!(stats.acknowledged(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_dies_and_comes_back_is_told_once_each_and_loses_nothing() {
    for version in BOTH {
        let Some(mut broker) = Mosquitto::start().await else { return };
        let house = House::with(&["plant/a"]);
        let (source, mut batches) = house.spawn(options(&broker, version));
        house.wait_for("source-connected", 1).await;
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        publish(&mut publisher, "plant/a", 0..500).await;
        let before = take(&mut batches, 500).await;
        let stats = source.stats();
        until("everything acknowledged", || stats.acknowledged() == 500).await;
        broker.terminate().await;
        house.wait_for("source-lost", 1).await;
        assert!(!stats.connected());
        broker.restart().await;
        house.wait_for("source-back", 1).await;
        publish(&mut publisher, "plant/a", 500..1_000).await;
        let mut values: HashSet<u64> = before.into_iter().map(|value| value as u64).collect();
        while values.len() < 1_000 {
            values.extend(take(&mut batches, 1).await.into_iter().map(|value| value as u64));
        }
        assert_eq!(house.told("source-lost").len(), 1);
        assert_eq!(house.told("source-back").len(), 1);
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_at_first_is_found_later() {
    let Some(mut broker) = Mosquitto::start().await else { return };
    broker.terminate().await;
    let house = House::with(&["plant/a"]);
    let (source, mut batches) = house.spawn(options(&broker, ProtocolVersion::V5));
    house.wait_for("source-lost", 1).await;
    broker.restart().await;
    house.wait_for("source-back", 1).await;
    let mut publisher = house.publisher(&broker.url(), ProtocolVersion::V311, QoS::AtMostOnce).await;
    publish(&mut publisher, "plant/a", 0..3).await;
    assert_eq!(take(&mut batches, 3).await, [0.0, 1.0, 2.0]);
    source.stop().await;
}
