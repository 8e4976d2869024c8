//! Random rules, states and commands against a second opinion: straight-line code, written from the words of the
//! configuration and not from the engine. Verdict and rule must be the same each time, and nothing may be permitted
//! while a trip is active. `INTERLOCK_CASES=10000000` for the long run; the seed of a case is in its message.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails by saying so"
)]

use std::time::Duration;

use geminus_core::{Authority, Quality, Timestamp, TwinIndex};
use geminus_interlock::config::{
    Bypass, Config, Enough, Fail, FailAction, Inputs, Permissive, Priority, Role, Span, Trip,
};
use geminus_interlock::{ActiveAlarm, Book, By, Decision, Memory, Moment, Picture, Present, Reading, Wish};

/// SplitMix64: enough for choosing cases, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len() as u64) as usize]
    }
}

/// A condition as text, and what it means of (a, b) where `None` is a value that may not be used.
type Meaning = fn(Option<f64>, Option<f64>) -> Option<bool>;
const CONDITIONS: [(&str, Meaning); 7] = [
    ("points.a > 1.0", |a, _| a.map(|a| a > 1.0)),
    ("points['b'] <= 2", |_, b| b.map(|b| b <= 2.0)),
    ("points.a + points.b >= 3.0", |a, b| Some(a? + b? >= 3.0)),
    ("points.a > 1.0 && points.b > 1.0", |a, b| match (a.map(|a| a > 1.0), b.map(|b| b > 1.0)) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }),
    ("points.a < 1.0 || !(points.b < 1.0)", |a, b| match (a.map(|a| a < 1.0), b.map(|b| b >= 1.0)) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }),
    ("points.a / points.b > 1.0", |a, b| {
        let share = a? / b?;
        if share.is_finite() { Some(share > 1.0) } else { None }
    }),
    ("points.a > 2.0 ? points.b > 0.0 : points.b < 0.0", |a, b| {
        if a? > 2.0 { b.map(|b| b > 0.0) } else { b.map(|b| b < 0.0) }
    }),
];

/// Rules, and which condition each named one has.
struct Rules {
    config: Config,
    permissives: Vec<usize>,
    trips: Vec<usize>,
}

fn rules(dice: &mut Dice) -> Rules {
    let permissives: Vec<usize> = (0..dice.roll(3)).map(|_| dice.roll(7) as usize).collect();
    let trips: Vec<usize> = (0..dice.roll(3)).map(|_| dice.roll(7) as usize).collect();
    let permissive = permissives.iter().enumerate().map(|(index, condition)| Permissive {
        name: format!("permissive {index}"),
        when: CONDITIONS[*condition].0.to_owned(),
        bypass: dice.one_in(2).then_some(Bypass { role: Role::Engineer, max_s: 100 }),
    });
    let permissive = permissive.collect();
    let trip = trips.iter().enumerate().map(|(index, condition)| Trip {
        name: format!("trip {index}"),
        when: CONDITIONS[*condition].0.to_owned(),
        latch: dice.one_in(2),
        reset: Role::Operator,
    });
    let trip = trip.collect();
    let config = Config {
        range: Span { min: 0.0, max: dice.of(&[5.0, 50.0]) },
        step_max: dice.one_in(3).then_some(4.0),
        slope_max_per_s: dice.one_in(3).then_some(0.5),
        dwell_s: dice.of(&[0.0, 0.0, 5.0]),
        rate_per_min: dice.one_in(2).then(|| 1 + dice.roll(3) as u32),
        inputs: dice.one_in(3).then(|| Inputs {
            points: vec!["b".to_owned(), "c".to_owned()],
            quality: dice.of(&[Enough::Good, Enough::Uncertain]),
            age_max_s: 10.0,
        }),
        confidence_min: dice.one_in(2).then_some(0.5),
        permissive,
        trip,
        excludes: if dice.one_in(3) { vec!["drain".to_owned(), "heat".to_owned()] } else { Vec::new() },
        alarms_block: if dice.one_in(3) { vec![Priority::Critical, Priority::High] } else { Vec::new() },
    };
    Rules { config, permissives, trips }
}

