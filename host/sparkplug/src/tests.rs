//! The host application against an edge node of the tests' own: births, data, deaths, gaps, and strangers' bytes.

use std::time::Duration;

use geminus_core::{Quality, Timestamp};
use proptest::prelude::*;

use crate::host::{DEATH_GUARD, REBIRTH_EVERY, REORDER, STATE_EVERY, rebirth};
use crate::topic::NodeName;
use crate::value::datatype;
use crate::{Ear, Host, Metric, Moment, Payload, Reading, Refusal, State, Transition, Update, Value, Wanted};

/// What a test hears.
#[derive(Clone, Debug, PartialEq)]
enum Heard {
    Value { place: u32, number: f64, time: u64, quality: Quality, birth: bool },
    Null(u32),
    Stale { place: u32, time: u64 },
    Rebirth(String),
    Announce,
    Transition(Transition),
    Refused(Refusal, u64),
}
use Heard::{Announce, Null, Refused};

#[derive(Debug, Default)]
struct Recorder {
    heard: Vec<Heard>,
    /// What the clock says, in milliseconds since the start.
    now: u64,
    /// When rebirths were asked for.
    rebirths: Vec<u64>,
}

impl Ear for Recorder {
    fn value(&mut self, update: &Update<'_>) -> Result<(), Refusal> {
        let &Update { place, quality, birth, .. } = update;
        let time = update.time.millis();
        self.heard.push(match update.reading {
            Reading::Number(number) => Heard::Value { place, number, time, quality, birth },
            Reading::Boolean(truth) => Heard::Value { place, number: f64::from(truth), time, quality, birth },
            Reading::Label(_) => return Err(Refusal::WrongType),
            Reading::Null => Null(place),
        });
        Ok(())
    }

    fn stale(&mut self, place: u32, time: Timestamp, _: Timestamp) {
        self.heard.push(Heard::Stale { place, time: time.millis() });
    }

    fn rebirth(&mut self, node: &NodeName) {
        self.rebirths.push(self.now);
        self.heard.push(Heard::Rebirth(node.to_string()));
    }

    fn announce(&mut self) {
        self.heard.push(Announce);
    }

    fn transition(&mut self, _: &NodeName, transition: Transition) {
        self.heard.push(Heard::Transition(transition));
    }

    fn refused(&mut self, _: &[u8], _: &[u8], refusal: Refusal, times: u64) {
        self.heard.push(Refused(refusal, times));
    }
}

/// Milliseconds since the epoch at which the source's clock starts. The host's is an hour ahead.
const START: u64 = 1_772_359_200_000;
const AHEAD: Duration = Duration::from_hours(1);
/// Places of what is wanted.
const SPEED: u32 = 0;
const TEMPERATURE: u32 = 1;
const NODE: &str = "plant/edge-1";

/// A host application, what it has heard, and the time, in milliseconds since the start.
struct Bench {
    host: Host,
    ear: Recorder,
    at: u64,
}

impl Bench {
    fn new() -> Self {
        let wanted = |place: &str, metric: &str| Wanted {
            place: place.parse().expect("a place"),
            metric: metric.to_owned(),
        };
        let wanted =
            [wanted("spBv1.0/plant/edge-1", "Speed"), wanted("spBv1.0/plant/edge-1/pump", "Motor/Temp")];
        Self { host: Host::new("geminus", &wanted), ear: Recorder::default(), at: 0 }
    }

    /// With a node and its device born at time 0, sequence numbers 0 and 1.
    fn born() -> Self {
        let mut bench = Self::new();
        bench.node_birth(0, 7);
        bench.device_birth(1);
        bench.heard();
        bench
    }

    fn moment(&mut self) -> Moment {
        self.ear.now = self.at;
        let received = Timestamp::from_millis(START + self.at).plus(AHEAD);
        Moment { received, monotonic: Duration::from_millis(self.at) }
    }

    fn take(&mut self, topic: &str, payload: &[u8]) {
        let moment = self.moment();
        self.host.take(topic.as_bytes(), payload, moment, &mut self.ear);
    }

    fn send(&mut self, kind: &str, device: &str, seq: Option<u64>, metrics: Vec<Metric<'_>>) {
        self.sent_at(self.at, kind, device, seq, metrics);
    }

