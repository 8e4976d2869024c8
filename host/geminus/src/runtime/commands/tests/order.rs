//! What comes twice, in another order, again, old or late: commands, answers of the transport, samples of the feedback.

use super::*;

impl Rig {
    fn wish_at(&self, target: &str, value: f64, (second, number): (u64, u8)) -> Wish {
        let made = START.plus(Duration::from_secs(second));
        Wish { id: Some(id_of(made, &[number; 10])), ..self.wish(target, value, number) }
    }

    fn says(&mut self, command: &CommandView, answer: Answer) {
        let id = command.id.parse().expect("an id");
        self.desk.hear_answer(id, answer, self.now);
    }

    /// The feedback shows a value that was so that many milliseconds ago.
    fn shows(&mut self, value: f64, ago_ms: u64) {
        let plant = Arc::clone(&self.desk.plant);
        let series = plant.series_of(plant.find("rig-1").expect("rig-1"), "current").expect("a point");
        let received = self.now.wall;
        let time = received.minus(Duration::from_millis(ago_ms));
        let sample = Sample { series, quality: Quality::Good, value, time, received };
        self.desk.hear_samples(vec![sample, sample], self.now);
    }
}

#[test]
fn an_older_command_that_comes_after_a_newer_one_takes_no_place() {
    let mut rig = Rig::new();
    rig.pass(Duration::from_secs(3));
    let newer = rig.desk.propose(rig.wish_at("held", 5.0, (2, 2)), actor("Anna"), rig.now).expect("taken").0;
    let older = rig.desk.propose(rig.wish_at("held", 4.0, (1, 1)), actor("Anna"), rig.now).expect("taken").0;
    assert_eq!((older.state, older.rule.as_deref()), (Phase::Refused, Some("one-at-a-time")));
    assert_eq!(rig.phase(&newer), Phase::Held);
}

#[test]
fn what_is_replayed_after_a_restart_is_known_and_does_not_leave_again() {
    let mut rig = Rig::new();
    let command = rig.propose("free", 4.0, 1);
    let refused = rig.propose("held", 40.0, 2);
    let mut rig = rig.killed();
    for (replayed, expect) in [(&command, Phase::Indeterminate), (&refused, Phase::Refused)] {
        let number = if replayed.id == command.id { 1 } else { 2 };
        let wish = rig.wish(&replayed.target, replayed.value, number);
        let (known, is_new) = rig.desk.propose(wish, actor("Anna"), rig.now).expect("known");
        assert_eq!((known.id.as_str(), known.state, is_new), (replayed.id.as_str(), expect, false));
    }
    let other = rig.desk.propose(rig.wish("free", 9.0, 1), actor("Anna"), rig.now);
    assert!(matches!(other, Err(Trouble::Conflict(_))), "{other:?}");
    assert_eq!(rig.left().len(), 1);
}

#[test]
fn a_command_from_before_the_window_or_from_the_future_or_past_its_deadline_is_not_sent() {
    let mut rig = Rig::new();
    rig.now.wall = START.plus(Duration::from_secs(86_402));
    rig.desk.turn(rig.now);
    let old =
        rig.desk.propose(rig.wish("free", 4.0, 1), actor("Anna"), rig.now).expect_err("old").to_string();
    assert!(old.contains("propose it anew"), "{old}");
    let ahead = rig.wish_at("free", 4.0, (86_402 + 61, 2));
    let ahead = rig.desk.propose(ahead, actor("Anna"), rig.now).expect_err("ahead").to_string();
    assert!(ahead.contains("ahead of this host's clock"), "{ahead}");
    // Made ten minutes ago, for ten minutes.
    let late = rig.wish_at("free", 4.0, (86_402 - 600, 3));
    let late = rig.desk.propose(late, actor("Anna"), rig.now).expect("written down").0;
    assert_eq!(late.state, Phase::Expired);
    assert!(rig.left().is_empty());
}

