//! From what the twin room knows to the shapes of the API.

use geminus_api::view as api;
use geminus_core::TwinIndex;
use geminus_core::declaration::Role;
use geminus_rollout::Phase;
use geminus_twin::shard as seen;
use geminus_twin::{BindingIndex, Plant};

use super::cohorts::costs::Cost;
use super::cohorts::side::Berth;
use super::cohorts::trial::Trial;
use super::plugins::{Board, State};

/// What the shard knows of a behavior of a twin that the twin room does not.
#[derive(Debug)]
pub(crate) struct Standing<'a> {
    pub(crate) runs: bool,
    pub(crate) quarantined: bool,
    pub(crate) fault: Option<String>,
    /// The instance that answers.
    pub(crate) berth: Option<&'a Berth>,
    /// The rollout that the twin takes part in.
    pub(crate) trial: Option<&'a Trial>,
    pub(crate) substituted: Option<&'static str>,
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
pub(crate) fn twin<'a>(
    view: seen::TwinView,
    plant: &Plant,
    board: &Board,
    standing: impl Fn(BindingIndex) -> Standing<'a>,
) -> Option<api::TwinView> {
    let (twin, board) = (view.summary.twin, board.lock());
    Some(api::TwinView {
        summary: summary(plant, &view.summary)?,
        display_name: view.display_name,
        measured: view.measured.into_iter().map(point).collect(),
        estimated: view.estimated.into_iter().map(point).collect(),
        behaviors: view.behaviors.into_iter().map(|one| behavior(one, twin, &board, &standing)).collect(),
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

fn behavior<'a>(
    behavior: seen::BehaviorView,
    twin: TwinIndex,
    board: &State,
    standing: impl Fn(BindingIndex) -> Standing<'a>,
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
    let compiled = at.berth.map(|berth| berth.cohort.compiled());
    let strikes = board.strikes.get(&(behavior.binding, twin)).copied().unwrap_or_default();
    let trial = at.trial.map(|trial| api::TrialView {
        rollout: trial.rollout,
        phase: board.rollouts.get(&trial.rollout).map_or(Phase::Raising, |document| document.phase()),
        authoritative: trial.is_authoritative(twin),
        warm: trial.is_warm(twin),
    });
    api::BehaviorView {
        name: behavior.name,
        plugin: behavior.plugin,
        version: compiled.map(|compiled| compiled.declaration().version.to_string()).unwrap_or_default(),
        digest: compiled.map(|compiled| compiled.digest().to_string()).unwrap_or_default(),
        kind: behavior.kind,
        state,
        rows: behavior.rows,
        since: api::Time(active.map(|active| active.since).unwrap_or_default()),
        fault,
        cost: at.berth.map(|berth| cost(berth, twin, strikes, at.substituted)),
        trial,
    }
}

/// What a twin costs in the version that answers for it.
fn cost(berth: &Berth, twin: TwinIndex, strikes: u32, substitute: Option<&'static str>) -> api::CostView {
    let charge = berth.charge(twin);
    let Cost { rows, fuel, step_ns, misses, faults } = charge.cost;
    let per_row = |sum: u64, unit: f64| (rows > 0).then(|| sum as f64 / unit / rows as f64);
    api::CostView {
        version: berth.account.version.clone(),
        rows,
        fuel,
        fuel_per_row: per_row(fuel, 1.0),
        step_ms: step_ns as f64 / 1e6,
        step_us_per_row: per_row(step_ns, 1e3),
        memory_bytes: charge.memory_bytes(),
        instance_bytes: charge.instance_bytes,
        instance_twins: charge.instance_twins,
        rebuilds: charge.rebuilds,
        deadline_misses: misses,
        faults,
        strikes: u64::from(strikes),
        substitute: substitute.map(str::to_owned),
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
