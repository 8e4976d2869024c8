//! The shipped plugins give the same bits as components and as native code: outputs row by row, and state.

use std::sync::Arc;

use geminus_behavior::{Cohort, Engine, HostCalls, Limits, Opening, Series};
use geminus_core::{Frame, Quality, Timestamp, TwinIndex};
use geminus_sdk::{Behavior, OpeningRequest, Random, Rows, SlotTable};
use geminus_tests::repository;
use motor_thermal::MotorThermal;
use pump_health::PumpHealth;

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

fn check<B: Behavior>(plugin: &str, usual: &[f64]) {
    let built = geminus_registry::author::build(&repository().join("plugins").join(plugin), None, |_| ());
    let package = built.expect("the plugin builds").package;
    let engine = Engine::new(Limits::default()).expect("an engine");
    let compiled = engine
        .compile(package.digest, &package.bytes, package.declaration.clone(), None)
        .expect("the component compiles");
    let openings = (0..TWINS).map(|twin| Opening {
        twin: TwinIndex(twin),
        id: format!("twin-{twin}"),
        parameters: Arc::from(b"{}".as_slice()),
        seed: 1,
    });
    let (mut cohort, refused) = Cohort::start(compiled, Arc::new(Quiet), openings.collect()).expect("starts");
    assert_eq!(refused, []);
    let mut native = SlotTable::<B>::new();
    let openings: Vec<_> = (0..TWINS)
        .map(|slot| OpeningRequest {
            slot,
            twin: format!("twin-{slot}"),
            parameters: b"{}".to_vec(),
            seed: 1,
        })
        .collect();
    native.open(&openings).expect("opens");

    let (mut random, mut now) = (Random::new(20_261_121), [START; TWINS as usize]);
    let mut numbers = 0;
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
            let same = wasm.to_bits() == native.to_bits() || (wasm.is_nan() && native.is_nan());
            assert!(same, "{plugin} frame {number} cell {cell}: {wasm:e} in wasm, {native:e} natively");
            numbers += usize::from(wasm.is_finite());
        }
        assert_eq!(stepped.outcome.alerts.len(), expected.alerts.len(), "{plugin} frame {number}");
    }
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
