//! Extended, unscented and square-root filters, smoother, least squares and process noise against filterpy, numpy
//! and exact fractions: golden vectors made by `tests/golden/make_filters.py`.
#![expect(clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]
#![expect(non_snake_case, reason = "F, H, Q, R, P, S are the names of the field")]

#[path = "vectors/golden_file.rs"]
mod golden_file;
#[path = "vectors/radar.rs"]
mod radar;

use geminus_models::extended::{Extended, jacobian};
use geminus_models::process_noise::{continuous_white_noise, discrete_white_noise};
use geminus_models::recursive_least_squares::RecursiveLeastSquares;
use geminus_models::smoother::{Filtered, smooth};
use geminus_models::square_root::SquareRoot;
use geminus_models::steady_state::SteadyState;
use geminus_models::thermal_calibration::{Held, ThermalCalibration, Uncertainty};
use geminus_models::unscented::{MerweScaled, Unscented};
use geminus_models::{Innovation, Kalman, SMatrix, SVector};

use golden_file::{Golden, covariance_error, of_upper};
use radar::Radar;

/// The largest difference that a filter may have from filterpy in any step.
const PER_STEP: f64 = 1e-10;

/// Worst errors of a run: x in parts of its norm, P in its deviations, NIS and log-likelihood.
#[derive(Debug, Default)]
struct Worst {
    x: f64,
    P: f64,
    surprise: f64,
    steps: usize,
    silent: usize,
}

impl Worst {
    /// `rest` of a line: x, P (upper triangle), NIS, log-likelihood.
    fn hold<const N: usize, const M: usize>(
        &mut self,
        x: &SVector<f64, N>,
        P: &SMatrix<f64, N, N>,
        innovation: Option<&Innovation<M>>,
        rest: &[f64],
    ) {
        let (expect, rest) = rest.split_at(N);
        let (upper, told) = rest.split_at(N * (N + 1) / 2);
        let expect = SVector::<f64, N>::from_column_slice(expect);
        self.x = self.x.max((x - expect).amax() / expect.amax());
        self.P = self.P.max(covariance_error(P, &of_upper(upper)));
        assert_eq!(*P, P.transpose(), "step {}: P must stay symmetric", self.steps);
        match innovation {
            None => {
                self.silent += 1;
                assert!(told.iter().all(|told| told.is_nan()), "step {}", self.steps);
            }
            Some(innovation) => {
                let off = |found: f64, expect: f64| (found - expect).abs() / (1.0 + expect.abs());
                let surprise = off(innovation.nis, told[0]).max(off(innovation.log_likelihood, told[1]));
                assert!(innovation.nis >= 0.0 && surprise.is_finite(), "step {}: {innovation:?}", self.steps);
                self.surprise = self.surprise.max(surprise);
            }
        }
        self.steps += 1;
    }

    fn judge(&self, name: &str, steps: usize, silent: usize) {
        println!("{name}: {self:?}");
        assert_eq!((self.steps, self.silent), (steps, silent), "{name}");
        assert!(self.x <= PER_STEP && self.P <= PER_STEP, "{name}: {self:?}");
        // The innovation is a small difference of large numbers, so it has fewer digits.
        assert!(self.surprise <= 1e-9, "{name}: {self:?}");
    }
}

fn radar_of(golden: &Golden) -> Radar {
    Radar { dt_s: golden.one("dt")[0], drag: golden.one("drag")[0] }
}

fn z_of(step: &[f64]) -> SVector<Option<f64>, 2> {
    SVector::from_fn(|i, _| Some(step[i]).filter(|z| !z.is_nan()))
}

