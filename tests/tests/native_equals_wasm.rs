//! The shipped plugins give the same bits as components and as native code: outputs and their qualities row by row,
//! alerts, proposals, and state.

use std::sync::Arc;

use cstr::Cstr;
use drift_calibrator::DriftCalibrator;
use geminus_behavior::{Cohort, Engine, HostCalls, Limits, Opening, Series};
use geminus_core::declaration::Role;
use geminus_core::{Declaration, Frame, Quality, Timestamp, TwinIndex};
use geminus_sdk::{Behavior, OpeningRequest, Outcome, Random, Rows, SlotTable};
use geminus_tests::repository;
use heat_treatment::HeatTreatment;
use motor_thermal::MotorThermal;
use pump_health::PumpHealth;
use tank_mpc::TankMpc;
use throttle_policy::ThrottlePolicy;
use turbofan_rul::TurbofanRul;

const TWINS: u32 = 16;
const FRAMES: usize = 1_000;
const START: u64 = 1_750_000_000_000_000_000;

struct Quiet;

impl HostCalls for Quiet {
    fn log(&self, _: Option<TwinIndex>, _: u8, _: &str) {}

    fn lookup(&self, _: TwinIndex, _: u32, _: Timestamp, _: Timestamp, _: u32) -> Result<Series, String> {
        Err("there are no look-ups here".to_owned())
    }
}

/// One row of each twin: usual values with noise, sometimes far off, sometimes bad, stale or missing; intervals from a
/// millisecond to ten minutes.
fn frame(random: &mut Random, now: &mut [u64], usual: &[f64]) -> Frame {
    let mut frame = Frame::new(usual.len());
    for (twin, now) in (0..TWINS).zip(now) {
        *now += match random.bits() % 300 {
            0 => 600_000_000_000,
            1..30 => 1_000_000 + random.bits() % 1_000_000_000,
            _ => 1_000_000_000,
        };
        frame.twins.push(TwinIndex(twin));
        frame.times.push(Timestamp(*now));
        for usual in usual {
            let quality = Quality::from_u8((random.bits() % 200).saturating_sub(195) as u8);
            let spread = if random.bits().is_multiple_of(50) { 0.5 } else { 0.01 };
            let value = usual * (1.0 + spread * random.normal());
            frame.values.push(if quality == Quality::Missing { f64::NAN } else { value });
            frame.quality.push(quality);
        }
    }
    frame
}

/// What the host makes of the behavior's own qualities in row `number` of each twin: a cell without a number is bad
/// unless the behavior said that there is none, and a row that is warming up or rests on a doubtful input is uncertain.
fn qualities(declaration: &Declaration, number: usize, frame: &Frame, native: &Outcome) -> Vec<Quality> {
    let outputs = declaration.outputs.len();
    let own = native.values.iter().enumerate().map(|(cell, value)| {
        let said = native.quality.get(cell).map_or(Quality::Good, |quality| Quality::from_u8(*quality));
        if value.is_finite() || said == Quality::Missing { said } else { said.worse(Quality::Bad) }
    });
    let mut qualities: Vec<Quality> = own.collect();
    let converged = declaration.outputs.iter().position(|output| output.role == Role::Converged);
    let inputs = frame.quality.chunks(frame.quality.len() / frame.twins.len());
    for ((row, inputs), values) in
        qualities.chunks_mut(outputs).zip(inputs).zip(native.values.chunks(outputs))
    {
        let doubtful = [Quality::Uncertain, Quality::Bad, Quality::Stale];
        let warm = number >= declaration.warm_up_rows as usize
            && converged.is_none_or(|output| values[output] == 1.0 && row[output].usable());
        if !warm || inputs.iter().any(|input| doubtful.contains(input)) {
            row.iter_mut().for_each(|quality| *quality = quality.worse(Quality::Uncertain));
        }
    }
    qualities
}

/// The bits of a number; those of any NaN are the same.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

fn check<B: Behavior>(plugin: &str, usual: &[f64]) {
    check_with::<B>(plugin, "{}", usual);
}

