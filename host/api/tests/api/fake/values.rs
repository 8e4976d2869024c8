//! Twins, plugins and entries that the house of plain values tells of.

use geminus_api::view::*;
use geminus_core::declaration::{Kind, Priority, Role};
use geminus_core::{Authority, Digest, Event, Quality, Severity};
use geminus_rollout::Phase;

use super::NOON;

pub(crate) fn summary(id: &str) -> TwinSummary {
    TwinSummary {
        id: id.to_owned(),
        twin_type: "Pump".to_owned(),
        state: TwinState::Live,
        age_ms: Some(120),
        health: HealthView { index: Some(0.75), verdict: Verdict::Ok },
        alerts: AlertCount { active: 1, highest: Some(Priority::Medium) },
        authority: Authority::Advise,
    }
}

fn point(name: &str, value: Option<f64>, role: Option<Role>) -> PointView {
    PointView {
        name: name.to_owned(),
        unit: "Cel".to_owned(),
        value,
        quality: if value.is_some() { Quality::Good } else { Quality::Missing },
        time: value.map(|_| NOON.into()),
        received: value.map(|_| NOON.into()),
        age_ms: value.map(|_| 5),
        interval_ms: Some(1_000),
        description: String::new(),
        role,
        of: role.map(|_| "temperature".to_owned()),
        behavior: role.map(|_| "thermal".to_owned()),
    }
}

pub(super) fn twin(id: &str) -> TwinView {
    TwinView {
        summary: summary(id),
        display_name: "Pump one".to_owned(),
        measured: vec![point("temperature", Some(41.5), None), point("flow", None, None)],
        estimated: vec![point("thermal.winding", Some(f64::NAN), Some(Role::Estimate))],
        behaviors: vec![BehaviorView {
            name: "thermal".to_owned(),
            plugin: "motor-thermal".to_owned(),
            version: "1.0.0".to_owned(),
            digest: Digest::of(b"x").to_string(),
            kind: Kind::Estimator,
            state: BehaviorState::WarmingUp,
            rows: 7,
            since: NOON.into(),
            fault: None,
            cost: Some(CostView {
                version: "1.0.0".to_owned(),
                rows: 7,
                fuel: 5_687,
                fuel_per_row: Some(812.4),
                step_ms: 0.25,
                step_us_per_row: None,
                memory_bytes: 1 << 18,
                instance_bytes: 1 << 20,
                instance_twins: 4,
                rebuilds: 0,
                deadline_misses: 0,
                faults: 1,
                strikes: 1,
                substitute: Some("hold".to_owned()),
            }),
            trial: Some(TrialView { rollout: 12, phase: Phase::Canary, authoritative: true, warm: true }),
        }],
        alerts: vec![AlertView {
            code: "too-hot".to_owned(),
            priority: Priority::Medium,
            text: "Winding is hot".to_owned(),
            value: f64::INFINITY,
            unit: "Cel".to_owned(),
            detail: String::new(),
            since: NOON.into(),
            behavior: "thermal".to_owned(),
        }],
        suppressed_alerts: 0,
    }
}

pub(crate) fn entry(seq: u64, twin: Option<&str>) -> EntryView {
    let event = Event::new("swap-done", Severity::Info, "motor-thermal runs as 1.0.1");
    let event = match twin {
        Some(twin) => event.twin(twin).facts(serde_json::json!({"rows": 3})),
        None => event,
    };
    EntryView::new(seq, NOON, event)
}

pub(super) fn plugins() -> PluginsView {
    let plugin = PluginView {
        name: "motor-thermal".to_owned(),
        version: "1.0.0".to_owned(),
        digest: Digest::of(b"x").to_string(),
        kind: Kind::Estimator,
        description: "Winding temperature".to_owned(),
        twins: 2,
        running_for: vec![RunningFor { binding: "thermal".to_owned(), twins: 2 }],
        pinned: 1,
        failed_for: vec!["spare".to_owned()],
        state: PluginState::Active,
        since: None,
        declaration: serde_json::json!({"declaration": 1}),
    };
    let refused =
        RefusedView { file: "broken.wasm".to_owned(), reason: "it is cut off".to_owned(), time: NOON.into() };
    PluginsView { plugins: vec![plugin], refused: vec![refused] }
}
