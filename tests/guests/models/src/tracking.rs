//! Filters that follow a target in a plane with nearly constant velocity: state x, y and their velocities.
#![expect(non_snake_case, reason = "F, H, Q, R, P are the names of the field")]

use geminus_models::extended::Extended;
use geminus_models::particle::{ParticleFilter, Resampling};
use geminus_models::unscented::{MerweScaled, Unscented};
use geminus_models::{Kalman, SMatrix, SVector};
use geminus_sdk::{Fault, math};

use crate::kind::INTERVAL_S;
use crate::{Belief, Model, Said};

/// Particles of a cloud.
pub const PARTICLES: usize = 256;

/// Acceleration that is not modelled, 1 σ, m/s².
const WANDER: f64 = 0.5;
/// The same for each particle: with less, a few hundred soon agree on a wrong velocity.
const CLOUD_WANDER: f64 = 3.0;
/// Variance of a measured coordinate or range, m².
const PLACE_VARIANCE: f64 = 0.25;
/// Variance of a measured bearing, rad².
const BEARING_VARIANCE: f64 = 1e-4;
/// Variances of the first belief: coordinates, velocities.
const FIRST: [f64; 4] = [4.0, 4.0, 9.0, 9.0];

type State = SVector<f64, 4>;

fn transition() -> SMatrix<f64, 4, 4> {
    let mut F = SMatrix::<f64, 4, 4>::identity();
    (F.m13, F.m24) = (INTERVAL_S, INTERVAL_S);
    F
}

fn process_noise() -> SMatrix<f64, 4, 4> {
    let (place, speed) = (0.5 * INTERVAL_S * INTERVAL_S, INTERVAL_S);
    let mut Q = SMatrix::<f64, 4, 4>::zeros();
    (Q.m11, Q.m22) = (place * place, place * place);
    (Q.m13, Q.m31, Q.m24, Q.m42) = (place * speed, place * speed, place * speed, place * speed);
    (Q.m33, Q.m44) = (speed * speed, speed * speed);
    Q * (WANDER * WANDER)
}

fn radar_noise() -> SMatrix<f64, 2, 2> {
    SMatrix::from_diagonal(&SVector::from([PLACE_VARIANCE, BEARING_VARIANCE]))
}

/// What a radar at the origin sees.
fn seen(x: &State) -> SVector<f64, 2> {
    SVector::from([math::hypot(x.x, x.y), math::atan2(x.y, x.x)])
}

/// How that changes with the state.
fn sight(x: &State) -> SMatrix<f64, 2, 4> {
    let square = x.x * x.x + x.y * x.y;
    let range = math::sqrt(square);
    SMatrix::from_row_slice(&[x.x / range, x.y / range, 0.0, 0.0, -x.y / square, x.x / square, 0.0, 0.0])
}

fn first_covariance() -> SMatrix<f64, 4, 4> {
    SMatrix::from_diagonal(&SVector::from(FIRST))
}

/// Where the first measurement puts it, standing still.
fn at(x: f64, y: f64) -> State {
    SVector::from([x, y, 0.0, 0.0])
}

fn by_radar(range: f64, bearing: f64) -> State {
    at(range * math::cos(bearing), range * math::sin(bearing))
}

fn said(x: &State, P: &SMatrix<f64, 4, 4>) -> Said {
    Said { estimate: x.x, estimate_deviation: Some(math::sqrt(P.m11)), health: None }
}

/// A Kalman filter that measures both coordinates.
#[derive(Debug)]
pub(crate) struct Linear(Kalman<4, 2, 1>);

impl Linear {
    pub(crate) fn new() -> Self {
        let mut H = SMatrix::<f64, 2, 4>::zeros();
        (H.m11, H.m22) = (1.0, 1.0);
        Self(Kalman {
            x: SVector::zeros(),
            P: first_covariance(),
            F: transition(),
            B: SMatrix::zeros(),
            Q: process_noise(),
            H,
            R: SMatrix::identity() * PLACE_VARIANCE,
        })
    }

    /// One row; what it then believes.
    pub(crate) fn follow(&mut self, belief: &mut Option<Belief>, x: f64, y: f64) -> Result<Belief, Fault> {
        let before = belief.unwrap_or_else(|| Belief { x: at(x, y), p: first_covariance() });
        let filter = &mut self.0;
        (filter.x, filter.P) = (before.x, before.p);
        filter.step(&SVector::zeros(), &SVector::from([Some(x), Some(y)])).map_err(Fault::other)?;
        let after = Belief { x: filter.x, p: filter.P };
        *belief = Some(after);
        Ok(after)
    }
}

