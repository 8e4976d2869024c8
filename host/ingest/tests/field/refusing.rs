//! What is not taken is counted, told, acknowledged and does not stop what is.

use geminus_ingest::{MqttOptions, QoS, Reason};

use crate::house::{BOTH, House, publish, take, until};
use crate::peer::Mosquitto;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_messages_are_refused_and_the_good_ones_pass() {
    for version in BOTH {
        let Some(broker) = Mosquitto::start().await else { return };
        let house = House::with(&["plant/a"]);
        let options =
            MqttOptions { version, ..MqttOptions::new(broker.url(), "strict", vec!["plant/#".to_owned()]) };
        let limit = options.limits.payload_bytes_max;
        let (source, mut batches) = house.spawn(options);
        house.wait_for("source-connected", 1).await;
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        // Once this one came, the subscription stands.
        publish(&mut publisher, "plant/a", 0..1).await;
        take(&mut batches, 1).await;

        let padded = |bytes: usize| [vec![b' '; bytes - 2], b"42".to_vec()].concat();
        let payloads: [(&str, Vec<u8>, Option<Reason>); 10] = [
            ("plant/a", b"{\"value\":".to_vec(), Some(Reason::Malformed)),
            ("plant/a", b"{\"value\":\"hot\"}".to_vec(), Some(Reason::WrongType)),
            ("plant/a", b"{\"other\":1}".to_vec(), Some(Reason::NoValue)),
            ("plant/a", b"{\"value\":1,\"quality\":\"great\"}".to_vec(), Some(Reason::UnknownQuality)),
            ("plant/a", b"{\"value\":1,\"time\":\"noon\"}".to_vec(), Some(Reason::BadTime)),
            ("plant/a", b"{\"value\":1,\"time\":4102444800000}".to_vec(), Some(Reason::FutureTime)),
            ("plant/a", vec![0xff; 64], Some(Reason::Malformed)),
            ("plant/unknown/ü", b"1".to_vec(), Some(Reason::UnknownTopic)),
            ("plant/a", padded(limit), None),
            ("plant/a", padded(limit + 1), Some(Reason::TooLarge)),
        ];
        let expected = payloads.iter().filter(|(.., refused)| refused.is_some()).count() as u64;
        for (topic, payload, _) in &payloads {
            publisher.publish(topic, payload.clone()).await.expect("published");
        }
        publish(&mut publisher, "plant/a", 7..8).await;
        assert_eq!(take(&mut batches, 2).await, [42.0, 7.0]);

        let stats = source.stats();
        assert_eq!(stats.refusals().total(), expected);
        // Labels are refused where there are some, the last three by Sparkplug alone.
        let others = [Reason::UnknownLabel, Reason::NoBirth, Reason::OutOfOrder, Reason::UnknownMetric];
        for reason in Reason::ALL.into_iter().filter(|reason| !others.contains(reason)) {
            assert!(stats.refusals().of(reason) > 0, "{}", reason.name());
        }
        let told = house.told("sample-refused");
        assert_eq!(told.len(), 8, "malformed comes twice and is told once: {told:?}");
        assert!(told.iter().any(|event| event.facts["topic"] == "plant/unknown/\\xc3\\xbc"));
        until("everything acknowledged, refused or not", || stats.acknowledged() == stats.messages()).await;
        assert_eq!(stats.connections(), 1, "nothing broke the connection");
        source.stop().await;
    }
}
