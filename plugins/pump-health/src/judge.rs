//! The arithmetic of the verdict: is the pump running, how far is each input from its baseline, what score do they
//! make together, and how the baseline follows harmless change.

use geminus_sdk::{Fault, Memo, Reading, math};

use crate::channel::Baseline;
use crate::{CHANNELS, Channel, Memory, PumpParameters};

/// A pump with its parameters, ready to be judged.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) parameters: PumpParameters,
    /// Smallest spread of each input.
    floors: [f64; CHANNELS],
    /// Baselines that the site gave.
    given: Option<[Baseline; CHANNELS]>,
    /// Parts of the way that smoothing and drift go in one interval; made anew when the interval changes.
    pace: Memo<(f64, f64)>,
}

impl Judge {
    /// # Errors
    /// `Fault::Parameter` when the given baselines are not one for each input.
    pub(crate) fn new(parameters: PumpParameters) -> Result<Self, Fault> {
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

    /// Part of the baseline that is known, 0 … 1, of the input that has most.
    pub(crate) fn progress(&self, memory: &Memory) -> f64 {
        let learnt = memory.channels.iter().map(|channel| channel.count).max().unwrap_or(0);
        let progress = f64::from(learnt) / f64::from(self.parameters.warm_up_rows);
        if self.given.is_some() { 1.0 } else { progress.min(1.0) }
    }

    /// Whether the pump has been running long enough to be judged. Standing still, or not known to run, starts anew.
    pub(crate) fn is_settled(&self, memory: &mut Memory, current: Reading, elapsed: Option<f64>) -> bool {
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
    pub(crate) fn shifts(
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
    pub(crate) fn score(&self, shifts: &[Option<f64>; CHANNELS]) -> Option<f64> {
        let (mut inputs, mut squares) = (0, 0.0);
        for shift in shifts.iter().flatten() {
            inputs += 1;
            squares += shift * shift;
        }
        (inputs >= self.parameters.inputs_min)
            .then(|| self.parameters.sensitivity * math::sqrt(squares / f64::from(inputs)))
    }

    pub(crate) fn follow(&self, memory: &mut Memory, values: &[Option<f64>; CHANNELS], elapsed_s: f64) {
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
