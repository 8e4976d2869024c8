//! The arithmetic of the verdict: is the pump running, how far is each input from its baseline, what score do they
//! make together, and how the baseline follows harmless change.

use geminus_models::cusum::{Cusum, Page};
use geminus_sdk::{Fault, Memo, Reading, math};

use crate::channel::Baseline;
use crate::{CHANNELS, Channel, Memory, PumpParameters, WARNING_SCORE};

/// What has added up stops at this part of its limit: it raises the warning, never the critical alert, and is soon
/// forgotten once the pump is well.
const LASTING_CEILING: f64 = 1.2;

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

    /// Learns how the inputs vary together from whole rows, until all have a baseline; then makes the plane of it. Wild
    /// values count up to the cap, as in the score.
    pub(crate) fn learn_together(&self, memory: &mut Memory, values: &[Option<f64>; CHANNELS]) {
        let Some(joint) = memory.joint.as_mut().filter(|_| self.given.is_none()) else { return };
        let mut row = [0.0; CHANNELS];
        let mut baselines = [None; CHANNELS];
        for (place, channel) in memory.channels.iter().enumerate() {
            let (Some(Some(value)), Some(cell)) = (values.get(place), row.get_mut(place)) else { return };
            let floor = self.floors.get(place).copied().unwrap_or_default();
            let rough = channel.baseline(0, floor, self.parameters.relative_floor);
            let reach = |rough: &Baseline| self.parameters.deviation_cap * rough.spread;
            *cell = rough.map_or(*value, |b| value.clamp(b.median - reach(&b), b.median + reach(&b)));
            if let Some(baseline) = baselines.get_mut(place) {
                *baseline = self.baseline(channel, place);
            }
        }
        let [Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)] = baselines else {
            joint.learn(&row);
            return;
        };
        // Half of the rows must have been whole; with fewer, each input stands for itself.
        memory.plane = joint.plane(&[a, b, c, d, e, f], self.parameters.warm_up_rows / 2);
        memory.joint = None;
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

    /// Score of the shifts, 0 or more; `None` when too few inputs tell. With all six, T² and Q of the plane together;
    /// with fewer, or without a plane, each input for itself.
    pub(crate) fn score(&self, memory: &Memory, shifts: &[Option<f64>; CHANNELS]) -> Option<f64> {
        let whole = |plane| Some((plane, to_whole(shifts)?));
        let (mut inputs, mut squares) = (0, 0.0);
        for (place, shift) in shifts.iter().enumerate() {
            let Some(shift) = shift else { continue };
            inputs += 1;
            squares += shift * shift / memory.plane.as_ref().map_or(1.0, |plane| plane.variance(place));
        }
        if let Some((plane, shifts)) = memory.plane.as_ref().and_then(whole) {
            let distance = plane.distance(&shifts);
            squares = distance.t2 + distance.q;
        }
        (inputs >= self.parameters.inputs_min)
            .then(|| self.parameters.sensitivity * math::sqrt(squares / f64::from(inputs)))
    }

    /// The score with what has added up: a small one that lasts becomes a warning.
    pub(crate) fn lasting(&self, memory: &mut Memory, score: f64, elapsed_s: f64) -> f64 {
        let (slack, limit) = (self.parameters.lasting_slack, self.parameters.lasting_limit);
        let page = Page { slack, limit, ceiling: LASTING_CEILING * limit };
        let mut cusum = Cusum { high: memory.lasting, low: 0.0 };
        // A row after a gap tells of itself, not of the gap.
        cusum.push(score, elapsed_s.min(self.parameters.smoothing), &page);
        memory.lasting = cusum.high;
        score.max(WARNING_SCORE * cusum.part(&page))
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

/// The shifts when all inputs have one.
fn to_whole(shifts: &[Option<f64>; CHANNELS]) -> Option<[f64; CHANNELS]> {
    let mut whole = [0.0; CHANNELS];
    for (cell, shift) in whole.iter_mut().zip(shifts) {
        *cell = (*shift)?;
    }
    Some(whole)
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