impl Model for Linear {
    fn step(&mut self, belief: &mut Option<Belief>, [x, y, _]: [f64; 3]) -> Result<Said, Fault> {
        self.follow(belief, x, y).map(|belief| said(&belief.x, &belief.p))
    }
}

/// An extended Kalman filter that measures range and bearing.
#[derive(Debug)]
pub(crate) struct Linearised(Extended<4, 2>, SMatrix<f64, 4, 4>);

impl Linearised {
    pub(crate) fn new() -> Self {
        let (x, P) = (SVector::zeros(), first_covariance());
        Self(Extended { x, P, Q: process_noise(), R: radar_noise() }, transition())
    }
}

impl Model for Linearised {
    fn step(&mut self, belief: &mut Option<Belief>, [range, bearing, _]: [f64; 3]) -> Result<Said, Fault> {
        let before = belief.unwrap_or_else(|| Belief { x: by_radar(range, bearing), p: first_covariance() });
        let (filter, F) = (&mut self.0, &self.1);
        (filter.x, filter.P) = (before.x, before.p);
        filter.predict(|x| F * x, |_| *F).map_err(Fault::other)?;
        filter.update(&SVector::from([Some(range), Some(bearing)]), seen, sight).map_err(Fault::other)?;
        *belief = Some(Belief { x: filter.x, p: filter.P });
        Ok(said(&filter.x, &filter.P))
    }
}

/// An unscented Kalman filter that measures range and bearing.
#[derive(Debug)]
pub(crate) struct Sampled(Unscented<4, 2>, SMatrix<f64, 4, 4>);

impl Sampled {
    pub(crate) fn new() -> Self {
        let (x, P) = (SVector::zeros(), first_covariance());
        let points = MerweScaled::default();
        Self(Unscented { x, P, Q: process_noise(), R: radar_noise(), points }, transition())
    }
}

impl Model for Sampled {
    fn step(&mut self, belief: &mut Option<Belief>, [range, bearing, _]: [f64; 3]) -> Result<Said, Fault> {
        let before = belief.unwrap_or_else(|| Belief { x: by_radar(range, bearing), p: first_covariance() });
        let (filter, F) = (&mut self.0, &self.1);
        (filter.x, filter.P) = (before.x, before.p);
        filter.predict(|x| F * x).map_err(Fault::other)?;
        filter.update(&SVector::from([Some(range), Some(bearing)]), seen).map_err(Fault::other)?;
        *belief = Some(Belief { x: filter.x, p: filter.P });
        Ok(said(&filter.x, &filter.P))
    }
}

/// A cloud of particles that measures range and bearing; it is made at the first row.
#[derive(Debug)]
pub(crate) struct Cloud {
    filter: Option<ParticleFilter<4>>,
    seed: u64,
}

impl Cloud {
    pub(crate) fn new(seed: u64) -> Self {
        Self { filter: None, seed }
    }
}

impl Model for Cloud {
    fn step(&mut self, _: &mut Option<Belief>, [range, bearing, _]: [f64; 3]) -> Result<Said, Fault> {
        let filter = match &mut self.filter {
            Some(filter) => filter,
            none => {
                let mean = by_radar(range, bearing);
                let made = ParticleFilter::new(PARTICLES, &mean, &first_covariance(), self.seed);
                none.insert(made.map_err(Fault::other)?)
            }
        };
        let moved = |x: &State, draws: &mut geminus_models::random_draws::Draws| {
            let (across, along) = (CLOUD_WANDER * draws.normal(), CLOUD_WANDER * draws.normal());
            let half = 0.5 * INTERVAL_S * INTERVAL_S;
            SVector::from([
                x.x + INTERVAL_S * x.z + half * across,
                x.y + INTERVAL_S * x.w + half * along,
                x.z + INTERVAL_S * across,
                x.w + INTERVAL_S * along,
            ])
        };
        filter.predict(moved).map_err(Fault::other)?;
        let likely = |x: &State| {
            let expected = seen(x);
            let (far, aside) = (range - expected.x, bearing - expected.y);
            -0.5 * (far * far / PLACE_VARIANCE + aside * aside / BEARING_VARIANCE)
        };
        filter.update(likely).map_err(Fault::other)?;
        filter.resample_below(0.5, Resampling::Systematic);
        let (mean, P) = filter.estimate();
        Ok(said(&mean, &P))
    }
}
