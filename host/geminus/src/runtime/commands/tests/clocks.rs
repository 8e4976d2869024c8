//! A wall clock that is set by an hour, forward and back, in every state of a command; and what is held up on its way out.
//! Whatever is not known for certain any more fails towards nothing being written and nothing being claimed.

use geminus_api::orders::TargetOrder;
use geminus_api::view::Level;
use geminus_command::Proposer;

use super::super::wish::BehaviorWish;
use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

impl Rig {
    /// Somebody sets the wall clock.
    fn set_clock(&mut self, ahead: bool) {
        let wall = self.now.wall;
        self.now.wall = if ahead { wall.plus(HOUR) } else { wall.minus(HOUR) };
        self.desk.turn(self.now);
        self.desk.tick(self.now);
    }

    /// A sample of a source whose own clock nobody sets.
    fn heard(&mut self, point: &str, value: f64) {
        let plant = Arc::clone(&self.desk.plant);
        let series = plant.series_of(plant.find("rig-1").expect("rig-1"), point).expect("a point");
        self.jump(Duration::from_millis(10));
        let time = START.plus(self.now.monotonic);
        let sample = Sample { series, quality: Quality::Good, value, time, received: self.now.wall };
        self.desk.hear_samples(vec![sample], self.now);
    }

    /// So many seconds in which the source is heard from.
    fn goes_on(&mut self, seconds: usize) {
        for _ in 0..seconds {
            self.heard("temperature", 40.0);
            self.pass(Duration::from_secs(1));
        }
    }

    fn reaches(&self) -> Authority {
        self.desk.authority("rig-1").expect("rig-1").effective
    }

    /// A command of this moment, whose id the host makes.
    fn wished_now(&mut self, target: &str, value: f64) -> CommandView {
        let wish = Wish { id: None, ..self.wish(target, value, 0) };
        self.desk.propose(wish, actor("Anna"), self.now).expect("taken").0
    }
}

#[test]
fn nothing_that_was_ready_goes_and_nothing_that_was_sent_is_claimed() {
    for ahead in [true, false] {
        let mut rig = Rig::new();
        rig.arm();
        let first = rig.propose("free", 4.0, 1);
        let second = rig.propose("free", 5.0, 2);
        let held = rig.propose("held", 5.0, 3);
        let two = rig.propose("two", 5.0, 4);
        rig.approve(&two, "Ben").expect("one of two");
        assert_eq!((rig.phase(&first), rig.phase(&second)), (Phase::Sent, Phase::Checked), "{ahead}");
        rig.set_clock(ahead);

        let waited = if ahead { Phase::Expired } else { Phase::Refused };
        let found = [&second, &held, &two].map(|command| rig.phase(command));
        assert_eq!(found, [Phase::Refused, waited, waited], "{ahead}");
        assert!(rig.approve(&held, "Ben").is_err() && rig.approve(&two, "Cleo").is_err(), "{ahead}");
        // The answer and the read-back come, and nobody can tell any more that they came in time.
        rig.acknowledge();
        rig.heard("current", 4.0);
        rig.sample("current", 4.0);
        assert_eq!(rig.phase(&first), Phase::Indeterminate, "{ahead}");
        rig.goes_on(30);
        assert_eq!(rig.left().len(), 1, "{ahead}");
        assert_eq!(rig.told("clock-set"), 1, "{ahead}");
    }
}

#[test]
fn what_is_armed_while_the_clock_is_set_does_not_leave() {
    for ahead in [true, false] {
        let mut rig = Rig::new();
        rig.seen.seen().mute = Some("the disk is full".to_owned());
        let command = rig.propose("free", 4.0, 1);
        assert_eq!(rig.phase(&command), Phase::Armed, "{ahead}");
        rig.seen.seen().mute = None;
        rig.set_clock(ahead);
        assert_eq!(rig.phase(&command), Phase::Refused, "{ahead}");
        rig.pass(Duration::from_secs(5));
        assert!(rig.left().is_empty(), "{ahead}");
        // What is wished from then on goes its way.
        rig.heard("temperature", 40.0);
        assert_eq!(rig.wished_now("free", 5.0).state, Phase::Sent, "{ahead}");
    }
}

#[test]
fn a_clock_that_goes_ahead_may_be_a_machine_that_slept_and_disarms() {
    let mut rig = Rig::new();
    rig.arm();
    rig.set_clock(false);
    assert_eq!((rig.reaches(), rig.told("host-stood-still")), (Authority::Control, 0));
    rig.set_clock(true);
    assert_eq!((rig.reaches(), rig.told("host-stood-still")), (Authority::Advise, 1));
    let reasons = rig.desk.authority("rig-1").expect("rig-1").reasons;
    assert!(reasons.iter().any(|why| why.contains("or the machine slept")), "{reasons:?}");
    // As little as keeping a clock right takes is no matter.
    rig.arm();
    rig.now.wall = rig.now.wall.plus(Duration::from_millis(900));
    rig.desk.turn(rig.now);
    rig.now.wall = rig.now.wall.minus(Duration::from_millis(900));
    rig.desk.turn(rig.now);
    assert_eq!((rig.reaches(), rig.told("clock-set")), (Authority::Control, 2));
}

