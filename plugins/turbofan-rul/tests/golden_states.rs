//! States as released versions saved them: every later build restores them and gives the same, bit for bit.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]

use geminus_sdk::Reading;
use geminus_sdk::testing::golden::{Case, GoldenError, hold};
use turbofan_rul::{Snapshot, TurbofanRul};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// Cycle `number` of the reference engine, one an hour; every ninth lacks a sensor, every seventh row has no new cycle.
fn row(number: u16) -> (f64, Snapshot) {
    let line = include_str!("reference/onnxruntime.txt").lines().nth(usize::from(number)).expect("a line");
    let values: Vec<f64> = line.split(' ').map(|word| word.parse().expect("a number")).collect();
    let at = |place: usize| Reading::good(values[place]);
    let snapshot = Snapshot {
        cycle: if number % 7 == 6 { Reading::missing() } else { Reading::good(f64::from(number)) },
        lpc_outlet_temperature: at(0),
        hpc_outlet_temperature: at(1),
        lpt_outlet_temperature: at(2),
        hpc_outlet_pressure: at(3),
        fan_speed: if number % 9 == 8 { Reading::missing() } else { at(4) },
        core_speed: at(5),
        hpc_outlet_static_pressure: at(6),
        fuel_ratio: at(7),
        corrected_fan_speed: at(8),
        corrected_core_speed: at(9),
        bypass_ratio: at(10),
        bleed_enthalpy: at(11),
        hpt_coolant_bleed: at(12),
        lpt_coolant_bleed: at(13),
    };
    (3600.0 * f64::from(number), snapshot)
}

#[test]
fn released_states_are_restored_and_go_on_bit_for_bit() -> Result<(), GoldenError> {
    let case = |name, upto: u16, end: u16| Case::<TurbofanRul> {
        name,
        parameters: r#"{"short_cycles": 100.0, "ending_cycles": 40.0}"#,
        before: (0..upto).map(row).collect(),
        after: (upto..end).map(row).collect(),
    };
    hold(FOLDER, &[case("young", 5, 25), case("worn", 140, 190)])
}
