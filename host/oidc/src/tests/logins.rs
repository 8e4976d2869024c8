//! Logins from their beginning to their end: replayed, in another browser, with the code or the token of another.

use super::*;
use crate::pending::PENDING_LIFE;

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
