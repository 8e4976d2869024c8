//! States as released versions saved them: every later build restores them and gives the same, bit for bit.

use geminus_sdk::testing::golden::{Case, GoldenError, hold};
use geminus_sdk::{Quality, Reading};
use heat_treatment::{HeatTreatment, Measured};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// A batch an hour; settings that go around, some readings lost. Figures have few digits, so that they are the same everywhere.
fn row(number: u16) -> (f64, Measured) {
    let part = |step: u16, of: u16| f64::from(number * step % of) / f64::from(of);
    let (temperature, soak, quench) =
        (400.0 + 200.0 * part(7, 16), 40.0 + 160.0 * part(5, 13), 8.0 + 40.0 * part(3, 11));
    let wobble = part(37, 17) - 0.5;
    let hardness = 52.0 - 0.06 * (temperature - 400.0) - 0.01 * soak + 0.08 * quench + wobble;
    let measured = Measured {
        temperature: Reading::good(temperature),
        soak_time: if number % 19 == 18 { Reading::missing() } else { Reading::good(soak) },
        quench_rate: Reading::good(quench),
        hardness: match number % 13 {
            5 => Reading::missing(),
            9 => Reading::without(Quality::Bad),
            _ => Reading::good(hardness),
        },
    };
    (3600.0 * f64::from(number), measured)
}

#[test]
fn released_states_are_restored_and_go_on_bit_for_bit() -> Result<(), GoldenError> {
    let case = |name, parameters, upto: u16| Case::<HeatTreatment> {
        name,
        parameters,
        before: (0..upto).map(row).collect(),
        after: (upto..upto + 30).map(row).collect(),
    };
    hold(
        FOLDER,
        &[
            case("first", "{}", 4),
            case("cheapest", "{}", 40),
            case("hardest", r#"{"explore": true, "reach": 0.5, "batches_kept": 12}"#, 40),
        ],
    )
}
