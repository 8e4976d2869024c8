//! Whole commands against a host in a few lines: what is asked of it, what is printed, how they fail.

use clap::Parser;
use geminus_api::view::RolloutEvent;
use geminus_rollout::{Phase, VerdictState};
use serde_json::json;

use super::fake::{FakeHost, Reply, rollout, verdict};
use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    rollout: Rollout,
}

/// What a command prints, or how it fails; `URL` and `TOKEN` in it stand for the host's address and token file.
fn command(host: &FakeHost, line: &str) -> (String, Result<(), String>) {
    let folder = tempfile::tempdir().expect("folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "secret\n").expect("token");
    let line = line.replace("TOKEN", &token.display().to_string()).replace("URL", &host.url);
    let line = Line::try_parse_from(["rollout"].into_iter().chain(line.split_whitespace())).expect(&line);
    let mut out = Vec::new();
    let result = obey(line.rollout, &mut out).map_err(|error| format!("{error:#}"));
    (String::from_utf8(out).expect("UTF-8"), result)
}

const LIST: &str = "GET /api/v1/rollouts";
const ONE: &str = "GET /api/v1/rollouts/12";
const EVENTS: &str = "GET /api/v1/events";

fn one(view: &RolloutView) -> Reply {
    Reply::json(200, view)
}

#[test]
fn orders_bring_the_token_and_who_gives_them() {
    let view = rollout(Phase::Shadow);
    let host = FakeHost::start(vec![
        ("POST /api/v1/rollouts/12/promote", vec![one(&view)]),
        ("POST /api/v1/rollouts/12/cancel", vec![one(&view)]),
        ("POST /api/v1/rollouts/12/rollback", vec![Reply::error(409, "rollout 12 is in shadow: cancel it")]),
        ("POST /api/v1/rollouts", vec![Reply::json(201, &view)]),
    ]);
    let line = "rollout 12: motor-thermal 1.3.2 → 1.4.0 for thermal, shadow since 2026-03-01T12:00:00Z\n";
    let door = "--url URL --token-file TOKEN";
    let (text, result) = command(&host, &format!("promote 12 --by Ann {door}"));
    assert_eq!((text.as_str(), result), (line, Ok(())));
    let (text, _) = command(&host, &format!("cancel 12 --by Ann --json {door}"));
    let read: RolloutView = serde_json::from_str(&text).expect("the API's JSON");
    assert_eq!(read, view);
    let (text, result) = command(&host, &format!("rollback 12 --by Ann {door}"));
    assert_eq!((text.as_str(), result), ("", Err("rollout 12 is in shadow: cancel it".to_owned())));
    let start = format!("start motor-thermal@^1.4 --behavior thermal --by Bob {door}");
    let (text, result) = command(&host, &start);
    assert_eq!((text, result), (format!("{line}follow it: geminus rollout watch 12\n"), Ok(())));
    let asked = host.asked();
    for (asked, order) in asked.iter().zip(["promote", "cancel", "rollback"]) {
        assert_eq!(asked, &format!("POST /api/v1/rollouts/12/{order} | Bearer secret | {{\"by\":\"Ann\"}}"));
    }
    let body = asked[3].strip_prefix("POST /api/v1/rollouts | Bearer secret | ").expect("an order");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(
        (&body["by"], &body["behavior"], &body["version"]),
        (&json!("Bob"), &json!("thermal"), &json!("^1.4"))
    );
}

#[test]
fn status_reads_without_a_token() {
    let view = rollout(Phase::Shadow);
    let list = json!({ "rollouts": [view] });
    let host = FakeHost::start(vec![(LIST, vec![Reply::json(200, &list)]), (ONE, vec![one(&view)])]);
    let (text, result) = command(&host, "status --url URL");
    assert!(result.is_ok() && text.starts_with("ID  BEHAVIOR"), "{text}");
    let (text, _) = command(&host, "status --url URL --json");
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), list);
    let (text, _) = command(&host, "status 12 --url URL");
    assert!(text.starts_with("rollout 12: ") && text.contains("\nhistory\n"), "{text}");
    assert_eq!(host.asked(), [LIST, LIST, ONE]);
}

