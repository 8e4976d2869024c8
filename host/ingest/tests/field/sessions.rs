//! The session at the broker outlives the host, and follows the filters of the site.

use std::time::Duration;

use geminus_core::{Quality, Ticket};
use geminus_ingest::{MqttOptions, ProtocolVersion, QoS};

use crate::house::{BOTH, House, PATIENCE, next, publish, take};
use crate::peer::Mosquitto;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_while_the_host_is_down_waits() {
    for version in BOTH {
        let Some(broker) = Mosquitto::start().await else { return };
        let house = House::with(&["a"]);
        let options =
            MqttOptions { version, ..MqttOptions::new(broker.url(), "sleeper", vec!["a".to_owned()]) };
        let (source, batches) = house.spawn(options.clone());
        house.wait_for("source-connected", 1).await;
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        publish(&mut publisher, "warm-up", 0..1).await;
        source.stop().await;
        drop(batches);
        publish(&mut publisher, "a", 0..3_000).await;
        let (source, mut batches) = house.spawn(options);
        let values = take(&mut batches, 3_000).await;
        assert_eq!(values, (0..3_000).map(f64::from).collect::<Vec<_>>());
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_that_change_over_a_restart_change_at_the_broker_and_lose_nothing() {
    for version in BOTH {
        let Some(broker) = Mosquitto::start().await else { return };
        let folder = tempfile::tempdir().expect("a folder");
        let house = House::with(&["old", "new", "both"]);
        let options = |filters: &[&str]| MqttOptions {
            version,
            memo: Some(folder.path().join("session.json")),
            ..MqttOptions::new(broker.url(), "mover", filters.iter().map(|f| (*f).to_owned()).collect())
        };
        let (source, mut batches) = house.spawn(options(&["old", "both"]));
        house.wait_for("source-connected", 1).await;
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        publish(&mut publisher, "both", 0..1).await;
        assert_eq!(take(&mut batches, 1).await, [0.0]);
        source.stop().await;
        publish(&mut publisher, "old", 1..11).await;
        publish(&mut publisher, "new", 900..901).await;
        publish(&mut publisher, "both", 11..21).await;

        let (source, mut batches) = house.spawn(options(&["new", "both"]));
        let values = take(&mut batches, 20).await;
        assert_eq!(values, (1..21).map(f64::from).collect::<Vec<_>>(), "what waited came");
        // Published until it arrives, because nobody says when the subscription stands.
        let mut tries = tokio::time::interval(Duration::from_millis(20));
        let mut n = 100;
        let first = loop {
            tries.tick().await;
            publish(&mut publisher, "old", n..n + 1).await;
            publish(&mut publisher, "new", n..n + 1).await;
            n += 1;
            if let Ok(batch) = tokio::time::timeout(Duration::from_millis(200), next(&mut batches)).await {
                break batch;
            }
        };
        assert!(first.samples.iter().all(|sample| sample.series.0 != 0), "`old` was given up: {first:?}");
        first.ticket.expect("a ticket").commit();
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quality_of_service_0_needs_no_tickets() {
    let Some(broker) = Mosquitto::start().await else { return };
    for version in BOTH {
        let house = House::with(&["a"]);
        let options = MqttOptions {
            version,
            qos: QoS::AtMostOnce,
            ..MqttOptions::new(broker.url(), "zero", vec!["a".to_owned()])
        };
        let (source, mut batches) = house.spawn(options);
        house.wait_for("source-connected", 1).await;
        let mut publisher = house.publisher(&broker.url(), ProtocolVersion::V5, QoS::AtMostOnce).await;
        publish(&mut publisher, "other", 0..1).await;
        // The subscription stands when the first value comes.
        let mut tries = tokio::time::interval(Duration::from_millis(20));
        let batch = loop {
            tries.tick().await;
            publish(&mut publisher, "a", 0..1).await;
            if let Ok(batch) = tokio::time::timeout(Duration::from_millis(200), next(&mut batches)).await {
                break batch;
            }
        };
        assert!(batch.ticket.is_none() && batch.samples[0].value == 0.0);
        publish(&mut publisher, "a", 1..501).await;
        let values = take(&mut batches, 500).await;
        assert_eq!(values.last(), Some(&500.0));
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_filter_has_its_own_quality_of_service() {
    let Some(broker) = Mosquitto::start().await else { return };
    for version in BOTH {
        let house = House::with(&["kept", "live"]);
        let options = MqttOptions {
            version,
            at_most_once: vec!["live".to_owned()],
            ..MqttOptions::new(broker.url(), "mixed", vec!["kept".to_owned()])
        };
        let (source, mut batches) = house.spawn(options);
        house.wait_for("source-connected", 1).await;
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        for (topic, has_ticket) in [("kept", true), ("live", false)] {
            publish(&mut publisher, topic, 0..1).await;
            let batch = next(&mut batches).await;
            assert_eq!((batch.samples.len(), batch.ticket.is_some()), (1, has_ticket), "{topic} {version:?}");
            if let Some(ticket) = batch.ticket {
                ticket.commit();
            }
        }
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_stop_does_not_come_again() {
    for version in BOTH {
        let Some(broker) = Mosquitto::start().await else { return };
        let house = House::with(&["a"]);
        let options = MqttOptions { version, ..MqttOptions::new(broker.url(), "tidy", vec!["a".to_owned()]) };
        let (source, _batches) = house.spawn(options.clone());
        house.wait_for("source-connected", 1).await;
        source.stop().await;
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        for n in 0..60 {
            publish(&mut publisher, "a", n..n + 1).await;
            let (source, mut batches) = house.spawn(options.clone());
            let values = take(&mut batches, 1).await;
            source.stop().await;
            assert_eq!(values, [n as f64], "{version:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_had_kept_is_not_fresh_and_what_comes_now_is() {
    for version in BOTH {
        let Some(broker) = Mosquitto::start().await else { return };
        let house = House::with(&["kept"]);
        publish_kept(&broker.url(), "1").await;
        let options =
            MqttOptions { version, ..MqttOptions::new(broker.url(), "late", vec!["kept".to_owned()]) };
        let (source, mut batches) = house.spawn(options);
        house.wait_for("source-connected", 1).await;
        let first = next(&mut batches).await;
        let seen: Vec<_> = first.samples.iter().map(|one| (one.value, one.quality)).collect();
        assert_eq!(seen, [(1.0, Quality::Stale)]);
        first.ticket.into_iter().for_each(Ticket::commit);
        // To a subscription that stands, the same message is one of now.
        publish_kept(&broker.url(), "2").await;
        let second = next(&mut batches).await;
        let seen: Vec<_> = second.samples.iter().map(|one| (one.value, one.quality)).collect();
        assert_eq!(seen, [(2.0, Quality::Uncertain)]);
        second.ticket.into_iter().for_each(Ticket::commit);
        source.stop().await;
    }
}

/// Publishes on `kept` what the broker keeps, and waits until it has it.
async fn publish_kept(url: &str, payload: &str) {
    let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let mut options = rumqttc_v5::MqttOptions::new("keeper", rumqttc_v5::Broker::tcp("127.0.0.1", port));
    options.set_session_mode(rumqttc_v5::SessionMode::Clean);
    let (client, mut events) = rumqttc_v5::AsyncClient::builder(options).capacity(4).build();
    let kept = rumqttc_v5::PublishOptions::new(rumqttc_v5::QoS::AtLeastOnce).retain(true);
    client.try_publish("kept", payload.to_owned(), kept).expect("room");
    let confirmed = async {
        loop {
            let event = events.poll().await.expect("a broker");
            if matches!(event, rumqttc_v5::Event::Incoming(rumqttc_v5::Incoming::PubAck(_))) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, confirmed).await.expect("an acknowledgement in time");
}
