//! Alarms over HTTP: answers and refusals fit the document, orders need the token and reach the house as given.

use geminus_alarm::Shown;
use geminus_api::view::{AlarmCounts, AlarmFigures, AlarmView, AlarmsView};
use geminus_core::declaration::Priority;
use serde_json::{Value, json};

use crate::client::{Answer, EventStream, get, send};
use crate::document::document;
use crate::fake::{NOON, Served, TOKEN, served};
use crate::schema;

const LIST: &str = "/api/v1/alarms";
const ORDERS: [&str; 6] = ["acknowledge", "shelve", "unshelve", "out-of-service", "in-service", "reset"];

/// One that nobody has acknowledged.
pub(crate) fn alarm() -> AlarmView {
    AlarmView {
        twin: "pump-1".to_owned(),
        name: "winding-hot".to_owned(),
        priority: Priority::High,
        state: Shown::Unacknowledged,
        message: "The winding is too hot".to_owned(),
        consequence: String::new(),
        response: "Take load off".to_owned(),
        value: Some(131.5),
        unit: "Cel".to_owned(),
        detail: String::new(),
        since: NOON.into(),
        raised: Some(NOON.into()),
        latch: false,
        group: None,
        first_out: false,
        chattering: false,
        standing: false,
        told: 1,
        acknowledged: None,
        shelved: None,
        out_of_service: None,
    }
}

/// That one, with counts and figures.
pub(crate) fn view() -> AlarmsView {
    AlarmsView {
        alarms: vec![alarm()],
        total: 1,
        counts: AlarmCounts { high: 1, unacknowledged: 1, ..AlarmCounts::default() },
        figures: AlarmFigures { last_10_min: 1, told: 1, ..AlarmFigures::default() },
    }
}

fn fits(method: &str, route: &str, answer: &Answer) -> Value {
    let document = document();
    let response = &document["paths"][route][method]["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{method} {route}: {} is not in the document", answer.status);
    let json = answer.json();
    schema::check(&document, &response["content"]["application/json"]["schema"], &json);
    json
}

async fn order(served: &Served, name: &str, order: &str, body: &str) -> (Answer, String) {
    let bearer = format!("Bearer {TOKEN}");
    let path = format!("{LIST}/pump-1/{name}/{order}");
    let answer = send(served.at, "POST", &path, &[("Authorization", &bearer)], body.as_bytes()).await;
    (answer, format!("{LIST}/{{twin}}/{{name}}/{order}"))
}

#[tokio::test]
async fn alarms_are_shown_and_asked_for_by_twin_priority_and_state() {
    let served = served().await;
    let path = format!("{LIST}?twin=pump-1&priority=high&state=unacknowledged&limit=9");
    let found = fits("get", LIST, &get(served.at, &path).await);
    assert_eq!(found["alarms"][0]["state"], "unacknowledged");
    assert_eq!(found["figures"]["flood_since"], Value::Null);
    let read: AlarmsView = serde_json::from_value(found).expect("the command line reads it so");
    assert_eq!(read, view());
    let asked = served.house.asked.lock().expect("asked").join("");
    let expect = r#"AlarmsQuery { limit: 9, twin: Some("pump-1"), priority: Some(High), state: Some(Unacknowledged), scope: Scope(["*"]) }"#;
    assert_eq!(asked, expect);
    for (query, status) in [("state=normal", 400), ("priority=journal", 400), ("twin=fan-1", 404)] {
        let answer = get(served.at, &format!("{LIST}?{query}")).await;
        assert_eq!(answer.status, status, "{query}");
        fits("get", LIST, &answer);
    }
}

