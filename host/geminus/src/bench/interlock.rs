//! What the check of one command costs: twenty rules of a compiled book, against the same twenty checks written out
//! in Rust. Every command of a run is permitted, so that no rule is left out.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use geminus_core::{Authority, Quality, Timestamp, TwinIndex};
use geminus_interlock::config::{Config, Enough, Fail, Inputs, Permissive, Priority, Role, Span, Trip};
use geminus_interlock::{ActiveAlarm, Book, By, Decision, Memory, Moment, Picture, Present, Reading, Wish};
use serde_json::json;

use super::figure::rounded;
use super::{Figure, Workbench, median};

/// Checks of one run.
const CHECKS: u32 = 20_000;
/// Runs of each side.
const RUNS: usize = 31;
/// Nine rules of the book's own, six permissives and five trips.
const RULES: usize = 20;
const POINTS: [(&str, f64); 4] = [("speed", 1450.0), ("winding", 88.0), ("flow", 30.0), ("level", 2.5)];

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    let known = |name: &str| POINTS.iter().any(|(point, _)| *point == name);
    let book = Book::compile("load-limit", &config(), &Fail::default(), true, &known)
        .map_err(|errors| anyhow!("{errors:?}"))?;
    let value =
        |name: &str| POINTS.iter().find(|(point, _)| *point == name).map_or(f64::NAN, |(_, value)| *value);
    let read = |name: &str| {
        let (value, age) = (value(name), Some(Duration::from_secs(1)));
        Reading { value, quality: Quality::Good, age }
    };
    let readings: Vec<Reading> = book.points().iter().map(|name| read(name)).collect();
    // The baseline reads by place, in the order of `POINTS`, as hand-written code would.
    let plain: Vec<Reading> = POINTS.iter().map(|(name, _)| read(name)).collect();
    let (mut compiled_ns, mut plain_ns) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        plain_ns.push(run(bench, &plain, &mut Plain::default(), Plain::check)?);
        let mut memory = Memory::default();
        compiled_ns.push(run(bench, &readings, &mut memory, |memory, wish, picture, now| {
            matches!(book.check(wish, picture, memory, now), Decision::Permitted { .. })
        })?);
    }
    let fastest = compiled_ns.iter().copied().fold(f64::INFINITY, f64::min);
    let detail = json!({ "rules": RULES, "checks": CHECKS, "runs": RUNS, "fastest_ns": rounded(fastest) });
    Ok(Figure::new(median(compiled_ns), detail).against("the same checks in Rust", median(plain_ns)))
}

/// Nanoseconds a check; every one has to permit.
fn run<M>(
    bench: &Workbench,
    readings: &[Reading],
    memory: &mut M,
    check: impl Fn(&mut M, &Wish<'_>, &Picture<'_>, Moment) -> bool,
) -> anyhow::Result<f64> {
    let alarms = [ActiveAlarm { name: "low flow", priority: Priority::Low, suppressed: false }];
    let active = [("heat", "heater")];
    let picture = Picture {
        twin: TwinIndex(0),
        generation: 1,
        authority: Authority::Control,
        lockout: false,
        local: false,
        owner: Some("throttle"),
        present: Present::Value(50.5),
        readings,
        alarms: Some(&alarms),
        active: Some(&active),
    };
    let start = bench.clock.monotonic();
    let mut permitted = 0;
    for step in 1..=CHECKS {
        let seconds = Duration::from_secs(u64::from(step) * 2);
        let now = Moment { wall: Timestamp(0).plus(seconds), monotonic: seconds };
        let wish = Wish {
            value: 50.0 + f64::from(step % 2),
            by: By::Behavior,
            proposer: "throttle",
            confidence: 0.9,
            not_after: now.wall.plus(Duration::from_secs(1)),
        };
        permitted += u32::from(check(memory, black_box(&wish), black_box(&picture), now));
    }
    let took = bench.clock.monotonic().saturating_sub(start);
    // The slope counts from the first look on: only that first command may be refused.
    ensure!(permitted + 1 >= CHECKS, "only {permitted} of {CHECKS} commands were permitted");
    Ok(took.as_nanos() as f64 / f64::from(CHECKS))
}

