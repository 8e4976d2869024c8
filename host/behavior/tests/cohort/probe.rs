//! Makes components of `tests/guests/probe.wat`, cohorts of them, frames for them, and knows what they must answer.

use std::sync::{Arc, LazyLock, Mutex};

use geminus_behavior::{Cohort, Compiled, Engine, HostCalls, Limits, Opening, Refused, Series, Stepped};
use geminus_core::{Declaration, Digest, Frame, Quality, Timestamp, TwinIndex};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

const GUEST: &str = include_str!("../../../../tests/guests/probe.wat");
const CONTRACT: &str = include_str!("../../../../wit/next/behavior.wit");

/// What a test may change about the probe.
#[derive(Clone, Copy)]
pub(crate) struct Probe {
    pub(crate) version: &'static str,
    pub(crate) contract: &'static str,
    pub(crate) schema: u32,
    pub(crate) code_schema: u32,
    pub(crate) reads: &'static [u32],
    pub(crate) writes: &'static [u32],
    pub(crate) warm_up_rows: u32,
    pub(crate) fuel_per_row: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) outside: Outside,
    pub(crate) starts: bool,
}

/// What the probe asks for besides the contract.
#[derive(Clone, Copy)]
pub(crate) enum Outside {
    Nothing,
    /// What no behavior may have.
    Web,
    /// What the runtimes of other languages have. Each step calls this body with `$at`, where the row's two outputs lie.
    Wasi(&'static str),
}

/// Of WASI, what `Outside::Wasi` may call, as packages and interfaces.
const WASI: [&str; 6] = [
    "package wasi:http@0.2.0; interface fetch { get: func() -> u64; }",
    "package wasi:clocks@0.2.9; interface monotonic-clock { now: func() -> u64; }
     interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }",
    "package wasi:random@0.2.9; interface random { get-random-u64: func() -> u64; }",
    "package wasi:io@0.2.9; interface error { resource error; }
     interface streams { use error.{error}; variant stream-error { last-operation-failed(error), closed }
       resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; } }",
    "package wasi:cli@0.2.9; interface stdout { use wasi:io/streams@0.2.9.{output-stream};
       get-stdout: func() -> output-stream; }
     interface exit { exit: func(status: result); }
     interface environment { get-environment: func() -> list<tuple<string, string>>; }",
    "package wasi:sockets@0.2.9; interface network { resource network; }
     interface instance-network { use network.{network}; instance-network: func() -> network; }",
];

/// The same as a world imports it.
const IMPORTS: [&str; 9] = [
    "wasi:http/fetch@0.2.0",
    "wasi:clocks/monotonic-clock@0.2.9",
    "wasi:clocks/wall-clock@0.2.9",
    "wasi:random/random@0.2.9",
    "wasi:io/streams@0.2.9",
    "wasi:cli/stdout@0.2.9",
    "wasi:cli/exit@0.2.9",
    "wasi:cli/environment@0.2.9",
    "wasi:sockets/instance-network@0.2.9",
];

/// The same as a core module sees it.
const CORE_IMPORTS: &str = r#"
  (import "wasi:clocks/monotonic-clock@0.2.9" "now" (func $now (result i64)))
  (import "wasi:clocks/wall-clock@0.2.9" "now" (func $wall (param i32)))
  (import "wasi:random/random@0.2.9" "get-random-u64" (func $random (result i64)))
  (import "wasi:cli/stdout@0.2.9" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/exit@0.2.9" "exit" (func $exit (param i32)))
  (import "wasi:cli/environment@0.2.9" "get-environment" (func $environment (param i32)))
  (import "wasi:sockets/instance-network@0.2.9" "instance-network" (func $network (result i32)))
  (import "wasi:io/streams@0.2.9" "[resource-drop]output-stream" (func $drop_stream (param i32)))
  (import "wasi:io/streams@0.2.9" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))"#;

impl Default for Probe {
    fn default() -> Self {
        Self {
            version: "1.0.0",
            contract: "0.1.0",
            schema: 1,
            code_schema: 1,
            reads: &[1],
            writes: &[1],
            warm_up_rows: 0,
            fuel_per_row: 100_000,
            memory_bytes: 16 << 20,
            outside: Outside::Nothing,
            starts: true,
        }
    }
}