#[test]
fn extended_filter_equals_filterpy_with_a_radar_whose_numbers_are_missing_in_turn() {
    let golden = Golden::read("extended-radar.txt");
    let radar = radar_of(&golden);
    let mut filter = Extended::<4, 2> {
        x: golden.matrix("x"),
        P: golden.matrix("P"),
        Q: golden.matrix("Q"),
        R: golden.matrix("R"),
    };
    filter.check().expect("a filter");
    let mut numeric = filter.clone();
    let scale = SVector::from([1000.0, 10.0, 1000.0, 10.0]);
    let (mut worst, mut apart) = (Worst::default(), 0.0_f64);
    for step in golden.all("step") {
        let z = z_of(step);
        filter.predict(|x| radar.f(x), |x| radar.F(x)).expect("finite");
        let innovation = filter.update(&z, Radar::h, Radar::H).expect("positive definite");
        worst.hold(&filter.x, &filter.P, innovation.as_ref(), &step[2..]);

        numeric.predict(|x| radar.f(x), |x| jacobian(|x| radar.f(x), x, &scale)).expect("finite");
        numeric.update(&z, Radar::h, |x| jacobian(Radar::h, x, &scale)).expect("positive definite");
        apart = apart.max(covariance_error(&numeric.P, &filter.P));
    }
    worst.judge("extended", 150, 8);
    println!("numeric Jacobians: P differs by {apart:.2e} of its deviations");
    assert!(apart <= 1e-8, "numeric Jacobians: P differs by {apart:e}");
}

fn unscented(name: &str, silent: usize) {
    let golden = Golden::read(name);
    let radar = radar_of(&golden);
    let [alpha, beta, kappa] = golden.one("points") else { panic!("three numbers") };
    let mut filter = Unscented::<4, 2> {
        x: golden.matrix("x"),
        P: golden.matrix("P"),
        Q: golden.matrix("Q"),
        R: golden.matrix("R"),
        points: MerweScaled { alpha: *alpha, beta: *beta, kappa: *kappa },
    };
    filter.check().expect("a filter");
    let mut worst = Worst::default();
    for step in golden.all("step") {
        filter.predict(|x| radar.f(x)).expect("positive definite");
        let innovation = filter.update(&z_of(step), Radar::h).expect("positive definite");
        worst.hold(&filter.x, &filter.P, innovation.as_ref(), &step[2..]);
    }
    worst.judge(name, 120, silent);
}

#[test]
fn unscented_filter_equals_filterpy_with_the_same_sigma_points() {
    unscented("unscented-radar.txt", 6);
    unscented("unscented-wide.txt", 6);
}

#[test]
fn calibration_equals_filterpys_extended_filter_over_uneven_intervals() {
    let golden = Golden::read("extended-calibration.txt");
    let x: SVector<f64, 3> = golden.matrix("x");
    let P: SMatrix<f64, 3, 3> = golden.matrix("P");
    let uncertainty = Uncertainty {
        sensor_k: golden.one("sensor")[0],
        temperature_k: golden.one("wander")[0],
        parameters: [P[(1, 1)].sqrt(), P[(2, 2)].sqrt()],
        ageing_per_hour: [0.0, 0.0],
    };
    let mut body = ThermalCalibration::new(x[0], x[1].exp(), x[2].exp(), uncertainty).expect("a model");
    let (mut worst, mut last_s) = (Worst::default(), 0.0);
    for step in golden.all("step") {
        let [dt_s, heat_w, surroundings, z] = step[..4] else { panic!("four numbers") };
        body.predict(dt_s, Held { heat_w, surroundings }).expect("finite");
        let innovation = body.update(Some(z).filter(|z| !z.is_nan())).expect("positive definite");
        worst.hold(&body.filter.x, &body.filter.P, innovation.as_ref(), &step[4..]);
        last_s += dt_s;
    }
    worst.judge("calibration", 200, 22);
    assert!(last_s > 1000.0, "the intervals add up to {last_s} s");
}

