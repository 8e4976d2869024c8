//! What one shard looks at for its alarms: alerts of rows, and values of points that a rule names.
//!
//! Says only what changed, and never waits for whoever hears it: while the queue is full, words stay here, of each alarm
//! the last one once there are many. A site without rules pays a look at the alerts of each row.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crossbeam_channel::{Sender, TrySendError};
use geminus_alarm::{Condition, Detector, Hold, Key, Signal, Words};
use geminus_core::declaration::AlertDeclaration;
use geminus_core::{Alert, Declaration, Frame, Outcome, Quality, Sample, SeriesId, TwinIndex};
use geminus_twin::plant::{Origin, Plant, Reference, Watched};
use geminus_twin::shard::Moment;
use geminus_twin::{BindingIndex, Shard};

use super::look::{Look, Port};

/// Words kept while the queue is full before only the last of each alarm is.
const KEPT_MAX: usize = 4_096;
/// How often points are looked at for silence, in nanoseconds.
const SILENCE_EVERY_NS: u64 = 1_000_000_000;
/// No point is looked at.
const NONE: u32 = u32::MAX;

/// The eyes of one shard.
pub(crate) struct Watch {
    plant: Arc<Plant>,
    out: Sender<Vec<Signal>>,
    said: Vec<Signal>,
    /// Alarms of an alert; twins for which different rules count have different ones.
    of_alert: HashMap<(BindingIndex, u8), Vec<u32>>,
    /// Alerts of which it was said last that they hold, as bits, where there are any.
    up: HashMap<(BindingIndex, TwinIndex), u64>,
    holds: HashMap<Key, Hold>,
    looks: Vec<Look>,
    /// From series number to the place in `ports`.
    ports_of: Vec<u32>,
    ports: Vec<Vec<(usize, Port)>>,
    next_silence: u64,
    turned: Vec<(TwinIndex, bool)>,
}

impl Watch {
    /// For the twins of `shard`. `active`: what was up when the host ended.
    pub(crate) fn new(
        plant: &Arc<Plant>,
        shard: &Shard,
        out: Sender<Vec<Signal>>,
        active: &BTreeSet<Key>,
    ) -> Self {
        let mut watch = Self {
            plant: Arc::clone(plant),
            out,
            said: Vec::new(),
            of_alert: HashMap::new(),
            up: HashMap::new(),
            holds: HashMap::new(),
            looks: Vec::new(),
            ports_of: Vec::new(),
            ports: Vec::new(),
            next_silence: 0,
            turned: Vec::new(),
        };
        let here: BTreeSet<TwinIndex> = shard.twins().collect();
        for (place, alarm) in (0..).zip(&plant.alarms) {
            let mine = alarm.definition.twins.iter().filter(|twin| here.contains(*twin));
            let keys: Vec<Key> = mine.map(|twin| Key { twin: *twin, alarm: place }).collect();
            if let Watched::Alert { binding, alert, .. } = &alarm.watched {
                watch.of_alert.entry((*binding, *alert)).or_default().push(place);
            }
            for key in keys {
                watch.begin(&alarm.watched, key, active.contains(&key));
                if let Some((point, condition)) = &alarm.guard {
                    watch.look(point, (key, true), *condition, 0.0, None);
                }
            }
        }
        watch
    }

    fn begin(&mut self, watched: &Watched, key: Key, active: bool) {
        match watched {
            Watched::Alert { binding, alert, hold } => {
                if active {
                    *self.up.entry((*binding, key.twin)).or_default() |= 1 << alert;
                }
                if let Some((_, deadband)) = hold.filter(|_| active) {
                    self.holds.insert(key, Hold::new(deadband, true));
                }
            }
            Watched::Point { point, condition, deadband, reference } => {
                let known = active.then_some(true);
                let look = self.look(point, (key, false), *condition, *deadband, known);
                match (reference, look) {
                    (Reference::Value(value), Some(look)) => {
                        self.looks.get_mut(look).into_iter().for_each(|look| look.refer_to(*value));
                    }
                    (Reference::Point(point), Some(look)) => {
                        if let Some(series) = self.plant.series_of(key.twin, point) {
                            self.connect(series, look, Port::Reference);
                        }
                    }
                    (_, None) => {}
                }
            }
        }
    }

