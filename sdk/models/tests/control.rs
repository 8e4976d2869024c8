//! Quadratic programmes and predictive control against osqp, by their optimality conditions, and what they refuse.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]
#![expect(non_snake_case, reason = "H, A, F, G, C are the names of the field")]

#[path = "vectors/lines.rs"]
mod vectors;

use geminus_models::mpc::{Aim, Limits, Mpc, Now, Plant};
use geminus_models::quadratic::{Quadratic, QuadraticError, Start};
use geminus_models::{SMatrix, SVector};
use proptest::prelude::*;
use vectors::{lines, uniform};

fn product(A: &[f64], x: &[f64]) -> Vec<f64> {
    A.chunks_exact(x.len()).map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect()
}

/// How far the conditions of Karush, Kuhn and Tucker are from holding.
fn kkt(program: &Quadratic, H: &[f64], q: &[f64], A: &[f64], bounds: (&[f64], &[f64]), x: &[f64]) -> f64 {
    let mut y = vec![0.0; bounds.0.len()];
    program.multipliers(&mut y).expect("as many as rows");
    let mut gradient = product(H, x);
    for (i, gradient) in gradient.iter_mut().enumerate() {
        *gradient += q[i] + y.iter().enumerate().map(|(row, y)| A[row * x.len() + i] * y).sum::<f64>();
    }
    let mut worst = gradient.iter().fold(0.0_f64, |worst, g| worst.max(g.abs()));
    for (row, value) in product(A, x).iter().enumerate() {
        let (low, high) = (bounds.0[row], bounds.1[row]);
        worst = worst.max(low - value).max(value - high);
        let slack = if y[row] > 0.0 { high - value } else { value - low };
        if y[row] != 0.0 {
            worst = worst.max(slack.abs());
        }
    }
    worst
}

#[test]
fn minima_equal_those_of_osqp_and_what_has_none_is_told() {
    let golden = lines("quadratic.txt");
    let (mut solved, mut infeasible, mut worst, mut worst_kkt) = (0, 0, 0.0_f64, 0.0_f64);
    for lines in golden.chunks_exact(7) {
        let n = lines[0].1[0] as usize;
        let [H, q, A, lower, upper, expect] = [1, 2, 3, 4, 5, 6].map(|k| lines[k].1.as_slice());
        let mut program = Quadratic::new(H, A, n).expect("a programme");
        let cold = program.solve(q, lower, upper, Start::Cold).map(<[f64]>::to_vec);
        if lines[0].1[2] == 0.0 {
            assert!(matches!(cold, Err(QuadraticError::Infeasible { .. })), "{cold:?}");
            infeasible += 1;
            continue;
        }
        let x = cold.expect("osqp finds a minimum");
        worst_kkt = worst_kkt.max(kkt(&program, H, q, A, (lower, upper), &x));
        worst = x.iter().zip(expect).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
        let warm = program.solve(q, lower, upper, Start::Warm).expect("the same again").to_vec();
        assert!(warm.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-9 * (1.0 + b.abs())), "{warm:?} {x:?}");
        assert_eq!(program.iterations(), 0, "what was active still is");
        solved += 1;
    }
    println!(
        "{solved} minima, worst difference to osqp {worst:.1e}, KKT {worst_kkt:.1e}; {infeasible} have none"
    );
    assert_eq!(solved + infeasible, 40);
    assert!(worst < 1e-6 && worst_kkt < 1e-8, "{worst:e} {worst_kkt:e}");
}

