//! Signs of life: one under way for each address, nothing late, and a broker that is gone without a word is noticed.

use std::net::SocketAddr;
use std::time::Duration;

use geminus_dispatch::{Answer, Beat, Egress, MqttEgress, MqttOptions, MqttVersion};
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::fake::Fake;
use super::{NOW, TOPIC, VERSIONS, options, order, send, soon, until};

fn beat(sequence: u64, address: &str) -> Beat<'_> {
    let every = Duration::from_secs(1);
    Beat { twin: "pump-1", target: "load-limit", address, sequence, time: NOW, every }
}

/// Offers a beat until it counts as left: what became of the one before is heard a moment after the broker has answered.
async fn beats(egress: &mut MqttEgress, sequence: u64, address: &str) {
    let mut looks = tokio::time::interval(Duration::from_millis(1));
    let left = async {
        while egress.beat(&beat(sequence, address)).is_err() {
            looks.tick().await;
        }
    };
    soon("a beat", left).await;
}

#[tokio::test]
async fn a_beat_leaves_at_once_or_not_at_all_and_the_next_one_when_it_was_taken() {
    for version in VERSIONS {
        let mut fake = Fake::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let mut egress = MqttEgress::start(options(fake.address(), version), Handle::current());
        let refused = egress.beat(&beat(1, TOPIC)).expect_err("no line");
        assert!(refused.contains("no connection"), "{refused}");
        let mut line = fake.accept(version).await;
        until(&egress, true).await;
        assert!(egress.beat(&beat(2, "rig/#")).expect_err("a pattern").contains("is no topic"));
        for sequence in 3..40 {
            beats(&mut egress, sequence, TOPIC).await;
            let body = line.message().await;
            let start = body.iter().position(|byte| *byte == b'{').expect("JSON");
            let expiry = body[..start].windows(5).any(|bytes| bytes == [2, 0, 0, 0, 3]);
            assert_eq!(expiry, version == MqttVersion::V5, "three periods of a second");
            let payload: serde_json::Value = serde_json::from_slice(&body[start..]).expect("JSON");
            let expect = serde_json::json!({
                "twin": "pump-1", "target": "load-limit", "sequence": sequence, "time": NOW.millis(),
                "every_ms": 1_000,
            });
            assert_eq!(payload, expect);
            let early = egress.beat(&beat(sequence + 1, TOPIC)).expect_err("one is under way");
            assert!(early.contains("no answer yet"), "{early}");
            line.acknowledge().await;
        }
    }
}

#[tokio::test]
async fn a_broker_that_stands_still_is_hung_up_on_and_finds_one_beat_of_each_address() {
    for version in VERSIONS {
        let mut fake = Fake::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let answer_max = Duration::from_millis(300);
        let options = MqttOptions { answer_max, ..options(fake.address(), version) };
        let mut egress = MqttEgress::start(options, Handle::current());
        let mut line = fake.accept(version).await;
        until(&egress, true).await;
        let topics = ["rig/pump-1/beat", "rig/pump-2/beat"];
        for topic in topics {
            assert_eq!(egress.beat(&beat(1, topic)), Ok(()), "nothing is known against it");
        }
        let (up, mut looks) = (egress.up(), tokio::time::interval(Duration::from_millis(5)));
        let silence = async {
            while *up.borrow() {
                for topic in topics {
                    assert!(egress.beat(&beat(2, topic)).is_err(), "{version:?}: one has no answer");
                }
                looks.tick().await;
            }
        };
        soon("the end of the line", silence).await;
        for _ in topics {
            line.message().await;
        }
        let mut late = Vec::new();
        soon("the end", line.stream.read_to_end(&mut late)).await.expect("the end of the line");
        assert!(late.is_empty(), "{version:?}: {late:?}");
        // On the next line it counts once the broker has taken it, and is written once.
        let mut line = fake.accept(version).await;
        until(&egress, true).await;
        // After a failure it is written once in a period.
        let later = Beat { time: NOW.plus(Duration::from_secs(10)), ..beat(2, topics[0]) };
        let why = egress.beat(&later).expect_err("the one before was not taken");
        assert!(why.contains(topics[0]) && why.contains("did not answer in 300 ms"), "{why}");
        line.message().await;
        line.acknowledge().await;
        beats(&mut egress, 2, topics[0]).await;
        beats(&mut egress, 3, topics[0]).await;
        let body = line.message().await;
        assert!(String::from_utf8_lossy(&body).contains("\"sequence\":3"), "{version:?}: 2 came once");
    }
}

#[tokio::test]
async fn beats_of_many_targets_wait_for_their_places_and_hold_up_no_order() {
    let mut fake = Fake::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let mut egress = MqttEgress::start(options(fake.address(), MqttVersion::V311), Handle::current());
    let mut line = fake.accept(MqttVersion::V311).await;
    until(&egress, true).await;
    let topics: Vec<String> = (0..20).map(|twin| format!("rig/{twin}/beat")).collect();
    for topic in &topics {
        assert_eq!(egress.beat(&beat(1, topic)), Ok(()));
    }
    let mut packets = Vec::new();
    for _ in 0..4 {
        line.message().await;
        packets.push(line.packet);
    }
    let answer = send(&mut egress, &order(1, TOPIC));
    assert_eq!(line.published().await, Uuid::from_u128(1), "no beat is before it");
    packets.push(line.packet);
    // Brokers answer in the order of what they were sent.
    for packet in packets {
        line.packet = packet;
        line.acknowledge().await;
    }
    assert!(matches!(soon("the answer", answer).await, Ok(Answer::Acknowledged { .. })));
    for _ in 4..topics.len() {
        line.message().await;
        line.acknowledge().await;
    }
}

#[tokio::test]
async fn a_beat_that_is_turned_down_did_not_leave() {
    let mut fake = Fake::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let mut egress = MqttEgress::start(options(fake.address(), MqttVersion::V5), Handle::current());
    let mut line = fake.accept(MqttVersion::V5).await;
    until(&egress, true).await;
    assert_eq!(egress.beat(&beat(1, TOPIC)), Ok(()));
    line.message().await;
    // 0x87: not authorized.
    line.answer(0x87).await;
    let mut looks = tokio::time::interval(Duration::from_millis(1));
    let told = async {
        loop {
            let why = egress.beat(&beat(2, TOPIC)).expect_err("it was turned down");
            if why.contains("NotAuthorized") {
                return;
            }
            looks.tick().await;
        }
    };
    soon("the reason", told).await;
}
