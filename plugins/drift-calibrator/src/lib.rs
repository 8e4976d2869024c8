//! Keeps a machine's thermal resistance and heat capacity in step with its ageing, and tells how far they have gone from
//! what they were: a heat sink that clogs, a fan that weakens, a coolant that is lost.
//!
//! `parameters` says what a site may set, `calibrator` takes one row through the filter of
//! `geminus_models::thermal_calibration`, and this file is what the host sees. The equations, their sources and what the numbers
//! mean stand in the README.

mod calibrator;
mod parameters;

use geminus_models::thermal_calibration::ThermalCalibration;
use geminus_models::{Innovation, SMatrix, SVector};
use geminus_sdk::prelude::*;

pub use calibrator::Calibrator;
use calibrator::{Gone, Gones, Seen, surprises};
pub use parameters::CalibratorParameters;

/// Deviations that a drift must exceed besides the limit before it is told.
const SIGNIFICANT: f64 = 3.0;

/// What the sensors of the machine say.
#[derive(Clone, Copy, Debug, Inputs)]
pub struct Measured {
    /// Temperature of the machine. Each reading counts once, in the row of its time.
    #[input(unit = "Cel", event)]
    pub temperature: Reading,
    /// Temperature of what the machine gives its heat to. It holds until the next reading.
    #[input(unit = "Cel", hold)]
    pub ambient_temperature: Reading,
    /// Power of which heat_share becomes heat in the machine. It holds until the next reading.
    #[input(unit = "W", hold)]
    pub power: Reading,
}

/// What is estimated. Deviations are 1 σ.
#[derive(Clone, Copy, Debug, Outputs)]
pub struct Calibrated {
    /// Thermal resistance from the machine to its surroundings.
    #[output(unit = "K/W", role = "estimate")]
    pub thermal_resistance: Output,
    /// How sure that is.
    #[output(unit = "K/W", role = "deviation", of = "thermal_resistance")]
    pub thermal_resistance_deviation: Option<f64>,
    /// Heat capacity of the machine.
    #[output(unit = "J/K", role = "estimate")]
    pub heat_capacity: Output,
    /// How sure that is.
    #[output(unit = "J/K", role = "deviation", of = "heat_capacity")]
    pub heat_capacity_deviation: Option<f64>,
    /// Temperature of the machine, without the noise of its sensor; missing while its heat is not known.
    #[output(unit = "Cel", role = "estimate", of = "temperature")]
    pub temperature_estimate: Option<f64>,
    /// How sure that is.
    #[output(unit = "K", role = "deviation", of = "temperature_estimate")]
    pub temperature_estimate_deviation: Option<f64>,
    /// Change of the resistance since the reference, as a part of it; missing before there is a reference.
    #[output(unit = "1", role = "estimate")]
    pub resistance_drift: Option<f64>,
    /// How sure that is.
    #[output(unit = "1", role = "deviation", of = "resistance_drift")]
    pub resistance_drift_deviation: Option<f64>,
    /// Change of the capacity since the reference, as a part of it.
    #[output(unit = "1", role = "estimate")]
    pub capacity_drift: Option<f64>,
    /// How sure that is.
    #[output(unit = "1", role = "deviation", of = "capacity_drift")]
    pub capacity_drift_deviation: Option<f64>,
    /// Squared distance of both from the reference in their deviations: beyond 9.2 by chance once in a hundred while nothing drifts.
    #[output(unit = "1")]
    pub drift_statistic: Option<f64>,
    /// Measured minus predicted temperature; missing when it was not measured or not predicted.
    #[output(unit = "K", role = "innovation", of = "temperature")]
    pub innovation: Option<f64>,
    /// Normalised innovation squared: mean 1 when noise and model are right.
    #[output(unit = "1", role = "nis", of = "temperature")]
    pub nis: Option<f64>,
    /// 1 while resistance and capacity are as sure as deviation_max asks, else 0.
    #[output(unit = "1", role = "converged")]
    pub converged: f64,
}

/// What deserves attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Alerts)]
pub enum Alarm {
    /// The machine loses its heat worse, or better, than when it was commissioned: cooling, fouling, a loose contact.
    #[alert(priority = "medium", unit = "1")]
    ResistanceDrifted,
    /// The machine stores another amount of heat than when it was commissioned: mass or coolant was lost or added.
    #[alert(priority = "medium", unit = "1")]
    CapacityDrifted,
    /// Measurements contradict the thermal model: a sensor, the power meter, or the parameters are wrong.
    #[alert(priority = "medium", unit = "1")]
    Inconsistent,
}

/// What is remembered from row to row. Schema 1.
#[derive(Clone, Debug, Default, PartialEq, State)]
#[state(schema = 1)]
pub struct Memory {
    /// What is believed; none before the temperature was measured for the first time.
    pub belief: Option<Belief>,
    /// Heat since the last row, W; none when it is not known.
    pub heat_w: Option<f64>,
    /// Temperature around the machine since the last row, °C; none when it is not known.
    pub surroundings: Option<f64>,
    /// Seconds since the temperature was followed last; none while it is.
    pub lost_s: Option<f64>,
    /// Seconds that it was followed on the whole.
    pub followed_s: f64,
    /// What drift is told against.
    pub reference: Option<Reference>,
    /// Which of the last 16 rows surprised beyond the 99 % gate, newest in the lowest bit.
    pub surprises: u16,
}