fn check_with<B: Behavior>(plugin: &str, parameters: &str, usual: &[f64]) {
    let built = geminus_registry::author::build(&repository().join("plugins").join(plugin), None, |_| ());
    let package = built.expect("the plugin builds").package;
    let engine = Engine::new(Limits::default()).expect("an engine");
    let compiled = engine
        .compile(package.digest, &package.bytes, package.declaration.clone(), None)
        .expect("the component compiles");
    let openings = (0..TWINS).map(|twin| Opening {
        twin: TwinIndex(twin),
        id: format!("twin-{twin}"),
        parameters: Arc::from(parameters.as_bytes()),
        seed: 1,
    });
    let (mut cohort, refused) = Cohort::start(compiled, Arc::new(Quiet), openings.collect()).expect("starts");
    assert_eq!(refused, []);
    let mut native = SlotTable::<B>::new();
    let openings: Vec<_> = (0..TWINS)
        .map(|slot| OpeningRequest {
            slot,
            twin: format!("twin-{slot}"),
            parameters: parameters.as_bytes().to_vec(),
            seed: 1,
        })
        .collect();
    native.open(&openings).expect("opens");

    let (mut random, mut now) = (Random::new(20_261_121), [START; TWINS as usize]);
    let (mut numbers, mut alerts, mut proposals) = (0, 0, 0);
    for number in 0..FRAMES {
        let frame = frame(&mut random, &mut now, usual);
        let stepped = cohort.step(&frame).expect("the frame fits");
        assert_eq!(stepped.faults, [], "{plugin} frame {number}");
        let slots: Vec<u32> = frame.twins.iter().map(|twin| twin.0).collect();
        let times: Vec<u64> = frame.times.iter().map(|time| time.0).collect();
        let quality: Vec<u8> = frame.quality.iter().map(|quality| *quality as u8).collect();
        let rows = Rows { slots: &slots, times: &times, values: &frame.values, quality: &quality };
        let expected = native.step(rows).expect("the row is stepped");
        assert_eq!(stepped.outcome.values.len(), expected.values.len());
        for (cell, (wasm, native)) in stepped.outcome.values.iter().zip(&expected.values).enumerate() {
            assert!(
                bits(*wasm) == bits(*native),
                "{plugin} frame {number} cell {cell}: {wasm:e} in wasm, {native:e} natively"
            );
            numbers += usize::from(wasm.is_finite());
        }
        let judged = qualities(&package.declaration, number, &frame, &expected);
        assert_eq!(stepped.outcome.quality, judged, "{plugin} frame {number}");
        let wasm = stepped.outcome.alerts.iter();
        let wasm = wasm.map(|alert| (alert.row, alert.alert, bits(alert.value), alert.detail.as_str()));
        let native = expected.alerts.iter();
        let native = native.map(|alert| (alert.row, alert.alert, bits(alert.value), alert.detail.as_str()));
        assert!(
            wasm.eq(native),
            "{plugin} frame {number}: {:?}, natively {:?}",
            stepped.outcome.alerts,
            expected.alerts
        );
        alerts += expected.alerts.len();
        let wasm = stepped.outcome.proposals.iter().map(|it| {
            let numbers = (bits(it.value), bits(it.confidence));
            (it.row, it.command, numbers, it.valid_for_ms, it.reason.as_str())
        });
        let native = expected.proposals.iter().map(|it| {
            let numbers = (bits(it.value), bits(it.confidence));
            (it.row, it.command, numbers, it.valid_for_ms, it.reason.as_str())
        });
        assert!(
            wasm.eq(native),
            "{plugin} frame {number}: {:?}, natively {:?}",
            stepped.outcome.proposals,
            expected.proposals
        );
        proposals += expected.proposals.len();
    }
    assert!(alerts > 0, "no alert was compared");
    let may = !package.declaration.commands.is_empty();
    assert_eq!(proposals > 0, may, "{proposals} proposals were compared");
    // Every behavior has an output that is always a number; more must have been there than that one.
    assert!(numbers > 2 * FRAMES * TWINS as usize, "only {numbers} numbers were compared");

    let snapshot = cohort.snapshot(None).expect("a snapshot");
    let slots: Vec<u32> = (0..TWINS).collect();
    let states = native.snapshot(&slots, None).expect("a snapshot");
    let mut from = 0;
    for (saved, end) in snapshot.twins.iter().zip(&states.ends) {
        assert_eq!(saved.bytes, states.bytes[from..*end as usize], "{plugin}: state of {:?}", saved.twin);
        from = *end as usize;
    }
    assert_eq!(from, states.bytes.len());
}

#[test]
fn motor_thermal_gives_the_same_bits_natively_and_in_wasm() {
    check::<MotorThermal>("motor-thermal", &[80.0, 26.0, 2.0]);
}

#[test]
fn pump_health_gives_the_same_bits_natively_and_in_wasm() {
    check::<PumpHealth>("pump-health", &[0.2, 0.27, 2.0, 0.3, 80.0, 120.0]);
}

#[test]
fn throttle_policy_gives_the_same_bits_natively_and_in_wasm() {
    check::<ThrottlePolicy>("throttle-policy", &[148.0, 1.0, 90.0]);
}

#[test]
fn drift_calibrator_gives_the_same_bits_natively_and_in_wasm() {
    check::<DriftCalibrator>("drift-calibrator", &[60.0, 20.0, 40.0]);
}

#[test]
fn cstr_gives_the_same_bits_natively_and_in_wasm() {
    check::<Cstr>("cstr", &[51.35, 0.88, 76.85, 100.0, 26.85]);
}

#[test]
fn tank_mpc_gives_the_same_bits_natively_and_in_wasm() {
    check::<TankMpc>("tank-mpc", &[1.5, 1.4, 72.0, 1.5]);
}

#[test]
fn heat_treatment_gives_the_same_bits_natively_and_in_wasm() {
    // Settings, and a hardness that is sometimes too high for the specification.
    check::<HeatTreatment>("heat-treatment", &[500.0, 60.0, 20.0, 43.5]);
    // The same while it looks for the hardest.
    check_with::<HeatTreatment>("heat-treatment", r#"{"explore": true}"#, &[500.0, 60.0, 20.0, 43.5]);
}

#[test]
fn turbofan_rul_gives_the_same_bits_natively_and_in_wasm() {
    // The number of the cycle, which noise makes rise and fall, then the sensors of an engine of the data.
    // Limits that an engine in the middle of its life is below, so that alerts are compared too.
    check_with::<TurbofanRul>(
        "turbofan-rul",
        r#"{"short_cycles": 125.0, "ending_cycles": 100.0}"#,
        &[
            100.0, 642.7, 1590.0, 1409.0, 553.0, 2388.0, 9065.0, 47.5, 521.4, 2388.0, 8144.0, 8.44, 393.0,
            38.8, 23.3,
        ],
    );
}
