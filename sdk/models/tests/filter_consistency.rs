//! Are the nonlinear filters as sure of themselves as they may be, and do particles become the Kalman filter? Seeded
//! simulations against chi-square bands (Bar-Shalom, Li, Kirubarajan, §5.4) and against the law of large numbers.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]
#![expect(non_snake_case, reason = "F, H, Q, R, P are the names of the field")]

#[path = "vectors/radar.rs"]
mod radar;

use geminus_models::extended::Extended;
use geminus_models::particle::{ParticleFilter, Resampling};
use geminus_models::process_noise::discrete_white_noise;
use geminus_models::random_draws::Draws;
use geminus_models::square_root::{SquareRoot, root};
use geminus_models::unscented::{MerweScaled, Unscented};
use geminus_models::{EstimationError, Innovation, Kalman, SMatrix, SVector};

use radar::Radar;

const RUNS: usize = 50;
const STEPS: usize = 100;
const SEED: u64 = 20_261_130;
/// 95 % bands of the mean over 50 runs: NEES of four states, NIS of two sensors.
const NEES: [f64; 2] = [3.255, 4.821];
const NIS: [f64; 2] = [1.484, 2.591];

type Told = Result<Option<Innovation<2>>, EstimationError>;

/// A filter of the radar's body.
trait Follows {
    fn step(&mut self, radar: &Radar, z: &SVector<Option<f64>, 2>) -> Told;
    fn nees(&self, truth: &SVector<f64, 4>) -> Result<f64, EstimationError>;
}

impl Follows for Extended<4, 2> {
    fn step(&mut self, radar: &Radar, z: &SVector<Option<f64>, 2>) -> Told {
        self.predict(|x| radar.f(x), |x| radar.F(x))?;
        self.update(z, Radar::h, Radar::H)
    }

    fn nees(&self, truth: &SVector<f64, 4>) -> Result<f64, EstimationError> {
        self.nees(truth)
    }
}

impl Follows for Unscented<4, 2> {
    fn step(&mut self, radar: &Radar, z: &SVector<Option<f64>, 2>) -> Told {
        self.predict(|x| radar.f(x))?;
        self.update(z, Radar::h)
    }

    fn nees(&self, truth: &SVector<f64, 4>) -> Result<f64, EstimationError> {
        self.nees(truth)
    }
}

/// What a filter begins with.
struct Start {
    x: SVector<f64, 4>,
    P: SMatrix<f64, 4, 4>,
    Q: SMatrix<f64, 4, 4>,
    R: SMatrix<f64, 2, 2>,
}

fn normal<const N: usize>(draws: &mut Draws, covariance: &SMatrix<f64, N, N>) -> SVector<f64, N> {
    root("covariance", covariance).expect("a covariance") * SVector::from_fn(|_, _| draws.normal())
}

/// Shares of steps whose mean NEES and NIS over 50 runs lie in their bands, and the mean NIS of all.
fn simulate<F: Follows>(make: impl Fn(&Start) -> F, optimism: f64) -> (f64, f64, f64) {
    let radar = Radar { dt_s: 0.5, drag: 0.002 };
    let one = discrete_white_noise::<2>(radar.dt_s, 0.5).expect("in range");
    // A trace more than the rank-one noise of each axis, so that every covariance has an inverse.
    let Q = SMatrix::<f64, 4, 4>::from_fn(|i, j| {
        let shared = if i / 2 == j / 2 { one[(i % 2, j % 2)] } else { 0.0 };
        if i == j { shared + 1e-6 } else { shared }
    });
    let P = SMatrix::from_diagonal(&SVector::from([400.0, 25.0, 400.0, 25.0]));
    let R = SMatrix::<f64, 2, 2>::new(25.0, 0.0, 0.0, 1e-4);
    println!("seed {SEED}");
    let mut draws = Draws::new(SEED);
    let mut sums = vec![(0.0, 0.0); STEPS];
    for _ in 0..RUNS {
        let x = SVector::from([2000.0, -18.0, 1400.0, 12.0]);
        let mut filter = make(&Start { x, P, Q, R: R * optimism });
        let mut truth = x + normal(&mut draws, &P);
        for sum in &mut sums {
            truth = radar.f(&truth) + normal(&mut draws, &Q);
            let z = Radar::h(&truth) + normal(&mut draws, &R);
            let innovation = filter.step(&radar, &z.map(Some)).expect("positive definite").expect("measured");
            sum.0 += filter.nees(&truth).expect("positive definite") / RUNS as f64;
            sum.1 += innovation.nis / RUNS as f64;
        }
    }
    let inside = |values: &mut dyn Iterator<Item = f64>, band: [f64; 2]| {
        values.filter(|value| (band[0]..=band[1]).contains(value)).count() as f64 / STEPS as f64
    };
    let nees = inside(&mut sums.iter().map(|sum| sum.0), NEES);
    let nis = inside(&mut sums.iter().map(|sum| sum.1), NIS);
    (nees, nis, sums.iter().map(|sum| sum.1).sum::<f64>() / STEPS as f64)
}

