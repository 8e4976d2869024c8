//! The behavior as the host sees it: rows in, outputs and alerts out, on the code paths that run in wasm.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may")]

use cstr::reactor::{Balance, Held, State, ZERO_CELSIUS_K};
use cstr::{Cstr, Measured, ReactorParameters};
use geminus_core::Declaration;
use geminus_core::declaration::{Arrival, Kind, Priority, Role};
use geminus_models::random_draws::Draws;
use geminus_sdk::testing::{Host, Stepped};
use geminus_sdk::{Fault, Quality, Reading, parameter};

type Reactor = Host<Cstr>;

const FEED_C: f64 = 350.0 - ZERO_CELSIUS_K;
const JACKET_C: f64 = 300.0 - ZERO_CELSIUS_K;

fn open(parameters: &str) -> Reactor {
    Reactor::open(parameters).expect("parameters that work")
}

fn value(stepped: &Stepped, output: &str) -> f64 {
    stepped.value(output).unwrap_or_else(|| panic!("{output} is missing in {stepped:?}"))
}

fn codes(stepped: &Stepped) -> Vec<&str> {
    stepped.alerts.iter().map(|alert| alert.code).collect()
}

fn row(temperature: f64) -> Measured {
    Measured {
        temperature: Reading::good(temperature),
        concentration: Reading::missing(),
        feed_temperature: Reading::good(FEED_C),
        feed_flow: Reading::good(100.0),
        jacket_temperature: Reading::good(JACKET_C),
    }
}

/// What a simulated day gave.
struct Day {
    concentration_rms: f64,
    /// Part of the rows whose truth lies beyond 2 σ.
    outside: f64,
    mean_nis: f64,
    feed_error: f64,
    alerts: usize,
    carried_rms: f64,
}

/// Truth with its own noise and a jacket that steps; the feed is thinner than assumed.
fn simulate(seed: u64, laboratory: bool) -> Day {
    println!("seed {seed}");
    let parameters = parameter::from_json::<ReactorParameters>(b"{}").expect("defaults");
    let mut host = open("{}");
    let mut draws = Draws::new(seed);
    let mut truth = State::new(0.86, 325.5, 0.94);
    let (mut rows, mut squares, mut outside, mut nis, mut alerts, mut carried) = (0.0, 0.0, 0.0, 0.0, 0, 0.0);
    let mut feed_error = f64::NAN;
    for minute in 0..600_u32 {
        let jacket_k = if (minute / 60).is_multiple_of(2) { 300.0 } else { 298.0 };
        let measured = Measured {
            temperature: Reading::good(truth.y - ZERO_CELSIUS_K + 0.5 * draws.normal()),
            concentration: match laboratory && minute % 60 == 30 {
                true => Reading::good(truth.x + 0.02 * draws.normal()),
                false => Reading::missing(),
            },
            jacket_temperature: Reading::good(jacket_k - ZERO_CELSIUS_K),
            ..row(0.0)
        };
        let stepped = host.step(60.0 * f64::from(minute), measured).expect("a step");
        if minute >= 60 {
            let error = value(&stepped, "concentration_estimate") - truth.x;
            let deviation = value(&stepped, "concentration_estimate_deviation");
            squares += error * error;
            outside += f64::from(u8::from(error.abs() > 2.0 * deviation));
            nis += stepped.value("nis").unwrap_or(0.0);
            // What one would believe who takes the balance with the assumed feed for the truth.
            let balance = Balance::new(&parameters, Held { flow: 100.0, feed_k: 350.0, jacket_k });
            carried += (balance.settled(truth.y, 1.0) - truth.x).powi(2);
            rows += 1.0;
            feed_error = value(&stepped, "feed_concentration") - truth.z;
        }
        alerts += stepped.alerts.len();
        let balance = Balance::new(&parameters, Held { flow: 100.0, feed_k: 350.0, jacket_k });
        for _ in 0..10 {
            truth = balance.step(&truth, 0.1).0;
            let root = 0.1_f64.sqrt();
            truth.x += 0.002 * root * draws.normal();
            truth.y += 0.2 * root * draws.normal();
        }
    }
    Day {
        concentration_rms: (squares / rows).sqrt(),
        outside: outside / rows,
        mean_nis: nis / rows,
        feed_error,
        alerts,
        carried_rms: (carried / rows).sqrt(),
    }
}

