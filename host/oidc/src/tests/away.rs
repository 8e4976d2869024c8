//! The issuer over time: keys that change, an issuer that is away, slow, giant, or sends everybody elsewhere.

use super::*;
use crate::Change;

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
