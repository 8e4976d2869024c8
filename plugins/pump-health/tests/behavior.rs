//! The behavior as the host sees it: rows in, verdicts and alerts out, on the code paths that run in wasm.
#![expect(clippy::expect_used, reason = "a test may")]

use geminus_core::Declaration;
use geminus_core::declaration::{Arrival, Kind, Priority, Role};
use geminus_sdk::testing::{Host, Stepped};
use geminus_sdk::{Fault, Quality, Reading};
use pump_health::{Measured, PumpHealth};

type Pump = Host<PumpHealth>;

const GIVEN: &str = r#"{"baseline_median": [0.03, 0.04, 1.3, 0.2, 79.0, 32.0],
    "baseline_spread": [0.002, 0.002, 0.1, 0.2, 2.0, 0.5], "smoothing": 0.001, "drift_max": 0.0, "settling": 0.0}"#;

fn open(parameters: &str) -> Pump {
    Pump::open(parameters).expect("parameters that work")
}

/// A healthy row that wobbles a little from row to row, with another flow.
fn row(k: u32, flow: f64) -> Measured {
    let wobble = f64::from(k * 7919 % 101) / 50.0 - 1.0;
    Measured {
        accelerometer_1: Reading::good(0.03 + 0.0005 * wobble),
        accelerometer_2: Reading::good(0.04 - 0.0005 * wobble),
        current: Reading::good(1.3 + 0.05 * wobble),
        pressure: Reading::good(0.2 - 0.1 * wobble),
        temperature: Reading::good(79.0 + 0.2 * wobble),
        flow: Reading::good(flow + 0.3 * wobble),
    }
}

fn step(pump: &mut Pump, k: u32, measured: Measured) -> Stepped {
    pump.step(f64::from(k), measured).expect("a step")
}

fn is_unknown(stepped: &Stepped) -> bool {
    let index = (stepped.value("health_index"), stepped.quality("health_index"));
    let unknown = index == (None, Quality::Missing);
    assert!(!unknown || stepped.alerts.is_empty(), "who does not know raises no alarm: {stepped:?}");
    assert_eq!(unknown, stepped.value("anomaly_score").is_none());
    unknown
}

fn codes(stepped: &Stepped) -> Vec<&str> {
    stepped.alerts.iter().map(|alert| alert.code).collect()
}

