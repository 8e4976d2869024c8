//! Logins over an issuer and its tokens, over real connections; the issuer is one that says what a test tells it to.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use geminus_access::{
    Answered, Begun, CALLBACK, Gate, Issuer, IssuerError, Kind, NoKeep, Now, Principal, Role, Roles, Secret,
    Vouched,
};
use geminus_core::{Digest, Event};
use serde_json::json;

use crate::client::{Answer, get, send};
use crate::fake::{Served, TOKEN, served, served_with};

const GOOD: &str = "good.signed.token";
const UNKNOWN: &str = "unknown.key.token";

/// Vouches for `ada`, an operator of `pump-1`.
#[derive(Debug, Default)]
struct Fake {
    binding: Mutex<Option<Secret>>,
    fetched: AtomicUsize,
}

fn ada(kind: Kind) -> Vouched {
    let roles = Roles::new([Role::Operator]).expect("roles");
    let scope = "pump-1".parse().expect("scope");
    let principal = Principal { name: "oidc:ada".to_owned(), kind, roles, scope };
    Vouched { principal, subject: "17".to_owned() }
}

impl Issuer for Fake {
    fn title(&self) -> &str {
        "Plant login"
    }

    fn name(&self) -> &str {
        "https://login.example"
    }

    fn is_token(&self, token: &[u8]) -> bool {
        token.contains(&b'.')
    }

    fn wants_keys(&self, token: &[u8], _: Now) -> bool {
        token == UNKNOWN.as_bytes() && self.fetched.load(Ordering::SeqCst) == 0
    }

    fn fetch(&self, _: Now) {
        self.fetched.fetch_add(1, Ordering::SeqCst);
    }

    fn vouch(&self, token: &[u8], _: Now) -> Result<Vouched, IssuerError> {
        match token {
            good if good == GOOD.as_bytes() => Ok(ada(Kind::Program { owner: "oidc:ada".to_owned() })),
            unknown if unknown == UNKNOWN.as_bytes() && self.fetched.load(Ordering::SeqCst) > 0 => {
                Ok(ada(Kind::Program { owner: "oidc:ada".to_owned() }))
            }
            b"no.role.token" => Err(IssuerError::NoRole("eve has no role here".to_owned())),
            b"away.now.token" => Err(IssuerError::Away("the issuer is away".to_owned())),
            _ => Err(IssuerError::Refused("not the issuer's".to_owned())),
        }
    }

    fn begin(&self, _: IpAddr, _: Now) -> Result<Begun, IssuerError> {
        let binding = Secret::once().expect("secret");
        *self.binding.lock().expect("binding") = Some(binding.clone());
        Ok(Begun { url: "https://login.example/auth?state=s1".to_owned(), binding })
    }

    fn finish(&self, answered: Answered<'_>, _: &dyn Fn() -> Now) -> Result<Vouched, IssuerError> {
        let binding = self.binding.lock().expect("binding").take();
        let right = binding.is_some_and(|binding| binding.reveal() == answered.binding);
        match (answered.code, right && answered.state == "s1") {
            (Ok("c1"), true) => Ok(ada(Kind::Person)),
            (Err(error), true) => Err(IssuerError::Refused(format!("the issuer said <{error}>"))),
            _ => Err(IssuerError::Refused("no such login".to_owned())),
        }
    }
}

struct Site {
    served: Served,
    fake: Arc<Fake>,
    heard: Arc<Mutex<Vec<Event>>>,
}

async fn site() -> Site {
    let (fake, heard) = (Arc::new(Fake::default()), Arc::new(Mutex::new(Vec::new())));
    let ear = Arc::clone(&heard);
    let ear = Arc::new(move |event| ear.lock().expect("heard").push(event));
    let gate = Gate::open(Box::new(NoKeep), Some(Digest::of(TOKEN.as_bytes())), ear).expect("gate");
    let gate = Arc::new(gate.with_issuer(fake.clone()));
    Site { served: served_with(|_| {}, |options| options.access = gate).await, fake, heard }
}

/// The cookies that an answer sets, in its order.
fn cookies(answer: &Answer) -> Vec<String> {
    answer.header("set-cookie").lines().map(str::to_owned).collect()
}

