//! Every model works natively as it is timed: it says what its Python reference says of the same rows, a cloud of particles
//! follows its target, and what cannot be stepped is refused.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may")]

use bench_models::{BenchModels, INTERVAL_S, Kind};
use geminus_sdk::{OpeningRequest, Rows, SlotTable};
use serde_json::Value;

const TIMES: &str = include_str!("../reference/times.json");

fn opened(model: &str) -> Result<SlotTable<BenchModels>, geminus_sdk::Fault> {
    let parameters = format!("{{\"model\":{model:?}}}").into_bytes();
    let mut table = SlotTable::new();
    table.open(&[OpeningRequest { slot: 0, twin: "twin-0".to_owned(), parameters, seed: 1 }])?;
    Ok(table)
}

/// What a model says of its rows, one after the other: estimate, deviation, health.
fn said(kind: Kind, ticks: u64) -> Vec<[f64; 3]> {
    let mut table = opened(kind.name()).expect("opens");
    let step = |tick: u64| {
        let time = (tick + 1) * (INTERVAL_S * 1e9) as u64;
        let rows = Rows { slots: &[0], times: &[time], values: &kind.row(0, tick), quality: &[0; 3] };
        let outcome = table.step(rows).unwrap_or_else(|fault| panic!("{kind:?}, tick {tick}: {fault}"));
        outcome.values.try_into().expect("three outputs")
    };
    (0..ticks).map(step).collect()
}

fn reference() -> Value {
    serde_json::from_str(TIMES).expect("JSON")
}

#[test]
fn each_model_says_what_its_python_reference_says() {
    let reference = reference();
    let ticks = reference["ticks"].as_u64().expect("ticks");
    let mut held = 0;
    for kind in Kind::ALL {
        let told = &reference["models"][kind.name()];
        assert!(told["us"].as_f64().is_some_and(|us| us > 0.0), "{kind:?} has no time: {told}");
        assert!(told["library"].as_str().is_some_and(|library| !library.is_empty()), "{kind:?}: {told}");
        let Some(expect) = told["answer"].as_f64() else {
            assert_eq!(kind, Kind::Particle, "only random numbers may differ");
            continue;
        };
        let tolerance = told["tolerance"].as_f64().expect("a tolerance");
        let [found, ..] = *said(kind, ticks).last().expect("ticks");
        println!("{}: {found} instead of {expect}", kind.name());
        assert!((found - expect).abs() <= tolerance, "{kind:?}: {found} instead of {expect}");
        held += 1;
    }
    assert_eq!(held, Kind::ALL.len() - 1);
}

#[test]
fn filters_follow_their_target_and_know_how_well() {
    let ticks = 400;
    for kind in [Kind::Kalman, Kind::Extended, Kind::Unscented, Kind::Particle] {
        for (tick, [estimate, deviation, health]) in (0_u32..).zip(said(kind, ticks)).skip(100) {
            let truth = 200.0 + 50.0 * (0.005 * f64::from(tick)).cos();
            assert!((estimate - truth).abs() < 3.0, "{kind:?}, tick {tick}: {estimate} instead of {truth}");
            assert!(deviation > 0.0 && deviation < 3.0, "{kind:?}, tick {tick}: {deviation}");
            assert!(health.is_nan(), "{kind:?} judges no health");
        }
    }
}

#[test]
fn the_controller_reaches_its_limits_and_the_fleet_judges_health() {
    let openings: Vec<f64> = said(Kind::Mpc, 100).into_iter().map(|[opening, ..]| opening).collect();
    assert!(openings.iter().all(|opening| opening.abs() <= 1.0 + 1e-9), "{openings:?}");
    let largest = openings.windows(2).map(|two| (two[1] - two[0]).abs()).fold(0.0, f64::max);
    assert!((largest - 0.3).abs() < 1e-9, "the limit of moves never binds: {largest}");
    let healths: Vec<f64> = said(Kind::Fleet, 100).into_iter().map(|[.., health]| health).collect();
    assert!(healths.iter().all(|health| (0.0..=1.0).contains(health)), "{healths:?}");
    assert!(healths.windows(2).any(|two| two[0] != two[1]), "health never changes");
}

#[test]
fn an_unknown_model_and_a_row_without_a_value_are_refused() {
    let fault = opened("kalmann").expect_err("unknown").to_string();
    assert!(fault.contains("/model") && fault.contains("onnx_lstm"), "{fault}");
    let mut table = opened("kalman").expect("opens");
    let rows = Rows { slots: &[0], times: &[1], values: &[1.0, f64::NAN, 1.0], quality: &[0, 4, 0] };
    let fault = table.step(rows).expect_err("missing").to_string();
    assert!(fault.contains("all three"), "{fault}");
}

#[test]
fn names_lead_back_to_their_models() {
    for kind in Kind::ALL {
        assert_eq!(Kind::named(kind.name()), Some(kind));
    }
    assert_eq!(Kind::named(""), None);
}
