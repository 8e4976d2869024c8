//! What people see of a twin: plain structures, made on request, that the API turns into JSON.

use std::sync::Arc;

use geminus_core::declaration::{Kind as BehaviorKind, Priority, Role};
use geminus_core::{Authority, Quality, Timestamp, TwinIndex};

use super::alarm::bits;
use super::layout::Layout;
use super::{Moment, Shard};
use crate::plant::{BindingIndex, Kind, Origin};

/// Whether a twin sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It has not sent anything since this host started.
    Waiting,
    /// At least one of its points is fresh.
    Live,
    /// All points that ever had a sample are stale.
    Stale,
}

impl State {
    /// Lower-case name, as APIs show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Live => "live",
            Self::Stale => "stale",
        }
    }
}

/// What a health index means; the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// 0.5 and above.
    Ok,
    /// No verdict is possible.
    Unknown,
    /// Below 0.5.
    Warning,
    /// Below 0.2.
    Critical,
}

impl Verdict {
    /// Lower-case name, as APIs show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Health of a twin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Health {
    /// 0 (failed) … 1 (healthy), the worst of all indices; `None` when unknown.
    pub index: Option<f64>,
    /// What it means.
    pub verdict: Verdict,
}

impl Health {
    /// `self`, or `other` when it says the same with a lower index.
    pub(super) fn lower(self, other: Self) -> Self {
        match (self.index, other.index) {
            (Some(own), Some(index)) if self.verdict == other.verdict && index < own => other,
            _ => self,
        }
    }
}

/// A twin in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Which twin.
    pub twin: TwinIndex,
    /// Whether it sends.
    pub state: State,
    /// Milliseconds since its newest sample was received; `None` while waiting.
    pub age_ms: Option<u64>,
    /// Its health.
    pub health: Health,
    /// Number of active alerts that are not suppressed.
    pub alerts: usize,
    /// Their highest priority.
    pub highest: Option<Priority>,
}

/// Everything about a twin.
#[derive(Clone, Debug, PartialEq)]
pub struct TwinView {
    /// As in a list.
    pub summary: Summary,
    /// Its id.
    pub id: String,
    /// DTMI of its type.
    pub type_id: String,
    /// Name for people.
    pub display_name: String,
    /// How far its behaviors may reach.
    pub authority: Authority,
    /// What the field sends.
    pub measured: Vec<PointView>,
    /// What behaviors compute.
    pub estimated: Vec<PointView>,
    /// Its behaviors.
    pub behaviors: Vec<BehaviorView>,
    /// Active alerts, the highest priority first; those of a stale twin are not among them.
    pub alerts: Vec<AlertView>,
    /// How many alerts are kept aside because the twin is stale.
    pub suppressed_alerts: usize,
}

/// One point.
#[derive(Clone, Debug, PartialEq)]
pub struct PointView {
    /// Its name.
    pub name: String,
    /// UCUM code.
    pub unit: String,
    /// `None` when there is no number.
    pub value: Option<f64>,
    /// Quality, staleness worked in.
    pub quality: Quality,
    /// Source time; the row's time of an estimated point.
    pub time: Option<Timestamp>,
    /// When it was received or computed.
    pub received: Option<Timestamp>,
    /// Milliseconds since then.
    pub age_ms: Option<u64>,
    /// Expected interval of a measured point.
    pub interval_ms: Option<u64>,
    /// What it means.
    pub description: String,
    /// What an estimated number is.
    pub role: Option<Role>,
    /// Name of the point that it is about.
    pub of: Option<String>,
    /// Name of the behavior that computes it.
    pub behavior: Option<String>,
}

/// A behavior of a twin. Version, digest and state are known to whoever runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct BehaviorView {
    /// Which binding.
    pub binding: BindingIndex,
    /// Its name.
    pub name: String,
    /// Name of its plugin.
    pub plugin: String,
    /// What kind it is.
    pub kind: BehaviorKind,
    /// Rows whose outcome was applied.
    pub rows: u64,
    /// Whether it still warms up.
    pub warming_up: bool,
    /// Time of the last row.
    pub last: Option<Timestamp>,
}

