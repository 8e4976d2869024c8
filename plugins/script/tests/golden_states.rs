//! States as released versions saved them: every later build restores them and gives the same, bit for bit.

use geminus_sdk::testing::golden::{Case, GoldenError, hold};
use geminus_sdk::{Quality, Reading};
use script::{Measured, Script};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// A bearing that warms up; one of its sensors is now and then silent.
fn row(second: u16) -> (f64, Measured) {
    let wobble = f64::from(u32::from(second) * 7919 % 101) / 50.0 - 1.0;
    let measured = Measured {
        celsius_1: Reading::good(40.0 + f64::from(second) + wobble),
        celsius_2: if second % 7 == 3 {
            Reading::without(Quality::Stale)
        } else {
            Reading::good(21.0 + wobble)
        },
        number_1: Reading::good(0.9 + 0.05 * wobble),
        number_4: Reading::uncertain(0.5 + 0.1 * wobble),
        ..Measured::default()
    };
    (f64::from(second), measured)
}

#[test]
fn released_states_are_restored_and_go_on_bit_for_bit() -> Result<(), GoldenError> {
    hold::<Script>(
        FOLDER,
        &[
            Case {
                name: "counting",
                parameters: r#"{"script": "state.rows = (state.rows ?? 0) + 1; state.hot = celsius_1 > 60; let over = celsius_1 - (celsius_2 ?? 25.0); state.smooth = (state.smooth ?? over) * 0.9 + over * 0.1; x = state.smooth; y = state.rows; z = exp(0 - over / 50); health = clamp(1 - over / 80, 0, 1); if state.hot { alert(over, `${text(over, 2)} K over`); }"}"#,
                before: (0..30).map(row).collect(),
                after: (30..60).map(row).collect(),
            },
            Case {
                name: "default",
                parameters: "{}",
                before: (0..3).map(row).collect(),
                after: (3..13).map(row).collect(),
            },
        ],
    )
}
