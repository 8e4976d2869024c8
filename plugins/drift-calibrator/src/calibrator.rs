//! One row through the calibration: what was said, how belief moves, when its parameters become the reference, how far they
//! have gone from it.

use geminus_models::innovation::GateMemory;
use geminus_models::recursive_least_squares::Drift;
use geminus_models::thermal_calibration::{Held, ThermalCalibration, Uncertainty};
use geminus_models::{EstimationError, Innovation, SMatrix, SVector};
use geminus_sdk::{Fault, Reading, log, math};

use crate::{Belief, CalibratorParameters, Measured, Memory, Reference};

/// Temperatures that a machine can have, °C. What lies outside is a broken sensor, whatever quality it claims.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = -100.0..=1000.0;
/// Powers that a meter can show, W. A machine that feeds back is not heated by that: what is negative is not known.
const POWERS: std::ops::RangeInclusive<f64> = 0.0..=1e9;

/// What the sensors of one row said, as far as it can be true.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    temperature: Option<f64>,
    /// What holds until the next row; none when a part of it is not known.
    held: Option<Held>,
    /// Whether a temperature was told that no machine has.
    implausible: bool,
}

impl Seen {
    pub(crate) fn of(measured: &Measured, parameters: &CalibratorParameters) -> Self {
        let told = [measured.temperature, measured.ambient_temperature].map(Reading::value);
        let [temperature, surroundings] = told.map(|t| t.filter(|t| PLAUSIBLE.contains(t)));
        let power = measured.power.value().filter(|power| POWERS.contains(power));
        let held = power
            .zip(surroundings)
            .map(|(power, surroundings)| Held { heat_w: power * parameters.heat_share, surroundings });
        Self { temperature, held, implausible: told != [temperature, surroundings] }
    }
}

/// A machine whose parameters are followed.
#[derive(Clone, Debug)]
pub struct Calibrator {
    /// What it was made of.
    pub parameters: CalibratorParameters,
    /// As nothing was measured yet.
    unmeasured: ThermalCalibration,
}

impl Calibrator {
    /// # Errors
    /// `Fault::Parameter` for what makes no model.
    pub fn new(parameters: CalibratorParameters) -> Result<Self, Fault> {
        let p = &parameters;
        let uncertainty = Uncertainty {
            sensor_k: p.sensor_noise,
            temperature_k: p.temperature_drift,
            parameters: [p.parameter_deviation; 2],
            ageing_per_hour: [p.ageing_per_hour; 2],
        };
        let unmeasured = ThermalCalibration::new(0.0, p.thermal_resistance, p.heat_capacity, uncertainty)
            .map_err(|error| Fault::parameter("thermal_resistance", error))?;
        Ok(Self { parameters, unmeasured })
    }

    /// Where belief stands.
    pub(crate) fn at(&self, belief: &Belief) -> ThermalCalibration {
        let mut model = self.unmeasured.clone();
        (model.filter.x, model.filter.P) = (belief.x, belief.p);
        model
    }

    /// Moves belief over the interval since the last row and takes in what was seen. `None` when nothing was measured, and in a
    /// row where the temperature is found again.
    pub(crate) fn advance(
        &self,
        memory: &mut Memory,
        seen: &Seen,
        elapsed: Option<f64>,
    ) -> Option<Innovation<1>> {
        let held = memory.heat_w.zip(memory.surroundings);
        let held = held.map(|(heat_w, surroundings)| Held { heat_w, surroundings });
        memory.heat_w = seen.held.map(|held| held.heat_w);
        memory.surroundings = seen.held.map(|held| held.surroundings);
        let belief = memory.belief?;
        let mut model = self.at(&belief);
        match self.moved(&mut model, memory, (elapsed.unwrap_or(0.0), held), seen.temperature) {
            Ok(innovation) => {
                memory.belief = Some(Belief { x: model.filter.x, p: model.filter.P });
                innovation
            }
            Err(error) => {
                log::warn!("the state could not go on: {error}; calibration starts afresh");
                *memory =
                    Memory { heat_w: memory.heat_w, surroundings: memory.surroundings, ..Memory::default() };
                None
            }
        }
    }

