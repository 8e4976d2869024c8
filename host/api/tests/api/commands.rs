//! Commands, targets and authority over HTTP: answers and refusals fit the document, orders need the token and reach the house
//! as given, with who gave them.

use geminus_api::view::*;
use geminus_command::Phase;
use geminus_core::{Authority, Digest, Quality};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Answer, EventStream, get, send};
use crate::document::document;
use crate::fake::{NOON, Served, TOKEN, served};
use crate::schema;

pub(crate) const ID: Uuid = Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001);
const COMMANDS: &str = "/api/v1/commands";
const TARGET: &str = "/api/v1/targets/{twin}/{name}";
const AUTHORITY: &str = "/api/v1/twins/{id}/authority";

pub(crate) fn command() -> CommandView {
    CommandView {
        id: ID.to_string(),
        number: 7,
        twin: "pump-1".to_owned(),
        target: "load-limit".to_owned(),
        value: 72.5,
        unit: "%".to_owned(),
        digest: Digest::of(b"x").to_string(),
        class: "routine".to_owned(),
        proposer: ProposerView {
            kind: ProposerKind::Behavior,
            name: "throttle-policy".to_owned(),
            version: Some("0.1.0".to_owned()),
            digest: None,
        },
        reason: "winding is warm".to_owned(),
        evidence: vec![EvidenceView {
            point: "winding".to_owned(),
            value: None,
            quality: Quality::Missing,
            time: NOON.into(),
        }],
        proposed: NOON.into(),
        not_after: NOON.into(),
        state: Phase::Held,
        since: NOON.into(),
        detail: "waits for one person".to_owned(),
        rule: None,
        until: Some(NOON.into()),
        approvers: 1,
        missing_approvals: 1,
        approvals: vec![ApprovalView { by: "Ann".to_owned(), at: NOON.into(), holds: false }],
        sent: None,
        receipt: Some(ReceiptView { text: "acknowledged".to_owned(), at: NOON.into() }),
        read_back: Some(ReadBackView { value: 72.0, time: NOON.into(), received: NOON.into() }),
        resolved: Some(ResolvedView { by: "Ben".to_owned(), note: "it is".to_owned(), at: NOON.into() }),
    }
}

fn dispatch() -> DispatchView {
    DispatchView { possible: false, reason: Some("the disk is full".to_owned()), held: 1, in_doubt: 0 }
}

pub(crate) fn view() -> CommandsView {
    CommandsView { commands: vec![command()], next: None, dispatch: dispatch() }
}

fn rule() -> RuleView {
    RuleView {
        kind: "trip".to_owned(),
        rule: "winding hot".to_owned(),
        allowed: "not points.winding > 155.0".to_owned(),
        reads: "winding = 156".to_owned(),
        refuses: Some(true),
        bypassed_by: None,
    }
}

pub(crate) fn detail() -> CommandDetail {
    let transition = TransitionView {
        step: 0,
        state: Phase::Proposed,
        time: NOON.into(),
        event: "propose".to_owned(),
        cause: json!({"event": "propose"}),
    };
    let refusal = RefusalView {
        rule: "winding hot".to_owned(),
        seen: "winding = 156".to_owned(),
        allowed: "no trip".to_owned(),
    };
    let interlocks = InterlockView { permits: false, refusal: Some(refusal), rules: vec![rule()] };
    CommandDetail { command: command(), transitions: vec![transition], interlocks: Some(interlocks) }
}

pub(crate) fn target() -> TargetView {
    TargetView {
        twin: "pump-1".to_owned(),
        name: "load-limit".to_owned(),
        unit: "%".to_owned(),
        class: "routine".to_owned(),
        approvers: 1,
        commands: vec!["throttle.limit_load".to_owned()],
        feedback: Some(FeedbackView {
            point: "load_limit".to_owned(),
            value: Some(80.0),
            quality: Quality::Good,
            time: Some(NOON.into()),
            tolerance: 0.5,
            within_s: 5.0,
        }),
        written: Some(WrittenView { value: 80.0, at: NOON.into(), verified: true }),
        owner: Level::Operator,
        holdings: vec![HoldingView {
            level: Level::Operator,
            by: "Ann".to_owned(),
            reason: "manual run".to_owned(),
            since: NOON.into(),
            until: None,
        }],
        open: vec![ID.to_string()],
        latches: vec![LatchView {
            rule: "winding hot".to_owned(),
            at: NOON.into(),
            seen: "winding = 156".to_owned(),
        }],
        bypasses: vec![BypassView {
            rule: "pump runs".to_owned(),
            by: "Ines".to_owned(),
            reason: "sensor".to_owned(),
            left_s: 60,
        }],
        tripped: true,
        rules: vec![rule()],
        fail_action: "holds the last value".to_owned(),
        heartbeat: Some(HeartbeatView {
            address: "rig/pump-1/beat".to_owned(),
            every_ms: 1_000,
            beats: 7,
            last: Some(NOON.into()),
            silent: None,
        }),
        egress: EgressView { source: "field".to_owned(), address: "rig/pump-1/set".to_owned(), up: true },
    }
}