#[test]
fn the_concentration_is_found_though_only_the_temperature_is_measured() {
    for (seed, laboratory) in [(1, false), (2, false), (3, true), (4, true)] {
        let day = simulate(seed, laboratory);
        println!(
            "laboratory {laboratory}: concentration {:.4} mol/L rms ({:.4} by the balance alone), outside 2 σ {:.3}, NIS {:.3}, feed {:+.4} mol/L",
            day.concentration_rms, day.carried_rms, day.outside, day.mean_nis, day.feed_error
        );
        assert!(day.concentration_rms < 0.008, "{} mol/L", day.concentration_rms);
        assert!(day.concentration_rms < 0.2 * day.carried_rms, "no better than the assumed feed");
        assert!(day.outside < 0.10, "outside 2 σ: {}; rows hang together", day.outside);
        let sensors = if laboratory { 1.0 + 1.0 / 60.0 } else { 1.0 };
        // 540 rows: the 99 % band of a mean of chi-square is 2.58 √(2 / 540) = 0.157 wide.
        assert!((day.mean_nis - sensors).abs() < 0.16, "mean NIS {}", day.mean_nis);
        assert!(day.feed_error.abs() < 0.02, "feed {:+} mol/L", day.feed_error);
        assert_eq!(day.alerts, 0);
    }
}

#[test]
fn nothing_is_known_before_temperature_flow_feed_and_jacket_were_told() {
    let mut host = open("{}");
    let silent = Reading::without(Quality::Stale);
    for (number, measured) in [
        Measured { temperature: Reading::missing(), ..row(50.0) },
        Measured { feed_flow: silent, ..row(50.0) },
        Measured { jacket_temperature: silent, ..row(50.0) },
        Measured { feed_temperature: silent, ..row(50.0) },
    ]
    .into_iter()
    .enumerate()
    {
        let stepped = host.step(10.0 * number as f64, measured).expect("a step");
        for output in ["concentration_estimate", "feed_concentration_deviation", "reaction_heat", "nis"] {
            assert_eq!(
                (stepped.value(output), stepped.quality(output)),
                (None, Quality::Missing),
                "{output}"
            );
        }
    }
    let stepped = host.step(60.0, row(51.35)).expect("a step");
    let concentration = value(&stepped, "concentration_estimate");
    assert!((concentration - 0.878).abs() < 0.01, "what settles at 324.5 K: {concentration}");
    assert_eq!(stepped.quality("concentration_estimate"), Quality::Uncertain);
    let sure = Measured { concentration: Reading::good(0.8), ..row(51.35) };
    let stepped = open("{}").step(0.0, sure).expect("a step");
    assert_eq!(value(&stepped, "concentration_estimate"), 0.8);
    assert_eq!(stepped.quality("concentration_estimate"), Quality::Good);
}

#[test]
fn a_missing_reading_predicts_and_a_gap_starts_afresh() {
    let mut host = open("{}");
    for second in 0..60 {
        host.step(10.0 * f64::from(second), row(51.35)).expect("a step");
    }
    let silent = Measured { temperature: Reading::missing(), ..row(0.0) };
    let stepped = host.step(600.0, silent).expect("a step");
    assert_eq!((stepped.value("nis"), stepped.value("innovation")), (None, None));
    assert!((value(&stepped, "temperature_estimate") - 51.35).abs() < 0.5, "{stepped:?}");
    let stepped = host.step(610.0, Measured { feed_flow: Reading::missing(), ..row(51.35) }).expect("a step");
    assert!(stepped.value("nis").is_some(), "until now the flow was known");
    assert_eq!(
        (stepped.value("reaction_heat"), stepped.value("temperature_rise")),
        (None, None),
        "now it is not"
    );
    let stepped = host.step(620.0, row(60.0)).expect("a step");
    assert_eq!((stepped.value("nis"), value(&stepped, "temperature_estimate")), (None, 60.0), "afresh");
    let stepped = host.step(630.0, row(60.0)).expect("a step");
    assert!(stepped.value("nis").is_some());
    let after = host.step(630.0 + 301.0, row(40.0)).expect("a step");
    assert_eq!((after.value("nis"), value(&after, "temperature_estimate")), (None, 40.0), "beyond gap_max");
}

