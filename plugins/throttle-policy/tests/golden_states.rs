//! States as released versions saved them: every later build restores them and gives the same, bit for bit.

use geminus_sdk::testing::golden::{Case, GoldenError, hold};
use geminus_sdk::{Quality, Reading};
use throttle_policy::{Measured, ThrottlePolicy};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// A winding that heats to `top` °C and is cool again from `cool` on; rows two seconds apart, some without a
/// deviation, some without a temperature.
fn row(second: u16, top: f64, cool: u16) -> (f64, Measured) {
    let wobble = f64::from(second * 37 % 17) / 17.0 - 0.5;
    let rise = (110.0 + 0.8 * f64::from(second)).min(top);
    let temperature = if second < cool { rise } else { (top - 2.0 * f64::from(second - cool)).max(100.0) };
    let winding_temperature = match second % 29 {
        28 => Reading::missing(),
        _ => Reading::good(temperature + 0.2 * wobble),
    };
    let winding_deviation =
        if second % 11 == 10 { Reading::missing() } else { Reading::good(1.0 + wobble / 4.0) };
    let measured = Measured { winding_temperature, winding_deviation, present_limit: Reading::missing() };
    (2.0 * f64::from(second), measured)
}

/// The same, with an estimate that becomes uncertain and a machine that tells its limit.
fn doubted(second: u16) -> (f64, Measured) {
    let (time, measured) = row(second, 150.0, u16::MAX);
    let winding_temperature = match second {
        80..130 => Reading::uncertain(150.0),
        130..140 => Reading::without(Quality::Stale),
        _ => measured.winding_temperature,
    };
    (time, Measured { winding_temperature, present_limit: Reading::good(90.0), ..measured })
}

#[test]
fn released_states_are_restored_and_go_on_bit_for_bit() -> Result<(), GoldenError> {
    hold::<ThrottlePolicy>(
        FOLDER,
        &[
            Case {
                name: "heating",
                parameters: "{}",
                before: (0..40).map(|second| row(second, 152.0, u16::MAX)).collect(),
                after: (40..100).map(|second| row(second, 152.0, u16::MAX)).collect(),
            },
            Case {
                name: "giving-back",
                parameters: r#"{"ramp": 20.0, "step": 0.5}"#,
                before: (0..150).map(|second| row(second, 156.0, 100)).collect(),
                after: (150..220).map(|second| row(second, 156.0, 100)).collect(),
            },
            Case {
                name: "blind",
                parameters: r#"{"blind_after": 20.0}"#,
                before: (0..100).map(doubted).collect(),
                after: (100..160).map(doubted).collect(),
            },
        ],
    )
}
