//! What no filter can work with: each case names the field to mend, changes nothing, and never traps or passes a NaN on.
#![expect(clippy::indexing_slicing, reason = "a test may")]
#![expect(non_snake_case, reason = "F, H, Q, R, P are the names of the field")]

use geminus_models::EstimationError::{
    self, Improbable, NotFinite, NotPositiveDefinite, NotSymmetric, OutOfRange, Unsettled, WrongLength,
};
use geminus_models::extended::Extended;
use geminus_models::kalman::nees;
use geminus_models::particle::{PARTICLES_MAX, ParticleFilter};
use geminus_models::process_noise::{continuous_white_noise, discrete_white_noise};
use geminus_models::random_draws::Draws;
use geminus_models::recursive_least_squares::{Drift, RecursiveLeastSquares};
use geminus_models::smoother::{Filtered, smooth};
use geminus_models::square_root::SquareRoot;
use geminus_models::steady_state::SteadyState;
use geminus_models::thermal_calibration::{Held, ThermalCalibration, Uncertainty};
use geminus_models::unscented::{MerweScaled, Unscented};
use geminus_models::{Kalman, SMatrix, SVector};

type Linear = Kalman<2, 1, 1>;
const NAN: f64 = f64::NAN;

fn linear() -> Linear {
    Kalman {
        x: SVector::zeros(),
        P: SMatrix::identity(),
        F: SMatrix::identity(),
        B: SMatrix::zeros(),
        Q: SMatrix::identity(),
        H: SMatrix::<f64, 1, 2>::new(1.0, 0.0),
        R: SMatrix::identity(),
    }
}

fn z() -> SVector<Option<f64>, 1> {
    SVector::<_, 1>::new(Some(1.0))
}

