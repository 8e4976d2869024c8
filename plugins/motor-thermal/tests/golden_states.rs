//! States as released versions saved them: every later build restores them and gives the same, bit for bit.

use geminus_sdk::testing::golden::{Case, GoldenError, hold};
use geminus_sdk::{Quality, Reading};
use motor_thermal::{Measured, MotorThermal};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// A motor that warms up under changing load: ambient every fifth row, and a sensor that is now and then silent.
fn row(second: u16) -> (f64, Measured) {
    let load = if (second / 40).is_multiple_of(2) { 2.2 } else { 0.7 };
    let wobble = f64::from(second * 37 % 17) / 17.0 - 0.5;
    let surface = 24.0 + 0.21 * f64::from(second) + 0.3 * wobble;
    let surface_temperature = match second % 23 {
        22 => Reading::without(Quality::Stale),
        11 => Reading::uncertain(surface),
        _ => Reading::good(surface),
    };
    let ambient =
        if second.is_multiple_of(5) { Reading::good(21.5 + 0.1 * wobble) } else { Reading::missing() };
    let current = if second % 31 == 30 { Reading::missing() } else { Reading::good(load + 0.05 * wobble) };
    // Intervals of one second, then one of 90 s: the model is made anew for it.
    let time = f64::from(second) + if second > 150 { 89.0 } else { 0.0 };
    (time, Measured { surface_temperature, ambient_temperature: ambient, current })
}

/// A sensor that says what no motor can be, until `inconsistent` stands.
fn torn(second: u16) -> (f64, Measured) {
    let (time, measured) = row(second);
    let jump = if second > 60 && second.is_multiple_of(2) { 25.0 } else { 0.0 };
    let surface_temperature =
        measured.surface_temperature.value().map_or(Reading::missing(), |t| Reading::good(t + jump));
    (time, Measured { surface_temperature, ..measured })
}

#[test]
fn released_states_are_restored_and_go_on_bit_for_bit() -> Result<(), GoldenError> {
    let cold = |second: u16| {
        let (time, measured) = row(second);
        (time, Measured { surface_temperature: Reading::missing(), ..measured })
    };
    hold::<MotorThermal>(
        FOLDER,
        &[
            Case {
                name: "warming-up",
                parameters: "{}",
                before: (0..130).map(row).collect(),
                after: (130..170).map(row).collect(),
            },
            Case {
                name: "inconsistent",
                parameters: r#"{"surface_noise": 0.15, "winding_limit": 40.0}"#,
                before: (0..80).map(torn).collect(),
                after: (80..100).map(torn).collect(),
            },
            Case {
                name: "not-yet-begun",
                parameters: r#"{"ambient_measured": false}"#,
                before: (0..5).map(cold).collect(),
                after: (5..15).map(row).collect(),
            },
        ],
    )
}