    fn sent_at(&mut self, at: u64, kind: &str, device: &str, seq: Option<u64>, metrics: Vec<Metric<'_>>) {
        let payload = Payload { timestamp: Some(START + at), seq, metrics }.encode();
        self.take(&format!("spBv1.0/plant/{kind}/edge-1{device}"), &payload);
    }

    fn node_birth(&mut self, seq: u64, bd_seq: u64) {
        self.send("NBIRTH", "", Some(seq), vec![bd(bd_seq), named("Speed", 1, 10.0), named("Other", 2, 0.0)]);
    }

    fn device_birth(&mut self, seq: u64) {
        self.send("DBIRTH", "/pump", Some(seq), vec![named("Motor/Temp", 3, 20.0)]);
    }

    fn speed(&mut self, seq: u64, speed: f64) {
        self.send("NDATA", "", Some(seq), vec![aliased(1, speed)]);
    }

    fn temperature(&mut self, seq: u64, temperature: f64) {
        self.send("DDATA", "/pump", Some(seq), vec![aliased(3, temperature)]);
    }

    fn death(&mut self, bd_seq: u64) {
        self.sent_at(0, "NDEATH", "", None, vec![bd(bd_seq)]);
    }

    /// Lets time pass, with a tick at each due time and at the end.
    fn wait(&mut self, millis: u64) {
        let end = self.at + millis;
        while let Some(due) = self.host.due().filter(|due| due.as_millis() as u64 <= end) {
            self.at = self.at.max(due.as_millis() as u64);
            let moment = self.moment();
            self.host.tick(moment, &mut self.ear);
            assert!(self.host.due() > Some(due) || self.host.due().is_none(), "a tick that changes nothing");
        }
        self.at = end;
        let moment = self.moment();
        self.host.tick(moment, &mut self.ear);
    }

    fn heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.ear.heard)
    }
}

fn bd(bd_seq: u64) -> Metric<'static> {
    let (value, datatype) = (Some(Value::Long(bd_seq)), Some(datatype::INT64));
    Metric { name: Some("bdSeq"), datatype, value, ..Metric::default() }
}

fn named(name: &str, alias: u64, number: f64) -> Metric<'_> {
    let (value, datatype) = (Some(Value::Double(number)), Some(datatype::DOUBLE));
    Metric { name: Some(name), alias: Some(alias), datatype, value, ..Metric::default() }
}

fn aliased(alias: u64, number: f64) -> Metric<'static> {
    Metric { alias: Some(alias), value: Some(Value::Double(number)), ..Metric::default() }
}

fn value(place: u32, number: f64, at: u64) -> Heard {
    Heard::Value { place, number, time: START + at, quality: Quality::Good, birth: false }
}

fn birth(place: u32, number: f64, at: u64) -> Heard {
    Heard::Value { place, number, time: START + at, quality: Quality::Good, birth: true }
}

fn stale(place: u32, at: u64) -> Heard {
    Heard::Stale { place, time: START + at }
}

fn asked() -> Heard {
    Heard::Rebirth(NODE.to_owned())
}

const BORN: Heard = Heard::Transition(Transition::Born);
const DIED: Heard = Heard::Transition(Transition::Died);
const LOST: Heard = Heard::Transition(Transition::Lost);
const REORDER_MS: u64 = REORDER.as_millis() as u64;
const REBIRTH_EVERY_MS: u64 = REBIRTH_EVERY.as_millis() as u64;

#[test]
fn births_give_values_and_aliases_and_data_follows_in_order() {
    let mut bench = Bench::new();
    bench.node_birth(0, 7);
    bench.device_birth(1);
    assert_eq!(bench.heard(), [BORN, birth(SPEED, 10.0, 0), birth(TEMPERATURE, 20.0, 0)]);
    bench.wait(100);
    bench.speed(2, 11.0);
    bench.temperature(3, 21.0);
    assert_eq!(bench.heard(), [value(SPEED, 11.0, 100), value(TEMPERATURE, 21.0, 100)]);
    // By name; and a time and a quality of its own.
    let metric = Metric {
        name: Some("Motor/Temp"),
        timestamp: Some(START + 50),
        quality: Some(500),
        value: Some(Value::Double(22.0)),
        ..Metric::default()
    };
    bench.send("DDATA", "/pump", Some(4), vec![metric]);
    let quality = Quality::Stale;
    let expect = Heard::Value { place: TEMPERATURE, number: 22.0, time: START + 50, quality, birth: false };
    assert_eq!(bench.heard(), [expect]);
    let null = Metric { alias: Some(3), is_null: true, ..Metric::default() };
    bench.send("DDATA", "/pump", Some(5), vec![null]);
    assert_eq!(bench.heard(), [Null(TEMPERATURE)]);
    assert_eq!(bench.host.alive(), 1);
}

