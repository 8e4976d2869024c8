//! States as released versions saved them: every later build restores them and gives the same, bit for bit.

use geminus_sdk::testing::golden::{Case, GoldenError, hold};
use geminus_sdk::{Quality, Reading};
use pump_health::{Measured, PumpHealth};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// A healthy pump whose sensors wobble, one of them now and then silent; from `failing` on its flow drops.
fn row(second: u16, failing: u16) -> (f64, Measured) {
    let wobble = f64::from(u32::from(second) * 7919 % 101) / 50.0 - 1.0;
    let flow = 32.0 - 0.4 * f64::from(second.saturating_sub(failing));
    let pressure = match second % 19 {
        18 => Reading::without(Quality::Bad),
        9 => Reading::missing(),
        _ => Reading::good(0.2 - 0.1 * wobble),
    };
    let measured = Measured {
        accelerometer_1: Reading::good(0.03 + 0.0005 * wobble),
        accelerometer_2: Reading::uncertain(0.04 - 0.0005 * wobble),
        current: Reading::good(1.3 + 0.05 * wobble),
        pressure,
        temperature: Reading::good(79.0 + 0.2 * wobble),
        flow: Reading::good(flow + 0.3 * wobble),
    };
    (f64::from(second), measured)
}

/// The same, standing still for a while.
fn stopped(second: u16) -> (f64, Measured) {
    let (time, measured) = row(second, u16::MAX);
    let current = if (150..160).contains(&second) { Reading::good(0.0) } else { measured.current };
    (time, Measured { current, ..measured })
}

#[test]
fn released_states_are_restored_and_go_on_bit_for_bit() -> Result<(), GoldenError> {
    let healthy = |second| row(second, u16::MAX);
    hold::<PumpHealth>(
        FOLDER,
        &[
            Case {
                name: "learning",
                parameters: r#"{"warm_up_rows": 100}"#,
                before: (0..60).map(healthy).collect(),
                after: (60..130).map(healthy).collect(),
            },
            Case {
                name: "failing",
                parameters: r#"{"warm_up_rows": 100}"#,
                before: (0..205).map(|second| row(second, 200)).collect(),
                after: (205..245).map(|second| row(second, 200)).collect(),
            },
            Case {
                name: "standing-still",
                parameters: r#"{"warm_up_rows": 100}"#,
                before: (0..155).map(stopped).collect(),
                after: (155..185).map(stopped).collect(),
            },
        ],
    )
}
