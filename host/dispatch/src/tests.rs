//! The last check before the field, and the one answer that every order gets.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use geminus_core::declaration::Command;
use geminus_core::{Authority, Proposal, Quality, TwinIndex};
use geminus_interlock::{Rules, TwinFacts, Verdict, judge};

use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000);

/// Remembers what it was given, and answers as told; `None` forgets to.
struct Recording {
    sent: Vec<(Uuid, TwinIndex, String, f64, Timestamp)>,
    answer: Option<Answer>,
}

impl Egress for Recording {
    fn send(&mut self, order: &Order<'_>, _: Timestamp, reply: Reply) {
        self.sent.push((order.id, order.twin, order.address.to_owned(), order.value, order.expires));
        if let Some(answer) = self.answer.clone() {
            reply.answer(answer);
        }
    }
}

fn dispatcher(answer: Option<Answer>) -> Dispatcher<Recording> {
    Dispatcher::new(Recording { sent: Vec::new(), answer })
}

fn reply() -> (Reply, Receiver<Answer>) {
    let (tell, told) = channel();
    (Reply::new(move |answer| tell.send(answer).expect("heard")), told)
}

fn delivery(id: u128) -> Delivery<'static> {
    Delivery { id: Uuid::from_u128(id), address: "rig/pump-1/set/speed", unit: "/min", by: "operator anna" }
}

fn permit() -> Permit {
    let command = Command {
        name: "speed".to_owned(),
        unit: "/min".to_owned(),
        minimum: 0.0,
        maximum: 10.0,
        description: String::new(),
    };
    let proposal = Proposal {
        row: 0,
        command: 0,
        value: 5.0,
        confidence: 1.0,
        valid_for_ms: 1000,
        reason: String::new(),
    };
    let facts = TwinFacts {
        twin: TwinIndex(1),
        authority: Authority::Control,
        generation: 3,
        live: true,
        inputs: &[("flow", Quality::Good)],
        row_time: NOW,
        present: None,
    };
    let rules = Rules {
        command: &command,
        minimum: None,
        maximum: None,
        step_max: None,
        confidence_min: 0.5,
        permit_ms: 1000,
        bumpless: None,
    };
    match judge(&proposal, &facts, &rules, NOW) {
        Verdict::Permit(permit) => permit,
        other => panic!("{other:?}"),
    }
}

/// What a dispatcher says to one permit.
fn told(dispatcher: &mut Dispatcher<Recording>, id: u128, current: u64, now: Timestamp) -> Answer {
    let (reply, answer) = reply();
    dispatcher.send(permit(), &delivery(id), current, now, reply);
    let told = answer.try_recv().expect("an answer");
    assert!(answer.try_recv().is_err(), "one answer");
    told
}

#[test]
fn a_valid_permit_is_sent_once_and_answered() {
    let acknowledged = Answer::Acknowledged { receipt: "PUBACK".to_owned() };
    let mut dispatcher = dispatcher(Some(acknowledged.clone()));
    let last = Timestamp(NOW.0 + 999_999_999);
    assert_eq!(told(&mut dispatcher, 7, 3, last), acknowledged);
    let expires = Timestamp(NOW.0 + 1_000_000_000);
    let sent = (Uuid::from_u128(7), TwinIndex(1), "rig/pump-1/set/speed".to_owned(), 5.0, expires);
    assert_eq!(dispatcher.egress.sent, [sent]);
    let again = Answer::Lost { reason: "speed was handed over before".to_owned() };
    assert_eq!(told(&mut dispatcher, 7, 3, last), again, "an id is sent once, whatever permit comes with it");
    assert_eq!(dispatcher.egress.sent.len(), 1);
}

#[test]
fn superseded_and_expired_permits_never_reach_the_egress() {
    let mut dispatcher = dispatcher(Some(Answer::Acknowledged { receipt: String::new() }));
    for (current, now_ns, expect) in [
        (4, NOW.0, "speed is superseded: its permit is of generation 3, the twin is at 4"),
        (2, NOW.0, "speed is superseded: its permit is of generation 3, the twin is at 2"),
        (3, NOW.0 + 1_000_000_000, "speed expired 0 ms ago"),
        (3, NOW.0 + 1_250_000_000, "speed expired 250 ms ago"),
    ] {
        let answer = told(&mut dispatcher, 7, current, Timestamp(now_ns));
        assert_eq!(answer, Answer::NotSent { reason: expect.to_owned() });
    }
    assert_eq!(dispatcher.egress.sent, []);
}

#[test]
fn an_egress_that_forgets_to_answer_has_lost_the_order() {
    let mut dispatcher = dispatcher(None);
    let answer = told(&mut dispatcher, 7, 3, NOW);
    assert!(matches!(&answer, Answer::Lost { reason } if reason.contains("without an answer")), "{answer:?}");
    assert_eq!(dispatcher.egress.sent.len(), 1, "and it is not repeated");
}

#[test]
fn only_so_many_ids_are_remembered() {
    let mut dispatcher = dispatcher(Some(Answer::Acknowledged { receipt: String::new() }));
    (0..=IDS_MAX as u128).for_each(|id| dispatcher.remember(Uuid::from_u128(id)));
    assert_eq!((dispatcher.known.len(), dispatcher.oldest_first.len()), (IDS_MAX, IDS_MAX));
    assert!(
        !dispatcher.known.contains(&Uuid::from_u128(0)) && dispatcher.known.contains(&Uuid::from_u128(1))
    );
}

#[test]
fn a_beat_says_what_is_documented_and_a_protocol_without_one_refuses_it() {
    let beat = Beat {
        twin: "pump-1",
        target: "load-limit",
        address: "rig/pump-1/set/heartbeat",
        sequence: 7,
        time: NOW,
        every: Duration::from_millis(1_500),
    };
    let text = String::from_utf8(beat.payload().expect("payload")).expect("text");
    let expect =
        "{\"twin\":\"pump-1\",\"target\":\"load-limit\",\"sequence\":7,\"time\":1000,\"every_ms\":1500}";
    assert_eq!(text, expect);
    assert_eq!(beat.expiry_s(), 5, "three periods, rounded up");
    assert_eq!(Beat { every: Duration::from_millis(100), ..beat }.expiry_s(), 1);
    // What it sends through has none of its own.
    let refused = dispatcher(None).beat(&beat).expect_err("no heartbeat");
    assert!(refused.contains("no heartbeat can be written to rig/pump-1/set/heartbeat"), "{refused}");
}

#[test]
fn the_payload_is_the_documented_one() {
    let order = Order {
        id: Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001),
        twin: TwinIndex(1),
        address: "rig/pump-1/set/speed",
        value: 0.1,
        unit: "/min",
        by: "operator anna",
        expires: NOW.plus(Duration::from_millis(1_500)),
    };
    let text = String::from_utf8(order.payload().expect("payload")).expect("text");
    let expect = "{\"id\":\"01990000-0000-7000-8000-000000000001\",\"value\":0.1,\"unit\":\"/min\",\
                  \"not_after\":2500,\"by\":\"operator anna\"}";
    assert_eq!(text, expect);
    assert!(Order { value: f64::NAN, ..order }.payload().is_err());
    assert_eq!((order.expiry_s(NOW), order.expiry_s(order.expires)), (1, 1));
    assert_eq!(Order { expires: NOW.plus(Duration::from_millis(2_999)), ..order }.expiry_s(NOW), 2);
}
