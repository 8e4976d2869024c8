//! The behavior as the host sees it: rows in, outputs and alerts out, on the code paths that run in wasm.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may")]

use geminus_core::Declaration;
use geminus_core::declaration::{Arrival, Kind, Priority, Role};
use geminus_models::SVector;
use geminus_sdk::testing::{Host, Stepped};
use geminus_sdk::{Fault, Quality, Reading, parameter};
use motor_thermal::{Measured, Motor as PlantMotor, MotorParameters, MotorThermal};

type Motor = Host<MotorThermal>;

fn open(parameters: &str) -> Motor {
    Motor::open(parameters).expect("parameters that work")
}

fn row(surface: f64, ambient: f64, current: f64) -> Measured {
    Measured {
        surface_temperature: Reading::good(surface),
        ambient_temperature: Reading::good(ambient),
        current: Reading::good(current),
    }
}

fn without_surface(current: f64) -> Measured {
    Measured {
        surface_temperature: Reading::missing(),
        ambient_temperature: Reading::missing(),
        ..row(0.0, 0.0, current)
    }
}

fn step(motor: &mut Motor, seconds: f64, measured: Measured) -> Stepped {
    motor.step(seconds, measured).expect("a step")
}

/// The outputs that a UI shows, all there.
fn value(stepped: &Stepped, output: &str) -> f64 {
    stepped.value(output).unwrap_or_else(|| panic!("{output} is missing in {stepped:?}"))
}

fn codes(stepped: &Stepped) -> Vec<&str> {
    stepped.alerts.iter().map(|alert| alert.code).collect()
}

#[test]
fn nothing_is_known_before_the_surface_was_measured() {
    let mut motor = open("{}");
    for seconds in 0..3 {
        let stepped = step(&mut motor, f64::from(seconds), without_surface(2.0));
        for output in ["winding_temperature", "winding_temperature_deviation", "ambient_estimate", "nis"] {
            assert_eq!(
                (stepped.value(output), stepped.quality(output)),
                (None, Quality::Missing),
                "{output}"
            );
        }
    }
    let stepped = step(&mut motor, 3.0, row(60.0, 22.0, 2.0));
    assert_eq!(stepped.value("surface_estimate"), Some(60.0), "the first row starts from what was measured");
    assert_eq!(stepped.value("winding_temperature"), Some(60.0));
    assert_eq!(stepped.value("ambient_estimate"), Some(22.0));
    assert_eq!(stepped.value("nis"), None, "nothing was predicted, so nothing can surprise");
    assert_eq!(value(&stepped, "winding_temperature_deviation"), 10.0);
}

#[test]
fn a_missing_measurement_is_not_zero_but_a_prediction() {
    let mut motor = open("{}");
    for seconds in 0..300 {
        step(&mut motor, f64::from(seconds), row(80.0, 25.0, 2.5));
    }
    let before = step(&mut motor, 300.0, row(80.0, 25.0, 2.5));
    for (seconds, reading) in [
        (301.0, Reading::missing()),
        (302.0, Reading::without(Quality::Stale)),
        (303.0, Reading::without(Quality::Bad)),
    ] {
        let silent = Measured {
            surface_temperature: reading,
            ambient_temperature: reading,
            current: Reading::good(2.5),
        };
        let after = step(&mut motor, seconds, silent);
        for output in ["winding_temperature", "bearing_temperature", "surface_estimate", "ambient_estimate"] {
            let jump = (value(&after, output) - value(&before, output)).abs();
            assert!(jump < 0.5, "{output} jumped by {jump} K though nothing was measured");
        }
        assert_eq!((after.value("innovation"), after.value("nis")), (None, None));
        let (wider, narrower) =
            ("winding_temperature_deviation", value(&before, "winding_temperature_deviation"));
        assert!(value(&after, wider) > narrower, "certainty must fade without measurements");
    }
}

#[test]
fn a_long_gap_widens_the_deviation_and_one_reading_mends_the_surface() {
    let mut motor = open("{}");
    for seconds in 0..100 {
        step(&mut motor, f64::from(seconds), row(80.0, 25.0, 2.5));
    }
    let after = step(&mut motor, 1e6, without_surface(2.5));
    let (winding, deviation) =
        (value(&after, "winding_temperature"), value(&after, "winding_temperature_deviation"));
    assert!((60.0..140.0).contains(&winding) && deviation > 5.0, "{winding} ± {deviation}");
    assert_eq!(after.quality("winding_temperature"), Quality::Uncertain);
    let mended = step(&mut motor, 1e6 + 1.0, row(78.0, 25.0, 2.5));
    assert!((value(&mended, "surface_estimate") - 78.0).abs() < 1.0);
}

