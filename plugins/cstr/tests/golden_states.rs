//! States as released versions saved them: every later build restores them and gives the same, bit for bit.

use cstr::{Cstr, Measured};
use geminus_sdk::testing::golden::{Case, GoldenError, hold};
use geminus_sdk::{Quality, Reading};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// A reactor whose jacket steps, with a sensor that is now and then silent and a laboratory every fortieth row.
fn row(number: u16) -> (f64, Measured) {
    let wobble = f64::from(number * 37 % 17) / 17.0 - 0.5;
    let cold = (number / 30).is_multiple_of(2);
    let temperature = 51.4 + 0.3 * wobble - if cold { 0.0 } else { 0.6 };
    let measured = Measured {
        temperature: match number % 23 {
            22 => Reading::without(Quality::Stale),
            11 => Reading::uncertain(temperature),
            _ => Reading::good(temperature),
        },
        concentration: if number % 40 == 39 { Reading::good(0.87) } else { Reading::missing() },
        feed_temperature: Reading::good(76.85),
        feed_flow: Reading::good(100.0),
        jacket_temperature: Reading::good(if cold { 26.85 } else { 24.85 }),
    };
    (20.0 * f64::from(number), measured)
}

#[test]
fn released_states_are_restored_and_go_on_bit_for_bit() -> Result<(), GoldenError> {
    let without_flow = |number| {
        let (time, measured) = row(number);
        (time, Measured { feed_flow: Reading::missing(), ..measured })
    };
    let torn = |number: u16| {
        let (time, measured) = row(number);
        let jump = if number > 60 && number.is_multiple_of(2) { 25.0 } else { 0.0 };
        let temperature =
            measured.temperature.value().map_or(Reading::missing(), |t| Reading::good(t + jump));
        (time, Measured { temperature, ..measured })
    };
    hold::<Cstr>(
        FOLDER,
        &[
            Case {
                name: "following",
                parameters: "{}",
                before: (0..100).map(row).collect(),
                after: (100..145).map(row).collect(),
            },
            Case {
                name: "inconsistent",
                parameters: r#"{"temperature_noise": 0.2}"#,
                before: (0..80).map(torn).collect(),
                after: (80..100).map(torn).collect(),
            },
            Case {
                name: "flow-lost",
                parameters: "{}",
                before: (0..40).map(row).chain((40..45).map(without_flow)).collect(),
                after: (45..50).map(without_flow).chain((50..65).map(row)).collect(),
            },
        ],
    )
}
