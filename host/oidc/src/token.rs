//! Whether a token is the issuer's word: its size, its algorithm, its key, its signature, and the claims that every token has.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use geminus_core::Timestamp;
use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};

use crate::keys::Keys;
use crate::settings::{Settings, algorithm};
use crate::{OidcError, TOKEN_BYTES_MAX};

/// What a token says.
pub(crate) type Claims = Map<String, Value>;

/// What a token is brought for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose<'a> {
    /// A program asks something.
    Access,
    /// Somebody logs in, in the login of this nonce.
    Login { nonce: &'a str },
}

/// How it is signed, as far as its header says so. Nothing of it is believed yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    typ: Option<String>,
}

/// Whether it has the looks of one: three parts.
pub(crate) fn looks(token: &[u8]) -> bool {
    token.iter().filter(|byte| **byte == b'.').count() == 2
}

/// Reads the header alone.
///
/// # Errors
/// When it is none, or names an algorithm that is not accepted.
pub(crate) fn header(token: &[u8], accepted: &[Algorithm]) -> Result<Header, OidcError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(OidcError::Size(token.len()));
    }
    let first = token.split(|byte| *byte == b'.').next().unwrap_or_default();
    let text = URL_SAFE_NO_PAD.decode(first).map_err(|_| OidcError::Shape)?;
    let members: Claims = serde_json::from_slice(&text).map_err(|_| OidcError::Shape)?;
    if !looks(token) {
        return Err(OidcError::Shape);
    }
    let named = members.get("alg").and_then(Value::as_str).and_then(algorithm);
    let algorithm = named.filter(|named| accepted.contains(named)).ok_or(OidcError::Algorithm)?;
    let text = |name: &str| match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(OidcError::Shape),
    };
    Ok(Header { algorithm, kid: text("kid")?, typ: text("typ")? })
}

/// Checks all of it and gives its claims.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn read(
    token: &[u8],
    keys: &Keys,
    settings: &Settings,
    purpose: Purpose<'_>,
    now: Timestamp,
) -> Result<Claims, OidcError> {
    crate::signature::install();
    let header = header(token, &settings.algorithms)?;
    let key = keys.find(header.kid.as_deref(), header.algorithm)?;
    let mut validation = Validation::new(header.algorithm);
    // The library would ask the system for the time. Claims are checked below.
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let claims =
        jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => OidcError::Signature,
            _ => OidcError::Shape,
        })?;
    check(&claims.claims, &header, settings, purpose, now)?;
    Ok(claims.claims)
}

fn check(
    claims: &Claims,
    header: &Header,
    settings: &Settings,
    purpose: Purpose<'_>,
    now: Timestamp,
) -> Result<(), OidcError> {
    match text(claims, "iss") {
        None => return Err(OidcError::Claim("iss")),
        Some(issuer) if issuer != settings.issuer => return Err(OidcError::Issuer),
        Some(_) => {}
    }
    match purpose {
        Purpose::Access => access(claims, header, settings)?,
        Purpose::Login { nonce } => login(claims, settings, nonce)?,
    }
    lives(claims, settings.leeway.as_secs_f64(), now)
}

fn access(claims: &Claims, header: &Header, settings: &Settings) -> Result<(), OidcError> {
    let audience = settings.audience.as_deref().ok_or(OidcError::NoAudience)?;
    if !audiences(claims)?.contains(&audience) {
        return Err(OidcError::Audience(audience.to_owned()));
    }
    let says = |value: Option<&str>, words: &[&str]| {
        value.is_some_and(|value| words.iter().any(|word| word.eq_ignore_ascii_case(value)))
    };
    let is_access = says(header.typ.as_deref(), &["at+jwt", "application/at+jwt"])
        || says(text(claims, "typ"), &["Bearer"]);
    // A token of a login has these; one that says outright that it is for access may have a nonce all the same.
    let of_login = says(text(claims, "typ"), &["ID", "Logout"])
        || ["at_hash", "c_hash", "events"].iter().any(|name| claims.contains_key(*name))
        || (claims.contains_key("nonce") && !is_access);
    if of_login { Err(OidcError::Kind) } else { Ok(()) }
}

fn login(claims: &Claims, settings: &Settings, nonce: &str) -> Result<(), OidcError> {
    let (id, audiences) = (settings.client.id.as_str(), audiences(claims)?);
    let azp = claims.get("azp");
    let for_others =
        azp.is_some_and(|azp| azp.as_str() != Some(id)) || (audiences.len() > 1 && azp.is_none());
    if !audiences.contains(&id) || for_others {
        return Err(OidcError::Audience(id.to_owned()));
    }
    match text(claims, "nonce") == Some(nonce) {
        true => Ok(()),
        false => Err(OidcError::Nonce),
    }
}

fn audiences(claims: &Claims) -> Result<Vec<&str>, OidcError> {
    match claims.get("aud") {
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(all)) => Ok(all.iter().filter_map(Value::as_str).collect()),
        _ => Err(OidcError::Claim("aud")),
    }
}

/// Times are seconds since 1970, with or without a fraction.
fn lives(claims: &Claims, leeway_s: f64, now: Timestamp) -> Result<(), OidcError> {
    let now_s = now.0 as f64 / 1e9;
    let time = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().filter(|s| s.is_finite()).map(Some).ok_or(OidcError::Claim(name)),
    };
    let expires = time("exp")?.ok_or(OidcError::Claim("exp"))?;
    if now_s >= expires + leeway_s {
        return Err(OidcError::Expired);
    }
    let begins = [time("nbf")?, time("iat")?];
    match begins.into_iter().flatten().any(|begins| begins > now_s + leeway_s) {
        true => Err(OidcError::Early),
        false => Ok(()),
    }
}

/// A claim that is text.
pub(crate) fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}
