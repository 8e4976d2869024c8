//! Disks that are full, journals that are mute, brokers that are away, hosts that are killed or stand still.

use geminus_command::ARMED_MAX;

use super::super::propose::OPEN_MAX;
use super::super::tick::SAFE_EVERY;
use super::*;

#[test]
fn without_a_journal_nothing_leaves_and_nobody_has_more_than_advise() {
    let mut rig = Rig::new();
    rig.arm();
    rig.seen.seen().mute = Some("the disk is full".to_owned());
    let command = rig.propose("free", 4.0, 1);
    assert_eq!(command.state, Phase::Armed, "it waits");
    rig.pass(Duration::from_secs(1));
    let authority = rig.desk.authority("rig-1").expect("rig-1");
    assert_eq!(authority.effective, Authority::Advise);
    assert!(authority.reasons.iter().any(|why| why.contains("the disk is full")), "{:?}", authority.reasons);
    let refused = rig.desk.order_authority("rig-1", Authority::Control, "", &actor("Anna"), rig.now);
    assert!(matches!(refused, Err(Trouble::Unavailable(_))), "{refused:?}");
    rig.pass(ARMED_MAX);
    assert_eq!(rig.phase(&command), Phase::Expired);
    assert!(rig.left().is_empty());
    rig.seen.seen().mute = None;
    rig.pass(Duration::from_secs(1));
    let authority = rig.desk.authority("rig-1").expect("rig-1");
    assert_eq!(authority.effective, Authority::Advise, "that it is over arms nobody");
    rig.arm();
}

#[test]
fn what_cannot_be_written_down_is_not_taken_and_not_sent() {
    let mut rig = Rig::new();
    rig.seen.seen().full = Some("the disk is full".to_owned());
    let wish = rig.wish("held", 4.0, 1);
    let refused = rig.desk.propose(wish, actor("Anna"), rig.now).expect_err("not taken");
    assert!(matches!(&refused, Trouble::Unavailable(why) if why.contains("not taken")), "{refused}");
    rig.seen.seen().full = None;
    let command = rig.propose("held", 4.0, 1);
    rig.seen.seen().full = Some("the disk is full".to_owned());
    assert!(rig.approve(&command, "Ben").is_err());
    rig.pass(Duration::from_secs(1));
    assert!(rig.left().is_empty());
    rig.seen.seen().full = None;
    // The approval was given, and may have been kept: it counts once it is.
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.left().len(), 1);
    assert_eq!(rig.phase(&command), Phase::Sent);
}

#[test]
fn an_order_about_a_command_that_seemed_not_to_be_kept_is_heard_before_the_command_moves() {
    let unheard = |rig: &mut Rig| {
        rig.seen.seen().denied = true;
        let wish = rig.wish("free", 4.0, 1);
        let refused = rig.desk.propose(wish, actor("Anna"), rig.now);
        assert!(matches!(refused, Err(Trouble::Unavailable(_))), "{refused:?}");
        rig.seen.seen().denied = false;
        assert!(rig.desk.open.is_empty());
        id_of(START, &[1; 10])
    };
    let mut rig = Rig::new();
    let id = unheard(&mut rig);
    let withdraw = CommandOrder::Withdraw { reason: "not any more".to_owned() };
    let view = rig.desk.order(id, withdraw, actor("Anna"), rig.now).expect("withdrawn");
    assert_eq!((view.state, view.rule.as_deref()), (Phase::Refused, Some("withdrawn")));
    rig.pass(Duration::from_secs(2));
    assert!(rig.left().is_empty());
    // Whoever wishes it once more has it carried out, once.
    let mut rig = Rig::new();
    unheard(&mut rig);
    assert_eq!(rig.propose("free", 4.0, 1).state, Phase::Sent);
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.left().len(), 1);
}

