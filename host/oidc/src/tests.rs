//! The issuer's word against everything that could be done to it: a small issuer on a thread, and tokens good and forged.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::Duration;

use geminus_access::{Answered, Issuer as _, IssuerError, Kind, Now, Role, Roles, Scope, Vouched};
use geminus_core::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use crate::pending::PENDING_LIFE;
use crate::{Change, Client, Grant, OidcError, Patience, Provider, Settings, TOKEN_BYTES_MAX, algorithm};

mod issuer;

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
fn a_good_token_of_each_accepted_algorithm_opens() {
    let plant = plant();
    let es = json!({"alg": "ES256", "kid": "ec"});
    let claims = access(&plant.issuer);
    for token in [RSA.token(&rs("rsa"), &claims), plant.ec.token(&es, &claims)] {
        let Vouched { principal, subject } = plant.vouch(&token, at(20)).expect("vouched");
        assert_eq!((principal.name.as_str(), subject.as_str()), ("oidc:historian", "17"));
        assert_eq!(principal.kind, Kind::Program { owner: "oidc:ada".to_owned() });
        assert_eq!(principal.signature(), "oidc:historian of oidc:ada");
        assert_eq!(
            (principal.roles.to_string(), principal.scope.to_string()),
            ("operator".into(), "pump-*".into())
        );
    }
    assert_eq!(plant.asked("/keys"), 1, "keys are asked for once");
}

#[test]
fn what_the_site_accepts_beside_is_accepted() {
    let ed = Signer::ed();
    let plant = plant_with(|settings| {
        settings.algorithms = ["PS256", "EdDSA"].into_iter().filter_map(algorithm).collect()
    });
    plant.issuer.state().keys = json!([RSA.jwk("rsa"), ed.jwk("ed")]);
    let claims = access(&plant.issuer);
    let tokens = [
        RSA.token(&json!({"alg": "PS256", "kid": "rsa"}), &claims),
        ed.token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims),
    ];
    for token in tokens {
        assert!(plant.vouch(&token, at(20)).is_ok());
    }
    plant.refused(&RSA.token(&rs("rsa"), &claims), OidcError::Algorithm);
}

#[test]
fn claims_that_are_wrong_missing_or_of_another_type_are_refused() {
    let plant = plant();
    let check = |name: &str, value: Value, expect: OidcError| {
        plant.refused(&RSA.token(&rs("rsa"), &with(access(&plant.issuer), name, value)), expect);
    };
    let other = || OidcError::Audience(AUDIENCE.to_owned());
    let now = EPOCH_S + 20;
    check("exp", json!(now - 60), OidcError::Expired);
    check("exp", json!(0), OidcError::Expired);
    check("exp", Value::Null, OidcError::Claim("exp"));
    check("exp", json!("9999999999"), OidcError::Claim("exp"));
    check("nbf", json!(now + 61), OidcError::Early);
    check("nbf", json!("0"), OidcError::Claim("nbf"));
    check("iat", json!(now + 61), OidcError::Early);
    check("iss", json!("https://evil.example"), OidcError::Issuer);
    check("iss", json!(format!("{}/", plant.issuer.name)), OidcError::Issuer);
    check("iss", json!([plant.issuer.name]), OidcError::Claim("iss"));
    check("iss", Value::Null, OidcError::Claim("iss"));
    check("aud", json!("account"), other());
    check("aud", json!([]), other());
    check("aud", json!([[AUDIENCE]]), other());
    check("aud", json!(format!("{AUDIENCE} ")), other());
    check("aud", Value::Null, OidcError::Claim("aud"));
    check("sub", Value::Null, OidcError::Claim("sub"));
    check("sub", json!(17), OidcError::Claim("sub"));
    check("sub", json!("s".repeat(256)), OidcError::Claim("sub"));
    check("typ", json!("ID"), OidcError::Kind);
    check("at_hash", json!("x"), OidcError::Kind);
    check("events", json!({}), OidcError::Kind);
    check("preferred_username", Value::Null, OidcError::NoName("preferred_username".to_owned()));
    check("preferred_username", json!(["ada"]), OidcError::NoName("preferred_username".to_owned()));
    let odd = OidcError::Name { claim: "preferred_username".to_owned(), found: "ada of pumps".to_owned() };
    check("preferred_username", json!("ada of pumps"), odd);
    let none = || OidcError::NoRole { name: "oidc:ada".to_owned(), claim: "groups".to_owned() };
    for groups in [Value::Null, json!([]), json!(["Operators"]), json!({"operators": true}), json!(["admin"])]
    {
        check("groups", groups, none());
    }
    let nonce =
        RSA.token(&json!({"alg": "RS256", "kid": "rsa"}), &with(access(&plant.issuer), "nonce", json!("n")));
    plant.refused(&nonce, OidcError::Kind);
    let inside = [("exp", now - 59), ("nbf", now + 60), ("iat", now + 60)];
    for (name, value) in inside {
        let token = RSA.token(&rs("rsa"), &with(access(&plant.issuer), name, json!(value)));
        assert!(plant.vouch(&token, at(20)).is_ok(), "{name} is within the leeway");
    }
}

