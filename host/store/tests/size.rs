//! What sealed history takes on recorded data of real machines, which lies beside the project. Where it is not there the
//! test says so, and fails on CI.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use geminus_core::{Quality, Sample, SystemClock, Timestamp};
use geminus_store::{Options, Store};

/// (twin, point) → time in seconds and value.
type Recorded = BTreeMap<(String, String), Vec<(u64, f64)>>;

/// A place in time for what carries none.
const BEGIN_S: u64 = 1_772_366_400;

fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var("GEMINUS_DATA").map_or(beside, PathBuf::from);
    if folder.join("skab").is_dir() && folder.join("cmapss").is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no recorded data in {}", folder.display());
    eprintln!("NOT RUN: no recorded data in {} (set GEMINUS_DATA)", folder.display());
    None
}

/// A rig with pumps and valves, each run a twin, a sample a second.
fn skab(folder: &Path) -> Recorded {
    let mut found = Recorded::new();
    for group in ["anomaly-free", "valve1"] {
        for entry in fs::read_dir(folder.join("skab").join(group)).expect("folder") {
            let path = entry.expect("entry").path();
            let twin = format!("{group}-{}", path.file_stem().expect("name").to_string_lossy());
            let mut rows = csv::ReaderBuilder::new().delimiter(b';').from_path(&path).expect("csv");
            let names = rows.headers().expect("header").clone();
            for (second, row) in rows.records().enumerate() {
                let row = row.expect("row");
                for (name, text) in names.iter().zip(&row).skip(1).take(8) {
                    let value = text.parse().expect("a number");
                    let key = (twin.clone(), name.to_owned());
                    found.entry(key).or_default().push((BEGIN_S + second as u64, value));
                }
            }
        }
    }
    found
}

/// Engines that run until they fail, a row each cycle.
fn cmapss(folder: &Path) -> Recorded {
    let mut found = Recorded::new();
    for name in ["train", "test"] {
        let text = fs::read_to_string(folder.join(format!("cmapss/{name}_FD001.txt"))).expect("text");
        for line in text.lines() {
            let numbers: Vec<f64> =
                line.split_whitespace().map(|text| text.parse().expect("number")).collect();
            for (at, value) in numbers.iter().enumerate().skip(2) {
                let key = (format!("{name}-{}", numbers[0]), format!("column-{at}"));
                found.entry(key).or_default().push((BEGIN_S + numbers[1] as u64 * 10, *value));
            }
        }
    }
    found
}

/// Bytes of sealed files and points.
fn sealed(recorded: &Recorded) -> (u64, u64) {
    let dir = tempfile::tempdir().expect("folder");
    let store = Store::open(dir.path(), Options::default(), Arc::new(SystemClock::new())).expect("store");
    let names: Vec<(&str, &str)> =
        recorded.keys().map(|(twin, point)| (twin.as_str(), point.as_str())).collect();
    let series = store.series(&names).expect("series");
    for (series, samples) in series.iter().zip(recorded.values()) {
        let sample = |(second, value): &(u64, f64)| {
            let time = Timestamp::from_millis(second * 1000);
            // As a network has it: some milliseconds, never the same.
            let lag = 3 + (second.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62);
            let received = Timestamp::from_millis(second * 1000 + lag);
            Sample { series: *series, quality: Quality::Good, value: *value, time, received }
        };
        store.recorder().record(samples.iter().map(sample).collect(), Vec::new());
    }
    store.seal().expect("seal");
    let stats = store.stats();
    (stats.bytes_sealed, stats.points_sealed)
}

#[test]
fn a_point_of_recorded_data_takes_three_bytes_at_most() {
    let Some(folder) = folder() else { return };
    let mut total = (0, 0);
    for (name, recorded) in [("SKAB", skab(&folder)), ("C-MAPSS", cmapss(&folder))] {
        let (bytes, points) = sealed(&recorded);
        println!("{name}: {bytes} bytes, {points} points, {:.2} bytes a point", bytes as f64 / points as f64);
        total = (total.0 + bytes, total.1 + points);
    }
    let each = total.0 as f64 / total.1 as f64;
    println!("all: {each:.2} bytes a point");
    assert!(total.1 > 900_000 && each <= 3.0, "{total:?}");
}
