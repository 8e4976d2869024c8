//! Rules one by one where time, latches and people matter; the random cases of `oracle.rs` cover the rest.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails by saying so"
)]

use std::time::Duration;

use geminus_core::{Authority, Quality, Timestamp, TwinIndex};
use geminus_interlock::config::{Bypass, Config, Fail, FailAction, Permissive, Role, Span, Trip};
use geminus_interlock::{
    Book, By, Decision, HandError, Kind, Memory, Moment, Picture, Present, Reading, Watched, Wish,
};

fn config() -> Config {
    Config {
        range: Span { min: 0.0, max: 100.0 },
        step_max: None,
        slope_max_per_s: None,
        dwell_s: 0.0,
        rate_per_min: None,
        inputs: None,
        confidence_min: None,
        permissive: vec![Permissive {
            name: "pump runs".to_owned(),
            when: "points.speed > 100.0".to_owned(),
            bypass: Some(Bypass { role: Role::Engineer, max_s: 600 }),
        }],
        trip: vec![Trip {
            name: "winding hot".to_owned(),
            when: "points['winding'] > 155.0".to_owned(),
            latch: true,
            reset: Role::Operator,
        }],
        excludes: Vec::new(),
        alarms_block: Vec::new(),
    }
}

const SAFE: Fail = Fail { action: FailAction::SafeValue, value: Some(40.0) };

fn compile(config: &Config, fail: &Fail) -> Result<Book, Vec<String>> {
    let known = |name: &str| name == "speed" || name == "winding";
    Book::compile("load-limit", config, fail, true, &known)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn readings(speed: f64, winding: f64) -> [Reading; 2] {
    [speed, winding].map(|value| Reading { value, quality: Quality::Good, age: Some(Duration::ZERO) })
}

fn picture(readings: &[Reading]) -> Picture<'_> {
    Picture {
        twin: TwinIndex(3),
        generation: 7,
        authority: Authority::Control,
        lockout: false,
        local: false,
        owner: None,
        present: Present::Value(50.0),
        readings,
        alarms: None,
        active: None,
    }
}

/// `wall_s` may jump as it likes; `mono_s` is what intervals are measured with.
fn at(wall_s: u64, mono_s: u64) -> Moment {
    Moment { wall: Timestamp(0).plus(Duration::from_secs(wall_s)), monotonic: Duration::from_secs(mono_s) }
}

fn check(
    book: &Book,
    memory: &mut Memory,
    readings: &[Reading],
    value: f64,
    now: Moment,
) -> Result<f64, Kind> {
    let not_after = now.wall.plus(Duration::from_secs(1));
    let wish = Wish { value, by: By::Person, proposer: "eva", confidence: f64::NAN, not_after };
    match book.check(&wish, &picture(readings), memory, now) {
        Decision::Permitted { permit, .. } => Ok(permit.value()),
        Decision::Refused(refused) => Err(refused.kind),
    }
}

#[test]
fn a_wall_clock_that_jumps_an_hour_changes_no_interval() {
    let config = Config { slope_max_per_s: Some(1.0), dwell_s: 5.0, rate_per_min: Some(2), ..config() };
    let book = compile(&config, &SAFE).expect("good");
    let fine = readings(1450.0, 80.0);
    for hour in [7_200_u64, 3_600, 0] {
        let wall = |seconds: u64| 3_600 + seconds;
        let mut memory = Memory::default();
        assert_eq!(check(&book, &mut memory, &fine, 50.0, at(wall(0), 100)), Ok(50.0));
        assert_eq!(check(&book, &mut memory, &fine, 50.0, at(hour + 1, 101)), Err(Kind::Dwell));
        assert_eq!(check(&book, &mut memory, &fine, 60.0, at(hour + 6, 106)), Err(Kind::Slope));
        assert_eq!(check(&book, &mut memory, &fine, 56.0, at(hour + 6, 106)), Ok(56.0));
        assert_eq!(check(&book, &mut memory, &fine, 56.0, at(hour + 12, 112)), Err(Kind::Rate));
        assert_eq!(check(&book, &mut memory, &fine, 56.0, at(hour + 12, 160)), Ok(56.0));
    }
}

