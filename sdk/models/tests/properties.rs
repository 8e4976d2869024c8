//! What must hold for every network, interval and measurement: stability by construction, the algebra of
//! intervals, missing measurements without influence.
#![expect(clippy::indexing_slicing, reason = "a test may")]
#![expect(non_snake_case, reason = "F, H, Q, R, P are the names of the field")]

use geminus_models::{Kalman, SMatrix, SVector, ThermalNetwork, stability};
use proptest::prelude::*;

/// Surface, winding, bearing, ambient with random conductances (W/K) and time constants (s).
fn network(g: [f64; 4], tau_s: [f64; 3]) -> ThermalNetwork<4, 2> {
    let joined = ThermalNetwork::new().join(0, 1, g[0]).join(1, 2, g[1]).join(0, 2, g[2]).join(0, 3, g[3]);
    (0..3).fold(joined.heat(1, 0, 10.0).heat(2, 1, 5.0), |n, i| n.time_constant(i, tau_s[i]))
}

/// Evenly over orders of magnitude.
fn decades(from: f64, to: f64) -> impl Strategy<Value = f64> {
    (from.log10()..to.log10()).prop_map(|e| 10_f64.powf(e))
}

fn conductances() -> impl Strategy<Value = [f64; 4]> {
    [decades(1e-3, 1e3), decades(1e-3, 1e3), decades(1e-3, 1e3), decades(1e-3, 1e3)]
}

