//! Does calibration find what an asset has become? Known resistances and capacities are recovered to 1 %, drift is reported
//! with how sure it is, and silence or a steady state does not wind anything up.
#![expect(clippy::expect_used, reason = "a test may")]
#![expect(non_snake_case, reason = "P and R are the names of the field")]

use geminus_models::random_draws::Draws;
use geminus_models::recursive_least_squares::{Drift, RecursiveLeastSquares};
use geminus_models::thermal_calibration::{Held, ThermalCalibration, Uncertainty};
use geminus_models::{SMatrix, SVector};

const UNCERTAINTY: Uncertainty = Uncertainty {
    sensor_k: 0.2,
    temperature_k: 0.002,
    parameters: [0.5, 0.5],
    ageing_per_hour: [0.002, 0.002],
};

/// A body whose true resistance and capacity are known, heated in steps and measured with noise at uneven intervals.
struct Body {
    temperature: f64,
    resistance: f64,
    capacity: f64,
    draws: Draws,
    time_s: f64,
}

impl Body {
    fn new(resistance: f64, capacity: f64, seed: u64) -> Self {
        println!("seed {seed}");
        Self { temperature: 20.0, resistance, capacity, draws: Draws::new(seed), time_s: 0.0 }
    }

    /// Interval, what was held in it, and what the sensor says at its end; one reading in ten is missing.
    fn row(&mut self) -> (f64, Held, Option<f64>) {
        let dt_s = 1.0 + 9.0 * self.draws.uniform();
        let heat_w = if ((self.time_s / 900.0) as u64).is_multiple_of(2) { 60.0 } else { 15.0 };
        let held = Held { heat_w, surroundings: 20.0 + 3.0 * (self.time_s / 7200.0).sin() };
        let end = held.surroundings + heat_w * self.resistance;
        self.temperature = end + (self.temperature - end) * (-dt_s / (self.resistance * self.capacity)).exp();
        self.time_s += dt_s;
        let told = self.temperature + 0.2 * self.draws.normal();
        (dt_s, held, (self.draws.uniform() > 0.1).then_some(told))
    }

    fn teach(&mut self, model: &mut ThermalCalibration, until_s: f64) {
        while self.time_s < until_s {
            let (dt_s, held, told) = self.row();
            model.predict(dt_s, held).expect("finite");
            model.update(told).expect("positive definite");
        }
    }
}

#[test]
fn resistance_and_capacity_are_recovered_to_one_percent_from_forty_percent_off() {
    for (seed, start) in [(1, (1.12, 840.0)), (2, (0.48, 360.0)), (3, (1.12, 360.0)), (4, (0.48, 840.0))] {
        let mut body = Body::new(0.8, 600.0, seed);
        let mut model = ThermalCalibration::new(20.0, start.0, start.1, UNCERTAINTY).expect("a model");
        body.teach(&mut model, 4.0 * 3600.0);
        let ((R, R_deviation), (C, C_deviation)) = (model.resistance(), model.capacity());
        println!("from {start:?}: R {R:.4} ± {R_deviation:.4} K/W, C {C:.1} ± {C_deviation:.1} J/K");
        assert!((R / 0.8 - 1.0).abs() < 0.01 && (C / 600.0 - 1.0).abs() < 0.01, "{R} K/W, {C} J/K");
        assert!((R - 0.8).abs() < 4.0 * R_deviation && (C - 600.0).abs() < 4.0 * C_deviation);
        assert!(R_deviation < 0.01 * R && C_deviation < 0.01 * C, "± {R_deviation} and ± {C_deviation}");
    }
}

#[test]
fn an_ageing_resistance_is_followed_and_its_drift_reported() {
    let mut body = Body::new(0.8, 600.0, 5);
    let mut model = ThermalCalibration::new(20.0, 0.8, 600.0, UNCERTAINTY).expect("a model");
    body.teach(&mut model, 3.0 * 3600.0);
    let (reference, P_reference) = model.parameters();
    let drift = |model: &ThermalCalibration| {
        let (theta, P) = model.parameters();
        Drift::new(&theta, &P, &reference, &P_reference).expect("covariances")
    };
    body.teach(&mut model, 4.0 * 3600.0);
    let quiet = drift(&model);
    // Fouling: a quarter more resistance over twenty hours.
    for step in 1..=20_u32 {
        body.resistance = 0.8 * (1.0 + 0.0125 * f64::from(step));
        body.teach(&mut model, (4.0 + f64::from(step)) * 3600.0);
    }
    let grown = drift(&model);
    println!("drift before {quiet:?}, after {grown:?}, R {:?}", model.resistance());
    assert!(quiet.change.amax() < 0.01 && quiet.statistic < 13.8, "nothing has drifted yet: {quiet:?}");
    assert!((model.resistance().0 / 1.0 - 1.0).abs() < 0.02, "{:?} instead of 1.0 K/W", model.resistance());
    let change = grown.change[0].exp() - 1.0;
    assert!((change - 0.25).abs() < 0.02, "reported drift of the resistance: {change}");
    assert!(grown.change[1].abs() < 0.02, "the capacity has not aged: {:?}", grown.change);
    assert!(grown.statistic > 100.0 && grown.change[0] > 5.0 * grown.deviation[0], "{grown:?}");
}