fn config() -> Config {
    let permissive = |(index, when): (usize, &&str)| Permissive {
        name: format!("permissive {index}"),
        when: (*when).to_owned(),
        bypass: None,
    };
    let trip = |(index, when): (usize, &&str)| Trip {
        name: format!("trip {index}"),
        when: (*when).to_owned(),
        latch: true,
        reset: Role::Operator,
    };
    Config {
        range: Span { min: 0.0, max: 100.0 },
        step_max: Some(20.0),
        slope_max_per_s: Some(2.0),
        dwell_s: 1.0,
        rate_per_min: Some(60),
        inputs: Some(Inputs {
            points: vec!["winding".to_owned(), "speed".to_owned()],
            quality: Enough::Good,
            age_max_s: 10.0,
        }),
        confidence_min: Some(0.6),
        permissive: PERMISSIVES.iter().enumerate().map(permissive).collect(),
        trip: TRIPS.iter().enumerate().map(trip).collect(),
        excludes: vec!["drain".to_owned()],
        alarms_block: vec![Priority::Critical],
    }
}

const PERMISSIVES: [&str; 6] = [
    "points.speed > 100.0",
    "points.flow > 5.0 && points.flow < 80.0",
    "points.level > 0.5 || points.speed < 500.0",
    "points.speed / points.flow < 100.0",
    "!(points.level > 9.0)",
    "points.winding < 150.0",
];
const TRIPS: [&str; 5] = [
    "points.winding > 155.0",
    "points.speed > 3000.0",
    "points.level < 0.1",
    "points.flow < 1.0 && points.speed > 1000.0",
    "points.winding - points.level > 160.0",
];

/// The same rules by hand: what they cost without names, text and a file.
#[derive(Default)]
struct Plain {
    last: Option<f64>,
    since: Duration,
    seen: Option<Duration>,
    times: std::collections::VecDeque<Duration>,
    latched: bool,
}

