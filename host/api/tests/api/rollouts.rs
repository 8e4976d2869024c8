//! Rollouts over HTTP: answers and refusals fit the document, orders need the token and reach the house as given.

use geminus_api::view::RolloutEvent;
use geminus_core::Digest;
use geminus_rollout::{Evidence, Phase, Plan, Verdict, VerdictState};
use serde_json::{Value, json};

use crate::client::{Answer, EventStream, get, send};
use crate::document::document;
use crate::fake::{Served, TOKEN, served, served_with};
use crate::schema;
use crate::trial::rollout;

const LIST: &str = "/api/v1/rollouts";
const ONE: &str = "/api/v1/rollouts/{id}";
const PLAN: &str = "/api/v1/rollouts/plan";

fn fits(method: &str, route: &str, answer: &Answer) -> Value {
    let document = document();
    let response = &document["paths"][route][method]["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{method} {route}: {} is not in the document", answer.status);
    let json = answer.json();
    schema::check(&document, &response["content"]["application/json"]["schema"], &json);
    json
}

async fn post(served: &Served, path: &str, body: &[u8]) -> Answer {
    let bearer = format!("Bearer {TOKEN}");
    send(served.at, "POST", path, &[("Authorization", &bearer)], body).await
}

fn asked(served: &Served) -> Vec<String> {
    std::mem::take(&mut *served.house.asked.lock().expect("asked"))
}

fn plan() -> Value {
    json!({"plugin": "motor-thermal", "version": "^1.1", "behavior": "thermal"})
}

#[tokio::test]
async fn rollouts_are_shown_with_what_speaks_for_them() {
    let served = served().await;
    let answer = get(served.at, LIST).await;
    let list = fits("get", LIST, &answer);
    let phases: Vec<_> = list["rollouts"].as_array().expect("list").iter().map(|one| &one["phase"]).collect();
    assert_eq!(phases, ["shadow", "rolled-back"]);
    assert!(list["rollouts"][0]["evidence"].is_null(), "the list goes without evidence");
    let one = fits("get", ONE, &get(served.at, "/api/v1/rollouts/12").await);
    assert_eq!(
        one["twins"],
        json!({"all": 2, "enrolled": 2, "warm": 1, "authoritative": 0, "rows_min": 350})
    );
    assert_eq!(one["phase_deadline"], "2026-03-01T13:00:00Z");
    assert_eq!(one["to"]["digest"], Digest::of(b"y").to_string());
    let verdict: Verdict = serde_json::from_value(one["verdict"].clone()).expect("the room's own type");
    assert_eq!((verdict.state, verdict.checks.len()), (VerdictState::Pass, 1));
    let evidence: Evidence = serde_json::from_value(one["evidence"].clone()).expect("the room's own type");
    assert_eq!(evidence.worst[0].old, Some(61.25));
    let plan: Plan = serde_json::from_value(one["plan"].clone()).expect("the room's own type");
    assert_eq!(plan, Plan::direct("motor-thermal", "^1.1"));
    let read: geminus_api::view::RolloutView = serde_json::from_value(one).expect("the view reads itself");
    assert_eq!(read, rollout(12));
}

#[tokio::test]
async fn activations_are_shown_and_asked_for() {
    let served = served().await;
    let route = "/api/v1/activations";
    let answer = get(served.at, "/api/v1/activations?limit=7&binding=thermal&plugin=motor-thermal").await;
    let view = fits("get", route, &answer);
    assert_eq!(view["activations"][0]["rollout"], 12);
    assert!(view["activations"][1]["rollout"].is_null());
    let question =
        r#"ActivationsQuery { limit: 7, binding: Some("thermal"), plugin: Some("motor-thermal") }"#;
    assert_eq!(asked(&served), [question]);
    let refused = get(served.at, "/api/v1/activations?limit=1001").await;
    fits("get", route, &refused);
    assert_eq!((refused.status, refused.error().0.as_str()), (400, "bad-query"));
}

