//! The path as it should be, and the refusals on it.

use geminus_api::orders::TargetOrder;
use geminus_api::view::Level;

use super::*;

#[test]
fn each_step_is_kept_before_the_next_and_the_journal_before_the_field() {
    let mut rig = Rig::new();
    let command = rig.propose("free", 4.0, 1);
    assert_eq!(command.state, Phase::Sent);
    let log = rig.log();
    let expect = [
        "kept proposed",
        "kept checked",
        "kept armed",
        "recorded command-sending",
        "kept sent",
        "left rig/rig-1/set/free 4",
    ];
    assert_eq!(log, expect);
    rig.acknowledge();
    assert_eq!(rig.phase(&command), Phase::TransportAcked);
    rig.sample("current", 3.0);
    assert_eq!(rig.phase(&command), Phase::TransportAcked, "that is not it");
    rig.sample("current", 4.25);
    assert_eq!(rig.phase(&command), Phase::Verified);
    assert!(rig.desk.open.is_empty());
    assert_eq!(rig.meters.verified().counts.iter().sum::<u64>(), 1);
    for kind in ["command-proposed", "command-sent", "command-acknowledged", "command-verified"] {
        assert_eq!(rig.told(kind), 1, "{kind}");
    }
    rig.pass(Duration::from_secs(30));
    assert_eq!(rig.left().len(), 1, "once");
}

#[test]
fn the_same_id_acts_once_and_other_bytes_under_it_are_refused() {
    let mut rig = Rig::new();
    let first = rig.propose("free", 4.0, 1);
    let wish = rig.wish("free", 4.0, 1);
    let (again, is_new) = rig.desk.propose(wish, actor("Anna"), rig.now).expect("known");
    assert!(!is_new && again.id == first.id && again.digest == first.digest);
    for (value, by) in [(5.0, "Anna"), (4.0, "Ben")] {
        let wish = rig.wish("free", value, 1);
        let refused = rig.desk.propose(wish, actor(by), rig.now).expect_err("other bytes");
        assert!(matches!(&refused, Trouble::Conflict(why) if why.contains("another command")), "{refused}");
    }
    rig.acknowledge();
    rig.sample("current", 4.0);
    let wish = rig.wish("free", 4.0, 1);
    let (over, is_new) = rig.desk.propose(wish, actor("Anna"), rig.now).expect("known");
    assert_eq!((over.state, is_new), (Phase::Verified, false));
    assert_eq!(rig.left().len(), 1);
}

#[test]
fn what_the_rules_do_not_let_through_is_kept_and_refused() {
    let mut rig = Rig::new();
    let command = rig.propose("free", 40.0, 1);
    assert_eq!((command.state, command.rule.as_deref()), (Phase::Refused, Some("range")));
    assert!(command.detail.contains("0 … 10"), "{}", command.detail);
    rig.sample("temperature", 95.0);
    let command = rig.propose("free", 4.0, 2);
    assert_eq!((command.state, command.rule.as_deref()), (Phase::Refused, Some("hot")));
    assert_eq!(rig.told("interlock-tripped"), 1);
    assert!(rig.left().is_empty());
    let host = Actor { is_person: false, ..actor("interlock") };
    let wish = rig.wish("free", 1.0, 3);
    assert!(rig.desk.propose(wish, host, rig.now).is_err(), "nobody passes for the host");
    for (wish, says) in [
        (Wish { target: "none".to_owned(), ..rig.wish("free", 1.0, 3) }, "has no target none"),
        (Wish { twin: "fan".to_owned(), ..rig.wish("free", 1.0, 3) }, "there is no twin fan"),
        (Wish { unit: Some("mA".to_owned()), ..rig.wish("free", 1.0, 3) }, "is in A"),
        (Wish { id: Some(Uuid::nil()), ..rig.wish("free", 1.0, 3) }, "version 7"),
    ] {
        let refused = rig.desk.propose(wish, actor("Anna"), rig.now).expect_err(says).to_string();
        assert!(refused.contains(says), "{refused}");
    }
}