#[test]
fn an_answer_that_comes_twice_or_late_changes_nothing_that_is_known() {
    let acknowledged = || Answer::Acknowledged { receipt: "it has it".to_owned() };
    let declined = || Answer::Declined { reason: "no".to_owned() };
    let mut rig = Rig::new();
    let command = rig.propose("free", 4.0, 1);
    rig.jump(Duration::from_millis(100));
    rig.shows(4.0, 10);
    assert_eq!(rig.phase(&command), Phase::Sent, "the field was faster than the broker, which has the say");
    rig.says(&command, acknowledged());
    assert_eq!(rig.phase(&command), Phase::Verified);
    let not_sent = || Answer::NotSent { reason: "no connection".to_owned() };
    let unsent = rig.propose("free", 4.2, 3);
    rig.jump(Duration::from_millis(100));
    rig.shows(4.0, 10);
    rig.says(&unsent, not_sent());
    assert_eq!(rig.phase(&unsent), Phase::Failed, "the field had that value anyway");
    for answer in [acknowledged(), acknowledged(), declined(), Answer::Lost { reason: "it broke".to_owned() }]
    {
        rig.says(&command, answer);
        assert_eq!(rig.phase(&command), Phase::Verified);
    }
    let doubtful = rig.propose("free", 6.0, 2);
    rig.pass(Duration::from_secs(6));
    rig.says(&doubtful, acknowledged());
    rig.says(&doubtful, acknowledged());
    assert_eq!(rig.phase(&doubtful), Phase::Indeterminate, "that it has it proves no effect");
    rig.says(&doubtful, declined());
    assert_eq!(rig.phase(&doubtful), Phase::Failed, "it was turned down after all");
    rig.says(&doubtful, acknowledged());
    assert_eq!(rig.phase(&doubtful), Phase::Failed);
    rig.pass(Duration::from_secs(60));
    assert_eq!(rig.left().len(), 3);
}

#[test]
fn a_sample_of_before_or_out_of_order_or_too_late_verifies_nothing() {
    let mut rig = Rig::new();
    rig.sample("current", 1.0);
    let command = rig.propose("free", 4.0, 1);
    rig.acknowledge();
    rig.jump(Duration::from_millis(100));
    rig.shows(4.0, 105);
    assert_eq!(rig.phase(&command), Phase::TransportAcked, "it was so before");
    rig.shows(2.0, 10);
    rig.shows(4.0, 50);
    assert_eq!(rig.phase(&command), Phase::TransportAcked, "something newer is known");
    rig.pass(Duration::from_secs(6));
    rig.shows(4.0, 0);
    assert_eq!(rig.phase(&command), Phase::Indeterminate, "too late");
    rig.sample("temperature", 40.0);
    let again = rig.propose("free", 4.0, 2);
    rig.acknowledge();
    rig.jump(Duration::from_millis(100));
    rig.shows(4.0, 0);
    rig.shows(4.0, 0);
    assert_eq!((rig.phase(&command), rig.phase(&again)), (Phase::Indeterminate, Phase::Verified));
}

/// The transport lost one, a person repeats it, and the field shows the value: that is the second one's doing, or the first one's.
#[test]
fn a_read_back_verifies_the_newest_of_the_commands_that_are_read_back_at_its_point() {
    let mut rig = Rig::new();
    rig.sample("current", 1.0);
    let lost = rig.propose("free", 4.0, 1);
    rig.answer(Answer::Lost { reason: "it broke".to_owned() });
    assert_eq!(rig.phase(&lost), Phase::Indeterminate);
    let again = rig.propose("free", 4.0, 2);
    assert_eq!(again.state, Phase::Sent);
    rig.acknowledge();
    rig.sample("current", 4.0);
    assert_eq!((rig.phase(&lost), rig.phase(&again)), (Phase::Indeterminate, Phase::Verified));
    // The same of two targets that share a feedback point, while the first one is still waited for.
    for others_answer in
        [Answer::Acknowledged { receipt: String::new() }, Answer::Lost { reason: String::new() }]
    {
        let mut rig = Rig::new();
        rig.sample("current", 1.0);
        let first = rig.propose("free", 4.0, 1);
        rig.acknowledge();
        let second = rig.propose("also", 4.2, 2);
        assert_eq!((rig.phase(&first), second.state), (Phase::TransportAcked, Phase::Sent));
        let is_lost = matches!(others_answer, Answer::Lost { .. });
        rig.answer(others_answer);
        rig.sample("current", 4.1);
        // Where it is not even known whether the second one left, the value may be the first one's.
        let expect = if is_lost { Phase::Indeterminate } else { Phase::Verified };
        assert_eq!((rig.phase(&first), rig.phase(&second)), (Phase::TransportAcked, expect));
        rig.pass(Duration::from_secs(6));
        assert_eq!(rig.phase(&first), Phase::Indeterminate);
        assert_eq!(rig.left().len(), 2);
    }
}

