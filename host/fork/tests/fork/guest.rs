//! Twins of `tests/guests/probe.wat`, which adds up its inputs and misbehaves on request, and rows for them.

use std::sync::{Arc, LazyLock};

use geminus_behavior::{Cohort, Compiled, Engine, HostCalls, Limits, Opening, Series};
use geminus_core::{Declaration, Digest, Frame, Outcome, Quality, Timestamp, TwinIndex};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

const GUEST: &str = include_str!("../../../../tests/guests/probe.wat");
const CONTRACT: &str = include_str!("../../../../wit/next/behavior.wit");

/// The twin that is forked.
pub(crate) const TWIN: TwinIndex = TwinIndex(0);
pub(crate) const SECOND: u64 = 1_000_000_000;

/// One engine and one component for all tests of the process, as in the host.
static COMPILED: LazyLock<Arc<Compiled>> = LazyLock::new(|| {
    let limits = Limits { instances_max: 100, memory_bytes_max: 64 << 20, ..Limits::default() };
    let engine = Engine::new(limits).expect("engine");
    let json = serde_json::json!({
        "declaration": 1, "name": "probe", "version": "1.0.0", "kind": "estimator",
        "inputs": [{"name": "a", "unit": "1"}, {"name": "b", "unit": "1"}],
        "outputs": [{"name": "sum", "unit": "1"}, {"name": "count", "unit": "1"}],
        "state": {"schema": 1, "reads": [1], "writes": [1]}, "forecast": true,
    });
    let declaration = Arc::new(Declaration::parse(json.to_string().as_bytes()).expect("declaration"));
    let bytes = component();
    engine.compile(Digest::of(&bytes), &bytes, declaration, None).expect("compiles")
});

fn component() -> Vec<u8> {
    let text = GUEST.replace("{{contract}}", "0.1.0").replace("{{schema}}", "1").replace("{{import}}", "");
    let mut module = wat::parse_str(text).expect("wat");
    let mut resolve = Resolve::default();
    resolve.push_str("behavior.wit", CONTRACT).expect("contract");
    let world = "package test:probe; world probe { include geminus:behavior/plugin@0.1.0; }";
    let package = resolve.push_str("probe.wit", world).expect("world");
    let world = resolve.select_world(&[package], Some("probe")).expect("world");
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("embed");
    let encoder = ComponentEncoder::default().module(&module).expect("module");
    encoder.validate(true).encode().expect("component")
}

struct Deaf;

impl HostCalls for Deaf {
    fn log(&self, _: Option<TwinIndex>, _: u8, _: &str) {}

    fn lookup(&self, _: TwinIndex, _: u32, _: Timestamp, _: Timestamp, _: u32) -> Result<Series, String> {
        Err("nothing here".to_owned())
    }
}

/// A cohort with one twin for each letter, which is its mode.
pub(crate) fn cohort(modes: &str) -> Cohort {
    let openings = modes.chars().zip(0..).map(|(mode, twin)| Opening {
        twin: TwinIndex(twin),
        id: format!("twin-{twin}"),
        parameters: format!(r#"{{"m":"{mode}"}}"#).into_bytes().into(),
        seed: u64::from(twin),
    });
    let (cohort, refused) =
        Cohort::start(Arc::clone(&COMPILED), Arc::new(Deaf), openings.collect()).expect("starts");
    assert_eq!(refused, []);
    cohort
}

/// `count` rows of the forked twin, one a second from `second` on: a is 1, b is 0.5.
pub(crate) fn rows(second: u64, count: u64) -> Frame {
    let mut frame = Frame::new(2);
    for second in second..second + count {
        frame.twins.push(TWIN);
        frame.times.push(Timestamp(second * SECOND));
        frame.values.extend([1.0, 0.5]);
        frame.quality.extend([Quality::Good; 2]);
    }
    frame
}

/// Steps and expects every row to be answered.
pub(crate) fn step(cohort: &mut Cohort, frame: &Frame) -> Outcome {
    let stepped = cohort.step(frame).expect("rows");
    assert_eq!(stepped.faults, []);
    stepped.outcome
}