#[test]
fn a_host_that_is_killed_after_sending_does_not_send_again_and_claims_nothing() {
    let mut rig = Rig::new();
    let command = rig.propose("free", 4.0, 1);
    assert_eq!(command.state, Phase::Sent);
    let mut rig = rig.killed();
    assert_eq!(rig.phase(&command), Phase::Indeterminate);
    rig.pass(Duration::from_secs(60));
    assert_eq!(rig.left().len(), 1, "never again");
    assert_eq!(rig.phase(&command), Phase::Indeterminate);
    let found = rig.order(&command, CommandOrder::Resolve { note: "it stands".to_owned() }, "Ben");
    assert_eq!(found.expect("resolved").resolved.map(|found| found.by), Some("Ben".to_owned()));
    assert!(rig.desk.open.is_empty());
}

#[test]
fn a_read_back_in_time_settles_what_a_restart_left_in_doubt() {
    // What the field showed before; where nobody knows, it may have had the value anyway.
    for (before, expect) in [(Some(1.0), Phase::Verified), (None, Phase::Indeterminate)] {
        let mut rig = Rig::new();
        before.into_iter().for_each(|value| rig.sample("current", value));
        let command = rig.propose("free", 4.0, 1);
        let mut rig = rig.killed();
        rig.sample("current", 4.0);
        assert_eq!(rig.phase(&command), expect, "{before:?}");
        assert_eq!(rig.left().len(), 1);
    }
}

#[test]
fn what_was_not_sent_before_a_restart_is_judged_anew() {
    let mut rig = Rig::new();
    rig.seen.seen().mute = Some("the disk is full".to_owned());
    let command = rig.propose("free", 4.0, 1);
    assert_eq!(command.state, Phase::Armed);
    rig.seen.seen().mute = None;
    let mut rig = rig.killed();
    assert_eq!(rig.phase(&command), Phase::Proposed, "its feedback has not been heard yet");
    rig.sample("temperature", 95.0);
    rig.sample("current", 2.0);
    rig.desk.tick(rig.now);
    assert_eq!(rig.phase(&command), Phase::Refused, "it is hot now");
    assert!(rig.left().is_empty());
}

#[test]
fn a_stricter_site_and_a_target_that_moved_reach_commands_under_way() {
    let (feedback, wider) =
        ("tolerance = 0.5, within_s = 5 }\nfail", "tolerance = 2.5, within_s = 5 }\nfail");
    for (from, to, says) in [
        ("class.free]\napprovers = 0", "class.free]\napprovers = 2", "2 approvals"),
        ("/set/free", "/set/other", "rig/rig-1/set/other"),
        ("\"broker\"", "\"line\"", "through line"),
        (feedback, wider, "the feedback of its target"),
        ("", "", ""),
    ] {
        let mut rig = Rig::new();
        rig.seen.seen().mute = Some("the disk is full".to_owned());
        let command = rig.propose("free", 4.0, 1);
        assert_eq!(command.state, Phase::Armed);
        rig.seen.seen().mute = None;
        let mut rig = match from.is_empty() {
            true => rig.killed(),
            false => {
                assert!(SITE.contains(from), "{from}");
                rig.killed_with(&SITE.replace(from, to))
            }
        };
        rig.sample("current", 2.0);
        rig.desk.tick(rig.now);
        let id = command.id.parse().expect("an id");
        let (record, _) = rig.desk.known(id, rig.now).expect("readable").expect("known");
        match record.state() {
            geminus_command::State::Refused { rule, reason } => {
                assert!(!from.is_empty() && rule == "class" && reason.contains(says), "{rule}: {reason}");
                assert!(rig.left().is_empty(), "{says}");
            }
            other => assert!(from.is_empty() && rig.left().len() == 1, "{says}: {other:?}"),
        }
    }
}

#[test]
fn a_host_that_stood_still_is_disarmed_and_sends_nothing_that_was_ready() {
    let mut rig = Rig::new();
    rig.arm();
    let first = rig.propose("free", 4.0, 1);
    let second = rig.propose("free", 5.0, 2);
    let held = rig.propose("held", 5.0, 3);
    assert_eq!(rig.phase(&second), Phase::Checked);
    rig.jump(Duration::from_secs(11));
    rig.acknowledge();
    rig.desk.tick(rig.now);
    assert_eq!(rig.phase(&second), Phase::Refused);
    assert_eq!(rig.phase(&held), Phase::Held, "people may still approve it");
    assert_eq!(rig.phase(&first), Phase::Indeterminate, "its read-back is out of time");
    assert_eq!(rig.left().len(), 1);
    let authority = rig.desk.authority("rig-1").expect("rig-1");
    assert_eq!(authority.effective, Authority::Advise);
    assert!(authority.reasons.iter().any(|why| why.contains("stood still")), "{:?}", authority.reasons);
    assert_eq!(rig.told("host-stood-still"), 1);
}

