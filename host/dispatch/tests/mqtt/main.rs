//! Orders over MQTT: what a broker gets, and that nothing leaves late or twice when it is away, silent, or dies with an
//! order in its hands. With the broker that `geminus demo` uses, and with one that does what a test tells it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

mod beats;
mod fake;

use std::net::SocketAddr;
use std::time::Duration;

use geminus_core::{Timestamp, TwinIndex};
use geminus_dispatch::{Answer, Egress, MqttEgress, MqttOptions, MqttVersion, Order, Reply};
use geminus_ingest::broker::Broker;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use uuid::Uuid;

use self::fake::Fake;

const NOW: Timestamp = Timestamp(1_900_000_000_000_000_000);
const TOPIC: &str = "rig/pump-1/set/load-limit";
const VERSIONS: [MqttVersion; 2] = [MqttVersion::V5, MqttVersion::V311];
/// Far longer than anything here takes, so that a test that hangs ends with words.
const PATIENCE: Duration = Duration::from_secs(60);

fn options(address: SocketAddr, version: MqttVersion) -> MqttOptions {
    MqttOptions {
        host: address.ip().to_string(),
        port: address.port(),
        tls: None,
        credentials: None,
        client_id: "geminus-egress".to_owned(),
        version,
        keep_alive: Duration::from_secs(30),
        answer_max: Duration::from_secs(30),
    }
}

fn order(id: u128, address: &str) -> Order<'_> {
    let expires = NOW.plus(Duration::from_secs(20));
    Order {
        id: Uuid::from_u128(id),
        twin: TwinIndex(0),
        address,
        value: 40.5,
        unit: "%",
        by: "operator anna",
        expires,
    }
}

fn send(egress: &mut MqttEgress, order: &Order<'_>) -> oneshot::Receiver<Answer> {
    let (tell, told) = oneshot::channel();
    let reply = Reply::new(move |answer| assert!(tell.send(answer).is_ok(), "nobody waits"));
    egress.send(order, NOW, reply);
    told
}

async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what} does not come"))
}

async fn until(egress: &MqttEgress, up: bool) {
    let mut now = egress.up();
    soon("the connection", now.wait_for(|is| *is == up)).await.expect("the egress is there");
}

/// Somebody who listens to one topic, by MQTT 5.
async fn listener(address: SocketAddr) -> (rumqttc_v5::AsyncClient, rumqttc_v5::EventLoop) {
    let broker = rumqttc_v5::Broker::tcp(address.ip().to_string(), address.port());
    let (client, mut events) =
        rumqttc_v5::AsyncClient::builder(rumqttc_v5::MqttOptions::new("field", broker)).capacity(8).build();
    client.subscribe(TOPIC, rumqttc_v5::QoS::AtLeastOnce).await.expect("subscribe");
    loop {
        let step = soon("the subscription", events.poll()).await.expect("line");
        if matches!(step, rumqttc_v5::Event::Incoming(rumqttc_v5::Incoming::SubAck(_))) {
            return (client, events);
        }
    }
}

