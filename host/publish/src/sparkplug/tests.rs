//! What an edge node says, read back by the room that host applications use.

use std::time::Duration;

use geminus_sparkplug::{Ear, Host, Moment, Reading, Refusal, Transition, Update, Wanted, host};

use super::*;
use crate::rig;

const NOW: Timestamp = rig::TIME;

fn node() -> EdgeNode {
    EdgeNode::new("plant", "geminus")
}

fn say(node: &mut EdgeNode, work: &Work, outlet: &Outlet) -> Outgoing {
    let message = node.message(work, &rig::catalogue(), outlet, NOW).expect("a message");
    node.said(work);
    assert!(!message.retained, "Sparkplug retains no data");
    message
}

#[test]
fn birth_and_death_carry_the_same_number_which_grows_with_each_session() {
    let mut node = node();
    let session = |payload: &[u8]| {
        let payload = Payload::decode(payload).expect("a payload");
        let metric = payload.metrics.iter().find(|metric| metric.name == Some(BD_SEQ)).cloned();
        let number = match metric.and_then(|metric| metric.value) {
            Some(Value::Long(number)) => number,
            other => panic!("{other:?}"),
        };
        (number, payload.seq)
    };
    let mut last = None;
    for _ in 0..300 {
        let will = node.begin(NOW);
        assert_eq!((will.topic.as_str(), will.retained), ("spBv1.0/plant/NDEATH/geminus", false));
        let birth = say(&mut node, &Work::Here, &Outlet::new(0));
        assert_eq!(birth.topic, "spBv1.0/plant/NBIRTH/geminus");
        let (number, seq) = session(&birth.payload);
        assert_eq!((session(&will.payload), seq), ((number, None), Some(0)));
        assert!(last.is_none_or(|last| number == (last + 1) % 256), "{number} after {last:?}");
        last = Some(number);
    }
}

#[test]
fn numbers_of_messages_go_round() {
    let (mut node, outlet) = (node(), Outlet::new(8));
    node.begin(NOW);
    say(&mut node, &Work::Here, &outlet);
    for n in 1..600_u64 {
        let message = say(&mut node, &Work::Items(vec![0]), &outlet);
        assert_eq!(Payload::decode(&message.payload).expect("a payload").seq, Some(n % 256));
    }
}

#[test]
fn only_a_command_to_this_node_asks_for_births() {
    let ask = host::rebirth(NOW);
    let asks = |topic: &str, payload: &[u8]| node().asks_for_births(topic.as_bytes(), payload);
    assert!(asks("spBv1.0/plant/NCMD/geminus", &ask));
    assert!(!asks("spBv1.0/plant/NCMD/other", &ask));
    assert!(!asks("spBv1.0/plant/DCMD/geminus/pump-1", &ask));
    assert!(!asks("spBv1.0/plant/NCMD/geminus", b"\xff\xff"));
    assert!(!asks("spBv1.0/plant/NCMD/geminus", &Payload::default().encode()));
}

/// A host application that remembers what it heard.
#[derive(Default)]
struct Heard {
    values: Vec<(u32, Option<f64>, Quality, Timestamp)>,
    texts: Vec<(u32, String)>,
    refused: Vec<Refusal>,
    rebirths: usize,
}

impl Ear for Heard {
    fn value(&mut self, update: &Update<'_>) -> Result<(), Refusal> {
        match update.reading {
            Reading::Number(value) => {
                self.values.push((update.place, Some(value), update.quality, update.time));
            }
            Reading::Null => self.values.push((update.place, None, update.quality, update.time)),
            Reading::Label(text) => self.texts.push((update.place, text.to_owned())),
            Reading::Boolean(_) => return Err(Refusal::WrongType),
        }
        Ok(())
    }

    fn stale(&mut self, place: u32, _: Timestamp, _: Timestamp) {
        panic!("{place} is stale while the node lives");
    }

    fn rebirth(&mut self, _: &NodeName) {
        self.rebirths += 1;
    }

    fn announce(&mut self) {
        panic!("nobody said that the host application has gone");
    }

    fn transition(&mut self, _: &NodeName, transition: Transition) {
        assert_eq!(transition, Transition::Born);
    }

    fn refused(&mut self, _: &[u8], _: &[u8], refusal: Refusal, _: u64) {
        self.refused.push(refusal);
    }
}

#[test]
fn a_host_application_holds_what_was_published_bit_for_bit() {
    let place: geminus_sparkplug::topic::Place = "spBv1.0/plant/geminus/pump-1".parse().expect("a place");
    let wanted = ["thermal.winding_temperature", "thermal.margin", "health/verdict", "alarm/thermal.hot"]
        .map(|metric| Wanted { place: place.clone(), metric: metric.to_owned() });
    let (mut host, mut heard) = (Host::new("h", &wanted), Heard::default());
    let moment = |seconds| Moment { received: NOW, monotonic: Duration::from_secs(seconds) };
    host.connected(Duration::ZERO);
    let (mut node, outlet) = (node(), Outlet::new(8));
    outlet.put([
        (rig::TEMPERATURE, rig::number(0.1, Quality::Good)),
        (rig::HEALTH, rig::health(None)),
        (rig::ALARM, rig::alarm("normal")),
    ]);
    node.begin(NOW);
    for work in [Work::Here, Work::Twin(0), Work::Twin(1)] {
        let message = say(&mut node, &work, &outlet);
        host.take(message.topic.as_bytes(), &message.payload, moment(1), &mut heard);
    }
    for (value, quality) in [
        (-0.0, Quality::Good),
        (5e-324, Quality::Stale),
        (f64::MAX, Quality::Uncertain),
        (f64::NAN, Quality::Good),
    ] {
        outlet.put([(rig::TEMPERATURE, rig::number(value, quality))]);
        let message = say(&mut node, &Work::Items(vec![rig::TEMPERATURE]), &outlet);
        host.take(message.topic.as_bytes(), &message.payload, moment(2), &mut heard);
    }
    let of: Vec<(Option<u64>, Quality)> = heard
        .values
        .iter()
        .filter(|(place, ..)| *place == 0)
        .map(|(_, value, quality, time)| {
            assert_eq!(time.millis(), NOW.millis(), "source time");
            (value.map(f64::to_bits), *quality)
        })
        .collect();
    let number = |value: f64| Some(value.to_bits());
    assert_eq!(
        of,
        [
            (number(0.1), Quality::Good),
            (number(-0.0), Quality::Good),
            (number(5e-324), Quality::Stale),
            (number(f64::MAX), Quality::Bad),
            (None, Quality::Bad),
        ]
    );
    assert_eq!(heard.texts, [(2, "warning".to_owned()), (3, "normal".to_owned())]);
    assert!(heard.refused.is_empty(), "{:?}", heard.refused);
    assert_eq!(heard.rebirths, 0, "everything could be followed");
}