#[test]
fn a_transport_says_what_became_of_an_order() {
    for (answer, expect) in [
        (Answer::NotSent { reason: "no connection".to_owned() }, Phase::Failed),
        (Answer::Declined { reason: "not authorized".to_owned() }, Phase::Failed),
        (Answer::Lost { reason: "it broke".to_owned() }, Phase::Indeterminate),
    ] {
        let mut rig = Rig::new();
        let command = rig.propose("free", 4.0, 1);
        rig.answer(answer);
        assert_eq!(rig.phase(&command), expect);
        rig.pass(Duration::from_secs(60));
        assert_eq!(rig.left().len(), 1, "never again");
    }
    // An egress that never answers.
    let mut rig = Rig::new();
    let command = rig.propose("free", 4.0, 1);
    rig.pass(Duration::from_secs(11));
    assert_eq!(rig.phase(&command), Phase::Indeterminate);
}

#[test]
fn too_many_proposals_are_turned_away() {
    let mut rig = Rig::new();
    let mut refused = None;
    for number in 1..=61 {
        let wish = Wish { target: "held".to_owned(), ..rig.wish("held", 40.0, number) };
        refused = rig.desk.propose(wish, actor("Anna"), rig.now).err();
    }
    assert!(
        matches!(&refused, Some(Trouble::Unavailable(why)) if why.contains("60 proposals")),
        "{refused:?}"
    );
    rig.pass(Duration::from_secs(61));
    assert_eq!(rig.propose("held", 4.0, 100).state, Phase::Held);
}

/// An approved command whose approval cannot be written down at that moment.
fn with_a_stuck_approval() -> (Rig, CommandView) {
    let mut rig = Rig::new();
    let command = rig.propose("held", 4.0, 1);
    rig.seen.seen().full = Some("the disk is full".to_owned());
    assert!(rig.approve(&command, "Ben").is_err());
    rig.seen.seen().full = None;
    (rig, command)
}

#[test]
fn a_newer_command_takes_the_place_of_one_whose_change_cannot_be_written_down_yet() {
    let (mut rig, older) = with_a_stuck_approval();
    let newer = rig.propose("held", 5.0, 2);
    assert_eq!(newer.state, Phase::Held);
    rig.pass(Duration::from_secs(1));
    assert_eq!((rig.phase(&older), rig.phase(&newer)), (Phase::Superseded, Phase::Held));
    assert!(rig.left().is_empty());
}

#[test]
fn a_host_that_stood_still_refuses_what_could_not_be_written_down_before() {
    let (mut rig, command) = with_a_stuck_approval();
    rig.jump(Duration::from_secs(11));
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.phase(&command), Phase::Refused);
    assert!(rig.left().is_empty());
}

#[test]
fn only_what_reached_the_field_and_the_safe_value_are_what_the_next_is_measured_from() {
    let last = |rig: &Rig| {
        let place = rig.desk.find("rig-1", "free").expect("a target");
        rig.desk.stations[place].memory.last()
    };
    for answer in [
        Answer::NotSent { reason: "no connection".to_owned() },
        Answer::Declined { reason: "not authorized".to_owned() },
    ] {
        let mut rig = Rig::new();
        rig.propose("free", 4.0, 1);
        rig.acknowledge();
        rig.sample("current", 4.0);
        assert_eq!(last(&rig), Some(4.0));
        rig.propose("free", 6.0, 2);
        assert_eq!(last(&rig), Some(6.0), "it may have left");
        rig.answer(answer);
        assert_eq!(last(&rig), Some(4.0));
        rig.arm();
        rig.sample("temperature", 95.0);
        assert_eq!(rig.left().len(), 3);
        assert_eq!(last(&rig), Some(1.0), "the safe value");
    }
    let mut rig = Rig::new();
    rig.propose("free", 6.0, 1);
    rig.answer(Answer::Lost { reason: "it broke".to_owned() });
    assert_eq!(last(&rig), Some(6.0), "nobody knows, so it counts as sent");
}

