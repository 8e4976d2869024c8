//! The behavior as the host sees it: rows in, outputs and alerts out, on the code paths that run in wasm.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may")]

use drift_calibrator::{DriftCalibrator, Measured};
use geminus_core::Declaration;
use geminus_core::declaration::{Arrival, Kind, Priority, Role};
use geminus_models::random_draws::Draws;
use geminus_sdk::testing::{Host, Stepped};
use geminus_sdk::{Fault, Quality, Reading};

type Calibrator = Host<DriftCalibrator>;

const HOUR_S: f64 = 3600.0;

fn open(parameters: &str) -> Calibrator {
    Calibrator::open(parameters).expect("parameters that work")
}

fn value(stepped: &Stepped, output: &str) -> f64 {
    stepped.value(output).unwrap_or_else(|| panic!("{output} is missing in {stepped:?}"))
}

fn codes(stepped: &Stepped) -> Vec<&str> {
    stepped.alerts.iter().map(|alert| alert.code).collect()
}

/// A machine whose true resistance and capacity are known, with load steps every quarter of an hour.
struct Machine {
    resistance: f64,
    capacity: f64,
    temperature: f64,
    time_s: f64,
    draws: Draws,
}

impl Machine {
    fn new(resistance: f64, capacity: f64, seed: u64) -> Self {
        println!("seed {seed}");
        Self { resistance, capacity, temperature: 20.0, time_s: 0.0, draws: Draws::new(seed) }
    }

    /// The next row, some seconds later; the power that it tells heats until the one after.
    fn row(&mut self) -> (f64, Measured) {
        let dt_s = (1.0 + 9.0 * self.draws.uniform()).round();
        let power = |at: f64| if ((at / 900.0) as u64).is_multiple_of(2) { 60.0 } else { 15.0 };
        let end = 20.0 + power(self.time_s) * self.resistance;
        let remains = (-dt_s / (self.resistance * self.capacity)).exp();
        self.temperature = end + (self.temperature - end) * remains;
        self.time_s += dt_s;
        let told = self.temperature + 0.3 * self.draws.normal();
        let temperature = if self.draws.uniform() < 0.1 { Reading::missing() } else { Reading::good(told) };
        let ambient_temperature = Reading::good(20.0);
        (self.time_s, Measured { temperature, ambient_temperature, power: Reading::good(power(self.time_s)) })
    }

    /// Rows until a time, and what the last one gave; `each` sees all.
    fn run(&mut self, host: &mut Calibrator, until_s: f64, mut each: impl FnMut(&Stepped)) -> Stepped {
        let mut last = None;
        while self.time_s < until_s {
            let (time_s, measured) = self.row();
            let stepped = host.step(time_s, measured).expect("a step");
            each(&stepped);
            last = Some(stepped);
        }
        last.expect("rows")
    }
}

const PARAMETERS: &str = r#"{"sensor_noise": 0.3, "temperature_drift": 0.002, "commissioning_time": 7200.0}"#;

#[test]
fn known_resistance_and_capacity_are_recovered_to_one_percent() {
    // From the defaults: 1.0 K/W and 500 J/K.
    for (seed, resistance, capacity) in [(1, 0.8, 650.0), (2, 1.25, 380.0), (3, 0.75, 420.0)] {
        let mut machine = Machine::new(resistance, capacity, seed);
        let mut host = open(PARAMETERS);
        let mut converged_s = None;
        let mut rows = 0.0;
        let last = machine.run(&mut host, 6.0 * HOUR_S, |stepped| {
            rows += 5.5;
            if value(stepped, "converged") == 1.0 && converged_s.is_none() {
                converged_s = Some(rows);
            }
            assert_eq!(codes(stepped), [""; 0]);
        });
        let (found_resistance, found_capacity) =
            (value(&last, "thermal_resistance"), value(&last, "heat_capacity"));
        println!(
            "{resistance} K/W, {capacity} J/K: found {found_resistance:.4} ± {:.4}, {found_capacity:.1} ± {:.1}, sure after {converged_s:.0?} s",
            value(&last, "thermal_resistance_deviation"),
            value(&last, "heat_capacity_deviation"),
        );
        assert!((found_resistance / resistance - 1.0).abs() < 0.01, "{found_resistance} K/W");
        assert!((found_capacity / capacity - 1.0).abs() < 0.01, "{found_capacity} J/K");
        assert_eq!(last.quality("thermal_resistance"), Quality::Good);
        assert!(converged_s.is_some_and(|after| after < 3.0 * HOUR_S), "{converged_s:?}");
        let nis = value(&last, "drift_statistic");
        assert!(value(&last, "resistance_drift").abs() < 0.02 && nis < 13.8, "{last:?}");
    }
}

