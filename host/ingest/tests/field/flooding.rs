//! The flood, and the source at full speed: nothing lost, acknowledgements in order, inside the window.

use std::time::Duration;

use geminus_core::Timestamp;
use geminus_ingest::flood::{self, Flood, FloodOptions};
use geminus_ingest::{MqttOptions, QoS};

use crate::house::{BOTH, House, next, until};

fn flood_of(messages: u64, qos: QoS) -> Flood {
    Flood::start(FloodOptions {
        topics: (0..7).map(|n| format!("flood/{n}")).collect(),
        start: Timestamp::from_millis(1_600_000_000_000),
        step: Duration::from_millis(1),
        qos,
        window: 20_000,
        messages,
    })
    .expect("a flood")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_of_a_flood_arrives_once_in_order_and_is_acknowledged_in_order() {
    const MESSAGES: u64 = 200_000;
    for (version, qos) in BOTH.into_iter().flat_map(|v| [(v, QoS::AtMostOnce), (v, QoS::AtLeastOnce)]) {
        let flood = flood_of(MESSAGES, qos);
        let topics: Vec<String> = (0..7).map(|n| format!("flood/{n}")).collect();
        let house = House::with(&topics.iter().map(String::as_str).collect::<Vec<_>>());
        let options =
            MqttOptions { version, qos, ..MqttOptions::new(flood.url(), "f", vec!["flood/#".to_owned()]) };
        let (source, mut batches) = house.spawn(options);
        let (mut k, mut batch_count) = (0_u64, 0_u64);
        let (mut under_way, mut uncommitted) = (Vec::new(), 0);
        while k < MESSAGES {
            let batch = next(&mut batches).await;
            for sample in &batch.samples {
                assert_eq!(u64::from(sample.series.0), k % 7);
                assert_eq!(sample.time.millis(), 1_600_000_000_000 + k / 7);
                k += 1;
            }
            batch_count += 1;
            // Commits come late and in another order than the batches.
            uncommitted += batch.samples.len();
            under_way.extend(batch.ticket);
            if uncommitted >= 6_000 || k == MESSAGES {
                uncommitted = 0;
                under_way.drain(..).rev().for_each(geminus_core::Ticket::commit);
            }
        }
        if qos == QoS::AtLeastOnce {
            let counts = flood.counts();
            until("all acknowledged", || counts.acknowledged() == MESSAGES).await;
            assert_eq!(counts.out_of_order(), 0);
            assert_eq!(counts.sent(), MESSAGES, "nothing was sent twice");
        }
        assert_eq!(flood.counts().connections(), 1);
        assert!(batch_count < MESSAGES / 10, "{batch_count} batches: messages travel together");
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bare_client_reads_all_of_it() {
    for (version, qos) in BOTH.into_iter().flat_map(|v| [(v, QoS::AtMostOnce), (v, QoS::AtLeastOnce)]) {
        let flood = flood_of(50_000, qos);
        let clock = geminus_core::SystemClock::new();
        let bare = flood::read(&flood.url(), version, qos, "#", 50_000, &clock).await.expect("read");
        assert_eq!(bare.messages, 50_000);
        assert!(bare.payload_bytes >= 50_000 * 37);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_ends_although_its_client_does_not_read() {
    let flood = flood_of(10_000_000, QoS::AtMostOnce);
    let house = House::with(&["flood/0"]);
    let options = MqttOptions {
        qos: QoS::AtMostOnce,
        ..MqttOptions::new(flood.url(), "stuck", vec!["flood/#".to_owned()])
    };
    // Nobody takes the batches, so the source stops reading and the flood stands in a write.
    let (source, batches) = house.spawn(options);
    let counts = flood.counts();
    let mut before = 0;
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    loop {
        looks.tick().await;
        let sent = counts.sent();
        if sent > 0 && sent == before {
            break;
        }
        before = sent;
    }
    assert!(before < 10_000_000);
    tokio::time::timeout(crate::house::PATIENCE, tokio::task::spawn_blocking(move || drop(flood)))
        .await
        .expect("it ends")
        .expect("without a panic");
    drop((source, batches));
}
