//! Who may do what, over real connections: every route, logins, cookies, tokens, scopes, and those who try to get around.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use geminus_access::{
    Allowed, Book, Change, Gate, Keep, KeepError, Now, Role, Roles, Scope, TokenWish, UserWish, Verdict,
};
use geminus_api::{permissions, routes};
use geminus_core::{Clock as _, Digest, Event};
use serde_json::{Value, json};

use crate::client::{Answer, EventStream, get, send};
use crate::fake::{FakeHouse, NOON, Served, TOKEN, entry, served, served_with};

pub(crate) const PASSWORD: &str = "correct horse battery";
/// Answered to whoever comes.
const OPEN: [(&str, &str); 6] = [
    ("post", "/api/v1/session"),
    ("get", "/api/v1/session/ways"),
    ("get", "/api/v1/session/oidc"),
    ("get", geminus_access::CALLBACK),
    ("get", "/livez"),
    ("get", "/readyz"),
];

#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Book>>);

impl Keep for Memory {
    fn has_changed(&self) -> Result<bool, KeepError> {
        Ok(false)
    }

    fn read(&self) -> Result<Book, KeepError> {
        Ok(self.0.lock().expect("book").clone())
    }

    fn change(&self, change: &Change, _: &Event, allowed: &Allowed<'_>) -> Result<Verdict, KeepError> {
        let mut book = self.0.lock().expect("book");
        if let Err(refusal) = allowed(&book) {
            return Ok(Err(refusal));
        }
        match change.clone() {
            Change::PutUser(user) => {
                book.users.retain(|other| other.name != user.name);
                book.users.push(user);
            }
            Change::RemoveUser(name) => book.users.retain(|user| user.name != name),
            Change::PutToken(token) => book.tokens.push(token),
            Change::RemoveToken(name) => book.tokens.retain(|token| token.name != name),
        }
        Ok(Ok(()))
    }
}

/// A site whose users are `ada`, who may everything, and these with their role and scope.
pub(crate) async fn site(users: &[(&str, Role, &str)]) -> (Served, Arc<Gate>) {
    let gate = Gate::open(Box::new(Memory::default()), Some(Digest::of(TOKEN.as_bytes())), Arc::new(|_| {}));
    let gate = Arc::new(gate.expect("gate"));
    let now = Now { wall: NOON, monotonic: Duration::ZERO };
    for (name, role, twins) in [("ada", Role::Admin, "*")].iter().chain(users) {
        let wish = UserWish {
            name: (*name).to_owned(),
            password: PASSWORD.to_owned(),
            roles: Roles::new([*role]).expect("roles"),
            scope: twins.parse().expect("scope"),
        };
        gate.add_user(wish, "test", now).expect("user");
    }
    let access = Arc::clone(&gate);
    (served_with(|_| {}, |options| options.access = access).await, gate)
}

pub(crate) async fn login(at: SocketAddr, name: &str, password: &str, headers: &[(&str, &str)]) -> Answer {
    let body = json!({"name": name, "password": password}).to_string();
    send(at, "POST", "/api/v1/session", headers, body.as_bytes()).await
}

