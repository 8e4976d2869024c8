//! Integrators against scipy's DOP853 at 1e-13, the neural ODE against torchdiffeq, and what both refuse.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]

#[path = "vectors/lines.rs"]
mod vectors;

use geminus_models::neural_ode::{Course, NeuralOde};
use geminus_models::ode::{DormandPrince, OdeError, Rk4};
use proptest::prelude::*;
use vectors::{lines, uniform};

type System = fn(f64, &[f64], &mut [f64]);

fn van_der_pol(_: f64, x: &[f64], rates: &mut [f64]) {
    rates[0] = x[1];
    rates[1] = (1.0 - x[0] * x[0]) * x[1] - x[0];
}

fn reactor(_: f64, x: &[f64], rates: &mut [f64]) {
    let flow = 0.1 / (std::f64::consts::PI * 0.219 * 0.219 * 0.659);
    let reaction = 7.2e10 * (-8750.0 / x[1]).exp() * x[0];
    rates[0] = flow * (1.0 - x[0]) - reaction;
    rates[1] =
        flow * (350.0 - x[1]) + 5e4 / 239.0 * reaction + 2.0 * 54.94 / (0.219 * 239.0) * (300.0 - x[1]);
}

fn driven(t: f64, x: &[f64], rates: &mut [f64]) {
    rates[0] = x[1];
    rates[1] = (3.0 * t).cos() - 0.2 * x[1] - x[0].powi(3);
}

const SYSTEMS: [(&str, System); 3] = [("van-der-pol", van_der_pol), ("reactor", reactor), ("driven", driven)];

/// Start, times, and the values at those, of a system.
fn reference(name: &str) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let lines = lines("ode.txt");
    let start = lines.iter().find(|line| line.0 == name).expect("a start").1.clone();
    let at = lines.iter().filter(|line| line.0 == format!("{name}.at"));
    let (times, values): (Vec<f64>, Vec<&[f64]>) = at.map(|line| (line.1[0], &line.1[1..])).unzip();
    (start, times, values.concat())
}

/// The largest difference, each relative to 1 + the value.
fn far(found: &[f64], expect: &[f64]) -> f64 {
    assert_eq!(found.len(), expect.len());
    found.iter().zip(expect).fold(0.0, |worst, (a, b)| worst.max((a - b).abs() / (1.0 + b.abs())))
}

#[test]
fn tight_tolerances_equal_dop853_at_1e_13() {
    for (name, system) in SYSTEMS {
        let (start, times, expect) = reference(name);
        let mut solver = DormandPrince::new(2, 1e-13, 1e-13, 100_000).expect("tolerances");
        let mut out = vec![0.0; expect.len()];
        // One call for each time: the ends of steps, which have the full order.
        let (mut t, mut y) = (0.0, start.clone());
        for (time, out) in times.iter().zip(out.chunks_exact_mut(2)) {
            solver.integrate(&mut |t, x, r| system(t, x, r), t, &y, &[*time], out).expect("a solution");
            (t, y) = (*time, out.to_vec());
        }
        let ends = far(&out, &expect);
        let work = solver
            .integrate(&mut |t, x, r| system(t, x, r), 0.0, &start, &times, &mut out)
            .expect("a solution");
        println!("{name}: ends {ends:.1e}, between {:.1e}, {work:?}", far(&out, &expect));
        assert!(ends < 2e-11 && far(&out, &expect) < 1e-9, "{name}: {ends:e}, {:e}", far(&out, &expect));
    }
}

#[test]
fn looser_tolerances_are_kept() {
    for (name, system) in SYSTEMS {
        let (start, times, expect) = reference(name);
        let mut before = u32::MAX;
        for tolerance in [1e-9, 1e-6, 1e-4] {
            let mut solver = DormandPrince::new(2, tolerance, tolerance, 10_000).expect("tolerances");
            let mut out = vec![0.0; expect.len()];
            let work = solver
                .integrate(&mut |t, x, r| system(t, x, r), 0.0, &start, &times, &mut out)
                .expect("a solution");
            let error = far(&out, &expect);
            println!("{name}: tolerance {tolerance:e}, error {error:.1e}, {work:?}");
            assert!(error < 300.0 * tolerance, "{name}: {error:e}");
            assert!(work.steps < before, "looser tolerances take fewer steps");
            before = work.steps;
        }
    }
}