#[test]
fn after_a_restart_and_a_clock_that_goes_back_everything_happened_just_now() {
    let config = Config { dwell_s: 5.0, rate_per_min: Some(1), ..config() };
    let book = compile(&config, &SAFE).expect("good");
    let fine = readings(1450.0, 80.0);
    let mut memory = Memory::default();
    assert_eq!(check(&book, &mut memory, &fine, 50.0, at(9_000, 5_000)), Ok(50.0));
    let kept = serde_json::to_string(&memory).expect("json");
    let mut again: Memory = serde_json::from_str(&kept).expect("the same");
    for memory in [&mut memory, &mut again] {
        assert_eq!(check(&book, memory, &fine, 50.0, at(9_001, 1_400)), Err(Kind::Dwell));
        assert_eq!(check(&book, memory, &fine, 50.0, at(9_006, 1_406)), Err(Kind::Rate));
        assert_eq!(check(&book, memory, &fine, 50.0, at(9_060, 1_460)), Ok(50.0));
    }
}

#[test]
fn a_trip_latches_without_any_command_and_is_reset_by_its_role_when_it_is_over() {
    let book = compile(&config(), &SAFE).expect("good");
    let (fine, hot) = (readings(1450.0, 80.0), readings(1450.0, 156.0));
    let mut memory = Memory::default();
    let life = Duration::from_secs(2);
    assert!(book.fail_permit(&picture(&hot), &memory, life, at(0, 0)).is_none(), "nothing has tripped");
    let watched = book.watch(&picture(&hot), &mut memory, at(1, 1));
    assert_eq!(watched.tripped, [("winding hot".to_owned(), "winding = 156".to_owned())]);
    assert!(watched.fail_due);
    let permit = book.fail_permit(&picture(&hot), &memory, life, at(1, 1)).expect("the safe value");
    assert_eq!((permit.value(), permit.command(), permit.generation()), (40.0, "load-limit", 7));
    let local = Picture { local: true, ..picture(&hot) };
    assert!(book.fail_permit(&local, &memory, life, at(1, 1)).is_none(), "the field has taken over");
    assert_eq!(book.watch(&picture(&hot), &mut memory, at(2, 2)), Watched::default(), "told once");

    let reset = |memory: &mut Memory, role, readings: &[Reading]| {
        memory.reset(&book, "winding hot", role, &picture(readings))
    };
    assert!(matches!(reset(&mut memory, Role::Operator, &hot), Err(HandError::Active { .. })));
    assert!(matches!(reset(&mut memory, Role::Engineer, &fine), Err(HandError::Role { .. })));
    // A restart forgets no latch.
    let kept = serde_json::to_string(&memory).expect("json");
    memory = serde_json::from_str(&kept).expect("the same");
    assert_eq!(check(&book, &mut memory, &fine, 50.0, at(3, 3)), Err(Kind::Trip));
    assert_eq!(reset(&mut memory, Role::Operator, &fine), Ok(true));
    assert_eq!(reset(&mut memory, Role::Operator, &fine), Ok(false));
    assert_eq!(check(&book, &mut memory, &fine, 50.0, at(4, 4)), Ok(50.0));
    // Doubt trips: the point is stale.
    let mut stale = fine;
    stale.iter_mut().for_each(|reading| reading.quality = Quality::Stale);
    assert!(book.watch(&picture(&stale), &mut memory, at(5, 5)).fail_due);
    // A latch whose rule has left the file still refuses, until an engineer removes it.
    let without = compile(&Config { trip: Vec::new(), ..config() }, &SAFE).expect("good");
    let speed = &fine[..1];
    assert_eq!(check(&without, &mut memory, speed, 50.0, at(6, 6)), Err(Kind::Trip));
    assert_eq!(memory.reset(&without, "winding hot", Role::Engineer, &picture(speed)), Ok(true));
    assert_eq!(check(&without, &mut memory, speed, 50.0, at(7, 7)), Ok(50.0));
}