#[test]
fn an_approval_is_of_somebody_else_and_of_these_bytes() {
    let mut rig = Rig::new();
    let command = rig.propose("held", 4.0, 1);
    assert_eq!((command.state, command.missing_approvals), (Phase::Held, 1));
    assert!(rig.approve(&command, "anna ").is_err(), "her own");
    let other = CommandOrder::Approve { digest: Digest::of(b"other") };
    assert!(rig.order(&command, other, "Ben").is_err(), "other bytes");
    assert!(rig.left().is_empty());
    let sent = rig.approve(&command, "Ben").expect("approved");
    assert_eq!(sent.state, Phase::Sent);
    rig.acknowledge();
    assert_eq!(rig.phase(&command), Phase::TransportAcked, "nothing is read back here");
    assert!(rig.desk.open.is_empty());
    assert!(rig.approve(&command, "Cleo").is_err(), "it is over");

    let two = rig.propose("two", 4.0, 2);
    assert_eq!(rig.approve(&two, "Ben").expect("one").state, Phase::Held);
    assert!(rig.approve(&two, "BEN").is_err(), "one person counts once");
    assert_eq!(rig.approve(&two, "Cleo").expect("two").state, Phase::Sent);
    let late = rig.propose("held", 5.0, 3);
    rig.pass(Duration::from_secs(301));
    assert_eq!(rig.phase(&late), Phase::Expired);
    assert_eq!(rig.left().len(), 2);
}

#[test]
fn a_newer_command_takes_the_place_of_one_that_waits_and_waits_for_one_that_was_sent() {
    let mut rig = Rig::new();
    let older = rig.propose("held", 4.0, 1);
    let newer = rig.propose("held", 5.0, 2);
    assert_eq!((rig.phase(&older), rig.phase(&newer)), (Phase::Superseded, Phase::Held));
    let first = rig.propose("free", 4.0, 3);
    let second = rig.propose("free", 5.0, 4);
    assert_eq!((rig.phase(&first), rig.phase(&second)), (Phase::Sent, Phase::Checked));
    rig.acknowledge();
    rig.sample("current", 4.0);
    assert_eq!((rig.phase(&first), rig.phase(&second)), (Phase::Verified, Phase::Sent));
}

#[test]
fn a_target_belongs_to_who_holds_it() {
    let mut rig = Rig::new();
    let (twin, order) = ("rig-1", TargetOrder::Lockout { for_s: 60, reason: "coupling".to_owned() });
    let view = rig.desk.order_target((twin, "free"), order, actor("Ines"), rig.now).expect("locked");
    assert_eq!(view.owner, Level::Lockout);
    let command = rig.propose("free", 4.0, 1);
    assert_eq!((command.state, command.rule.as_deref()), (Phase::Refused, Some("owner")));
    let release = || TargetOrder::Release { level: Level::Lockout };
    assert!(rig.desk.order_target((twin, "free"), release(), actor("Anna"), rig.now).is_err(), "not hers");
    // Over a restart, too.
    let mut rig = rig.killed();
    assert_eq!(rig.propose("free", 4.0, 2).rule.as_deref(), Some("owner"));
    rig.pass(Duration::from_secs(61));
    assert_eq!(rig.told("target-handed-over"), 1);
    rig.sample("temperature", 40.0);
    assert_eq!(rig.propose("free", 4.0, 3).state, Phase::Sent);
    let hold = TargetOrder::Hold { level: Level::Operator, for_s: None, reason: "manual".to_owned() };
    rig.desk.order_target((twin, "held"), hold, actor("Anna"), rig.now).expect("held");
    let wish = rig.wish("held", 4.0, 4);
    let bens = rig.desk.propose(wish, actor("Ben"), rig.now).expect("taken").0;
    assert_eq!(bens.rule.as_deref(), Some("owner"));
    assert_eq!(rig.propose("held", 4.0, 5).state, Phase::Held);
}

#[test]
fn the_safe_value_is_written_once_when_a_trip_becomes_active_and_the_twin_is_armed() {
    let mut rig = Rig::new();
    rig.sample("temperature", 95.0);
    assert!(rig.left().is_empty(), "nobody has armed it");
    rig.sample("temperature", 40.0);
    rig.arm();
    rig.sample("temperature", 96.0);
    assert_eq!(rig.left(), ["left rig/rig-1/set/free 1"]);
    rig.acknowledge();
    rig.sample("current", 1.0);
    rig.pass(Duration::from_secs(30));
    rig.sample("temperature", 97.0);
    assert_eq!(rig.left().len(), 1, "once");
    assert_eq!(rig.told("command-verified"), 1);
}

