//! Linear model predictive control: the inputs over a horizon that bring the outputs to their references at least cost,
//! within limits of inputs, of their moves, and of outputs. The first of them is the move.
//!
//! ```text
//! x⁺ = F x + G u + w,   y = C x
//! min Σ_{k=1…H} |y_k − r|²_Qy + Σ_{k=0…H−1} |u_k − u_{k−1}|²_Rd + |u_k − u*|²_Ru  (+ ρ ε + ρ ε²)
//! ```
//!
//! `w` is a disturbance that stays: with an estimate of it the outputs come to their references without a rest. Limits of
//! outputs may be softened by one excess `ε` in the outputs' unit at price `ρ`, so that a disturbance never leaves the
//! plant without a move. The states are eliminated (condensed form), factors and buffers are made once, a step allocates
//! nothing. Source: Maciejowski, *Predictive Control with Constraints*, ch. 2 and 3.
#![expect(
    clippy::indexing_slicing,
    reason = "indices run over the horizon and the dimensions that stand in the types"
)]
#![expect(non_snake_case, reason = "F, G, C are the names of the field")]

use nalgebra::{SMatrix, SVector};

use crate::bad_input::{self, BadInput};
use crate::quadratic::{Quadratic, QuadraticError, Start};

/// Most intervals of the horizon.
pub const HORIZON_MAX: usize = 100;

/// The plant over one interval: `N` states, `M` inputs, `P` outputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plant<const N: usize, const M: usize, const P: usize> {
    /// State transition.
    pub F: SMatrix<f64, N, N>,
    /// Effect of the inputs.
    pub G: SMatrix<f64, N, M>,
    /// What is controlled of the state.
    pub C: SMatrix<f64, P, N>,
}

/// What counts, and how much. Weights are for squares of the unit of what they weigh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim<const M: usize, const P: usize> {
    /// Of outputs away from their references, 0 or more.
    pub output_weight: SVector<f64, P>,
    /// Of inputs that move, 0 or more.
    pub move_weight: SVector<f64, M>,
    /// Of inputs away from where they are wanted, 0 or more. This or the weight of moves must be above 0.
    pub input_weight: SVector<f64, M>,
    /// Price of the outputs' excess, above 0; `None` makes their limits hard.
    pub excess_price: Option<f64>,
}

/// What may not be left. Infinite where there is no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits<const M: usize, const P: usize> {
    /// Lowest and highest inputs.
    pub input: (SVector<f64, M>, SVector<f64, M>),
    /// Largest change of an input from one interval to the next, above 0.
    pub move_max: SVector<f64, M>,
    /// Lowest and highest outputs.
    pub output: (SVector<f64, P>, SVector<f64, P>),
}

/// What is so now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now<const N: usize, const M: usize, const P: usize> {
    /// State.
    pub x: SVector<f64, N>,
    /// Disturbance of each interval, in units of the state.
    pub w: SVector<f64, N>,
    /// Inputs that are in force.
    pub u: SVector<f64, M>,
    /// Where the outputs shall be.
    pub reference: SVector<f64, P>,
    /// Where the inputs are wanted.
    pub input_wanted: SVector<f64, M>,
}

/// The first move, and what comes of the plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move<const M: usize, const P: usize> {
    /// Inputs of the next interval.
    pub u: SVector<f64, M>,
    /// Outputs that are expected at its end.
    pub next: SVector<f64, P>,
    /// Outputs that are expected at the end of the horizon.
    pub last: SVector<f64, P>,
    /// By how much outputs are planned to leave their limits, in their unit.
    pub excess: f64,
    /// Steps of the solver.
    pub iterations: usize,
}

