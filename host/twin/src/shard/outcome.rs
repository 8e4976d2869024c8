//! Outcomes: outputs become values of the twin, history, input of other behaviors, and health.

use std::sync::Arc;

use geminus_core::{Declaration, Frame, Outcome, Quality, Sample, SeriesId, Timestamp};

use super::layout::Layout;
use super::{Moment, NONE, Shard, State, Verdict};
use crate::plant::BindingIndex;

/// Below it a health index is a warning.
const WARNING_BELOW: f64 = 0.5;
/// Below it a health index is critical.
const CRITICAL_BELOW: f64 = 0.2;

#[expect(clippy::indexing_slicing, reason = "places come from `settle`, which sized all columns together")]
impl Shard {
    /// Applies the outcome of a frame that [`Shard::next_frame`] gave, row by row, and adds its values to `recorded`
    /// for history. A row that was not stepped (all outputs bad and no number) leaves alerts as they were. A value that is
    /// no number goes into history once, when it follows one, so that a curve breaks there.
    pub fn apply(
        &mut self,
        binding: BindingIndex,
        frame: &Frame,
        outcome: &Outcome,
        now: Moment,
        recorded: &mut Vec<Sample>,
    ) {
        self.apply_by(binding, frame, outcome, now, recorded, &|_| None);
    }

    /// As [`Shard::apply`], with the declaration of the version that answered each row, whose words its alerts have;
    /// `None`: that of the plant.
    pub fn apply_by(
        &mut self,
        binding: BindingIndex,
        frame: &Frame,
        outcome: &Outcome,
        now: Moment,
        recorded: &mut Vec<Sample>,
        declared: &dyn Fn(usize) -> Option<Arc<Declaration>>,
    ) {
        let (layouts, plant) = (Arc::clone(&self.layouts), Arc::clone(&self.plant));
        let mut alerts = outcome.alerts.iter().peekable();
        for (row, (index, time)) in frame.twins.iter().zip(&frame.times).enumerate() {
            let raised: Vec<_> =
                std::iter::from_fn(|| alerts.next_if(|alert| alert.row as usize <= row)).collect();
            let Some(twin) = self.place(*index) else { continue };
            let layout = &layouts[self.twins[twin].layout as usize];
            let Some(stage) = layout.stage_of(binding.0 as usize) else { continue };
            let inputs = frame.quality.get(row * frame.inputs..(row + 1) * frame.inputs).unwrap_or_default();
            let series = plant.twin(*index).map(|twin| plant.series(twin)).unwrap_or_default();
            let series = series.get(layout.measured()..).unwrap_or_default();
            let outputs = RowOutputs { outcome, row, taint: taint(inputs), time: *time, series };
            let stepped = self.store_outputs(layout, twin, stage, &outputs, now, recorded);
            if stepped {
                // Nobody's words are asked for where nothing is raised.
                let by = Some(row).filter(|_| !raised.is_empty()).and_then(declared);
                let by = by.as_ref().unwrap_or(&plant.bindings[layout.stages[stage].binding].declaration);
                self.raise(layout, twin, stage, *time, (raised.as_slice(), by));
            }
            self.settle_dependents(layout, twin, stage, time.0, now);
            self.mark_dirty(twin);
        }
    }

