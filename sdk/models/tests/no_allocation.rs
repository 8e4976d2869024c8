//! What a step calls allocates nothing: predictions, domains, expected improvement, integrators, the neural ODE, quadratic
//! programmes and predictive control, all after they were made.
#![expect(unsafe_code, reason = "an allocator that counts has to be one")]
#![expect(clippy::expect_used, reason = "a test may")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use geminus_models::acquisition::{Goal, expected_improvement};
use geminus_models::domain::Domain;
use geminus_models::gaussian_process::{GaussianProcess, Hyperparameters};
use geminus_models::mpc::{Aim, Limits, Mpc, Now, Plant};
use geminus_models::neural_ode::{Course, NeuralOde};
use geminus_models::ode::{DormandPrince, Rk4};
use geminus_models::quadratic::Start;
use geminus_models::{SMatrix, SVector};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as promised to this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as promised to this function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this allocates.
fn allocations(mut step: impl FnMut()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    for _ in 0..10 {
        step();
    }
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1_u8]))), 10);
}

#[test]
fn surrogates_do_not() {
    let x: Vec<f64> = (0..20).map(f64::from).collect();
    let y: Vec<f64> = x.iter().map(|x| (0.3 * x).sin()).collect();
    let hyperparameters = Hyperparameters { amplitude: 1.0, lengths: vec![5.0], noise: 1e-4 };
    let mut surrogate = GaussianProcess::new(&x, &y, hyperparameters).expect("a surrogate");
    let domain = Domain::of_rows(&x, 1, 0.0, 0.5).expect("a domain");
    let found = allocations(|| {
        let told = surrogate.predict(&[7.3]).expect("finite");
        assert!(domain.judge(&[7.3], &told).is_inside());
        expected_improvement(told.mean, told.latent_deviation, 0.5, Goal::Maximise, 0.0).expect("finite");
    });
    assert_eq!(found, 0);
}

#[test]
fn integrators_and_the_neural_ode_do_not() {
    let mut rates = |_: f64, x: &[f64], rates: &mut [f64]| rates.copy_from_slice(&[x[1], -x[0]]);
    let mut fixed = Rk4::new(2).expect("a size");
    let mut adaptive = DormandPrince::new(2, 1e-9, 1e-9, 1_000).expect("tolerances");
    let mut model = NeuralOde::read(include_str!("../data/cstr.neural-ode")).expect("weights");
    let (mut y, mut out, mut x) = ([1.0, 0.0], [0.0; 4], [0.85, 325.0]);
    let (mut means, mut deviations) = ([0.0; 4], [0.0; 4]);
    let found = allocations(|| {
        fixed.integrate(&mut rates, 0.0, 1.0, 10, &mut y).expect("a solution");
        adaptive.integrate(&mut rates, 0.0, &[1.0, 0.0], &[0.5, 2.0], &mut out).expect("a solution");
        model.advance(&mut x, Course::Hold(&[298.0]), 0.5, 2).expect("finite");
        let start = (x.as_slice(), [0.01, 0.5].as_slice());
        model.forecast(start, &[298.0, 297.0], (0.5, 2), &mut means, &mut deviations).expect("finite");
    });
    assert_eq!(found, 0);
}

#[test]
fn predictive_control_does_not() {
    let plant = Plant {
        F: SMatrix::from_row_slice(&[0.7, 0.0, 0.1, 1.0]),
        G: SMatrix::from_row_slice(&[0.3, 0.0]),
        C: SMatrix::from_row_slice(&[0.0, 1.0]),
    };
    let one = SVector::<f64, 1>::from([1.0]);
    let aim = Aim {
        output_weight: one,
        move_weight: one * 0.1,
        input_weight: one * 0.0,
        excess_price: Some(100.0),
    };
    let limits = Limits { input: (-one, one), move_max: one * 0.3, output: (-2.0 * one, 0.4 * one) };
    let mut control = Mpc::<2, 1, 1>::new(plant, aim, limits, 20).expect("a controller");
    for start in [Start::Cold, Start::Warm] {
        let mut level = -3.0;
        let found = allocations(|| {
            level += 0.6;
            let x = SVector::from([0.0, level]);
            let now =
                Now { x, w: SVector::zeros(), u: one * 0.0, reference: one * 0.2, input_wanted: one * 0.0 };
            control.solve(&now, start).expect("a move");
        });
        assert_eq!(found, 0, "{start:?}");
    }
}
