//! The balances against scipy's solution and against differences.
#![expect(clippy::expect_used, reason = "a test may")]
#![expect(non_snake_case, reason = "F is the name of the field")]

use cstr::ReactorParameters;
use cstr::reactor::{Balance, Held, STEP_MIN, State};
use geminus_models::SVector;
use geminus_models::extended::jacobian;
use geminus_sdk::parameter;

const HELD: Held = Held { flow: 100.0, feed_k: 350.0, jacket_k: 300.0 };

/// A tank of radius 0.219 m and level 0.659 m whose wall passes 54.94 kJ/(min m² K).
fn textbook() -> ReactorParameters {
    let defaults = parameter::from_json::<ReactorParameters>(b"{}").expect("defaults");
    let (radius, level) = (0.219, 0.659);
    ReactorParameters {
        volume: core::f64::consts::PI * radius * radius * level * 1000.0,
        jacket_conductance: core::f64::consts::TAU * radius * level * 54.94 * 1000.0 / 60.0,
        ..defaults
    }
}

#[test]
fn ten_minutes_end_where_scipy_ends() {
    // solve_ivp with DOP853 and tolerance 1e-13 gives (0.87782538, 324.49670139).
    let parameters = textbook();
    let balance = Balance::new(&parameters, HELD);
    let mut x = State::new(0.828, 327.5, 1.0);
    for _ in 0..100 {
        x = balance.step(&x, STEP_MIN).0;
    }
    println!("after ten minutes: {} mol/L, {} K", x.x, x.y);
    assert!((x.x - 0.877_825_38).abs() < 1e-8 && (x.y - 324.496_701_39).abs() < 1e-7, "{x}");
    let defaults = parameter::from_json::<ReactorParameters>(b"{}").expect("defaults");
    assert!((defaults.volume / parameters.volume - 1.0).abs() < 1e-3);
    assert!((defaults.jacket_conductance / parameters.jacket_conductance - 1.0).abs() < 1e-3);
}

#[test]
fn small_errors_move_as_the_matrix_says() {
    let parameters = textbook();
    let balance = Balance::new(&parameters, HELD);
    for (c, t, feed) in [(0.9, 324.0, 1.0), (0.5, 350.0, 1.0), (0.1, 380.0, 0.9)] {
        let x = State::new(c, t, feed);
        let F = balance.step(&x, STEP_MIN).1;
        let by_differences = jacobian(|x| balance.step(x, STEP_MIN).0, &x, &SVector::repeat(1.0));
        // The matrix is the derivative of the flow to the order of the integration, not of its last bit.
        let off = (F - by_differences).amax() / F.amax();
        assert!(off < 1e-6, "at {c} mol/L, {t} K: {F} instead of {by_differences}");
    }
}

#[test]
fn the_settled_concentration_is_at_rest() {
    let parameters = textbook();
    let balance = Balance::new(&parameters, HELD);
    for t in [300.0, 324.5, 350.0, 400.0] {
        let c = balance.settled(t, 1.0);
        let rates = balance.rates(&State::new(c, t, 1.0));
        assert!((0.0..=1.0).contains(&c) && rates.x.abs() < 1e-9, "{c} mol/L at {t} K: {rates}");
    }
    let standing = Balance::new(&parameters, Held { flow: 0.0, ..HELD });
    assert_eq!(standing.settled(300.0, 0.7), 0.0, "without flow all reacts in the end");
}

#[test]
fn an_interval_is_cut_into_steps_that_add_up() {
    for (dt_min, expect) in [(0.01, 1), (0.1, 1), (0.11, 2), (10.0, 100)] {
        let (steps, step_min) = Balance::steps(dt_min);
        assert_eq!(steps, expect, "{dt_min} min");
        assert!((f64::from(steps) * step_min - dt_min).abs() < 1e-12 && step_min <= STEP_MIN + 1e-12);
    }
}