#[test]
fn a_plan_is_shown_and_nothing_begun() {
    let view = rollout(Phase::Shadow);
    let preview = json!({
        "binding": "thermal", "plugin": "motor-thermal", "from": view.from, "to": view.to, "twins": [],
        "twins_total": 0, "canary": [], "plan": view.plan, "diff": [], "phases": [], "refusals": ["it is busy"],
    });
    let host = FakeHost::start(vec![("POST /api/v1/rollouts/plan", vec![Reply::json(200, &preview)])]);
    let (text, result) = command(&host, "plan motor-thermal@1.4.0 --url URL --token-file TOKEN");
    assert!(result.is_ok() && text.ends_with("it would be refused:\n  it is busy\n"), "{text}");
    assert_eq!(host.asked().len(), 1);
}

#[test]
fn failures_are_told_in_words() {
    let host = FakeHost::start(vec![
        (LIST, vec![Reply { status: 200, kind: "text/html", body: "<html>".to_owned() }]),
        (ONE, vec![Reply { status: 502, kind: "text/html", body: "<html>".to_owned() }]),
        ("POST /api/v1/rollouts/12/cancel", vec![Reply::error(401, "this is not the token of this host")]),
        ("GET /api/v1/rollouts/99", vec![Reply::error(404, "there is no rollout 99")]),
    ]);
    for (line, words) in [
        ("status --url URL", "is it a Geminus host of this version?"),
        ("status 12 --url URL", "is no Geminus host: it says 502"),
        ("status 99 --url URL", "there is no rollout 99"),
        ("watch 99 --url URL", "there is no rollout 99"),
        ("cancel 12 --url URL", "this needs the host's token: give --site"),
        ("cancel 12 --url URL --token-file /nowhere/token", "cannot be read from /nowhere/token"),
        ("cancel 12 --url URL --token-file TOKEN", "this is not the token of this host (token read from /"),
        ("status --url https://127.0.0.1", "give --ca FILE"),
        ("status --url ftp://127.0.0.1", "is no address of a host"),
        ("status --site /nowhere/site.toml", "/nowhere/site.toml"),
    ] {
        let (text, result) = command(&host, line);
        let error = result.expect_err(line);
        assert!(text.is_empty() && error.contains(words), "{line}: {error}");
    }
    // A port that was free a moment ago: nobody listens there.
    let free =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("port");
    let (_, result) = command(&host, &format!("status --url http://{free}"));
    let error = result.expect_err("nobody is there");
    assert!(error.contains(&format!("no host answers at http://{free}: is it running?")), "{error}");
}

/// A stream that greets and says that this rollout went on.
fn stream(views: &[&RolloutView]) -> Reply {
    let mut text = "retry: 2000\nid: f-1\nevent: hello\ndata: {}\n\n".to_owned();
    for (view, number) in views.iter().zip(2..) {
        let (binding, twins) = (view.binding.clone(), view.twins);
        let event = RolloutEvent { id: view.id, binding, phase: view.phase, twins, verdict: None };
        let data = serde_json::to_string(&event).expect("JSON");
        text.push_str(&format!(
            "id: f-{number}\nevent: rollout\ndata: {data}\n\n: alive\nid: f-{number}\n\n"
        ));
    }
    Reply::stream(&text)
}

