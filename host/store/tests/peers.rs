//! Sealed history read by others: pyarrow, pandas and DuckDB find the types, the order, the counts, extremes and means
//! that a naive recomputation has. `tests/run` installs them.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use geminus_core::{Quality, Sample, SeriesId, SystemClock, Timestamp};
use geminus_store::{Options, Store};
use serde_json::{Value, json};

/// Samples of a series: hours of one a second, with some that are late, uncertain or of odd size.
fn samples(series: SeriesId, number: u64) -> Vec<Sample> {
    let sample = |at: u64| {
        let noise = at.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number) >> 40;
        let time = Timestamp(1_772_366_400_000_000_000 + at * 1_000_000_000 + number);
        let quality = if at.is_multiple_of(50) { Quality::Uncertain } else { Quality::Good };
        let value = if at == 77 { -1e9 } else { noise as f64 / 1000.0 };
        Sample { series, quality, value, time, received: Timestamp::from_millis(time.millis() + noise % 40) }
    };
    (0..9_000).map(sample).collect()
}

fn python() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    repository.join("target/peers/parquet-venv/bin/python")
}

fn read(history: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/parquet/read.py");
    let output =
        Command::new(python()).arg(script).arg(history).output().expect("tests/run makes this Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("json")
}

#[test]
fn others_find_what_was_stored() {
    let dir = tempfile::tempdir().expect("folder");
    let store = Store::open(dir.path(), Options::default(), Arc::new(SystemClock::new())).expect("store");
    let names = [("pump-1", "temperature"), ("pump-2", "temperature"), ("pump-1", "thermal.winding")];
    let series = store.series(&names).expect("series");
    let all: Vec<Vec<Sample>> = series.iter().zip(0u64..).map(|(series, at)| samples(*series, at)).collect();
    // Every third is late: it comes when the others are sealed.
    for late in [false, true] {
        for samples in &all {
            let some = samples.iter().zip(0u32..).filter(|(_, at)| at.is_multiple_of(3) == late);
            store.recorder().record(some.map(|(sample, _)| *sample).collect(), Vec::new());
        }
        store.seal().expect("seal");
    }
    let found = read(&dir.path().join("history"));
    let types = json!({
        "twin": "string", "point": "string", "time": "timestamp[ns, tz=UTC]", "value": "double",
        "quality": "string", "received": "timestamp[ms, tz=UTC]", "plugin": "string"
    });
    assert_eq!(found["types"], types);
    assert_eq!(found["in_order"], true);
    let mut expect: Vec<_> = names.iter().zip(&all).collect();
    expect.sort_by_key(|(name, _)| **name);
    for reader in ["duckdb", "pandas"] {
        let rows = found[reader].as_array().expect("rows");
        assert_eq!(rows.len(), expect.len(), "{reader}");
        for (row, ((twin, point), samples)) in rows.iter().zip(&expect) {
            let values = || samples.iter().map(|sample| sample.value);
            let number = |at: usize| row[at].as_f64().expect("a number");
            assert_eq!(
                (&row[0], &row[1], &row[2]),
                (&(*twin).into(), &(*point).into(), &samples.len().into())
            );
            assert_eq!(number(3), values().fold(f64::INFINITY, f64::min), "{reader}");
            assert_eq!(number(4), values().fold(f64::NEG_INFINITY, f64::max), "{reader}");
            let mean = values().sum::<f64>() / samples.len() as f64;
            assert!((number(5) - mean).abs() <= mean.abs() * 1e-12, "{reader}: {} {mean}", number(5));
            assert_eq!(row[6], samples[0].time.0, "{reader}");
            assert_eq!(row[7], samples[samples.len() - 1].time.0, "{reader}");
            assert_eq!((&row[8], &row[9]), (&json!(0), &json!(180)), "{reader}");
        }
    }
}
