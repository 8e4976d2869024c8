//! One rollout with everything that can be known of it.

use std::time::Duration;

use geminus_api::Trouble;
use geminus_api::view::{ChangeView, JudgedPhase, RolloutStep, RolloutTwins, RolloutView, VersionRef};
use geminus_core::Digest;
use geminus_rollout::{Check, Evidence, Phase, Plan, Verdict, VerdictState};
use serde_json::{Value, json};

use crate::fake::NOON;

pub(crate) fn known(id: u64) -> Result<RolloutView, Trouble> {
    match id {
        12 => Ok(rollout(12)),
        _ => Err(Trouble::NotFound(format!("there is no rollout {id}"))),
    }
}

/// A rollout in shadow, with a verdict and everything that speaks for it.
pub(crate) fn rollout(id: u64) -> RolloutView {
    let version = |version: &str, bytes: &[u8]| VersionRef {
        version: version.to_owned(),
        digest: Digest::of(bytes).to_string(),
    };
    let check = Check {
        name: "difference winding".to_owned(),
        state: VerdictState::Pass,
        limit: "at most 2 Cel".to_owned(),
        value: Some(0.25),
        detail: "0.25 Cel at most in 700 rows".to_owned(),
    };
    let plan = Plan::direct("motor-thermal", "^1.1");
    RolloutView {
        id,
        binding: "thermal".to_owned(),
        plugin: "motor-thermal".to_owned(),
        from: Some(version("1.0.0", b"x")),
        to: version("1.1.0", b"y"),
        automatic: true,
        by: "folder".to_owned(),
        phase: Phase::Shadow,
        phase_since: NOON.into(),
        phase_deadline: Some(NOON.plus(Duration::from_secs(3_600)).into()),
        started: NOON.into(),
        ended: None,
        reason: None,
        twins: RolloutTwins { all: 2, enrolled: 2, warm: 1, authoritative: 0, rows_min: 350 },
        plan: serde_json::to_value(plan).expect("plan"),
        verdict: serde_json::to_value(Verdict::of(vec![check])).expect("verdict"),
        evidence: evidence(),
        phases: vec![JudgedPhase {
            phase: Phase::Shadow,
            since: NOON.into(),
            until: NOON.plus(Duration::from_secs(60)).into(),
            verdict: serde_json::to_value(Verdict::of(Vec::new())).expect("verdict"),
            evidence: evidence(),
        }],
        history: vec![RolloutStep { time: NOON.into(), phase: Phase::Shadow, reason: "raised".to_owned() }],
        diff: vec![ChangeView {
            what: "output".to_owned(),
            severity: "info".to_owned(),
            text: "output slip is new".to_owned(),
        }],
    }
}

/// As the rollout room writes it: read by its own types before it is shown.
fn evidence() -> Value {
    let side =
        json!({"fuel_per_row": 812.5, "step_us_per_row": 0.8, "call_ms_max": 1.5, "deadline_misses": 0});
    let nis = json!({"rows": 700, "degrees": 1400, "mean": 1.01, "band_low": 0.88, "band_high": 1.13});
    let mean = json!({"rows": 700, "mean": 0.01, "sigma": 0.4});
    let value = json!({
        "rows": 700, "rows_warming": 20, "twins": 2, "twin_hours": 0.4,
        "outputs": [{
            "output": "winding", "unit": "Cel", "role": "estimate", "compared": true, "rows": 700, "equal": 10,
            "difference_mean": 0.1, "difference_max": 0.25, "difference_rms": 0.12, "bias": -0.05,
            "relative_max": 0.004, "allowed": {"absolute": 2.0}, "beyond": 0, "nan_old": 1, "nan_new": 1,
            "nan_extra": 0,
        }],
        "innovations": [{"output": "innovation", "unit": "Cel", "old": mean, "new": mean}],
        "nis": [{"output": "nis", "confidence": 0.999, "old": nis, "new": nis}],
        "alerts": {"old": 1, "new": 1, "old_per_hour": 2.5, "new_per_hour": 2.5},
        "proposals": {"rows": 0, "differ": 0, "old": 0, "new": 0, "old_refused": 0, "new_refused": 0},
        "costs": {"rows": 700, "calls": 40, "deadline_ms": 500, "old": side, "new": side},
        "faults_total": 1,
        "faults": [{"twin": "pump-2", "time_ms": 5, "kind": "trap", "message": "unreachable"}],
        "worst": [{
            "twin": "pump-1", "time_ms": 7, "output": "winding", "old": 61.25, "new": null, "times_limit": null,
        }],
        "curves": [{
            "twin": "pump-1", "output": "winding", "unit": "Cel", "times_ms": [1, 2], "old": [60.0, null],
            "new": [60.1, null],
        }],
    });
    let evidence: Evidence = serde_json::from_value(value).expect("evidence");
    serde_json::to_value(evidence).expect("JSON")
}