#[test]
fn a_cooling_path_that_ages_is_followed_and_told() {
    let mut machine = Machine::new(1.0, 500.0, 4);
    let mut host = open(PARAMETERS);
    machine.run(&mut host, 6.0 * HOUR_S, |stepped| assert_eq!(codes(stepped), [""; 0]));
    // The fan clogs: a fifth more resistance over ten hours.
    let mut told_at = None;
    for step in 1..=10_u32 {
        let now = 1.0 + 0.02 * f64::from(step);
        machine.resistance = now;
        machine.run(&mut host, (6.0 + f64::from(step)) * HOUR_S, |stepped| {
            if codes(stepped).contains(&"resistance-drifted") && told_at.is_none() {
                told_at = Some(now);
            }
            assert!(!codes(stepped).contains(&"capacity-drifted"), "the capacity has not changed");
        });
    }
    let last = machine.run(&mut host, 18.0 * HOUR_S, |_| ());
    let drift = value(&last, "resistance_drift");
    println!(
        "drift {drift:.4} ± {:.4}, statistic {:.0}, first told at {told_at:?} K/W: {}",
        value(&last, "resistance_drift_deviation"),
        value(&last, "drift_statistic"),
        last.alerts[0].detail
    );
    assert!((value(&last, "thermal_resistance") / 1.2 - 1.0).abs() < 0.01, "{last:?}");
    assert!((drift - 0.2).abs() < 0.02 && value(&last, "capacity_drift").abs() < 0.02, "{last:?}");
    assert!(told_at.is_some_and(|at| (1.1..=1.16).contains(&at)), "told at {told_at:?}, the limit is 1.1");
    assert_eq!(codes(&last), ["resistance-drifted"]);
    assert_eq!(last.alerts[0].value, drift);
}

#[test]
fn a_loss_of_coolant_is_a_drift_of_the_capacity() {
    let mut machine = Machine::new(1.0, 500.0, 5);
    let mut host = open(
        r#"{"sensor_noise": 0.3, "temperature_drift": 0.002, "learn_reference": false, "ageing_per_hour": 0.01}"#,
    );
    machine.run(&mut host, 6.0 * HOUR_S, |stepped| assert_eq!(codes(stepped), [""; 0]));
    machine.capacity = 400.0;
    let last = machine.run(&mut host, 26.0 * HOUR_S, |_| ());
    assert!((value(&last, "capacity_drift") + 0.2).abs() < 0.03, "{last:?}");
    assert!(codes(&last).contains(&"capacity-drifted") && !codes(&last).contains(&"resistance-drifted"));
}

fn at_rest(temperature: Reading, power: Reading) -> Measured {
    Measured { temperature, ambient_temperature: Reading::good(20.0), power }
}