/// What the second opinion remembers; times in milliseconds.
#[derive(Default)]
struct State {
    last: Option<f64>,
    since: Option<u64>,
    permits: Vec<u64>,
    latched: Vec<usize>,
    bypassed: Vec<(usize, u64)>,
    clock: u64,
}

/// The value of a point, if it can be used.
fn usable(points: &[(&str, Reading)], name: &str) -> Option<f64> {
    let reading = points.iter().find(|(point, _)| *point == name).expect("drawn").1;
    let good = matches!(reading.quality, Quality::Good | Quality::Uncertain);
    if good && reading.value.is_finite() { Some(reading.value) } else { None }
}

/// The first trip that is active or latched; what holds now is latched where it is to be.
fn tripped(rules: &Rules, state: &mut State, points: &[(&str, Reading)]) -> Option<String> {
    let mut first = None;
    for (index, condition) in rules.trips.iter().enumerate() {
        let trip = &rules.config.trip[index];
        // What is not known has tripped.
        let active = CONDITIONS[*condition].1(usable(points, "a"), usable(points, "b")) != Some(false);
        if active && trip.latch && !state.latched.contains(&index) {
            state.latched.push(index);
        }
        if first.is_none() && (active || state.latched.contains(&index)) {
            first = Some(trip.name.clone());
        }
    }
    first
}

/// The second opinion: the name of the rule that refuses, or `None`.
fn opinion(
    rules: &Rules,
    state: &mut State,
    wish: &Wish<'_>,
    picture: &Picture<'_>,
    points: &[(&str, Reading)],
    (wall, now): (u64, u64),
) -> Option<String> {
    let config = &rules.config;
    // A clock that is new or went back: all that happened, happened now.
    if state.since.is_none() || now < state.clock {
        state.since = Some(now);
        for time in &mut state.permits {
            *time = now;
        }
        state.bypassed.clear();
    }
    state.clock = now;
    state.permits.retain(|time| now - time < 60_000);
    state.bypassed.retain(|(_, until)| now < *until);
    let read = |name: &str| points.iter().find(|(point, _)| *point == name).expect("drawn").1;
    let means = |condition: usize| CONDITIONS[condition].1(usable(points, "a"), usable(points, "b"));
    let first_trip = tripped(rules, state, points);
    if wish.value.is_nan() || wish.value.is_infinite() {
        return Some("value".into());
    }
    if wish.not_after.0 <= wall {
        return Some("deadline".into());
    }
    if picture.lockout {
        return Some("lockout".into());
    }
    if picture.local {
        return Some("local".into());
    }
    if picture.authority == Authority::Observe
        || (picture.authority == Authority::Advise && wish.by == By::Behavior)
    {
        return Some("authority".into());
    }
    if picture.owner.is_some() && picture.owner != Some(wish.proposer) {
        return Some("owner".into());
    }
    if first_trip.is_some() {
        return first_trip;
    }
    if !config.alarms_block.is_empty() {
        let Some(alarms) = picture.alarms else { return Some("alarms_block".into()) };
        for alarm in alarms {
            if matches!(alarm.priority, Priority::Critical | Priority::High) && !alarm.suppressed {
                return Some("alarms_block".into());
            }
        }
    }
    if let Some(inputs) = &config.inputs {
        for name in &inputs.points {
            let reading = read(name);
            let good = reading.quality == Quality::Good
                || (reading.quality == Quality::Uncertain && inputs.quality == Enough::Uncertain);
            let young = match reading.age {
                Some(age) => age <= Duration::from_secs(10),
                None => false,
            };
            if !good || !young || !reading.value.is_finite() {
                return Some("inputs".into());
            }
        }
    }
    if let Some(least) = config.confidence_min
        && wish.by == By::Behavior
        && !(wish.confidence >= least && wish.confidence <= 1.0)
    {
        return Some("confidence".into());
    }
    if wish.value < config.range.min || wish.value > config.range.max {
        return Some("range".into());
    }
    let present = match picture.present {
        Present::Value(value) if value.is_finite() => Some(value),
        _ => None,
    };
    if let Some(most) = config.step_max {
        match present {
            Some(from) if (wish.value - from).abs() <= most => {}
            _ => return Some("step".into()),
        }
    }
    let waited = now - state.since.expect("set above");
    if let Some(most) = config.slope_max_per_s {
        let allowed = most * (waited as f64 / 1000.0);
        if state.last.is_none() && present.is_none() {
            return Some("slope".into());
        }
        if let Some(last) = state.last
            && (wish.value - last).abs() > allowed
        {
            return Some("slope".into());
        }
        if let Some(now_there) = present
            && (wish.value - now_there).abs() > allowed
        {
            return Some("slope".into());
        }
    }
    if state.last.is_some() && (waited as f64) < config.dwell_s * 1000.0 {
        return Some("dwell".into());
    }
    if config.rate_per_min.is_some_and(|rate| state.permits.len() >= rate as usize) {
        return Some("rate".into());
    }
    for (index, condition) in rules.permissives.iter().enumerate() {
        let bypassed = state.bypassed.iter().any(|(rule, _)| *rule == index);
        if means(*condition) != Some(true) && !bypassed {
            return Some(config.permissive[index].name.clone());
        }
    }
    for group in &config.excludes {
        let Some(active) = picture.active else { return Some(group.clone()) };
        if active.iter().any(|(of, name)| of == group && *name != "load") {
            return Some(group.clone());
        }
    }
    state.last = Some(wish.value);
    state.since = Some(now);
    state.permits.push(now);
    None
}

