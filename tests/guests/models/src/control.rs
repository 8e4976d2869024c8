//! Predictive control of a level by a valve that lags: limits of the valve and of its moves bind after each change of the
//! set point.

use geminus_models::mpc::{Aim, Limits, Mpc, Now, Plant};
use geminus_models::quadratic::Start;
use geminus_models::{SMatrix, SVector};
use geminus_sdk::Fault;

use crate::{Belief, Model, Said};

/// Intervals that it looks ahead.
const HORIZON: usize = 20;
/// Part of the valve's opening that is left after an interval.
const LAG: f64 = 0.7;
/// How much an opening fills in an interval.
const FILLING: f64 = 0.1;
/// Highest opening, either way.
const OPENING_MAX: f64 = 1.0;
/// How far the valve moves in an interval.
const MOVE_MAX: f64 = 0.3;
/// What moves count beside the level.
const MOVE_WEIGHT: f64 = 0.1;

/// A controller and the plant it controls, which is what the model says.
#[derive(Debug)]
pub(crate) struct Level {
    controller: Mpc<2, 1, 1>,
    plant: Plant<2, 1, 1>,
    x: SVector<f64, 2>,
    u: SVector<f64, 1>,
}

impl Level {
    pub(crate) fn new() -> Result<Self, Fault> {
        let plant = Plant {
            F: SMatrix::from_row_slice(&[LAG, 0.0, FILLING, 1.0]),
            G: SMatrix::from_row_slice(&[1.0 - LAG, 0.0]),
            C: SMatrix::from_row_slice(&[0.0, 1.0]),
        };
        let one = SVector::from([1.0]);
        let aim = Aim {
            output_weight: one,
            move_weight: one * MOVE_WEIGHT,
            input_weight: one * 0.0,
            excess_price: None,
        };
        let endless = one * f64::INFINITY;
        let limits = Limits {
            input: (one * -OPENING_MAX, one * OPENING_MAX),
            move_max: one * MOVE_MAX,
            output: (-endless, endless),
        };
        let controller = Mpc::new(plant, aim, limits, HORIZON).map_err(Fault::other)?;
        Ok(Self { controller, plant, x: SVector::zeros(), u: SVector::zeros() })
    }
}

impl Model for Level {
    fn step(&mut self, _: &mut Option<Belief>, [reference, ..]: [f64; 3]) -> Result<Said, Fault> {
        let now = Now {
            x: self.x,
            w: SVector::zeros(),
            u: self.u,
            reference: SVector::from([reference]),
            input_wanted: SVector::zeros(),
        };
        self.u = self.controller.solve(&now, Start::Warm).map_err(Fault::other)?.u;
        self.x = self.plant.F * self.x + self.plant.G * self.u;
        Ok(Said { estimate: self.u.x, estimate_deviation: None, health: None })
    }
}
