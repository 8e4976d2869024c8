//! Judges the health of a pump: how far its sensors stand from what they said while it was healthy.
//!
//! `channel` holds one input against its own past, `parameters` says what a site may set, this file makes one score
//! and one index of all inputs. It never says "healthy" because it does not know: while it learns, while the pump
//! stands still or has just started, and while too few inputs can be used, there is no index. What the figures mean
//! and where the method comes from stands in the README.

mod channel;
mod parameters;

use channel::Baseline;
pub use channel::Channel;
use geminus_models::health;
use geminus_sdk::prelude::*;
pub use parameters::PumpParameters;

/// Number of inputs that are judged.
pub const CHANNELS: usize = 6;
/// Index below which `health-warning` is raised.
pub const WARNING: f64 = 0.5;
/// Index below which `health-critical` is raised.
pub const CRITICAL: f64 = 0.2;

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

/// What is remembered from row to row. Schema 1.
#[derive(Clone, Debug, Default, PartialEq, State)]
#[state(schema = 1)]
pub struct Memory {
    /// Each input's past, in declared order.
    pub channels: [Channel; CHANNELS],
    /// Seconds since the first row in which the pump ran without a stop; none while it stands still or nobody knows.
    pub running: Option<f64>,
}

/// A pump that is judged.
#[derive(Debug)]
pub struct PumpHealth {
    parameters: PumpParameters,
    /// Smallest spread of each input.
    floors: [f64; CHANNELS],
    /// Baselines that the site gave.
    given: Option<[Baseline; CHANNELS]>,
    /// Parts of the way that smoothing and drift go in one interval; made anew when the interval changes.
    pace: Memo<(f64, f64)>,
}

#[health_rule(warm_up_rows = 0, budget(fuel_per_row = 30_000, memory_bytes = 33_554_432))]
impl Behavior for PumpHealth {
    fn open(parameters: PumpParameters, _: &Opening<'_>) -> Result<Self, Fault> {
        let p = &parameters;
        let floors = [
            p.vibration_floor,
            p.vibration_floor,
            p.current_floor,
            p.pressure_floor,
            p.temperature_floor,
            p.flow_floor,
        ];
        let given = given_baselines(p)?;
        Ok(Self { parameters, floors, given, pace: Memo::default() })
    }

    fn start(&self) -> Memory {
        Memory::default()
    }

