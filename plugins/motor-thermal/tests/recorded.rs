//! The behavior on recorded data of a real machine: the water rig of the Skoltech Anomaly Benchmark.
#![expect(clippy::expect_used, reason = "a test may")]

use std::path::{Path, PathBuf};

use geminus_sdk::Reading;
use geminus_sdk::testing::Host;
use motor_thermal::{Measured, MotorThermal};

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

/// Only the noise of the rig's sensors differs from the defaults: they are steadier than half a kelvin.
const PARAMETERS: &str = r#"{"surface_noise": 0.15, "ambient_noise": 0.06}"#;

/// Seconds since midnight of the first day, current, engine temperature, thermocouple; times must rise.
fn rows(file: &Path) -> Vec<[f64; 4]> {
    let text = std::fs::read_to_string(file).expect("readable");
    let mut rows: Vec<[f64; 4]> = Vec::new();
    let (mut day_s, mut before_s) = (0.0, f64::NEG_INFINITY);
    for line in text.lines().skip(1) {
        let words: Vec<&str> = line.split(';').collect();
        let number = |column: usize| words.get(column).and_then(|w| w.parse::<f64>().ok()).expect("a number");
        let clock = words.first().and_then(|time| time.split(' ').nth(1)).expect("a time");
        let clock_s =
            clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().expect("a time"));
        if clock_s < before_s - 43_200.0 {
            day_s += 86_400.0;
        }
        before_s = clock_s;
        let time_s = day_s + clock_s;
        assert!(rows.last().is_none_or(|[last, ..]| time_s > *last), "{}: {line}", file.display());
        rows.push([time_s, number(3), number(5), number(6)]);
    }
    rows
}

#[test]
fn every_run_of_the_water_rig_gives_estimates_that_fit_its_sensors() {
    let Some(skab) = recorded_data() else { return };
    let mut files: Vec<PathBuf> = (0..16).map(|run| skab.join(format!("valve1/{run}.csv"))).collect();
    files.push(skab.join("anomaly-free/anomaly-free.csv"));
    for file in files {
        let mut motor = Host::<MotorThermal>::open(PARAMETERS).expect("parameters that work");
        let (mut count, mut nis, mut squares, mut above, mut raised) = (0.0, 0.0, 0.0, 0.0, 0);
        let rows = rows(&file);
        let expected = rows.len() - 1;
        for [time_s, current, surface, ambient] in rows {
            let measured = Measured {
                surface_temperature: Reading::good(surface),
                ambient_temperature: Reading::good(ambient),
                current: Reading::good(current),
            };
            let stepped = motor.step(time_s, measured).expect("a step");
            raised += stepped.alerts.len();
            if let (Some(surprise), Some(innovation)) = (stepped.value("nis"), stepped.value("innovation")) {
                count += 1.0;
                nis += surprise;
                squares += innovation * innovation;
                above += stepped.value("winding_temperature").expect("an estimate") - surface;
            }
        }
        let (nis, rms, above) = (nis / count, (squares / count).sqrt(), above / count);
        let name = file.strip_prefix(&skab).expect("inside").display().to_string();
        println!(
            "{name}: {count} rows, NIS {nis:.2}, innovation {rms:.2} K, winding {above:.1} K above the surface, {raised} alerts"
        );
        // The computation is deterministic: these are the figures of the README, rounded as they stand there.
        assert_eq!(count as usize, expected, "{name}: an innovation in every row but the first");
        let (usual_rms, usual_nis, usual_above) = match name.starts_with("valve1") {
            true => (0.105..0.125, 0.275..0.355, 1.0..4.0),
            false => (0.195..0.205, 0.885..0.895, 12.5..13.0),
        };
        assert!(usual_rms.contains(&rms), "{name}: innovation {rms} K");
        assert!(usual_nis.contains(&nis), "{name}: mean NIS {nis}");
        assert!(usual_above.contains(&above), "{name}: winding {above} K above the surface");
        assert_eq!(raised, 0, "{name}: alerts");
    }
}