#[test]
fn while_it_learns_health_is_unknown_and_afterwards_it_is_not_one() {
    let mut pump = open(r#"{"warm_up_rows": 100}"#);
    let mut first_verdict = None;
    for k in 0..200 {
        let stepped = step(&mut pump, k, row(k, 32.0));
        let progress = stepped.value("baseline_progress").expect("always told");
        match stepped.value("health_index") {
            None => assert!(is_unknown(&stepped) && progress <= 1.0),
            Some(index) => {
                first_verdict.get_or_insert(k);
                assert!((0.8..0.953).contains(&index) && progress == 1.0, "{stepped:?}");
            }
        }
    }
    assert_eq!(first_verdict, Some(10 + 100), "ten seconds of settling, a hundred rows of learning");
}

#[test]
fn a_dropping_flow_raises_warning_then_critical_and_names_the_input() {
    let mut pump = open(r#"{"warm_up_rows": 100}"#);
    for k in 0..200 {
        assert_eq!(codes(&step(&mut pump, k, row(k, 32.0))), [""; 0]);
    }
    let (mut seen, mut last) = (Vec::new(), None);
    for k in 200..260 {
        let stepped = step(&mut pump, k, row(k, 27.0));
        let raised = codes(&stepped).join(" ");
        if seen.last() != Some(&raised) {
            seen.push(raised);
        }
        last = Some(stepped);
    }
    assert_eq!(seen, ["", "health-warning", "health-warning health-critical"]);
    let last = last.expect("rows");
    assert!(last.alerts.iter().all(|alert| alert.detail.contains("mostly flow (-")), "{:?}", last.alerts);
    assert!(last.value("flow_shift").is_some_and(|shift| shift < -5.0), "{last:?}");
    assert!(last.value("current_shift").is_some_and(|shift| shift.abs() < 1.0), "{last:?}");
}

#[test]
fn index_and_alerts_follow_the_score_at_the_points_of_the_map() {
    // All six inputs stand `away` standard deviations off, so the score is 1.5 times that.
    let check = |score: f64, index: f64, expect: &[&str]| {
        let mut pump = open(GIVEN);
        let away = score / 1.5;
        let at = |median: f64, spread: f64| Reading::good(median + away * spread);
        let measured = Measured {
            accelerometer_1: at(0.03, 0.002),
            accelerometer_2: at(0.04, 0.002),
            current: at(1.3, 0.1),
            pressure: at(0.2, 0.2),
            temperature: at(79.0, 2.0),
            flow: at(32.0, -0.5),
        };
        step(&mut pump, 0, measured);
        let stepped = step(&mut pump, 1, measured);
        let found = stepped.value("health_index").expect("a verdict");
        assert!((found - index).abs() < 5e-4, "score {score}: index {found} instead of {index}");
        assert!(stepped.value("anomaly_score").is_some_and(|s| (s - score).abs() < 1e-9), "{stepped:?}");
        assert_eq!(codes(&stepped), expect, "score {score}");
    };
    check(0.0, 0.953, &[]);
    check(1.49, 0.505, &[]);
    check(1.51, 0.495, &["health-warning"]);
    check(2.19, 0.2009, &["health-warning"]);
    check(2.197, 0.1987, &["health-warning", "health-critical"]);
    check(6.0, 0.0001, &["health-warning", "health-critical"]);
}

#[test]
fn inputs_that_allow_no_verdict_give_none() {
    let no = |quality| Reading::without(quality);
    let check = |what: &str, change: &dyn Fn(&mut Measured), unknown: bool| {
        let mut pump = open(GIVEN);
        step(&mut pump, 0, row(0, 32.0));
        let mut measured = row(1, 32.0);
        change(&mut measured);
        let stepped = step(&mut pump, 1, measured);
        assert_eq!(is_unknown(&stepped), unknown, "{what}: {stepped:?}");
        if !unknown {
            let index = stepped.value("health_index").expect("a verdict");
            assert!(
                index > 0.5,
                "{what}: a missing input is not a zero, so the pump is as healthy as before"
            );
        }
    };
    check("all good", &|_| {}, false);
    check("flow missing", &|m| m.flow = Reading::missing(), false);
    check(
        "flow and pressure stale",
        &|m| (m.flow, m.pressure) = (no(Quality::Stale), no(Quality::Stale)),
        false,
    );
    check("current missing", &|m| m.current = Reading::missing(), true);
    check("current stale", &|m| m.current = no(Quality::Stale), true);
    check("standing still", &|m| m.current = Reading::good(0.0), true);
    check(
        "two inputs left",
        &|m| {
            (m.accelerometer_1, m.accelerometer_2) = (no(Quality::Bad), no(Quality::Bad));
            (m.pressure, m.temperature) = (Reading::good(f64::NAN), no(Quality::Stale));
        },
        true,
    );
}

#[test]
fn a_pump_that_has_just_started_is_left_alone_and_teaches_nothing() {
    let mut pump = open(r#"{"warm_up_rows": 20, "settling": 30.0}"#);
    for k in 0..30 {
        let stepped = step(&mut pump, k, row(k, 5.0));
        assert!(is_unknown(&stepped) && stepped.value("baseline_progress") == Some(0.0), "{stepped:?}");
    }
    for k in 30..60 {
        step(&mut pump, k, row(k, 32.0));
    }
    assert!(!is_unknown(&step(&mut pump, 60, row(60, 32.0))));
    let stopped = Measured { current: Reading::good(0.0), ..row(61, 0.0) };
    assert!(is_unknown(&step(&mut pump, 61, stopped)), "standing still is not sickness");
    for k in 62..92 {
        assert!(is_unknown(&step(&mut pump, k, row(k, 5.0))), "settling anew");
    }
    assert_eq!(step(&mut pump, 92, row(92, 32.0)).alerts, []);
}

#[test]
fn slow_harmless_drift_is_followed_but_not_without_end() {
    let mut pump = open(r#"{"warm_up_rows": 100, "drift_time": 100.0, "drift_max": 3.0}"#);
    let mut worst_early = 1.0_f64;
    let mut last = None;
    for k in 0..20_000_u32 {
        // Flow falls by one of its standard deviations (2 % of 32 L/min) in 1,000 s.
        let flow = 32.0 - 0.64 * f64::from(k.saturating_sub(200)) / 1000.0;
        last = step(&mut pump, k, row(k, flow)).value("health_index").or(last);
        if k < 3000 {
            worst_early = worst_early.min(last.unwrap_or(1.0));
        }
    }
    assert!(worst_early > 0.8, "a drift within bounds is no alarm: {worst_early}");
    assert!(last.is_some_and(|index| index < 0.2), "wear beyond the bounds is: {last:?}");
}

#[test]
fn parameters_that_contradict_each_other_are_refused() {
    let check = |parameters: &str, pointer: &str, says: &str| match Pump::open(parameters) {
        Err(Fault::Parameter { pointer: found, reason }) => {
            assert!(found == pointer && reason.contains(says), "{parameters}: {found}: {reason}");
        }
        other => panic!("{parameters}: {other:?}"),
    };
    check(r#"{"baseline_median": [1.0, 2.0]}"#, "/baseline_median", "one for each of the 6");
    check(r#"{"baseline_median": [1, 1, 1, 1, 1, 1]}"#, "/baseline_spread", "one for each of the 6");
    let zero = r#"{"baseline_median": [1, 1, 1, 1, 1, 1], "baseline_spread": [1, 1, 0, 1, 1, 1]}"#;
    check(zero, "/baseline_spread", "not above 0");
    check(r#"{"warm_up_rows": 3}"#, "/warm_up_rows", "not within");
    check(r#"{"inputs_min": 7}"#, "/inputs_min", "not within");
}

#[test]
fn a_swap_carries_what_was_learnt_bit_for_bit() {
    let parameters = r#"{"warm_up_rows": 50}"#;
    let (mut stays, mut swaps) = (open(parameters), open(parameters));
    let mut verdicts = 0;
    for k in 0..150 {
        let measured = row(k, if k < 120 { 32.0 } else { 29.0 });
        let (a, b) = (step(&mut stays, k, measured), step(&mut swaps, k, measured));
        let bits = |stepped: &Stepped, output: &str| stepped.value(output).map(f64::to_bits);
        for output in ["health_index", "anomaly_score", "flow_shift", "baseline_progress"] {
            assert_eq!(bits(&a, output), bits(&b, output), "{output} in row {k}");
        }
        verdicts += u32::from(a.value("health_index").is_some());
        swaps.swap().expect("state carried");
    }
    assert_eq!(verdicts, 90);
    assert_eq!(stays.snapshot(None).expect("a snapshot").schema, 2);
    assert_eq!(stays.snapshot(Some(1)).expect("the way down").schema, 1);
    assert!(matches!(stays.snapshot(Some(3)), Err(Fault::State(_))));
}

#[test]
fn a_change_that_is_usual_weighs_little_and_one_that_never_was_much() {
    // While it learns, current and flow now and then step up together, five of the floors' spreads far.
    let both = |k: u32, flow: f64, current: f64| {
        let usual = row(k, 32.0 + 3.2 * flow);
        Measured { current: Reading::good(1.3 + 0.25 * current), ..usual }
    };
    let mut pump = open(r#"{"warm_up_rows": 200, "drift_max": 0.0, "lasting_limit": 1e9}"#);
    for k in 0..210_u32 {
        let up = if k % 10 < 2 { 1.0 } else { 0.0 };
        step(&mut pump, k, both(k, up, up));
    }
    let score = |pump: &mut Pump, from: u32, swing: f64, against: f64| {
        let steps = (from..from + 60).map(|k| step(pump, k, both(k, swing, against)).value("anomaly_score"));
        steps.last().flatten().expect("a verdict")
    };
    let usual = score(&mut pump, 210, 1.0, 1.0);
    let unusual = score(&mut pump, 300, 1.0, -1.0);
    assert!(usual < 2.0 && unusual > 2.5 * usual, "together {usual}, against each other {unusual}");
}

#[test]
fn a_small_change_that_lasts_becomes_a_warning_and_is_forgotten() {
    let parameters =
        GIVEN.replace("0.001", "1.0").replace('}', r#", "lasting_slack": 0.9, "lasting_limit": 60.0}"#);
    let mut pump = open(&parameters);
    // All six inputs 0.8 spreads off: a score of 1.2, below the warning at 1.5.
    let at = |away: f64| Measured {
        accelerometer_1: Reading::good(0.03 + away * 0.002),
        accelerometer_2: Reading::good(0.04 + away * 0.002),
        current: Reading::good(1.3 + away * 0.1),
        pressure: Reading::good(0.2 + away * 0.2),
        temperature: Reading::good(79.0 + away * 2.0),
        flow: Reading::good(32.0 - away * 0.5),
    };
    let warned = |pump: &mut Pump, rows: std::ops::Range<u32>, away: f64| -> Vec<u32> {
        let raised = |codes: Vec<&str>| {
            assert!(
                codes.iter().all(|code| *code == "health-warning"),
                "it never becomes critical: {codes:?}"
            );
            !codes.is_empty()
        };
        rows.filter(|k| raised(codes(&step(pump, *k, at(away))))).collect()
    };
    // A score of 1.2 adds 0.3 a second, so that the limit of 60 is reached after 200 and a few of smoothing.
    let found = warned(&mut pump, 0..1000, 0.8);
    assert!((200..=206).contains(&found[0]) && found.len() as u32 == 1000 - found[0], "{found:?}");
    // It went no higher than 72, and falls by 0.9 a second.
    let found = warned(&mut pump, 1000..2000, 0.0);
    assert!((12..=17).contains(&found.len()) && found[0] == 1000, "{found:?}");
}

#[test]
fn the_declaration_says_what_the_plugin_does() {
    let declaration = Declaration::parse(PumpHealth::DECLARATION.as_bytes()).expect("a declaration");
    assert_eq!((declaration.name.as_str(), declaration.kind), ("pump-health", Kind::HealthRule));
    let inputs: Vec<_> =
        declaration.inputs.iter().map(|i| (i.name.as_str(), i.unit.as_str(), i.required)).collect();
    assert_eq!(
        inputs,
        [
            ("accelerometer_1", "[g]", false),
            ("accelerometer_2", "[g]", false),
            ("current", "A", true),
            ("pressure", "bar", false),
            ("temperature", "Cel", false),
            ("flow", "L/min", false),
        ]
    );
    assert!(declaration.inputs.iter().all(|input| input.arrival == Arrival::Hold));
    let index = declaration.outputs.iter().find(|output| output.name == "health_index").expect("declared");
    assert_eq!(index.role, Role::HealthIndex);
    let alerts: Vec<_> = declaration.alerts.iter().map(|a| (a.code.as_str(), a.priority)).collect();
    assert_eq!(alerts, [("health-warning", Priority::Medium), ("health-critical", Priority::High)]);
    assert_eq!((declaration.state.schema, declaration.state.reads), (2, vec![2, 1]));
}