fn reading(dice: &mut Dice) -> Reading {
    let quality = match dice.roll(12) {
        0 => Quality::Bad,
        1 => Quality::Stale,
        2 => Quality::Missing,
        3 | 4 => Quality::Uncertain,
        _ => Quality::Good,
    };
    let value = if dice.one_in(30) { f64::NAN } else { dice.of(&[-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 4.0]) };
    let age = (!dice.one_in(20)).then(|| Duration::from_millis(dice.of(&[0, 500, 9_999, 10_000, 10_001])));
    Reading { value, quality, age: age.filter(|_| quality != Quality::Missing) }
}

/// One book and twenty commands. Gives how many were permitted, and how many came while a trip was active or latched.
fn case(seed: u64) -> (u64, u64) {
    let dice = &mut Dice(seed);
    let rules = rules(dice);
    let fail = Fail { action: FailAction::Hold, value: None };
    let known = |name: &str| ["a", "b", "c"].contains(&name);
    let book = Book::compile("load", &rules.config, &fail, true, &known)
        .unwrap_or_else(|errors| panic!("seed {seed}: {errors:?}"));
    let (mut memory, mut state) = (Memory::default(), State::default());
    let (mut permitted, mut met) = (0, 0);
    let (mut wall, mut mono) = (1_000_000_000_000_u64, dice.roll(10_000));
    for step in 0..20 {
        mono += dice.of(&[0, 10, 1_000, 4_999, 5_000, 20_000, 60_000]);
        wall = (wall + 1_000_000_000).wrapping_add(dice.of(&[0, 0, 3_600_000_000_000]));
        if dice.one_in(12) {
            wall -= 3_600_000_000_000_u64.min(wall / 2);
        }
        match dice.roll(24) {
            0 => mono = mono.saturating_sub(3_600_000),
            1 => {
                let kept = serde_json::to_string(&memory).expect("json");
                memory = serde_json::from_str(&kept).expect("the same");
                (state.since, state.bypassed) = (None, Vec::new());
                mono = dice.roll(1_000);
            }
            _ => {}
        }
        let drawn = [("a", reading(dice)), ("b", reading(dice)), ("c", reading(dice))];
        let readings: Vec<Reading> = book
            .points()
            .iter()
            .map(|name| drawn.iter().find(|(point, _)| point == name).expect("drawn").1)
            .collect();
        let alarms = [ActiveAlarm {
            name: "hot",
            priority: dice.of(&[Priority::Critical, Priority::High, Priority::Medium, Priority::Low]),
            suppressed: dice.one_in(2),
        }];
        let active = [(dice.of(&["drain", "heat", "other"]), dice.of(&["load", "valve"]))];
        let picture = Picture {
            twin: TwinIndex(1),
            generation: 1,
            authority: if dice.one_in(12) {
                dice.of(&[Authority::Observe, Authority::Advise])
            } else {
                Authority::Control
            },
            lockout: dice.one_in(40),
            local: dice.one_in(40),
            owner: dice.of(&[None, None, Some("policy"), Some("policy"), Some("other")]),
            present: dice.of(&[
                Present::Value(2.0),
                Present::Value(4.0),
                Present::Value(4.0),
                Present::Unknown,
                Present::Value(f64::NAN),
            ]),
            readings: &readings,
            alarms: match dice.roll(8) {
                0 => None,
                1 | 2 => Some(&alarms),
                _ => Some(&[]),
            },
            active: match dice.roll(8) {
                0 => None,
                1 | 2 => Some(&active),
                _ => Some(&[]),
            },
        };
        let wish = Wish {
            value: if dice.one_in(30) {
                dice.of(&[f64::NAN, f64::INFINITY])
            } else {
                dice.of(&[-0.5, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.5])
            },
            by: dice.of(&[By::Behavior, By::Person]),
            proposer: "policy",
            confidence: dice.of(&[0.4, 0.5, 0.9, 1.0, 1.0, 1.1, f64::NAN]),
            not_after: Timestamp(wall + dice.of(&[0, 1, 1_000_000_000, 5_000_000_000])),
        };
        let now = Moment { wall: Timestamp(wall), monotonic: Duration::from_millis(mono) };
        if dice.one_in(6) && !rules.permissives.is_empty() {
            let index = dice.roll(rules.permissives.len() as u64) as usize;
            let rule = format!("permissive {index}");
            // A bypass that is entered settles the clock, as any look does.
            if mono < state.clock || state.since.is_none() {
                state.bypassed.clear();
            }
            let entered = memory.bypass(&book, &rule, (Role::Engineer, "eva", "test"), 30, now).is_ok();
            assert_eq!(entered, rules.config.permissive[index].bypass.is_some(), "seed {seed}");
            if mono < state.clock || state.since.is_none() {
                state.since = Some(mono);
                state.permits.iter_mut().for_each(|time| *time = mono);
            }
            state.clock = mono;
            if entered {
                state.bypassed.retain(|(known, _)| *known != index);
                state.bypassed.push((index, mono + 30_000));
            }
        }
        if dice.one_in(6) && !rules.trips.is_empty() {
            let index = dice.roll(rules.trips.len() as u64) as usize;
            let rule = format!("trip {index}");
            if memory.reset(&book, &rule, Role::Operator, &picture) == Ok(true) {
                assert!(state.latched.contains(&index), "seed {seed} step {step}: nothing to reset");
                state.latched.retain(|known| *known != index);
            }
        }
        let expect = opinion(&rules, &mut state, &wish, &picture, &drawn, (wall, mono));
        let trip = tripped(&rules, &mut state, &drawn);
        met += u64::from(trip.is_some());
        let found = match book.check(&wish, &picture, &mut memory, now) {
            Decision::Permitted { permit, .. } => {
                assert_eq!(permit.value(), wish.value, "seed {seed} step {step}");
                assert_eq!(trip, None, "seed {seed} step {step}: it is permitted while a trip is active");
                assert!(memory.latched().is_empty(), "seed {seed} step {step}: a trip is latched");
                permitted += 1;
                None
            }
            Decision::Refused(refused) => Some(refused.rule),
        };
        assert_eq!(found, expect, "seed {seed} step {step}: {wish:?} {picture:?} {:?}", rules.config);
    }
    (permitted, met)
}

#[test]
fn a_second_opinion_agrees_on_verdict_and_rule() {
    let cases = std::env::var("INTERLOCK_CASES").map_or(100_000, |count| count.parse().expect("a number"));
    let books = u64::max(cases / 20, 1);
    let all = (0..books).map(case).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let (permitted, met) = all;
    println!("{permitted} of {} were permitted, {met} came while a trip was active", books * 20);
    assert!(permitted > books / 4, "only {permitted} of {cases} were permitted: the cases say little");
    assert!(met > books, "only {met} of {cases} met a trip: the cases say little");
}
