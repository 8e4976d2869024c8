//! Every route answers in the shape that the document gives it, and every error too.

use serde_json::{Value, json};

use crate::client::{Answer, get, send};
use crate::document::document;
use crate::fake::{Served, TOKEN, served};
use crate::schema;

fn fits(method: &str, route: &str, answer: &Answer) -> Value {
    let document = document();
    let response = &document["paths"][route][method]["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{method} {route}: {} is not in the document", answer.status);
    let json = answer.json();
    schema::check(&document, &response["content"]["application/json"]["schema"], &json);
    json
}

async fn ask(served: &Served, route: &str, path: &str, status: u16) -> Value {
    let answer = get(served.at, path).await;
    assert_eq!(answer.status, status, "{path}: {}", answer.text());
    fits("get", route, &answer)
}

#[tokio::test]
async fn every_answer_fits_the_document() {
    let served = served().await;
    let site = ask(&served, "/api/v1/site", "/api/v1/site", 200).await;
    assert_eq!(site["started"], "2026-03-01T12:00:00Z");
    assert_eq!(site["store"], json!({"writable": false, "reason": "the disk is full"}));
    assert_eq!(site["alerts"], json!({"active": 0, "highest": null}));
    let twins = ask(&served, "/api/v1/twins", "/api/v1/twins?search=p&state=live&after=a&limit=3", 200).await;
    assert_eq!(twins["twins"][0]["type"], "Pump");
    assert_eq!(twins["next"], "pump-1");
    let twin = ask(&served, "/api/v1/twins/{id}", "/api/v1/twins/pump%201", 200).await;
    assert_eq!(twin["id"], "pump 1");
    assert_eq!(twin["alerts"][0]["code"], "too-hot");
    assert_eq!(twin["behaviors"][0]["state"], "warming-up");
    assert_eq!(twin["estimated"][0]["role"], "estimate");
    let plugins = ask(&served, "/api/v1/plugins", "/api/v1/plugins", 200).await;
    assert_eq!(plugins["plugins"][0]["declaration"], json!({"declaration": 1}));
    let journal = ask(&served, "/api/v1/journal", "/api/v1/journal?limit=2&before=9", 200).await;
    assert_eq!(journal["entries"][1]["facts"], Value::Null);
    assert_eq!(journal["next"], 6);
}

#[tokio::test]
async fn numbers_that_are_not_finite_are_null() {
    let served = served().await;
    let twin = ask(&served, "/api/v1/twins/{id}", "/api/v1/twins/pump-1", 200).await;
    assert_eq!((&twin["estimated"][0]["value"], &twin["alerts"][0]["value"]), (&Value::Null, &Value::Null));
    let route = "/api/v1/twins/{id}/history";
    let history = ask(&served, route, "/api/v1/twins/pump-1/history?points=temperature", 200).await;
    let series = &history["series"][0];
    assert_eq!(series["values"], json!([1.5, null]));
    assert_eq!((&series["min"], &series["max"]), (&json!([1.0, null]), &json!([2.0, null])));
    assert_eq!(history["to"], "2026-03-01T12:00:00.000000001Z");
    assert_eq!(history["marks"][0]["kind"], "swap");
}

#[tokio::test]
async fn questions_reach_the_house_as_asked() {
    let served = served().await;
    let path = "/api/v1/twins/pump-1/history?points=a,b&from=1000&to=2026-03-01T12:00:00Z&buckets=50";
    assert_eq!(get(served.at, path).await.status, 200);
    assert_eq!(get(served.at, "/api/v1/journal?twin=pump-1").await.status, 200);
    let asked = served.house.asked.lock().expect("asked").join("\n");
    let history = r#"HistoryQuery { twin: "pump-1", points: ["a", "b"], from: Some(Timestamp(1000000000)), to: Some(Timestamp(1772366400000000000)), buckets: 50 }"#;
    let journal = r#"JournalQuery { limit: 100, before: None, twin: Some("pump-1") }"#;
    assert_eq!(asked, format!("{history}\n{journal}"));
}

#[tokio::test]
async fn every_error_fits_the_document_and_says_what_to_change() {
    let served = served().await;
    let history = "/api/v1/twins/{id}/history";
    for (route, path, status, code, words) in [
        ("/api/v1/twins/{id}", "/api/v1/twins/fan-1", 404, "not-found", "there is no twin fan-1"),
        ("/api/v1/twins/{id}", "/api/v1/twins/broken", 500, "internal", "its log says why"),
        ("/api/v1/twins/{id}", "/api/v1/twins/busy", 503, "unavailable", "being loaded"),
        ("/api/v1/twins/{id}", "/api/v1/twins/pump%ff", 400, "bad-query", "not valid UTF-8"),
        ("/api/v1/twins", "/api/v1/twins?page=2", 400, "bad-query", "unknown query parameter"),
        ("/api/v1/twins", "/api/v1/twins?state=dead", 400, "bad-query", "live, stale or waiting"),
        ("/api/v1/site", "/api/v1/site?verbose=1", 400, "bad-query", "takes none"),
        ("/api/v1/journal", "/api/v1/journal?limit=5000", 400, "bad-query", "from 1 to 1000"),
        ("/api/v1/events", "/api/v1/events?twins=pump-1,fan-9", 404, "not-found", "there is no twin fan-9"),
        ("/api/v1/events", "/api/v1/events?twin=pump-1", 400, "bad-query", "known are twins"),
        (history, "/api/v1/twins/pump-1/history?from=2&to=1", 400, "bad-query", "earlier than to"),
        (history, "/api/v1/twins/pump-1/history?from=noon", 400, "bad-query", "2026-03-01T12:00:00Z"),
        (history, "/api/v1/twins/pump-1/history?buckets=10001", 400, "bad-query", "from 1 to 10000"),
    ] {
        let answer = get(served.at, path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        fits("get", route, &answer);
        let (given, message) = answer.error();
        assert!(given == code && message.contains(words), "{path}: {given}: {message}");
        assert!(!message.contains("secret"), "{path}: {message}");
    }
}

#[tokio::test]
async fn an_upload_needs_the_token_and_a_component() {
    let served = served().await;
    let bearer = format!("Bearer {TOKEN}");
    let token: &[(&str, &str)] = &[("Authorization", &bearer)];
    let wrong: &[(&str, &str)] = &[("Authorization", "Bearer something")];
    for (headers, body, status, code) in [
        (&[][..], &b"\0asm"[..], 401, "token-required"),
        (wrong, b"\0asm", 401, "token-required"),
        (token, b"", 400, "empty-body"),
        (token, b"MZ", 400, "invalid"),
    ] {
        let answer = send(served.at, "POST", "/api/v1/plugins", headers, body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        fits("post", "/api/v1/plugins", &answer);
        assert_eq!(answer.error().0, code);
        assert_eq!(status == 401, answer.header("www-authenticate").starts_with("Bearer"));
    }
    assert!(served.house.uploaded.lock().expect("uploaded").is_empty());
    let answer = send(served.at, "POST", "/api/v1/plugins", token, b"\0asm rest").await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let json = fits("post", "/api/v1/plugins", &answer);
    assert!(json["digest"].as_str().expect("digest").starts_with("sha256:"));
    assert_eq!(*served.house.uploaded.lock().expect("uploaded"), [&b"\0asm rest"[..]]);
}
