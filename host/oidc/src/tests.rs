//! The issuer's word against everything that could be done to it: a small issuer on a thread, and tokens good and forged.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::Duration;

use geminus_access::{Answered, Issuer as _, IssuerError, Kind, Now, Role, Roles, Scope, Vouched};
use geminus_core::Timestamp;
use serde_json::{Value, json};

use crate::{Client, Grant, OidcError, Patience, Provider, Settings, algorithm};

mod away;
mod issuer;
mod logins;
mod tokens;

use issuer::{CLIENT, Mood, SECRET, Signer, TestIssuer, message};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const AUDIENCE: &str = "geminus-api";
/// When the tests play.
const EPOCH_S: u64 = 1_800_000_000;

/// Made once: an RSA key takes its time.
static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::rsa(2048));

fn at(second: u64) -> Now {
    let wall = Timestamp((EPOCH_S + second) * 1_000_000_000);
    Now { wall, monotonic: Duration::from_secs(second) }
}

fn grant(value: &str, role: Role, twins: &str) -> Grant {
    let roles = Roles::new([role]).expect("roles");
    Grant { value: value.to_owned(), roles, scope: twins.parse().expect("scope") }
}

fn settings(issuer: &TestIssuer) -> Settings {
    Settings {
        title: "Plant login".to_owned(),
        issuer: issuer.name.clone(),
        client: Client {
            id: CLIENT.to_owned(),
            secret: Some(SECRET.to_owned()),
            redirect: "http://localhost:8080/api/v1/session/oidc/callback".to_owned(),
        },
        scopes: vec!["profile".to_owned()],
        audience: Some(AUDIENCE.to_owned()),
        algorithms: ["RS256", "ES256"].into_iter().filter_map(algorithm).collect(),
        leeway: Duration::from_secs(60),
        name_claim: "preferred_username".to_owned(),
        roles_claim: "groups".to_owned(),
        grants: vec![grant("operators", Role::Operator, "pump-*"), grant("staff", Role::Viewer, "*")],
        keys_age_max: Duration::from_secs(86_400),
        ca: None,
        patience: Patience { answer: Duration::from_secs(10), bytes_max: 64 << 10 },
    }
}

struct Plant {
    issuer: TestIssuer,
    provider: Provider,
    ec: Signer,
}

fn plant_with(change: impl FnOnce(&mut Settings)) -> Plant {
    let ec = Signer::ec();
    let issuer = TestIssuer::start(json!([RSA.jwk("rsa"), ec.jwk("ec")]));
    let mut settings = settings(&issuer);
    change(&mut settings);
    Plant { provider: Provider::new(settings).expect("provider"), issuer, ec }
}

fn plant() -> Plant {
    plant_with(|_| {})
}

/// Claims of a program's token that is good.
fn access(issuer: &TestIssuer) -> Value {
    json!({
        "iss": issuer.name, "aud": [AUDIENCE, "account"], "sub": "17", "azp": "historian",
        "preferred_username": "ada", "groups": ["staff", "operators"],
        "iat": EPOCH_S, "nbf": EPOCH_S, "exp": EPOCH_S + 300,
    })
}

/// Claims of the token of a login that is good.
fn id(issuer: &TestIssuer, nonce: &str) -> Value {
    json!({
        "iss": issuer.name, "aud": CLIENT, "sub": "17", "preferred_username": "Ada", "groups": ["operators"],
        "nonce": nonce, "iat": EPOCH_S, "exp": EPOCH_S + 300,
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(claims.as_object_mut().expect("claims").remove(name)),
        value => claims[name] = value,
    }
    claims
}

fn rs(kid: &str) -> Value {
    json!({"alg": "RS256", "typ": "at+jwt", "kid": kid})
}

impl Plant {
    fn vouch(&self, token: &str, now: Now) -> Result<Vouched, IssuerError> {
        if self.provider.wants_keys(token.as_bytes(), now) {
            self.provider.fetch(now);
        }
        self.provider.vouch(token.as_bytes(), now)
    }

    fn refused(&self, token: &str, expect: OidcError) {
        assert_eq!(self.vouch(token, at(20)).expect_err("refused"), expect.into());
    }

    fn asked(&self, end: &str) -> usize {
        self.issuer.state().asked.iter().filter(|path| path.ends_with(end)).count()
    }

    /// A login from its beginning to its end, with the token that `token` makes of the nonce.
    fn log_in(&self, token: impl FnOnce(&str) -> String) -> Result<Vouched, IssuerError> {
        let begun = self.provider.begin(HERE, at(0))?;
        let (state, code) = self.issuer.log_in(&begun.url, token);
        self.finish(&state, begun.binding.reveal(), Ok(&code), None)
    }

    fn finish(
        &self,
        state: &str,
        binding: &str,
        code: Result<&str, &str>,
        issuer: Option<&str>,
    ) -> Result<Vouched, IssuerError> {
        self.provider.finish(Answered { state, binding, code, issuer }, &|| at(20))
    }

    fn id_token(&self, nonce: &str) -> String {
        RSA.token(&rs("rsa"), &id(&self.issuer, nonce))
    }
}

#[test]
fn settings_that_would_open_too_much_are_refused() {
    let issuer = TestIssuer::start(json!([]));
    let check = |change: &dyn Fn(&mut Settings), part: &str| {
        let mut settings = settings(&issuer);
        change(&mut settings);
        let said = Provider::new(settings).expect_err("refused").to_string();
        assert!(said.contains(part), "{said}");
    };
    check(&|all| all.issuer = "http://login.example".to_owned(), "without TLS");
    check(&|all| all.issuer = "https://login.example/?tenant=1".to_owned(), "access.oidc.issuer");
    check(&|all| all.issuer = "https://login.example".to_owned(), "access.oidc.ca");
    check(&|all| all.ca = Some(b"no certificate".to_vec()), "BEGIN CERTIFICATE");
    check(
        &|all| all.client.redirect = "http://plant.example/api/v1/session/oidc/callback".to_owned(),
        "redirect",
    );
    check(&|all| all.client.redirect = "https://plant.example/callback".to_owned(), "must end with");
    check(&|all| all.algorithms.clear(), "algorithms");
}

#[test]
fn nothing_secret_shows_itself() {
    let plant = plant();
    let shown = format!("{:?} {:?}", plant.provider, settings(&plant.issuer));
    assert!(!shown.contains(SECRET), "{shown}");
    let answered = Answered { state: "state", binding: "binding", code: Ok("code"), issuer: None };
    assert!(!format!("{answered:?}").contains("code"));
    let error = plant.log_in(|_| "a.secret.token".to_owned()).expect_err("refused").to_string();
    assert!(!error.contains("secret"), "{error}");
}
