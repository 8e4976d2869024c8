//! What must hold for every model and measurement: `P` stays a covariance, NIS is not negative, what is missing predicts
//! only, all forms agree where the model is linear, smoothing never makes less sure.
#![expect(non_snake_case, reason = "F, H, Q, R, P are the names of the field")]

use geminus_models::extended::Extended;
use geminus_models::particle::{ParticleFilter, Resampling};
use geminus_models::random_draws::Draws;
use geminus_models::smoother::{Filtered, smooth};
use geminus_models::square_root::SquareRoot;
use geminus_models::unscented::{MerweScaled, Unscented};
use geminus_models::{Kalman, SMatrix, SVector, ThermalNetwork, ZeroOrderHold};
use proptest::prelude::*;

/// A random linear model of three states and two sensors, stable or not.
fn model() -> impl Strategy<Value = Kalman<3, 2, 1>> {
    let cells = |range: std::ops::Range<f64>, count| prop::collection::vec(range, count);
    (cells(-0.6..0.6, 9), cells(-1.0..1.0, 9), cells(-1.0..1.0, 6), cells(-1.0..1.0, 4), cells(0.01..2.0, 3))
        .prop_map(|(f, q, h, r, p)| {
            let (G, V) = (SMatrix::<f64, 3, 3>::from_row_slice(&q), SMatrix::<f64, 2, 2>::from_row_slice(&r));
            Kalman {
                x: SVector::from([1.0, -2.0, 3.0]),
                P: SMatrix::from_diagonal(&SVector::from_column_slice(&p)),
                F: SMatrix::from_row_slice(&f) + SMatrix::identity() * 0.5,
                B: SMatrix::<f64, 3, 1>::new(1.0, 0.0, -1.0),
                Q: G * G.transpose() + SMatrix::identity() * 1e-3,
                H: SMatrix::from_row_slice(&h),
                R: V * V.transpose() + SMatrix::identity() * 0.05,
            }
        })
}

/// Rows in which each sensor may be silent.
fn rows() -> impl Strategy<Value = Vec<[Option<f64>; 2]>> {
    let reading = || prop::option::weighted(0.7, -20.0..20.0_f64);
    prop::collection::vec((reading(), reading()).prop_map(|(a, b)| [a, b]), 1..25)
}