/// A way to spoil a linear filter, and what it says.
type Spoilt = (&'static str, fn(&mut Linear), EstimationError);

fn spoilt() -> Vec<Spoilt> {
    vec![
        ("x is NaN", |k| k.x[1] = NAN, NotFinite { field: "x" }),
        ("P is NaN", |k| k.P[(0, 1)] = NAN, NotFinite { field: "P" }),
        ("P is infinite", |k| k.P[(1, 1)] = f64::INFINITY, NotFinite { field: "P" }),
        ("a variance is negative", |k| k.P[(1, 1)] = -1.0, NotPositiveDefinite { field: "P" }),
        ("R is negative", |k| k.R[(0, 0)] = -3.0, NotPositiveDefinite { field: "R" }),
        ("R is NaN", |k| k.R[(0, 0)] = NAN, NotFinite { field: "R" }),
        ("H is NaN", |k| k.H[(0, 0)] = NAN, NotFinite { field: "y" }),
    ]
}

#[test]
fn an_update_names_the_field_and_changes_nothing() {
    for (name, spoil, expect) in spoilt() {
        let mut kalman = linear();
        spoil(&mut kalman);
        let before = format!("{kalman:?}");
        let said = kalman.update(&z()).expect_err(name);
        // A spoilt H makes the prediction of the measurement NaN before it makes S so.
        let fits = said == expect || (name == "H is NaN" && said == NotFinite { field: "H" });
        assert!(fits, "{name}: {said}");
        assert_eq!(format!("{kalman:?}"), before, "{name}");
        let words = said.to_string();
        assert!(words.starts_with(char::is_alphabetic) && !words.ends_with('.'), "{words}");
    }
}

#[test]
fn a_check_at_load_names_the_field() {
    let check = |name: &str, spoil: fn(&mut Linear), expect: EstimationError| {
        let mut kalman = linear();
        kalman.check().expect("nothing is wrong yet");
        spoil(&mut kalman);
        assert_eq!(kalman.check(), Err(expect), "{name}");
        assert_eq!(SquareRoot::new(&kalman).map(|_| ()), Err(expect), "{name}: square root");
        assert_eq!(SteadyState::new(&kalman).map(|_| ()), Err(expect), "{name}: steady state");
    };
    check(
        "P indefinite",
        |k| k.P = SMatrix::<f64, 2, 2>::new(1.0, 2.0, 2.0, 1.0),
        NotPositiveDefinite { field: "P" },
    );
    check("P not symmetric", |k| k.P[(0, 1)] = 0.5, NotSymmetric { field: "P" });
    check("Q negative", |k| k.Q[(0, 0)] = -1.0, NotPositiveDefinite { field: "Q" });
    check("R singular", |k| k.R[(0, 0)] = 0.0, NotPositiveDefinite { field: "R" });
    check("F not finite", |k| k.F[(0, 0)] = NAN, NotFinite { field: "F" });
    check("B not finite", |k| k.B[(0, 0)] = f64::INFINITY, NotFinite { field: "B" });
    check("H not finite", |k| k.H[(0, 1)] = NAN, NotFinite { field: "H" });
    let mut known = linear();
    known.P[(1, 1)] = 0.0;
    assert_eq!(known.check(), Ok(()), "a state that is known exactly is no fault");
}

#[test]
fn a_filter_without_a_steady_state_says_so() {
    let mut unseen = linear();
    unseen.F[(1, 1)] = 1.1;
    assert_eq!(SteadyState::new(&unseen).map(|_| ()), Err(Unsettled));
}

#[test]
fn nan_from_a_model_is_refused_and_changes_nothing() {
    let (x, P, Q, R) = (SVector::zeros(), SMatrix::identity(), SMatrix::identity(), SMatrix::identity());
    let mut extended = Extended::<2, 1> { x, P, Q, R };
    let start = extended.clone();
    let nan = |_: &SVector<f64, 2>| SVector::<f64, 2>::repeat(NAN);
    let H = SMatrix::<f64, 1, 2>::new(1.0, 0.0);
    assert_eq!(extended.predict(nan, |_| SMatrix::identity()), Err(NotFinite { field: "f(x)" }));
    assert_eq!(extended.predict(|x| *x, |_| SMatrix::repeat(NAN)), Err(NotFinite { field: "F" }));
    let h_nan = |_: &SVector<f64, 2>| SVector::<f64, 1>::new(NAN);
    assert_eq!(extended.update(&z(), h_nan, |_| H), Err(NotFinite { field: "h(x)" }));
    assert_eq!(extended.update(&z(), |x| H * x, |_| H * NAN), Err(NotFinite { field: "H" }));
    assert_eq!(extended, start);

    let points = MerweScaled::default();
    let mut unscented = Unscented::<2, 1> { x, P, Q, R, points };
    let start = unscented.clone();
    assert_eq!(unscented.predict(nan), Err(NotFinite { field: "f(x)" }));
    assert_eq!(unscented.update(&z(), h_nan), Err(NotFinite { field: "h(x)" }));
    assert_eq!(unscented, start);
    for (points, field) in [
        (MerweScaled { alpha: 0.0, ..points }, "alpha"),
        (MerweScaled { alpha: NAN, ..points }, "alpha"),
        (MerweScaled { kappa: -2.0, ..points }, "kappa"),
        (MerweScaled { beta: f64::INFINITY, ..points }, "beta"),
    ] {
        unscented.points = points;
        let said =
            [unscented.check(), unscented.predict(|x| *x), unscented.update(&z(), |x| H * x).map(|_| ())];
        for said in said {
            assert!(matches!(said, Err(OutOfRange { field: found, .. }) if found == field), "{said:?}");
        }
    }
    unscented.points = points;
    unscented.P = SMatrix::<f64, 2, 2>::new(1.0, 1.0, 1.0, 1.0);
    assert_eq!(unscented.check(), Err(NotPositiveDefinite { field: "P" }), "singular");
    unscented.P = SMatrix::<f64, 2, 2>::new(1.0, 2.0, 2.0, 1.0);
    assert_eq!(unscented.predict(|x| *x), Err(NotPositiveDefinite { field: "P" }), "indefinite");
    assert_eq!(unscented.update(&z(), |x| H * x), Err(NotPositiveDefinite { field: "P" }), "indefinite");
}

#[test]
fn particles_refuse_what_they_cannot_be() {
    let (mean, P) = (SVector::<f64, 1>::zeros(), SMatrix::<f64, 1, 1>::identity());
    let made = |count, mean, P| ParticleFilter::new(count, &mean, &P, 1).map(|_| ());
    assert!(matches!(made(0, mean, P), Err(OutOfRange { field: "count", .. })));
    assert!(matches!(made(PARTICLES_MAX + 1, mean, P), Err(OutOfRange { field: "count", .. })));
    assert_eq!(made(PARTICLES_MAX, mean, P), Ok(()));
    assert_eq!(made(9, mean * NAN, P), Err(NotFinite { field: "mean" }));
    assert_eq!(made(9, mean, -P), Err(NotPositiveDefinite { field: "P" }));

    let mut cloud = ParticleFilter::new(9, &mean, &P, 1).expect("particles");
    let start: Vec<_> = cloud.cloud().map(|(x, weight)| (*x, weight)).collect();
    assert_eq!(cloud.update(|_| NAN), Err(NotFinite { field: "log_likelihood" }));
    assert_eq!(cloud.update(|_| f64::INFINITY), Err(NotFinite { field: "log_likelihood" }));
    assert_eq!(cloud.update(|_| f64::NEG_INFINITY), Err(Improbable));
    assert_eq!(cloud.predict(|x, _| x * NAN), Err(NotFinite { field: "model(x)" }));
    let short = cloud.restore(&[mean; 8], &[0.125; 8], Draws::new(1));
    assert_eq!(short, Err(WrongLength { field: "particles", expect: 9, found: 8 }));
    let short = cloud.restore(&[mean; 9], &[0.125; 8], Draws::new(1));
    assert_eq!(short, Err(WrongLength { field: "weights", expect: 9, found: 8 }));
    let heavy = cloud.restore(&[mean; 9], &[0.2; 9], Draws::new(1));
    assert!(matches!(heavy, Err(OutOfRange { field: "weights", .. })), "{heavy:?}");
    let now: Vec<_> = cloud.cloud().map(|(x, weight)| (*x, weight)).collect();
    assert_eq!(now, start, "a refusal changes nothing");
    // A measurement 1e6 deviations away is improbable, but the best particle still explains it best.
    let log = cloud.update(|x| -0.5 * (1e6 - x[0]) * (1e6 - x[0])).expect("probable");
    assert!(log.is_finite() && (cloud.cloud().map(|(_, w)| w).sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn calibration_refuses_what_cannot_be() {
    let uncertainty = Uncertainty {
        sensor_k: 0.2,
        temperature_k: 0.01,
        parameters: [0.3, 0.3],
        ageing_per_hour: [0.0, 0.0],
    };
    let field = |resistance, capacity, uncertainty| match ThermalCalibration::new(
        20.0,
        resistance,
        capacity,
        uncertainty,
    ) {
        Err(OutOfRange { field, .. } | NotFinite { field }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(0.0, 600.0, uncertainty), "resistance");
    assert_eq!(field(0.8, NAN, uncertainty), "capacity");
    assert_eq!(field(0.8, 600.0, Uncertainty { sensor_k: 0.0, ..uncertainty }), "sensor_k");
    assert_eq!(field(0.8, 600.0, Uncertainty { parameters: [0.3, -0.3], ..uncertainty }), "parameters");
    assert_eq!(
        field(0.8, 600.0, Uncertainty { ageing_per_hour: [NAN, 0.0], ..uncertainty }),
        "ageing_per_hour"
    );
    let mut model = ThermalCalibration::new(20.0, 0.8, 600.0, uncertainty).expect("a model");
    let before = model.clone();
    let held = Held { heat_w: 10.0, surroundings: 20.0 };
    assert!(matches!(model.predict(-1.0, held), Err(OutOfRange { field: "dt_s", .. })));
    assert!(matches!(model.predict(1.0, Held { heat_w: NAN, ..held }), Err(NotFinite { .. })));
    assert_eq!(model, before);

    let mut squares = RecursiveLeastSquares::<1> {
        theta: SVector::zeros(),
        P: SMatrix::identity(),
        R: 1.0,
        forgetting: 1.0,
        variance_max: SVector::repeat(10.0),
    };
    squares.check().expect("an estimator");
    assert_eq!(squares.update(Some(1.0), &SVector::repeat(NAN)), Err(NotFinite { field: "phi" }));
    for (spoil, field) in [
        ((|s| s.forgetting = 0.0) as fn(&mut RecursiveLeastSquares<1>), "forgetting"),
        (|s| s.forgetting = 1.01, "forgetting"),
        (|s| s.R = 0.0, "R"),
        (|s| s.variance_max[0] = NAN, "variance_max"),
    ] {
        let mut spoilt = squares.clone();
        spoil(&mut spoilt);
        let said = spoilt.check();
        assert!(matches!(said, Err(OutOfRange { field: found, .. }) if found == field), "{field}: {said:?}");
    }
    let none = SMatrix::<f64, 1, 1>::zeros();
    let drift = Drift::new(&SVector::zeros(), &none, &SVector::zeros(), &none);
    assert_eq!(drift.map(|_| ()), Err(NotPositiveDefinite { field: "P + P_reference" }));
}

#[test]
fn the_rest_refuses_too() {
    assert!(matches!(discrete_white_noise::<5>(1.0, 1.0), Err(OutOfRange { field: "N", .. })));
    assert!(matches!(discrete_white_noise::<2>(0.0, 1.0), Err(OutOfRange { field: "dt_s", .. })));
    assert!(matches!(discrete_white_noise::<2>(1.0, -1.0), Err(OutOfRange { field: "variance", .. })));
    assert!(matches!(continuous_white_noise::<2>(1.0, NAN), Err(OutOfRange { field: "density", .. })));

    let x = SVector::<f64, 1>::zeros();
    let zero = SMatrix::<f64, 1, 1>::zeros();
    assert_eq!(nees(&x, &x, &zero), Err(NotPositiveDefinite { field: "P" }));
    assert_eq!(nees(&(x * NAN), &x, &SMatrix::identity()), Err(NotFinite { field: "truth" }));

    let row = Filtered { F: SMatrix::identity(), x_prior: x, P_prior: zero, x, P: zero };
    let mut run = [row, row];
    assert_eq!(smooth(&mut run), Err(NotPositiveDefinite { field: "P_prior" }));
    assert_eq!(smooth::<1>(&mut []), Ok(()));
}
