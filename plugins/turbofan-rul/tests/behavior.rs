//! The behavior as the host sees it: snapshots in, remaining life and alerts out, on the code paths that run in wasm.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]

use geminus_core::Declaration;
use geminus_core::declaration::{Arrival, Kind, Priority};
use geminus_sdk::testing::{Host, Stepped};
use geminus_sdk::{Fault, Reading};
use turbofan_rul::{SENSORS, Snapshot, TurbofanRul};

/// Lines of `tests/reference/onnxruntime.txt`: sensors, remaining life, its interval.
fn reference() -> Vec<Vec<f64>> {
    let text = include_str!("reference/onnxruntime.txt");
    text.lines().map(|line| line.split(' ').map(|word| word.parse().expect("a number")).collect()).collect()
}

fn snapshot(cycle: Option<f64>, sensors: &[f64]) -> Snapshot {
    let at = |place: usize| Reading::good(sensors[place]);
    Snapshot {
        cycle: cycle.map_or_else(Reading::missing, Reading::good),
        lpc_outlet_temperature: at(0),
        hpc_outlet_temperature: at(1),
        lpt_outlet_temperature: at(2),
        hpc_outlet_pressure: at(3),
        fan_speed: at(4),
        core_speed: at(5),
        hpc_outlet_static_pressure: at(6),
        fuel_ratio: at(7),
        corrected_fan_speed: at(8),
        corrected_core_speed: at(9),
        bypass_ratio: at(10),
        bleed_enthalpy: at(11),
        hpt_coolant_bleed: at(12),
        lpt_coolant_bleed: at(13),
    }
}

fn open(parameters: &str) -> Host<TurbofanRul> {
    Host::open(parameters).expect("parameters that work")
}

fn step(engine: &mut Host<TurbofanRul>, time_s: f64, snapshot: Snapshot) -> Stepped {
    engine.step(time_s, snapshot).expect("a step")
}

const OUTPUTS: [&str; 3] = ["remaining_life", "remaining_life_low", "remaining_life_high"];

#[test]
fn each_cycle_says_what_onnxruntime_says() {
    let (mut engine, mut worst, mut lowest) = (open("{}"), 0.0_f64, 125.0_f64);
    let lines = reference();
    for (cycle, line) in (1_u32..).zip(&lines) {
        let stepped = step(&mut engine, f64::from(cycle), snapshot(Some(f64::from(cycle)), line));
        let said = OUTPUTS.map(|output| stepped.value(output).expect("an answer"));
        assert!(said[1] <= said[0] && said[0] <= said[2], "cycle {cycle}: {said:?}");
        let expected =
            [line[SENSORS], line[SENSORS + 1].min(line[SENSORS]), line[SENSORS + 2].max(line[SENSORS])];
        for (found, expected) in said.iter().zip(expected) {
            worst = worst.max((found - expected).abs());
        }
        lowest = lowest.min(said[0]);
        assert_eq!(stepped.value("cycles_seen"), Some(f64::from(cycle)));
    }
    println!("{} cycles, off by {worst:.1e} cycles at most; down to {lowest:.1}", lines.len());
    assert_eq!(lines.len(), 200);
    assert!(worst < 1e-2, "off by {worst} cycles");
    assert!(lowest < 10.0, "an engine that wears is said to: {lowest}");
}

#[test]
fn a_cycle_counts_once_and_a_lower_one_begins_anew() {
    let lines = reference();
    let mut engine = open("{}");
    let first = step(&mut engine, 1.0, snapshot(Some(1.0), &lines[0]));
    for (second, cycle) in [(2.0, Some(1.0)), (3.0, None)] {
        let again = step(&mut engine, second, snapshot(cycle, &lines[50]));
        assert_eq!(
            again.value("remaining_life"),
            first.value("remaining_life"),
            "no new cycle, no new answer"
        );
        assert_eq!(again.value("cycles_seen"), Some(1.0));
    }
    step(&mut engine, 4.0, snapshot(Some(2.0), &lines[1]));
    let other = step(&mut engine, 5.0, snapshot(Some(1.0), &lines[0]));
    assert_eq!(other.value("cycles_seen"), Some(1.0));
    assert_eq!(other.value("remaining_life"), first.value("remaining_life"), "as a new engine");
}