#[test]
fn forged_tokens_do_not_open() {
    let plant = plant();
    let claims = access(&plant.issuer);
    let good = RSA.token(&rs("rsa"), &claims);
    assert!(plant.vouch(&good, at(20)).is_ok());
    let (signed, signature) = good.rsplit_once('.').expect("parts");
    // Another's key under the issuer's name of it; claims changed after signing; no signature at all.
    plant.refused(&Signer::rsa(2048).token(&rs("rsa"), &claims), OidcError::Signature);
    plant.refused(&Signer::ec().token(&json!({"alg": "ES256", "kid": "ec"}), &claims), OidcError::Signature);
    let more = message(&rs("rsa"), &with(claims.clone(), "groups", json!(["operators", "staff"])));
    plant.refused(&format!("{more}.{signature}"), OidcError::Signature);
    plant.refused(&format!("{signed}."), OidcError::Signature);
    // No algorithm.
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let bare = message(&json!({"alg": alg, "kid": "rsa"}), &claims);
        plant.refused(&format!("{bare}."), OidcError::Algorithm);
        plant.refused(&format!("{bare}.{signature}"), OidcError::Algorithm);
    }
    // The public key as a shared secret.
    let public = RSA.jwk("rsa");
    for secret in [public["n"].as_str().expect("n").to_owned(), public.to_string()] {
        let text = message(&json!({"alg": "HS256", "kid": "rsa"}), &claims);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text.as_bytes());
        let tag = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, tag);
        plant.refused(&format!("{text}.{tag}"), OidcError::Algorithm);
    }
    // An algorithm that is accepted, with a key of the other kind.
    plant.refused(&RSA.token(&json!({"alg": "ES256", "kid": "rsa"}), &claims), OidcError::KeyAlgorithm);
    plant.refused(&plant.ec.token(&rs("ec"), &claims), OidcError::KeyAlgorithm);
    plant.refused(&RSA.token(&json!({"alg": "PS256", "kid": "rsa"}), &claims), OidcError::Algorithm);
    // A key that the token brings along, or says where to get.
    let own = Signer::rsa(2048);
    let header =
        json!({"alg": "RS256", "kid": "rsa", "jwk": own.jwk("rsa"), "jku": "http://evil.example/keys"});
    plant.refused(&own.token(&header, &claims), OidcError::Signature);
    // What must be understood and is not.
    let critical = json!({"alg": "RS256", "kid": "rsa", "crit": ["exp"]});
    plant.refused(&RSA.token(&critical, &claims), OidcError::Shape);
    let unencoded = json!({"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": false});
    plant.refused(&RSA.token(&unencoded, &claims), OidcError::Shape);
    assert!(plant.vouch(&good, at(20)).is_ok());
}

#[test]
fn what_is_no_token_is_refused_and_the_largest_is_bounded() {
    let plant = plant();
    plant.provider.fetch(at(0));
    let check = |token: &str| {
        let error = plant.vouch(token, at(20)).expect_err("refused");
        assert_eq!(error, OidcError::Shape.into(), "{token}");
    };
    let good = RSA.token(&rs("rsa"), &access(&plant.issuer));
    check("..");
    check("");
    check("a.b.c");
    check(&format!("{good}.more"));
    check(&format!(" {good}"));
    check(&format!("{good}="));
    check(&good.replacen('.', "=.", 1));
    check(&RSA.token(&json!({"alg": "RS256", "kid": 7}), &access(&plant.issuer)));
    check(&RSA.token(&rs("rsa"), &json!(["claims"])));
    let pad =
        |bytes: usize| RSA.token(&rs("rsa"), &with(access(&plant.issuer), "pad", json!("x".repeat(bytes))));
    let fits = (0..).map(|n| pad(11_000 + 20 * n)).take_while(|token| token.len() <= TOKEN_BYTES_MAX);
    let largest = fits.last().expect("one that fits");
    assert!(largest.len() > TOKEN_BYTES_MAX - 100 && plant.vouch(&largest, at(20)).is_ok());
    let large = pad(13_000);
    plant.refused(&large, OidcError::Size(large.len()));
}