    /// Whether the row was stepped.
    fn store_outputs(
        &mut self,
        layout: &Layout,
        twin: usize,
        stage: usize,
        outputs: &RowOutputs<'_>,
        now: Moment,
        recorded: &mut Vec<Sample>,
    ) -> bool {
        let (state, it) = (&self.twins[twin], &layout.stages[stage]);
        let first = state.first_output as usize;
        let row = &mut self.rows[state.first_row as usize + stage];
        row.applied = row.applied.max(outputs.time.0);
        row.applied_at = now.wall.0;
        row.stepped += 1;
        row.dirty = true;
        row.recalled = false;
        self.counters.applied += 1;
        let mut stepped = false;
        for (place, output) in it.outputs.clone().enumerate() {
            let (value, quality) = outputs.value(place);
            stepped |= quality != Quality::Bad || !value.is_nan();
            let (quality, before) = (quality.worse(outputs.taint), self.output_value[first + output]);
            self.output_value[first + output] = value;
            self.output_quality[first + output] = quality;
            if let Some(series) = outputs.series.get(output).filter(|_| !value.is_nan() || !before.is_nan()) {
                let quality = if value.is_nan() { Quality::Bad } else { quality };
                let received = now.wall;
                recorded.push(Sample { series: *series, quality, value, time: outputs.time, received });
            }
        }
        if layout.health.iter().any(|(_, of)| *of == stage) {
            self.refresh_verdict(layout, twin);
        }
        stepped
    }

    /// Works out the twin's health verdict again, and whether it changed.
    pub(super) fn refresh_verdict(&mut self, layout: &Layout, twin: usize) {
        let verdict = self.health(layout, twin).verdict;
        if self.twins[twin].verdict != verdict {
            self.twins[twin].verdict = verdict;
            self.mark_changed(twin);
        }
    }

    /// The worst health index of the twin. Unknown while the twin is not live; unknown is worse than "ok", because a
    /// verdict that is missing is not a good one.
    pub(super) fn health(&self, layout: &Layout, twin: usize) -> super::Health {
        let state = &self.twins[twin];
        let unknown = super::Health { index: None, verdict: Verdict::Unknown };
        if state.state != State::Live {
            return unknown;
        }
        let each = layout.health.iter().map(|(output, _)| {
            let output = state.first_output as usize + output;
            let index = self.output_value[output];
            if !self.output_quality[output].usable() || index.is_nan() {
                return unknown;
            }
            super::Health { index: Some(index), verdict: verdict(index) }
        });
        let worse = |a: super::Health, b: super::Health| if b.verdict > a.verdict { b } else { a.lower(b) };
        each.reduce(worse).unwrap_or(unknown)
    }

    pub(super) fn mark_dirty(&mut self, twin: usize) {
        let state = &mut self.twins[twin];
        if state.watched && !state.dirty {
            state.dirty = true;
            self.dirty.push(twin as u32);
        }
    }

    pub(super) fn mark_changed(&mut self, twin: usize) {
        debug_assert!(twin < NONE as usize);
        let state = &mut self.twins[twin];
        if !state.changed {
            state.changed = true;
            self.changed.push(twin as u32);
        }
        self.mark_dirty(twin);
    }
}

/// Outputs of one row.
struct RowOutputs<'a> {
    outcome: &'a Outcome,
    row: usize,
    taint: Quality,
    time: Timestamp,
    series: &'a [SeriesId],
}

impl RowOutputs<'_> {
    /// A value that is not there is bad, never good by default.
    fn value(&self, place: usize) -> (f64, Quality) {
        let at = self.row * self.outcome.outputs + place;
        let value = self.outcome.values.get(at).copied().unwrap_or(f64::NAN);
        let quality = self.outcome.quality.get(at).copied().unwrap_or(Quality::Bad);
        match (place < self.outcome.outputs, value.is_finite()) {
            (true, true) => (value, quality),
            (true, false) if quality == Quality::Missing => (f64::NAN, quality),
            (_, _) => (f64::NAN, Quality::Bad),
        }
    }
}

/// What inputs take from outputs: an input that could not be used, or was uncertain, leaves them uncertain. A
/// missing input does not: that is how a filter learns that there was no measurement.
fn taint(inputs: &[Quality]) -> Quality {
    let worse = inputs.iter().any(|quality| !matches!(quality, Quality::Good | Quality::Missing));
    if worse { Quality::Uncertain } else { Quality::Good }
}

fn verdict(index: f64) -> Verdict {
    match index {
        index if index < CRITICAL_BELOW => Verdict::Critical,
        index if index < WARNING_BELOW => Verdict::Warning,
        _ => Verdict::Ok,
    }
}