#[tokio::test]
async fn the_same_plan_is_previewed_and_begun() {
    let served = served().await;
    let mut body = plan();
    body["by"] = json!("  Ann  ");
    let body = body.to_string();
    let answer = post(&served, PLAN, body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let preview = fits("post", PLAN, &answer);
    assert_eq!(preview["plan"]["stages"]["probation"]["seconds"], 60, "defaults are filled in");
    assert_eq!(preview["refusals"], json!(["rollout 12 of thermal is under way"]));
    let answer = post(&served, LIST, body.as_bytes()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let begun = fits("post", LIST, &answer);
    assert_eq!((&begun["id"], &begun["by"]), (&json!(13), &json!("Ann")));
    let expect = [r#""plan motor-thermal@^1.1""#, r#""start motor-thermal@^1.1 by Ann""#];
    assert_eq!(asked(&served), expect);
    assert_eq!(post(&served, LIST, plan().to_string().as_bytes()).await.status, 201);
    assert_eq!(asked(&served), [r#""start motor-thermal@^1.1 by token""#]);
}

#[tokio::test]
async fn orders_reach_the_house_with_who_gave_them() {
    let served = served().await;
    for (order, body, phase, heard) in [
        ("promote", &br#"{"by": "Ann"}"#[..], "promoting", r#""promote 12 by Ann""#),
        ("promote", b"", "promoting", r#""promote 12 by token""#),
        ("cancel", b"{}", "withdrawing", r#""cancel 12 by token""#),
        ("cancel", br#"{"by": null}"#, "withdrawing", r#""cancel 12 by token""#),
    ] {
        let answer = post(&served, &format!("/api/v1/rollouts/12/{order}"), body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let view = fits("post", &format!("/api/v1/rollouts/{{id}}/{order}"), &answer);
        assert_eq!(view["phase"], phase);
        assert_eq!(asked(&served), [heard]);
    }
}

#[tokio::test]
async fn every_refusal_fits_the_document_and_says_what_to_change() {
    let served = served().await;
    let by = |name: String| json!({ "by": name }).to_string();
    let with = |key: &str, value: Value| {
        let mut plan = plan();
        plan[key] = value;
        plan.to_string()
    };
    let (promote, cancel, rollback) =
        ("/api/v1/rollouts/{id}/promote", "/api/v1/rollouts/{id}/cancel", "/api/v1/rollouts/{id}/rollback");
    let stages = json!({"shadow": {"seconds": 9, "seconds_max": 1}, "bumpless": {"step_share": 2.0}});
    for (route, path, body, status, code, words) in [
        (promote, "/api/v1/rollouts/99/promote", String::new(), 404, "not-found", "no rollout 99"),
        (cancel, "/api/v1/rollouts/first/cancel", String::new(), 404, "not-found", "no rollout first"),
        (cancel, "/api/v1/rollouts/-1/cancel", String::new(), 404, "not-found", "no rollout -1"),
        (cancel, "/api/v1/rollouts/%ff/cancel", String::new(), 400, "bad-query", "not valid UTF-8"),
        (cancel, "/api/v1/rollouts/12/cancel?by=me", String::new(), 400, "bad-query", "takes none"),
        (rollback, "/api/v1/rollouts/12/rollback", String::new(), 409, "conflict", "already being dropped"),
        (cancel, "/api/v1/rollouts/12/cancel", "cancel".into(), 400, "bad-body", "cannot be used"),
        (cancel, "/api/v1/rollouts/12/cancel", r#"{"who":"me"}"#.into(), 400, "bad-body", "`who`"),
        (cancel, "/api/v1/rollouts/12/cancel", by("x".repeat(101)), 400, "bad-body", "at most 100"),
        (cancel, "/api/v1/rollouts/12/cancel", by("a\nb".into()), 400, "bad-body", "control characters"),
        (LIST, LIST, String::new(), 400, "bad-body", "not JSON"),
        (LIST, LIST, "[]".into(), 400, "bad-body", "must be a JSON object"),
        (LIST, LIST, with("by", json!(7)), 400, "bad-body", "by must be text"),
        (LIST, LIST, with("by", json!("é".repeat(101))), 400, "bad-body", "at most 100"),
        (LIST, LIST, with("shadow", json!({})), 400, "bad-body", "unknown field `shadow`"),
        (LIST, LIST, with("plugin", json!(null)), 400, "bad-body", "not a plan"),
        (LIST, LIST, with("stages", stages.clone()), 400, "bad-plan", "stages.shadow.seconds: 9"),
        (LIST, LIST, with("stages", stages.clone()), 400, "bad-plan", "stages.bumpless.step_share: 2"),
        (PLAN, PLAN, with("stages", stages.clone()), 400, "bad-plan", "; stages.bumpless"),
        (PLAN, PLAN, with("plugin", json!("fan")), 404, "not-found", "there is no plugin fan"),
        (LIST, LIST, with("behavior", json!("busy")), 409, "conflict", "rollout 12 of busy is under way"),
        (LIST, LIST, with("behavior", json!("none")), 404, "not-found", "no behavior of the site"),
    ] {
        let answer = post(&served, path, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
        fits("post", route, &answer);
        let (given, message) = answer.error();
        assert!(given == code && message.contains(words), "{path} {body}: {given}: {message}");
    }
    let answer = get(served.at, "/api/v1/rollouts/99").await;
    fits("get", ONE, &answer);
    assert_eq!((answer.status, answer.error().1.as_str()), (404, "there is no rollout 99"));
    assert_eq!(get(served.at, "/api/v1/rollouts?limit=3").await.status, 400);
}

#[tokio::test]
async fn whatever_orders_needs_the_token() {
    let served = served().await;
    let wrong: &[(&str, &str)] = &[("Authorization", "Bearer something")];
    let body = plan().to_string();
    for (route, path) in [
        (LIST, LIST),
        (PLAN, PLAN),
        ("/api/v1/rollouts/{id}/promote", "/api/v1/rollouts/12/promote"),
        ("/api/v1/rollouts/{id}/cancel", "/api/v1/rollouts/12/cancel"),
        ("/api/v1/rollouts/{id}/rollback", "/api/v1/rollouts/12/rollback"),
    ] {
        for headers in [&[][..], wrong] {
            let answer = send(served.at, "POST", path, headers, body.as_bytes()).await;
            assert_eq!(answer.status, 401, "{path}: {}", answer.text());
            fits("post", route, &answer);
            assert_eq!(answer.error().0, "token-required");
        }
    }
    assert!(asked(&served).is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_large_or_too_slow_is_refused() {
    let served = served().await;
    let largest = 64 << 10;
    let padded = |bytes: usize| {
        let body = plan().to_string();
        format!("{body}{}", " ".repeat(bytes - body.len()))
    };
    let answer = post(&served, LIST, padded(largest + 1).as_bytes()).await;
    fits("post", LIST, &answer);
    assert_eq!((answer.status, answer.error().0.as_str()), (413, "too-large"));
    assert_eq!(
        post(&served, LIST, padded(largest).as_bytes()).await.status,
        201,
        "the bound itself is allowed"
    );
    let order = " ".repeat(largest + 1);
    let answer = post(&served, "/api/v1/rollouts/12/cancel", order.as_bytes()).await;
    assert_eq!((answer.status, answer.error().0.as_str()), (413, "too-large"));
    let brief =
        served_with(|_| {}, |options| options.limits.answer = std::time::Duration::from_millis(20)).await;
    let bearer = format!("Bearer {TOKEN}");
    let headers: &[(&str, &str)] = &[("Authorization", &bearer), ("Content-Length", "100")];
    let answer = send(brief.at, "POST", LIST, headers, b"{").await;
    assert_eq!((answer.status, answer.error().0.as_str()), (503, "too-slow"));
}

fn event(id: u64, warm: u64, verdict: Option<VerdictState>) -> RolloutEvent {
    let view = rollout(id);
    let twins = geminus_api::view::RolloutTwins { warm, ..view.twins };
    RolloutEvent { id, binding: view.binding, phase: Phase::Shadow, twins, verdict }
}

#[tokio::test]
async fn rollouts_are_heard_of_conflated_and_resumed() {
    let served = served().await;
    for query in ["", "?twins=pump-1", "?twins=*"] {
        let mut stream = EventStream::open(served.at, query, None).await;
        let hello = stream.event().await;
        served.bus.publish_rollout(&event(12, 0, None));
        let heard = stream.event().await;
        assert_eq!(heard.kind, "rollout", "{query}");
        let twins = json!({"all": 2, "enrolled": 2, "warm": 0, "authoritative": 0, "rows_min": 350});
        let expect =
            json!({"id": 12, "binding": "thermal", "phase": "shadow", "twins": twins, "verdict": null});
        assert_eq!(heard.data, expect);
        let document = document();
        schema::check(&document, &document["components"]["schemas"]["RolloutEvent"], &heard.data);
        drop(stream);
        // Nobody reads: of each rollout the newest word is kept.
        (1..=5_000).for_each(|warm| served.bus.publish_rollout(&event(12, warm, Some(VerdictState::Open))));
        served.bus.publish_rollout(&event(13, 1, Some(VerdictState::Fail)));
        let mut stream = EventStream::open(served.at, query, Some(&hello.id)).await;
        assert_eq!(stream.event().await.data["resumed"], true, "{query}");
        let (first, second) = (stream.event().await, stream.event().await);
        assert_eq!((&first.data["id"], &first.data["twins"]["warm"]), (&json!(12), &json!(5_000)));
        assert_eq!((&second.data["id"], &second.data["verdict"]), (&json!(13), &json!("fail")));
    }
    assert_eq!(served.bus.stats().resyncs, 0);
}