/// Nobody knows whether it left, and the field shows the value that it may have had anyway.
#[test]
fn a_command_that_nobody_acknowledged_is_verified_only_by_a_value_that_is_new() {
    for (before, expect) in
        [(Some(1.0), Phase::Verified), (Some(4.2), Phase::Indeterminate), (None, Phase::Indeterminate)]
    {
        let mut rig = Rig::new();
        before.into_iter().for_each(|value| rig.sample("current", value));
        let command = rig.propose("free", 4.0, 1);
        rig.sample("current", 4.0);
        assert_eq!(rig.phase(&command), Phase::Sent, "{before:?}");
        rig.answer(Answer::Lost { reason: "it broke".to_owned() });
        assert_eq!(rig.phase(&command), expect, "{before:?}");
        rig.sample("current", 4.0);
        assert_eq!(rig.phase(&command), expect, "{before:?}");
    }
    // As an older reading is no reading: the point had fallen silent.
    let mut rig = Rig::new();
    rig.sample("current", 1.0);
    rig.pass(Duration::from_secs(30));
    rig.sample("temperature", 40.0);
    let command = rig.propose("free", 4.0, 1);
    rig.sample("current", 4.0);
    rig.answer(Answer::Lost { reason: "it broke".to_owned() });
    assert_eq!(rig.phase(&command), Phase::Indeterminate);
}

#[test]
fn an_older_command_makes_way_when_the_host_died_before_it_did() {
    let mut rig = Rig::new();
    let older = rig.propose("held", 4.0, 1);
    // Only that the newer one came can be written down.
    rig.seen.seen().room = Some(1);
    let newer = rig.wish("held", 5.0, 2);
    let newer = rig.desk.propose(newer, actor("Anna"), rig.now).expect("written down").0;
    let mut rig = rig.killed();
    rig.seen.seen().room = None;
    rig.pass(Duration::from_secs(1));
    assert_eq!((rig.phase(&older), rig.phase(&newer)), (Phase::Superseded, Phase::Held));
    assert!(rig.approve(&older, "Ben").is_err());
    assert_eq!(rig.approve(&newer, "Ben").expect("approved").state, Phase::Sent);
    assert_eq!(rig.left(), ["left rig/rig-1/set/held 5"]);
}

#[test]
fn who_waited_for_an_order_that_came_to_be_in_doubt_waits_for_a_person() {
    let mut rig = Rig::new();
    rig.arm();
    rig.propose("free", 4.0, 1);
    let program = Actor { is_person: false, ..actor("planner") };
    let waits = rig.desk.propose(rig.wish("free", 5.0, 2), program, rig.now).expect("taken").0;
    assert_eq!(waits.state, Phase::Checked, "the first one is under way");
    rig.answer(Answer::Lost { reason: "it broke".to_owned() });
    let view = rig.desk.known(waits.id.parse().expect("an id"), rig.now).expect("readable").expect("known").0;
    assert!(
        matches!(view.state(), geminus_command::State::Refused { rule, .. } if rule == "one-at-a-time"),
        "{:?}",
        view.state()
    );
    // Not so long that the temperature is stale, which is a trip and has the safe value leave.
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.left().len(), 1);
    rig.sample("temperature", 40.0);
    assert_eq!(rig.propose("free", 6.0, 3).state, Phase::Sent, "a person may");
}