#[test]
fn nothing_is_known_before_the_temperature_was_measured() {
    let mut host = open("{}");
    let stepped = host.step(0.0, at_rest(Reading::missing(), Reading::good(60.0))).expect("a step");
    for output in
        ["thermal_resistance", "heat_capacity_deviation", "temperature_estimate", "resistance_drift", "nis"]
    {
        assert_eq!((stepped.value(output), stepped.quality(output)), (None, Quality::Missing), "{output}");
    }
    assert_eq!(value(&stepped, "converged"), 0.0);
    let stepped = host.step(1.0, at_rest(Reading::good(25.0), Reading::good(60.0))).expect("a step");
    assert_eq!(value(&stepped, "temperature_estimate"), 25.0);
    assert!((value(&stepped, "thermal_resistance") - 1.0).abs() < 1e-12, "as the site believes");
    assert_eq!(stepped.quality("thermal_resistance"), Quality::Uncertain);
    assert_eq!((stepped.value("resistance_drift"), stepped.value("nis")), (None, None));
}

#[test]
fn while_power_surroundings_or_rows_are_missing_nothing_is_learnt_and_nothing_forgotten() {
    let mut machine = Machine::new(0.8, 600.0, 6);
    let mut host = open(PARAMETERS);
    let before = machine.run(&mut host, 3.0 * HOUR_S, |_| ());
    let hot = Reading::good(90.0);
    let unknown = [
        Measured { power: Reading::without(Quality::Stale), ..at_rest(hot, Reading::missing()) },
        Measured { power: Reading::good(-5.0), ..at_rest(hot, Reading::missing()) },
        Measured { ambient_temperature: Reading::without(Quality::Bad), ..at_rest(hot, Reading::good(60.0)) },
        at_rest(hot, Reading::good(60.0)),
    ];
    let mut at_s = 3.0 * HOUR_S + 10.0;
    for (number, measured) in unknown.into_iter().enumerate() {
        // The first row still closes an interval of which the heat was known; a jump of 40 K in it would teach.
        let measured =
            if number == 0 { Measured { temperature: Reading::missing(), ..measured } } else { measured };
        let stepped = host.step(at_s, measured).expect("a step");
        at_s += 10.0;
        let (was, is) = (value(&before, "thermal_resistance"), value(&stepped, "thermal_resistance"));
        assert!((is / was - 1.0).abs() < 1e-3, "row {number}: {was} became {is}");
        assert_eq!(stepped.value("nis"), None, "row {number}: nothing was predicted");
    }
    // From here on all is known: temperatures that fit go on from the 90 °C that were measured.
    let stepped = host.step(at_s, at_rest(Reading::missing(), Reading::good(60.0))).expect("a step");
    let falls = value(&stepped, "temperature_estimate");
    assert!((85.0..90.0).contains(&falls), "20 °C + 60 W · 0.8 K/W lie below 90 °C: {falls}");
    // An interval beyond gap_max is no interval of which the heat is known.
    let after = host.step(at_s + 601.0, at_rest(Reading::good(30.0), Reading::good(60.0))).expect("a step");
    assert_eq!((after.value("innovation"), value(&after, "temperature_estimate")), (None, 30.0));
    let wider =
        value(&after, "thermal_resistance_deviation") >= value(&before, "thermal_resistance_deviation");
    assert!(wider, "certainty fades meanwhile");
    assert_eq!(codes(&after), [""; 0]);
}

#[test]
fn measurements_that_contradict_the_model_are_told_and_nonsense_is_no_measurement() {
    let mut machine = Machine::new(1.0, 500.0, 7);
    let mut host = open(PARAMETERS);
    machine.run(&mut host, 2.0 * HOUR_S, |_| ());
    let mut told = false;
    for row in 0..16 {
        let (time_s, mut measured) = machine.row();
        measured.temperature = Reading::good(5000.0);
        let stepped = host.step(time_s, measured).expect("a step");
        assert!(value(&stepped, "temperature_estimate") < 100.0, "row {row}: 5000 °C was believed");
        told |= codes(&stepped) == ["inconsistent"];
    }
    assert!(told, "a sensor that tells nonsense is told");
}