fn extended(start: &Start) -> Extended<4, 2> {
    Extended { x: start.x, P: start.P, Q: start.Q, R: start.R }
}

fn unscented(start: &Start) -> Unscented<4, 2> {
    Unscented { x: start.x, P: start.P, Q: start.Q, R: start.R, points: MerweScaled::default() }
}

fn check((nees, nis, mean_nis): (f64, f64, f64), name: &str) {
    println!("{name}: inside the 95 % band: NEES {nees}, NIS {nis}; mean NIS {mean_nis}");
    assert!(nees >= 0.85, "{name}: NEES, whose steps hang together, is inside for {nees}");
    assert!(nis >= 0.90, "{name}: NIS is inside for {nis}");
    // NIS of different steps are independent: the mean over all of them has its own, narrow band.
    let half_width = 1.96 * (4.0 / (RUNS * STEPS) as f64).sqrt();
    assert!((mean_nis - 2.0).abs() <= half_width, "{name}: mean NIS {mean_nis}, band 2 ± {half_width}");
}

#[test]
fn nees_and_nis_of_the_extended_filter_lie_in_their_bands() {
    check(simulate(extended, 1.0), "extended");
}

#[test]
fn nees_and_nis_of_the_unscented_filter_lie_in_their_bands() {
    check(simulate(unscented, 1.0), "unscented");
}

#[test]
fn nonlinear_filters_that_believe_in_too_good_a_sensor_are_found_out() {
    for (name, (_, nis, mean)) in
        [("extended", simulate(extended, 0.25)), ("unscented", simulate(unscented, 0.25))]
    {
        assert!(nis < 0.5 && mean > 2.5, "{name}: NIS is inside for {nis}, mean {mean}");
    }
}

/// Position and speed, the position measured: what particles must learn from the Kalman filter.
fn linear() -> Kalman<2, 1, 1> {
    Kalman {
        x: SVector::zeros(),
        P: SMatrix::identity() * 4.0,
        F: SMatrix::<f64, 2, 2>::new(1.0, 1.0, 0.0, 1.0),
        B: SMatrix::zeros(),
        Q: SMatrix::<f64, 2, 2>::new(0.05, 0.02, 0.02, 0.04),
        H: SMatrix::<f64, 1, 2>::new(1.0, 0.0),
        R: SMatrix::<f64, 1, 1>::new(1.0),
    }
}