/// An active alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertView {
    /// Declared code.
    pub code: String,
    /// Declared priority.
    pub priority: Priority,
    /// Declared text.
    pub text: String,
    /// What tripped it.
    pub value: f64,
    /// UCUM code of the value.
    pub unit: String,
    /// What the behavior adds.
    pub detail: String,
    /// Time of the row that raised it first.
    pub since: Timestamp,
    /// Name of the behavior.
    pub behavior: String,
}

#[expect(clippy::indexing_slicing, reason = "places come from `settle`, which sized all columns together")]
impl Shard {
    /// How a twin stands, as of the last tick; `None` when another shard has it. Costs no more than a look.
    #[must_use]
    pub fn state(&self, twin: TwinIndex) -> Option<State> {
        Some(self.twins[self.place(twin)?].state)
    }

    /// A twin for a list; `None` when another shard has it.
    #[must_use]
    pub fn summary(&self, twin: TwinIndex, now: Moment) -> Option<Summary> {
        let place = self.place(twin)?;
        let (layout, state) = (self.layouts.get(self.twins[place].layout as usize)?, &self.twins[place]);
        let (mut alerts, mut highest) = (0, None);
        if state.state != State::Stale {
            for row in (state.first_row as usize..).take(layout.stages.len()) {
                let active = self.rows[row].active;
                alerts += active.count_ones() as usize;
                let declared = |alert| self.raised.get(&(row as u32, alert))?.declared(alert);
                let priorities = bits(active).filter_map(declared).map(|alert| Some(alert.priority));
                highest = priorities.chain([highest]).max().flatten();
            }
        }
        let health = self.health(layout, place);
        Some(Summary { twin, state: state.state, age_ms: self.age_ms(place, now), health, alerts, highest })
    }

    /// Everything about a twin; `None` when another shard has it.
    #[must_use]
    pub fn view(&self, twin: TwinIndex, now: Moment) -> Option<TwinView> {
        let (plant, place) = (Arc::clone(&self.plant), self.place(twin)?);
        let of = plant.twin(twin)?;
        let (kind, layout) = (plant.kind(of)?, self.layouts.get(of.kind as usize)?);
        let summary = self.summary(twin, now)?;
        let points = |range: std::ops::Range<usize>| -> Vec<PointView> {
            range.filter_map(|point| self.point_view(kind, layout, place, point, now)).collect()
        };
        let all = self.alerts(layout, place);
        let stale = summary.state == State::Stale;
        Some(TwinView {
            id: of.id.to_string(),
            type_id: kind.type_id.clone(),
            display_name: plant.display_name(of),
            authority: of.authority,
            measured: points(0..kind.measured),
            estimated: points(kind.measured..kind.points.len()),
            behaviors: self.behaviors(layout, place),
            suppressed_alerts: if stale { all.len() } else { 0 },
            alerts: if stale { Vec::new() } else { all },
            summary,
        })
    }

    pub(super) fn age_ms(&self, place: usize, now: Moment) -> Option<u64> {
        let state = &self.twins[place];
        (state.state != State::Waiting).then(|| now.monotonic.saturating_sub(state.heard) / 1_000_000)
    }

    pub(super) fn measured_quality(&self, layout: &Layout, slot: usize, now: Moment) -> Quality {
        let slot = &self.slots[slot];
        let silent = now.monotonic.saturating_sub(slot.heard);
        match slot.quality {
            Quality::Missing => Quality::Missing,
            quality if silent > layout.spans[usize::from(slot.point)] => quality.worse(Quality::Stale),
            quality => quality,
        }
    }

    /// Value and quality of an output; stale when its behavior has had no row for too long, or the twin is stale.
    pub(super) fn output(
        &self,
        layout: &Layout,
        twin: usize,
        stage: usize,
        output: usize,
        now: Moment,
    ) -> (f64, Quality) {
        let state = &self.twins[twin];
        let (row, place) =
            (&self.rows[state.first_row as usize + stage], state.first_output as usize + output);
        let (value, quality) = (self.output_value[place], self.output_quality[place]);
        let silent = now.monotonic.saturating_sub(row.heard) > layout.stages[stage].span;
        let stale = (silent || state.state == State::Stale) && quality != Quality::Missing;
        (value, if stale { quality.worse(Quality::Stale) } else { quality })
    }