#[tokio::test]
async fn orders_reach_the_house_with_who_gave_them_and_why() {
    let served = served().await;
    let asked = || std::mem::take(&mut *served.house.asked.lock().expect("asked"));
    let (answer, route) =
        order(&served, "winding-hot", "acknowledge", r#"{"by":"Ann","reason":" seen "}"#).await;
    let alarm = fits("post", &route, &answer);
    assert_eq!(
        alarm["acknowledged"],
        json!({"by": "Ann", "at": "2026-03-01T12:00:00Z", "reason": "seen", "until": null})
    );
    let heard = r#"("pump-1", "winding-hot", Order { action: Acknowledge, by: "Ann", reason: "seen" })"#;
    assert_eq!(asked(), [heard]);
    for (name, body, heard) in [
        ("shelve", r#"{"minutes":60,"by":"Ann"}"#, r#"action: Shelve { minutes: 60 }, by: "Ann""#),
        ("unshelve", "", r#"action: Unshelve, by: "token""#),
        ("out-of-service", "{}", r#"action: OutOfService, by: "token""#),
        ("in-service", r#"{"by":null}"#, r#"action: InService, by: "token""#),
    ] {
        let (answer, route) = order(&served, "winding-hot", name, body).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        fits("post", &route, &answer);
        assert!(asked()[0].contains(heard), "{name}");
    }
}

#[tokio::test]
async fn every_refusal_fits_the_document_and_says_what_to_change() {
    let served = served().await;
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(501));
    for (name, what, body, status, code, words) in [
        ("cold", "acknowledge", "", 404, "not-found", "has no alarm cold"),
        ("winding-hot", "reset", "", 409, "conflict", "not latched"),
        ("winding-hot", "shelve", r#"{"minutes":500}"#, 400, "invalid", "1 to 480 minutes"),
        ("winding-hot", "shelve", "", 400, "bad-body", "cannot be used"),
        ("winding-hot", "shelve", r#"{"minutes":-1}"#, 400, "bad-body", "cannot be used"),
        ("winding-hot", "acknowledge", r#"{"who":"me"}"#, 400, "bad-body", "`who`"),
        ("winding-hot", "acknowledge", long.as_str(), 400, "bad-body", "at most 500"),
        ("winding-hot", "acknowledge", r#"{"reason":"a\nb"}"#, 400, "bad-body", "control characters"),
    ] {
        let (answer, route) = order(&served, name, what, body).await;
        assert_eq!(answer.status, status, "{what} {body}: {}", answer.text());
        fits("post", &route, &answer);
        let (given, message) = answer.error();
        assert!(given == code && message.contains(words), "{what} {body}: {given}: {message}");
    }
    let (answer, route) = order(&served, "winding-hot", "acknowledge", &" ".repeat((64 << 10) + 1)).await;
    assert_eq!(answer.status, 413);
    fits("post", &route, &answer);
}

#[tokio::test]
async fn whatever_orders_needs_the_token() {
    let served = served().await;
    for name in ORDERS {
        let path = format!("{LIST}/pump-1/winding-hot/{name}");
        let answer = send(served.at, "POST", &path, &[], br#"{"minutes":5}"#).await;
        assert_eq!(answer.status, 401, "{name}");
        fits("post", &format!("{LIST}/{{twin}}/{{name}}/{name}"), &answer);
    }
    assert!(served.house.asked.lock().expect("asked").is_empty());
}

#[tokio::test]
async fn alarms_are_heard_of_by_whoever_looks_at_the_site_or_the_twin() {
    let served = served().await;
    for (query, hears) in [("", true), ("?twins=pump-1", true), ("?twins=pump-2", false)] {
        let mut stream = EventStream::open(served.at, query, None).await;
        assert_eq!(stream.event().await.kind, "hello");
        served.bus.publish_alarm(&alarm());
        served.bus.publish_twin(&geminus_api::TwinEvent {
            id: if hears { "pump-1" } else { "pump-2" }.to_owned(),
            state: geminus_api::view::TwinState::Live,
            alerts: geminus_api::view::AlertCount::default(),
            health: geminus_api::view::HealthView::default(),
        });
        let first = stream.event().await;
        assert_eq!(first.kind, if hears { "alarm" } else { "twin" }, "{query}");
        if hears {
            let document = document();
            schema::check(&document, &document["components"]["schemas"]["AlarmView"], &first.data);
        }
    }
}