/// Root mean square distance of the particles' mean from the Kalman filter's, in its deviations, and the worst relative
/// error of the evidence.
fn particles_off(count: usize, how: Resampling) -> (f64, f64) {
    const SEEDS: u64 = 12;
    const ROWS: usize = 25;
    let (mut squares, mut evidence) = (0.0, 0.0);
    for seed in 0..SEEDS {
        let mut kalman = linear();
        let Q_root = root("Q", &kalman.Q).expect("a covariance");
        let mut cloud = ParticleFilter::new(count, &kalman.x, &kalman.P, 1000 + seed).expect("particles");
        let mut draws = Draws::new(seed);
        let mut truth = normal(&mut draws, &kalman.P);
        let (mut exact, mut found) = (0.0, 0.0);
        for row in 0..ROWS {
            truth = kalman.F * truth + normal(&mut draws, &kalman.Q);
            let z = (row % 6 != 4).then(|| truth[0] + draws.normal());
            let told = kalman.step(&SVector::zeros(), &SVector::<_, 1>::new(z)).expect("positive definite");
            let F = kalman.F;
            let noise = |draws: &mut Draws| Q_root * SVector::from_fn(|_, _| draws.normal());
            cloud.predict(|x, draws| F * x + noise(draws)).expect("finite");
            if let (Some(z), Some(told)) = (z, told) {
                let log = |x: &SVector<f64, 2>| -0.5 * ((z - x[0]) * (z - x[0]) + 1.837_877_066_409_345_5);
                found += cloud.update(log).expect("probable");
                exact += told.log_likelihood;
            }
            let (mean, _) = cloud.estimate();
            let off = mean - kalman.x;
            squares += off[0] * off[0] / kalman.P[(0, 0)] + off[1] * off[1] / kalman.P[(1, 1)];
            cloud.resample_below(0.5, how);
        }
        evidence = f64::max(evidence, (found - exact).abs() / exact.abs());
    }
    ((squares / (2 * SEEDS as usize * ROWS) as f64).sqrt(), evidence)
}

#[test]
fn particles_approach_the_kalman_filter_as_one_over_the_root_of_their_number() {
    for how in [Resampling::Systematic, Resampling::Stratified] {
        let counts = [256, 1024, 4096];
        let off = counts.map(|count| particles_off(count, how));
        println!("{how:?}: {counts:?} particles are off by {off:.4?}");
        // Slope of log error over log number, by its ends; sampling noise leaves a tenth of room.
        let slope = (off[2].0 / off[0].0).ln() / (4096.0_f64 / 256.0).ln();
        assert!((-0.6..=-0.4).contains(&slope), "{how:?}: the error falls with power {slope}");
        assert!(off[2].0 < 0.045, "{how:?}: {:?}", off[2]);
        assert!(off[2].1 < 0.02, "{how:?}: the evidence of 4096 particles is off by {}", off[2].1);
    }
}

#[test]
fn square_root_form_goes_the_way_of_the_joseph_form() {
    let mut draws = Draws::new(SEED);
    let (mut joseph, mut truth) = (linear(), SVector::<f64, 2>::zeros());
    let mut rooted = SquareRoot::new(&joseph).expect("covariances");
    for row in 0..2000 {
        truth = joseph.F * truth + normal(&mut draws, &joseph.Q);
        let z = SVector::<_, 1>::new((row % 9 != 5).then(|| truth[0] + draws.normal()));
        let a = joseph.step(&SVector::zeros(), &z).expect("positive definite");
        rooted.predict(&SVector::zeros());
        let b = rooted.update(&z).expect("positive definite");
        let scale = 1.0 + joseph.x.amax();
        assert!((joseph.x - rooted.x).amax() <= 1e-10 * scale, "row {row}: {} {}", joseph.x, rooted.x);
        assert!((joseph.P - rooted.P()).amax() <= 1e-10 * joseph.P.amax(), "row {row}");
        let told = |told: Option<Innovation<1>>| told.map(|told| (told.nis, told.log_likelihood));
        if let (Some(a), Some(b)) = (told(a), told(b)) {
            assert!((a.0 - b.0).abs() <= 1e-9 * (1.0 + a.0) && (a.1 - b.1).abs() <= 1e-9 * (1.0 + a.1.abs()));
        } else {
            assert_eq!(row % 9, 5, "only what was not measured is silent");
        }
    }
}