#[test]
fn the_journal_says_who_approved_and_which_rules_were_bypassed_before_anything_leaves() {
    let mut rig = Rig::new();
    rig.sample("temperature", 5.0);
    assert_eq!(rig.propose("warm", 4.0, 1).rule.as_deref(), Some("not cold"));
    let bypass =
        TargetOrder::Bypass { rule: "not cold".to_owned(), for_s: 60, reason: "trial run".to_owned() };
    rig.desk.order_target(("rig-1", "warm"), bypass, actor("Olga"), rig.now).expect("bypassed");
    let command = rig.propose("warm", 4.0, 2);
    assert_eq!(rig.approve(&command, "Ben").expect("approved").state, Phase::Sent);
    let facts = rig.seen.seen().facts.last().cloned().expect("journaled");
    let expect = serde_json::json!({
        "command": command.id, "digest": command.digest, "by": "operator Anna",
        "approved_by": ["Ben"], "bypassed": ["not cold"],
    });
    assert_eq!(facts, expect);
}

#[test]
fn what_opens_a_target_is_in_the_journal_before_it_counts_or_is_not_done() {
    let mut rig = Rig::new();
    rig.sample("temperature", 135.0);
    rig.sample("temperature", 5.0);
    let lockout = || TargetOrder::Lockout { for_s: 60, reason: "coupling".to_owned() };
    rig.desk.order_target(("rig-1", "free"), lockout(), actor("Ines"), rig.now).expect("locked");
    let (cold, hot) = (|| "not cold".to_owned(), || "too hot".to_owned());
    let opening = || {
        [
            ("warm", TargetOrder::Bypass { rule: cold(), for_s: 60, reason: "trial run".to_owned() }),
            ("latched", TargetOrder::Reset { rule: hot() }),
            ("free", TargetOrder::Release { level: Level::Lockout }),
        ]
    };
    rig.seen.seen().mute = Some("the disk is full".to_owned());
    for (target, order) in opening() {
        let refused = rig.desk.order_target(("rig-1", target), order, actor("Ines"), rig.now);
        assert!(matches!(refused, Err(Trouble::Unavailable(_))), "{target}: {refused:?}");
    }
    // Nothing of it counts.
    assert_eq!(rig.propose("warm", 4.0, 1).rule.as_deref(), Some("not cold"));
    assert_eq!(rig.propose("latched", 4.0, 2).rule.as_deref(), Some("too hot"));
    assert_eq!(rig.propose("free", 4.0, 3).rule.as_deref(), Some("owner"));
    // What lets less through is done without a journal.
    let locked = rig.desk.order_target(("rig-1", "held"), lockout(), actor("Ines"), rig.now);
    assert_eq!(locked.map(|view| view.owner).ok(), Some(Level::Lockout));
    rig.seen.seen().mute = None;
    for (target, order) in opening() {
        rig.desk.order_target(("rig-1", target), order, actor("Ines"), rig.now).expect("done");
    }
    let recorded: Vec<String> = rig.log().into_iter().filter(|line| line.starts_with("recorded")).collect();
    let expect = ["recorded interlock-bypassed", "recorded interlock-reset", "recorded target-released"];
    assert_eq!(recorded, expect);
    assert_eq!(rig.propose("warm", 4.0, 4).state, Phase::Held);
    assert_eq!(rig.propose("latched", 4.0, 5).state, Phase::Sent);
    assert_eq!(rig.propose("free", 4.0, 6).state, Phase::Sent);
}

#[test]
fn while_nobody_says_how_alarms_stand_what_they_block_is_not_written() {
    let mut rig = Rig::new();
    let wished = |rig: &mut Rig| {
        rig.sample("temperature", 40.0);
        let wish = Wish { id: None, ..rig.wish("alarmed", 4.0, 0) };
        let command = rig.desk.propose(wish, actor("Anna"), rig.now).expect("taken").0;
        (command.state, command.rule)
    };
    assert_eq!(wished(&mut rig), (Phase::Sent, None));
    rig.acknowledge();
    // The alarms' thread has ended, or hangs.
    rig.pass(Duration::from_secs(6));
    assert_eq!(wished(&mut rig), (Phase::Refused, Some("alarms_block".to_owned())));
    rig.desk.alarms.hear(Vec::new(), false, rig.now);
    assert_eq!(wished(&mut rig), (Phase::Sent, None));
}
