//! The thread of an asset and the records of other systems: shapes, questions, what is refused, who may.

use geminus_access::Role;
use geminus_api::view::*;
use geminus_core::{Authority, Digest, Severity};
use serde_json::{Value, json};

use crate::access::{cookie, site, with};
use crate::client::{Answer, get, send};
use crate::document::document;
use crate::fake::{NOON, Served, TOKEN, served};
use crate::schema;

const THREAD: &str = "/api/v1/twins/{id}/thread";
const RECORDS: &str = "/api/v1/twins/{id}/records";

pub(crate) fn view(twin: &str) -> ThreadView {
    let rows = RowsView { from: NOON.into(), to: NOON.into() };
    let explain = ExplainView {
        behavior: Some("thermal".to_owned()),
        plugin: Some("motor-thermal@1.0.0".to_owned()),
        digest: Some(Digest::of(b"x").to_string()),
        rows: Some(rows),
        replay: Some(format!("geminus replay SITE.toml --twin {twin}")),
        journal: Some(7),
        ..ExplainView::default()
    };
    let alert = ThreadEntryView {
        id: "journal-7".to_owned(),
        kind: ThreadKind::Alert,
        what: "alert-raised".to_owned(),
        time: NOON.into(),
        until: None,
        severity: Severity::Warning,
        title: "winding is hot".to_owned(),
        detail: String::new(),
        facts: json!({"value": 120.5}),
        explain,
        record: None,
    };
    let order = ThreadEntryView {
        id: "record-3".to_owned(),
        kind: ThreadKind::Record,
        what: "work-order".to_owned(),
        until: Some(NOON.into()),
        severity: Severity::Info,
        title: "Replace the bearing".to_owned(),
        facts: Value::Null,
        explain: ExplainView::default(),
        record: Some(RecordView {
            source: "sap-pm".to_owned(),
            id: "WO-1".to_owned(),
            state: "done".to_owned(),
            link: None,
            changed: None,
            received: NOON.into(),
            corrected: None,
            revision: 0,
            by: "erp of ada".to_owned(),
        }),
        ..alert.clone()
    };
    let asset = AssetView {
        display_name: "Pump 1".to_owned(),
        type_id: "dtmi:x:Pump;1".to_owned(),
        type_name: "Pump".to_owned(),
        area: Some("north".to_owned()),
        line: None,
        authority: Authority::Advise,
        behaviors: vec![AssetBehaviorView {
            name: "thermal".to_owned(),
            plugin: "motor-thermal".to_owned(),
            versions: "^1".to_owned(),
            parameters: json!({"resistance": 0.4}),
        }],
        points: vec![ExtentView {
            point: "temperature".to_owned(),
            unit: "Cel".to_owned(),
            description: String::new(),
            first: Some(NOON.into()),
            last: None,
        }],
        points_total: 1,
        targets: vec!["load-limit".to_owned()],
    };
    let next = Some("1772366400000000000-0-7".to_owned());
    ThreadView { twin: twin.to_owned(), asset: Some(asset), entries: vec![alert, order], next }
}

fn fits(method: &str, route: &str, answer: &Answer) -> Value {
    let document = document();
    let response = &document["paths"][route][method]["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{method} {route}: {} is not in the document", answer.status);
    schema::check(&document, &response["content"]["application/json"]["schema"], &answer.json());
    answer.json()
}

fn asked(served: &Served) -> Vec<String> {
    std::mem::take(&mut *served.house.asked.lock().expect("asked"))
}

fn record(id: &str) -> Value {
    json!({"source": "sap-pm", "id": id, "kind": "work-order", "title": "Replace the bearing", "time": "2026-03-01T12:00:00Z"})
}

#[tokio::test]
async fn a_thread_is_asked_for_by_time_kind_and_place() {
    let served = served().await;
    let path = "/api/v1/twins/pump-1/thread?from=1000&to=2000&kind=alert,record&order=oldest&after=1500000000-4-9&limit=5";
    let found = fits("get", THREAD, &get(served.at, path).await);
    let read: ThreadView = serde_json::from_value(found.clone()).expect("the command line reads it so");
    assert_eq!(read, view("pump-1"));
    assert_eq!(
        (&found["entries"][1]["kind"], &found["asset"]["type"]),
        (&json!("record"), &json!("dtmi:x:Pump;1"))
    );
    let expect = r#"ThreadQuery { twin: "pump-1", from: Some(Timestamp(1000000000)), to: Some(Timestamp(2000000000)), kinds: [Alert, Record], newest_first: false, after: Some(Place { time: Timestamp(1500000000), source: 4, number: 9 }), limit: 5, scope: Scope(["*"]) }"#;
    assert_eq!(asked(&served), [expect]);
    for (path, status, words) in [
        ("/api/v1/twins/fan-1/thread", 404, "there is no twin fan-1"),
        ("/api/v1/twins/pump-1/thread?from=2&to=1", 400, "earlier than to"),
        ("/api/v1/twins/pump-1/thread?kind=alarm", 400, "kind must be some of design, version"),
        ("/api/v1/twins/pump-1/thread?after=x", 400, "its next"),
        ("/api/v1/twins/pump-1/thread?limit=0", 400, "from 1 to 500"),
        ("/api/v1/twins/pump-1/thread?before=9", 400, "known are from, to, kind"),
    ] {
        let answer = get(served.at, path).await;
        assert_eq!(answer.status, status, "{path}");
        fits("get", THREAD, &answer);
        assert!(answer.error().1.contains(words), "{path}: {}", answer.text());
    }
}

