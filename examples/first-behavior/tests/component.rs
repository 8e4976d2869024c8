//! The same source as a component: built, checked and compiled by the host's own rooms, it gives the same bits as
//! natively. Needs the target wasm32-unknown-unknown, which the build adds or says how to.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set up its case fails by saying so"
)]

use std::path::Path;
use std::sync::Arc;

use first_behavior::Smoother;
use geminus_behavior::{Cohort, Engine, HostCalls, Limits, Opening, Series};
use geminus_core::{Declaration, Frame, Quality, Timestamp, TwinIndex};
use geminus_registry::Package;
use geminus_sdk::{OpeningRequest, Random, Rows, SlotTable};

const TWINS: u32 = 8;
const FRAMES: u64 = 400;

#[derive(Debug)]
struct Quiet;

impl HostCalls for Quiet {
    fn log(&self, _: Option<TwinIndex>, level: u8, message: &str) {
        panic!("the smoother says nothing, but said at level {level}: {message}");
    }

    fn lookup(&self, _: TwinIndex, _: u32, _: Timestamp, _: Timestamp, _: u32) -> Result<Series, String> {
        Err("the smoother looks nothing up".to_owned())
    }
}

fn built() -> Package {
    let folder = tempfile::tempdir().expect("a folder");
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    geminus_registry::author::build(crate_dir, Some(folder.path()), |_| {}).expect("builds").package
}

fn parameters(twin: u32) -> String {
    format!(r#"{{"time_constant": {}}}"#, 0.7 + 13.1 * f64::from(twin))
}

/// Cells with every quality, values at both ends of the range, and intervals from a nanosecond to minutes.
fn frame(random: &mut Random, now: &mut [u64]) -> Frame {
    let mut frame = Frame::new(1);
    for (twin, now) in (0..).zip(now) {
        *now += 1 + (random.bits() >> (23 + random.bits() % 40));
        let quality = Quality::from_u8((random.bits() % 7).saturating_sub(2) as u8);
        let value = 40.0 + 10f64.powi((random.bits() % 12) as i32 - 6) * random.normal();
        frame.twins.push(TwinIndex(twin));
        frame.times.push(Timestamp(*now));
        frame.values.push(if quality == Quality::Missing { f64::NAN } else { value });
        frame.quality.push(quality);
    }
    frame
}

#[test]
fn the_component_gives_the_bits_of_the_native_code() {
    let package = built();
    assert_eq!(package.declaration.label(), format!("first-behavior@{}", env!("CARGO_PKG_VERSION")));
    assert!(*package.declaration == native_declaration(), "the section is the constant");
    let engine = Engine::new(Limits::default()).expect("an engine");
    let compiled = engine
        .compile(package.digest, &package.bytes, package.declaration.clone(), None)
        .expect("imports and exports nothing but the contract");
    let openings = (0..TWINS).map(|twin| Opening {
        twin: TwinIndex(twin),
        id: format!("twin-{twin}"),
        parameters: parameters(twin).into_bytes().into(),
        seed: 1,
    });
    let (mut cohort, refused) = Cohort::start(compiled, Arc::new(Quiet), openings.collect()).expect("starts");
    assert!(refused.is_empty(), "{refused:?}");
    let mut native = SlotTable::<Smoother>::new();
    let openings = (0..TWINS).map(|slot| OpeningRequest {
        slot,
        twin: format!("twin-{slot}"),
        parameters: parameters(slot).into_bytes(),
        seed: 1,
    });
    native.open(&openings.collect::<Vec<_>>()).expect("opens");

    let (mut random, mut now, mut numbers) = (Random::new(20_261_121), vec![1_767_225_600_000_000_000; 8], 0);
    for number in 0..FRAMES {
        let frame = frame(&mut random, &mut now);
        let stepped = cohort.step(&frame).expect("fits");
        assert_eq!(stepped.faults, [], "frame {number}");
        let expected = native.step(columns(&frame).rows()).expect("steps");
        for (row, (wasm, native)) in stepped.outcome.values.iter().zip(&expected.values).enumerate() {
            assert!(
                wasm.to_bits() == native.to_bits() || (wasm.is_nan() && native.is_nan()),
                "frame {number} row {row}: {wasm:e} in wasm, {native:e} natively"
            );
            numbers += usize::from(wasm.is_finite());
        }
        assert_eq!(stepped.outcome.values.len(), expected.values.len());
    }
    assert!(numbers > 2_000, "only {numbers} numbers were compared");
}

fn native_declaration() -> Declaration {
    Declaration::parse(Smoother::DECLARATION.as_bytes()).expect("parses")
}

struct Columns {
    slots: Vec<u32>,
    times: Vec<u64>,
    values: Vec<f64>,
    quality: Vec<u8>,
}

fn columns(frame: &Frame) -> Columns {
    Columns {
        slots: frame.twins.iter().map(|twin| twin.0).collect(),
        times: frame.times.iter().map(|time| time.0).collect(),
        values: frame.values.clone(),
        quality: frame.quality.iter().map(|quality| *quality as u8).collect(),
    }
}

impl Columns {
    fn rows(&self) -> Rows<'_> {
        Rows { slots: &self.slots, times: &self.times, values: &self.values, quality: &self.quality }
    }
}