#[test]
fn sequence_numbers_go_round() {
    let mut bench = Bench::born();
    for number in 2..600_u64 {
        bench.speed(number % 256, number as f64);
    }
    let heard = bench.heard();
    assert_eq!(heard.len(), 598);
    assert!(heard.iter().all(|one| matches!(one, Heard::Value { .. })), "{heard:?}");
}

#[test]
fn what_comes_out_of_order_waits_for_its_turn_and_twice_counts_once() {
    let mut bench = Bench::born();
    bench.speed(4, 14.0);
    bench.speed(3, 13.0);
    assert_eq!(bench.heard(), []);
    bench.wait(REORDER_MS - 1);
    bench.speed(2, 12.0);
    let speeds: Vec<f64> = bench
        .heard()
        .iter()
        .map(|heard| match heard {
            Heard::Value { number, .. } => *number,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(speeds, [12.0, 13.0, 14.0]);
    bench.speed(4, 99.0);
    bench.speed(6, 16.0);
    bench.speed(6, 99.0);
    assert_eq!(bench.heard(), [Refused(Refusal::OutOfOrder, 1), Refused(Refusal::OutOfOrder, 1)]);
}

#[test]
fn a_gap_makes_everything_stale_and_a_rebirth_is_asked_for_not_too_often() {
    let mut bench = Bench::born();
    bench.wait(1_000);
    bench.speed(3, 13.0);
    bench.wait(REORDER_MS);
    let lost = 1_000 + REORDER_MS;
    let mut heard = bench.heard();
    heard.sort_by_key(|one| format!("{one:?}"));
    let mut expect =
        vec![Refused(Refusal::Gap, 1), stale(SPEED, lost), stale(TEMPERATURE, lost), LOST, asked()];
    expect.sort_by_key(|one| format!("{one:?}"));
    assert_eq!(heard, expect, "stale by the source's clock, which this host's is an hour ahead of");
    // It goes on without a birth: what it says waits, is given up, and one request follows.
    for (seq, number) in [(4, 14.0), (5, 15.0)] {
        bench.speed(seq, number);
    }
    bench.wait(REORDER_MS);
    assert_eq!(bench.heard(), [Refused(Refusal::NoBirth, 2)]);
    bench.wait(REBIRTH_EVERY_MS - REORDER_MS);
    assert_eq!(bench.heard(), [asked()]);
    bench.node_birth(0, 7);
    assert_eq!(bench.heard(), [BORN, birth(SPEED, 10.0, bench.at)]);
    bench.wait(10 * REBIRTH_EVERY_MS);
    assert_eq!(bench.heard(), [], "who is born is left in peace");
}

#[test]
fn an_unknown_alias_takes_nothing_of_the_message_and_asks_for_a_rebirth() {
    let mut bench = Bench::born();
    bench.send("NDATA", "", Some(2), vec![aliased(1, 11.0), aliased(99, 1.0)]);
    let heard = bench.heard();
    assert!(!heard.iter().any(|one| matches!(one, Heard::Value { .. })), "{heard:?}");
    for expect in [LOST, asked(), stale(SPEED, 0), stale(TEMPERATURE, 0), Refused(Refusal::UnknownAlias, 1)] {
        assert!(heard.contains(&expect), "{expect:?} of {heard:?}");
    }
}

#[test]
fn an_unknown_name_is_left_out_and_a_rebirth_asked_for() {
    let mut bench = Bench::born();
    let unknown = Metric { alias: None, ..named("New", 0, 1.0) };
    bench.send("NDATA", "", Some(2), vec![unknown, aliased(1, 11.0)]);
    assert_eq!(bench.heard(), [value(SPEED, 11.0, 0), Refused(Refusal::UnknownMetric, 1), asked()]);
}

#[test]
fn a_death_counts_for_its_own_session_and_later_ones_only() {
    for (bd_seq, dies) in [(7, true), (8, true), (6, false), (255, false)] {
        let mut bench = Bench::born();
        bench.wait(500);
        bench.death(bd_seq);
        let heard = bench.heard();
        if dies {
            assert_eq!(heard.len(), 3, "{heard:?}");
            for expect in [DIED, stale(SPEED, 500), stale(TEMPERATURE, 500)] {
                assert!(heard.contains(&expect), "{expect:?} of {heard:?}");
            }
        } else {
            assert_eq!(heard, [Refused(Refusal::OldDeath, 1)], "{bd_seq}");
        }
    }
    // Nobody can tell whose death it is: the points are stale, and who lives is born again.
    let mut bench = Bench::born();
    bench.sent_at(0, "NDEATH", "", None, vec![]);
    assert!(bench.heard().contains(&DIED));
    bench.wait(REORDER_MS);
    assert_eq!(bench.heard(), [asked()]);
}

#[test]
fn a_birth_that_its_own_death_overtook_brings_nobody_back() {
    let mut bench = Bench::born();
    bench.death(7);
    bench.heard();
    bench.wait(DEATH_GUARD.as_millis() as u64 - 1);
    bench.node_birth(0, 7);
    assert_eq!(bench.heard(), [Refused(Refusal::AfterDeath, 1)]);
    assert_eq!(bench.host.alive(), 0);
    bench.wait(REORDER_MS);
    assert_eq!(bench.heard(), [asked()], "if it lives after all, it says so");
    bench.node_birth(0, 7);
    assert!(bench.heard().contains(&BORN));
    // The next session may come at once.
    bench.death(7);
    bench.node_birth(0, 8);
    assert!(bench.heard().ends_with(&[BORN, birth(SPEED, 10.0, bench.at)]));
}

#[test]
fn a_device_dies_alone() {
    let mut bench = Bench::born();
    bench.wait(10);
    bench.send("DDEATH", "/pump", Some(2), vec![]);
    assert_eq!(bench.heard(), [stale(TEMPERATURE, 10)]);
    bench.speed(3, 11.0);
    assert_eq!(bench.heard(), [value(SPEED, 11.0, 10)]);
    bench.temperature(4, 21.0);
    assert_eq!(bench.heard(), [Refused(Refusal::NoBirth, 1), asked()]);
    bench.device_birth(5);
    assert_eq!(bench.heard(), [birth(TEMPERATURE, 20.0, 10)]);
}

#[test]
fn a_rebirth_lets_devices_be_for_a_while_and_those_that_stay_away_are_stale() {
    let mut bench = Bench::born();
    bench.wait(1_000);
    bench.node_birth(0, 7);
    assert_eq!(bench.heard(), [birth(SPEED, 10.0, 1_000)], "no flicker");
    bench.device_birth(1);
    assert_eq!(bench.heard(), [birth(TEMPERATURE, 20.0, 1_000)]);
    bench.wait(REORDER_MS);
    assert_eq!(bench.heard(), []);
    bench.node_birth(0, 7);
    bench.heard();
    bench.wait(REORDER_MS);
    assert_eq!(bench.heard(), [stale(TEMPERATURE, 1_000 + 2 * REORDER_MS)]);
    // A birth that has lost a metric.
    bench.send("NBIRTH", "", Some(0), vec![bd(7)]);
    assert_eq!(bench.heard(), [stale(SPEED, bench.at)]);
}

#[test]
fn data_from_before_a_rebirth_is_not_taken_for_data_after_it() {
    let mut bench = Bench::born();
    bench.wait(1_000);
    bench.node_birth(0, 7);
    bench.heard();
    // Its number is the next one, but it was sent before the birth.
    bench.sent_at(999, "NDATA", "", Some(1), vec![aliased(1, 99.0)]);
    assert_eq!(bench.heard(), [Refused(Refusal::BeforeBirth, 1)]);
    // The clock of an edge node that was set back shuts nobody out for ever.
    bench.device_birth(1);
    bench.heard();
    bench.wait(REORDER_MS);
    bench.sent_at(500, "NDATA", "", Some(2), vec![aliased(1, 12.0)]);
    assert_eq!(bench.heard(), [value(SPEED, 12.0, 500)]);
}

#[test]
fn a_device_that_is_born_before_its_node_waits_for_it() {
    let mut bench = Bench::new();
    bench.sent_at(1, "DBIRTH", "/pump", Some(1), vec![named("Motor/Temp", 3, 20.0)]);
    assert_eq!(bench.heard(), []);
    bench.wait(10);
    bench.sent_at(0, "NBIRTH", "", Some(0), vec![bd(7), named("Speed", 1, 10.0)]);
    assert_eq!(bench.heard(), [BORN, birth(SPEED, 10.0, 0), birth(TEMPERATURE, 20.0, 1)]);
}

#[test]
fn after_a_connection_silent_nodes_are_asked_once_and_a_lost_broker_makes_all_stale() {
    let mut bench = Bench::new();
    bench.host.connected(Duration::ZERO);
    bench.wait(REORDER_MS);
    assert_eq!(bench.heard(), [asked()]);
    bench.wait(10 * REBIRTH_EVERY_MS);
    assert_eq!(bench.heard(), [], "who is not there is not asked for ever");
    bench.node_birth(0, 7);
    bench.device_birth(1);
    bench.heard();
    bench.wait(100);
    let moment = bench.moment();
    bench.host.disconnected(moment, &mut bench.ear);
    let at = 11 * REBIRTH_EVERY_MS - (REBIRTH_EVERY_MS - REORDER_MS) + 100;
    assert_eq!(bench.heard(), [stale(SPEED, at), stale(TEMPERATURE, at)]);
    bench.host.connected(moment.monotonic);
    bench.node_birth(0, 7);
    bench.wait(10 * REBIRTH_EVERY_MS);
    assert_eq!(bench.heard(), [BORN, birth(SPEED, 10.0, at)], "who notices by itself is not asked");
}

#[test]
fn each_message_that_breaks_a_rule_has_its_reason() {
    let check = |kind: &str, device: &str, seq, metrics, expect: Refusal| {
        let mut bench = Bench::born();
        bench.send(kind, device, seq, metrics);
        let heard = bench.heard();
        assert!(heard.contains(&Refused(expect, 1)), "{kind}: {expect:?} of {heard:?}");
    };
    check("NDATA", "", None, vec![], Refusal::NoSequence);
    check("NDATA", "", Some(256), vec![], Refusal::NoSequence);
    check("NBIRTH", "", Some(0), vec![named("Speed", 1, 1.0)], Refusal::NoBdSeq);
    check("NBIRTH", "", None, vec![bd(7)], Refusal::NoSequence);
    check("NBIRTH", "", Some(0), vec![bd(7), aliased(1, 1.0)], Refusal::UnknownMetric);
    let one_alias = || vec![bd(7), named("Speed", 1, 1.0), named("Other", 1, 2.0)];
    check("NBIRTH", "", Some(0), one_alias(), Refusal::Ambiguous);
    check("DBIRTH", "/pump", Some(2), one_alias(), Refusal::Ambiguous);
    let one_name = vec![bd(7), named("Speed", 1, 1.0), named("Speed", 2, 2.0)];
    check("NBIRTH", "", Some(0), one_name, Refusal::Ambiguous);
    check("DDATA", "/other", Some(2), vec![], Refusal::NoBirth);
    check("NDATA", "/pump", Some(2), vec![], Refusal::Topic);
    let text = Metric { value: Some(Value::Text("fast")), ..aliased(1, 0.0) };
    check("NDATA", "", Some(2), vec![text], Refusal::WrongType);
    check("NDATA", "", Some(2), vec![Metric { value: None, ..aliased(1, 0.0) }], Refusal::NoValue);
    let mut bench = Bench::born();
    bench.take("spBv1.0/plant/NDATA/edge-1", b"{\"value\":1}");
    bench.take("spBv1.0/plant/NDATA/edge-2", b"");
    bench.take("spBv1.0/plant/NCMD/edge-1", b"of others, not for us");
    assert_eq!(bench.heard(), [Refused(Refusal::Malformed, 1), Refused(Refusal::UnknownNode, 1)]);
}

#[test]
fn a_birth_whose_data_could_mean_two_things_is_worse_than_none() {
    // Another alias means the speed now, and the next data could follow the birth before as well.
    let mut bench = Bench::new();
    bench.node_birth(0, 7);
    bench.heard();
    bench.send("NBIRTH", "", Some(0), vec![bd(8), named("Speed", 2, 1.0), named("Other", 2, 5.0)]);
    bench.speed(1, 99.0);
    let expect = [stale(SPEED, 0), LOST, asked(), Refused(Refusal::Ambiguous, 1)];
    let heard = bench.heard();
    assert!(heard.len() == 4 && expect.iter().all(|one| heard.contains(one)), "{heard:?}");
    assert_eq!(bench.host.alive(), 0);
    // A device that is born so takes nobody along.
    let mut bench = Bench::born();
    let twice = vec![named("Motor/Temp", 3, 30.0), named("Motor/Temp", 4, 40.0)];
    bench.send("DBIRTH", "/pump", Some(2), twice);
    assert_eq!(bench.heard(), [stale(TEMPERATURE, 0), Refused(Refusal::Ambiguous, 1)]);
    bench.temperature(3, 99.0);
    bench.speed(4, 11.0);
    let expect = [Refused(Refusal::NoBirth, 1), asked(), value(SPEED, 11.0, 0)];
    let heard = bench.heard();
    assert!(heard.len() == 3 && expect.iter().all(|one| heard.contains(one)), "{heard:?}");
    bench.send("DBIRTH", "/pump", Some(5), vec![named("Motor/Temp", 3, 30.0)]);
    assert_eq!(bench.heard(), [birth(TEMPERATURE, 30.0, 0)]);
}

#[test]
fn limits_are_reached() {
    let mut bench = Bench::born();
    for device in 0..crate::host::DEVICES_MAX as u64 {
        bench.send("DBIRTH", &format!("/d{device}"), Some((device + 2) % 256), vec![]);
    }
    assert_eq!(bench.heard(), [Refused(Refusal::TooMany, 1)], "pump is one of them");
    let mut bench = Bench::born();
    for ahead in 1..=127 {
        bench.speed(2 + ahead, 0.0);
    }
    assert_eq!(bench.heard(), []);
    // 128 ahead is as far behind.
    bench.speed(2 + 128, 0.0);
    assert_eq!(bench.heard(), [Refused(Refusal::OutOfOrder, 1)]);
    let mut bench = Bench::born();
    let long = "x".repeat(crate::held::HELD_BYTES_MAX);
    let metric = Metric { name: Some(&long), ..Metric::default() };
    bench.send("NDATA", "", Some(3), vec![metric]);
    assert!(bench.heard().contains(&Refused(Refusal::Gap, 1)));
    let metrics = vec![Metric::default(); crate::payload::METRICS_MAX + 1];
    let payload = Payload { metrics, ..Payload::default() }.encode();
    assert_eq!(Payload::decode(&payload), Err(Refusal::TooMany));
}

#[test]
fn somebody_who_says_that_we_are_gone_is_put_right_once_a_second() {
    let mut bench = Bench::new();
    let say = |bench: &mut Bench, id: &str, online| {
        let state = State { online, timestamp: 1 }.to_json();
        bench.take(&format!("spBv1.0/STATE/{id}"), state.as_bytes());
    };
    say(&mut bench, "geminus", true);
    say(&mut bench, "other", false);
    assert_eq!(bench.heard(), []);
    say(&mut bench, "geminus", false);
    assert_eq!(bench.heard(), [Announce], "at once");
    for _ in 0..10 {
        say(&mut bench, "geminus", false);
    }
    bench.take("spBv1.0/STATE/geminus", b"OFFLINE");
    assert_eq!(bench.heard(), []);
    bench.wait(STATE_EVERY.as_millis() as u64);
    assert_eq!(bench.heard(), [Announce]);
}

#[test]
fn a_rebirth_command_is_what_edge_nodes_expect() {
    let bytes = rebirth(Timestamp::from_millis(START));
    let payload = Payload::decode(&bytes).expect("a payload");
    let [metric] = payload.metrics.as_slice() else { panic!("{payload:?}") };
    assert_eq!((metric.name, metric.value), (Some("Node Control/Rebirth"), Some(Value::Boolean(true))));
    assert_eq!((metric.datatype, payload.seq), (Some(datatype::BOOLEAN), None), "commands have no seq");
}

/// Any value that can be written.
fn any_value() -> impl Strategy<Value = Option<Value<'static>>> {
    prop_oneof![
        Just(None),
        any::<u32>().prop_map(|bits| Some(Value::Int(bits))),
        any::<u64>().prop_map(|bits| Some(Value::Long(bits))),
        any::<u32>().prop_map(|bits| Some(Value::Float(f32::from_bits(bits)))),
        any::<u64>().prop_map(|bits| Some(Value::Double(f64::from_bits(bits)))),
        any::<bool>().prop_map(|truth| Some(Value::Boolean(truth))),
        Just(Some(Value::Text("öffnet"))),
        Just(Some(Value::Bytes(b"\0\xff"))),
    ]
}

fn any_metric() -> impl Strategy<Value = Metric<'static>> {
    let name = prop_oneof![Just(None), Just(Some("bdSeq")), Just(Some("Speed")), Just(Some("Motor/Temp"))];
    let alias = prop_oneof![Just(None), (0..5_u64).prop_map(Some), any::<u64>().prop_map(Some)];
    let numbers = (any::<Option<u64>>(), any::<Option<u32>>(), any::<Option<u32>>());
    (name, alias, numbers, any::<(bool, bool)>(), any_value()).prop_map(
        |(name, alias, (timestamp, datatype, quality), (is_historical, is_null), value)| Metric {
            name,
            alias,
            timestamp,
            datatype,
            is_historical,
            is_null,
            quality: quality.map(u64::from),
            unit: name,
            value,
        },
    )
}

