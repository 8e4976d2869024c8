//! The model of the two tanks, and its controller: linear around the level that is wanted.
//!
//! ```text
//! A₁ dh₁/dt = p u − a₁ √(2 g h₁)                A₂ dh₂/dt = a₁ √(2 g h₁) − a₂ √(2 g h₂)
//! ```
//!
//! Where the flows balance, both pass `q = a₂ √(2 g h₂)`; around it tank i has the time constant `A_i √(2 h_i / g) / a_i`.
//! Inputs of the linear model are the speed's part of the flow and, for each tank, a rate of its level that the model does
//! not know.

use geminus_models::mpc::{Aim, Limits, Mpc, Plant};
use geminus_models::{SMatrix, SVector, ZeroOrderHold};
use geminus_sdk::{Fault, math};

use crate::TankParameters;

/// m/s²
const GRAVITY: f64 = 9.806_65;
/// Intervals of a plan.
const HORIZON: u16 = 10;
/// Price of leaving the limits of a level by `level_error`, in errors of that size.
const EXCESS_PRICE: f64 = 100.0;

/// Around which the model is linear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Balance {
    /// Levels, upper and lower, m.
    pub(crate) levels: SVector<f64, 2>,
    /// %
    pub(crate) speed: f64,
}

/// The linear model in continuous time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tanks {
    pub(crate) balance: Balance,
    rates: SMatrix<f64, 2, 2>,
    effects: SMatrix<f64, 2, 3>,
}

impl Tanks {
    /// # Errors
    /// When the levels or the speed of the balance are outside their limits.
    pub(crate) fn new(p: &TankParameters) -> Result<Self, Fault> {
        let flow = p.lower_outlet * math::sqrt(2.0 * GRAVITY * p.level_wanted);
        let upper = (flow / p.upper_outlet) * (flow / p.upper_outlet) / (2.0 * GRAVITY);
        let speed = 100.0 * flow / p.pump_flow;
        if !(p.level_lowest..=p.level_highest).contains(&upper) {
            let reason = format!("at level_wanted the upper tank stands at {upper:.3} m, outside its limits");
            return Err(Fault::parameter("upper_outlet", reason));
        }
        if !(p.speed_lowest..=p.speed_highest).contains(&speed) {
            let reason = format!("level_wanted takes a speed of {speed:.1} %, outside its limits");
            return Err(Fault::parameter("pump_flow", reason));
        }
        // d(a √(2 g h))/dh = a √(g / (2 h)), m²/s.
        let (first, second) = (
            p.upper_outlet * math::sqrt(GRAVITY / (2.0 * upper)),
            p.lower_outlet * math::sqrt(GRAVITY / (2.0 * p.level_wanted)),
        );
        let rates =
            SMatrix::from([[-first / p.upper_area, first / p.lower_area], [0.0, -second / p.lower_area]]);
        let pump = p.pump_flow / 100.0 / p.upper_area;
        let effects = SMatrix::from([[pump, 0.0], [1.0, 0.0], [0.0, 1.0]]);
        let levels = SVector::from([upper, p.level_wanted]);
        Ok(Self { balance: Balance { levels, speed }, rates, effects })
    }

    /// Over an interval.
    pub(crate) fn over(&self, seconds: f64) -> ZeroOrderHold<2, 3> {
        ZeroOrderHold::new(&self.rates, &self.effects, &SMatrix::zeros(), seconds)
    }

    /// Both levels are outputs, of which only the lower one has a reference.
    ///
    /// # Errors
    /// When the parameters make no controller.
    pub(crate) fn control(&self, p: &TankParameters) -> Result<Mpc<2, 1, 2>, Fault> {
        let model = self.over(p.interval);
        let plant =
            Plant { F: model.F, G: model.G.fixed_columns::<1>(0).into_owned(), C: SMatrix::identity() };
        let error = 1.0 / (p.level_error * p.level_error);
        let aim = Aim {
            output_weight: SVector::from([0.0, error]),
            move_weight: SVector::from([1.0 / (p.speed_move * p.speed_move)]),
            input_weight: SVector::from([0.0]),
            excess_price: Some(EXCESS_PRICE * error),
        };
        let limits = Limits {
            input: (
                SVector::from([p.speed_lowest - self.balance.speed]),
                SVector::from([p.speed_highest - self.balance.speed]),
            ),
            move_max: SVector::from([p.step_max]),
            output: (
                SVector::repeat(p.level_lowest) - self.balance.levels,
                SVector::repeat(p.level_highest) - self.balance.levels,
            ),
        };
        Mpc::new(plant, aim, limits, usize::from(HORIZON))
            .map_err(|error| Fault::parameter("interval", error))
    }

    /// Seconds that a plan looks ahead.
    pub(crate) fn ahead_s(p: &TankParameters) -> f64 {
        f64::from(HORIZON) * p.interval
    }
}