#[test]
fn a_watch_prints_each_change_once_and_ends_with_the_rollout() {
    let raising = RolloutView {
        twins: geminus_api::view::RolloutTwins { warm: 0, enrolled: 0, ..rollout(Phase::Raising).twins },
        ..rollout(Phase::Raising)
    };
    let shadow = RolloutView { verdict: verdict(VerdictState::Open), ..rollout(Phase::Shadow) };
    let permanent = RolloutView { verdict: verdict(VerdictState::Pass), ..rollout(Phase::Permanent) };
    let other = RolloutView { id: 13, ..rollout(Phase::Failed) };
    let host = FakeHost::start(vec![
        (ONE, [&raising, &raising, &shadow, &permanent].map(one).to_vec()),
        (EVENTS, vec![stream(&[&raising, &other, &shadow, &permanent])]),
    ]);
    let (text, result) = command(&host, "watch 12 --url URL");
    assert_eq!(result, Ok(()));
    let expect = "\
rollout 12: motor-thermal 1.3.2 → 1.4.0 for thermal, raising since 2026-03-01T12:00:00Z
2026-03-01T12:00:00Z  verifying    reason of verifying
2026-03-01T12:00:01Z  raising      reason of raising
  40 twins: 0 taken in, 0 warm, 0 answered by the new version; 412 rows compared at least
2026-03-01T12:00:02Z  shadow       reason of shadow
  40 twins: 40 taken in, 38 warm, 0 answered by the new version; 412 rows compared at least
  verdict: open: 1 of 1 checks want more rows
2026-03-01T12:00:03Z  probation    reason of probation
2026-03-01T12:00:04Z  permanent    reason of permanent
  verdict: pass
";
    assert_eq!(text, expect);
    assert_eq!(host.asked(), [ONE, EVENTS, ONE, ONE, ONE], "what is known already is not read again");
}

#[test]
fn a_watch_goes_on_where_a_stream_broke() {
    let shadow = rollout(Phase::Shadow);
    let permanent = rollout(Phase::Permanent);
    let host = FakeHost::start(vec![
        (ONE, [&shadow, &shadow, &shadow, &permanent].map(one).to_vec()),
        (EVENTS, vec![stream(&[&shadow]), Reply::error(503, "too many streams"), stream(&[]), stream(&[])]),
    ]);
    let door = Door { url: Some(host.url.clone()), ..Door::default() };
    let (mut out, mut pauses) = (Vec::new(), 0);
    let result = watch::follow_with(&door.host().expect("host"), 12, false, &mut out, &mut || pauses += 1);
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(pauses, 3);
    let again = format!("{EVENTS} | f-2");
    let last = format!("{EVENTS} | f-1");
    assert_eq!(host.asked(), [ONE, EVENTS, ONE, &again, &again, ONE, &last, ONE]);
    assert!(String::from_utf8(out).expect("UTF-8").ends_with("permanent    reason of permanent\n"));
}

#[test]
fn a_host_that_stays_away_is_given_up() {
    let host = FakeHost::start(vec![
        (ONE, vec![one(&rollout(Phase::Shadow))]),
        (EVENTS, vec![Reply::error(503, "too many streams")]),
    ]);
    let door = Door { url: Some(host.url.clone()), ..Door::default() };
    let mut pauses = 0;
    let result =
        watch::follow_with(&door.host().expect("host"), 12, true, &mut Vec::new(), &mut || pauses += 1);
    let error = format!("{:#}", result.expect_err("given up"));
    assert_eq!(error, "`geminus rollout status 12` will say how it went: too many streams");
    assert_eq!(pauses, 30);
}

#[test]
fn a_rollout_that_did_not_become_permanent_is_a_failure() {
    for phase in [Phase::RolledBack, Phase::Failed, Phase::Cancelled] {
        let view = rollout(phase);
        let host =
            FakeHost::start(vec![(ONE, vec![one(&view)]), ("POST /api/v1/rollouts", vec![one(&view)])]);
        let (text, result) = command(&host, "watch 12 --url URL --json");
        assert_eq!(result, Err(format!("rollout 12 ended as {phase}: reason of {phase}")));
        let lines: Vec<RolloutView> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines, [view]);
        assert_eq!(host.asked(), [ONE], "there is nothing to wait for");
        let start = "start motor-thermal@1.4.0 --watch --url URL --token-file TOKEN";
        let (_, result) = command(&host, start);
        assert_eq!(result, Err(format!("rollout 12 ended as {phase}: reason of {phase}")));
    }
}
