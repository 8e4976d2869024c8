//! Is the filter as sure of itself as it may be? NEES and NIS on simulated truth, against their chi-square bands.
//!
//! Bands and their meaning: Bar-Shalom, Li, Kirubarajan, §5.4. The simulation is seeded; the seed is printed.
#![expect(clippy::expect_used, reason = "a test may")]
#![expect(non_snake_case, reason = "F, H, Q, R, P are the names of the field")]

use geminus_models::{Kalman, SMatrix, SVector, ThermalNetwork};

const RUNS: usize = 50;
const STEPS: usize = 100;
const SEED: u64 = 20_260_101;

/// Standard normal numbers: Box and Muller over SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.uniform()));
        radius * libm::cos(core::f64::consts::TAU * self.uniform())
    }

    fn of<const N: usize>(&mut self, covariance: &SMatrix<f64, N, N>) -> SVector<f64, N> {
        let white = SVector::from_fn(|_, _| self.next());
        covariance.cholesky().expect("positive definite").l() * white
    }
}

/// Means over all runs, for each step: NEES and NIS. `optimism` multiplies the R that the filter believes in.
fn simulate<const M: usize>(H: SMatrix<f64, M, 4>, optimism: f64) -> Vec<(f64, f64)> {
    let network =
        ThermalNetwork::<4, 1>::new().join(0, 1, 0.8).join(1, 2, 0.1).join(0, 2, 0.3).join(0, 3, 1.0);
    let network = network.heat(1, 0, 10.0);
    let network = network.time_constant(0, 120.0).time_constant(1, 60.0).time_constant(2, 180.0);
    let Qc = SMatrix::from_diagonal(&SVector::from([0.01, 0.09, 0.04, 0.0004]));
    let model = network.discretise(&Qc, 1.0);
    let R = SMatrix::<f64, M, M>::identity() * 0.25;
    let u = SVector::<f64, 1>::new(0.49);

    println!("seed {SEED}");
    let mut normal = Normal(SEED);
    let mut sums = vec![(0.0, 0.0); STEPS];
    for _ in 0..RUNS {
        let P = SMatrix::<f64, 4, 4>::identity() * 25.0;
        let mut kalman =
            Kalman { x: SVector::repeat(40.0), P, F: model.F, B: model.G, Q: model.Q, H, R: R * optimism };
        let mut truth = kalman.x + normal.of(&P);
        for sum in &mut sums {
            truth = model.F * truth + model.G * u + normal.of(&model.Q);
            let z = H * truth + normal.of(&R);
            kalman.predict(&u);
            let innovation = kalman.update(&z.map(Some)).expect("positive definite").expect("measured");
            let error = truth - kalman.x;
            sum.0 += error.dot(&kalman.P.cholesky().expect("positive definite").solve(&error));
            sum.1 += innovation.nis;
        }
    }
    sums.iter().map(|(nees, nis)| (nees / RUNS as f64, nis / RUNS as f64)).collect()
}

/// Share of steps whose mean over 50 runs lies in the band.
fn share_inside(means: impl Iterator<Item = f64>, band: [f64; 2]) -> f64 {
    means.filter(|mean| (band[0]..=band[1]).contains(mean)).count() as f64 / STEPS as f64
}

#[test]
fn nees_and_nis_lie_in_their_bands_with_one_sensor() {
    let means = simulate(SMatrix::<f64, 1, 4>::new(1.0, 0.0, 0.0, 0.0), 1.0);
    let nees = share_inside(means.iter().map(|m| m.0), [3.255, 4.821]);
    let nis = share_inside(means.iter().map(|m| m.1), [0.647, 1.428]);
    println!("inside the 95 % band: NEES {nees}, NIS {nis}");
    assert!(nees >= 0.85, "NEES, whose steps hang together, is inside for {nees}");
    assert!(nis >= 0.90, "NIS is inside for {nis}");
    // NIS of different steps are independent: the mean over all of them has its own, narrow band.
    let mean = means.iter().map(|m| m.1).sum::<f64>() / STEPS as f64;
    let half_width = 1.96 * (2.0 / (RUNS * STEPS) as f64).sqrt();
    assert!((mean - 1.0).abs() <= half_width, "mean NIS {mean}, band 1 ± {half_width}");
}

#[test]
fn nis_of_two_sensors_has_two_degrees_of_freedom() {
    let H = SMatrix::<f64, 2, 4>::new(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0);
    let means = simulate(H, 1.0);
    let mean = means.iter().map(|m| m.1).sum::<f64>() / STEPS as f64;
    let half_width = 1.96 * (4.0 / (RUNS * STEPS) as f64).sqrt();
    assert!((mean - 2.0).abs() <= half_width, "mean NIS {mean}, band 2 ± {half_width}");
}

#[test]
fn a_filter_that_believes_in_too_good_a_sensor_is_found_out() {
    let means = simulate(SMatrix::<f64, 1, 4>::new(1.0, 0.0, 0.0, 0.0), 0.25);
    let nis = share_inside(means.iter().map(|m| m.1), [0.647, 1.428]);
    assert!(nis < 0.5, "NIS is inside for {nis}, though R is four times too small");
}