/// A programme that has a point inside its bounds.
fn random(seed: u64) -> (usize, Vec<f64>, Vec<f64>, Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut draw = uniform(seed);
    let (n, m) = (1 + (draw() * 10.0) as usize, (draw() * 30.0) as usize);
    let mut spread = || 4.0 * draw() - 2.0;
    let B: Vec<f64> = (0..n * n).map(|_| spread()).collect();
    let mut H = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..n {
            H[i * n + j] =
                (0..n).map(|k| B[i * n + k] * B[j * n + k]).sum::<f64>() + if i == j { 0.1 } else { 0.0 };
        }
    }
    let q: Vec<f64> = (0..n).map(|_| 3.0 * spread()).collect();
    let A: Vec<f64> = (0..n * m).map(|_| spread()).collect();
    let inside: Vec<f64> = (0..n).map(|_| spread()).collect();
    let middle = product(&A, &inside);
    let lower: Vec<f64> = middle.iter().map(|v| v - spread().max(0.0)).collect();
    let upper: Vec<f64> = middle.iter().map(|v| v + spread().max(0.0)).collect();
    (n, H, q, A, lower, upper)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn minima_are_optimal_cold_and_warm(seed in any::<u64>()) {
        let (n, H, q, A, lower, upper) = random(seed);
        let mut program = Quadratic::new(&H, &A, n).expect("a programme");
        let x = program.solve(&q, &lower, &upper, Start::Cold).expect("a point is inside").to_vec();
        prop_assert!(kkt(&program, &H, &q, &A, (&lower, &upper), &x) < 1e-6);
        let moved: Vec<f64> = q.iter().map(|q| q * 0.9 + 0.2).collect();
        let warm = program.solve(&moved, &lower, &upper, Start::Warm).expect("a point is inside").to_vec();
        prop_assert!(kkt(&program, &H, &moved, &A, (&lower, &upper), &warm) < 1e-6);
        let cold = program.solve(&moved, &lower, &upper, Start::Cold).expect("a point is inside").to_vec();
        for (a, b) in warm.iter().zip(&cold) {
            prop_assert!((a - b).abs() < 1e-6 * (1.0 + b.abs()), "{:?} {:?}", warm, cold);
        }
    }

    #[test]
    fn rows_that_contradict_each_other_are_found(seed in any::<u64>()) {
        let (n, H, q, mut A, mut lower, mut upper) = random(seed);
        // Twice the same row, with bounds that leave nothing between them.
        let row: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
        for (low, high) in [(1.0, f64::INFINITY), (f64::NEG_INFINITY, 0.5)] {
            A.extend_from_slice(&row);
            lower.push(low);
            upper.push(high);
        }
        let mut program = Quadratic::new(&H, &A, n).expect("a programme");
        let found = program.solve(&q, &lower, &upper, Start::Cold);
        prop_assert!(matches!(found, Err(QuadraticError::Infeasible { .. })), "{:?}", found);
    }
}

#[test]
fn programmes_that_cannot_be_are_refused() {
    let new = |H: &[f64], A: &[f64], n| Quadratic::new(H, A, n).expect_err("refused").to_string();
    assert!(new(&[], &[], 0).starts_with("hessian is empty"));
    assert!(new(&[1.0; 3], &[], 2).starts_with("hessian has 3 numbers, give 4"));
    assert!(new(&[1.0, 0.0, 0.0, f64::NAN], &[], 2).starts_with("hessian[3] is NaN"));
    assert!(new(&[1.0, 1.0, 1.0, 1.0], &[], 2).starts_with("the hessian is not positive definite"));
    assert!(new(&[1.0, 0.0, 0.0, -1.0], &[], 2).starts_with("the hessian is not positive definite"));
    assert!(new(&[1.0, 0.0, 0.0, 1.0], &[1.0; 3], 2).starts_with("rows has 3 numbers, give 4"));
    assert!(new(&[1.0; 257 * 257], &[], 257).starts_with("variables asks for 257, at most 256"));
    assert!(new(&[1.0], &[1.0; 2049], 1).starts_with("rows asks for 2049, at most 2048"));
    let mut program = Quadratic::new(&[2.0], &[1.0], 1).expect("a programme");
    let mut solve = |q: &[f64], l: &[f64], u: &[f64]| {
        program.solve(q, l, u, Start::Cold).expect_err("refused").to_string()
    };
    assert!(solve(&[f64::NAN], &[0.0], &[1.0]).starts_with("q[0] is NaN"));
    assert!(solve(&[0.0], &[], &[1.0]).starts_with("lower has 0 numbers, give 1"));
    assert!(solve(&[0.0], &[f64::NAN], &[1.0]).starts_with("lower[0] is NaN"));
    assert!(solve(&[0.0], &[0.0], &[f64::NAN]).starts_with("upper[0] is NaN"));
    assert!(solve(&[0.0], &[2.0], &[1.0]).starts_with("upper[0] is 1, it must be at or above lower"));
    assert!(solve(&[0.0], &[f64::INFINITY], &[f64::INFINITY]).starts_with("lower[0] is inf"));
    // And goes on well after that.
    let x = program.solve(&[-8.0], &[0.0], &[1.0], Start::Warm).expect("a minimum");
    assert!((x[0] - 1.0).abs() < 1e-12, "{x:?}");
    let mut nothing = Quadratic::new(&[2.0], &[0.0], 1).expect("a row of zeros");
    assert!(matches!(
        nothing.solve(&[0.0], &[1.0], &[2.0], Start::Cold),
        Err(QuadraticError::Infeasible { row: 0 })
    ));
}

