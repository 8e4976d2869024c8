//! Examples of what is said about rollouts, for the OpenAPI document. Tests hold them against the schemas they stand in
//! and the types they are of.

use serde_json::{Value, json};

/// Each with the name of its schema.
pub(super) fn all() -> [(&'static str, Value); 6] {
    [
        ("RolloutStart", start()),
        ("RolloutView", view()),
        ("RolloutPreview", preview()),
        ("RolloutEvent", event()),
        ("ActivationView", activation()),
        ("ErrorView", error()),
    ]
}

/// A plan with every way of trying before trusting.
fn start() -> Value {
    json!({
        "plugin": "motor-thermal",
        "version": "^1.4",
        "behavior": "thermal",
        "twins": "pump-*",
        "stages": {
            "shadow": {"rows": 600, "seconds": 600, "seconds_max": 7200},
            "canary": {"count": 2, "seconds": 600, "seconds_max": 7200},
            "probation": {"seconds": 3600, "seconds_max": 7200},
            "acceptance": {
                "difference": {"winding_temperature": {"absolute": 2.0, "relative": 0.02}},
                "exceed_share_max": 0.001
            }
        },
        "by": "shift lead"
    })
}

fn from() -> Value {
    let digest = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    json!({"version": "1.3.2", "digest": digest})
}

/// Digest of the version that is to run.
const TO: &str = "sha256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9";

fn to() -> Value {
    json!({"version": "1.4.0", "digest": TO})
}

fn plan() -> Value {
    let mut plan = start();
    if let Value::Object(members) = &mut plan {
        members.remove("by");
    }
    // With every default filled in, as the host shows it.
    serde_json::from_value::<geminus_rollout::Plan>(plan).and_then(serde_json::to_value).unwrap_or_default()
}

fn diff() -> Value {
    json!([{
        "what": "command setpoint",
        "severity": "widening",
        "text": "command setpoint may reach 95 % instead of 90 %"
    }])
}

fn twins() -> Value {
    json!({"all": 40, "enrolled": 40, "warm": 38, "authoritative": 0, "rows_min": 412})
}

fn view() -> Value {
    json!({
        "id": 12,
        "binding": "thermal",
        "plugin": "motor-thermal",
        "from": from(),
        "to": to(),
        "automatic": false,
        "by": "shift lead",
        "phase": "shadow",
        "phase_since": "2026-03-01T12:00:08.25Z",
        "phase_deadline": "2026-03-01T14:00:08.25Z",
        "started": "2026-03-01T12:00:00Z",
        "ended": null,
        "reason": null,
        "twins": twins(),
        "plan": plan(),
        "verdict": {
            "state": "open",
            "checks": [{
                "name": "difference winding_temperature",
                "state": "pass",
                "limit": "at most 2 Cel or 2 %",
                "value": 0.41,
                "detail": "at most 0.41 Cel in 16480 rows"
            }, {
                "name": "alerts",
                "state": "open",
                "limit": "at most 2 times those of 1.3.2 and 0.1 an hour",
                "value": null,
                "detail": "too few rows to say"
            }]
        },
        "evidence": null,
        "phases": [],
        "history": [
            {"time": "2026-03-01T12:00:00Z", "phase": "verifying", "reason": "started"},
            {"time": "2026-03-01T12:00:00.1Z", "phase": "compiling", "reason": "the package fits"},
            {"time": "2026-03-01T12:00:00.2Z", "phase": "raising", "reason": "it is compiled"},
            {"time": "2026-03-01T12:00:08.25Z", "phase": "shadow", "reason": "40 twins are taken in"}
        ],
        "diff": diff()
    })
}

fn preview() -> Value {
    json!({
        "binding": "thermal",
        "plugin": "motor-thermal",
        "from": from(),
        "to": to(),
        "twins": ["pump-1", "pump-2"],
        "twins_total": 2,
        "canary": ["pump-1"],
        "plan": plan(),
        "diff": diff(),
        "phases": [
            {"phase": "shadow", "text": "600 rows of each twin and 600 s are compared", "seconds_max": 7200},
            {"phase": "canary", "text": "pump-1 goes first, for 600 s", "seconds_max": 7200},
            {"phase": "probation", "text": "1.3.2 is kept warm for 3600 s", "seconds_max": 7200}
        ],
        "refusals": []
    })
}

fn event() -> Value {
    json!({"id": 12, "binding": "thermal", "phase": "shadow", "twins": twins(), "verdict": "open"})
}

fn activation() -> Value {
    json!({
        "time": "2026-03-01T14:10:00Z",
        "binding": "thermal",
        "plugin": "motor-thermal",
        "version": "1.4.0",
        "digest": TO,
        "twins": 40,
        "rollout": 12,
        "outcome": "activated"
    })
}

fn error() -> Value {
    let message = "rollout 12 of thermal is under way: wait for its end or cancel it";
    json!({"error": {"code": "conflict", "message": message}})
}