#[test]
fn smoother_equals_filterpys() {
    let golden = Golden::read("smoother.txt");
    let mut kalman = Kalman::<4, 1, 1> {
        x: golden.matrix("x"),
        P: golden.matrix("P"),
        F: golden.matrix("F"),
        B: SMatrix::zeros(),
        Q: golden.matrix("Q"),
        H: golden.matrix("H"),
        R: golden.matrix("R"),
    };
    let mut run = Vec::new();
    for step in golden.all("step") {
        kalman.predict(&SVector::zeros());
        let (x_prior, P_prior) = (kalman.x, kalman.P);
        kalman.update(&SVector::<_, 1>::new(Some(step[0]))).expect("positive definite");
        run.push(Filtered { F: kalman.F, x_prior, P_prior, x: kalman.x, P: kalman.P });
    }
    let filtered = run.clone();
    smooth(&mut run).expect("positive definite");
    let (mut worst_x, mut worst_P) = (0.0_f64, 0.0_f64);
    for (step, smoothed) in golden.all("step").zip(&run) {
        let expect = SVector::<f64, 4>::from_column_slice(&step[1..5]);
        worst_x = worst_x.max((smoothed.x - expect).amax() / expect.amax());
        worst_P = worst_P.max(covariance_error(&smoothed.P, &of_upper(&step[5..])));
    }
    println!("smoother: x {worst_x:.2e}, P {worst_P:.2e} over {} rows", run.len());
    assert_eq!(run.len(), 120);
    assert!(worst_x <= PER_STEP && worst_P <= PER_STEP, "x {worst_x:e}, P {worst_P:e}");
    assert_eq!(run.last(), filtered.last(), "the last row knows nothing more");
    for (row, (smoothed, filtered)) in run.iter().zip(&filtered).enumerate() {
        let less = filtered.P - smoothed.P;
        assert!(less.diagonal().min() >= -1e-12, "row {row}: looking back cannot make less sure");
    }
    let (then, now) = (filtered[0].P[(1, 1)], run[0].P[(1, 1)]);
    assert!(now < 0.9 * then, "looking back must teach something of the winding: {now} after {then}");
}

#[test]
fn least_squares_equal_the_weighted_system_solved_at_once() {
    let golden = Golden::read("least-squares.txt");
    let mut estimator = RecursiveLeastSquares::<3> {
        theta: golden.matrix("theta"),
        P: golden.matrix("P"),
        R: golden.one("R")[0],
        forgetting: golden.one("forgetting")[0],
        variance_max: SVector::repeat(f64::INFINITY),
    };
    estimator.check().expect("an estimator");
    let (mut worst_theta, mut worst_P, mut steps) = (0.0_f64, 0.0_f64, 0);
    for step in golden.all("step") {
        estimator.update(Some(step[0]), &SVector::from_column_slice(&step[1..4])).expect("finite");
        let theta = SVector::<f64, 3>::from_column_slice(&step[4..7]);
        worst_theta = worst_theta.max((estimator.theta - theta).amax() / theta.amax());
        worst_P = worst_P.max(covariance_error(&estimator.P, &of_upper(&step[7..])));
        steps += 1;
    }
    println!("least squares: theta {worst_theta:.2e}, P {worst_P:.2e}");
    assert_eq!(steps, 80);
    assert!(worst_theta <= 1e-12 && worst_P <= 1e-12, "theta {worst_theta:e}, P {worst_P:e}");
}

fn noise<const N: usize>(golden: &Golden) {
    for (name, of) in [
        ("discrete", discrete_white_noise::<N> as fn(f64, f64) -> _),
        ("continuous", continuous_white_noise::<N>),
    ] {
        let mut cases = 0;
        for case in golden.all(&format!("{name}-{N}")) {
            let found = of(case[0], case[1]).expect("in range");
            let expect = SMatrix::<f64, N, N>::from_row_slice(&case[2..]);
            let error = covariance_error(&found, &expect);
            assert!(error <= 1e-14, "{name} with {N} states over {} s: {error:e}", case[0]);
            cases += 1;
        }
        assert_eq!(cases, 3);
    }
}

#[test]
fn process_noise_equals_filterpys() {
    let golden = Golden::read("process-noise.txt");
    noise::<2>(&golden);
    noise::<3>(&golden);
    noise::<4>(&golden);
}

#[test]
fn square_root_form_equals_filterpy_on_the_motor() {
    let golden = Golden::read("kalman-network.txt");
    let kalman = Kalman::<4, 2, 2> {
        x: SVector::zeros(),
        P: SMatrix::identity() * 100.0,
        F: golden.matrix("F"),
        B: golden.matrix("B"),
        Q: golden.matrix("Q"),
        H: golden.matrix("H"),
        R: golden.matrix("R"),
    };
    let mut filter = SquareRoot::new(&kalman).expect("covariances");
    let mut worst = Worst::default();
    for step in golden.all("step") {
        filter.predict(&SVector::from_column_slice(&step[..2]));
        let z = SVector::<Option<f64>, 2>::from_fn(|i, _| Some(step[2 + i]).filter(|z| !z.is_nan()));
        let innovation = filter.update(&z).expect("positive definite");
        worst.hold(&filter.x, &filter.P(), innovation.as_ref(), &step[4..]);
    }
    worst.judge("square root", 600, 51);
}

