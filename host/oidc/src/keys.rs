//! The issuer's public keys, each bound to what it may sign with.

use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::OidcError;

/// Most keys of one issuer that are looked at.
pub(crate) const KEYS_MAX: usize = 64;
/// Longest name of a key.
const KID_BYTES_MAX: usize = 256;

/// One key.
struct Key {
    kid: Option<String>,
    /// What a signature by it may be of: one, or those of RSA when the issuer does not say which.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// All of them, as they were got.
pub(crate) struct Keys {
    all: Vec<Key>,
    /// On a clock that never goes back.
    got: Duration,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.all.iter().map(|key| (&key.kid, &key.algorithms))).finish()
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// Reads a JWK set. Keys that are of no use here are passed over; secret ones (`oct`) among them.
    ///
    /// # Errors
    /// What is wrong with the set, as the end of a sentence.
    pub(crate) fn read(text: &[u8], got: Duration) -> Result<Self, String> {
        let set: Set = serde_json::from_slice(text).map_err(|_| "they are no JWK set".to_owned())?;
        if set.keys.len() > KEYS_MAX {
            return Err(format!("there are {} of them, and {KEYS_MAX} are the most", set.keys.len()));
        }
        let all: Vec<Key> = set.keys.into_iter().filter_map(usable).collect();
        match all.is_empty() {
            true => Err("none of them is of use here".to_owned()),
            false => Ok(Self { all, got }),
        }
    }

    /// The key of this name for this algorithm. Without a name there must be one key only that could be meant.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&DecodingKey, OidcError> {
        let fits = |key: &&Key| key.algorithms.contains(&algorithm);
        match kid {
            Some(kid) => {
                let mut named = self.all.iter().filter(|key| key.kid.as_deref() == Some(kid)).peekable();
                if named.peek().is_none() {
                    return Err(OidcError::Key(kid.chars().take(64).collect()));
                }
                named.find(fits).map(|key| &key.key).ok_or(OidcError::KeyAlgorithm)
            }
            None => {
                let mut all = self.all.iter().filter(fits);
                match (all.next(), all.next()) {
                    (Some(key), None) => Ok(&key.key),
                    (Some(_), Some(_)) => Err(OidcError::NoKey),
                    (None, _) => Err(OidcError::KeyAlgorithm),
                }
            }
        }
    }

    /// How long ago they were got.
    pub(crate) fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.got)
    }

    /// Whether there is a key of this name.
    pub(crate) fn has(&self, kid: &str) -> bool {
        self.all.iter().any(|key| key.kid.as_deref() == Some(kid))
    }
}

fn usable(value: Value) -> Option<Key> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};

    let jwk: Jwk = serde_json::from_value(value).ok()?;
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let of_kind: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(point) => match point.curve {
            EllipticCurve::P256 => &[ES256],
            EllipticCurve::P384 => &[ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => &[EdDSA],
        _ => return None,
    };
    let algorithms = match jwk.common.key_algorithm {
        None => of_kind.to_vec(),
        Some(said) => {
            let said = Algorithm::try_from(said).ok().filter(|said| of_kind.contains(said))?;
            vec![said]
        }
    };
    let kid = jwk.common.key_id.clone();
    if kid.as_ref().is_some_and(|kid| kid.len() > KID_BYTES_MAX) {
        return None;
    }
    Some(Key { kid, algorithms, key: DecodingKey::from_jwk(&jwk).ok()? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(keys: &Value) -> Result<Keys, String> {
        Keys::read(json!({"keys": keys}).to_string().as_bytes(), Duration::ZERO)
    }

    fn rsa(kid: &str) -> Value {
        json!({"kty": "RSA", "kid": kid, "n": "AQAB", "e": "AQAB"})
    }

    #[test]
    fn a_key_signs_with_what_it_is_for_and_nothing_else() {
        let mut es = json!({"kty": "EC", "kid": "es", "crv": "P-256", "x": "AQAB", "y": "AQAB"});
        let mut said = rsa("said");
        said["alg"] = "RS256".into();
        let keys = read(&json!([rsa("any"), said, es])).expect("keys");
        let check = |kid: Option<&str>, algorithm, expect: Option<OidcError>| {
            assert_eq!(keys.find(kid, algorithm).err(), expect, "{kid:?} {algorithm:?}");
        };
        check(Some("any"), Algorithm::RS256, None);
        check(Some("any"), Algorithm::PS512, None);
        check(Some("any"), Algorithm::HS256, Some(OidcError::KeyAlgorithm));
        check(Some("any"), Algorithm::ES256, Some(OidcError::KeyAlgorithm));
        check(Some("said"), Algorithm::RS256, None);
        check(Some("said"), Algorithm::RS384, Some(OidcError::KeyAlgorithm));
        check(Some("es"), Algorithm::ES256, None);
        check(Some("es"), Algorithm::ES384, Some(OidcError::KeyAlgorithm));
        check(Some("none"), Algorithm::RS256, Some(OidcError::Key("none".to_owned())));
        check(None, Algorithm::ES256, None);
        check(None, Algorithm::RS256, Some(OidcError::NoKey));
        check(None, Algorithm::EdDSA, Some(OidcError::KeyAlgorithm));
        es["alg"] = "RS256".into();
        assert!(read(&json!([es])).is_err(), "a key that contradicts itself is of no use");
    }

    #[test]
    fn what_is_of_no_use_is_passed_over_and_too_many_are_refused() {
        let mut secret = json!({"kty": "oct", "kid": "oct", "k": "c2VjcmV0"});
        let mut enc = rsa("enc");
        enc["use"] = "enc".into();
        assert!(read(&json!([secret, enc, {"kty": "new"}, 7, null])).is_err());
        secret["alg"] = "HS256".into();
        let keys = read(&json!([secret, rsa("a"), {"kty": "RSA"}])).expect("keys");
        assert!(keys.has("a") && !keys.has("oct") && keys.all.len() == 1);
        assert!(read(&json!([rsa(&"k".repeat(KID_BYTES_MAX + 1))])).is_err());
        let most: Vec<Value> = (0..KEYS_MAX).map(|n| rsa(&n.to_string())).collect();
        assert!(read(&most.clone().into()).is_ok());
        assert!(read(&[most, vec![rsa("more")]].concat().into()).is_err());
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#] {
            assert!(Keys::read(text.as_bytes(), Duration::ZERO).is_err(), "{text}");
        }
    }
}