    fn moved(
        &self,
        model: &mut ThermalCalibration,
        memory: &mut Memory,
        (dt_s, held): (f64, Option<Held>),
        temperature: Option<f64>,
    ) -> Result<Option<Innovation<1>>, EstimationError> {
        let held = held.filter(|_| dt_s <= self.parameters.gap_max);
        match (memory.lost_s, held) {
            (None, Some(held)) => {
                model.predict(dt_s, held)?;
                memory.followed_s += dt_s;
                return model.update(temperature);
            }
            (lost_s, _) => memory.lost_s = Some(lost_s.unwrap_or(0.0) + dt_s),
        }
        if let (Some(lost_s), Some(temperature)) = (memory.lost_s, temperature) {
            model.restart(lost_s, temperature)?;
            memory.lost_s = None;
        }
        Ok(None)
    }

    /// Begins belief with the first temperature.
    pub(crate) fn begin(&self, memory: &mut Memory, seen: &Seen) {
        if let (None, Some(temperature)) = (memory.belief, seen.temperature) {
            let mut model = self.unmeasured.clone();
            if model.restart(0.0, temperature).is_ok() {
                memory.belief = Some(Belief { x: model.filter.x, p: model.filter.P });
            }
        }
    }

    /// Whether both parameters are as sure as the site wants them.
    pub(crate) fn is_sure(&self, model: &ThermalCalibration) -> bool {
        let variances = model.parameters().1.diagonal();
        math::sqrt(variances.max()) <= self.parameters.deviation_max
    }

    /// The reference that drift is told against; kept once it is found.
    pub(crate) fn reference(&self, memory: &mut Memory, model: &ThermalCalibration) -> Option<Reference> {
        if memory.reference.is_none() {
            let (x, p) = model.parameters();
            memory.reference = match self.parameters.learn_reference {
                false => Some(Reference { x: self.unmeasured.parameters().0, p: SMatrix::zeros() }),
                true => (memory.followed_s >= self.parameters.commissioning_time && self.is_sure(model))
                    .then_some(Reference { x, p }),
            };
        }
        memory.reference
    }
}

/// Relative drift of one parameter and its deviation (1 σ).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone {
    pub(crate) share: f64,
    pub(crate) deviation: f64,
}

/// How far resistance and capacity have gone from the reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gones {
    pub(crate) resistance: Gone,
    pub(crate) capacity: Gone,
    /// Chi-square with 2 degrees of freedom while nothing has drifted.
    pub(crate) statistic: f64,
}

impl Gones {
    /// `None` when the state is no covariance, which the next row mends.
    pub(crate) fn since(reference: &Reference, model: &ThermalCalibration) -> Option<Self> {
        let (theta, p) = model.parameters();
        let drift = Drift::new(&theta, &p, &reference.x, &reference.p).ok()?;
        let gone = |change: f64, deviation: f64| {
            // Parameters are logarithms: their difference is that of a ratio.
            let share = math::expm1(change);
            Gone { share, deviation: (1.0 + share) * deviation }
        };
        let (change, deviation): (SVector<f64, 2>, _) = (drift.change, drift.deviation);
        Some(Self {
            resistance: gone(change.x, deviation.x),
            capacity: gone(change.y, deviation.y),
            statistic: drift.statistic,
        })
    }
}

/// Notes whether this row was a surprise; gives how many of the last 16 were.
pub(crate) fn surprises(memory: &mut Memory, seen: &Seen, innovation: Option<&Innovation<1>>) -> u32 {
    let mut gate = GateMemory(memory.surprises);
    match innovation {
        _ if seen.implausible => gate.note(f64::INFINITY, 1),
        Some(innovation) => gate.note(innovation.nis, innovation.observed),
        None => {}
    }
    memory.surprises = gate.0;
    gate.failures()
}