    /// The place of a new look; `None` when the twin has no such point.
    fn look(
        &mut self,
        point: &str,
        (key, guards): (Key, bool),
        condition: Condition,
        deadband: f64,
        known: Option<bool>,
    ) -> Option<usize> {
        let series = self.plant.series_of(key.twin, point)?;
        let span = (condition == Condition::BadQuality).then(|| self.span(key.twin, point)).flatten();
        let place = self.looks.len();
        let detector = Detector::new(condition, deadband, known);
        self.looks.push(Look::new((key, guards), detector, span));
        self.connect(series, place, Port::Value);
        Some(place)
    }

    fn connect(&mut self, series: SeriesId, look: usize, port: Port) {
        let number = series.0 as usize;
        if self.ports_of.len() <= number {
            self.ports_of.resize(number + 1, NONE);
        }
        let Some(entry) = self.ports_of.get_mut(number) else { return };
        if *entry == NONE {
            *entry = u32::try_from(self.ports.len()).unwrap_or(NONE);
            self.ports.push(Vec::new());
        }
        if let Some(ports) = self.ports.get_mut(*entry as usize) {
            ports.push((look, port));
        }
    }

    fn span(&self, twin: TwinIndex, name: &str) -> Option<u64> {
        let kind = self.plant.kind(self.plant.twin(twin)?)?;
        let point = kind.points.iter().find(|point| point.name == name)?;
        let Origin::Measured { interval_ms, .. } = &point.origin else { return None };
        let intervals = u64::from(self.plant.limits.stale_after_intervals);
        Some(interval_ms.saturating_mul(intervals).saturating_mul(1_000_000))
    }

    /// Looks at what goes into history. Late samples are there too and say nothing of now.
    pub(crate) fn samples(&mut self, samples: &[Sample], now: Moment) {
        if self.looks.is_empty() {
            return;
        }
        for sample in samples {
            let place = self.ports_of.get(sample.series.0 as usize).copied().unwrap_or(NONE);
            let Some(ports) = self.ports.get(place as usize) else { continue };
            for (look, port) in ports {
                let Some(look) = self.looks.get_mut(*look) else { continue };
                self.said.extend(look.take(sample, *port, now));
            }
        }
    }

    /// Looks at the alerts of a frame. `declared`: the declaration of the version that answered a row; `None`: that of
    /// the plant. A row that was not stepped leaves all as it was.
    pub(crate) fn rows(
        &mut self,
        index: BindingIndex,
        frame: &Frame,
        outcome: &Outcome,
        declared: &dyn Fn(usize) -> Option<Arc<Declaration>>,
    ) {
        let plant = Arc::clone(&self.plant);
        let Some(binding) = plant.binding(index) else { return };
        if binding.alerts().is_empty() || (outcome.alerts.is_empty() && self.up.is_empty()) {
            return;
        }
        let mut alerts = outcome.alerts.iter().peekable();
        for (row, twin) in frame.twins.iter().enumerate() {
            let raised: Vec<&Alert> =
                std::iter::from_fn(|| alerts.next_if(|alert| alert.row as usize <= row)).collect();
            let before = self.up.get(&(index, *twin)).copied().unwrap_or(0);
            if (raised.is_empty() && before == 0) || !is_stepped(outcome, row) {
                continue;
            }
            let by = declared(row);
            let by = by.as_ref().unwrap_or(&binding.declaration);
            let known = binding.alerts().len().min(by.alerts.len());
            let raised: HashMap<u8, &Alert> = raised
                .into_iter()
                .filter(|alert| (alert.alert as usize) < known)
                .map(|alert| (alert.alert as u8, alert))
                .collect();
            let mut after = 0;
            for alert in 0..binding.alerts().len().min(64) as u8 {
                let (found, bit) = (raised.get(&alert).copied(), 1 << alert);
                if found.is_none() && before & bit == 0 {
                    continue;
                }
                let Some(key) = self.key(index, alert, *twin) else { continue };
                let holds = self.holds(key, found.is_some(), outcome, row);
                after |= if holds { bit } else { 0 };
                if holds != (before & bit != 0) {
                    self.said.push(said(key, holds, found, by.alerts.get(usize::from(alert))));
                }
            }
            match after {
                0 => drop(self.up.remove(&(index, *twin))),
                _ => drop(self.up.insert((index, *twin), after)),
            }
        }
    }

    fn key(&self, index: BindingIndex, alert: u8, twin: TwinIndex) -> Option<Key> {
        let has = |place: &&u32| {
            self.plant.alarms.get(**place as usize).is_some_and(|alarm| alarm.definition.has(twin))
        };
        let alarm = self.of_alert.get(&(index, alert))?.iter().find(has)?;
        Some(Key { twin, alarm: *alarm })
    }

