//! Our filter and models against filterpy and scipy: golden vectors made by `tests/golden/make.py`.
#![expect(clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]
#![expect(non_snake_case, reason = "F, H, Q, R, P, S are the names of the field")]

#[path = "vectors/golden_file.rs"]
mod golden_file;

use geminus_models::{Kalman, Observability, SMatrix, SVector, ZeroOrderHold, riccati, stability};

use golden_file::{Golden, covariance_error, of_upper};

/// Where the ambient temperature stands in x, after winding, bearing and surface.
const AMBIENT: usize = 3;

/// Runs all steps of a case and holds x, P, NIS and log-likelihood against filterpy.
fn run<const M: usize, const U: usize>(name: &str, missing_steps: usize) {
    let golden = Golden::read(name);
    let mut kalman = Kalman::<4, M, U> {
        x: SVector::zeros(),
        P: SMatrix::identity() * 100.0,
        F: golden.matrix("F"),
        B: golden.matrix("B"),
        Q: golden.matrix("Q"),
        H: golden.matrix("H"),
        R: golden.matrix("R"),
    };
    let (mut steps, mut silent, mut worst_x, mut worst_P) = (0, 0, 0.0_f64, 0.0_f64);
    let (mut worst_element, mut worst_sigma) = (0.0_f64, 0.0_f64);
    for step in golden.all("step") {
        let (u, rest) = step.split_at(U);
        let (z, rest) = rest.split_at(M);
        let (x, rest) = rest.split_at(4);
        let (upper, surprise) = rest.split_at(10);
        let P = of_upper::<4>(upper);
        kalman.predict(&SVector::from_column_slice(u));
        let z = SVector::<Option<f64>, M>::from_fn(|i, _| (!z[i].is_nan()).then_some(z[i]));
        let innovation = kalman.update(&z).expect("positive definite");

        let x = SVector::<f64, 4>::from_column_slice(x);
        worst_x = worst_x.max((kalman.x - x).amax() / x.amax());
        for (i, (found, expect)) in kalman.x.iter().zip(&x).enumerate() {
            let error = (found - expect).abs();
            worst_sigma = worst_sigma.max(error / P[(i, i)].sqrt());
            // Ambient stays at its few kelvin while the unstable model lets the others grow to 2e10: its last bits are
            // lost in sums with them, so it is held by its deviation only.
            if i < AMBIENT {
                worst_element = worst_element.max(error / expect.abs());
            }
        }
        worst_P = worst_P.max(covariance_error(&kalman.P, &P));
        assert_eq!(kalman.P, kalman.P.transpose(), "step {steps}: P must stay symmetric");
        match innovation {
            None => {
                silent += 1;
                assert!(surprise[0].is_nan(), "step {steps}");
            }
            Some(innovation) => {
                // The innovation is a difference of numbers as large as x, which the unstable model lets grow.
                let slack = 1e-9 + 1e-14 * x.amax();
                let close = |a: f64, b: f64| (a - b).abs() <= slack * (1.0 + b.abs());
                assert!(close(innovation.nis, surprise[0]), "step {steps}: NIS {innovation:?} {surprise:?}");
                assert!(close(innovation.log_likelihood, surprise[1]), "step {steps}: {innovation:?}");
                assert_eq!(innovation.observed, z.iter().filter(|z| z.is_some()).count());
            }
        }
        steps += 1;
    }
    println!(
        "{name}: {steps} steps, worst error of x {worst_x:.2e} of its norm, {worst_element:.2e} of an element, \
         {worst_sigma:.2e} sigma, of P {worst_P:.2e}"
    );
    assert_eq!((steps, silent), (600, missing_steps));
    assert!(worst_x <= 1e-12, "x: {worst_x:e}");
    assert!(worst_element <= 1e-12, "an element of x: {worst_element:e}");
    assert!(worst_sigma <= 1e-4, "x in deviations: {worst_sigma:e}");
    assert!(worst_P <= 1e-12, "P: {worst_P:e}");
}