#[test]
fn a_bypass_needs_role_name_reason_and_time_and_ends() {
    let book = compile(&config(), &SAFE).expect("good");
    let halted = readings(0.0, 80.0);
    let mut memory = Memory::default();
    let bypass = |memory: &mut Memory, rule: &str, role, by: &str, for_s| {
        memory.bypass(&book, rule, (role, by, "trial run"), for_s, at(0, 10))
    };
    assert_eq!(check(&book, &mut memory, &halted, 50.0, at(0, 10)), Err(Kind::Permissive));
    assert!(matches!(
        bypass(&mut memory, "winding hot", Role::Engineer, "eva", 60),
        Err(HandError::Unknown { .. })
    ));
    assert!(matches!(bypass(&mut memory, "pump runs", Role::Admin, "eva", 60), Err(HandError::Role { .. })));
    assert!(matches!(bypass(&mut memory, "pump runs", Role::Engineer, " ", 60), Err(HandError::Nameless)));
    assert!(matches!(
        bypass(&mut memory, "pump runs", Role::Engineer, "eva", 601),
        Err(HandError::Time { .. })
    ));
    assert_eq!(bypass(&mut memory, "pump runs", Role::Engineer, "eva", 60), Ok(()));
    assert_eq!(memory.bypasses(at(0, 69)).count(), 1);
    let wish = Wish {
        value: 50.0,
        by: By::Person,
        proposer: "eva",
        confidence: 1.0,
        not_after: Timestamp(0).plus(Duration::from_secs(99)),
    };
    match book.check(&wish, &picture(&halted), &mut memory, at(0, 69)) {
        Decision::Permitted { bypassed, .. } => assert_eq!(bypassed, ["pump runs"]),
        Decision::Refused(refused) => panic!("{refused}"),
    }
    let lines = book.explain(&memory, &picture(&halted), at(0, 69));
    assert!(lines.iter().any(|line| line.bypassed_by.as_deref() == Some("eva (trial run)")), "{lines:?}");
    assert_eq!(check(&book, &mut memory, &halted, 50.0, at(0, 70)), Err(Kind::Permissive), "it has ended");
    // It does not outlive the process.
    assert_eq!(bypass(&mut memory, "pump runs", Role::Engineer, "eva", 60), Ok(()));
    let kept = serde_json::to_string(&memory).expect("json");
    let again: Memory = serde_json::from_str(&kept).expect("the same");
    assert_eq!(again.bypasses(at(0, 11)).count(), 0);
}

#[test]
fn a_refusal_names_rule_inputs_and_what_is_allowed() {
    let book = compile(&config(), &SAFE).expect("good");
    let wish = Wish {
        value: 50.0,
        by: By::Person,
        proposer: "eva",
        confidence: 1.0,
        not_after: Timestamp(0).plus(Duration::from_secs(9)),
    };
    let found = match book.check(&wish, &picture(&readings(12.0, 80.0)), &mut Memory::default(), at(0, 0)) {
        Decision::Refused(refused) => refused,
        Decision::Permitted { .. } => panic!("permitted"),
    };
    let expect = "load-limit: \"pump runs\" refuses: speed = 12; allowed is points.speed > 100.0";
    assert_eq!(found.to_string(), expect);
    assert_eq!(serde_json::to_value(&found).expect("json")["kind"], "permissive");
}