#[test]
fn runge_kutta_has_the_errors_of_its_order() {
    let (start, times, expect) = reference("van-der-pol");
    let (end, last) = (times[times.len() - 1], &expect[expect.len() - 2..]);
    assert!((last[0] - 2.008_149_76).abs() < 1e-8 && (last[1] + 0.042_508_88).abs() < 1e-8);
    for (steps, x, v) in [(200, 9.4e-6, 4.5e-4), (400, 8.8e-7, 2.9e-5), (2000, 1.7e-9, 4.8e-8)] {
        let mut y = start.clone();
        let mut solver = Rk4::new(2).expect("a size");
        solver.integrate(&mut |t, x, r| van_der_pol(t, x, r), 0.0, end, steps, &mut y).expect("a solution");
        let errors = [(y[0] - last[0]).abs() / x, (y[1] - last[1]).abs() / v];
        assert!(
            errors.iter().all(|e| (0.9..1.1).contains(e)),
            "{steps} steps: {errors:?} of what is published"
        );
    }
    let mut y = vec![0.828, 327.5];
    let mut solver = Rk4::new(2).expect("a size");
    solver.integrate(&mut |t, x, r| reactor(t, x, r), 0.0, 10.0, 100, &mut y).expect("a solution");
    assert!((y[0] - 0.877_825_38).abs() < 1e-8 && (y[1] - 324.496_701_39).abs() < 1e-8, "{y:?}");
}

#[test]
fn what_has_no_solution_is_told() {
    let mut out = [0.0];
    let mut growing = |_: f64, x: &[f64], r: &mut [f64]| r[0] = x[0] * x[0];
    let mut solver = DormandPrince::new(1, 1e-6, 1e-6, 1_000).expect("tolerances");
    // 1 / (1 − t) has no value at 1.
    let found = solver.integrate(&mut growing, 0.0, &[1.0], &[2.0], &mut out).expect_err("a pole");
    let time = match found {
        OdeError::Steps { time, .. } | OdeError::Step { time } | OdeError::NotFinite { time } => time,
        OdeError::Input(_) => f64::NAN,
    };
    assert!((time - 1.0).abs() < 1e-3, "{found}");
    let mut few = DormandPrince::new(1, 1e-9, 1e-9, 5).expect("tolerances");
    let mut turning = |t: f64, _: &[f64], r: &mut [f64]| r[0] = (50.0 * t).sin();
    let found = few.integrate(&mut turning, 0.0, &[0.0], &[10.0], &mut out).expect_err("too many steps");
    assert!(matches!(found, OdeError::Steps { steps: 5, time } if time > 0.0), "{found}");
    let mut broken = |t: f64, _: &[f64], r: &mut [f64]| r[0] = if t < 0.5 { 1.0 } else { f64::NAN };
    let found = solver.integrate(&mut broken, 0.0, &[0.0], &[1.0], &mut out).expect_err("not finite");
    assert!(matches!(found, OdeError::NotFinite { time } if (0.4..=0.5).contains(&time)), "{found}");
    let mut y = [1.0];
    let found =
        Rk4::new(1).expect("a size").integrate(&mut broken, 0.0, 1.0, 10, &mut y).expect_err("not finite");
    assert!(matches!(found, OdeError::NotFinite { time } if (0.35..=0.5).contains(&time)), "{found}");
    assert!(y[0].is_finite(), "the last good value stays");
}