    fn step(&self, memory: &mut Memory, row: &mut Row<Measured, Alarm>) -> Verdict {
        let values = row.inputs.values();
        if !self.is_settled(memory, row.inputs.current, row.elapsed()) {
            return self.unknown(memory);
        }
        let shifts = self.shifts(memory, &values, row.elapsed().unwrap_or(0.0));
        let Some(score) = self.score(&shifts) else { return self.unknown(memory) };
        let Some(index) = health::logistic(score) else { return self.unknown(memory) };
        if index >= WARNING {
            self.follow(memory, &values, row.elapsed().unwrap_or(0.0));
        }
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
    /// Whether the pump has been running long enough to be judged. Standing still, or not known to run, starts anew.
    fn is_settled(&self, memory: &mut Memory, current: Reading, elapsed: Option<f64>) -> bool {
        let runs = current.value().is_some_and(|current| current.abs() > self.parameters.running_current);
        memory.running = runs.then(|| memory.running.map_or(0.0, |before| before + elapsed.unwrap_or(0.0)));
        memory.running.is_some_and(|running| running >= self.parameters.settling)
    }

    fn baseline(&self, channel: &Channel, place: usize) -> Option<Baseline> {
        match &self.given {
            Some(given) => given.get(place).copied(),
            None => {
                let floor = self.floors.get(place).copied()?;
                channel.baseline(self.parameters.warm_up_rows, floor, self.parameters.relative_floor)
            }
        }
    }

    /// Learns from inputs that have no baseline yet, judges those that have one.
    fn shifts(
        &self,
        memory: &mut Memory,
        values: &[Option<f64>; CHANNELS],
        elapsed_s: f64,
    ) -> [Option<f64>; CHANNELS] {
        let (a, _) = self.pace(elapsed_s);
        let mut shifts = [None; CHANNELS];
        let channels = memory.channels.iter_mut().zip(values).zip(&mut shifts);
        for (place, ((channel, value), shift)) in channels.enumerate() {
            let Some(value) = *value else { continue };
            match self.baseline(channel, place) {
                None => channel.learn(value),
                Some(baseline) => {
                    channel.smooth(baseline.deviation(value), a, self.parameters.deviation_cap);
                    *shift = Some(channel.smoothed);
                }
            }
        }
        shifts
    }

    /// Root mean square of the shifts, times the sensitivity; `None` when too few inputs tell.
    fn score(&self, shifts: &[Option<f64>; CHANNELS]) -> Option<f64> {
        let (mut inputs, mut squares) = (0, 0.0);
        for shift in shifts.iter().flatten() {
            inputs += 1;
            squares += shift * shift;
        }
        (inputs >= self.parameters.inputs_min)
            .then(|| self.parameters.sensitivity * math::sqrt(squares / f64::from(inputs)))
    }

    fn follow(&self, memory: &mut Memory, values: &[Option<f64>; CHANNELS], elapsed_s: f64) {
        let (_, b) = self.pace(elapsed_s);
        for (place, (channel, value)) in memory.channels.iter_mut().zip(values).enumerate() {
            if let (Some(value), Some(baseline)) = (*value, self.baseline(channel, place)) {
                channel.follow(baseline.deviation(value), b, self.parameters.drift_max);
            }
        }
    }

    /// Parts of the way that smoothing and drift go in an interval: 1 − exp(−dt/τ).
    fn pace(&self, elapsed_s: f64) -> (f64, f64) {
        let part = |tau_s: f64| -math::expm1(-elapsed_s / tau_s);
        *self.pace.get(elapsed_s, || (part(self.parameters.smoothing), part(self.parameters.drift_time)))
    }

    /// No verdict, but how far learning has come.
    fn unknown(&self, memory: &Memory) -> Verdict {
        let learnt = memory.channels.iter().map(|channel| channel.count).max().unwrap_or(0);
        let progress = f64::from(learnt) / f64::from(self.parameters.warm_up_rows);
        Verdict {
            health_index: None,
            anomaly_score: None,
            baseline_progress: if self.given.is_some() { 1.0 } else { progress.min(1.0) },
            accelerometer_1_shift: None,
            accelerometer_2_shift: None,
            current_shift: None,
            pressure_shift: None,
            temperature_shift: None,
            flow_shift: None,
        }
    }
}

/// Baselines from the parameters: both lists or none, one number for each input.
fn given_baselines(p: &PumpParameters) -> Result<Option<[Baseline; CHANNELS]>, Fault> {
    if p.baseline_median.is_empty() && p.baseline_spread.is_empty() {
        return Ok(None);
    }
    for (name, list) in [("baseline_median", &p.baseline_median), ("baseline_spread", &p.baseline_spread)] {
        if list.len() != CHANNELS {
            let reason =
                format!("has {} numbers; give one for each of the {CHANNELS} inputs, or none", list.len());
            return Err(Fault::parameter(name, reason));
        }
    }
    if let Some(spread) = p.baseline_spread.iter().find(|spread| **spread <= 0.0) {
        return Err(Fault::parameter("baseline_spread", format!("{spread} is not above 0")));
    }
    let mut given = [Baseline { median: 0.0, spread: 1.0 }; CHANNELS];
    for (baseline, (median, spread)) in given.iter_mut().zip(p.baseline_median.iter().zip(&p.baseline_spread))
    {
        *baseline = Baseline { median: *median, spread: *spread };
    }
    Ok(Some(given))
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
