//! What behaviors wish, row after row.

use geminus_api::orders::TargetOrder;
use geminus_api::view::Level;
use geminus_command::{Evidence, Proposer};

use super::super::CONFIDENCE;
use super::super::wish::BehaviorWish;
use super::*;

impl Rig {
    fn hear(&mut self, target: &str, value: f64, confidence: f64) {
        self.hear_with(target, value, &[confidence], "0.1.0");
    }

    /// Several entries are called `confidence`; the last one is the host's.
    fn hear_with(&mut self, target: &str, value: f64, confidences: &[f64], version: &str) {
        let evidence = confidences.iter().map(|confidence| Evidence {
            point: CONFIDENCE.to_owned(),
            value: Some(*confidence),
            quality: Quality::Good,
            time: self.now.wall,
        });
        let wish = BehaviorWish {
            twin: self.desk.plant.find("rig-1").expect("rig-1"),
            target: target.to_owned(),
            value,
            proposer: Proposer::Behavior {
                name: "throttle".to_owned(),
                version: version.to_owned(),
                digest: Digest::of(b"x").to_string(),
            },
            reason: "warm".to_owned(),
            evidence: evidence.collect(),
            row: self.now.wall,
            valid: Duration::from_secs(5),
            first: self.first,
        };
        self.desk.hear_wish(wish, self.now);
    }

    /// Values of the commands in the order in which they came.
    fn commanded(&self) -> Vec<(f64, String)> {
        let seen = self.seen.seen();
        let mut rows: Vec<_> = seen.rows.values().collect();
        rows.sort_by_key(|row| row.number);
        let value = |row: &&CommandRow| {
            let record = geminus_command::Record::from_document(&row.document).expect("a record");
            (record.command().value, row.state.clone())
        };
        rows.iter().map(value).collect()
    }
}

#[test]
fn at_advise_a_person_approves_whatever_a_behavior_wishes() {
    let mut rig = Rig::new();
    rig.hear("free", 4.0, 0.9);
    assert_eq!(rig.commanded(), [(4.0, "held".to_owned())], "though its class asks nobody");
    assert!(rig.left().is_empty());
    let id = *rig.desk.open.keys().next().expect("one");
    let digest = rig.desk.open[&id].record.digest();
    let sent = rig.desk.order(id, CommandOrder::Approve { digest }, actor("Ben"), rig.now).expect("approved");
    assert_eq!(sent.state, Phase::Sent);
}

#[test]
fn an_armed_twin_carries_out_what_its_behavior_wishes_until_it_is_disarmed() {
    let mut rig = Rig::new();
    rig.arm();
    rig.hear("free", 4.0, 0.9);
    assert_eq!(rig.left(), ["left rig/rig-1/set/free 4"]);
    rig.acknowledge();
    rig.sample("current", 4.0);
    // The same again and again: the field shows it already.
    for _ in 0..20 {
        rig.pass(Duration::from_millis(500));
        rig.sample("temperature", 40.0);
        rig.sample("current", 4.0);
        rig.hear("free", 4.0, 0.9);
    }
    assert_eq!(rig.left().len(), 1);
    rig.desk.order_authority("rig-1", Authority::Advise, "", &actor("Anna"), rig.now).expect("disarmed");
    rig.hear("free", 6.0, 0.9);
    assert_eq!(rig.commanded().last(), Some(&(6.0, "held".to_owned())));
    assert_eq!(rig.left().len(), 1);
}

#[test]
fn another_value_each_row_makes_at_most_one_command_a_second() {
    let mut rig = Rig::new();
    rig.arm();
    for row in 0..40 {
        rig.hear("free", 1.0 + f64::from(row) * 0.2, 0.9);
        if rig.seen.seen().replies.last().is_some_and(Option::is_some) {
            rig.acknowledge();
        }
        rig.sample("current", 1.0 + f64::from(row) * 0.2);
        rig.pass(Duration::from_millis(90));
    }
    let number = rig.commanded().len();
    assert!((2..=5).contains(&number), "{number} commands in 4 s");
}

#[test]
fn a_held_command_is_left_to_people_before_another_value_takes_its_place() {
    let mut rig = Rig::new();
    rig.hear("held", 4.0, 0.9);
    for row in 1..8 {
        rig.pass(Duration::from_secs(1));
        rig.hear("held", 4.0 + f64::from(row) * 0.5, 0.9);
    }
    assert_eq!(rig.commanded(), [(4.0, "held".to_owned())]);
    rig.hear("held", 40.0, 0.9);
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.commanded()[0].1, "held", "what is refused takes nobody's place");
    rig.pass(Duration::from_secs(2));
    rig.hear("held", 9.5, 0.9);
    rig.pass(Duration::from_secs(2));
    let expect = [(4.0, "superseded"), (40.0, "refused"), (9.5, "held")];
    let expect = expect.map(|(value, state)| (value, state.to_owned()));
    assert_eq!(rig.commanded(), expect);
}

#[test]
fn a_refused_wish_is_not_made_a_command_each_row() {
    let mut rig = Rig::new();
    for _ in 0..30 {
        rig.hear("held", 4.0, 0.2);
        rig.pass(Duration::from_secs(1));
    }
    assert_eq!(rig.commanded(), [(4.0, "refused".to_owned())], "it is not sure enough, told once");
    rig.pass(Duration::from_secs(40));
    rig.hear("held", 4.0, 0.9);
    assert_eq!(rig.commanded().last(), Some(&(4.0, "held".to_owned())));
}