/// The cookie of a new session.
pub(crate) async fn cookie(at: SocketAddr, name: &str) -> String {
    let answer = login(at, name, PASSWORD, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("set-cookie").split(';').next().expect("cookie").to_owned()
}

pub(crate) async fn with(at: SocketAddr, cookie: &str, method: &str, path: &str, body: &str) -> Answer {
    send(at, method, path, &[("Cookie", cookie)], body.as_bytes()).await
}

/// An address of a route, about the first pump and the first rollout.
fn address(path: &str) -> String {
    path.replace("{twin}", "pump-1")
        .replace("{name}", "winding-hot")
        .replace("{thumbprint}", crate::certificates::REJECTED)
        .replace("rollouts/{id}", "rollouts/12")
        .replace("{id}", "pump-1")
}

#[test]
fn every_route_stands_in_the_table_of_permissions_and_nothing_else_does() {
    let mut routed: Vec<_> = routes::<FakeHouse>();
    let mut table: Vec<_> = permissions().map(|(method, path, _)| (method, path)).collect();
    routed.sort_unstable();
    table.sort_unstable();
    assert_eq!(routed, table);
}

#[tokio::test]
async fn with_users_nothing_but_health_and_the_login_is_open() {
    let (served, _) = site(&[]).await;
    let forged = [
        vec![],
        vec![("Authorization", format!("Bearer {TOKEN}"))],
        vec![("Authorization", format!("Bearer geminus_{}", "0".repeat(64)))],
        vec![("Authorization", format!("Basic {TOKEN}"))],
        vec![("Authorization", "Bearer ".to_owned())],
        vec![("Cookie", format!("geminus-session={}", "0".repeat(64)))],
        vec![("Cookie", format!("geminus-session={}", "x".repeat(10_000)))],
    ];
    for (method, path) in routes::<FakeHouse>() {
        for headers in &forged {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = send(served.at, &method.to_uppercase(), &address(path), &headers, b"{}").await;
            let open = OPEN.contains(&(method, path));
            assert_eq!(answer.status == 401, !open, "{method} {path} {headers:?}: {}", answer.text());
        }
    }
    assert!(served.house.asked.lock().expect("asked").is_empty(), "nothing reached the house");
    assert_eq!(get(served.at, "/").await.status, 200, "the page itself says nothing of the plant");
}

#[tokio::test]
async fn each_role_may_what_the_table_says() {
    let roles = [Role::Viewer, Role::Operator, Role::Engineer, Role::Approver, Role::Recorder];
    let users: Vec<_> = roles.map(|role| (role.name(), role, "*")).into();
    let (served, _) = site(&users).await;
    let at = served.at;
    for name in roles.map(Role::name).into_iter().chain(["ada"]) {
        let cookie = cookie(at, name).await;
        for (method, path, words) in permissions().filter(|(_, path, _)| *path != "/api/v1/session") {
            if path == "/api/v1/events" {
                continue;
            }
            let answer = with(at, &cookie, &method.to_uppercase(), &address(path), "").await;
            let role = if name == "ada" { "admin" } else { name };
            let may = words.split(' ').any(|word| word == role) || !words.contains("role");
            assert_eq!(answer.status == 403, !may, "{name} {method} {path}: {}", answer.text());
            assert_ne!(answer.status, 401, "{name} {method} {path}");
        }
    }
}

#[tokio::test]
async fn a_session_is_made_by_a_login_and_ends_with_it() {
    let (served, _) = site(&[("bob", Role::Operator, "pump-*")]).await;
    let at = served.at;
    let planted = format!("geminus-session={}", "f".repeat(64));
    let answer = login(at, "bob", PASSWORD, &[("Cookie", &planted)]).await;
    let set = answer.header("set-cookie");
    assert!(set.contains("; HttpOnly; SameSite=Strict") && !set.contains("ffff"), "{set}");
    let view = json!({"name": "bob", "kind": "person", "owner": null, "roles": ["operator"],
        "twins": ["pump-*"], "users": true});
    assert_eq!(answer.json(), view);
    let bob = set.split(';').next().expect("cookie").to_owned();
    assert_eq!(with(at, &bob, "GET", "/api/v1/session", "").await.json(), view);
    assert_eq!(with(at, &planted, "GET", "/api/v1/session", "").await.status, 401, "it was never taken up");
    assert_eq!(with(at, &format!("{bob}; {planted}"), "GET", "/api/v1/session", "").await.status, 401);
    let next = login(at, "bob", PASSWORD, &[("Cookie", &bob)]).await;
    assert_eq!(next.status, 200);
    assert_eq!(with(at, &bob, "GET", "/api/v1/session", "").await.status, 401, "the one before has ended");
    let bob = next.header("set-cookie").split(';').next().expect("cookie").to_owned();
    let out = with(at, &bob, "DELETE", "/api/v1/session", "").await;
    assert!(out.status == 204 && out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(with(at, &bob, "GET", "/api/v1/session", "").await.status, 401);
    let bob = cookie(at, "bob").await;
    served.clock.advance(geminus_access::SESSION_IDLE);
    assert_eq!(with(at, &bob, "GET", "/api/v1/session", "").await.status, 401, "it was silent too long");
}

#[tokio::test]
async fn a_flood_of_logins_is_told_when_to_come_back() {
    let (served, _) = site(&[]).await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let answer = login(served.at, "ada", "not the password", &[]).await;
        if answer.status == 429 {
            assert_eq!((answer.error().0.as_str(), answer.header("retry-after")), ("too-many-logins", "2"));
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 429, 429, 429, 429]);
    assert_eq!(login(served.at, "ada", PASSWORD, &[]).await.status, 429, "right or not");
    served.clock.advance(Duration::from_secs(2));
    assert_eq!(login(served.at, "ada", PASSWORD, &[]).await.status, 200);
    let foreign = [("Origin", "http://evil.example")];
    assert_eq!(login(served.at, "ada", PASSWORD, &foreign).await.status, 403);
}

#[tokio::test]
async fn outside_a_scope_nothing_is_seen_or_done() {
    let (served, _) = site(&[("bob", Role::Operator, "pump-1")]).await;
    let (at, bob) = (served.at, cookie(served.at, "bob").await);
    let ask = async |path: &str| with(at, &bob, "GET", path, "").await;
    assert_eq!(ask("/api/v1/twins/pump-1").await.status, 200);
    for path in
        ["pump-2", "pump-2/history", "%70ump-2", "pump%2D2", "pump-1%2F..%2Fpump-2", "PUMP-1", "pump-1%00"]
    {
        let answer = ask(&format!("/api/v1/twins/{path}")).await;
        assert_eq!((answer.status, answer.error().0.as_str()), (404, "not-found"), "{path}");
    }
    assert_eq!(ask("/api/v1/twins/pump%2D1").await.status, 200, "another spelling of the same");
    for path in
        ["alarms?twin=pump-2", "journal?twin=pump-2", "events?twins=pump-2", "events?twins=pump-1,pump-2"]
    {
        assert_eq!(ask(&format!("/api/v1/{path}")).await.status, 404, "{path}");
    }
    let site = ask("/api/v1/site").await.json();
    assert_eq!((&site["twins"]["total"], &site["inputs"]), (&json!(1), &Value::Null), "{site}");
    for path in [
        "plugins",
        "rollouts",
        "rollouts/12",
        "activations",
        "users",
        "tokens",
        "certificates",
        "certificates/own",
    ] {
        assert_eq!(ask(&format!("/api/v1/{path}")).await.status, 403, "{path} is about the whole site");
    }
    let entries = ask("/api/v1/journal").await.json()["entries"].clone();
    assert_eq!((entries.as_array().map(Vec::len), &entries[0]["twin"]), (Some(1), &"pump-1".into()));
    ask("/api/v1/twins").await;
    ask("/api/v1/alarms").await;
    let asked = std::mem::take(&mut *served.house.asked.lock().expect("asked")).join("\n");
    assert_eq!(asked.matches(r#"scope: Scope(["pump-1"])"#).count(), 2, "{asked}");
    for (twin, status) in
        [("pump-1", 200), ("pump-2", 403), ("fan-1", 403), ("pump%2D2", 403), ("pump-1%2Fx", 403)]
    {
        let path = format!("/api/v1/alarms/{twin}/winding-hot/acknowledge");
        assert_eq!(with(at, &bob, "POST", &path, "{}").await.status, status, "{twin}");
    }
    assert_eq!(served.house.asked.lock().expect("asked").len(), 1, "one order reached the house");
}

#[tokio::test]
async fn nobody_acts_for_another_or_makes_himself_more() {
    let (served, gate) = site(&[("bob", Role::Operator, "*")]).await;
    let (at, bob, ada) = (served.at, cookie(served.at, "bob").await, cookie(served.at, "ada").await);
    let acknowledge = "/api/v1/alarms/pump-1/winding-hot/acknowledge";
    let answer = with(at, &bob, "POST", acknowledge, r#"{"by":"ada"}"#).await;
    assert_eq!((answer.status, answer.error().0.as_str()), (403, "not-you"));
    assert!(served.house.asked.lock().expect("asked").is_empty());
    for body in ["", "{}", r#"{"by":"bob"}"#] {
        let answer = with(at, &bob, "POST", acknowledge, body).await;
        assert_eq!(answer.json()["acknowledged"]["by"], "bob", "{body}");
    }
    let body = json!({"name": "eve", "password": PASSWORD, "roles": ["admin"]}).to_string();
    assert_eq!(with(at, &bob, "POST", "/api/v1/users", &body).await.status, 403);
    assert_eq!(with(at, &bob, "DELETE", "/api/v1/users/ada", "").await.status, 403);
    for extra in [r#""admin":true"#, r#""roles":["admin"]"#] {
        let body = format!(r#"{{"name":"bob","password":"{PASSWORD}",{extra}}}"#);
        let answer = send(at, "POST", "/api/v1/session", &[], body.as_bytes()).await;
        assert_eq!(answer.status, 400, "{extra}");
        assert!(!answer.text().contains(PASSWORD));
    }
    assert_eq!(with(at, &ada, "DELETE", "/api/v1/users/ada", "").await.status, 409, "the last admin");
    assert_eq!(with(at, &ada, "DELETE", "/api/v1/users/bob", "").await.status, 204);
    assert_eq!(with(at, &bob, "GET", "/api/v1/session", "").await.status, 401, "at once");
    assert_eq!(gate.users().len(), 1);
}

#[tokio::test]
async fn a_token_is_shown_once_and_its_owner_answers_for_it() {
    let (served, _) = site(&[]).await;
    let (at, ada) = (served.at, cookie(served.at, "ada").await);
    let body = r#"{"name":"robot","roles":["operator"],"twins":["pump-*"],"expires":"2026-03-01T13:00:00Z"}"#;
    let made = with(at, &ada, "POST", "/api/v1/tokens", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let secret = made.json()["secret"].as_str().expect("secret").to_owned();
    assert_eq!(made.json()["token"]["owner"], "ada");
    for path in ["/api/v1/tokens", "/api/v1/users", "/api/v1/session"] {
        let text = with(at, &ada, "GET", path, "").await.text();
        assert!(!text.contains(&secret) && !text.contains("argon2") && !text.contains("sha256"), "{text}");
    }
    let bearer = format!("Bearer {secret}");
    let asks =
        async |method: &str, path: &str| send(at, method, path, &[("Authorization", &bearer)], b"").await;
    let view = asks("GET", "/api/v1/session").await.json();
    assert_eq!((&view["kind"], &view["owner"]), (&Value::from("program"), &Value::from("ada")));
    let done = asks("POST", "/api/v1/alarms/pump-1/winding-hot/acknowledge").await;
    assert_eq!(done.json()["acknowledged"]["by"], "robot of ada");
    let wrong = format!("bearer {}", secret.to_uppercase());
    assert_eq!(send(at, "GET", "/api/v1/site", &[("Authorization", &wrong)], b"").await.status, 401);
    let both = [("Authorization", "Bearer forged"), ("Cookie", ada.as_str())];
    assert_eq!(send(at, "GET", "/api/v1/site", &both, b"").await.status, 401, "a cookie does not mend it");
    assert_eq!(asks("GET", "/api/v1/session").await.status, 200);
    served.clock.advance(Duration::from_secs(1_800));
    let ada = cookie(at, "ada").await;
    served.clock.advance(Duration::from_secs(1_799));
    assert_eq!(asks("GET", "/api/v1/session").await.status, 200);
    served.clock.advance(Duration::from_secs(1));
    assert_eq!(asks("GET", "/api/v1/session").await.status, 401, "it has expired");
    assert_eq!(with(at, &ada, "DELETE", "/api/v1/tokens/robot", "").await.status, 401, "so has the session");
}

#[tokio::test]
async fn a_stream_carries_a_scope_and_ends_with_the_user() {
    let (served, gate) = site(&[]).await;
    let wish = TokenWish {
        name: "screen".to_owned(),
        roles: Roles::new([Role::Viewer]).expect("roles"),
        scope: Scope::new(["pump-1"]).expect("scope"),
        owner: "ada".to_owned(),
        expires: None,
    };
    let now = Now { wall: served.clock.now(), monotonic: Duration::ZERO };
    let (secret, _) = gate.add_token(wish, "ada", now).expect("token");
    let mut stream = EventStream::open_as(served.at, "", None, &format!("Bearer {}", secret.reveal())).await;
    assert_eq!((stream.status, stream.event().await.kind.as_str()), (200, "hello"));
    for twin in [None, Some("pump-2"), Some("pump-1")] {
        served.bus.publish_journal(&entry(1, twin));
    }
    let heard = stream.event().await;
    assert_eq!(heard.data["twin"], "pump-1", "what is about others, or about none, was left out");
    gate.remove_token("screen", "ada").expect("removed");
    served.bus.publish_journal(&entry(2, Some("pump-1")));
    assert!(stream.block().await.is_none(), "the stream has ended");
}

#[tokio::test]
async fn a_site_without_users_says_so() {
    let served = served().await;
    let view = get(served.at, "/api/v1/session").await.json();
    assert_eq!((&view["kind"], &view["users"]), (&Value::from("visitor"), &Value::from(false)));
    assert_eq!(login(served.at, "ada", PASSWORD, &[]).await.status, 409);
    assert_eq!(get(served.at, "/api/v1/users").await.status, 401, "the token of the data folder may");
    let bearer = format!("Bearer {TOKEN}");
    let answer = send(served.at, "GET", "/api/v1/users", &[("Authorization", &bearer)], b"").await;
    assert_eq!(answer.json(), json!({"users": []}));
}