/// A case of the golden file, and how many of its moves were compared.
fn moves<const N: usize, const M: usize, const P: usize>(number: f64) -> (u32, u32, f64) {
    let golden = lines("mpc.txt");
    let at = golden.iter().position(|line| line.0 == "case" && line.1[0] == number).expect("a case");
    let (horizon, price) = (golden[at].1[4] as usize, golden[at].1[5]);
    let [F, G, C, weights, limits] = [1, 2, 3, 4, 5].map(|k| golden[at + k].1.as_slice());
    let plant = Plant {
        F: SMatrix::<f64, N, N>::from_row_slice(F),
        G: SMatrix::<f64, N, M>::from_row_slice(G),
        C: SMatrix::<f64, P, N>::from_row_slice(C),
    };
    let aim = Aim {
        output_weight: SVector::from_column_slice(&weights[..P]),
        move_weight: SVector::from_column_slice(&weights[P..P + M]),
        input_weight: SVector::from_column_slice(&weights[P + M..]),
        excess_price: (!price.is_nan()).then_some(price),
    };
    let input = |k: usize| SVector::from_column_slice(&limits[k * M..(k + 1) * M]);
    let output = |k: usize| SVector::from_column_slice(&limits[3 * M + k * P..3 * M + (k + 1) * P]);
    let limits = Limits { input: (input(0), input(1)), move_max: input(2), output: (output(0), output(1)) };
    let mut control = Mpc::new(plant, aim, limits, horizon).expect("a controller");
    let (mut moves, mut without, mut worst) = (0, 0, 0.0_f64);
    for (_, values) in golden.iter().filter(|line| line.0 == "now" && line.1[0] == number) {
        let mut rest = &values[1..];
        let mut take = |count: usize| {
            let (head, tail) = rest.split_at(count);
            rest = tail;
            head
        };
        let now = Now {
            x: SVector::from_column_slice(take(N)),
            w: SVector::from_column_slice(take(N)),
            u: SVector::from_column_slice(take(M)),
            reference: SVector::from_column_slice(take(P)),
            input_wanted: SVector::from_column_slice(take(M)),
        };
        let there = take(1)[0] == 1.0;
        let expect = [take(M), take(P), take(P), take(1)].concat();
        for start in [Start::Cold, Start::Warm] {
            match control.solve(&now, start) {
                Ok(found) => {
                    assert!(there, "osqp finds no plan");
                    let found =
                        [found.u.as_slice(), found.next.as_slice(), found.last.as_slice(), &[found.excess]]
                            .concat();
                    worst = found.iter().zip(&expect).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
                    moves += 1;
                }
                Err(error) => {
                    assert!(!there && matches!(error, QuadraticError::Infeasible { .. }), "{error}");
                    without += 1;
                }
            }
        }
    }
    (moves, without, worst)
}

#[test]
fn first_moves_equal_those_of_osqp() {
    let found = [moves::<2, 1, 1>(0.0), moves::<2, 1, 1>(1.0), moves::<3, 2, 2>(2.0)];
    for (moves, without, worst) in found {
        println!("{moves} moves, {without} times no plan, worst difference {worst:.1e}");
        assert_eq!(moves + without, 60);
        assert!(worst < 1e-4, "{worst:e}");
    }
    assert_eq!(found.map(|(_, without, _)| without > 0), [true, false, false]);
}

/// An integrator with a lag: level of a tank behind a valve.
fn tank() -> (Plant<2, 1, 1>, Aim<1, 1>, Limits<1, 1>) {
    let plant = Plant {
        F: SMatrix::from_row_slice(&[0.7, 0.0, 0.1, 1.0]),
        G: SMatrix::from_row_slice(&[0.3, 0.0]),
        C: SMatrix::from_row_slice(&[0.0, 1.0]),
    };
    let aim = Aim {
        output_weight: SVector::from([1.0]),
        move_weight: SVector::from([0.1]),
        input_weight: SVector::from([0.0]),
        excess_price: Some(100.0),
    };
    let limits = Limits {
        input: (SVector::from([-1.0]), SVector::from([1.0])),
        move_max: SVector::from([0.5]),
        output: (SVector::from([-2.0]), SVector::from([2.0])),
    };
    (plant, aim, limits)
}