#[test]
fn a_safe_value_that_did_not_arrive_is_proposed_again_until_one_does() {
    const SAFE: &str = "left rig/rig-1/set/free 1";
    let mut rig = Rig::new();
    rig.arm();
    rig.sample("temperature", 95.0);
    rig.answer(Answer::NotSent { reason: "no connection".to_owned() });
    rig.pass(SAFE_EVERY - Duration::from_secs(2));
    assert_eq!(rig.left(), [SAFE], "not at once");
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.left(), [SAFE; 2]);
    rig.answer(Answer::Declined { reason: "busy".to_owned() });
    rig.pass(SAFE_EVERY + Duration::from_secs(2));
    assert_eq!(rig.left(), [SAFE; 3]);
    rig.acknowledge();
    rig.sample("current", 1.0);
    rig.pass(SAFE_EVERY * 4);
    assert_eq!(rig.left(), [SAFE; 3], "one has arrived");
    // Another trip, of which nobody knows how its safe value ended.
    rig.sample("temperature", 40.0);
    rig.sample("temperature", 95.0);
    rig.answer(Answer::Lost { reason: "it broke".to_owned() });
    rig.pass(SAFE_EVERY * 4);
    assert_eq!(rig.left(), [SAFE; 4], "a person has to look");
}

#[test]
fn a_twin_that_is_armed_while_it_is_tripped_gets_its_safe_value() {
    let mut rig = Rig::new();
    rig.sample("temperature", 95.0);
    rig.pass(Duration::from_secs(2));
    assert!(rig.left().is_empty(), "nobody has armed it");
    rig.arm();
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.left(), ["left rig/rig-1/set/free 1"]);
}

#[test]
fn the_safe_value_is_taken_however_many_commands_are_under_way() {
    let mut rig = Rig::new();
    let held = rig.propose("held", 4.0, 1);
    let record = rig.desk.open[&held.id.parse::<Uuid>().expect("an id")].record.clone();
    for number in 0..OPEN_MAX as u128 {
        rig.desk.admit_open(record.clone(), 1);
        let open = rig.desk.open.remove(&record.id()).expect("open");
        rig.desk.open.insert(Uuid::from_u128(number), open);
    }
    let wish = rig.wish("two", 4.0, 2);
    assert!(matches!(rig.desk.propose(wish, actor("Anna"), rig.now), Err(Trouble::Unavailable(_))));
    rig.arm();
    rig.sample("temperature", 95.0);
    assert_eq!(rig.left(), ["left rig/rig-1/set/free 1"]);
}

#[test]
fn a_twin_that_a_person_holds_down_stays_down_over_a_restart_until_it_is_armed() {
    let set = |rig: &mut Rig, level| rig.desk.order_authority("rig-1", level, "", &actor("Anna"), rig.now);
    let effective = |rig: &Rig| rig.desk.authority("rig-1").map(|view| view.effective).ok();
    for is_full in [false, true] {
        let mut rig = Rig::new();
        rig.seen.seen().full = is_full.then(|| "the disk is full".to_owned());
        assert_eq!(
            set(&mut rig, Authority::Observe).map(|view| view.effective).ok(),
            Some(Authority::Observe)
        );
        rig.seen.seen().full = None;
        rig.pass(Duration::from_secs(1));
        let mut rig = rig.killed();
        assert_eq!(effective(&rig), Some(Authority::Observe), "full: {is_full}");
        let command = rig.propose("free", 4.0, 1);
        assert_eq!((command.state, command.rule.as_deref()), (Phase::Refused, Some("authority")));
        // What cannot be written down does not raise it.
        rig.seen.seen().full = Some("the disk is full".to_owned());
        assert!(set(&mut rig, Authority::Advise).is_err());
        assert_eq!(effective(&rig), Some(Authority::Observe));
        rig.seen.seen().full = None;
        rig.arm();
        let rig = rig.killed();
        assert_eq!(effective(&rig), Some(Authority::Advise), "it was armed, which no restart keeps");
    }
}