#[test]
fn a_body_that_nothing_heats_teaches_nothing_and_winds_nothing_up() {
    let uncertainty = Uncertainty { ageing_per_hour: [0.5, 0.5], ..UNCERTAINTY };
    let mut model = ThermalCalibration::new(20.0, 0.8, 600.0, uncertainty).expect("a model");
    for _ in 0..20_000 {
        model.predict(60.0, Held { heat_w: 0.0, surroundings: 20.0 }).expect("finite");
        model.update(Some(20.0)).expect("positive definite");
    }
    let (R, deviation) = model.resistance();
    assert!((R - 0.8).abs() < 1e-9, "{R}");
    assert!(deviation <= 0.8 * 0.5 * (1.0 + 1e-12) && deviation > 0.39, "± {deviation} after a fortnight");
    model.filter.check().expect("still a covariance");
}

#[test]
fn time_of_which_nobody_knows_the_heat_teaches_nothing() {
    let mut body = Body::new(0.8, 600.0, 6);
    let mut model = ThermalCalibration::new(20.0, 0.8, 600.0, UNCERTAINTY).expect("a model");
    body.teach(&mut model, 7200.0);
    let (theta, before) = model.parameters();
    model.restart(50.0 * 3600.0, 95.0).expect("finite");
    let (after, P) = model.parameters();
    assert_eq!((model.temperature(), after), (95.0, theta));
    let aged = P.diagonal() - before.diagonal();
    assert!((aged - SVector::repeat(50.0 * 0.002 * 0.002)).amax() < 1e-15, "{aged}");
    assert!((P[(0, 1)] - before[(0, 1)]).abs() < 1e-18, "what they have to do with each other stays");
    model.filter.check().expect("still a covariance");
    assert!(model.restart(-1.0, 20.0).is_err() && model.restart(1.0, f64::NAN).is_err());
    assert_eq!(model.temperature(), 95.0);
    model.restart(1e12, 20.0).expect("finite");
    assert!(model.parameters().1.diagonal().max() <= 0.25 * (1.0 + 1e-12), "no more than at the beginning");
}

fn estimator(forgetting: f64) -> RecursiveLeastSquares<2> {
    RecursiveLeastSquares {
        theta: SVector::zeros(),
        P: SMatrix::identity() * 100.0,
        R: 0.01,
        forgetting,
        variance_max: SVector::repeat(100.0),
    }
}

#[test]
fn least_squares_follow_a_change_only_when_they_forget() {
    let mut draws = Draws::new(8);
    let (mut keeps, mut forgets) = (estimator(1.0), estimator(0.98));
    for row in 0..2000 {
        let truth = if row < 1000 { SVector::from([2.0, -0.5]) } else { SVector::from([2.4, -0.5]) };
        let phi = SVector::from([draws.normal(), 1.0]);
        let z = Some(phi.dot(&truth) + 0.1 * draws.normal());
        let innovation = forgets.update(z, &phi).expect("finite").expect("measured");
        assert!(innovation.nis >= 0.0);
        keeps.update(z, &phi).expect("finite");
        if row == 999 {
            assert!((keeps.theta - truth).amax() < 0.01 * 2.0, "{}", keeps.theta);
        }
    }
    println!("after a change from 2.0 to 2.4: keeps {}, forgets {}", keeps.theta[0], forgets.theta[0]);
    assert!((forgets.theta[0] - 2.4).abs() < 0.05 && (keeps.theta[0] - 2.2).abs() < 0.05);
    let drift = forgets.drift(&SVector::from([2.0, -0.5]), &SMatrix::zeros()).expect("a covariance");
    assert!((drift.change[0] - 0.4).abs() < 0.05 && drift.statistic > 100.0, "{drift:?}");
}

#[test]
fn forgetting_does_not_wind_up_where_nothing_is_excited() {
    let mut estimator = estimator(0.9);
    let phi = SVector::from([1.0, 0.0]);
    for _ in 0..100_000 {
        estimator.update(Some(3.0), &phi).expect("finite");
    }
    assert!((estimator.theta[0] - 3.0).abs() < 1e-6);
    assert_eq!(estimator.P[(1, 1)], 100.0, "the direction that was never seen stands at its bound");
    estimator.check().expect("still a covariance");
    let before = estimator.clone();
    estimator.update(None, &phi).expect("nothing was measured");
    estimator.update(Some(0.0), &SVector::zeros()).expect("nothing was asked");
    assert_eq!(estimator, before, "what teaches nothing is not forgotten for");
}