#[test]
fn arguments_that_do_not_fit_are_named() {
    let mut still = |_: f64, _: &[f64], r: &mut [f64]| r.fill(0.0);
    let said = |found: Result<(), OdeError>| found.expect_err("refused").to_string();
    let mut rk4 = Rk4::new(2).expect("a size");
    assert!(said(rk4.integrate(&mut still, 0.0, 1.0, 0, &mut [0.0; 2])).starts_with("steps is empty"));
    assert!(
        said(rk4.integrate(&mut still, 0.0, 1.0, 1_000_001, &mut [0.0; 2]))
            .starts_with("steps asks for 1000001")
    );
    assert!(
        said(rk4.integrate(&mut still, 0.0, 1.0, 1, &mut [0.0; 3])).starts_with("y has 3 numbers, give 2")
    );
    assert!(said(rk4.integrate(&mut still, 0.0, f64::NAN, 1, &mut [0.0; 2])).contains("duration[1] is NaN"));
    assert!(Rk4::new(0).is_err());
    let mut adaptive = DormandPrince::new(2, 1e-6, 1e-6, 10).expect("tolerances");
    let mut go = |y: &[f64], times: &[f64], out: &mut [f64]| {
        said(adaptive.integrate(&mut still, 1.0, y, times, out).map(drop))
    };
    assert!(go(&[0.0, f64::NAN], &[2.0], &mut [0.0; 2]).starts_with("y[1] is NaN"));
    assert!(go(&[0.0; 2], &[2.0], &mut [0.0; 3]).starts_with("out has 3 numbers, give 2"));
    assert!(go(&[0.0; 2], &[3.0, 2.0], &mut [0.0; 4]).starts_with("times[1] is 2, it must be at or after"));
    assert!(go(&[0.0; 2], &[0.5], &mut [0.0; 2]).starts_with("times[0] is 0.5"));
    for (rtol, atol, steps, says) in [
        (0.0, 1.0, 1, "rtol[0] is 0"),
        (1.0, f64::NAN, 1, "atol[0] is NaN"),
        (1.0, 1.0, 0, "steps_max is empty"),
    ] {
        let found = DormandPrince::new(2, rtol, atol, steps).expect_err(says).to_string();
        assert!(found.starts_with(says), "{found}");
    }
    assert!(
        DormandPrince::new(0, 1.0, 1.0, 1).is_err() && DormandPrince::new(1, 1.0, 1.0, 1_000_001).is_err()
    );
}

const WEIGHTS: &str = include_str!("../data/cstr.neural-ode");
const HOLD: f64 = 0.5;

#[test]
fn rollouts_equal_torchdiffeq() {
    let mut model = NeuralOde::read(WEIGHTS).expect("weights");
    let (mut x, mut intervals, mut squares) = (vec![0.0; 2], 0, [0.0; 2]);
    let (mut worst_rk4, mut worst_exact) = (0.0_f64, 0.0_f64);
    let mut adaptive = DormandPrince::new(2, 1e-11, 1e-11, 10_000).expect("tolerances");
    let mut exact = vec![0.0; 2];
    for (name, values) in lines("neural-ode.txt") {
        if name == "start" {
            x = values[1..].to_vec();
            exact.clone_from(&x);
        } else if name == "interval" {
            let coolant = [values[1]];
            let known = model.advance(&mut x, Course::Hold(&coolant), HOLD, 2).expect("finite");
            let begin = exact.clone();
            let mut rates =
                |_: f64, x: &[f64], out: &mut [f64]| model.rates(x, &coolant, out).expect("finite");
            adaptive.integrate(&mut rates, 0.0, &begin, &[HOLD], &mut exact).expect("a solution");
            worst_rk4 = worst_rk4.max(far(&x, &values[4..6]));
            worst_exact = worst_exact.max(far(&exact, &values[6..8]));
            assert!(known, "the plant stays where the training data lies");
            for i in 0..2 {
                squares[i] += (x[i] - values[2 + i]).powi(2);
            }
            intervals += 1;
        }
    }
    let rmse = squares.map(|sum| (sum / f64::from(intervals)).sqrt());
    println!(
        "{intervals} intervals: RK4 {worst_rk4:.1e}, torchdiffeq dopri5 {worst_exact:.1e}, RMSE to the plant {rmse:?}"
    );
    assert_eq!(intervals, 600);
    assert!(worst_rk4 < 1e-9 && worst_exact < 1e-6, "{worst_rk4:e} {worst_exact:e}");
    // The nearest published figures are 0.02 kmol/m³ and 2.0 K, of an LSTM.
    assert!(rmse[0] < 0.01 && rmse[1] < 0.6, "{rmse:?}");
}