#[test]
fn small_keys_sign_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    for (bits, opens) in [("1024", false), ("2048", true)] {
        // By OpenSSL, because ring does not touch small keys either.
        let key = folder.path().join(bits);
        let openssl = |words: &[&str], input: &str| openssl(words, &key, input);
        let size = format!("rsa_keygen_bits:{bits}");
        openssl(&["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", &size, "-out"], "");
        let said = openssl(&["rsa", "-modulus", "-noout", "-in"], "");
        let modulus = String::from_utf8(said).expect("text");
        let digits = modulus.trim().strip_prefix("Modulus=").expect("a modulus").as_bytes().chunks(2);
        let n =
            digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).expect("text"), 16).expect("a digit"));
        let text =
            |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes);
        let plant = plant();
        let n = text(&n.collect::<Vec<u8>>());
        plant.issuer.state().keys = json!([{"kty": "RSA", "kid": bits, "n": n, "e": "AQAB"}]);
        let signed = message(&rs(bits), &access(&plant.issuer));
        let token = format!("{signed}.{}", text(&openssl(&["dgst", "-sha256", "-sign"], &signed)));
        assert_eq!(plant.vouch(&token, at(20)).is_ok(), opens, "{bits}");
    }
}

/// What OpenSSL says to these words, the name of a file and this input.
fn openssl(words: &[&str], file: &std::path::Path, input: &str) -> Vec<u8> {
    let pipe = std::process::Stdio::piped;
    let mut child = std::process::Command::new("openssl")
        .args(words)
        .arg(file)
        .stdin(pipe())
        .stdout(pipe())
        .spawn()
        .expect("openssl is needed");
    std::io::Write::write_all(&mut child.stdin.take().expect("input"), input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success(), "{words:?}");
    output.stdout
}

#[test]
fn a_new_key_is_asked_for_and_a_flood_of_unknown_ones_is_not() {
    let (plant, next) = (plant(), Signer::ec());
    let es = |kid: &str| json!({"alg": "ES256", "kid": kid});
    let claims = access(&plant.issuer);
    assert!(plant.vouch(&plant.ec.token(&es("ec"), &claims), at(0)).is_ok());
    plant.issuer.state().keys = json!([next.jwk("next")]);
    let token = next.token(&es("next"), &claims);
    for second in 1..10 {
        let error = plant.vouch(&token, at(second)).expect_err("too early");
        assert_eq!(error, OidcError::Key("next".to_owned()).into());
    }
    assert_eq!(plant.asked("/keys"), 1);
    assert!(plant.vouch(&token, at(10)).is_ok(), "the issuer is asked again");
    assert_eq!(plant.asked("/keys"), 2);
    let old = plant.vouch(&plant.ec.token(&es("ec"), &claims), at(11)).expect_err("withdrawn");
    assert_eq!(old, OidcError::Key("ec".to_owned()).into());
    for second in 11..41 {
        for n in 0..20 {
            let flood = next.token(&es(&format!("forged {second} {n}")), &claims);
            assert!(plant.vouch(&flood, at(second)).is_err());
        }
    }
    assert_eq!(plant.asked("/keys"), 5, "three times in half a minute");
    plant.refused(&RSA.token(&json!({"alg": "RS256"}), &claims), OidcError::KeyAlgorithm);
    assert!(
        plant.vouch(&next.token(&json!({"alg": "ES256"}), &claims), at(41)).is_ok(),
        "one key needs no name"
    );
}

#[test]
fn without_an_audience_no_token_of_a_program_opens() {
    let plant = plant_with(|settings| settings.audience = None);
    plant.provider.fetch(at(0));
    plant.refused(&RSA.token(&rs("rsa"), &access(&plant.issuer)), OidcError::NoAudience);
    assert!(plant.log_in(|nonce| plant.id_token(nonce)).is_ok(), "people log in all the same");
}

#[test]
fn a_program_that_comes_for_itself_needs_no_name() {
    let plant = plant();
    let claims = with(access(&plant.issuer), "preferred_username", Value::Null);
    let claims = with(with(claims, "sub", json!("historian")), "azp", Value::Null);
    let claims = with(claims, "client_id", json!("historian"));
    let vouched = plant.vouch(&RSA.token(&rs("rsa"), &claims), at(20)).expect("vouched");
    assert_eq!(vouched.principal.signature(), "oidc:historian of oidc:historian");
    let taken =
        with(with(access(&plant.issuer), "preferred_username", json!("Historian")), "sub", json!("18"));
    plant.refused(&RSA.token(&rs("rsa"), &taken), OidcError::NameTaken("oidc:historian".to_owned()));
}