fn time_constants() -> impl Strategy<Value = [f64; 3]> {
    [decades(1.0, 1e4), decades(1.0, 1e4), decades(1.0, 1e4)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_network_is_stable_and_stochastic_over_every_interval(
        g in conductances(), tau_s in time_constants(), dt_s in decades(1e-3, 1e5),
    ) {
        let model = network(g, tau_s).discretise(&(SMatrix::identity() * 0.01), dt_s);
        let radius = stability::spectral_radius(&model.F);
        prop_assert!(radius <= 1.0 + 1e-12, "spectral radius {radius}");
        prop_assert!(model.F.iter().all(|f| *f >= 0.0), "F has a negative element: {}", model.F);
        for row in model.F.row_iter() {
            prop_assert!((row.sum() - 1.0).abs() < 1e-14, "row sums to {}", row.sum());
        }
        prop_assert!(model.Q.cholesky().is_some(), "Q is not positive definite: {}", model.Q);
    }

    #[test]
    fn two_intervals_are_one_of_their_sum(
        g in conductances(), tau_s in time_constants(), first in decades(1e-3, 1e4), second in decades(1e-3, 1e4),
    ) {
        let network = network(g, tau_s);
        let of = |dt_s| network.discretise(&(SMatrix::identity() * 0.01), dt_s);
        let (a, b, both) = (of(first), of(second), of(first + second));
        let F = b.F * a.F;
        let G = b.F * a.G + b.G;
        let Q = b.F * a.Q * b.F.transpose() + b.Q;
        prop_assert!((F - both.F).amax() <= 1e-10, "F differs by {:e}", (F - both.F).amax());
        prop_assert!((G - both.G).amax() <= 1e-10 * both.G.amax(), "G differs by {:e}", (G - both.G).amax());
        prop_assert!((Q - both.Q).amax() <= 1e-10 * both.Q.amax(), "Q differs by {:e}", (Q - both.Q).amax());
    }

    #[test]
    fn a_missing_measurement_counts_as_a_filter_without_that_row(
        g in conductances(), z in -50.0..150.0_f64, covariance in -0.2..0.2_f64, which in 0..2_usize,
    ) {
        let model = network(g, [120.0, 60.0, 180.0]).discretise(&(SMatrix::identity() * 0.01), 1.0);
        let H = SMatrix::<f64, 2, 4>::new(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0);
        let R = SMatrix::<f64, 2, 2>::new(0.25, covariance, covariance, 0.25);
        let (x, P) = (SVector::repeat(20.0), SMatrix::identity() * 100.0);
        let mut full = Kalman { x, P, F: model.F, B: model.G, Q: model.Q, H, R };
        let mut part = Kalman::<4, 1, 2> {
            x, P, F: model.F, B: model.G, Q: model.Q,
            H: SMatrix::from_rows(&[H.row(which)]), R: SMatrix::<f64, 1, 1>::new(R[(which, which)]),
        };
        let u = SVector::<f64, 2>::new(1.0, 1.0);
        full.predict(&u);
        part.predict(&u);
        let seen = SVector::<Option<f64>, 2>::from_fn(|i, _| (i == which).then_some(z));
        let a = full.update(&seen).expect("positive definite").expect("measured");
        let b = part.update(&SVector::<Option<f64>, 1>::new(Some(z))).expect("positive definite").expect("measured");
        prop_assert!((full.x - part.x).amax() <= 1e-12 * part.x.amax());
        prop_assert!((full.P - part.P).amax() <= 1e-12 * part.P.amax());
        prop_assert!((a.nis - b.nis).abs() <= 1e-9 * (1.0 + b.nis));
        prop_assert!((a.log_likelihood - b.log_likelihood).abs() <= 1e-9 * (1.0 + b.log_likelihood.abs()));
        prop_assert!(a.y[1 - which].is_nan(), "an innovation was invented: {:?}", a.y);
    }
}

#[test]
fn a_missing_measurement_is_not_zero() {
    let model = network([0.8, 0.1, 0.3, 1.0], [120.0, 60.0, 180.0]).discretise(&SMatrix::identity(), 1.0);
    let mut kalman = Kalman::<4, 1, 2> {
        x: SVector::repeat(80.0),
        P: SMatrix::identity(),
        F: model.F,
        B: model.G,
        Q: model.Q,
        H: SMatrix::<f64, 1, 4>::new(1.0, 0.0, 0.0, 0.0),
        R: SMatrix::<f64, 1, 1>::new(0.25),
    };
    for silence in [None, Some(f64::NAN), Some(f64::INFINITY)] {
        let before = kalman.clone();
        let silence = SVector::<Option<f64>, 1>::new(silence);
        assert_eq!(kalman.update(&silence), Ok(None));
        assert_eq!(kalman, before, "nothing was measured, so nothing is learnt");
    }
    kalman.update(&SVector::<Option<f64>, 1>::new(Some(0.0))).expect("positive definite").expect("measured");
    assert!(kalman.x[0] < 60.0, "a zero that was measured does count");
}

#[test]
fn a_covariance_that_is_none_is_an_error_and_changes_nothing() {
    let mut kalman = Kalman::<1, 1, 1> {
        x: SVector::<f64, 1>::new(1.0),
        P: SMatrix::<f64, 1, 1>::new(-2.0),
        F: SMatrix::identity(),
        B: SMatrix::zeros(),
        Q: SMatrix::zeros(),
        H: SMatrix::identity(),
        R: SMatrix::identity(),
    };
    let before = kalman.clone();
    assert!(kalman.update(&SVector::<Option<f64>, 1>::new(Some(0.0))).is_err());
    assert_eq!(kalman, before);
}

#[test]
fn heat_ends_where_the_steady_state_of_the_network_is() {
    // 10 W through 2 W/K in series with 5 W/K: 5 K and 2 K.
    let network = ThermalNetwork::<3, 1>::new().join(0, 1, 5.0).join(1, 2, 2.0).heat(0, 0, 10.0);
    let network = network.time_constant(0, 30.0).time_constant(1, 300.0);
    let model = network.discretise(&SMatrix::zeros(), 1e5);
    let end = model.F * SVector::<f64, 3>::repeat(20.0) + model.G * SVector::<f64, 1>::new(1.0);
    assert!((end - SVector::<f64, 3>::new(27.0, 25.0, 20.0)).amax() < 1e-9, "{end}");
}

#[test]
fn losses_that_grow_faster_than_heat_leaves_make_a_network_unstable() {
    let with = |gain| {
        let network = ThermalNetwork::<2, 1>::new().join(0, 1, 1.0).time_constant(0, 60.0);
        network.feed_back(0, 1, gain).discretise(&SMatrix::zeros(), 60.0).F
    };
    assert!(stability::is_stable(&with(0.9)));
    assert!(!stability::is_stable(&with(1.1)));
}
