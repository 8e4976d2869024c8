//! Steps one model of the SDK a row: the guest behind the lines `models.*` of `geminus bench`, and no plugin that ships.
//!
//! The parameter `model` says which. `kind` names the models and makes the rows that they are measured with, `tracking` has
//! the filters, `learned` what was fitted or trained, `control` predictive control, and this file is what the host sees.
//! What a model remembers lies in the state where it is a belief, as in a plugin; a cloud of particles, a window and the plan
//! of a controller lie beside it, since nobody saves or swaps this guest.

mod control;
mod kind;
mod learned;
mod tracking;

use std::cell::RefCell;
use std::fmt;

use geminus_models::{SMatrix, SVector};
use geminus_sdk::prelude::*;

pub use kind::{INTERVAL_S, Kind};
pub use tracking::PARTICLES;

/// What is measured; what the three mean depends on the model.
#[derive(Clone, Copy, Debug, Inputs)]
pub struct Measured {
    /// First input of the model.
    #[input(unit = "1", event)]
    pub first: Reading,
    /// Second input of the model.
    #[input(unit = "1", event)]
    pub second: Reading,
    /// Third input of the model.
    #[input(unit = "1", event)]
    pub third: Reading,
}

/// What the model says.
#[derive(Clone, Copy, Debug, PartialEq, Outputs)]
pub struct Said {
    /// What is estimated, forecast or moved to.
    #[output(unit = "1", role = "estimate")]
    pub estimate: f64,
    /// How sure that is, where the model tells.
    #[output(unit = "1", role = "deviation", of = "estimate")]
    pub estimate_deviation: Option<f64>,
    /// Health, where it is judged.
    #[output(unit = "1", role = "health-index")]
    pub health: Option<f64>,
}

/// Which model.
#[derive(Clone, Debug, Parameters)]
pub struct Chosen {
    /// Its name, as in the line of the bench: `kalman` for `models.kalman`.
    pub model: String,
}

/// What is remembered from row to row. Schema 1.
#[derive(Clone, Debug, Default, PartialEq, State)]
#[state(schema = 1)]
pub struct Memory {
    /// What a filter believes; none before its first row.
    pub belief: Option<Belief>,
}

/// Mean and covariance of a position and its velocity.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Belief {
    /// Mean.
    #[state(via = [f64; 4])]
    pub x: SVector<f64, 4>,
    /// Covariance.
    #[state(via = [[f64; 4]; 4])]
    pub p: SMatrix<f64, 4, 4>,
}

/// One model at work.
trait Model: fmt::Debug {
    /// Takes one row.
    fn step(&mut self, belief: &mut Option<Belief>, measured: [f64; 3]) -> Result<Said, Fault>;
}

/// A twin of the bench.
#[derive(Debug)]
pub struct BenchModels {
    model: RefCell<Box<dyn Model>>,
}

#[estimator(budget(fuel_per_row = 20_000_000, memory_bytes = 134_217_728))]
impl Behavior for BenchModels {
    fn open(parameters: Chosen, opening: &Opening<'_>) -> Result<Self, Fault> {
        let Some(kind) = Kind::named(&parameters.model) else {
            let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            return Err(Fault::parameter("model", format!("is not known, known are: {}", known.join(", "))));
        };
        let model: Box<dyn Model> = match kind {
            Kind::Kalman => Box::new(tracking::Linear::new()),
            Kind::Extended => Box::new(tracking::Linearised::new()),
            Kind::Unscented => Box::new(tracking::Sampled::new()),
            Kind::Particle => Box::new(tracking::Cloud::new(opening.seed)),
            Kind::GaussianProcess => Box::new(learned::Surrogate::new()?),
            Kind::NeuralOde => Box::new(learned::Reactor::new()?),
            Kind::Lstm => Box::new(learned::Sequence::new()?),
            Kind::Mpc => Box::new(control::Level::new()?),
            Kind::Fleet => Box::new(learned::Watched::new()?),
        };
        Ok(Self { model: RefCell::new(model) })
    }

    fn start(&self) -> Memory {
        Memory::default()
    }

    fn step(&self, memory: &mut Memory, row: &mut Row<Measured>) -> Result<Said, Fault> {
        let Measured { first, second, third } = &row.inputs;
        let (Some(first), Some(second), Some(third)) = (first.value(), second.value(), third.value()) else {
            return Err(Fault::input("has a reading without a value: every row of the bench has all three"));
        };
        self.model.borrow_mut().step(&mut memory.belief, [first, second, third])
    }
}