impl Plain {
    fn check(&mut self, wish: &Wish<'_>, picture: &Picture<'_>, now: Moment) -> bool {
        let now_s = now.monotonic;
        if self.seen.is_none_or(|seen| now_s < seen) {
            self.since = now_s;
        }
        self.seen = Some(now_s);
        while self.times.front().is_some_and(|time| now_s.saturating_sub(*time) >= Duration::from_secs(60)) {
            self.times.pop_front();
        }
        let [speed, winding, flow, level] = picture.readings else { return false };
        let sure = |reading: &Reading| reading.quality.usable() && reading.value.is_finite();
        if ![speed, winding, flow, level].into_iter().all(sure) {
            return false;
        }
        let fresh = |reading: &Reading| {
            reading.quality == Quality::Good && reading.age.is_some_and(|age| age <= Duration::from_secs(10))
        };
        let inputs = fresh(winding) && fresh(speed);
        let (speed, winding, flow, level) = (speed.value, winding.value, flow.value, level.value);
        self.latched |= winding > 155.0
            || speed > 3000.0
            || level < 0.1
            || (flow < 1.0 && speed > 1000.0)
            || winding - level > 160.0;
        let Present::Value(present) = picture.present else { return false };
        let waited = now_s.saturating_sub(self.since).as_secs_f64();
        let pass = wish.value.is_finite()
            && now.wall < wish.not_after
            && !picture.lockout
            && !picture.local
            && picture.authority == Authority::Control
            && picture.owner.is_none_or(|owner| owner == wish.proposer)
            && !self.latched
            && picture.alarms.is_some_and(|alarms| {
                !alarms.iter().any(|alarm| !alarm.suppressed && alarm.priority == Priority::Critical)
            })
            && inputs
            && (0.6..=1.0).contains(&wish.confidence)
            && (0.0..=100.0).contains(&wish.value)
            && (wish.value - present).abs() <= 20.0
            && (wish.value - present).abs() <= 2.0 * waited
            && self.last.is_none_or(|last| (wish.value - last).abs() <= 2.0 * waited)
            && (self.last.is_none() || waited >= 1.0)
            && self.times.len() < 60
            && speed > 100.0
            && (flow > 5.0 && flow < 80.0)
            && (level > 0.5 || speed < 500.0)
            && speed / flow < 100.0
            && level <= 9.0
            && winding < 150.0
            && picture.active.is_some_and(|active| !active.iter().any(|(group, _)| *group == "drain"));
        if pass {
            (self.last, self.since) = (Some(wish.value), now_s);
            self.times.push_back(now_s);
        }
        pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What both sides are shown.
    #[derive(Clone, Debug)]
    struct Scene {
        points: [(&'static str, f64); 4],
        quality: Quality,
        value: f64,
        confidence: f64,
        authority: Authority,
        owner: &'static str,
        lockout: bool,
        local: bool,
        alarm: Priority,
        active: &'static str,
    }

    impl Scene {
        fn calm() -> Self {
            Self {
                points: POINTS,
                quality: Quality::Good,
                value: 51.0,
                confidence: 0.9,
                authority: Authority::Control,
                owner: "throttle",
                lockout: false,
                local: false,
                alarm: Priority::Low,
                active: "heat",
            }
        }

        fn with(point: &str, value: f64) -> Self {
            let mut scene = Self::calm();
            scene.points.iter_mut().filter(|(name, _)| *name == point).for_each(|(_, held)| *held = value);
            scene
        }

        fn readings<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<Reading> {
            let value = |name: &str| self.points.iter().find(|(point, _)| *point == name).expect("a point").1;
            let reading = |name: &str| Reading {
                value: value(name),
                quality: self.quality,
                age: Some(Duration::from_secs(1)),
            };
            names.map(reading).collect()
        }

        /// What one side says to it at this second.
        fn shown(
            &self,
            seconds: u64,
            readings: &[Reading],
            says: impl FnOnce(&Wish<'_>, &Picture<'_>, Moment) -> bool,
        ) -> bool {
            let alarms = [ActiveAlarm { name: "low flow", priority: self.alarm, suppressed: false }];
            let active = [(self.active, "heater")];
            let span = Duration::from_secs(seconds);
            let now = Moment { wall: Timestamp(0).plus(span), monotonic: span };
            let picture = Picture {
                twin: TwinIndex(0),
                generation: 1,
                authority: self.authority,
                lockout: self.lockout,
                local: self.local,
                owner: Some(self.owner),
                present: Present::Value(50.5),
                readings,
                alarms: Some(&alarms),
                active: Some(&active),
            };
            let wish = Wish {
                value: self.value,
                by: By::Behavior,
                proposer: "throttle",
                confidence: self.confidence,
                not_after: now.wall.plus(Duration::from_secs(1)),
            };
            says(&wish, &picture, now)
        }
    }

    /// What book and baseline say to a scene after two calm ones, the second of which both permit.
    fn verdicts(scene: &Scene) -> (bool, bool) {
        let known = |name: &str| POINTS.iter().any(|(point, _)| *point == name);
        let book = Book::compile("load-limit", &config(), &Fail::default(), true, &known).expect("a book");
        let (mut memory, mut plain) = (Memory::default(), Plain::default());
        let mut both = |scene: &Scene, seconds: u64| {
            let compiled = scene.readings(book.points().iter().map(|name| &**name));
            let by_hand = scene.readings(POINTS.iter().map(|(name, _)| *name));
            let of_book = scene.shown(seconds, &compiled, |wish, picture, now| {
                matches!(book.check(wish, picture, &mut memory, now), Decision::Permitted { .. })
            });
            (of_book, scene.shown(seconds, &by_hand, |wish, picture, now| plain.check(wish, picture, now)))
        };
        // The slope counts from the first look on.
        both(&Scene::calm(), 2);
        let calm = Scene { value: 50.0, ..Scene::calm() };
        assert_eq!(both(&calm, 4), (true, true), "both permit");
        both(scene, 6)
    }

    /// The bench itself refuses to measure refused commands; this also holds the baseline to the same work.
    #[test]
    fn both_sides_check_the_same_rules() {
        let config = config();
        let of_book = 9 + config.permissive.len() + config.trip.len();
        assert_eq!(of_book, RULES);
        assert_eq!(verdicts(&Scene::calm()), (true, true));
        let points = [
            ("speed", 90.0),
            ("speed", 3_100.0),
            ("flow", 4.0),
            ("flow", 90.0),
            ("level", 9.5),
            ("level", 0.05),
            ("winding", 152.0),
            ("winding", 170.0),
            ("flow", f64::NAN),
        ];
        for (point, value) in points {
            assert_eq!(verdicts(&Scene::with(point, value)), (false, false), "{point} = {value}");
        }
        for scene in [
            Scene { quality: Quality::Uncertain, ..Scene::calm() },
            Scene { value: 55.0, ..Scene::calm() },
            Scene { value: 80.0, ..Scene::calm() },
            Scene { value: 101.0, ..Scene::calm() },
            Scene { value: f64::NAN, ..Scene::calm() },
            Scene { confidence: 0.5, ..Scene::calm() },
            Scene { authority: Authority::Advise, ..Scene::calm() },
            Scene { owner: "somebody", ..Scene::calm() },
            Scene { lockout: true, ..Scene::calm() },
            Scene { local: true, ..Scene::calm() },
            Scene { alarm: Priority::Critical, ..Scene::calm() },
            Scene { active: "drain", ..Scene::calm() },
        ] {
            assert_eq!(verdicts(&scene), (false, false), "{scene:?}");
        }
    }
}
