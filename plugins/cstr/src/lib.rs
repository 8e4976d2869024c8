//! Estimates what is seldom measured in a stirred tank reactor: the concentration in it and in its feed, from its temperatures
//! and flow, with now and then a value of the laboratory. Tells when the reaction heats more than is carried away.
//!
//! `parameters` says what a site may set, `reactor` holds the balances, `estimate` takes one row through an extended Kalman
//! filter, and this file is what the host sees. The equations, their sources and what the numbers mean stand in the README.

mod estimate;
mod parameters;
pub mod reactor;

use geminus_models::{SMatrix, SVector};
use geminus_sdk::prelude::*;

use estimate::{Seen, advance, surprises};
pub use parameters::ReactorParameters;
use reactor::{Balance, Held};

/// What the sensors of the reactor say.
#[derive(Clone, Copy, Debug, Inputs)]
pub struct Measured {
    /// Temperature in the tank. Each reading counts once, in the row of its time.
    #[input(unit = "Cel", event)]
    pub temperature: Reading,
    /// Concentration in the tank, where an analyser or a laboratory tells it.
    #[input(unit = "mol/L", event, optional)]
    pub concentration: Reading,
    /// Temperature of the feed. It holds until the next reading.
    #[input(unit = "Cel", hold)]
    pub feed_temperature: Reading,
    /// Flow of the feed; as much leaves the tank.
    #[input(unit = "L/min", hold)]
    pub feed_flow: Reading,
    /// Temperature of the jacket.
    #[input(unit = "Cel", hold)]
    pub jacket_temperature: Reading,
}

/// What is estimated. Deviations are 1 σ.
#[derive(Clone, Copy, Debug, Outputs)]
pub struct Estimated {
    /// Concentration in the tank.
    #[output(unit = "mol/L", role = "estimate", of = "concentration")]
    pub concentration_estimate: Output,
    /// How sure that is.
    #[output(unit = "mol/L", role = "deviation", of = "concentration_estimate")]
    pub concentration_estimate_deviation: Option<f64>,
    /// Temperature in the tank, without the noise of its sensor.
    #[output(unit = "Cel", role = "estimate", of = "temperature")]
    pub temperature_estimate: Output,
    /// How sure that is.
    #[output(unit = "K", role = "deviation", of = "temperature_estimate")]
    pub temperature_estimate_deviation: Option<f64>,
    /// Concentration of the feed.
    #[output(unit = "mol/L", role = "estimate")]
    pub feed_concentration: Output,
    /// How sure that is.
    #[output(unit = "mol/L", role = "deviation", of = "feed_concentration")]
    pub feed_concentration_deviation: Option<f64>,
    /// Part of the feed's substance that has reacted.
    #[output(unit = "1", role = "estimate")]
    pub conversion: Output,
    /// Heat that the reaction gives.
    #[output(unit = "kW", role = "estimate")]
    pub reaction_heat: Output,
    /// How fast the temperature rises by the balance of now; missing when flow, feed or jacket are not known.
    #[output(unit = "K/min", role = "estimate")]
    pub temperature_rise: Output,
    /// Measured minus predicted temperature; missing when it was not measured.
    #[output(unit = "K", role = "innovation", of = "temperature")]
    pub innovation: Option<f64>,
    /// Normalised innovation squared of all that was measured in this row: mean 1 with the temperature alone, 2 with both.
    #[output(unit = "1", role = "nis", of = "temperature")]
    pub nis: Option<f64>,
}

/// What deserves attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Alerts)]
pub enum Alarm {
    /// The reaction heats the tank faster than feed and jacket carry away.
    #[alert(priority = "high", unit = "K/min")]
    Runaway,
    /// Measurements contradict the balances: a sensor, the cooling, the catalyst, or the parameters are wrong.
    #[alert(priority = "medium", unit = "1")]
    Inconsistent,
}

/// What is remembered from row to row. Schema 1.
#[derive(Clone, Debug, Default, PartialEq, State)]
#[state(schema = 1)]
pub struct Memory {
    /// What is believed; none before temperature, flow, feed and jacket were told in one row.
    pub belief: Option<Belief>,
    /// Flow (L/min), temperatures of feed and jacket (K) since the last row; none when one is not known.
    pub held: Option<[f64; 3]>,
    /// Which of the last 16 rows surprised beyond the 99 % gate, newest in the lowest bit.
    pub surprises: u16,
}

impl Memory {
    fn held(&self) -> Option<Held> {
        self.held.map(|[flow, feed_k, jacket_k]| Held { flow, feed_k, jacket_k })
    }

    fn hold(&mut self, held: Option<Held>) {
        self.held = held.map(|held| [held.flow, held.feed_k, held.jacket_k]);
    }
}

/// Mean and covariance of concentration (mol/L), temperature (K) and the feed's concentration (mol/L).
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Belief {
    /// Mean.
    #[state(via = [f64; 3])]
    pub x: SVector<f64, 3>,
    /// Covariance.
    #[state(via = [[f64; 3]; 3])]
    pub p: SMatrix<f64, 3, 3>,
}

/// A reactor whose concentration is followed.
#[derive(Debug)]
pub struct Cstr {
    parameters: ReactorParameters,
}

#[estimator(warm_up_rows = 30, budget(fuel_per_row = 1_000_000, memory_bytes = 67_108_864))]
impl Behavior for Cstr {
    fn open(parameters: ReactorParameters, _: &Opening<'_>) -> Result<Self, Fault> {
        Ok(Self { parameters })
    }

    fn start(&self) -> Memory {
        Memory::default()
    }

    fn step(&self, memory: &mut Memory, row: &mut Row<Measured, Alarm>) -> Estimated {
        let parameters = &self.parameters;
        let seen = Seen::of(&row.inputs);
        let innovation = advance(parameters, memory, &seen, row.elapsed());
        let surprises = surprises(memory, &seen, innovation.as_ref());
        if surprises >= parameters.inconsistent_rows {
            let detail = format_args!("{surprises} of the last 16 measurements do not fit the balances");
            row.alert(Alarm::Inconsistent, f64::from(surprises), detail);
        }
        let Some(belief) = &memory.belief else { return Estimated::nothing() };
        let balance = seen.held.map(|held| Balance::new(parameters, held));
        if let Some(rise) = balance.map(|balance| balance.rates(&belief.x).y)
            && rise > parameters.rise_limit
        {
            let limit = parameters.rise_limit;
            row.alert(
                Alarm::Runaway,
                rise,
                format_args!("the tank heats by {rise:.1} K/min, limit {limit} K/min"),
            );
        }
        Estimated::of(belief, balance.as_ref(), innovation.as_ref(), parameters.deviation_max)
    }
}