#[test]
fn mistakes_name_rule_and_place() {
    let check = |change: fn(&mut Config, &mut Fail), expect: &str| {
        let (mut config, mut fail) = (config(), SAFE);
        change(&mut config, &mut fail);
        let told = compile(&config, &fail).expect_err(expect);
        assert!(told.iter().any(|told| told.contains(expect)), "{told:?} does not say {expect}");
    };
    check(|c, _| c.range.min = f64::NAN, "must be less than max");
    check(|c, _| c.step_max = Some(0.0), "step_max: 0 must be more than 0");
    check(|c, _| c.slope_max_per_s = Some(f64::INFINITY), "slope_max_per_s: inf must be more than 0");
    check(|c, _| c.dwell_s = -1.0, "dwell_s: -1 must be 0");
    check(|c, _| c.rate_per_min = Some(0), "rate_per_min: must be 1 … 600");
    check(|c, _| c.confidence_min = Some(1.5), "confidence_min: must be 0 … 1");
    check(|c, _| c.trip[0].name = "pump runs".to_owned(), "the name is used twice");
    check(
        |c, _| c.trip[0].when = "points.windin > 1.0".to_owned(),
        "\"winding hot\" of target \"load-limit\", trip[0].when",
    );
    check(|c, _| c.permissive = vec![c.permissive[0].clone(); 65], "65 are more than 64");
    check(|c, _| c.excludes = (0..17).map(|group| group.to_string()).collect(), "17 are more than 16");
    check(|_, fail| fail.value = Some(101.0), "value 101 is outside 0 … 100");
    check(|_, fail| fail.value = None, "safe-value needs a value");
    check(|_, fail| fail.action = FailAction::Hold, "value is used with safe-value only");
}

#[test]
fn a_slope_is_measured_from_where_the_field_is_and_from_where_it_was_sent() {
    let config = Config { slope_max_per_s: Some(1.0), ..config() };
    let book = compile(&config, &SAFE).expect("good");
    let fine = readings(1450.0, 80.0);
    let mut memory = Memory::default();
    assert_eq!(check(&book, &mut memory, &fine, 50.0, at(0, 100)), Ok(50.0));
    let at_panel = |memory: &mut Memory, value: f64, second: u64| {
        let now = at(second, 100 + second);
        let not_after = now.wall.plus(Duration::from_secs(1));
        let wish = Wish { value, by: By::Person, proposer: "eva", confidence: f64::NAN, not_after };
        let moved = Picture { present: Present::Value(90.0), ..picture(&fine) };
        match book.check(&wish, &moved, memory, now) {
            Decision::Permitted { permit, .. } => Ok(permit.value()),
            Decision::Refused(refused) => Err((refused.kind, refused.seen)),
        }
    };
    // Somebody has moved it to 90 at the machine's own panel.
    let refused = Err((Kind::Slope, "a change of 40 from 90 in 10 s".to_owned()));
    assert_eq!(at_panel(&mut memory, 50.0, 10), refused, "the field would jump");
    assert!(matches!(at_panel(&mut memory, 90.0, 10), Err((Kind::Slope, _))), "and so would what was sent");
    assert_eq!(at_panel(&mut memory, 70.0, 20), Ok(70.0));
}

#[test]
fn what_did_not_reach_the_field_is_not_what_follows_is_measured_from() {
    let config = Config { slope_max_per_s: Some(1.0), dwell_s: 5.0, ..config() };
    let book = compile(&config, &SAFE).expect("good");
    let fine = readings(1450.0, 80.0);
    let mut memory = Memory::default();
    assert_eq!(check(&book, &mut memory, &fine, 50.0, at(0, 100)), Ok(50.0));
    let before = memory.clone();
    assert_eq!(check(&book, &mut memory, &fine, 60.0, at(10, 110)), Ok(60.0));
    let mark = before.mark(&memory);
    assert_eq!(check(&book, &mut memory, &fine, 51.0, at(11, 111)), Err(Kind::Slope), "60 is on its way");
    assert!(memory.roll_back(&mark));
    assert_eq!(check(&book, &mut memory, &fine, 51.0, at(11, 111)), Ok(51.0), "60 never left");
    assert!(!memory.roll_back(&mark), "another one was permitted since");
    assert_eq!(memory.last(), Some(51.0));

    let hot = readings(1450.0, 156.0);
    assert!(book.watch(&picture(&hot), &mut memory, at(20, 120)).fail_due);
    let permit =
        book.fail_permit(&picture(&hot), &memory, Duration::from_secs(2), at(20, 120)).expect("safe");
    book.note_fail(&mut memory, &permit, at(20, 120));
    assert_eq!(memory.last(), Some(40.0), "the safe value is the last one");
}