#[test]
fn a_cycle_with_a_sensor_missing_or_out_of_this_world_has_no_answer_and_is_not_learnt() {
    let lines = reference();
    let check = |spoil: &dyn Fn(&mut Snapshot), warned: bool| {
        let (mut spoilt, mut whole) = (open("{}"), open("{}"));
        for engine in [&mut spoilt, &mut whole] {
            step(engine, 1.0, snapshot(Some(1.0), &lines[0]));
        }
        let mut bad = snapshot(Some(2.0), &lines[1]);
        spoil(&mut bad);
        let stepped = step(&mut spoilt, 2.0, bad);
        assert!(OUTPUTS.iter().all(|output| stepped.value(output).is_none()), "{stepped:?}");
        assert!(stepped.alerts.is_empty() && stepped.value("cycles_seen") == Some(1.0), "{stepped:?}");
        assert_eq!(spoilt.log().iter().any(|line| line.message.contains("cycle 2 has no answer")), warned);
        let after = |engine: &mut Host<TurbofanRul>| {
            step(engine, 3.0, snapshot(Some(3.0), &lines[2]))
                .value("remaining_life")
                .expect("an answer")
                .to_bits()
        };
        let after = [after(&mut spoilt), after(&mut whole)];
        assert_eq!(after[0], after[1], "the networks remember nothing of it");
    };
    check(&|bad| bad.fan_speed = Reading::missing(), false);
    check(&|bad| bad.bleed_enthalpy = Reading::good(f64::NAN), false);
    check(&|bad| bad.hpc_outlet_pressure = Reading::good(1e300), true);
}

#[test]
fn an_engine_near_its_end_raises_both_alerts() {
    let lines = reference();
    let codes = |parameters: &str| {
        let mut engine = open(parameters);
        let mut last = None;
        for (cycle, line) in (1_u32..).zip(&lines) {
            last = Some(step(&mut engine, f64::from(cycle), snapshot(Some(f64::from(cycle)), line)));
        }
        let last = last.expect("cycles");
        let life = last.value("remaining_life").expect("an answer");
        assert!(
            last.alerts.iter().all(|alert| alert.value == life && alert.detail.contains("cycles remain"))
        );
        last.alerts.iter().map(|alert| alert.code.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes("{}"), ["life-short", "life-ending"]);
    assert_eq!(codes(r#"{"ending_cycles": 0.0}"#), ["life-short"], "no life is below 0");
}

#[test]
fn parameters_that_contradict_each_other_are_refused() {
    let check = |parameters: &str, pointer: &str, says: &str| match Host::<TurbofanRul>::open(parameters) {
        Err(Fault::Parameter { pointer: found, reason }) => {
            assert!(found == pointer && reason.contains(says), "{parameters}: {found}: {reason}");
        }
        other => panic!("{parameters}: {other:?}"),
    };
    check(r#"{"short_cycles": 5.0}"#, "/ending_cycles", "above short_cycles");
    check(r#"{"short_cycles": 126.0}"#, "/short_cycles", "not within");
}

#[test]
fn the_declaration_says_what_the_plugin_does() {
    let declaration = Declaration::parse(TurbofanRul::DECLARATION.as_bytes()).expect("a declaration");
    assert_eq!((declaration.name.as_str(), declaration.kind), ("turbofan-rul", Kind::Estimator));
    assert_eq!(declaration.inputs.len(), 1 + SENSORS);
    let arrivals: Vec<bool> =
        declaration.inputs.iter().map(|input| input.arrival == Arrival::Event).collect();
    assert!(arrivals[0] && !arrivals[1..].contains(&true), "only the cycle counts once");
    let alerts: Vec<_> = declaration.alerts.iter().map(|a| (a.code.as_str(), a.priority)).collect();
    assert_eq!(alerts, [("life-short", Priority::Medium), ("life-ending", Priority::High)]);
    assert_eq!((declaration.state.schema, declaration.state.reads), (1, vec![1]));
}
