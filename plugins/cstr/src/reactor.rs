//! The reactor: its balances of substance and heat, how they move over an interval, and how a small error moves with them.
//! `estimate` filters with it.
#![expect(non_snake_case, reason = "A, F are the names of the field")]

use geminus_models::{SMatrix, SVector};
use geminus_sdk::math;

use crate::ReactorParameters;

/// State: concentration (mol/L), temperature (K), concentration of the feed (mol/L).
pub type State = SVector<f64, 3>;

/// 0 °C in kelvin.
pub const ZERO_CELSIUS_K: f64 = 273.15;
/// Longest step of the integration, minutes.
pub const STEP_MIN: f64 = 0.1;

/// What is held from one row to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// Flow of the feed, L/min.
    pub flow: f64,
    /// Temperature of the feed, K.
    pub feed_k: f64,
    /// Temperature of the jacket, K.
    pub jacket_k: f64,
}

/// The balances while something is held.
#[derive(Clone, Copy, Debug)]
pub struct Balance<'a> {
    parameters: &'a ReactorParameters,
    held: Held,
    /// How often the content is exchanged, 1/min.
    exchange: f64,
    /// Rise for each mole that reacts in a litre, K L/mol.
    rise: f64,
    /// How fast the jacket takes heat, 1/min.
    cooling: f64,
}

impl<'a> Balance<'a> {
    /// Of a reactor.
    #[must_use]
    pub fn new(parameters: &'a ReactorParameters, held: Held) -> Self {
        let capacity = parameters.volume * parameters.heat_capacity;
        Self {
            parameters,
            held,
            exchange: held.flow / parameters.volume,
            rise: parameters.reaction_heat / parameters.heat_capacity,
            // W are 0.06 kJ/min.
            cooling: 0.06 * parameters.jacket_conductance / capacity,
        }
    }

    /// Part of the substance that reacts in a minute.
    fn reaction(&self, temperature_k: f64) -> f64 {
        self.parameters.rate_constant * math::exp(-self.parameters.activation_temperature / temperature_k)
    }

    /// Change of each state in a minute.
    #[must_use]
    pub fn rates(&self, x: &State) -> State {
        let reacts = self.reaction(x.y) * x.x;
        State::new(
            self.exchange * (x.z - x.x) - reacts,
            self.exchange * (self.held.feed_k - x.y)
                + self.rise * reacts
                + self.cooling * (self.held.jacket_k - x.y),
            0.0,
        )
    }

    /// Heat of the reaction, kW.
    #[must_use]
    pub fn heat_kw(&self, x: &State) -> f64 {
        self.reaction(x.y) * x.x * self.parameters.volume * self.parameters.reaction_heat / 60.0
    }

    /// The concentration at which as much comes in as goes out and reacts, at this temperature.
    #[must_use]
    pub fn settled(&self, temperature_k: f64, feed_concentration: f64) -> f64 {
        let lost = self.exchange + self.reaction(temperature_k);
        if lost > 0.0 { feed_concentration * self.exchange / lost } else { feed_concentration }
    }

    /// The Jacobian of the rates, 1/min.
    fn A(&self, x: &State) -> SMatrix<f64, 3, 3> {
        let reaction = self.reaction(x.y);
        let steeper = reaction * self.parameters.activation_temperature / (x.y * x.y) * x.x;
        SMatrix::<f64, 3, 3>::new(
            -self.exchange - reaction,
            -steeper,
            self.exchange,
            self.rise * reaction,
            self.rise * steeper - self.exchange - self.cooling,
            0.0,
            0.0,
            0.0,
            0.0,
        )
    }

    /// One step of `step_min` minutes by Runge and Kutta's fourth order: the state, and the matrix by which a small error moves.
    #[must_use]
    pub fn step(&self, x: &State, step_min: f64) -> (State, SMatrix<f64, 3, 3>) {
        let half = 0.5 * step_min;
        let one = SMatrix::<f64, 3, 3>::identity();
        let (k1, K1) = (self.rates(x), self.A(x));
        let x2 = x + k1 * half;
        let (k2, K2) = (self.rates(&x2), self.A(&x2) * (one + K1 * half));
        let x3 = x + k2 * half;
        let (k3, K3) = (self.rates(&x3), self.A(&x3) * (one + K2 * half));
        let x4 = x + k3 * step_min;
        let (k4, K4) = (self.rates(&x4), self.A(&x4) * (one + K3 * step_min));
        let sixth = step_min / 6.0;
        (x + (k1 + (k2 + k3) * 2.0 + k4) * sixth, one + (K1 + (K2 + K3) * 2.0 + K4) * sixth)
    }

    /// How many steps of at most [`STEP_MIN`] an interval has, and how long each is.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an interval has at most 100 steps, cut by `min`"
    )]
    pub fn steps(dt_min: f64) -> (u32, f64) {
        let steps = math::ceil(dt_min / STEP_MIN).clamp(1.0, 1e4);
        (steps as u32, dt_min / steps)
    }
}
