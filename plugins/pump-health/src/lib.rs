//! Judges the health of a pump: how far its sensors stand from what they said while it was healthy.
//!
//! `channel` holds one input against its own past, `plane` all of them against how they vary together, `judge` makes one
//! score of it, `memory` is what is kept, `parameters` says what a site may set, and this file is what the host sees. It never says "healthy" because it does not know: while it learns, while the pump
//! stands still or has just started, and while too few inputs can be used, there is no index. What the figures mean
//! and where the method comes from stands in the README.

mod channel;
mod judge;
mod memory;
mod parameters;
mod plane;

pub use channel::Channel;
use geminus_models::health;
use geminus_sdk::prelude::*;
use judge::Judge;
pub use memory::{Memory, MemoryV1};
pub use parameters::PumpParameters;
pub use plane::{Joint, Plane};

/// Number of inputs that are judged.
pub const CHANNELS: usize = 6;
/// Index below which `health-warning` is raised.
pub const WARNING: f64 = 0.5;
/// Index below which `health-critical` is raised.
pub const CRITICAL: f64 = 0.2;
/// Score above which the index is below [`WARNING`].
pub(crate) const WARNING_SCORE: f64 = 1.5;

/// What the sensors of the pump say. All but the current are optional; `inputs_min` decides how many are enough.
#[derive(Clone, Copy, Debug, Inputs)]
pub struct Measured {
    /// Vibration at the first place (effective value).
    #[input(unit = "[g]", optional)]
    pub accelerometer_1: Reading,
    /// Vibration at the second place (effective value).
    #[input(unit = "[g]", optional)]
    pub accelerometer_2: Reading,
    /// Motor current; it also tells whether the pump runs, so without it there is no verdict.
    #[input(unit = "A")]
    pub current: Reading,
    /// Pressure in the circuit.
    #[input(unit = "bar", optional)]
    pub pressure: Reading,
    /// Temperature of the motor.
    #[input(unit = "Cel", optional)]
    pub temperature: Reading,
    /// Volume flow.
    #[input(unit = "L/min", optional)]
    pub flow: Reading,
}

impl Measured {
    fn values(&self) -> [Option<f64>; CHANNELS] {
        [self.accelerometer_1, self.accelerometer_2, self.current, self.pressure, self.temperature, self.flow]
            .map(Reading::value)
    }
}

/// The verdict. Shifts are smoothed deviations from the baseline, in its standard deviations and with their sign:
/// they tell which input made the score.
#[derive(Clone, Copy, Debug, Outputs)]
pub struct Verdict {
    /// 1 healthy, 0 failed; missing when unknown. 1 / (1 + exp(2 s − 3)) of the score s.
    #[output(unit = "1", role = "health-index")]
    pub health_index: Option<f64>,
    /// 0 normal, higher is worse: warning above 1.5, critical above 2.193.
    #[output(unit = "1")]
    pub anomaly_score: Option<f64>,
    /// Part of the baseline that has been learnt, 0 … 1, of the input that has most.
    #[output(unit = "1")]
    pub baseline_progress: f64,
    /// Shift of the first vibration.
    #[output(unit = "1", of = "accelerometer_1")]
    pub accelerometer_1_shift: Option<f64>,
    /// Shift of the second vibration.
    #[output(unit = "1", of = "accelerometer_2")]
    pub accelerometer_2_shift: Option<f64>,
    /// Shift of the current.
    #[output(unit = "1", of = "current")]
    pub current_shift: Option<f64>,
    /// Shift of the pressure.
    #[output(unit = "1", of = "pressure")]
    pub pressure_shift: Option<f64>,
    /// Shift of the temperature.
    #[output(unit = "1", of = "temperature")]
    pub temperature_shift: Option<f64>,
    /// Shift of the flow.
    #[output(unit = "1", of = "flow")]
    pub flow_shift: Option<f64>,
}

/// What deserves attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Alerts)]
pub enum Alarm {
    /// The pump behaves unlike its healthy self: health index below 0.5.
    #[alert(priority = "medium", unit = "1")]
    HealthWarning,
    /// The pump is far from its healthy self, failure may be near: health index below 0.2.
    #[alert(priority = "high", unit = "1")]
    HealthCritical,
}

/// A pump that is judged.
#[derive(Debug)]
pub struct PumpHealth {
    judge: Judge,
}

#[health_rule(warm_up_rows = 0, budget(fuel_per_row = 150_000, memory_bytes = 33_554_432))]
impl Behavior for PumpHealth {
    fn open(parameters: PumpParameters, _: &Opening<'_>) -> Result<Self, Fault> {
        Ok(Self { judge: Judge::new(parameters)? })
    }

    fn start(&self) -> Memory {
        Memory::default()
    }

    fn step(&self, memory: &mut Memory, row: &mut Row<Measured, Alarm>) -> Verdict {
        let values = row.inputs.values();
        if !self.judge.is_settled(memory, row.inputs.current, row.elapsed()) {
            return self.unknown(memory);
        }
        let elapsed_s = row.elapsed().unwrap_or(0.0);
        self.judge.learn_together(memory, &values);
        let shifts = self.judge.shifts(memory, &values, elapsed_s);
        let Some(score) = self.judge.score(memory, &shifts) else { return self.unknown(memory) };
        // By the row's own score: if what has added up stopped the following, drift would hold its own alarm for ever.
        if score <= WARNING_SCORE {
            self.judge.follow(memory, &values, elapsed_s);
        }
        let score = self.judge.lasting(memory, score, elapsed_s);
        let Some(index) = health::logistic(score) else { return self.unknown(memory) };
        for (alarm, limit) in [(Alarm::HealthWarning, WARNING), (Alarm::HealthCritical, CRITICAL)] {
            if index < limit {
                row.alert(
                    alarm,
                    index,
                    format_args!("health index {index:.2}, score {score:.2}{}", Loudest(&shifts)),
                );
            }
        }
        let [
            accelerometer_1_shift,
            accelerometer_2_shift,
            current_shift,
            pressure_shift,
            temperature_shift,
            flow_shift,
        ] = shifts;
        Verdict {
            health_index: Some(index),
            anomaly_score: Some(score),
            accelerometer_1_shift,
            accelerometer_2_shift,
            current_shift,
            pressure_shift,
            temperature_shift,
            flow_shift,
            ..self.unknown(memory)
        }
    }
}

impl PumpHealth {
    /// No verdict, but how far learning has come.
    fn unknown(&self, memory: &Memory) -> Verdict {
        Verdict {
            health_index: None,
            anomaly_score: None,
            baseline_progress: self.judge.progress(memory),
            accelerometer_1_shift: None,
            accelerometer_2_shift: None,
            current_shift: None,
            pressure_shift: None,
            temperature_shift: None,
            flow_shift: None,
        }
    }
}

/// Names the input that stands farthest from its baseline.
struct Loudest<'a>(&'a [Option<f64>; CHANNELS]);

impl std::fmt::Display for Loudest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMES: [&str; CHANNELS] =
            ["accelerometer_1", "accelerometer_2", "current", "pressure", "temperature", "flow"];
        let shifts = NAMES.iter().zip(self.0).filter_map(|(name, shift)| shift.map(|shift| (name, shift)));
        match shifts.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())) {
            Some((name, shift)) => write!(f, ", mostly {name} ({shift:+.1} standard deviations)"),
            None => Ok(()),
        }
    }
}
