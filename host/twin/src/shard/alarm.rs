//! Alerts: the active set of a behavior is what its last row raised; the journal hears of each rise and fall.
//!
//! While a twin is stale its alerts are kept and shown as suppressed, and nothing is said; when it sends again, what
//! changed meanwhile is said once. What an alert is called and how much it matters is up to the version that raised it,
//! which may be another one than the plant was laid out by.

use std::sync::Arc;

use geminus_core::declaration::{AlertDeclaration, Priority};
use geminus_core::{Alert, Declaration, Event, Severity, Timestamp};

use super::layout::Layout;
use super::{Shard, State};

/// An active alert, or one that has fallen and of which the journal has not heard yet.
#[derive(Clone, Debug)]
pub(super) struct Raised {
    /// Time of the first row that raised it.
    pub(super) since: Timestamp,
    pub(super) value: f64,
    pub(super) detail: String,
    /// Of the version that raised it last.
    by: Arc<Declaration>,
}

impl Raised {
    /// What that version says of alert number `alert`.
    pub(super) fn declared(&self, alert: u8) -> Option<&AlertDeclaration> {
        self.by.alerts.get(usize::from(alert))
    }
}

#[expect(clippy::indexing_slicing, reason = "places come from `settle`, which sized all columns together")]
impl Shard {
    /// Takes what a row raised as the active set of its behavior. `by` is the declaration of the version that did.
    pub(super) fn raise(
        &mut self,
        layout: &Layout,
        twin: usize,
        stage: usize,
        time: Timestamp,
        (raised, by): (&[&Alert], &Arc<Declaration>),
    ) {
        let place = self.twins[twin].first_row as usize + stage;
        if raised.is_empty() && self.rows[place].active == 0 {
            return;
        }
        let declared = self.plant.bindings[layout.stages[stage].binding].alerts().len().min(by.alerts.len());
        let (before, mut active) = (self.rows[place].active, 0);
        for alert in raised.iter().filter(|alert| (alert.alert as usize) < declared) {
            let bit = 1 << alert.alert;
            let key = (place as u32, alert.alert as u8);
            let stood = self.raised.get(&key).filter(|_| (before | active) & bit != 0);
            let since = stood.map_or(time, |stood| stood.since);
            active |= bit;
            let (value, detail, by) = (alert.value, alert.detail.clone(), Arc::clone(by));
            self.raised.insert(key, Raised { since, value, detail, by });
        }
        self.rows[place].active = active;
        // Of whose rise nobody has heard, nobody hears the fall.
        for alert in bits(before & !active & !self.rows[place].announced) {
            self.raised.remove(&(place as u32, alert));
        }
        if self.twins[twin].state != State::Stale {
            self.announce_stage(layout, twin, stage);
        }
    }

    /// Tells the journal what changed while the twin was stale.
    pub(super) fn announce(&mut self, layout: &Layout, twin: usize) {
        for stage in 0..layout.stages.len() {
            self.announce_stage(layout, twin, stage);
        }
    }

    fn announce_stage(&mut self, layout: &Layout, twin: usize, stage: usize) {
        let place = self.twins[twin].first_row as usize + stage;
        let row = &mut self.rows[place];
        let (active, announced) = (row.active, row.announced);
        if active == announced {
            return;
        }
        row.announced = active;
        let binding = layout.stages[stage].binding;
        for alert in bits(active & !announced) {
            self.edge(twin, place, binding, alert, true);
        }
        for alert in bits(announced & !active) {
            self.edge(twin, place, binding, alert, false);
            self.raised.remove(&(place as u32, alert));
        }
        self.mark_changed(twin);
    }

    fn edge(&mut self, twin: usize, row: usize, binding: usize, alert: u8, rises: bool) {
        let plant = Arc::clone(&self.plant);
        let binding = &plant.bindings[binding];
        let Some(twin) = plant.twin(self.twins[twin].index) else { return };
        let Some(raised) = self.raised.get(&(row as u32, alert)) else { return };
        let Some(declared) = raised.declared(alert) else { return };
        let detail = Some(raised.detail.as_str()).filter(|detail| !detail.is_empty());
        let (kind, severity, words) = match rises {
            true => ("alert-raised", severity(declared.priority), detail.unwrap_or(&declared.text)),
            false => ("alert-cleared", Severity::Info, "cleared"),
        };
        let facts = serde_json::json!({
            "behavior": binding.name, "code": declared.code, "priority": declared.priority,
            "value": rises.then_some(raised.value), "unit": declared.unit,
            "row_ms": rises.then_some(raised.since.millis()),
        });
        let message = format!("{} {}: {words}", twin.id, declared.code);
        let event = Event::new(kind, severity, message);
        self.events.push(event.twin(&*twin.id).plugin(raised.by.label()).facts(facts));
    }
}

fn severity(priority: Priority) -> Severity {
    match priority {
        Priority::Journal | Priority::Low => Severity::Info,
        Priority::Medium | Priority::High | Priority::Critical => Severity::Warning,
    }
}

/// Places of the bits that are set.
pub(super) fn bits(mut set: u64) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let lowest = (set != 0).then(|| set.trailing_zeros() as u8)?;
        set &= set - 1;
        Some(lowest)
    })
}
