//! The behavior on recorded data of a real machine: the water rig of the Skoltech Anomaly Benchmark. In each of 16
//! runs a valve at the pump's outlet is closed and opened again; one long run is free of faults.
#![expect(clippy::expect_used, reason = "a test may")]

use std::path::{Path, PathBuf};

use geminus_sdk::Reading;
use geminus_sdk::testing::Host;
use pump_health::{Measured, PumpHealth};

/// `GEMINUS_DATA`, or `../shared/data` beside the repository. The data is not part of the repository: on CI it must
/// be there, elsewhere a test says that it did not run.
fn recorded_data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let place = std::env::var_os("GEMINUS_DATA").map_or(beside, PathBuf::from).join("skab");
    let there = place.is_dir();
    let on_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(there || !on_ci, "recorded data is missing at {}: set GEMINUS_DATA", place.display());
    if !there {
        eprintln!("NOT RUN: recorded data is missing at {}; set GEMINUS_DATA", place.display());
    }
    there.then_some(place)
}

/// One row of a run: seconds since midnight of the first day, inputs, whether the valve is being closed.
struct Recorded {
    time_s: f64,
    measured: Measured,
    anomaly: bool,
}

/// Rows of a file; times must rise.
fn rows(file: &Path) -> Vec<Recorded> {
    let text = std::fs::read_to_string(file).expect("readable");
    let mut rows: Vec<Recorded> = Vec::new();
    let (mut day_s, mut before_s) = (0.0, f64::NEG_INFINITY);
    for line in text.lines().skip(1) {
        let words: Vec<&str> = line.split(';').collect();
        let number = |column: usize| words.get(column).and_then(|w| w.parse::<f64>().ok());
        let reading = |column: usize| Reading::good(number(column).expect("a number"));
        let clock = words.first().and_then(|time| time.split(' ').nth(1)).expect("a time");
        let clock_s =
            clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().expect("a time"));
        if clock_s < before_s - 43_200.0 {
            day_s += 86_400.0;
        }
        before_s = clock_s;
        let measured = Measured {
            accelerometer_1: reading(1),
            accelerometer_2: reading(2),
            current: reading(3),
            pressure: reading(4),
            temperature: reading(5),
            flow: reading(8),
        };
        let time_s = day_s + clock_s;
        assert!(rows.last().is_none_or(|row| time_s > row.time_s), "{}: {line}", file.display());
        rows.push(Recorded { time_s, measured, anomaly: number(9) == Some(1.0) });
    }
    rows
}

/// Rows of a run that a detector may learn from; all its verdicts on later rows count. The benchmark's own convention.
const LEARNING: usize = 400;

/// Scores of the rows after the first [`LEARNING`], and whether the valve was being closed.
fn judged(file: &Path) -> Vec<(f64, bool)> {
    let mut pump = Host::<PumpHealth>::open("{}").expect("defaults work");
    let rows = rows(file).into_iter().enumerate().filter_map(|(number, row)| {
        let stepped = pump.step(row.time_s, row.measured).expect("a step");
        let score = stepped.value("anomaly_score");
        assert!(number < LEARNING || score.is_some(), "{}: no verdict on row {number}", file.display());
        score.filter(|_| number >= LEARNING).map(|score| (score, row.anomaly))
    });
    rows.collect()
}

fn median(scores: impl Iterator<Item = f64>) -> f64 {
    let mut scores: Vec<f64> = scores.collect();
    scores.sort_by(f64::total_cmp);
    scores.get(scores.len() / 2).copied().expect("some scores")
}

#[test]
fn the_score_rises_when_the_valve_closes() {
    let Some(skab) = recorded_data() else { return };
    let (mut rises, mut hits, mut false_alarms, mut misses, mut quiet) = (0, 0.0, 0.0, 0.0, 0.0);
    for run in 0..16 {
        let judged = judged(&skab.join(format!("valve1/{run}.csv")));
        let scores =
            |closing: bool| judged.iter().filter(move |(_, anomaly)| *anomaly == closing).map(|(s, _)| *s);
        let (open, closed) = (median(scores(false)), median(scores(true)));
        rises += i32::from(closed > open);
        println!("valve1/{run}: median score {open:.2} with the valve open, {closed:.2} closed");
        for (score, anomaly) in judged {
            let count = match (score > 1.5, anomaly) {
                (true, true) => &mut hits,
                (true, false) => &mut false_alarms,
                (false, true) => &mut misses,
                (false, false) => &mut quiet,
            };
            *count += 1.0;
        }
    }
    let f1 = 2.0 * hits / (2.0 * hits + false_alarms + misses);
    let (far, mar) = (false_alarms / (false_alarms + quiet), misses / (misses + hits));
    println!(
        "rises in {rises} of 16 runs; warning as detector: F1 {f1:.3}, FAR {:.1} %, MAR {:.1} %",
        100.0 * far,
        100.0 * mar
    );
    // The computation is deterministic: these are the README's figures, rounded as they stand there.
    assert_eq!(rises, 16, "the score rises in {rises} of 16 runs");
    assert!((f1 - 0.766_f64).abs() <= 5e-4, "F1 {f1}");
    assert!((far - 0.012_f64).abs() <= 5e-4, "false alarm rate {far}");
    assert!((mar - 0.373_f64).abs() <= 5e-4, "missed {mar}");
}

#[test]
fn a_long_healthy_run_stays_healthy() {
    let Some(skab) = recorded_data() else { return };
    let judged = judged(&skab.join("anomaly-free/anomaly-free.csv"));
    let share =
        |limit: f64| judged.iter().filter(|(score, _)| *score > limit).count() as f64 / judged.len() as f64;
    let (warning, critical) = (share(1.5), share(2.193));
    let typical = median(judged.iter().map(|(score, _)| *score));
    println!(
        "{} verdicts, median score {typical:.2}, warning {:.2} %, critical {:.2} %",
        judged.len(),
        100.0 * warning,
        100.0 * critical
    );
    // The README's figures, rounded as they stand there.
    assert_eq!(judged.len(), 9_005);
    assert!((typical - 0.72).abs() <= 5e-3, "median score {typical}");
    assert!((warning - 0.0067).abs() <= 5e-5, "warning {warning}");
    assert!((critical - 0.0014).abs() <= 5e-5, "critical {critical}");
}