#[test]
fn a_login_ends_with_whom_the_issuer_says() {
    for basic in [true, false] {
        let plant = plant();
        plant.issuer.state().basic = basic;
        let vouched = plant.log_in(|nonce| plant.id_token(nonce)).expect("vouched");
        let principal = vouched.principal;
        assert_eq!((principal.name.as_str(), &principal.kind), ("oidc:ada", &Kind::Person));
        assert_eq!(principal.scope, Scope::new(["pump-*"]).expect("scope"));
        let none = plant
            .log_in(|nonce| RSA.token(&rs("rsa"), &with(id(&plant.issuer, nonce), "groups", json!(["x"]))));
        assert!(
            matches!(none, Err(IssuerError::NoRole(words)) if words.contains("oidc:ada has no role here"))
        );
    }
}

#[test]
fn a_login_counts_once_and_for_the_browser_that_began_it() {
    let plant = plant();
    let begin = || plant.provider.begin(HERE, at(0)).expect("begun");
    let gone = || Err(OidcError::State(PENDING_LIFE).into());
    let begun = begin();
    let (state, code) = plant.issuer.log_in(&begun.url, |nonce| plant.id_token(nonce));
    assert!(plant.finish(&state, begun.binding.reveal(), Ok(&code), Some(&plant.issuer.name)).is_ok());
    assert_eq!(plant.finish(&state, begun.binding.reveal(), Ok(&code), None), gone(), "replayed");
    assert_eq!(plant.finish("made up", begun.binding.reveal(), Ok(&code), None), gone());
    let (mine, other) = (begin(), begin());
    let (state, code) = plant.issuer.log_in(&mine.url, |nonce| plant.id_token(nonce));
    let stolen = plant.finish(&state, other.binding.reveal(), Ok(&code), None);
    assert_eq!(stolen, Err(OidcError::Binding.into()));
    assert_eq!(plant.finish(&state, mine.binding.reveal(), Ok(&code), None), gone(), "and is spent");
    let begun = begin();
    let (state, code) = plant.issuer.log_in(&begun.url, |nonce| plant.id_token(nonce));
    let mixed = plant.finish(&state, begun.binding.reveal(), Ok(&code), Some("https://evil.example"));
    assert_eq!(mixed, Err(OidcError::Issuer.into()));
    let begun = begin();
    let (state, _) = plant.issuer.log_in(&begun.url, |_| String::new());
    let denied = plant.finish(&state, begun.binding.reveal(), Err("access_denied"), None);
    assert_eq!(denied, Err(OidcError::Denied("access_denied".to_owned()).into()));
    let begun = begin();
    let (state, _) = plant.issuer.log_in(&begun.url, |_| String::new());
    let odd = plant.finish(&state, begun.binding.reveal(), Err("<b>call 555</b>"), None).expect_err("denied");
    assert!(!odd.to_string().contains("555"), "{odd}");
}

#[test]
fn a_code_of_another_login_and_a_token_of_another_one_are_refused() {
    let plant = plant();
    let (mine, other) = (plant.provider.begin(HERE, at(0)), plant.provider.begin(HERE, at(0)));
    let (mine, other) = (mine.expect("begun"), other.expect("begun"));
    let (state, _) = plant.issuer.log_in(&mine.url, |nonce| plant.id_token(nonce));
    let (_, code) = plant.issuer.log_in(&other.url, |nonce| plant.id_token(nonce));
    let refused = plant.finish(&state, mine.binding.reveal(), Ok(&code), None);
    assert_eq!(
        refused,
        Err(OidcError::Exchange("invalid_grant".to_owned()).into()),
        "the verifier is another"
    );
    let check = |name: &str, value: Value, expect: OidcError| {
        let done = plant.log_in(|nonce| RSA.token(&rs("rsa"), &with(id(&plant.issuer, nonce), name, value)));
        assert_eq!(done, Err(expect.into()), "{name}");
    };
    let other = || OidcError::Audience(CLIENT.to_owned());
    check("nonce", json!("another"), OidcError::Nonce);
    check("nonce", Value::Null, OidcError::Nonce);
    check("aud", json!(AUDIENCE), other());
    check("aud", json!([CLIENT, "another"]), other());
    check("azp", json!("another"), other());
    check("iss", json!("https://evil.example"), OidcError::Issuer);
    check("exp", json!(EPOCH_S - 41), OidcError::Expired);
    let forged = plant
        .log_in(|nonce| Signer::ec().token(&json!({"alg": "ES256", "kid": "ec"}), &id(&plant.issuer, nonce)));
    assert_eq!(forged, Err(OidcError::Signature.into()));
}