impl Probe {
    /// Version 2: writes schema 2, reads and writes 1 too.
    pub(crate) fn second() -> Self {
        Self {
            version: "2.0.0",
            schema: 2,
            code_schema: 2,
            reads: &[1, 2],
            writes: &[1, 2],
            ..Self::default()
        }
    }

    pub(crate) fn declaration(self) -> Arc<Declaration> {
        let json = serde_json::json!({
            "declaration": 1, "name": "probe", "version": self.version, "kind": "estimator",
            "inputs": [{"name": "a", "unit": "1"}, {"name": "b", "unit": "1"}],
            "outputs": [{"name": "sum", "unit": "1"}, {"name": "count", "unit": "1"}],
            "alerts": [{"code": "odd", "priority": "low", "text": "odd"}],
            "state": {"schema": self.schema, "reads": self.reads, "writes": self.writes},
            "warm_up_rows": self.warm_up_rows, "forecast": true,
            "budget": {"fuel_per_row": self.fuel_per_row, "memory_bytes": self.memory_bytes},
        });
        Arc::new(Declaration::parse(json.to_string().as_bytes()).expect("declaration"))
    }

    /// The core module.
    pub(crate) fn module(self) -> Vec<u8> {
        let web = r#"(import "wasi:http/fetch@0.2.0" "get" (func (result i64)))"#;
        let (import, before) = match self.outside {
            Outside::Nothing => (String::new(), GUEST.to_owned()),
            Outside::Web => (web.to_owned(), GUEST.to_owned()),
            Outside::Wasi(body) => {
                let outside = format!("{CORE_IMPORTS} (func $outside (param $at i32) {body})");
                let end = "      (local.set $r (i32.add (local.get $r) (i32.const 1)))\n      (br $next)))\n    (i32.const 1024))";
                assert_eq!(GUEST.matches(end).count(), 1, "the end of step is no longer where it was");
                let call = "      (call $outside (i32.sub (local.get $out) (i32.const 16)))\n";
                (outside, GUEST.replace(end, &format!("{call}{end}")))
            }
        };
        let trap = r"(func $dies unreachable) (start $dies)";
        let text = before
            .replace("{{contract}}", self.contract)
            .replace("{{schema}}", &self.code_schema.to_string())
            .replace("{{import}}", &import);
        let text =
            if self.starts { text } else { format!("{} {trap})", text.trim_end().trim_end_matches(')')) };
        wat::parse_str(text).expect("wat")
    }

    /// The component.
    pub(crate) fn component(self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let contract = CONTRACT.replace("@0.1.0", &format!("@{}", self.contract));
        resolve.push_str("behavior.wit", &contract).expect("contract");
        for package in WASI {
            resolve.push_str("wasi.wit", package).expect("a package");
        }
        let imports: String = IMPORTS.iter().map(|interface| format!("import {interface}; ")).collect();
        let world = format!(
            "package test:probe; world probe {{ include geminus:behavior/plugin@{}; {imports} }}",
            self.contract
        );
        let package = resolve.push_str("probe.wit", &world).expect("world");
        let world = resolve.select_world(&[package], Some("probe")).expect("world");
        let mut module = self.module();
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("embed");
        let encoder = ComponentEncoder::default().module(&module).expect("module").validate(true);
        let mut encoder = encoder;
        encoder.encode().expect("component")
    }

    pub(crate) fn compiled(self) -> Arc<Compiled> {
        self.compiled_by(&ENGINE)
    }

    pub(crate) fn compiled_by(self, engine: &Engine) -> Arc<Compiled> {
        let bytes = self.component();
        engine.compile(Digest::of(&bytes), &bytes, self.declaration(), None).expect("compiles")
    }

    /// A cohort with one twin for each letter, numbered from 0.
    pub(crate) fn cohort(self, modes: &str) -> Cohort {
        let (cohort, refused) = self.cohort_with(modes, Arc::new(Listener::default()));
        assert_eq!(refused, []);
        cohort
    }