    fn point_view(
        &self,
        kind: &Kind,
        layout: &Layout,
        twin: usize,
        point: usize,
        now: Moment,
    ) -> Option<PointView> {
        let it = kind.points.get(point)?;
        let mut view = PointView {
            name: it.name.clone(),
            unit: it.unit.clone(),
            value: None,
            quality: Quality::Missing,
            time: None,
            received: None,
            age_ms: None,
            interval_ms: it.interval_ms(),
            description: it.description.clone(),
            role: None,
            of: None,
            behavior: None,
        };
        match &it.origin {
            Origin::Measured { .. } => {
                let place = self.twins[twin].first_slot as usize + point;
                let slot = &self.slots[place];
                if slot.quality != Quality::Missing {
                    view.value = Some(slot.value).filter(|value| value.is_finite());
                    view.quality = self.measured_quality(layout, place, now);
                    (view.time, view.received) = (Some(Timestamp(slot.time)), Some(Timestamp(slot.received)));
                    view.age_ms = Some(now.monotonic.saturating_sub(slot.heard) / 1_000_000);
                }
            }
            Origin::Estimated { behavior, role, of, .. } => {
                (view.role, view.of) = (Some(*role), of.clone());
                view.behavior = Some(self.plant.bindings[layout.stages[*behavior].binding].name.clone());
                let row = &self.rows[self.twins[twin].first_row as usize + behavior];
                if row.recalled || row.applied_at > 0 {
                    let (value, quality) = self.output(layout, twin, *behavior, point - kind.measured, now);
                    (view.value, view.quality) = (Some(value).filter(|value| value.is_finite()), quality);
                    let known = |time: u64| (time > 0).then_some(Timestamp(time));
                    (view.time, view.received) = (known(row.applied), known(row.applied_at));
                    view.age_ms = match row.recalled {
                        true => view.received.map(|at| now.wall.millis().saturating_sub(at.millis())),
                        false => Some(now.monotonic.saturating_sub(row.heard) / 1_000_000),
                    };
                }
            }
        }
        Some(view)
    }

    fn behaviors(&self, layout: &Layout, twin: usize) -> Vec<BehaviorView> {
        let each = layout.stages.iter().enumerate().map(|(stage, it)| {
            let (row, binding) =
                (&self.rows[self.twins[twin].first_row as usize + stage], &self.plant.bindings[it.binding]);
            BehaviorView {
                binding: BindingIndex(it.binding as u32),
                name: binding.name.clone(),
                plugin: binding.declaration.name.clone(),
                kind: binding.declaration.kind,
                rows: row.stepped,
                warming_up: row.stepped < it.warm_up,
                last: (row.applied > 0).then_some(Timestamp(row.applied)),
            }
        });
        each.collect()
    }

    fn alerts(&self, layout: &Layout, twin: usize) -> Vec<AlertView> {
        let mut alerts = Vec::new();
        for (stage, it) in layout.stages.iter().enumerate() {
            let row = self.twins[twin].first_row as usize + stage;
            let binding = &self.plant.bindings[it.binding];
            for alert in bits(self.rows[row].active) {
                let Some(raised) = self.raised.get(&(row as u32, alert)) else { continue };
                let Some(declared) = raised.declared(alert) else { continue };
                alerts.push(AlertView {
                    code: declared.code.clone(),
                    priority: declared.priority,
                    text: declared.text.clone(),
                    value: raised.value,
                    unit: declared.unit.clone(),
                    detail: raised.detail.clone(),
                    since: raised.since,
                    behavior: binding.name.clone(),
                });
            }
        }
        alerts.sort_by(|a, b| b.priority.cmp(&a.priority).then(a.since.cmp(&b.since)));
        alerts
    }
}
