//! States as released versions saved them: every later build restores them and gives the same, bit for bit.

use geminus_sdk::testing::golden::{Case, GoldenError, hold};
use geminus_sdk::{Quality, Reading};
use tank_mpc::{Measured, TankMpc};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// Rows ten seconds apart: a level that comes nearer to what is wanted, some rows without levels.
fn row(number: u16) -> (f64, Measured) {
    let wobble = f64::from(number * 37 % 17) / 17.0 - 0.5;
    let lower = 1.5 - 0.4 / (1.0 + 0.1 * f64::from(number)) + 0.004 * wobble;
    let level = |value| if number % 13 == 12 { Reading::missing() } else { Reading::good(value) };
    let measured = Measured {
        upper_level: level(1.6 + 0.01 * wobble),
        lower_level: level(lower),
        pump_speed: Reading::good(74.0 - 0.01 * f64::from(number)),
        wanted_level: if number < 40 { Reading::missing() } else { Reading::good(1.7) },
    };
    (10.0 * f64::from(number), measured)
}

/// The same with a level that goes stale and comes back above its limit.
fn doubted(number: u16) -> (f64, Measured) {
    let (time, measured) = row(number);
    let lower_level = match number {
        20..32 => Reading::without(Quality::Stale),
        44.. => Reading::good(2.5),
        _ => measured.lower_level,
    };
    (time, Measured { lower_level, ..measured })
}

#[test]
fn released_states_are_restored_and_go_on_bit_for_bit() -> Result<(), GoldenError> {
    hold::<TankMpc>(
        FOLDER,
        &[
            Case {
                name: "filling",
                parameters: "{}",
                before: (0..30).map(row).collect(),
                after: (30..90).map(row).collect(),
            },
            Case {
                name: "blind",
                parameters: r#"{"interval": 15.0, "step_max": 5.0}"#,
                before: (0..29).map(doubted).collect(),
                after: (29..70).map(doubted).collect(),
            },
        ],
    )
}
