//! Estimates what no sensor in a motor measures: the temperatures of its winding and its bearing, from those of
//! its surface and of the air around it and from its current.
//!
//! `parameters` says what a site may set, `motor` makes a conductance network of it and refuses what cannot work,
//! `estimate` takes one row through the filter, and this file is what the host sees. The equations, their sources and what the numbers mean stand in the
//! README.

mod estimate;
mod motor;
mod parameters;

use geminus_models::{SMatrix, SVector, ZeroOrderHold};
use geminus_sdk::prelude::*;

use estimate::{Seen, Trust, advance, surprises};
pub use motor::{AMBIENT, BEARING, Filter, Motor, SURFACE, WINDING};
pub use parameters::MotorParameters;

/// What the sensors of the motor say.
#[derive(Clone, Copy, Debug, Inputs)]
pub struct Measured {
    /// Temperature of the housing. Each reading counts once, in the row of its time.
    #[input(unit = "Cel", event)]
    pub surface_temperature: Reading,
    /// Temperature of what the motor gives its heat to: the air around it, or the fluid that cools it. Without it
    /// the estimate leans on the parameter assumed_ambient.
    #[input(unit = "Cel", event, optional)]
    pub ambient_temperature: Reading,
    /// Motor current. It holds until the next reading, and heats with its square.
    #[input(unit = "A", hold)]
    pub current: Reading,
}

/// What is estimated. Deviations are 1 σ.
#[derive(Clone, Copy, Debug, Outputs)]
pub struct Estimated {
    /// Temperature of the winding.
    #[output(unit = "Cel", role = "estimate")]
    pub winding_temperature: Output,
    /// How sure that is.
    #[output(unit = "K", role = "deviation", of = "winding_temperature")]
    pub winding_temperature_deviation: Option<f64>,
    /// Temperature of the bearing.
    #[output(unit = "Cel", role = "estimate")]
    pub bearing_temperature: Output,
    /// How sure that is.
    #[output(unit = "K", role = "deviation", of = "bearing_temperature")]
    pub bearing_temperature_deviation: Option<f64>,
    /// Temperature of the surface, without the noise of its sensor.
    #[output(unit = "Cel", role = "estimate", of = "surface_temperature")]
    pub surface_estimate: Output,
    /// How sure that is.
    #[output(unit = "K", role = "deviation", of = "surface_estimate")]
    pub surface_estimate_deviation: Option<f64>,
    /// Temperature around the motor, uncertain when no sensor tells.
    #[output(unit = "Cel", role = "estimate", of = "ambient_temperature")]
    pub ambient_estimate: Output,
    /// How sure that is.
    #[output(unit = "K", role = "deviation", of = "ambient_estimate")]
    pub ambient_estimate_deviation: Option<f64>,
    /// Measured minus predicted surface temperature; missing when the surface was not measured.
    #[output(unit = "K", role = "innovation", of = "surface_temperature")]
    pub innovation: Option<f64>,
    /// Normalised innovation squared of all that was measured in this row: chi-square with as many degrees of
    /// freedom as there were measurements, so near 1 with one and near 2 with two sensors.
    #[output(unit = "1", role = "nis", of = "surface_temperature")]
    pub nis: Option<f64>,
}

/// What deserves attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Alerts)]
pub enum Alarm {
    /// The winding is hotter than its insulation class allows.
    #[alert(priority = "high", unit = "Cel")]
    WindingHot,
    /// Measurements contradict the thermal model: a sensor, the cooling, or the parameters are wrong.
    #[alert(priority = "medium", unit = "1")]
    Inconsistent,
}

/// What is remembered from row to row. Schema 1.
#[derive(Clone, Debug, Default, PartialEq, State)]
#[state(schema = 1)]
pub struct Memory {
    /// What is believed of the temperatures; none before the surface was measured for the first time.
    pub belief: Option<Belief>,
    /// Heating since the last row: current squared, as a part of the rated current squared; none when it was never
    /// measured.
    pub heating: Option<f64>,
    /// Whether the last row told the current.
    pub current_known: bool,
    /// Seconds since the surroundings were measured; none when they never were.
    pub ambient_age: Option<f64>,
    /// Which of the last 16 rows surprised beyond the 99 % gate, newest in the lowest bit.
    pub surprises: u16,
}

/// Mean and covariance of the four temperatures: surface, winding, bearing, ambient.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Belief {
    /// °C
    #[state(via = [f64; 4])]
    pub x: SVector<f64, 4>,
    /// K²
    #[state(via = [[f64; 4]; 4])]
    pub p: SMatrix<f64, 4, 4>,
}

/// A motor whose temperatures are followed.
#[derive(Debug)]
pub struct MotorThermal {
    motor: Motor,
    /// The model of the last interval; made anew only when the interval changes.
    interval: Memo<ZeroOrderHold<4, 2>>,
}

#[estimator(warm_up_rows = 30, budget(fuel_per_row = 60_000, memory_bytes = 67_108_864))]
impl Behavior for MotorThermal {
    fn open(parameters: MotorParameters, _: &Opening<'_>) -> Result<Self, Fault> {
        Ok(Self { motor: Motor::new(parameters)?, interval: Memo::default() })
    }

    fn start(&self) -> Memory {
        Memory::default()
    }

    fn step(&self, memory: &mut Memory, row: &mut Row<Measured, Alarm>) -> Estimated {
        let seen = Seen::of(&row.inputs, &self.motor);
        let innovation = advance(&self.motor, &self.interval, memory, &seen, row.elapsed());
        let surprises = surprises(memory, &seen, innovation.as_ref());
        let heating_known = memory.current_known && seen.heating.is_some();
        memory.heating = seen.heating.or(memory.heating);
        memory.current_known = seen.heating.is_some();
        let Some(belief) = &memory.belief else { return Estimated::nothing() };

        let parameters = &self.motor.parameters;
        if surprises >= parameters.inconsistent_rows {
            let detail = format_args!("{surprises} of the last 16 measurements do not fit the thermal model");
            row.alert(Alarm::Inconsistent, f64::from(surprises), detail);
        }
        let winding = belief.temperature(WINDING);
        if winding > parameters.winding_limit {
            let deviation = math::sqrt(belief.variance(WINDING));
            let limit = parameters.winding_limit;
            row.alert(
                Alarm::WindingHot,
                winding,
                format_args!("{winding:.1} ± {deviation:.1} °C, limit {limit} °C"),
            );
        }
        Estimated::of(belief, innovation.as_ref(), Trust::of(memory, heating_known, parameters))
    }

    /// The current that is assumed for a time heats over the whole interval that ends there.
    fn forecast(&self, memory: &mut Memory, ahead: &Ahead<Measured>) -> Result<Predicted<Estimated>, Fault> {
        let seen = Seen::assumed(&ahead.inputs, &self.motor);
        memory.current_known = seen.heating.is_some();
        memory.heating = seen.heating.or(memory.heating);
        advance(&self.motor, &self.interval, memory, &seen, Some(ahead.elapsed));
        let Some(belief) = &memory.belief else {
            return Ok(Predicted { mean: Estimated::nothing(), deviation: Estimated::nothing() });
        };
        let trust = Trust::of(memory, memory.current_known, &self.motor.parameters);
        Ok(Predicted { mean: Estimated::of(belief, None, trust), deviation: Estimated::doubt(belief) })
    }
}