#[test]
fn a_key_that_changed_during_a_login_is_asked_for() {
    let (plant, next) = (plant(), Signer::ec());
    let begun = plant.provider.begin(HERE, at(0)).expect("begun");
    plant.issuer.state().keys = json!([next.jwk("next")]);
    let token = |nonce: &str| next.token(&json!({"alg": "ES256", "kid": "next"}), &id(&plant.issuer, nonce));
    let (state, code) = plant.issuer.log_in(&begun.url, token);
    assert!(plant.finish(&state, begun.binding.reveal(), Ok(&code), None).is_ok());
}

#[test]
fn an_issuer_that_is_away_slow_or_giant_is_told_once_and_what_is_known_counts_on() {
    let short = Patience { answer: Duration::from_millis(300), bytes_max: 64 << 10 };
    let plant = plant_with(|settings| settings.patience = short);
    let token = |age: u64| {
        let claims = with(access(&plant.issuer), "exp", json!(EPOCH_S + age + 300));
        RSA.token(&rs("rsa"), &claims)
    };
    plant.issuer.state().mood = Mood::Silent;
    let before = plant.vouch(&token(0), at(0));
    assert!(
        matches!(&before, Err(IssuerError::Away(words)) if words.contains("log in with a password")),
        "{before:?}"
    );
    assert!(matches!(plant.provider.begin(HERE, at(1)), Err(IssuerError::Away(_))));
    assert!(matches!(plant.provider.tend(at(2)), Some(Change::Away(_))));
    assert_eq!(plant.provider.tend(at(3)), None, "it is told once");
    plant.issuer.state().mood = Mood::Well;
    assert_eq!(plant.provider.tend(at(9)), None, "it is too early");
    assert_eq!(plant.provider.tend(at(12)), Some(Change::Back));
    let misbehaving = [Mood::Silent, Mood::Giant, Mood::Failing(503), Mood::Failing(404), Mood::Elsewhere];
    let mut now = 12;
    for mood in misbehaving {
        plant.issuer.state().mood = mood;
        now += 700;
        assert!(matches!(plant.provider.tend(at(now)), Some(Change::Away(_))), "{mood:?}");
        assert!(plant.vouch(&token(now), at(now)).is_ok(), "its keys are known: {mood:?}");
        let begun = plant.provider.begin(HERE, at(now)).expect("it is known where to go");
        let (state, code) = plant.issuer.log_in(&begun.url, |_| String::new());
        let answered =
            Answered { state: &state, binding: begun.binding.reveal(), code: Ok(&code), issuer: None };
        let done = plant.provider.finish(answered, &|| at(now));
        assert!(!matches!(done, Ok(_) | Err(IssuerError::NoRole(_))), "{mood:?}: {done:?}");
        plant.issuer.state().mood = Mood::Well;
        now += 20;
        assert_eq!(plant.provider.tend(at(now)), Some(Change::Back), "{mood:?}");
    }
    assert!(!plant.issuer.state().asked.iter().any(|path| path.ends_with("/other")), "nobody is followed");
    plant.issuer.state().mood = Mood::Failing(500);
    now += 86_399;
    assert!(plant.vouch(&token(now), at(now)).is_ok(), "a second before their age");
    let stale = plant.vouch(&token(now), at(now + 1));
    assert!(matches!(&stale, Err(IssuerError::Away(words)) if words.contains("keys_hours_max")), "{stale:?}");
    plant.issuer.state().mood = Mood::Well;
    assert!(plant.vouch(&token(now), at(now + 11)).is_ok());
}

#[test]
fn keys_are_got_anew_now_and_then_so_that_withdrawn_ones_end() {
    let plant = plant();
    assert_eq!(plant.provider.tend(at(0)), None);
    assert_eq!(plant.provider.tend(at(599)), None);
    assert_eq!(plant.asked("/keys"), 1);
    plant.issuer.state().keys = json!([plant.ec.jwk("ec")]);
    assert_eq!(plant.provider.tend(at(600)), None);
    assert_eq!(plant.asked("/keys"), 2);
    let claims = with(access(&plant.issuer), "exp", json!(EPOCH_S + 2_000));
    let withdrawn = plant.vouch(&RSA.token(&rs("rsa"), &claims), at(601)).expect_err("withdrawn");
    assert_eq!(withdrawn, OidcError::Key("rsa".to_owned()).into());
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