#[test]
fn inputs_are_held_or_ramped_and_never_averaged() {
    let mut model = NeuralOde::read(WEIGHTS).expect("weights");
    let run = |model: &mut NeuralOde, coolants: &[f64]| {
        let mut x = vec![0.85, 325.0];
        for coolant in coolants {
            model.advance(&mut x, Course::Hold(&[*coolant]), HOLD, 2).expect("finite");
        }
        x
    };
    let (early, late) = (run(&mut model, &[300.0, 292.0]), run(&mut model, &[292.0, 300.0]));
    assert!((early[1] - late[1]).abs() > 0.5, "when the coolant changes must count: {early:?} {late:?}");
    let (mut ramped, mut steps) = (vec![0.85, 325.0], vec![0.85, 325.0]);
    model.advance(&mut ramped, Course::Ramp(&[292.0], &[300.0]), HOLD, 50).expect("finite");
    for k in 0..50 {
        let middle = 292.0 + 8.0 * (f64::from(k) + 0.5) / 50.0;
        model.advance(&mut steps, Course::Hold(&[middle]), HOLD / 50.0, 1).expect("finite");
    }
    assert!(far(&ramped, &steps) < 1e-5, "{ramped:?} {steps:?}");
    let mut x = vec![0.85, 325.0];
    assert!(
        !model.advance(&mut x, Course::Ramp(&[300.0], &[310.0]), HOLD, 2).expect("finite"),
        "310 K was never seen"
    );
    assert!(!model.knows(&[0.85], &[300.0]) && !model.knows(&[0.85, f64::NAN], &[300.0]));
}

#[test]
fn a_forecast_says_how_sure_it_is() {
    let mut model = NeuralOde::read(WEIGHTS).expect("weights");
    let (mut inside, mut total) = (0, 0);
    let golden = lines("neural-ode.txt");
    for start in golden.iter().filter(|line| line.0 == "start") {
        let of_run = golden.iter().filter(|line| line.0 == "interval" && line.1[0] == start.1[0]);
        let rows: Vec<&[f64]> = of_run.map(|line| line.1.as_slice()).take(40).collect();
        let coolant: Vec<f64> = rows.iter().map(|row| row[1]).collect();
        let (mut means, mut deviations) = (vec![0.0; 80], vec![0.0; 80]);
        let spanned = model
            .forecast((&start.1[1..], &[0.0, 0.0]), &coolant, (HOLD, 2), &mut means, &mut deviations)
            .expect("a forecast");
        assert_eq!(spanned, 40);
        let mut x = start.1[1..].to_vec();
        for (k, row) in rows.iter().enumerate() {
            model.advance(&mut x, Course::Hold(&[row[1]]), HOLD, 2).expect("finite");
            assert_eq!(means[2 * k..2 * k + 2], x);
            for i in 0..2 {
                assert!(deviations[2 * k + i] > 0.0 && deviations[2 * k + i] < 20.0);
                inside += u32::from((row[2 + i] - x[i]).abs() <= 3.0 * deviations[2 * k + i]);
                total += 1;
            }
        }
    }
    println!("{inside} of {total} values of the plant within three deviations");
    assert_eq!(total, 400);
    assert!(f64::from(inside) > 0.95 * f64::from(total), "{inside} of {total}");
    let (mut means, mut deviations) = (vec![0.0; 6], vec![0.0; 6]);
    let unsure = model.forecast(
        (&[0.85, 325.0], &[0.01, 1.0]),
        &[295.0, 310.0, 295.0],
        (HOLD, 2),
        &mut means,
        &mut deviations,
    );
    assert_eq!(unsure, Ok(1), "from the second interval on nothing is known");
}