#[test]
fn textbook_motor_equals_filterpy_over_600_steps_though_its_model_is_unstable() {
    run::<1, 1>("kalman-textbook.txt", 35);
}

#[test]
fn network_motor_equals_filterpy_over_600_steps_with_sensors_missing_in_turn() {
    run::<2, 2>("kalman-network.txt", 51);
}

fn steady<const M: usize>(name: &str) -> SMatrix<f64, 4, 4> {
    let golden = Golden::read(name);
    let F = golden.matrix::<4, 4>("F");
    let H = golden.matrix::<M, 4>("H");
    let P = riccati::steady_state(&F, &H, &golden.matrix("Q"), &golden.matrix("R")).expect("settles");
    let error = covariance_error(&P, &golden.matrix("P"));
    assert!(error <= 1e-11, "{name}: P differs by {error:e}");

    let radius = golden.one("spectral_radius")[0];
    assert!((stability::spectral_radius(&F) - radius).abs() < 1e-12, "{name}: spectral radius");
    let condition = Observability::new(&F, &H).condition / golden.one("observability_condition")[0];
    assert!((condition - 1.0).abs() < 0.01, "{name}: condition of the observability matrix {condition}");

    // The filter itself ends there, though the textbook one takes its time: its slowest mode is 0.99971 a step.
    let mut kalman = Kalman::<4, M, 1> {
        x: SVector::zeros(),
        P: SMatrix::identity() * 100.0,
        F,
        B: SMatrix::zeros(),
        Q: golden.matrix("Q"),
        H,
        R: golden.matrix("R"),
    };
    for _ in 0..60_000 {
        kalman.update(&SVector::repeat(Some(0.0))).expect("positive definite");
        kalman.predict(&SVector::zeros());
    }
    let error = covariance_error(&kalman.P, &golden.matrix("P"));
    assert!(error <= 1e-9, "{name}: the filter settles {error:e} away");
    P
}

#[test]
fn steady_state_of_the_textbook_motor_is_the_riccati_solution() {
    let P = steady::<1>("steady-textbook.txt");
    for (found, expect) in P.diagonal().iter().zip([0.26576, 5.25314, 10.28905, 36.54488]) {
        assert!((found - expect).abs() < 5e-6, "{found} instead of {expect}");
    }
    let golden = Golden::read("steady-textbook.txt");
    let radius = stability::spectral_radius(&golden.matrix::<4, 4>("F"));
    assert!((radius - 1.0328).abs() < 5e-5 && !stability::is_stable(&golden.matrix::<4, 4>("F")));
}

#[test]
fn steady_state_of_the_network_motor_is_the_riccati_solution() {
    steady::<2>("steady-network.txt");
    let golden = Golden::read("steady-network.txt");
    assert!(stability::is_stable(&golden.matrix::<4, 4>("F")));
}

#[test]
fn zero_order_hold_equals_expm_and_van_loan() {
    let golden = Golden::read("thermal-network.txt");
    let (A, B, Qc) = (golden.matrix::<4, 4>("A"), golden.matrix::<4, 2>("B"), golden.matrix("Qc"));
    let mut intervals = 0;
    for interval in golden.all("interval") {
        let (dt, rest) = interval.split_at(1);
        let (F, rest) = rest.split_at(16);
        let (G, Q) = rest.split_at(8);
        let found = ZeroOrderHold::new(&A, &B, &Qc, dt[0]);
        let far = |found: &[f64], expect: &[f64]| {
            let scale = expect.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            found.iter().zip(expect).fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs())) / scale
        };
        for (what, found, expect) in [
            ("F", found.F.transpose().as_slice(), F),
            ("G", found.G.transpose().as_slice(), G),
            ("Q", found.Q.transpose().as_slice(), Q),
        ] {
            let error = far(found, expect);
            assert!(error <= 1e-12, "{what} over {} s differs by {error:e}", dt[0]);
        }
        intervals += 1;
    }
    assert_eq!(intervals, 6);
}