#[test]
fn a_tank_that_heats_itself_is_told_and_nonsense_is_no_measurement() {
    let mut host = open("{}");
    let mut told = None;
    for second in 0..30 {
        // 90 °C with hardly any conversion yet: the reaction gives far more than the jacket takes.
        let measured = Measured { concentration: Reading::good(0.8), ..row(90.0) };
        let stepped = host.step(f64::from(second), measured).expect("a step");
        if codes(&stepped).contains(&"runaway") {
            told = Some(value(&stepped, "temperature_rise"));
            break;
        }
    }
    assert!(told.is_some_and(|rise| rise > 5.0), "{told:?}");

    let mut host = open("{}");
    let mut inconsistent = false;
    for second in 0..30 {
        let temperature = if second < 10 { 51.35 } else { 5000.0 };
        let stepped = host.step(f64::from(second), row(temperature)).expect("a step");
        assert!(value(&stepped, "temperature_estimate") < 60.0, "5000 °C was believed");
        inconsistent |= codes(&stepped) == ["inconsistent"];
    }
    assert!(inconsistent, "a sensor that tells nonsense is told");
}

#[test]
fn parameters_that_make_no_model_are_refused() {
    let check = |parameters: &str, pointer: &str| match Reactor::open(parameters) {
        Err(Fault::Parameter { pointer: found, .. }) => assert_eq!(found, pointer, "{parameters}"),
        other => panic!("{parameters}: {other:?}"),
    };
    check(r#"{"volume": 0.0}"#, "/volume");
    check(r#"{"heat_capacity": 0.0}"#, "/heat_capacity");
    check(r#"{"gap_max": 601.0}"#, "/gap_max");
    check(r#"{"temperature_noise": 0.0}"#, "/temperature_noise");
    check(r#"{"colour": 1}"#, "/colour");
}

#[test]
fn a_swap_carries_the_estimate_bit_for_bit_and_an_impossible_state_starts_afresh() {
    let (mut stays, mut swaps) = (open("{}"), open("{}"));
    let mut last = None;
    for second in 0..40 {
        let measured = row(51.0 + 0.01 * f64::from(second));
        let a = stays.step(20.0 * f64::from(second), measured).expect("a step");
        let b = swaps.step(20.0 * f64::from(second), measured).expect("a step");
        assert_eq!(format!("{a:?}"), format!("{b:?}"), "row {second}");
        last = Some(a);
        swaps.swap().expect("state carried");
    }
    let mut states = stays.snapshot(None).expect("a snapshot");
    assert_eq!(states.schema, 1);
    // The first number of the belief's mean is what was given out last.
    let believed = value(&last.expect("rows"), "concentration_estimate").to_le_bytes();
    let at = states.bytes.windows(8).position(|bytes| bytes == believed).expect("a number of the state");
    states.bytes[at..at + 8].copy_from_slice(&f64::NAN.to_le_bytes());
    stays.restore(&states).expect("bytes of a state");
    let stepped = stays.step(800.0, row(50.0)).expect("a step");
    assert_eq!(value(&stepped, "temperature_estimate"), 50.0);
    assert!(stays.log().iter().any(|line| line.message.contains("starts afresh")));
    states.schema = 2;
    assert!(matches!(stays.restore(&states), Err(Fault::State(_))));
}

#[test]
fn the_declaration_says_what_the_plugin_does() {
    let declaration = Declaration::parse(Cstr::DECLARATION.as_bytes()).expect("a declaration");
    assert_eq!((declaration.name.as_str(), declaration.kind), ("cstr", Kind::Estimator));
    let inputs: Vec<_> = declaration
        .inputs
        .iter()
        .map(|i| (i.name.as_str(), i.unit.as_str(), i.arrival, i.required))
        .collect();
    assert_eq!(
        inputs,
        [
            ("temperature", "Cel", Arrival::Event, true),
            ("concentration", "mol/L", Arrival::Event, false),
            ("feed_temperature", "Cel", Arrival::Hold, true),
            ("feed_flow", "L/min", Arrival::Hold, true),
            ("jacket_temperature", "Cel", Arrival::Hold, true),
        ]
    );
    let role = |name: &str| {
        let output = declaration.outputs.iter().find(|o| o.name == name).expect("declared");
        (output.role, output.of.as_deref())
    };
    assert_eq!(role("concentration_estimate_deviation"), (Role::Deviation, Some("concentration_estimate")));
    assert_eq!(role("nis"), (Role::Nis, Some("temperature")));
    let alerts: Vec<_> = declaration.alerts.iter().map(|a| (a.code.as_str(), a.priority)).collect();
    assert_eq!(alerts, [("runaway", Priority::High), ("inconsistent", Priority::Medium)]);
    assert_eq!((declaration.state.schema, declaration.state.reads), (1, vec![1]));
}
