//! A host in a few lines: answers each request as its table says and remembers what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use geminus_api::view::{ChangeView, RolloutStep, RolloutTwins, RolloutView, VersionRef};
use geminus_core::{Digest, Timestamp};
use geminus_rollout::{Check, Phase, Plan, Verdict, VerdictState};

/// The first of March 2026, noon.
pub(super) const NOON: Timestamp = Timestamp(1_772_366_400_000_000_000);

/// What a host says.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(status: u16, body: &impl serde::Serialize) -> Self {
        Self { status, kind: "application/json", body: serde_json::to_string(body).expect("JSON") }
    }

    pub(super) fn error(status: u16, message: &str) -> Self {
        Self::json(status, &serde_json::json!({"error": {"code": "a-code", "message": message}}))
    }

    pub(super) fn stream(body: &str) -> Self {
        Self { status: 200, kind: "text/event-stream", body: body.to_owned() }
    }
}

/// A request: first line, token and body, `POST /path HTTP/1.1 | Bearer abc | {}`.
type Asked = Arc<Mutex<Vec<String>>>;

pub(super) struct FakeHost {
    pub(super) url: String,
    asked: Asked,
}

impl FakeHost {
    /// Answers the n-th request for a path (`GET /api/v1/rollouts`) with its n-th reply, and with the last one for
    /// ever after; what is not in the table with 404.
    pub(super) fn start(table: Vec<(&'static str, Vec<Reply>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let asked = Asked::default();
        let heard = Arc::clone(&asked);
        // It ends with the test's process.
        std::thread::spawn(move || {
            let mut table = table;
            for stream in listener.incoming().flatten() {
                serve(stream, &mut table, &heard);
            }
        });
        Self { url, asked }
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("asked").clone()
    }
}

fn serve(stream: TcpStream, table: &mut [(&'static str, Vec<Reply>)], asked: &Asked) {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let of =
            |line: &String| line.split_once(": ").map(|(key, value)| (key.to_lowercase(), value.to_owned()));
        head.iter().filter_map(of).find(|(key, _)| key == name).map(|(_, value)| value).unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).expect("body");
    let first = head.first().cloned().unwrap_or_default();
    let question = first.trim_end_matches(" HTTP/1.1").to_owned();
    let extra = [header("authorization"), header("last-event-id"), String::from_utf8(body).expect("UTF-8")];
    let said = [question.clone()].into_iter().chain(extra).filter(|part| !part.is_empty());
    asked.lock().expect("asked").push(said.collect::<Vec<_>>().join(" | "));
    let found = table.iter_mut().find(|(path, _)| *path == question);
    let reply = match found {
        Some((_, replies)) if replies.len() > 1 => replies.remove(0),
        Some((_, replies)) => replies[0].clone(),
        None => Reply::error(404, "there is nothing here"),
    };
    let Reply { status, kind, body } = reply;
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    reader.get_mut().write_all(text.as_bytes()).unwrap_or_default();
}

/// A rollout that has come to this phase through those before it.
pub(super) fn rollout(phase: Phase) -> RolloutView {
    let version = |version: &str| VersionRef {
        version: version.to_owned(),
        digest: Digest::of(version.as_bytes()).to_string(),
    };
    let way = [Phase::Verifying, Phase::Raising, Phase::Shadow, Phase::Probation, Phase::Withdrawing];
    let mut steps: Vec<Phase> = way.into_iter().take_while(|step| *step != phase).collect();
    steps.retain(|step| *step != Phase::Withdrawing || phase == Phase::RolledBack);
    steps.push(phase);
    let reason = |step: Phase| format!("reason of {step}");
    let history = steps.iter().zip(0..).map(|(step, second)| RolloutStep {
        time: Timestamp(NOON.0 + second * 1_000_000_000 + 250_000_000).into(),
        phase: *step,
        reason: reason(*step),
    });
    RolloutView {
        id: 12,
        binding: "thermal".to_owned(),
        plugin: "motor-thermal".to_owned(),
        from: Some(version("1.3.2")),
        to: version("1.4.0"),
        automatic: false,
        by: "Ann".to_owned(),
        phase,
        phase_since: NOON.into(),
        phase_deadline: (!phase.is_end()).then_some(Timestamp(NOON.0 + 3_600_000_000_000).into()),
        started: NOON.into(),
        ended: phase.is_end().then_some(NOON.into()),
        reason: phase.is_end().then(|| reason(phase)),
        twins: RolloutTwins { all: 40, enrolled: 40, warm: 38, authoritative: 0, rows_min: 412 },
        plan: serde_json::to_value(Plan::direct("motor-thermal", "^1.4")).expect("plan"),
        verdict: serde_json::Value::Null,
        evidence: serde_json::Value::Null,
        phases: Vec::new(),
        history: history.collect(),
        diff: vec![ChangeView {
            what: "command setpoint".to_owned(),
            severity: "widening".to_owned(),
            text: "it may reach 95 % instead of 90 %".to_owned(),
        }],
    }
}

/// A verdict of one check.
pub(super) fn verdict(state: VerdictState) -> serde_json::Value {
    let check = Check {
        name: "difference winding_temperature".to_owned(),
        state,
        limit: "at most 2 Cel".to_owned(),
        value: Some(2.75),
        detail: "2.75 Cel at most\u{1b}[31m".to_owned(),
    };
    serde_json::to_value(Verdict::of(vec![check])).expect("verdict")
}
