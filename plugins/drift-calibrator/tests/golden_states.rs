//! States as released versions saved them: every later build restores them and gives the same, bit for bit.

use drift_calibrator::{DriftCalibrator, Measured};
use geminus_sdk::testing::golden::{Case, GoldenError, hold};
use geminus_sdk::{Quality, Reading};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// A machine that is heated in steps, with a sensor that is now and then silent. The exponential is a sum that is the
/// same everywhere: one step of Euler for each second.
fn rows(resistance: f64, from: u32, to: u32) -> Vec<(f64, Measured)> {
    let (mut temperature, mut rows) = (22.0, Vec::new());
    for second in 0..to {
        let power = if (second / 300).is_multiple_of(2) { 60.0 } else { 15.0 };
        temperature += (power - (temperature - 22.0) / resistance) / 500.0;
        let wobble = f64::from(second * 37 % 17) / 17.0 - 0.5;
        let told = match second % 23 {
            22 => Reading::without(Quality::Stale),
            11 => Reading::uncertain(temperature + wobble),
            _ => Reading::good(temperature + wobble),
        };
        let measured = Measured {
            temperature: told,
            ambient_temperature: Reading::good(22.0),
            power: Reading::good(power),
        };
        if second >= from {
            rows.push((f64::from(second), measured));
        }
    }
    rows
}

#[test]
fn released_states_are_restored_and_go_on_bit_for_bit() -> Result<(), GoldenError> {
    let without_power =
        |(time, measured): (f64, Measured)| (time, Measured { power: Reading::missing(), ..measured });
    let without_temperature =
        |(time, measured): (f64, Measured)| (time, Measured { temperature: Reading::missing(), ..measured });
    hold::<DriftCalibrator>(
        FOLDER,
        &[
            Case {
                name: "learning",
                parameters: "{}",
                before: rows(0.9, 0, 600),
                after: rows(0.9, 600, 640),
            },
            Case {
                name: "drifted",
                parameters: r#"{"learn_reference": false, "deviation_max": 0.05, "drift_limit": 0.05}"#,
                before: rows(1.3, 0, 2000),
                after: rows(1.3, 2000, 2040),
            },
            Case {
                name: "power-lost",
                parameters: r#"{"commissioning_time": 300.0, "deviation_max": 0.1}"#,
                before: rows(1.0, 0, 900)
                    .into_iter()
                    .chain(rows(1.0, 900, 930).into_iter().map(without_power))
                    .collect(),
                after: rows(1.0, 930, 950)
                    .into_iter()
                    .map(without_power)
                    .chain(rows(1.0, 950, 970))
                    .collect(),
            },
            Case {
                name: "not-yet-begun",
                parameters: r#"{"sensor_noise": 0.2}"#,
                before: rows(1.0, 0, 5).into_iter().map(without_temperature).collect(),
                after: rows(1.0, 5, 25),
            },
        ],
    )
}
