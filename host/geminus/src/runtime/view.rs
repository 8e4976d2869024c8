//! From what the twin room knows to the shapes of the API.

use geminus_api::view as api;
use geminus_core::declaration::Role;
use geminus_twin::shard as seen;
use geminus_twin::{BindingIndex, Plant};

use super::plugins::State;

/// What the shard knows of a behavior of a twin that the twin room does not.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) runs: bool,
    pub(crate) quarantined: bool,
    pub(crate) fault: Option<String>,
}

pub(crate) fn state(state: seen::State) -> api::TwinState {
    match state {
        seen::State::Live => api::TwinState::Live,
        seen::State::Stale => api::TwinState::Stale,
        seen::State::Waiting => api::TwinState::Waiting,
    }
}

pub(crate) fn health(health: seen::Health) -> api::HealthView {
    let verdict = match health.verdict {
        seen::Verdict::Ok => api::Verdict::Ok,
        seen::Verdict::Warning => api::Verdict::Warning,
        seen::Verdict::Critical => api::Verdict::Critical,
        seen::Verdict::Unknown => api::Verdict::Unknown,
    };
    api::HealthView { index: health.index, verdict }
}

pub(crate) fn alerts(summary: &seen::Summary) -> api::AlertCount {
    api::AlertCount { active: summary.alerts as u64, highest: summary.highest }
}

/// A twin in brief; `None` when the plant does not have it.
pub(crate) fn summary(plant: &Plant, summary: &seen::Summary) -> Option<api::TwinSummary> {
    let twin = plant.twin(summary.twin)?;
    Some(api::TwinSummary {
        id: twin.id.to_string(),
        twin_type: plant.kind(twin)?.type_id.clone(),
        state: state(summary.state),
        age_ms: summary.age_ms,
        health: health(summary.health),
        alerts: alerts(summary),
        authority: twin.authority,
    })
}

/// A twin in full.
pub(crate) fn twin(
    view: seen::TwinView,
    plant: &Plant,
    board: &State,
    standing: impl Fn(BindingIndex) -> Standing,
) -> Option<api::TwinView> {
    Some(api::TwinView {
        summary: summary(plant, &view.summary)?,
        display_name: view.display_name,
        measured: view.measured.into_iter().map(point).collect(),
        estimated: view.estimated.into_iter().map(point).collect(),
        behaviors: view.behaviors.into_iter().map(|one| behavior(one, board, &standing)).collect(),
        alerts: view.alerts.into_iter().map(alert).collect(),
        suppressed_alerts: view.suppressed_alerts as u64,
    })
}

fn point(point: seen::PointView) -> api::PointView {
    let role: Option<Role> = point.role;
    api::PointView {
        name: point.name,
        unit: point.unit,
        value: point.value,
        quality: point.quality,
        time: point.time.map(api::Time),
        received: point.received.map(api::Time),
        age_ms: point.age_ms,
        interval_ms: point.interval_ms,
        description: point.description,
        role,
        of: point.of,
        behavior: point.behavior,
    }
}

fn behavior(
    behavior: seen::BehaviorView,
    board: &State,
    standing: impl Fn(BindingIndex) -> Standing,
) -> api::BehaviorView {
    let at = standing(behavior.binding);
    let active = board.active.get(behavior.binding.0 as usize).and_then(Option::as_ref);
    let state = match (at.runs, at.quarantined, behavior.rows) {
        (_, true, _) => api::BehaviorState::Quarantined,
        (false, ..) | (.., 0) => api::BehaviorState::Waiting,
        _ if behavior.warming_up => api::BehaviorState::WarmingUp,
        _ => api::BehaviorState::Running,
    };
    let fault = at.fault.or_else(|| (!at.runs).then(|| "no version of the plugin runs".to_owned()));
    api::BehaviorView {
        name: behavior.name,
        plugin: behavior.plugin,
        version: active.map(|a| a.compiled.declaration().version.to_string()).unwrap_or_default(),
        digest: active.map(|a| a.digest().to_string()).unwrap_or_default(),
        kind: behavior.kind,
        state,
        rows: behavior.rows,
        since: api::Time(active.map(|a| a.since).unwrap_or_default()),
        fault,
        cost: None,
        trial: None,
    }
}

fn alert(alert: seen::AlertView) -> api::AlertView {
    api::AlertView {
        code: alert.code,
        priority: alert.priority,
        text: alert.text,
        value: alert.value,
        unit: alert.unit,
        detail: alert.detail,
        since: api::Time(alert.since),
        behavior: alert.behavior,
    }
}
