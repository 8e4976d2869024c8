//! A step of any filter takes no memory: an allocator counts, for the thread that asks.
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one counts and hands on to the system's"
)]
#![expect(non_snake_case, reason = "F, H are the names of the field")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use geminus_models::extended::{Extended, jacobian};
use geminus_models::particle::{ParticleFilter, Resampling};
use geminus_models::recursive_least_squares::RecursiveLeastSquares;
use geminus_models::smoother::{Filtered, smooth};
use geminus_models::square_root::SquareRoot;
use geminus_models::steady_state::SteadyState;
use geminus_models::thermal_calibration::{Held, ThermalCalibration, Uncertainty};
use geminus_models::unscented::{MerweScaled, Unscented};
use geminus_models::{Kalman, SMatrix, SVector, ZeroOrderHold};

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is the system allocator's own, with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many times memory was taken in `rows` calls.
fn taken(mut row: impl FnMut(usize)) -> usize {
    let before = TAKEN.with(Cell::get);
    (0..100).for_each(&mut row);
    TAKEN.with(Cell::get) - before
}

fn z(row: usize) -> SVector<Option<f64>, 2> {
    SVector::from([Some(1.0), (!row.is_multiple_of(3)).then_some(2.0)])
}

#[test]
fn the_allocator_counts() {
    assert_eq!(taken(|row| drop(std::hint::black_box(vec![row]))), 100);
}

#[test]
fn no_step_takes_memory() {
    let kalman = Kalman::<4, 2, 1> {
        x: SVector::zeros(),
        P: SMatrix::identity(),
        F: SMatrix::identity() * 0.9,
        B: SMatrix::repeat(0.1),
        Q: SMatrix::identity() * 0.1,
        H: SMatrix::<f64, 2, 4>::identity(),
        R: SMatrix::identity(),
    };
    let (F, H, u) = (kalman.F, kalman.H, SVector::<f64, 1>::new(1.0));
    let A = SMatrix::identity() * -0.1;
    let mut linear = kalman.clone();
    let linear = taken(|row| {
        linear.predict_over(&ZeroOrderHold::new(&A, &kalman.B, &kalman.Q, 1.0 + row as f64), &u);
        linear.update(&z(row)).expect("positive definite");
    });
    let mut root = SquareRoot::new(&kalman).expect("covariances");
    let root = taken(|row| {
        root.predict(&u);
        root.update(&z(row)).expect("positive definite");
    });
    let mut steady = SteadyState::new(&kalman).expect("settles");
    let steady = taken(|row| {
        steady.step(&u, &z(row)).expect("finite");
    });
    let mut extended = Extended { x: kalman.x, P: kalman.P, Q: kalman.Q, R: kalman.R };
    let extended = taken(|row| {
        let scale = SVector::repeat(1.0);
        extended.predict(|x| F * x, |x| jacobian(|x| F * x, x, &scale)).expect("finite");
        extended.update(&z(row), |x| H * x, |_| H).expect("positive definite");
    });
    let points = MerweScaled::default();
    let mut unscented = Unscented { x: kalman.x, P: kalman.P, Q: kalman.Q, R: kalman.R, points };
    let unscented = taken(|row| {
        unscented.predict(|x| F * x).expect("positive definite");
        unscented.update(&z(row), |x| H * x).expect("positive definite");
    });
    let mut cloud = ParticleFilter::new(64, &kalman.x, &kalman.P, 1).expect("particles");
    let mut resampled = 0;
    let particles = taken(|_| {
        cloud.predict(|x, draws| F * x + SVector::from_fn(|_, _| 0.3 * draws.normal())).expect("finite");
        cloud.update(|x| -0.5 * (x[0] - 1.0) * (x[0] - 1.0)).expect("probable");
        resampled += usize::from(cloud.resample_below(0.9, Resampling::Systematic));
        std::hint::black_box(cloud.estimate());
    });
    assert!(resampled > 10, "resampled {resampled} times only");
    let mut squares = RecursiveLeastSquares::<2> {
        theta: SVector::zeros(),
        P: SMatrix::identity(),
        R: 1.0,
        forgetting: 0.9,
        variance_max: SVector::repeat(2.0),
    };
    let squares = taken(|row| {
        squares.update(Some(row as f64), &SVector::from([1.0, row as f64])).expect("finite");
    });
    let uncertainty = Uncertainty {
        sensor_k: 0.2,
        temperature_k: 0.01,
        parameters: [0.3, 0.3],
        ageing_per_hour: [0.1, 0.1],
    };
    let mut body = ThermalCalibration::new(20.0, 0.8, 600.0, uncertainty).expect("a model");
    let body = taken(|row| {
        body.predict(1.0, Held { heat_w: 10.0, surroundings: 20.0 }).expect("finite");
        body.update((row % 4 != 0).then_some(21.0)).expect("positive definite");
    });
    let mut run = [Filtered { F, x_prior: kalman.x, P_prior: kalman.P, x: kalman.x, P: kalman.P }; 10];
    let smoothed = taken(|_| smooth(&mut run).expect("positive definite"));
    let counted = [linear, root, steady, extended, unscented, particles, squares, body, smoothed];
    assert_eq!(
        counted, [0; 9],
        "linear, root, steady, extended, unscented, particles, squares, body, smoother"
    );
}