#[test]
fn without_an_ambient_sensor_its_estimate_is_uncertain() {
    let mut motor = open(r#"{"ambient_measured": false}"#);
    let mut last = None;
    for seconds in 0..3600 {
        let measured = Measured { ambient_temperature: Reading::missing(), ..row(80.0, 0.0, 2.5) };
        last = Some(step(&mut motor, f64::from(seconds), measured));
    }
    let last = last.expect("rows");
    // 60 W over 1 W/K are 60 K, so 80 °C at the surface mean 20 °C around it: the heat balance tells it alone.
    let (ambient, winding) = (value(&last, "ambient_estimate"), value(&last, "winding_temperature"));
    println!(
        "ambient {ambient:.2} ± {:.2} °C, winding {winding:.2} °C",
        value(&last, "ambient_estimate_deviation")
    );
    assert!((ambient - 20.0).abs() < 1.0, "{ambient}");
    assert_eq!(last.quality("ambient_estimate"), Quality::Uncertain, "a conclusion is not a measurement");
    assert_eq!(last.quality("winding_temperature"), Quality::Good);
    let told = step(&mut motor, 3600.0, row(80.0, 20.0, 2.5));
    assert_eq!(told.quality("ambient_estimate"), Quality::Good);
}

#[test]
fn the_current_is_needed_for_a_good_estimate() {
    let mut motor = open("{}");
    let mut deviations = Vec::new();
    for current in [Reading::good(2.5), Reading::without(Quality::Stale)] {
        for seconds in 0..200 {
            let at = f64::from(seconds) + 200.0 * deviations.len() as f64;
            let stepped = step(&mut motor, at, Measured { current, ..row(80.0, 25.0, 0.0) });
            if seconds == 199 {
                deviations.push(value(&stepped, "winding_temperature_deviation"));
                let expect = if current.value().is_some() { Quality::Good } else { Quality::Uncertain };
                assert_eq!(stepped.quality("winding_temperature"), expect);
            }
        }
    }
    assert!(deviations[1] > 1.1 * deviations[0], "unknown heating must widen the deviation: {deviations:?}");
}

#[test]
fn a_hot_winding_raises_its_alert_until_it_has_cooled() {
    let mut motor = open(r#"{"winding_limit": 70.0}"#);
    let hot = step(&mut motor, 0.0, row(80.0, 25.0, 2.5));
    assert_eq!(codes(&hot), ["winding-hot"]);
    assert!(hot.alerts[0].detail.contains("limit 70"), "{:?}", hot.alerts[0]);
    assert!((hot.alerts[0].value - 80.0).abs() < 1e-9);
    let cold = (1..3000).map(|s| step(&mut motor, f64::from(s), row(40.0, 25.0, 0.0))).last().expect("rows");
    assert_eq!(codes(&cold), [""; 0]);
}

#[test]
fn one_outlier_is_forgiven_but_a_sensor_that_contradicts_the_model_is_not() {
    let mut motor = open("{}");
    let mut seconds = 0.0;
    let mut feed = |surface: &dyn Fn(u32) -> f64, rows: u32| {
        let mut raised = 0;
        for k in 0..rows {
            seconds += 1.0;
            raised += u32::from(
                codes(&step(&mut motor, seconds, row(surface(k), 25.0, 2.5))).contains(&"inconsistent"),
            );
        }
        raised
    };
    assert_eq!(feed(&|_| 80.0, 300), 0);
    assert_eq!(feed(&|k| if k == 0 { 95.0 } else { 80.0 }, 60), 0, "one wild value");
    assert!(feed(&|k| if k % 2 == 0 { 95.0 } else { 65.0 }, 30) > 10, "a loose contact");
    feed(&|_| 80.0, 30);
    assert_eq!(feed(&|_| 80.0, 60), 0, "and forgotten when it is mended");
}

#[test]
fn what_no_motor_has_is_no_measurement() {
    let mut motor = open("{}");
    for seconds in 0..100 {
        step(&mut motor, f64::from(seconds), row(80.0, 25.0, 2.5));
    }
    let mut last = None;
    for seconds in 100..110 {
        last = Some(step(&mut motor, f64::from(seconds), row(1e300, 25.0, 2.5)));
    }
    let last = last.expect("rows");
    assert!((value(&last, "surface_estimate") - 80.0).abs() < 2.0, "{last:?}");
    assert_eq!(last.value("innovation"), None);
    assert_eq!(codes(&last), ["inconsistent"], "a sensor that tells nonsense is told");
}

#[test]
fn parameters_that_make_no_working_model_are_refused() {
    let check = |parameters: &str, pointer: &str, says: &str| match Motor::open(parameters) {
        Err(Fault::Parameter { pointer: found, reason }) => {
            assert_eq!(found, pointer, "{parameters}: {reason}");
            assert!(reason.contains(says), "{parameters}: {reason}");
        }
        other => panic!("{parameters}: {other:?}"),
    };
    check(r#"{"copper_feedback": 3.0}"#, "/copper_feedback", "runs away: spectral radius");
    let twins = r#""bearing_time_constant": 60.0, "winding_surface_conductance": 0.3"#;
    check(&format!("{{{twins}}}"), "/allow_unobservable", "only 3 of 4 temperatures");
    let cut_off = r#""surface_ambient_conductance": 0.0, "ambient_measured": false"#;
    check(&format!("{{{cut_off}}}"), "/allow_unobservable", "the surface sensor can tell only 3 of 4");
    let lonely = r#"{"winding_surface_conductance": 0.0, "winding_bearing_conductance": 0.0}"#;
    check(lonely, "/winding_surface_conductance", "exchanges heat with nothing");
    check(r#"{"surface_noise": 0.0}"#, "/surface_noise", "not within");
    check(r#"{"winding_time_constant": -60.0}"#, "/winding_time_constant", "not within");
    check(r#"{"colour": 1}"#, "/colour", "not known");

    for allowed in [
        r#"{"copper_feedback": 3.0, "allow_unstable": true}"#.to_owned(),
        format!("{{{twins}, \"allow_unobservable\": true}}"),
        format!("{{{cut_off}, \"allow_unobservable\": true}}"),
        r#"{"copper_feedback": 0.05}"#.to_owned(),
        r#"{"ambient_measured": false}"#.to_owned(),
    ] {
        assert!(Motor::open(&allowed).is_ok(), "{allowed}");
    }
}

#[test]
fn a_swap_carries_the_estimate_bit_for_bit() {
    let (mut stays, mut swaps) = (open("{}"), open("{}"));
    for seconds in 0..50 {
        let measured = row(60.0 + f64::from(seconds), 25.0, 2.0);
        let (a, b) =
            (step(&mut stays, f64::from(seconds), measured), step(&mut swaps, f64::from(seconds), measured));
        assert_eq!(a.alerts, b.alerts);
        for output in ["winding_temperature", "winding_temperature_deviation", "bearing_temperature"] {
            assert_eq!(value(&a, output).to_bits(), value(&b, output).to_bits(), "{output} at {seconds} s");
        }
        swaps.swap().expect("state carried");
    }
}

#[test]
fn state_of_an_unknown_schema_is_refused_and_an_impossible_one_starts_afresh() {
    let mut motor = open("{}");
    step(&mut motor, 0.0, row(60.0, 25.0, 2.0));
    let mut states = motor.snapshot(None).expect("a snapshot");
    assert_eq!(states.schema, 1);
    assert!(matches!(motor.snapshot(Some(2)), Err(Fault::State(_))));

    // The covariance stands before heating (9 bytes), current_known (1), ambient_age (9) and surprises (2).
    const TAIL: usize = 21;
    let nan = f64::NAN.to_le_bytes();
    let end = states.bytes.len();
    for at in (end - TAIL - 128..end - TAIL).step_by(8) {
        states.bytes[at..at + 8].copy_from_slice(&nan);
    }
    let poisoned = motor.restore(&states);
    let stepped = step(&mut motor, 1.0, row(61.0, 25.0, 2.0));
    assert!(poisoned.is_ok() && stepped.value("surface_estimate").is_some_and(f64::is_finite), "{stepped:?}");
    assert!(motor.log().iter().any(|line| line.message.contains("starts afresh")));

    states.schema = 2;
    assert!(matches!(motor.restore(&states), Err(Fault::State(_))));
}

#[test]
fn the_declaration_says_what_the_plugin_does() {
    let declaration = Declaration::parse(MotorThermal::DECLARATION.as_bytes()).expect("a declaration");
    assert_eq!((declaration.name.as_str(), declaration.kind), ("motor-thermal", Kind::Estimator));
    let inputs: Vec<_> =
        declaration.inputs.iter().map(|i| (i.name.as_str(), i.unit.as_str(), i.arrival)).collect();
    assert_eq!(
        inputs,
        [
            ("surface_temperature", "Cel", Arrival::Event),
            ("ambient_temperature", "Cel", Arrival::Event),
            ("current", "A", Arrival::Hold),
        ]
    );
    let required: Vec<_> = declaration.inputs.iter().map(|i| i.required).collect();
    assert_eq!(required, [true, false, true]);
    let role = |name: &str| {
        let output = declaration.outputs.iter().find(|o| o.name == name).expect("declared");
        (output.role, output.of.as_deref())
    };
    assert_eq!(role("winding_temperature_deviation"), (Role::Deviation, Some("winding_temperature")));
    assert_eq!(role("bearing_temperature"), (Role::Estimate, None));
    assert_eq!(role("innovation"), (Role::Innovation, Some("surface_temperature")));
    assert_eq!(role("nis"), (Role::Nis, Some("surface_temperature")));
    let alerts: Vec<_> = declaration.alerts.iter().map(|a| (a.code.as_str(), a.priority)).collect();
    assert_eq!(alerts, [("winding-hot", Priority::High), ("inconsistent", Priority::Medium)]);
    assert_eq!((declaration.state.schema, declaration.state.reads), (1, vec![1]));
}

#[test]
fn on_simulated_truth_the_winding_is_found_though_nothing_measures_it() {
    let parameters = parameter::from_json::<MotorParameters>(b"{}").expect("defaults");
    let plant = PlantMotor::new(parameters).expect("a model");
    let model = plant.over(1.0);
    let mut motor = open("{}");
    let mut truth = SVector::<f64, 4>::from([25.0, 25.0, 25.0, 25.0]);
    let mut noise = Noise(7);
    let (mut outside, mut squares, mut widest, mut rows) = (0, 0.0, 0.0_f64, 0);
    for seconds in 0..3000_u32 {
        // Load steps between half and one and a half times the rated current every ten minutes.
        let current = if seconds / 600 % 2 == 0 { 1.25 } else { 3.75 };
        let load = current / parameters.rated_current;
        let measured = row(truth[0] + 0.5 * noise.next(), truth[3] + 0.5 * noise.next(), current);
        let estimated = step(&mut motor, f64::from(seconds), measured);
        if seconds >= 60 {
            let error = value(&estimated, "winding_temperature") - truth[1];
            outside += u32::from(error.abs() > 2.0 * value(&estimated, "winding_temperature_deviation"));
            squares += error * error;
            widest = widest.max(truth[1] - truth[0]);
            rows += 1;
        }
        assert_eq!(codes(&estimated), [""; 0], "at {seconds} s");
        let drift = SVector::from([0.1, 0.3, 0.2, 0.02].map(|sigma| sigma * noise.next()));
        truth = model.F * truth + model.G * plant.heats(Some(load * load)) + drift;
    }
    let (rms, share) = ((squares / f64::from(rows)).sqrt(), f64::from(outside) / f64::from(rows));
    println!(
        "winding: rms error {rms:.2} K, outside 2 σ {:.1} %, up to {widest:.1} K above the surface",
        100.0 * share
    );
    assert!(rms < 2.0 && widest > 20.0, "rms {rms} K, the surface is up to {widest} K off");
    assert!(share < 0.10, "outside 2 σ: {share}, 0.046 are expected");
}

/// Standard normal numbers: the sum of twelve uniform ones (SplitMix64), less six.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

#[test]
fn a_forecast_is_what_comes_when_nobody_measures_and_the_current_holds() {
    let mut motor = open("{}");
    for seconds in 0..120 {
        step(&mut motor, f64::from(seconds), row(40.0 + 0.05 * f64::from(seconds), 25.0, 3.0));
    }
    let ahead: Vec<f64> = (1..=20).map(|number| 119.0 + 30.0 * f64::from(number)).collect();
    let seen = motor.forecast(&ahead).expect("a forecast");
    let again = motor.forecast(&ahead).expect("the same");
    let bits = |column: &[f64]| column.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!((bits(&again.mean), bits(&again.deviation)), (bits(&seen.mean), bits(&seen.deviation)));
    // Outputs in declared order: winding, its deviation, bearing, its deviation, …
    let width = 10;
    for (place, seconds) in ahead.iter().enumerate() {
        let stepped = step(&mut motor, *seconds, without_surface(3.0));
        for (column, output) in
            [(0, "winding_temperature"), (2, "bearing_temperature"), (4, "surface_estimate")]
        {
            let at = place * width + column;
            assert_eq!(seen.mean[at].to_bits(), value(&stepped, output).to_bits(), "{output} at {seconds}");
            let deviation = value(&stepped, &format!("{output}_deviation"));
            assert_eq!(seen.deviation[at].to_bits(), deviation.to_bits(), "{output} at {seconds}");
        }
        assert!(seen.mean[place * width + 8].is_nan(), "an innovation is not foreseen");
    }
}

#[test]
fn nothing_is_foreseen_before_there_is_belief() {
    let mut motor = open("{}");
    step(&mut motor, 0.0, without_surface(2.0));
    let seen = motor.forecast(&[1.0, 2.0]).expect("an answer");
    assert!(seen.mean.iter().chain(&seen.deviation).all(|value| value.is_nan()));
}