pub(crate) fn authority() -> AuthorityView {
    AuthorityView {
        twin: "pump-1".to_owned(),
        configured: Authority::Control,
        effective: Authority::Advise,
        armed: Some(ArmedView { by: "Ann".to_owned(), at: NOON.into() }),
        reasons: vec!["the journal cannot be written".to_owned()],
    }
}

pub(crate) fn targets() -> TargetsView {
    TargetsView { targets: vec![target()], authorities: vec![authority()], dispatch: dispatch() }
}

fn fits(method: &str, route: &str, answer: &Answer) -> Value {
    let document = document();
    let response = &document["paths"][route][method]["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{method} {route}: {} is not in the document", answer.status);
    let json = answer.json();
    schema::check(&document, &response["content"]["application/json"]["schema"], &json);
    json
}

async fn order(served: &Served, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {TOKEN}");
    send(served.at, "POST", path, &[("Authorization", &bearer)], body.as_bytes()).await
}

fn asked(served: &Served) -> String {
    std::mem::take(&mut *served.house.asked.lock().expect("asked")).join("\n")
}

#[tokio::test]
async fn commands_and_targets_are_shown_as_documented() {
    let served = served().await;
    let path = format!("{COMMANDS}?twin=pump-1&target=load-limit&state=held&limit=9&before=70");
    let found = fits("get", COMMANDS, &get(served.at, &path).await);
    let read: CommandsView = serde_json::from_value(found).expect("the command line reads it so");
    assert_eq!(read, view());
    let question = asked(&served);
    assert!(question.contains(r#"limit: 9, before: Some(70), twin: Some("pump-1")"#), "{question}");
    let one = format!("{COMMANDS}/{{id}}");
    let found = fits("get", &one, &get(served.at, &format!("{COMMANDS}/{ID}")).await);
    assert_eq!(serde_json::from_value::<CommandDetail>(found).expect("detail"), detail());
    let found = fits("get", "/api/v1/targets", &get(served.at, "/api/v1/targets?twin=pump-1").await);
    assert_eq!(serde_json::from_value::<TargetsView>(found).expect("targets"), targets());
    let found = fits("get", AUTHORITY, &get(served.at, "/api/v1/twins/pump-1/authority").await);
    assert_eq!(serde_json::from_value::<AuthorityView>(found).expect("authority"), authority());
    for (route, path, status) in [
        (COMMANDS, format!("{COMMANDS}?state=done"), 400),
        (COMMANDS, format!("{COMMANDS}?twin=fan-1"), 404),
        (one.as_str(), format!("{COMMANDS}/{}", Uuid::nil()), 404),
        (one.as_str(), format!("{COMMANDS}/seven"), 400),
        (AUTHORITY, "/api/v1/twins/fan-1/authority".to_owned(), 404),
    ] {
        let answer = get(served.at, &path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        fits("get", route, &answer);
    }
}

#[tokio::test]
async fn a_wish_reaches_the_house_with_who_wishes_it() {
    let served = served().await;
    let anna = r#"{"twin":"pump-1","target":"load-limit","value":72.5,"reason":"warm","by":"Ann"}"#;
    let answer = order(&served, COMMANDS, anna).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(fits("post", COMMANDS, &answer)["state"], "held");
    let heard = asked(&served);
    for part in
        ["value: 72.5", r#"reason: "warm", within_s: 600"#, r#"name: "Ann", owner: None, is_person: true"#]
    {
        assert!(heard.contains(part), "{heard}");
    }
    let again = format!(r#"{{"id":"{ID}","twin":"pump-1","target":"load-limit","value":72.5}}"#);
    let answer = order(&served, COMMANDS, &again).await;
    assert_eq!(answer.status, 200, "known before: {}", answer.text());
    fits("post", COMMANDS, &answer);
    assert!(asked(&served).contains(r#"name: "token", owner: None, is_person: false"#));
    for (body, status, code) in [
        (r#"{"twin":"pump-1","target":"cold","value":1}"#, 404, "not-found"),
        (r#"{"twin":"pump-1","target":"busy","value":1}"#, 503, "unavailable"),
        (r#"{"twin":"pump-1","target":"taken","value":1}"#, 409, "conflict"),
        (r#"{"twin":"pump-1","target":"load-limit","value":"much"}"#, 400, "bad-body"),
    ] {
        let answer = order(&served, COMMANDS, body).await;
        assert_eq!((answer.status, answer.error().0.as_str()), (status, code), "{body}");
        fits("post", COMMANDS, &answer);
    }
}

#[tokio::test]
async fn orders_reach_the_house_with_who_gave_them() {
    let served = served().await;
    let digest = Digest::of(b"x");
    let approve = format!(r#"{{"digest":"{digest}","by":"Ben"}}"#);
    for (name, body, status, heard) in [
        ("approve", approve.as_str(), 200, "Approve { digest: "),
        ("refuse", r#"{"by":"Ben","reason":"no"}"#, 200, r#"Refuse { reason: "no" }"#),
        ("withdraw", r#"{"by":"Ben"}"#, 200, r#"Withdraw { reason: "" }"#),
        ("resolve", r#"{"by":"Ben","reason":"it moved"}"#, 409, r#"Resolve { note: "it moved" }"#),
    ] {
        let answer = order(&served, &format!("{COMMANDS}/{ID}/{name}"), body).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        fits("post", &format!("{COMMANDS}/{{id}}/{name}"), &answer);
        let noted = asked(&served);
        assert!(
            noted.contains(heard) && noted.contains(r#"name: "Ben", owner: None, is_person: true"#),
            "{noted}"
        );
        let answer = order(&served, &format!("{COMMANDS}/{}/{name}", Uuid::nil()), body).await;
        assert_eq!(answer.status, 404, "{name}");
        asked(&served);
    }
    for (name, body, status, heard) in [
        ("hold", r#"{"by":"Ann","reason":"manual"}"#, 200, "Hold { level: Operator, for_s: None"),
        (
            "hold",
            r#"{"by":"Ann","reason":"panel","level":"local","for_s":60}"#,
            200,
            "level: Local, for_s: Some(60)",
        ),
        ("release", r#"{"by":"Ann","level":"lockout"}"#, 200, "Release { level: Lockout }"),
        ("lockout", r#"{"by":"Ann","reason":"coupling","for_s":3600}"#, 200, "Lockout { for_s: 3600"),
        ("reset", r#"{"by":"Ann","rule":"winding hot"}"#, 409, r#"Reset { rule: "winding hot" }"#),
        (
            "bypass",
            r#"{"by":"I","role":"engineer","rule":"r","for_s":60,"reason":"s"}"#,
            200,
            "role: Engineer",
        ),
    ] {
        let answer = order(&served, &format!("/api/v1/targets/pump-1/load-limit/{name}"), body).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        fits("post", &format!("{TARGET}/{name}"), &answer);
        assert!(asked(&served).contains(heard), "{name}");
    }
    for (level, status) in [("control", 200), ("advise", 409)] {
        let body = format!(r#"{{"level":"{level}","by":"Ann","reason":"test run"}}"#);
        let answer = order(&served, "/api/v1/twins/pump-1/authority", &body).await;
        assert_eq!(answer.status, status, "{level}: {}", answer.text());
        fits("post", AUTHORITY, &answer);
        assert!(asked(&served).contains(r#""test run", Actor { name: "Ann""#), "{level}");
    }
}

#[tokio::test]
async fn whatever_writes_needs_the_token_and_a_name() {
    let served = served().await;
    let mut all = vec![(COMMANDS.to_owned(), COMMANDS.to_owned())];
    for name in ["approve", "refuse", "withdraw", "resolve"] {
        all.push((format!("{COMMANDS}/{{id}}/{name}"), format!("{COMMANDS}/{ID}/{name}")));
    }
    for name in ["hold", "release", "lockout", "reset", "bypass"] {
        all.push((format!("{TARGET}/{name}"), format!("/api/v1/targets/pump-1/load-limit/{name}")));
    }
    all.push((AUTHORITY.to_owned(), "/api/v1/twins/pump-1/authority".to_owned()));
    for (route, path) in all {
        let answer = send(served.at, "POST", &path, &[], b"{}").await;
        assert_eq!(answer.status, 401, "{path}");
        fits("post", &route, &answer);
        let answer = order(&served, &path, r#"{"by":""}"#).await;
        assert_eq!((answer.status, answer.error().0.as_str()), (400, "bad-body"), "{path}");
        fits("post", &route, &answer);
    }
    assert_eq!(asked(&served), "");
}

#[tokio::test]
async fn a_command_is_heard_of_by_whoever_looks_at_its_twin() {
    let served = served().await;
    let mut stream = EventStream::open(served.at, "?twins=pump-1", None).await;
    assert_eq!(stream.event().await.kind, "hello");
    served.bus.publish_command(&command());
    let event = stream.event().await;
    assert_eq!(event.kind, "command");
    let document = document();
    schema::check(&document, &document["components"]["schemas"]["CommandView"], &event.data);
}