async fn bring(served: &Served, twin: &str, body: &[u8], token: Option<&str>) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("Authorization", bearer.as_str())).collect();
    send(served.at, "POST", &format!("/api/v1/twins/{twin}/records"), &headers, body).await
}

#[tokio::test]
async fn records_reach_the_house_whole_or_not_at_all() {
    let served = served().await;
    let body = json!({"records": [record("WO-1"), record("WO-2")], "by": "Ann"}).to_string();
    let answer = bring(&served, "pump-1", body.as_bytes(), Some(TOKEN)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(fits("post", RECORDS, &answer)["new"], 2);
    let heard = asked(&served).join("");
    assert!(heard.contains(r#"("pump-1", [ContextRecord { source: "sap-pm", id: "WO-1""#), "{heard}");
    assert!(heard.ends_with(r#""Ann")"#), "{heard}");
    let wrong = json!({"records": [record("WO-1"), record("")]}).to_string();
    let many = json!({"records": vec![record("WO-1"); 501]}).to_string();
    for (body, status, code, words) in [
        (wrong.as_str(), 400, "bad-body", "records[1]: id is empty"),
        (many.as_str(), 400, "bad-body", "1 to 500, not 501"),
        ("{}", 400, "bad-body", "missing field `records`"),
        ("[]", 400, "bad-body", "cannot be used"),
        ("", 400, "bad-body", "cannot be used"),
    ] {
        let answer = bring(&served, "pump-1", body.as_bytes(), Some(TOKEN)).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        fits("post", RECORDS, &answer);
        let (given, message) = answer.error();
        assert!(given == code && message.contains(words), "{given}: {message}");
    }
    let large = bring(&served, "pump-1", &vec![b' '; (4 << 20) + 1], Some(TOKEN)).await;
    assert_eq!(large.status, 413);
    fits("post", RECORDS, &large);
    let nobody = bring(&served, "pump-1", b"{}", None).await;
    assert_eq!(nobody.status, 401);
    fits("post", RECORDS, &nobody);
    assert_eq!(asked(&served), [""; 0], "nothing of it reached the house");
    let body = json!({"records": [record("WO-1")]}).to_string();
    assert_eq!(bring(&served, "fan-1", body.as_bytes(), Some(TOKEN)).await.status, 404);
}

#[tokio::test]
async fn a_recorder_brings_records_to_its_twins_and_nothing_else() {
    let (served, _) = site(&[("erp", Role::Recorder, "pump-1"), ("vera", Role::Viewer, "pump-*")]).await;
    let body = json!({"records": [record("WO-1")]}).to_string();
    let erp = cookie(served.at, "erp").await;
    let bring = |cookie: String, twin: &'static str| {
        let (at, body) = (served.at, body.clone());
        async move { with(at, &cookie, "POST", &format!("/api/v1/twins/{twin}/records"), &body).await.status }
    };
    assert_eq!(bring(erp.clone(), "pump-1").await, 200);
    assert!(asked(&served).join("").ends_with(r#""erp")"#));
    assert_eq!(bring(erp.clone(), "pump-2").await, 403);
    assert_eq!(bring(cookie(served.at, "vera").await, "pump-1").await, 403);
    let command = json!({"twin": "pump-1", "target": "load-limit", "value": 1.0}).to_string();
    assert_eq!(with(served.at, &erp, "POST", "/api/v1/commands", &command).await.status, 403);
    assert_eq!(with(served.at, &erp, "GET", "/api/v1/twins/pump-2/thread", "").await.status, 404);
    assert_eq!(asked(&served), [""; 0]);
    assert_eq!(with(served.at, &erp, "GET", "/api/v1/twins/pump-1/thread", "").await.status, 200);
    assert!(
        asked(&served).join("").contains(r#"scope: Scope(["pump-1"])"#),
        "so that the house leaves out the rest"
    );
}