    pub(crate) fn cohort_with(self, modes: &str, host: Arc<Listener>) -> (Cohort, Vec<Refused>) {
        Cohort::start(self.compiled(), host, openings(modes)).expect("starts")
    }
}

/// One engine for all tests of a process, as in the host.
pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(limits()).expect("engine"));

/// The default limits, with little reserved: several engines live in one test process.
pub(crate) fn limits() -> Limits {
    Limits { instances_max: 40, memory_bytes_max: 64 << 20, ..Limits::default() }
}

pub(crate) fn opening(twin: u32, mode: char) -> Opening {
    let parameters = format!(r#"{{"m":"{mode}"}}"#).into_bytes();
    Opening {
        twin: TwinIndex(twin),
        id: format!("twin-{twin}"),
        parameters: parameters.into(),
        seed: u64::from(twin),
    }
}

pub(crate) fn openings(modes: &str) -> Vec<Opening> {
    modes.chars().zip(0..).map(|(mode, twin)| opening(twin, mode)).collect()
}

/// Remembers what the guest logged; answers look-ups with as many samples as were asked for.
#[derive(Default)]
pub(crate) struct Listener {
    pub(crate) lines: Mutex<Vec<(Option<TwinIndex>, u8, String)>>,
}

impl HostCalls for Listener {
    fn log(&self, twin: Option<TwinIndex>, level: u8, message: &str) {
        self.lines.lock().expect("lines").push((twin, level, message.to_owned()));
    }

    fn lookup(
        &self,
        _: TwinIndex,
        lookup: u32,
        from: Timestamp,
        _: Timestamp,
        limit: u32,
    ) -> Result<Series, String> {
        let count = limit as usize;
        assert_eq!(lookup, 0);
        Ok(Series { times: vec![from; count], values: vec![0.5; count], quality: vec![Quality::Good; count] })
    }
}

/// Good rows: twin, time, a, b.
pub(crate) fn frame(rows: impl IntoIterator<Item = (u32, u64, f64, f64)>) -> Frame {
    let mut frame = Frame::new(2);
    for (twin, time, a, b) in rows {
        frame.twins.push(TwinIndex(twin));
        frame.times.push(Timestamp(time));
        frame.values.extend([a, b]);
        frame.quality.extend([Quality::Good; 2]);
    }
    frame
}

/// What a probe that never misbehaves must answer: the same sums in the same order.
#[derive(Default)]
pub(crate) struct Oracle {
    sums: std::collections::BTreeMap<u32, (f64, f64)>,
}

impl Oracle {
    /// Adds a row up.
    pub(crate) fn row(&mut self, twin: u32, a: f64, b: f64) -> [f64; 2] {
        let (sum, count) = self.sums.entry(twin).or_default();
        *sum = *sum + a + b;
        *count += 1.0;
        [*sum, *count]
    }

    /// Checks all rows of `stepped` but those that `without` names, bit for bit.
    pub(crate) fn check(&mut self, frame: &Frame, stepped: &Stepped, without: &[usize]) {
        assert_eq!(stepped.outcome.values.len(), frame.rows() * 2);
        assert_eq!(stepped.outcome.quality.len(), frame.rows() * 2);
        for row in 0..frame.rows() {
            let got = &stepped.outcome.values[row * 2..row * 2 + 2];
            let quality = &stepped.outcome.quality[row * 2..row * 2 + 2];
            if without.contains(&row) {
                assert!(
                    got.iter().all(|value| value.to_bits() == f64::NAN.to_bits()),
                    "row {row} is {got:?}"
                );
                assert_eq!(quality, [Quality::Bad; 2], "row {row}");
            } else {
                let expect = self.row(frame.twins[row].0, frame.values[row * 2], frame.values[row * 2 + 1]);
                assert_eq!(
                    got.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
                    expect.map(f64::to_bits),
                    "row {row}"
                );
                assert_eq!(quality, [Quality::Good; 2], "row {row}");
            }
        }
    }
}

/// Steps and expects the frame to fit.
pub(crate) fn step(cohort: &mut Cohort, frame: &Frame) -> Stepped {
    cohort.step(frame).expect("frame fits")
}