/// A controller with its factors and buffers.
#[derive(Clone, Debug, PartialEq)]
pub struct Mpc<const N: usize, const M: usize, const P: usize> {
    plant: Plant<N, M, P>,
    aim: Aim<M, P>,
    limits: Limits<M, P>,
    horizon: usize,
    /// C F^k G for k below the horizon: what an input does to the outputs k + 1 intervals later.
    effects: Vec<SMatrix<f64, P, M>>,
    program: Quadratic,
    /// Outputs without inputs; the gradient; bounds of the rows.
    free: Vec<SVector<f64, P>>,
    q: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl<const N: usize, const M: usize, const P: usize> Mpc<N, M, P> {
    /// A controller that looks `horizon` intervals ahead.
    ///
    /// # Errors
    /// For what is not finite, limits out of order, weights below 0, none on an input at all, and a horizon of 0 or more
    /// than 100 intervals.
    pub fn new(
        plant: Plant<N, M, P>,
        aim: Aim<M, P>,
        limits: Limits<M, P>,
        horizon: usize,
    ) -> Result<Self, QuadraticError> {
        check(&plant, &aim, &limits, horizon)?;
        let mut effects = Vec::with_capacity(horizon);
        let mut reach = plant.G;
        for _ in 0..horizon {
            effects.push(plant.C * reach);
            reach = plant.F * reach;
        }
        let n = horizon * M + usize::from(aim.excess_price.is_some());
        let hessian = hessian(&aim, &effects, n);
        let rows = rows(&aim, &effects, n);
        let program = Quadratic::new(&hessian, &rows, n)?;
        let count = rows.len() / n;
        let (q, lower, upper) = (vec![0.0; n], vec![0.0; count], vec![0.0; count]);
        let free = vec![SVector::zeros(); horizon];
        Ok(Self { plant, aim, limits, horizon, effects, program, free, q, lower, upper })
    }

    /// The move that is best now. A `Cold` start depends on nothing but `now`, so that a replay gives the same bits.
    ///
    /// # Errors
    /// For what is not finite, and when no plan keeps hard limits.
    pub fn solve(&mut self, now: &Now<N, M, P>, start: Start) -> Result<Move<M, P>, QuadraticError> {
        bad_input::finite("x", now.x.as_slice(), N)?;
        bad_input::finite("w", now.w.as_slice(), N)?;
        bad_input::finite("u", now.u.as_slice(), M)?;
        bad_input::finite("reference", now.reference.as_slice(), P)?;
        bad_input::finite("input_wanted", now.input_wanted.as_slice(), M)?;
        let mut x = now.x;
        for free in &mut self.free {
            x = self.plant.F * x + now.w;
            *free = self.plant.C * x;
        }
        self.set_gradient(now);
        self.set_bounds(now);
        let plan = self.program.solve(&self.q, &self.lower, &self.upper, start)?;
        let output = |interval: usize| {
            let mut y = self.free[interval];
            for j in 0..=interval {
                y += self.effects[interval - j]
                    * SVector::<f64, M>::from_column_slice(&plan[j * M..(j + 1) * M]);
            }
            y
        };
        Ok(Move {
            u: SVector::from_column_slice(&plan[..M]),
            next: output(0),
            last: output(self.horizon - 1),
            excess: plan.get(self.horizon * M).map_or(0.0, |excess| excess.max(0.0)),
            iterations: self.program.iterations(),
        })
    }

    fn set_gradient(&mut self, now: &Now<N, M, P>) {
        for j in 0..self.horizon {
            let mut sum = -2.0 * self.aim.input_weight.component_mul(&now.input_wanted);
            if j == 0 {
                sum -= 2.0 * self.aim.move_weight.component_mul(&now.u);
            }
            for k in j..self.horizon {
                let away = self.aim.output_weight.component_mul(&(self.free[k] - now.reference));
                sum += 2.0 * self.effects[k - j].transpose() * away;
            }
            self.q[j * M..(j + 1) * M].copy_from_slice(sum.as_slice());
        }
        if let (Some(price), Some(excess)) = (self.aim.excess_price, self.q.get_mut(self.horizon * M)) {
            *excess = price;
        }
    }

    /// In the order of `rows`.
    fn set_bounds(&mut self, now: &Now<N, M, P>) {
        let (mut at, limits) = (0, &self.limits);
        let (lower, upper) = (&mut self.lower, &mut self.upper);
        let mut put = |low: f64, high: f64| {
            (lower[at], upper[at]) = (low, high);
            at += 1;
        };
        for _ in 0..self.horizon {
            for i in 0..M {
                put(limits.input.0[i], limits.input.1[i]);
            }
        }
        for j in 0..self.horizon {
            for i in 0..M {
                let from = if j == 0 { now.u[i] } else { 0.0 };
                put(from - limits.move_max[i], from + limits.move_max[i]);
            }
        }
        for free in &self.free {
            for i in 0..P {
                let (low, high) = (limits.output.0[i] - free[i], limits.output.1[i] - free[i]);
                if self.aim.excess_price.is_some() {
                    put(low, f64::INFINITY);
                    put(f64::NEG_INFINITY, high);
                } else {
                    put(low, high);
                }
            }
        }
        if self.aim.excess_price.is_some() {
            put(0.0, f64::INFINITY);
        }
    }
}

fn check<const N: usize, const M: usize, const P: usize>(
    plant: &Plant<N, M, P>,
    aim: &Aim<M, P>,
    limits: &Limits<M, P>,
    horizon: usize,
) -> Result<(), BadInput> {
    for (field, values) in [("F", plant.F.as_slice()), ("G", plant.G.as_slice()), ("C", plant.C.as_slice())] {
        bad_input::finite(field, values, values.len())?;
    }
    for (field, values) in [
        ("output_weight", aim.output_weight.as_slice()),
        ("move_weight", aim.move_weight.as_slice()),
        ("input_weight", aim.input_weight.as_slice()),
    ] {
        bad_input::finite(field, values, values.len())?;
        bad_input::within(field, values, "0 or more", |value| value >= 0.0)?;
    }
    let moved = aim.move_weight + aim.input_weight;
    bad_input::within("move_weight", moved.as_slice(), "above 0 where input_weight is 0", |weight| {
        weight > 0.0
    })?;
    if let Some(price) = aim.excess_price {
        bad_input::finite("excess_price", &[price], 1)?;
        bad_input::within("excess_price", &[price], "above 0", |price| price > 0.0)?;
    }
    bad_input::within("move_max", limits.move_max.as_slice(), "above 0", |value| value > 0.0)?;
    for (field, (low, high)) in [
        ("input limits", (limits.input.0.as_slice(), limits.input.1.as_slice())),
        ("output limits", (limits.output.0.as_slice(), limits.output.1.as_slice())),
    ] {
        for (index, (low, high)) in low.iter().zip(high).enumerate() {
            if !(low < high && *low < f64::INFINITY && *high > f64::NEG_INFINITY) {
                return Err(BadInput::Range { field, index, value: *low, must: "below the highest" });
            }
        }
    }
    if horizon == 0 || N == 0 || M == 0 || P == 0 {
        return Err(BadInput::Empty { field: "horizon", least: 1 });
    }
    if horizon > HORIZON_MAX {
        return Err(BadInput::TooMany { field: "horizon", found: horizon, most: HORIZON_MAX });
    }
    Ok(())
}

/// Twice the squares' weights, over u_0 … u_{H−1} and the excess.
fn hessian<const M: usize, const P: usize>(
    aim: &Aim<M, P>,
    effects: &[SMatrix<f64, P, M>],
    n: usize,
) -> Vec<f64> {
    let horizon = effects.len();
    let mut hessian = vec![0.0; n * n];
    for i in 0..horizon {
        for j in 0..horizon {
            let mut block = SMatrix::<f64, M, M>::zeros();
            for k in i.max(j)..horizon {
                let weighted =
                    SMatrix::<f64, P, M>::from_fn(|p, m| aim.output_weight[p] * effects[k - j][(p, m)]);
                block += 2.0 * effects[k - i].transpose() * weighted;
            }
            for m in 0..M {
                // A move has both its inputs; the last input is in one move only.
                let moves = if i == j && i + 1 < horizon { 4.0 } else { 2.0 };
                if i == j {
                    block[(m, m)] += moves * aim.move_weight[m] + 2.0 * aim.input_weight[m];
                } else if i.abs_diff(j) == 1 {
                    block[(m, m)] -= 2.0 * aim.move_weight[m];
                }
                for other in 0..M {
                    hessian[(i * M + m) * n + j * M + other] = block[(m, other)];
                }
            }
        }
    }
    if let Some(price) = aim.excess_price {
        hessian[n * n - 1] = 2.0 * price;
    }
    hessian
}

/// Inputs, moves, outputs (twice with their excess), the excess itself.
fn rows<const M: usize, const P: usize>(
    aim: &Aim<M, P>,
    effects: &[SMatrix<f64, P, M>],
    n: usize,
) -> Vec<f64> {
    let (horizon, soft) = (effects.len(), aim.excess_price.is_some());
    let mut rows = Vec::new();
    let mut row = vec![0.0; n];
    for at in 0..horizon * M {
        row.fill(0.0);
        row[at] = 1.0;
        rows.extend_from_slice(&row);
    }
    for at in 0..horizon * M {
        row.fill(0.0);
        row[at] = 1.0;
        if at >= M {
            row[at - M] = -1.0;
        }
        rows.extend_from_slice(&row);
    }
    for k in 0..horizon {
        for p in 0..P {
            row.fill(0.0);
            for j in 0..=k {
                for m in 0..M {
                    row[j * M + m] = effects[k - j][(p, m)];
                }
            }
            if soft {
                for sign in [1.0, -1.0] {
                    row[n - 1] = sign;
                    rows.extend_from_slice(&row);
                }
            } else {
                rows.extend_from_slice(&row);
            }
        }
    }
    if soft {
        row.fill(0.0);
        row[n - 1] = 1.0;
        rows.extend_from_slice(&row);
    }
    rows
}