#[test]
fn parameters_that_make_no_model_are_refused() {
    let check = |parameters: &str, pointer: &str| match Calibrator::open(parameters) {
        Err(Fault::Parameter { pointer: found, .. }) => assert_eq!(found, pointer, "{parameters}"),
        other => panic!("{parameters}: {other:?}"),
    };
    check(r#"{"thermal_resistance": 0.0}"#, "/thermal_resistance");
    check(r#"{"heat_capacity": -1.0}"#, "/heat_capacity");
    check(r#"{"heat_share": 1.5}"#, "/heat_share");
    check(r#"{"sensor_noise": 0.0}"#, "/sensor_noise");
    check(r#"{"inconsistent_rows": 17}"#, "/inconsistent_rows");
    check(r#"{"colour": 1}"#, "/colour");
}

#[test]
fn a_swap_carries_the_calibration_bit_for_bit_and_an_impossible_state_starts_afresh() {
    let mut machine = Machine::new(0.8, 600.0, 8);
    let (mut stays, mut swaps) = (open(PARAMETERS), open(PARAMETERS));
    let mut last = None;
    while machine.time_s < 2.2 * HOUR_S {
        let (time_s, measured) = machine.row();
        let a = stays.step(time_s, measured).expect("a step");
        let b = swaps.step(time_s, measured).expect("a step");
        assert_eq!(format!("{a:?}"), format!("{b:?}"), "at {time_s} s");
        last = Some(a);
        swaps.swap().expect("state carried");
    }
    let mut states = stays.snapshot(None).expect("a snapshot");
    assert_eq!(states.schema, 1);
    // The first number of the belief's mean is what was given out last.
    let believed = value(&last.expect("rows"), "temperature_estimate").to_le_bytes();
    let at = states.bytes.windows(8).position(|bytes| bytes == believed).expect("a number of the state");
    states.bytes[at..at + 8].copy_from_slice(&f64::NAN.to_le_bytes());
    stays.restore(&states).expect("bytes of a state");
    let (time_s, measured) = machine.row();
    let stepped =
        stays.step(time_s, Measured { temperature: Reading::good(50.0), ..measured }).expect("a step");
    assert_eq!(value(&stepped, "temperature_estimate"), 50.0);
    assert!((value(&stepped, "thermal_resistance") - 1.0).abs() < 1e-12, "as the site believes");
    assert!(stays.log().iter().any(|line| line.message.contains("starts afresh")));
    states.schema = 2;
    assert!(matches!(stays.restore(&states), Err(Fault::State(_))));
}

#[test]
fn the_declaration_says_what_the_plugin_does() {
    let declaration = Declaration::parse(DriftCalibrator::DECLARATION.as_bytes()).expect("a declaration");
    assert_eq!((declaration.name.as_str(), declaration.kind), ("drift-calibrator", Kind::Estimator));
    let inputs: Vec<_> =
        declaration.inputs.iter().map(|i| (i.name.as_str(), i.unit.as_str(), i.arrival)).collect();
    assert_eq!(
        inputs,
        [
            ("temperature", "Cel", Arrival::Event),
            ("ambient_temperature", "Cel", Arrival::Hold),
            ("power", "W", Arrival::Hold),
        ]
    );
    let output = |name: &str| {
        let output = declaration.outputs.iter().find(|o| o.name == name).expect("declared");
        (output.unit.as_str(), output.role, output.of.as_deref())
    };
    assert_eq!(output("thermal_resistance"), ("K/W", Role::Estimate, None));
    assert_eq!(output("heat_capacity_deviation"), ("J/K", Role::Deviation, Some("heat_capacity")));
    assert_eq!(output("converged"), ("1", Role::Converged, None));
    let alerts: Vec<_> = declaration.alerts.iter().map(|a| (a.code.as_str(), a.priority)).collect();
    let medium =
        ["resistance-drifted", "capacity-drifted", "inconsistent"].map(|code| (code, Priority::Medium));
    assert_eq!(alerts, medium);
    assert_eq!((declaration.state.schema, declaration.state.reads), (1, vec![1]));
}