#[test]
fn nobody_knows_means_a_person_has_to_look_first() {
    let mut rig = Rig::new();
    rig.arm();
    rig.hear("free", 4.0, 0.9);
    rig.answer(Answer::Lost { reason: "it broke".to_owned() });
    for row in 0..10 {
        rig.pass(Duration::from_secs(2));
        rig.sample("temperature", 40.0);
        rig.hear("free", 5.0 + f64::from(row) * 0.1, 0.9);
    }
    assert_eq!(rig.commanded().len(), 1, "in doubt nothing follows by itself");
}

#[test]
fn an_input_that_is_called_confidence_makes_no_behavior_surer() {
    let mut rig = Rig::new();
    rig.hear_with("held", 4.0, &[1.0, 0.2], "0.1.0");
    assert_eq!(rig.commanded(), [(4.0, "refused".to_owned())], "the host's own entry counts");
    rig.pass(Duration::from_secs(2));
    rig.hear_with("held", 5.0, &[0.0, 0.9], "0.1.0");
    assert_eq!(rig.commanded().last(), Some(&(5.0, "held".to_owned())));
}

#[test]
fn an_approved_command_of_an_earlier_run_waits_for_the_first_samples() {
    let mut rig = Rig::new();
    rig.hear("free", 4.0, 0.9);
    let id = *rig.desk.open.keys().next().expect("one");
    let digest = rig.desk.open[&id].record.digest();
    // The approval can be written down, and nothing after it.
    rig.seen.seen().room = Some(1);
    rig.desk.order(id, CommandOrder::Approve { digest }, actor("Ben"), rig.now).expect("approved");
    let mut rig = rig.killed();
    rig.seen.seen().room = None;
    rig.desk.tick(rig.now);
    assert_eq!(rig.desk.open[&id].record.phase(), Phase::Held, "its feedback has not been heard yet");
    assert!(rig.left().is_empty());
    rig.sample("current", 2.0);
    rig.desk.tick(rig.now);
    assert_eq!(rig.left(), ["left rig/rig-1/set/free 4"]);
}

/// Wishes `value` again and again while the field follows; gives what it was sent on the way.
fn followed(rig: &mut Rig, value: f64, version: &str) -> Vec<f64> {
    let mut sent = Vec::new();
    for _ in 0..12 {
        // What is not heard of for long is stale, and trips.
        rig.sample("temperature", 40.0);
        let before = rig.left().len();
        rig.hear_with("free", value, &[0.9], version);
        if rig.left().len() > before {
            let (last, _) = rig.commanded().last().cloned().expect("a command");
            rig.acknowledge();
            rig.sample("current", last);
            sent.push(last);
        }
        rig.pass(Duration::from_millis(1_100));
    }
    sent
}

#[test]
fn the_first_commands_after_a_target_is_given_back_start_from_where_the_field_stands() {
    let mut rig = Rig::new();
    rig.arm();
    rig.first = FirstCommands { step_max: 1.5, count: 2 };
    assert_eq!(followed(&mut rig, 2.0, "0.1.0"), [2.0], "nobody had it before");
    let hold = TargetOrder::Hold { level: Level::Operator, for_s: None, reason: "trial".to_owned() };
    rig.desk.order_target(("rig-1", "free"), hold, actor("Anna"), rig.now).expect("held");
    rig.propose("free", 8.0, 1);
    rig.acknowledge();
    rig.sample("current", 8.0);
    rig.pass(Duration::from_secs(2));
    let release = TargetOrder::Release { level: Level::Operator };
    rig.desk.order_target(("rig-1", "free"), release, actor("Anna"), rig.now).expect("released");
    let mut rig = rig.killed();
    rig.first = FirstCommands { step_max: 1.5, count: 2 };
    rig.arm();
    rig.sample("current", 8.0);
    assert_eq!(followed(&mut rig, 2.0, "0.1.0"), [6.5, 5.0, 2.0], "two steps, also over a restart");
}

#[test]
fn what_was_wished_and_not_sent_is_no_step_of_another_version() {
    let mut rig = Rig::new();
    rig.arm();
    rig.first = FirstCommands { step_max: 1.5, count: 2 };
    assert_eq!(followed(&mut rig, 2.0, "0.1.0"), [2.0]);
    rig.desk.order_authority("rig-1", Authority::Advise, "", &actor("Anna"), rig.now).expect("disarmed");
    for _ in 0..6 {
        rig.hear_with("free", 9.0, &[0.9], "0.2.0");
        for _ in 0..6 {
            rig.pass(Duration::from_secs(2));
            rig.sample("temperature", 40.0);
            rig.sample("current", 2.0);
        }
    }
    assert_eq!(
        rig.commanded()[1..],
        [(3.5, "held".to_owned())],
        "people see one step, however often it is wished"
    );
    let id = *rig.desk.open.keys().next().expect("one");
    let record = rig.desk.open[&id].record.clone();
    assert!(record.command().reason.contains("9 A were wished"), "{}", record.command().reason);
    rig.arm();
    let digest = record.digest();
    rig.desk.order(id, CommandOrder::Approve { digest }, actor("Ben"), rig.now).expect("approved");
    rig.acknowledge();
    rig.sample("current", 3.5);
    rig.pass(Duration::from_secs(2));
    assert_eq!(followed(&mut rig, 9.0, "0.2.0"), [5.0, 9.0]);
    assert_eq!(followed(&mut rig, 4.0, "0.1.0"), [7.5, 6.0, 4.0], "and back");
}