/// Temperature (°C) and the logarithms of resistance (K/W) and capacity (J/K), with their covariance.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Belief {
    /// Mean.
    #[state(via = [f64; 3])]
    pub x: SVector<f64, 3>,
    /// Covariance.
    #[state(via = [[f64; 3]; 3])]
    pub p: SMatrix<f64, 3, 3>,
}

/// Logarithms of resistance and capacity as they were, with their covariance.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Reference {
    /// Mean.
    #[state(via = [f64; 2])]
    pub x: SVector<f64, 2>,
    /// Covariance.
    #[state(via = [[f64; 2]; 2])]
    pub p: SMatrix<f64, 2, 2>,
}

/// A machine that is calibrated while it runs.
#[derive(Debug)]
pub struct DriftCalibrator {
    calibrator: Calibrator,
}

#[estimator(warm_up_rows = 30, budget(fuel_per_row = 60_000, memory_bytes = 67_108_864))]
impl Behavior for DriftCalibrator {
    fn open(parameters: CalibratorParameters, _: &Opening<'_>) -> Result<Self, Fault> {
        Ok(Self { calibrator: Calibrator::new(parameters)? })
    }

    fn start(&self) -> Memory {
        Memory::default()
    }

    fn step(&self, memory: &mut Memory, row: &mut Row<Measured, Alarm>) -> Calibrated {
        let parameters = &self.calibrator.parameters;
        let seen = Seen::of(&row.inputs, parameters);
        let innovation = self.calibrator.advance(memory, &seen, row.elapsed());
        self.calibrator.begin(memory, &seen);
        let surprises = surprises(memory, &seen, innovation.as_ref());
        if surprises >= parameters.inconsistent_rows {
            let detail = format_args!("{surprises} of the last 16 measurements do not fit the thermal model");
            row.alert(Alarm::Inconsistent, f64::from(surprises), detail);
        }
        let Some(belief) = memory.belief else { return Calibrated::nothing() };
        let model = self.calibrator.at(&belief);
        let sure = self.calibrator.is_sure(&model);
        let reference = self.calibrator.reference(memory, &model);
        let gone = reference.and_then(|reference| Gones::since(&reference, &model));
        if let Some(gone) = gone.filter(|_| sure) {
            let limit = parameters.drift_limit;
            let mut judge = |alarm, name, gone: Gone| {
                if gone.share.abs() > limit.max(SIGNIFICANT * gone.deviation) {
                    let (share, deviation) = (100.0 * gone.share, 100.0 * gone.deviation);
                    let detail = format_args!(
                        "{name} has changed by {share:+.1} ± {deviation:.1} %, limit {} %",
                        100.0 * limit
                    );
                    row.alert(alarm, gone.share, detail);
                }
            };
            judge(Alarm::ResistanceDrifted, "thermal resistance", gone.resistance);
            judge(Alarm::CapacityDrifted, "heat capacity", gone.capacity);
        }
        Calibrated::of(&model, sure, memory.lost_s.is_none(), gone, innovation.as_ref())
    }
}

impl Calibrated {
    /// Before there is belief.
    fn nothing() -> Self {
        Self {
            thermal_resistance: Output::missing(),
            thermal_resistance_deviation: None,
            heat_capacity: Output::missing(),
            heat_capacity_deviation: None,
            temperature_estimate: None,
            temperature_estimate_deviation: None,
            resistance_drift: None,
            resistance_drift_deviation: None,
            capacity_drift: None,
            capacity_drift_deviation: None,
            drift_statistic: None,
            innovation: None,
            nis: None,
            converged: 0.0,
        }
    }

    fn of(
        model: &ThermalCalibration,
        sure: bool,
        followed: bool,
        gone: Option<Gones>,
        innovation: Option<&Innovation<1>>,
    ) -> Self {
        let output = |value| if sure { Output::good(value) } else { Output::uncertain(value) };
        let ((resistance, resistance_deviation), (capacity, capacity_deviation)) =
            (model.resistance(), model.capacity());
        Self {
            thermal_resistance: output(resistance),
            thermal_resistance_deviation: Some(resistance_deviation),
            heat_capacity: output(capacity),
            heat_capacity_deviation: Some(capacity_deviation),
            temperature_estimate: followed.then(|| model.temperature()),
            temperature_estimate_deviation: followed.then(|| math::sqrt(model.filter.P.m11)),
            resistance_drift: gone.map(|gone| gone.resistance.share),
            resistance_drift_deviation: gone.map(|gone| gone.resistance.deviation),
            capacity_drift: gone.map(|gone| gone.capacity.share),
            capacity_drift_deviation: gone.map(|gone| gone.capacity.deviation),
            drift_statistic: gone.map(|gone| gone.statistic),
            innovation: innovation.map(|innovation| innovation.y.x),
            nis: innovation.map(|innovation| innovation.nis),
            converged: if sure { 1.0 } else { 0.0 },
        }
    }
}