fn any_payload() -> impl Strategy<Value = Vec<u8>> {
    let seq = prop_oneof![Just(None), (0..300_u64).prop_map(Some)];
    let metrics = prop::collection::vec(any_metric(), 0..6);
    (any::<Option<u64>>(), seq, metrics)
        .prop_map(|(timestamp, seq, metrics)| Payload { timestamp, seq, metrics }.encode())
}

const TOPICS: [&str; 8] = [
    "spBv1.0/plant/NBIRTH/edge-1",
    "spBv1.0/plant/NDEATH/edge-1",
    "spBv1.0/plant/NDATA/edge-1",
    "spBv1.0/plant/DBIRTH/edge-1/pump",
    "spBv1.0/plant/DDEATH/edge-1/pump",
    "spBv1.0/plant/DDATA/edge-1/pump",
    "spBv1.0/STATE/geminus",
    "spBv1.0/plant/NCMD/edge-1",
];

proptest! {
    /// Bytes survive: what was decoded and written again is written the same way once more.
    #[test]
    fn a_payload_goes_both_ways(bytes in any_payload()) {
        let payload = Payload::decode(&bytes).expect("it was encoded");
        prop_assert_eq!(payload.encode(), bytes);
    }

    #[test]
    fn no_bytes_make_the_codec_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let read = (Payload::decode(&bytes), crate::Topic::parse(&bytes), State::from_json(&bytes));
        prop_assert!(read.0.is_ok() || read.0 == Err(Refusal::Malformed));
        prop_assert!(read.1.is_ok() || read.1 == Err(Refusal::Topic));
    }

    /// One flipped byte of a good payload is refused or read, never more.
    #[test]
    fn damaged_payloads_are_read_or_refused(bytes in any_payload(), at in any::<prop::sample::Index>(), to: u8) {
        let mut bytes = bytes;
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        let read = Payload::decode(&bytes);
        prop_assert!(read.is_ok() || read == Err(Refusal::Malformed));
    }

    /// Whatever an edge node sends, in whatever order: no panic, rebirths no oftener than allowed, and after the loss of
    /// the broker nobody is alive and nothing is left to be told.
    #[test]
    fn any_course_of_messages_is_followed(
        course in prop::collection::vec((0..TOPICS.len(), any_payload(), 0..5_000_u64), 0..60),
    ) {
        let mut bench = Bench::new();
        for (topic, payload, wait) in course {
            bench.take(TOPICS[topic], &payload);
            bench.wait(wait);
            prop_assert!(bench.host.alive() <= 1);
        }
        for (one, next) in bench.ear.rebirths.iter().zip(bench.ear.rebirths.iter().skip(1)) {
            prop_assert!(next - one >= REBIRTH_EVERY_MS, "{:?}", bench.ear.rebirths);
        }
        let moment = bench.moment();
        bench.host.disconnected(moment, &mut bench.ear);
        bench.heard();
        prop_assert_eq!(bench.host.alive(), 0);
        prop_assert_eq!(bench.host.due(), None);
        bench.host.disconnected(moment, &mut bench.ear);
        prop_assert_eq!(bench.heard(), vec![]);
    }
}