fn is_covariance<const N: usize>(P: &SMatrix<f64, N, N>) -> bool {
    *P == P.transpose() && P.cholesky().is_some()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_forms_agree_on_linear_models_and_keep_a_covariance(start in model(), rows in rows()) {
        let u = SVector::<f64, 1>::new(0.3);
        let mut kalman = start.clone();
        let mut root = SquareRoot::new(&start).expect("covariances");
        let mut extended = Extended { x: start.x, P: start.P, Q: start.Q, R: start.R };
        let points = MerweScaled { alpha: 0.5, beta: 2.0, kappa: 0.0 };
        let mut unscented = Unscented { x: start.x, P: start.P, Q: start.Q, R: start.R, points };
        let (F, B, H) = (start.F, start.B, start.H);
        for row in rows {
            let z = SVector::from(row);
            let told = kalman.step(&u, &z).expect("positive definite");
            root.predict(&u);
            let rooted = root.update(&z).expect("positive definite");
            extended.predict(|x| F * x + B * u, |_| F).expect("finite");
            let linearised = extended.update(&z, |x| H * x, |_| H).expect("positive definite");
            unscented.predict(|x| F * x + B * u).expect("positive definite");
            let drawn = unscented.update(&z, |x| H * x).expect("positive definite");
            prop_assert!(is_covariance(&kalman.P) && is_covariance(&extended.P) && is_covariance(&unscented.P));
            prop_assert_eq!((&extended.x, &extended.P, &linearised.map(|i| i.nis)), (&kalman.x, &kalman.P, &told.map(|i| i.nis)));
            let (scale, spread) = (1.0 + kalman.x.amax(), kalman.P.amax());
            for (x, P) in [(root.x, root.P()), (unscented.x, unscented.P)] {
                prop_assert!((x - kalman.x).amax() <= 1e-9 * scale, "x {} instead of {}", x, kalman.x);
                prop_assert!((P - kalman.P).amax() <= 1e-9 * spread, "P {} instead of {}", P, kalman.P);
            }
            for other in [rooted, drawn] {
                prop_assert_eq!(other.is_some(), told.is_some());
                if let (Some(other), Some(told)) = (other, told) {
                    prop_assert!(told.nis >= 0.0 && other.nis >= 0.0);
                    prop_assert!((other.nis - told.nis).abs() <= 1e-7 * (1.0 + told.nis));
                    prop_assert!((other.log_likelihood - told.log_likelihood).abs() <= 1e-7 * (1.0 + told.log_likelihood.abs()));
                    prop_assert_eq!(other.observed, row.iter().flatten().count());
                }
            }
        }
    }

    #[test]
    fn what_is_missing_predicts_only(start in model(), silence in prop::sample::select(vec![None, Some(f64::NAN), Some(f64::INFINITY)])) {
        let u = SVector::<f64, 1>::new(0.3);
        let z = SVector::from([silence; 2]);
        let (F, B, H) = (start.F, start.B, start.H);
        let (mut asked, mut predicted) = (start.clone(), start.clone());
        prop_assert_eq!(asked.step(&u, &z), Ok(None));
        predicted.predict(&u);
        prop_assert_eq!(&asked, &predicted);

        let mut root = SquareRoot::new(&start).expect("covariances");
        root.predict(&u);
        let before = root.clone();
        prop_assert_eq!(root.update(&z), Ok(None));
        prop_assert_eq!(root, before);

        let mut extended = Extended { x: start.x, P: start.P, Q: start.Q, R: start.R };
        extended.predict(|x| F * x + B * u, |_| F).expect("finite");
        let before = extended.clone();
        prop_assert_eq!(extended.update(&z, |x| H * x, |_| H), Ok(None));
        prop_assert_eq!(extended, before);

        let mut unscented = Unscented { x: start.x, P: start.P, Q: start.Q, R: start.R, points: MerweScaled::default() };
        unscented.predict(|x| F * x + B * u).expect("positive definite");
        let before = unscented.clone();
        prop_assert_eq!(unscented.update(&z, |x| H * x), Ok(None));
        prop_assert_eq!(unscented, before);
    }

    #[test]
    fn smoothing_never_makes_less_sure_and_inputs_shift_it_as_they_shift_the_state(start in model(), rows in rows()) {
        let follow = |with_input: bool| {
            let mut kalman = start.clone();
            let mut pushed = SVector::<f64, 3>::zeros();
            let mut run = Vec::new();
            let mut shifts = Vec::new();
            for (number, row) in rows.iter().enumerate() {
                let u = SVector::<f64, 1>::new(if number % 3 == 0 { 2.0 } else { -0.5 });
                pushed = kalman.F * pushed + kalman.B * u;
                let shown = kalman.H * pushed;
                kalman.predict(&if with_input { u } else { SVector::zeros() });
                let (x_prior, P_prior) = (kalman.x, kalman.P);
                // The sensors see what the input does, so both runs have the same innovations.
                let z = SVector::from([0, 1].map(|i| row[i].map(|z| if with_input { z + shown[i] } else { z })));
                kalman.update(&z).expect("positive definite");
                run.push(Filtered { F: kalman.F, x_prior, P_prior, x: kalman.x, P: kalman.P });
                shifts.push(pushed);
            }
            let filtered = run.clone();
            smooth(&mut run).expect("positive definite");
            (filtered, run, shifts)
        };
        let (filtered, still, _) = follow(false);
        let (_, moved, shifts) = follow(true);
        for (((before, after), moved), shift) in filtered.iter().zip(&still).zip(&moved).zip(&shifts) {
            prop_assert!((before.P - after.P).diagonal().min() >= -1e-9 * before.P.amax(), "less sure");
            prop_assert_eq!(after.P, after.P.transpose());
            let off = (moved.x - after.x - shift).amax();
            prop_assert!(off <= 1e-8 * (1.0 + moved.x.amax() + shift.amax()), "an input was forgotten: {}", off);
        }
    }

    #[test]
    fn an_interval_may_be_cut_anywhere(first_s in 0.01..500.0_f64, second_s in 0.01..500.0_f64) {
        let network = ThermalNetwork::<2, 1>::new().join(0, 1, 0.8).heat(0, 0, 10.0).time_constant(0, 60.0);
        let over = |dt_s| -> ZeroOrderHold<2, 1> { network.discretise(&(SMatrix::identity() * 0.01), dt_s) };
        let at = || Kalman::<2, 1, 1> {
            x: SVector::from([50.0, 20.0]), P: SMatrix::identity(), F: SMatrix::zeros(), B: SMatrix::zeros(),
            Q: SMatrix::zeros(), H: SMatrix::<f64, 1, 2>::new(1.0, 0.0), R: SMatrix::identity(),
        };
        let u = SVector::<f64, 1>::new(1.5);
        let (mut cut, mut whole) = (at(), at());
        cut.predict_over(&over(first_s), &u);
        cut.predict_over(&over(second_s), &u);
        whole.predict_over(&over(first_s + second_s), &u);
        prop_assert!((cut.x - whole.x).amax() <= 1e-9 * whole.x.amax());
        prop_assert!((cut.P - whole.P).amax() <= 1e-9 * whole.P.amax());
    }

    #[test]
    fn resampling_keeps_the_weights_to_within_one_particle(seed in any::<u64>(), sharp in 0.1..5.0_f64) {
        const COUNT: usize = 200;
        for how in [Resampling::Systematic, Resampling::Stratified] {
            let mut cloud = ParticleFilter::<1>::new(COUNT, &SVector::zeros(), &SMatrix::identity(), seed).expect("particles");
            cloud.update(|x| -sharp * x[0] * x[0]).expect("probable");
            let before: Vec<(f64, f64)> = cloud.cloud().map(|(x, weight)| (x[0], weight)).collect();
            prop_assert!((before.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!((1.0..=COUNT as f64 + 1e-9).contains(&cloud.effective_count()));
            cloud.resample(how);
            let children: Vec<f64> = cloud.cloud().map(|(x, _)| x[0]).collect();
            prop_assert_eq!(children.len(), COUNT);
            prop_assert!((cloud.effective_count() - COUNT as f64).abs() < 1e-6);
            // A comb has a child for each whole tooth in a weight; strata may shift one more at each end.
            let room = if how == Resampling::Systematic { 1.0 } else { 2.0 };
            for (x, weight) in before {
                let found = children.iter().filter(|child| **child == x).count() as f64;
                prop_assert!((found - weight * COUNT as f64).abs() < room + 1e-9, "{} children of weight {}", found, weight);
            }
        }
    }
}

#[test]
fn a_cloud_comes_back_from_its_snapshot_and_goes_on_with_the_same_bits() {
    let step = |cloud: &mut ParticleFilter<1>, z: f64| {
        cloud
            .predict(|x, draws: &mut Draws| x * 0.9 + SVector::<f64, 1>::new(draws.normal()))
            .expect("finite");
        cloud.update(|x| -0.5 * (z - x[0]) * (z - x[0])).expect("probable");
        cloud.resample_below(0.7, Resampling::Systematic);
        cloud.estimate().0[0].to_bits()
    };
    let made = |seed| {
        ParticleFilter::<1>::new(300, &SVector::zeros(), &SMatrix::identity(), seed).expect("particles")
    };
    let (mut stays, mut other) = (made(1), made(2));
    for row in 0..20 {
        step(&mut stays, f64::from(row % 5));
    }
    let (particles, weights): (Vec<_>, Vec<_>) = stays.cloud().map(|(x, weight)| (*x, weight)).unzip();
    other.restore(&particles, &weights, stays.draws()).expect("fits");
    for row in 0..20 {
        assert_eq!(step(&mut stays, f64::from(row % 3)), step(&mut other, f64::from(row % 3)), "row {row}");
    }
}
