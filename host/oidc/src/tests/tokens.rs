//! Access tokens: good, wrong, forged, oversize, by small keys, without a name or a role.

use ring::hmac;

use super::*;
use crate::TOKEN_BYTES_MAX;

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