#[test]
fn the_reference_is_reached_within_limits_and_without_a_rest_under_a_disturbance() {
    let (plant, aim, limits) = tank();
    let mut control = Mpc::new(plant, aim, limits, 20).expect("a controller");
    let w = SVector::from([0.0, -0.03]);
    let mut now = Now {
        x: SVector::zeros(),
        w,
        u: SVector::zeros(),
        reference: SVector::from([1.8]),
        input_wanted: SVector::zeros(),
    };
    let mut highest = 0.0_f64;
    for _ in 0..120 {
        let found = control.solve(&now, Start::Warm).expect("a move");
        assert!(found.u[0].abs() <= 1.0 + 1e-9 && (found.u[0] - now.u[0]).abs() <= 0.5 + 1e-9, "{found:?}");
        now.x = plant.F * now.x + plant.G * found.u + w;
        assert!((found.next[0] - now.x[1]).abs() < 1e-9, "the predicted effect is what comes");
        now.u = found.u;
        highest = highest.max(now.x[1]);
    }
    assert!((now.x[1] - 1.8).abs() < 1e-4 && highest < 2.0, "{now:?}, highest {highest}");
}

#[test]
fn limits_that_cannot_be_kept_are_left_by_as_little_as_can_be_and_told() {
    let (plant, aim, limits) = tank();
    let now = Now {
        x: SVector::from([0.0, 3.0]),
        w: SVector::zeros(),
        u: SVector::zeros(),
        reference: SVector::zeros(),
        input_wanted: SVector::zeros(),
    };
    let soft =
        Mpc::new(plant, aim, limits, 20).expect("a controller").solve(&now, Start::Cold).expect("a move");
    assert!((soft.excess - 1.0).abs() < 1e-6 && soft.u[0] < -0.4, "{soft:?}");
    let hard = Aim { excess_price: None, ..aim };
    let found = Mpc::new(plant, hard, limits, 20).expect("a controller").solve(&now, Start::Cold);
    assert!(matches!(found, Err(QuadraticError::Infeasible { .. })), "{found:?}");
}

#[test]
fn controllers_that_cannot_be_are_refused() {
    let (plant, aim, limits) = tank();
    let check = |plant, aim, limits, horizon, says: &str| {
        let found = Mpc::<2, 1, 1>::new(plant, aim, limits, horizon).expect_err(says).to_string();
        assert!(found.starts_with(says), "{found}");
    };
    check(plant, aim, limits, 0, "horizon is empty");
    check(plant, aim, limits, 101, "horizon asks for 101, at most 100");
    check(Plant { F: plant.F * f64::NAN, ..plant }, aim, limits, 20, "F[0] is NaN");
    check(plant, Aim { output_weight: SVector::from([-1.0]), ..aim }, limits, 20, "output_weight[0] is -1");
    check(
        plant,
        Aim { move_weight: SVector::zeros(), ..aim },
        limits,
        20,
        "move_weight[0] is 0, it must be above 0",
    );
    check(plant, Aim { excess_price: Some(0.0), ..aim }, limits, 20, "excess_price[0] is 0");
    check(plant, aim, Limits { move_max: SVector::from([0.0]), ..limits }, 20, "move_max[0] is 0");
    check(
        plant,
        aim,
        Limits { input: (limits.input.1, limits.input.0), ..limits },
        20,
        "input limits[0] is 1",
    );
    check(
        plant,
        aim,
        Limits { output: (SVector::from([f64::NAN]), limits.output.1), ..limits },
        20,
        "output limits[0] is NaN",
    );
    let mut control = Mpc::new(plant, aim, limits, 20).expect("a controller");
    let now = Now {
        x: SVector::zeros(),
        w: SVector::zeros(),
        u: SVector::zeros(),
        reference: SVector::zeros(),
        input_wanted: SVector::zeros(),
    };
    for (now, says) in [
        (Now { x: SVector::from([0.0, f64::NAN]), ..now }, "x[1] is NaN"),
        (Now { reference: SVector::from([f64::INFINITY]), ..now }, "reference[0] is inf"),
        (Now { u: SVector::from([f64::NAN]), ..now }, "u[0] is NaN"),
    ] {
        let found = control.solve(&now, Start::Cold).expect_err(says).to_string();
        assert!(found.starts_with(says), "{found}");
    }
}