    /// Whether the condition holds after a row, the deadband worked in.
    fn holds(&mut self, key: Key, raised: bool, outcome: &Outcome, row: usize) -> bool {
        let watched = self.plant.alarms.get(key.alarm as usize).map(|alarm| &alarm.watched);
        let Some(Watched::Alert { hold: Some((output, deadband)), .. }) = watched else { return raised };
        let place = row * outcome.outputs + output;
        let usable = outcome.quality.get(place).is_some_and(|quality| quality.usable());
        let value = outcome.values.get(place).copied().filter(|_| usable).unwrap_or(f64::NAN);
        let holds = self.holds.entry(key).or_insert_with(|| Hold::new(*deadband, false)).read(raised, value);
        if !holds {
            self.holds.remove(&key);
        }
        holds
    }

    /// What a few times a second brings: twins that fell silent, points that did, and words on their way.
    pub(crate) fn tick(&mut self, shard: &mut Shard, now: Moment) {
        shard.take_turned(&mut self.turned);
        self.said.extend(self.turned.drain(..).map(|(twin, stale)| Signal::Stale { twin, stale }));
        if now.monotonic >= self.next_silence {
            self.next_silence = now.monotonic + SILENCE_EVERY_NS;
            let silent = self.looks.iter_mut().filter_map(|look| look.silence(now));
            self.said.extend(silent);
        }
        self.pass_on();
    }

    /// Passes on what there is to say. Never waits.
    pub(crate) fn pass_on(&mut self) {
        if self.said.is_empty() {
            return;
        }
        match self.out.try_send(std::mem::take(&mut self.said)) {
            Ok(()) => {}
            Err(TrySendError::Full(said)) => {
                self.said = said;
                if self.said.len() > KEPT_MAX {
                    self.said = last_words(std::mem::take(&mut self.said));
                }
            }
            // Nobody hears any more: the host is stopping.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }

    /// Passes on what there is to say when the shard ends; waits for room.
    pub(crate) fn finish(mut self) {
        let said = std::mem::take(&mut self.said);
        if !said.is_empty() {
            drop(self.out.send(said));
        }
    }
}

/// Whether a row has an outcome: one of a twin that is held apart, or of a fault, is bad and has no number.
fn is_stepped(outcome: &Outcome, row: usize) -> bool {
    let cells = row * outcome.outputs..(row + 1) * outcome.outputs;
    let values = outcome.values.get(cells.clone()).unwrap_or_default();
    let quality = outcome.quality.get(cells).unwrap_or_default();
    values.iter().zip(quality).any(|(value, quality)| *quality != Quality::Bad || !value.is_nan())
}

fn said(key: Key, holds: bool, alert: Option<&Alert>, declared: Option<&AlertDeclaration>) -> Signal {
    let words = declared.filter(|_| holds).map(|declared| Words {
        priority: declared.priority,
        message: declared.text.clone(),
        unit: declared.unit.clone(),
    });
    let value = alert.map_or(f64::NAN, |alert| alert.value);
    let detail = alert.map(|alert| alert.detail.clone()).unwrap_or_default();
    Signal::Condition { key, holds, value, detail, words }
}

/// Of each alarm the last word, in order.
fn last_words(said: Vec<Signal>) -> Vec<Signal> {
    let mut seen = std::collections::HashSet::new();
    let about = |signal: &Signal| match signal {
        Signal::Condition { key, .. } => (0_u8, key.twin, key.alarm),
        Signal::Design { key, .. } => (1, key.twin, key.alarm),
        Signal::Stale { twin, .. } => (2, *twin, 0),
    };
    let mut kept: Vec<Signal> = said.into_iter().rev().filter(|signal| seen.insert(about(signal))).collect();
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(alarm: u32, holds: bool) -> Signal {
        let key = Key { twin: TwinIndex(0), alarm };
        Signal::Condition { key, holds, value: f64::INFINITY, detail: String::new(), words: None }
    }

    #[test]
    fn of_many_words_the_last_of_each_alarm_are_kept() {
        let stale = |stale| Signal::Stale { twin: TwinIndex(0), stale };
        let said =
            vec![condition(0, true), stale(true), condition(1, true), condition(0, false), stale(false)];
        assert_eq!(last_words(said), [condition(1, true), condition(0, false), stale(false)]);
    }
}