#[test]
fn weights_that_are_cut_short_or_changed_are_refused() {
    let lines: Vec<&str> = WEIGHTS.lines().collect();
    for keep in 0..lines.len() {
        let cut = lines[..keep].join("\n");
        let found = NeuralOde::read(&cut).expect_err("cut short").to_string();
        assert!(
            keep == 0 || found.contains("is missing, the file may be cut short"),
            "{keep} lines: {found}"
        );
    }
    for keep in (0..WEIGHTS.len() - 4).step_by(97) {
        assert!(NeuralOde::read(&WEIGHTS[..keep]).is_err(), "{keep} bytes");
    }
    let check = |from: &str, to: &str, says: &str| {
        assert!(WEIGHTS.contains(from), "{from}");
        let found = NeuralOde::read(&WEIGHTS.replacen(from, to, 1)).expect_err(says).to_string();
        assert!(found.contains(says), "{found} instead of {says}");
    };
    check("geminus-neural-ode 1", "geminus-neural-ode 2", "do not begin with");
    check("states 2", "states 0", "number 0 of the line states of the weights is \"0\"");
    check("states 2", "states 2 2", "the line states of the weights has 2 numbers, it must have 1");
    check("states 2", "states 99999999999999999999", "number 0 of the line states");
    check(
        "offset 0.75",
        "offset NaN",
        "number 0 of the line offset of the weights is \"NaN\", it must be a finite number",
    );
    check("offset 0.75", "offset 0.75 1.0", "the line offset of the weights has 4 numbers, it must have 3");
    check("scale 0.25", "scale 0", "number 0 of the line scale of the weights is \"0\", it must be above 0");
    check(
        "upper 1.0",
        "upper 0.1",
        "number 0 of the line upper of the weights is \"0.1\", it must be above lower",
    );
    check("residual 0", "residual -0", "the line residual of the weights");
    check("layers 3", "layers 4", "number 0 of the line layers");
    check("layers 3 16", "layers 3 5000", "number 1 of the line layers");
    check(
        "layers 3 16 16 2",
        "layers 3 8 16 2",
        "the line weight of the weights has 48 numbers, it must have 24",
    );
    check("layers 3 16 16 2", "layers 3", "the line layers of the weights has 1 numbers");
    check("\nend\n", "\nend\nmore\n", "go on after their end");
    let mut model = NeuralOde::read(WEIGHTS).expect("weights");
    let mut said = |x: &mut [f64], u: &[f64], substeps| {
        model.advance(x, Course::Hold(u), HOLD, substeps).expect_err("refused").to_string()
    };
    assert!(said(&mut [0.8], &[300.0], 2).starts_with("x has 1 numbers, give 2"));
    assert!(said(&mut [0.8, 330.0], &[f64::NAN], 2).starts_with("u[0] is NaN"));
    assert!(said(&mut [0.8, 330.0], &[300.0], 0).starts_with("steps is empty"));
    let mut forecast = |u: &[f64], means: &mut [f64], deviations: &mut [f64]| {
        model
            .forecast((&[0.8, 330.0], &[0.0, 0.0]), u, (HOLD, 2), means, deviations)
            .expect_err("refused")
            .to_string()
    };
    assert!(forecast(&[], &mut [], &mut []).starts_with("means has 0 numbers, give 2"));
    assert!(forecast(&[300.0], &mut [0.0; 3], &mut [0.0; 2]).starts_with("means has 3 numbers"));
    assert!(forecast(&[300.0; 2], &mut [0.0; 2], &mut [0.0; 2]).starts_with("u has 2 numbers, give 1"));
    assert!(forecast(&[300.0], &mut [0.0; 20_002], &mut [0.0; 2]).starts_with("means asks for 10001"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn two_intervals_equal_one_of_their_sum(rate in -2.0_f64..2.0, first in 0.01_f64..2.0, second in 0.01_f64..2.0) {
        let mut f = |_: f64, x: &[f64], r: &mut [f64]| r[0] = rate * x[0];
        let mut solver = DormandPrince::new(1, 1e-10, 1e-10, 10_000).expect("tolerances");
        let mut out = [0.0; 2];
        solver.integrate(&mut f, 0.0, &[1.5], &[first, first + second], &mut out).expect("a solution");
        for (out, t) in out.iter().zip([first, first + second]) {
            prop_assert!(far(&[*out], &[1.5 * (rate * t).exp()]) < 1e-7);
        }
    }

    #[test]
    fn no_text_makes_it_panic(seed in any::<u64>()) {
        let mut draw = uniform(seed);
        let mut bytes = WEIGHTS.as_bytes().to_vec();
        for _ in 0..3 {
            let at = (draw() * bytes.len() as f64) as usize;
            bytes[at] = b" 0e9.-\nxN"[(draw() * 9.0) as usize];
        }
        let text = String::from_utf8(bytes).expect("still text");
        if let Ok(mut model) = NeuralOde::read(&text) {
            let mut x = vec![0.8, 320.0];
            let advanced = model.advance(&mut x, Course::Hold(&[298.0]), HOLD, 2);
            prop_assert!(advanced.is_err() || x.iter().all(|x| x.is_finite()));
        }
    }
}
