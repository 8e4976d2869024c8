//! The built-in broker carries the demonstration: rigs in, readings out, both versions, sessions kept.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::Quality;
use geminus_ingest::broker::Broker;
use geminus_ingest::rig::{self, RigOptions, SENSORS};
use geminus_ingest::{MqttOptions, ProtocolVersion, QoS};
use tokio::sync::watch;

use crate::house::{BOTH, House, next, publish, take};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rigs_are_seen_through_it() {
    for version in BOTH {
        let broker = Broker::start(0).await.expect("a broker");
        assert!(broker.address().ip().is_loopback());
        let topics: Vec<String> =
            (1..=2).flat_map(|n| SENSORS.map(|sensor| format!("rig/pump-{n}/{sensor}"))).collect();
        let house = House::with(&topics.iter().map(String::as_str).collect::<Vec<_>>());
        let options =
            MqttOptions { version, ..MqttOptions::new(broker.url(), "demo", vec!["rig/#".to_owned()]) };
        let (source, mut batches) = house.spawn(options);
        house.wait_for("source-connected", 1).await;
        let publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        let (stop, stopped) = watch::channel(false);
        let clock = Arc::clone(&house.clock);
        let playing = tokio::spawn(async move {
            let options = RigOptions { rigs: 2, period: Duration::from_millis(20), ..RigOptions::default() };
            rig::publish(&options, publisher, clock, stopped).await
        });
        let (mut series, mut samples) = (BTreeSet::new(), 0);
        while series.len() < topics.len() || samples < 160 {
            let batch = next(&mut batches).await;
            assert!(batch.samples.iter().all(|sample| sample.quality == Quality::Good));
            series.extend(batch.samples.iter().map(|sample| sample.series.0));
            samples += batch.samples.len();
            batch.ticket.expect("a ticket").commit();
        }
        stop.send(true).expect("still playing");
        playing.await.expect("no panic").expect("played");
        source.stop().await;
        broker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_session_of_a_host_that_is_away_and_delivers_again_what_was_given_up() {
    for version in BOTH {
        let broker = Broker::start(0).await.expect("a broker");
        let house = House::with(&["a"]);
        let options = MqttOptions { version, ..MqttOptions::new(broker.url(), "away", vec!["a".to_owned()]) };
        let (source, mut batches) = house.spawn(options.clone());
        house.wait_for("source-connected", 1).await;
        let mut publisher = house.publisher(&broker.url(), ProtocolVersion::V5, QoS::AtLeastOnce).await;
        publish(&mut publisher, "a", 0..1).await;
        drop(next(&mut batches).await);
        assert_eq!(take(&mut batches, 1).await, [0.0], "delivered again");
        source.stop().await;
        publish(&mut publisher, "a", 1..201).await;
        let (source, mut batches) = house.spawn(options);
        // At least once: this broker at times forgets, in the moment of a goodbye, that 0 was acknowledged.
        let mut values = take(&mut batches, 200).await;
        if values.first() == Some(&0.0) {
            values.remove(0);
            values.extend(take(&mut batches, 200 - values.len()).await);
        }
        assert_eq!(values, (1..201).map(f64::from).collect::<Vec<_>>());
        source.stop().await;
        broker.stop().await;
    }
}

#[tokio::test]
async fn a_taken_port_is_said() {
    let first = Broker::start(0).await.expect("a broker");
    let error = Broker::start(first.address().port()).await.expect_err("taken").to_string();
    assert!(error.contains("cannot listen on 127.0.0.1:"), "{error}");
}