/// `P − K H P`, the form of textbooks, by the inverse of `S`: what the square root is held against.
fn plain(
    P: &SMatrix<f64, 2, 2>,
    H: &SMatrix<f64, 2, 2>,
    R: &SMatrix<f64, 2, 2>,
) -> Option<SMatrix<f64, 2, 2>> {
    let S = H * P * H.transpose() + R;
    let K = P * H.transpose() * S.try_inverse()?;
    Some(P - K * H * P)
}

#[test]
fn square_root_form_survives_sharp_sensors_with_which_the_others_fail() {
    let golden = Golden::read("sharp-sensors.txt");
    // A covariance that is a tenth of its deviations off, or NaN, is none.
    let useless = |error: f64| error.is_nan() || error > 0.1;
    let (mut others_failed, mut cases) = (0, 0);
    for case in golden.all("case") {
        let delta = case[0].exp2();
        let expect = SMatrix::<f64, 2, 2>::from_row_slice(&case[1..]);
        let kalman = Kalman::<2, 2, 1> {
            x: SVector::zeros(),
            P: SMatrix::identity(),
            F: SMatrix::identity(),
            B: SMatrix::zeros(),
            Q: SMatrix::zeros(),
            H: SMatrix::<f64, 2, 2>::new(1.0, 1.0, 1.0, 1.0 + delta),
            R: SMatrix::identity() * (delta * delta),
        };
        let mut root = SquareRoot::new(&kalman).expect("covariances");
        let z = SVector::<Option<f64>, 2>::new(Some(2.0), Some(2.0));
        root.update(&z).expect("positive definite").expect("measured");
        let error = covariance_error(&root.P(), &expect);
        // Half of the digits are lost with delta, whatever the form: the sensors differ by delta alone.
        let bound = 1e-14 / delta;
        let plain = plain(&kalman.P, &kalman.H, &kalman.R).map(|P| covariance_error(&P, &expect));
        let mut joseph = kalman.clone();
        let joseph = joseph.update(&z).ok().map(|_| covariance_error(&joseph.P, &expect));
        println!("delta 2^{}: square root {error:.1e}, Joseph {joseph:?}, plain {plain:?}", case[0]);
        assert!(error <= bound, "delta 2^{}: {error:e}", case[0]);
        others_failed += u32::from(joseph.is_none_or(useless) && plain.is_none_or(useless));
        cases += 1;
    }
    assert_eq!(cases, 6);
    assert!(others_failed >= 3, "the other forms failed in {others_failed} cases only");
}

#[test]
fn steady_state_gain_is_that_of_scipys_riccati_solution() {
    let golden = Golden::read("steady-network.txt");
    let kalman = Kalman::<4, 2, 1> {
        x: SVector::repeat(30.0),
        P: SMatrix::identity(),
        F: golden.matrix("F"),
        B: SMatrix::zeros(),
        Q: golden.matrix("Q"),
        H: golden.matrix("H"),
        R: golden.matrix("R"),
    };
    let mut steady = SteadyState::new(&kalman).expect("settles");
    let P: SMatrix<f64, 4, 4> = golden.matrix("P");
    assert!(covariance_error(steady.P_prior(), &P) <= 1e-11);
    let S = kalman.H * P * kalman.H.transpose() + kalman.R;
    let K = P * kalman.H.transpose() * S.try_inverse().expect("an inverse");
    assert!((steady.K() - K).amax() <= 1e-12, "K differs by {:e}", (steady.K() - K).amax());

    // A full filter that stands at that covariance goes the same way.
    let mut full = kalman.clone();
    full.P = *steady.P();
    for row in 0..300 {
        let z = SVector::<Option<f64>, 2>::new(Some(40.0 + f64::from(row % 7)), Some(25.0));
        let a = steady.step(&SVector::zeros(), &z).expect("finite").expect("measured");
        let b = full.step(&SVector::zeros(), &z).expect("finite").expect("measured");
        assert!((steady.x - full.x).amax() <= 1e-10, "row {row}");
        assert!((a.nis - b.nis).abs() <= 1e-9 * (1.0 + b.nis), "row {row}: NIS {} and {}", a.nis, b.nis);
    }
    assert!(covariance_error(&full.P, steady.P()) <= 1e-10, "the full filter stays where it stands");
}