async fn begin(at: SocketAddr) -> String {
    let begun = get(at, "/api/v1/session/oidc").await;
    assert_eq!((begun.status, begun.header("location")), (303, "https://login.example/auth?state=s1"));
    let cookie = begun.header("set-cookie").to_owned();
    assert!(cookie.starts_with("geminus-login=") && cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    cookie.split(';').next().expect("cookie").to_owned()
}

async fn finish(at: SocketAddr, query: &str, headers: &[(&str, &str)]) -> Answer {
    send(at, "GET", &format!("{CALLBACK}?{query}"), headers, b"").await
}

#[tokio::test]
async fn a_login_over_the_issuer_ends_in_a_session_like_any_other() {
    let Site { served, heard, .. } = site().await;
    let at = served.at;
    assert_eq!(get(at, "/api/v1/session").await.status, 401, "a site with an issuer is never open");
    let local = format!("Bearer {TOKEN}");
    assert_eq!(send(at, "GET", "/api/v1/site", &[("Authorization", &local)], b"").await.status, 401);
    let ways = get(at, "/api/v1/session/ways").await.json();
    assert_eq!(ways, json!({"password": false, "oidc": "Plant login"}));
    let login = begin(at).await;
    // As a browser comes back from another site.
    let browser =
        [("Cookie", login.as_str()), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    let done = finish(at, "state=s1&code=c1&iss=https%3A%2F%2Flogin.example&more=1", &browser).await;
    assert_eq!((done.status, done.header("location")), (303, "/"), "{}", done.text());
    let set = cookies(&done);
    assert!(
        set[0].starts_with("geminus-session=") && set[0].contains("; HttpOnly; SameSite=Strict"),
        "{set:?}"
    );
    assert!(set[1].starts_with("geminus-login=; ") && set[1].contains("Max-Age=0"), "{set:?}");
    let session = set[0].split(';').next().expect("cookie");
    let with = async |method: &str, path: &str| send(at, method, path, &[("Cookie", session)], b"").await;
    let view = json!({"name": "oidc:ada", "kind": "person", "owner": null, "roles": ["operator"], "twins": ["pump-1"],
        "users": true});
    assert_eq!(with("GET", "/api/v1/session").await.json(), view);
    assert_eq!(with("GET", "/api/v1/twins/pump-1").await.status, 200);
    assert_eq!(with("GET", "/api/v1/twins/pump-2").await.status, 404, "its scope holds");
    assert_eq!(with("GET", "/api/v1/users").await.status, 403);
    let done = with("POST", "/api/v1/alarms/pump-1/winding-hot/acknowledge").await;
    assert_eq!(done.json()["acknowledged"]["by"], "oidc:ada");
    assert_eq!(with("DELETE", "/api/v1/session").await.status, 204);
    assert_eq!(with("GET", "/api/v1/session").await.status, 401);
    let kinds: Vec<String> = heard.lock().expect("heard").iter().map(|event| event.kind.clone()).collect();
    assert_eq!(kinds, ["logged-in", "logged-out"]);
    let facts = heard.lock().expect("heard")[0].facts.clone();
    assert_eq!((&facts["issuer"], &facts["subject"]), (&"https://login.example".into(), &"17".into()));
    assert!(!facts.to_string().contains(session.split_once('=').expect("cookie").1));
}

#[tokio::test]
async fn a_session_of_elsewhere_has_the_same_limits() {
    let Site { served, .. } = site().await;
    let login = begin(served.at).await;
    let done = finish(served.at, "state=s1&code=c1", &[("Cookie", &login)]).await;
    let session = cookies(&done)[0].split(';').next().expect("cookie").to_owned();
    let asks = async || send(served.at, "GET", "/api/v1/session", &[("Cookie", &session)], b"").await.status;
    served.clock.advance(geminus_access::SESSION_IDLE - Duration::from_secs(1));
    assert_eq!(asks().await, 200);
    served.clock.advance(geminus_access::SESSION_IDLE);
    assert_eq!(asks().await, 401);
}

#[tokio::test]
async fn whoever_comes_back_wrong_is_told_so_and_held_up() {
    let Site { served, heard, .. } = site().await;
    let at = served.at;
    let login = begin(at).await;
    let denied =
        finish(at, "state=s1&error=denied", &[("Cookie", &login), ("Accept", "text/html,*/*")]).await;
    assert_eq!((denied.status, denied.header("content-type")), (401, "text/html; charset=utf-8"));
    assert!(denied.text().contains("the issuer said &lt;denied&gt;"), "{}", denied.text());
    assert!(cookies(&denied).iter().all(|cookie| cookie.starts_with("geminus-login=; ")), "no session");
    begin(at).await;
    let stolen = finish(at, "state=s1&code=c1", &[]).await;
    assert_eq!((stolen.status, stolen.error().0.as_str()), (401, "issuer-refused"), "in another browser");
    assert_eq!(finish(at, "state=s1&state=s1", &[]).await.status, 400, "given twice");
    assert_eq!(finish(at, "", &[]).await.status, 401);
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(finish(at, "state=x&code=y", &[]).await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 17, "{statuses:?}");
    let held = finish(at, "state=x&code=y", &[]).await;
    assert_eq!((held.status, held.header("retry-after")), (429, "2"));
    assert!(heard.lock().expect("heard").iter().all(|event| event.kind == "login-failed"));
}

#[tokio::test]
async fn tokens_of_the_issuer_open_beside_our_own() {
    let Site { served, fake, .. } = site().await;
    let asks = async |token: &str, path: &str| {
        let bearer = format!("Bearer {token}");
        send(served.at, "GET", path, &[("Authorization", &bearer)], b"").await
    };
    let view = asks(GOOD, "/api/v1/session").await.json();
    assert_eq!((&view["kind"], &view["owner"]), (&"program".into(), &"oidc:ada".into()));
    assert_eq!(asks(GOOD, "/api/v1/twins/pump-2").await.status, 404);
    for (token, status, code) in [
        ("forged.signed.token", 401, "issuer-refused"),
        ("no.role.token", 403, "no-role"),
        ("away.now.token", 503, "issuer-away"),
        ("geminus_0000", 401, "login-required"),
    ] {
        let answer = asks(token, "/api/v1/site").await;
        assert_eq!((answer.status, answer.error().0.as_str()), (status, code), "{token}");
        assert!(!answer.text().contains(token));
    }
    assert_eq!(fake.fetched.load(Ordering::SeqCst), 0);
    assert_eq!(asks(UNKNOWN, "/api/v1/session").await.status, 200, "its keys are asked for first");
    assert_eq!(asks(UNKNOWN, "/livez").await.status, 200);
    assert_eq!(fake.fetched.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn without_an_issuer_there_is_no_login_over_one() {
    let served = served().await;
    assert_eq!(get(served.at, "/api/v1/session/ways").await.json(), json!({"password": false, "oidc": null}));
    for path in ["/api/v1/session/oidc", CALLBACK] {
        let answer = get(served.at, path).await;
        assert_eq!((answer.status, answer.error().0.as_str()), (404, "no-issuer"), "{path}");
    }
    let bearer = [("Authorization", "Bearer good.signed.token")];
    assert_eq!(send(served.at, "POST", "/api/v1/plugins", &bearer, b"").await.status, 401);
}
