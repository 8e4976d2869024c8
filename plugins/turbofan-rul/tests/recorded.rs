//! The behavior on NASA's simulated turbofans (C-MAPSS FD001): 100 test engines that stop before their failure, whose true
//! remaining cycles are known. Labels are capped at 125 cycles, as in training.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use geminus_sdk::Reading;
use geminus_sdk::testing::Host;
use turbofan_rul::{Snapshot, TurbofanRul};

/// What training capped the remaining cycles at.
const CAP: f64 = 125.0;

/// `GEMINUS_DATA`, or `../shared/data` beside the repository. The data is not part of the repository: on CI it must
/// be there, elsewhere a test says that it did not run.
fn recorded_data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let place = std::env::var_os("GEMINUS_DATA").map_or(beside, PathBuf::from).join("cmapss");
    let there = place.is_dir();
    let on_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(there || !on_ci, "recorded data is missing at {}: set GEMINUS_DATA", place.display());
    if !there {
        eprintln!("NOT RUN: recorded data is missing at {}; set GEMINUS_DATA", place.display());
    }
    there.then_some(place)
}

/// Rows of each engine: unit, cycle, three settings, 21 sensors.
fn engines(file: &Path) -> BTreeMap<u32, Vec<Vec<f64>>> {
    let text = std::fs::read_to_string(file).expect("readable");
    let mut engines = BTreeMap::<u32, Vec<Vec<f64>>>::new();
    for line in text.lines() {
        let row: Vec<f64> = line.split_whitespace().map(|word| word.parse().expect("a number")).collect();
        assert_eq!(row.len(), 26, "{line}");
        engines.entry(row[0] as u32).or_default().push(row);
    }
    engines
}

fn snapshot(row: &[f64]) -> Snapshot {
    // Sensors are numbered from 1 in the data's description; the first stands in column 5.
    let sensor = |number: usize| Reading::good(row[4 + number]);
    Snapshot {
        cycle: Reading::good(row[1]),
        lpc_outlet_temperature: sensor(2),
        hpc_outlet_temperature: sensor(3),
        lpt_outlet_temperature: sensor(4),
        hpc_outlet_pressure: sensor(7),
        fan_speed: sensor(8),
        core_speed: sensor(9),
        hpc_outlet_static_pressure: sensor(11),
        fuel_ratio: sensor(12),
        corrected_fan_speed: sensor(13),
        corrected_core_speed: sensor(14),
        bypass_ratio: sensor(15),
        bleed_enthalpy: sensor(17),
        hpt_coolant_bleed: sensor(20),
        lpt_coolant_bleed: sensor(21),
    }
}

#[test]
fn the_last_cycle_of_each_test_engine_says_how_many_remain() {
    let Some(data) = recorded_data() else { return };
    let truth = std::fs::read_to_string(data.join("RUL_FD001.txt")).expect("readable");
    let truth: Vec<f64> = truth.lines().map(|line| line.trim().parse().expect("a number")).collect();
    let engines = engines(&data.join("test_FD001.txt"));
    assert_eq!((engines.len(), truth.len()), (100, 100));
    let (mut squares, mut score, mut held) = (0.0, 0.0, 0);
    for (rows, truth) in engines.values().zip(&truth) {
        let mut engine = Host::<TurbofanRul>::open("{}").expect("defaults work");
        let mut last = None;
        for row in rows {
            last = Some(engine.step(3600.0 * row[1], snapshot(row)).expect("a step"));
        }
        let last = last.expect("cycles");
        let said = |output: &str| last.value(output).expect("an answer");
        let (remaining, label) = (said("remaining_life"), truth.min(CAP));
        let error = remaining - label;
        squares += error * error;
        score += if error < 0.0 { (-error / 13.0).exp() - 1.0 } else { (error / 10.0).exp() - 1.0 };
        held += i32::from(said("remaining_life_low") <= label && label <= said("remaining_life_high"));
    }
    let rmse = (squares / 100.0_f64).sqrt();
    println!(
        "FD001, capped at 125: RMSE {rmse:.2}, NASA score {score:.0}, interval of 90 % held in {held} of 100"
    );
    // The computation is deterministic: these are the README's figures, rounded as they stand there.
    assert!((rmse - 12.32).abs() <= 5e-3, "RMSE {rmse}");
    assert!((score - 209.0).abs() <= 0.5, "score {score}");
    assert_eq!(held, 87, "the interval of 90 %");
}