#[tokio::test]
async fn an_order_arrives_once_as_documented_and_is_acknowledged() {
    for version in VERSIONS {
        let broker = Broker::start(0).await.expect("broker");
        // The client is held: with the last one of it the line ends.
        let (_client, mut field) = listener(broker.address()).await;
        let mut egress = MqttEgress::start(options(broker.address(), version), Handle::current());
        until(&egress, true).await;
        let answer = send(&mut egress, &order(7, TOPIC));
        let publish = loop {
            let step = soon("the order", field.poll()).await.expect("line");
            if let rumqttc_v5::Event::Incoming(rumqttc_v5::Incoming::Publish(publish)) = step {
                break publish;
            }
        };
        let payload: serde_json::Value = serde_json::from_slice(&publish.payload).expect("json");
        let expect = serde_json::json!({
            "id": "00000000-0000-0000-0000-000000000007", "value": 40.5, "unit": "%",
            "not_after": NOW.millis() + 20_000, "by": "operator anna",
        });
        assert_eq!(payload, expect, "{version:?}");
        assert!(!publish.retain, "a command that is retained acts again on whoever subscribes later");
        let expiry = publish.properties.and_then(|properties| properties.message_expiry_interval);
        match version {
            MqttVersion::V5 => {
                assert!(expiry.is_some_and(|seconds| (1..=20).contains(&seconds)), "{expiry:?}")
            }
            MqttVersion::V311 => assert_eq!(expiry, None),
        }
        let answer = soon("the answer", answer).await.expect("an answer");
        assert!(
            matches!(&answer, Answer::Acknowledged { receipt } if receipt.contains("PUBACK")),
            "{answer:?}"
        );
        broker.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_leave_now_does_not_leave_later() {
    for version in VERSIONS {
        let nobody = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = nobody.local_addr().expect("address");
        drop(nobody);
        let mut egress = MqttEgress::start(options(address, version), Handle::current());
        let not_sent = |answer: Answer, why: &str| {
            assert!(matches!(&answer, Answer::NotSent { reason } if reason.contains(why)), "{answer:?}");
        };
        let answer = send(&mut egress, &order(1, TOPIC)).await.expect("an answer");
        not_sent(answer, "no connection");
        // The broker comes: it gets the second order and never the first.
        let mut fake = Fake::listen(address).await;
        let mut line = fake.accept(version).await;
        until(&egress, true).await;
        for topic in ["", "rig/+/set", "rig/#", "a\0b"] {
            not_sent(send(&mut egress, &order(2, topic)).await.expect("an answer"), "is no topic");
        }
        let broken = Order { value: f64::INFINITY, ..order(3, TOPIC) };
        not_sent(send(&mut egress, &broken).await.expect("an answer"), "cannot be written as JSON");
        let answer = send(&mut egress, &order(4, TOPIC));
        assert_eq!(line.published().await, Uuid::from_u128(4));
        line.acknowledge().await;
        let receipt = "PUBACK".to_owned();
        assert_eq!(soon("the answer", answer).await, Ok(Answer::Acknowledged { receipt }));
    }
}

#[tokio::test]
async fn an_order_that_was_under_way_when_the_line_broke_is_lost_and_not_repeated() {
    for version in VERSIONS {
        let mut fake = Fake::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let mut egress = MqttEgress::start(options(fake.address(), version), Handle::current());
        let mut line = fake.accept(version).await;
        until(&egress, true).await;
        let answer = send(&mut egress, &order(1, TOPIC));
        assert_eq!(line.published().await, Uuid::from_u128(1));
        drop(line);
        let answer = soon("the answer", answer).await.expect("an answer");
        assert!(matches!(answer, Answer::Lost { .. }), "{version:?}: {answer:?}");
        // On the next line the first thing that comes is the next order.
        let mut line = fake.accept(version).await;
        until(&egress, true).await;
        let answer = send(&mut egress, &order(2, TOPIC));
        assert_eq!(line.published().await, Uuid::from_u128(2), "{version:?}");
        line.acknowledge().await;
        assert!(matches!(soon("the answer", answer).await, Ok(Answer::Acknowledged { .. })));
    }
}

#[tokio::test]
async fn a_broker_that_never_answers_is_hung_up_on() {
    for version in VERSIONS {
        let mut fake = Fake::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let options =
            MqttOptions { answer_max: Duration::from_millis(300), ..options(fake.address(), version) };
        let mut egress = MqttEgress::start(options, Handle::current());
        let mut line = fake.accept(version).await;
        until(&egress, true).await;
        // As many as there are places wait; the one after them is not taken, so that it cannot leave late.
        let waiting: Vec<_> = (0..16).map(|id| send(&mut egress, &order(id, TOPIC))).collect();
        let refused = send(&mut egress, &order(99, TOPIC)).await.expect("an answer");
        assert!(
            matches!(&refused, Answer::NotSent { reason } if reason.contains("16 orders wait")),
            "{refused:?}"
        );
        for id in 0..16 {
            assert_eq!(line.published().await, Uuid::from_u128(id));
        }
        for answer in waiting {
            let answer = soon("the answer", answer).await.expect("an answer");
            assert!(matches!(answer, Answer::Lost { .. }), "{version:?}: {answer:?}");
        }
        let mut next = fake.accept(version).await;
        until(&egress, true).await;
        let answer = send(&mut egress, &order(100, TOPIC));
        assert_eq!(next.published().await, Uuid::from_u128(100), "{version:?}");
        next.acknowledge().await;
        assert!(matches!(soon("the answer", answer).await, Ok(Answer::Acknowledged { .. })));
    }
}

#[tokio::test]
async fn a_broker_that_takes_few_at_once_gets_no_more_and_none_late() {
    for takes in [1, 2, 5] {
        let mut fake = Fake::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let mut egress = MqttEgress::start(options(fake.address(), MqttVersion::V5), Handle::current());
        let mut line = fake.accept_with(MqttVersion::V5, &[0x20, 6, 0, 0, 3, 0x21, 0, takes]).await;
        until(&egress, true).await;
        let (mut waiting, mut first) = (Vec::new(), None);
        let refused = loop {
            let id = waiting.len() as u128;
            let mut answer = send(&mut egress, &order(id, TOPIC));
            // One that has no place is answered at once.
            if let Ok(refused) = answer.try_recv() {
                break refused;
            }
            assert_eq!(line.published().await, Uuid::from_u128(id), "{takes}");
            first.get_or_insert(line.packet);
            waiting.push(answer);
        };
        assert!(!waiting.is_empty() && waiting.len() <= usize::from(takes), "{takes}: {}", waiting.len());
        let told = format!("{} orders wait", waiting.len());
        assert!(matches!(&refused, Answer::NotSent { reason } if reason.contains(&told)), "{refused:?}");
        // What was turned away does not come when there is room again. Brokers answer in the order of what they were sent.
        line.packet = first.expect("one was taken");
        line.acknowledge().await;
        let mut looks = tokio::time::interval(Duration::from_millis(1));
        let mut last = send(&mut egress, &order(99, TOPIC));
        while last.try_recv().is_ok() {
            looks.tick().await;
            last = send(&mut egress, &order(99, TOPIC));
        }
        assert_eq!(line.published().await, Uuid::from_u128(99), "{takes}");
        line.acknowledge().await;
        assert!(matches!(soon("the answer", last).await, Ok(Answer::Acknowledged { .. })));
    }
}

#[tokio::test]
async fn a_broker_that_turns_an_order_down_is_heard() {
    let mut fake = Fake::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let mut egress = MqttEgress::start(options(fake.address(), MqttVersion::V5), Handle::current());
    let mut line = fake.accept(MqttVersion::V5).await;
    until(&egress, true).await;
    let answer = send(&mut egress, &order(1, TOPIC));
    line.published().await;
    // 0x87: not authorized.
    line.answer(0x87).await;
    let answer = soon("the answer", answer).await.expect("an answer");
    assert!(matches!(&answer, Answer::Declined { reason } if reason.contains("NotAuthorized")), "{answer:?}");
    // 0x10: nobody subscribes. The broker has it all the same.
    let answer = send(&mut egress, &order(2, TOPIC));
    line.published().await;
    line.answer(0x10).await;
    let answer = soon("the answer", answer).await.expect("an answer");
    assert!(matches!(&answer, Answer::Acknowledged { receipt } if receipt.contains("nobody")), "{answer:?}");
}

#[test]
fn passwords_stay_out_of_messages() {
    let credentials = Some(("anna".to_owned(), "secret".to_owned()));
    let options =
        MqttOptions { credentials, ..options(SocketAddr::from(([127, 0, 0, 1], 1883)), MqttVersion::V5) };
    let text = format!("{options:?}");
    assert!(text.contains("geminus-egress") && !text.contains("secret"), "{text}");
}
