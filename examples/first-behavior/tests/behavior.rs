//! What the smoother promises, shown with the testing host; and that it stays the first behavior one reads.

use first_behavior::{Measured, Smoother};
use geminus_core::declaration::{Arrival, Declaration, Kind};
use geminus_sdk::testing::golden::{Case, GoldenError, hold};
use geminus_sdk::{Reading, testing::Host};

fn measured(surface: f64) -> Measured {
    Measured { surface: Reading::good(surface) }
}

#[test]
fn a_step_comes_through_to_63_percent_in_one_time_constant() {
    let mut host = Host::<Smoother>::open(r#"{"time_constant": 10.0}"#).expect("opens");
    assert_eq!(host.step(0.0, measured(0.0)).expect("steps").value("smooth"), Some(0.0));
    let smooth = host.step(10.0, measured(1.0)).expect("steps").value("smooth").expect("a value");
    assert!((smooth - (1.0 - (-1.0_f64).exp())).abs() < 1e-12, "{smooth}");
}

#[test]
fn a_row_without_a_measurement_keeps_the_level() {
    let mut host = Host::<Smoother>::open("{}").expect("opens");
    assert_eq!(
        host.step(0.0, Measured { surface: Reading::missing() }).expect("steps").value("smooth"),
        None
    );
    host.step(1.0, measured(20.0)).expect("steps");
    let row = host.step(2.0, Measured { surface: Reading::missing() }).expect("steps");
    assert_eq!(row.value("smooth"), Some(20.0));
}

#[test]
fn a_swap_changes_nothing() {
    let (mut swapped, mut steady) =
        (Host::<Smoother>::open("{}").expect("opens"), Host::<Smoother>::open("{}").expect("opens"));
    for second in 0..20_u8 {
        let (time, value) = (f64::from(second), f64::from(second % 7));
        swapped.swap().expect("swaps");
        let pair = (swapped.step(time, measured(value)), steady.step(time, measured(value)));
        assert_eq!(pair.0.expect("steps"), pair.1.expect("steps"), "second {second}");
    }
}

#[test]
fn released_states_are_restored_and_go_on_bit_for_bit() -> Result<(), GoldenError> {
    let row = |second: u8| {
        let surface =
            if second % 5 == 4 { Reading::missing() } else { Reading::good(20.0 + f64::from(second % 7)) };
        (f64::from(second), Measured { surface })
    };
    let (before, after) = ((0..20).map(row).collect(), (20..30).map(row).collect());
    let case: Case<Smoother> =
        Case { name: "running", parameters: r#"{"time_constant": 10.0}"#, before, after };
    hold(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"), &[case])
}

#[test]
fn the_host_reads_its_declaration() {
    let declaration = Declaration::parse(Smoother::DECLARATION.as_bytes()).expect("parses");
    assert_eq!((declaration.label().as_str(), declaration.kind), ("first-behavior@0.1.0", Kind::Estimator));
    assert_eq!(declaration.inputs[0].arrival, Arrival::Event);
    assert_eq!(declaration.parameters["properties"]["time_constant"]["default"], 60.0);
}

/// Counted: everything but blank lines, comments and lines of closing brackets.
#[test]
fn it_takes_under_20_lines() {
    let own = |line: &&str| {
        !line.is_empty() && !line.starts_with("//") && line.chars().any(|c| !"{}()[];,".contains(c))
    };
    let lines = include_str!("../src/lib.rs").lines().map(str::trim).filter(own).count();
    assert!(lines < 20, "{lines} lines");
}