#[test]
fn a_clock_that_is_set_back_brings_no_approval_and_no_command_back() {
    let mut rig = Rig::new();
    let wish = Wish { within_s: 86_400, ..rig.wish("slow", 4.0, 1) };
    let command = rig.desk.propose(wish, actor("Anna"), rig.now).expect("taken").0;
    rig.approve(&command, "Ben").expect("one of two");
    // Long after it was held, so that the command itself does not show that the clock went back.
    rig.pass(Duration::from_secs(7_000));
    assert_eq!(rig.phase(&command), Phase::Held);
    rig.set_clock(false);
    assert_eq!(rig.phase(&command), Phase::Refused);
    assert!(rig.approve(&command, "Cleo").is_err());
    let again = Wish { within_s: 86_400, ..rig.wish("slow", 4.0, 1) };
    let known = rig.desk.propose(again, actor("Anna"), rig.now).expect("known");
    assert_eq!((known.0.state, known.1), (Phase::Refused, false));
    // An id that is an hour ahead now is not taken.
    rig.pass(Duration::from_secs(1));
    rig.now.wall = START.minus(HOUR);
    rig.desk.turn(rig.now);
    let ahead = rig.wish("slow", 4.0, 2);
    let refused = rig.desk.propose(ahead, actor("Anna"), rig.now).expect_err("from the future").to_string();
    assert!(refused.contains("ahead of this host's clock"), "{refused}");
    assert!(rig.left().is_empty());
}

#[test]
fn a_lockout_lasts_as_long_as_was_said() {
    for ahead in [true, false] {
        let mut rig = Rig::new();
        let lockout = TargetOrder::Lockout { for_s: 600, reason: "coupling".to_owned() };
        let view = rig.desk.order_target(("rig-1", "free"), lockout, actor("Ines"), rig.now).expect("locked");
        assert_eq!(view.owner, Level::Lockout);
        rig.set_clock(ahead);
        rig.pass(Duration::from_secs(590));
        rig.heard("temperature", 40.0);
        let refused = rig.wished_now("free", 4.0);
        assert_eq!((refused.state, refused.rule.as_deref()), (Phase::Refused, Some("owner")), "{ahead}");
        // It is the same after a restart, for what is kept was moved, too.
        let mut rig = rig.killed();
        rig.sample("temperature", 40.0);
        assert_eq!(rig.wished_now("free", 4.0).rule.as_deref(), Some("owner"), "{ahead}");
        rig.pass(Duration::from_secs(15));
        rig.sample("temperature", 40.0);
        assert_eq!(rig.wished_now("free", 4.0).state, Phase::Sent, "{ahead}");
    }
}

#[test]
fn beats_stay_in_step_on_the_clock_that_is_never_set() {
    let mut rig = Rig::new();
    rig.arm();
    let beats = |rig: &Rig| rig.log().iter().filter(|line| line.starts_with("beat ")).count();
    rig.goes_on(3);
    let before = beats(&rig);
    rig.set_clock(false);
    rig.goes_on(4);
    assert_eq!((beats(&rig), rig.told("heartbeat-missed")), (before + 4, 0), "no faster and no slower");
    rig.set_clock(true);
    let silent = beats(&rig);
    rig.goes_on(4);
    assert_eq!(beats(&rig), silent, "it was disarmed");
}

#[test]
fn a_row_from_the_future_makes_no_wish_that_lives_longer() {
    let mut rig = Rig::new();
    rig.arm();
    let wish = BehaviorWish {
        twin: rig.desk.plant.find("rig-1").expect("rig-1"),
        target: "free".to_owned(),
        value: 4.0,
        proposer: Proposer::Behavior {
            name: "throttle".to_owned(),
            version: "0.1.0".to_owned(),
            digest: Digest::of(b"x").to_string(),
        },
        reason: "warm".to_owned(),
        evidence: vec![geminus_command::Evidence {
            point: super::super::CONFIDENCE.to_owned(),
            value: Some(0.9),
            quality: Quality::Good,
            time: rig.now.wall,
        }],
        row: rig.now.wall.plus(HOUR),
        valid: Duration::from_secs(5),
        first: rig.first,
    };
    rig.desk.hear_wish(wish, rig.now);
    let ends = rig.desk.open.values().map(|open| open.record.command().not_after).next();
    assert_eq!(ends, Some(rig.now.wall.plus(Duration::from_secs(5))));
    assert_eq!(rig.left().len(), 1);
}

#[test]
fn what_is_held_up_on_its_way_out_does_not_leave_late() {
    let (none, long) = (Duration::ZERO, Duration::from_secs(6));
    for (held_up, expect) in [
        ((Duration::from_secs(1), none), Phase::Sent),
        ((long, none), Phase::Failed),
        ((none, HOUR), Phase::Failed),
    ] {
        let mut rig = Rig::new();
        rig.seen.seen().held_up = held_up;
        let command = rig.propose("free", 4.0, 1);
        assert_eq!(command.state, expect, "{held_up:?}: {}", command.detail);
        assert_eq!(rig.left().len(), usize::from(expect == Phase::Sent), "{held_up:?}");
    }
    // Its own deadline is over by then.
    let mut rig = Rig::new();
    rig.seen.seen().held_up = (Duration::from_secs(2), none);
    let wish = Wish { within_s: 1, ..rig.wish("free", 4.0, 1) };
    let command = rig.desk.propose(wish, actor("Anna"), rig.now).expect("taken").0;
    while let Ok(super::super::Ask::Answer(id, answer)) = rig.heard.try_recv() {
        rig.desk.hear_answer(id, answer, rig.now);
    }
    assert_eq!(rig.phase(&command), Phase::Failed);
    assert!(rig.left().is_empty());
}
