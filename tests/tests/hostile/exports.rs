//! The exports that a running house calls seldom (`close`) or in forks only (`forecast`), in a cohort in this process: whoever
//! misbehaves there changes nothing for anybody.

use std::sync::Arc;

use geminus_behavior::{Cohort, Engine, HostCalls, Limits, Opening, Series};
use geminus_core::{Declaration, Digest, Frame, Quality, Timestamp, TwinIndex};
use geminus_tests::Guest;

use crate::corpus::roomy;

const BAD: TwinIndex = TwinIndex(0);
const MATE: TwinIndex = TwinIndex(1);
/// What is done, and what is said of it after the name of the export.
const ACTS: [(&str, &str); 10] = [
    ("trap", "wasm trap: wasm `unreachable` instruction executed"),
    ("panic", "wasm trap: wasm `unreachable` instruction executed"),
    ("loop", "wasm trap: all fuel consumed by WebAssembly"),
    ("log-for-ever=100", "more than 4096 calls of the host"),
    ("read-for-ever", "more than 4096 calls of the host"),
    ("grow", "memory limit of 268435456 bytes"),
    ("allocate=1048576", "wasm trap: all fuel consumed by WebAssembly"),
    ("recurse", "wasm trap: out of bounds memory access"),
    ("copy=25000000", "wasm trap: all fuel consumed by WebAssembly"),
    ("long-fault=67108864", "too much data is being copied between the host and the guest"),
];

/// A house that has nothing to say.
struct Silent;

impl HostCalls for Silent {
    fn log(&self, _: Option<TwinIndex>, _: u8, _: &str) {}

    fn lookup(&self, _: TwinIndex, _: u32, _: Timestamp, _: Timestamp, _: u32) -> Result<Series, String> {
        Ok(Series::default())
    }
}

fn cohort(engine: &Engine, script: &str) -> anyhow::Result<Cohort> {
    let guest = Guest::hostile("hostile", "1.0.0")?.script(script).declares(|it| {
        roomy(it);
        it["forecast"] = true.into();
    });
    let bytes = guest.bytes()?;
    let declaration = Arc::new(Declaration::parse(guest.declaration.to_string().as_bytes())?);
    let compiled = engine.compile(Digest::of(&bytes), &bytes, declaration, None)?;
    let parameters: Arc<[u8]> = format!(r#"{{"script":"{script}"}}"#).into_bytes().into();
    let opening = |(twin, id): (TwinIndex, &str)| Opening {
        twin,
        id: id.to_owned(),
        parameters: Arc::clone(&parameters),
        seed: 0,
    };
    let openings = [(BAD, "bad"), (MATE, "mate")].map(opening);
    let (cohort, refused) = Cohort::start(compiled, Arc::new(Silent), openings.to_vec())?;
    assert_eq!(refused, []);
    Ok(cohort)
}

/// One row for each of these twins; gives the rows that each has counted.
fn counts(cohort: &mut Cohort, time: u64, twins: &[TwinIndex]) -> anyhow::Result<Vec<f64>> {
    let mut frame = Frame::new(2);
    for twin in twins {
        frame.twins.push(*twin);
        frame.times.push(Timestamp(time));
        frame.values.extend([1.0, 0.5]);
        frame.quality.extend([Quality::Good; 2]);
    }
    let stepped = cohort.step(&frame)?;
    assert!(stepped.faults.is_empty(), "{:?}", stepped.faults);
    Ok(stepped.outcome.values.chunks(2).map(|outputs| outputs[1]).collect())
}

#[test]
fn a_forecast_that_goes_wrong_changes_nothing() -> anyhow::Result<()> {
    let engine = Engine::new(Limits { instances_max: 8, ..Limits::default() })?;
    for (act, says) in ACTS {
        let mut cohort = cohort(&engine, &format!("forecast {act} twin=bad"))?;
        assert_eq!(counts(&mut cohort, 1, &[BAD, MATE])?, [1.0, 1.0], "{act}");
        let ahead = [Timestamp(10), Timestamp(11)];
        let trouble = cohort.forecast(BAD, &ahead, &[f64::NAN; 4]);
        let message = trouble.err().map(|trouble| trouble.to_string()).unwrap_or_default();
        assert!(message.contains(&format!("forecast: {says}")), "{act}: {message:?}");
        assert_eq!(counts(&mut cohort, 2, &[BAD, MATE])?, [2.0, 2.0], "{act}");
        let mean =
            cohort.forecast(MATE, &ahead, &[f64::NAN; 4]).map_err(|t| anyhow::anyhow!("{act}: {t}"))?.mean;
        assert_eq!(mean, [3.0, 2.0, 3.0, 2.0], "{act}");
    }
    Ok(())
}

#[test]
fn a_close_that_goes_wrong_is_a_close() -> anyhow::Result<()> {
    let engine = Engine::new(Limits { instances_max: 8, ..Limits::default() })?;
    for (act, _) in ACTS {
        let mut cohort = cohort(&engine, &format!("close {act} twin=bad"))?;
        assert_eq!(counts(&mut cohort, 1, &[BAD, MATE])?, [1.0, 1.0], "{act}");
        cohort.close(&[BAD]);
        assert_eq!(counts(&mut cohort, 2, &[MATE])?, [2.0], "{act}");
        assert!(cohort.twins().eq([MATE]), "{act}");
    }
    Ok(())
}
