//! Bodies about who may do what: a login, a user, a token. Their `Debug` shows no secret, because there is none.

use geminus_access::{Roles, Scope, TokenWish, UserWish};
use geminus_core::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::bad;
use crate::error::Failure;

/// Body of a login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// Name of the user.
    #[schema(example = "ada")]
    pub(crate) name: String,
    /// Its password.
    #[schema(example = "correct horse battery")]
    pub(crate) password: String,
}

/// Body that changes the own password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordRequest {
    /// The present password.
    #[schema(example = "correct horse battery")]
    pub(crate) current: String,
    /// The new one: at least 12 characters.
    #[schema(example = "another horse entirely")]
    pub(crate) new: String,
}

/// Body that makes a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserRequest {
    /// Small letters, digits and `.`, `_`, `-`, `@`, a letter first; at most 64.
    #[schema(example = "bob")]
    name: String,
    /// At least 12 characters.
    #[schema(example = "correct horse battery")]
    password: String,
    /// `viewer`, `operator`, `engineer`, `approver`, `admin`; at least one.
    #[schema(example = json!(["operator"]))]
    roles: Vec<String>,
    /// Patterns of ids of twins, where `*` stands for any run of characters; all twins unless given.
    #[schema(example = json!(["pump-*"]))]
    twins: Option<Vec<String>>,
}

/// Body that makes a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// Small letters, digits and `.`, `_`, `-`, `@`, a letter first; at most 64.
    #[schema(example = "historian")]
    name: String,
    /// `viewer`, `operator`, `engineer`, `approver`, `admin`; at least one.
    #[schema(example = json!(["viewer"]))]
    roles: Vec<String>,
    /// Patterns of ids of twins, where `*` stands for any run of characters; all twins unless given.
    #[schema(example = json!(["pump-*"]))]
    twins: Option<Vec<String>>,
    /// Name of the user who answers for the program; whoever asks unless given.
    #[schema(example = "ada")]
    owner: Option<String>,
    /// Instant from which on it opens nothing; none unless given.
    #[schema(example = "2027-01-01T00:00:00Z")]
    expires: Option<String>,
}

/// Who logs in.
pub(crate) fn login(body: &[u8]) -> Result<LoginRequest, Failure> {
    read(body)
}

/// Which password is to be instead of which.
pub(crate) fn password(body: &[u8]) -> Result<PasswordRequest, Failure> {
    read(body)
}

/// Who is to be made.
pub(crate) fn user(body: &[u8]) -> Result<UserWish, Failure> {
    let UserRequest { name, password, roles, twins } = read(body)?;
    Ok(UserWish { name, password, roles: held(&roles)?, scope: over(twins)? })
}

/// Which token is to be made; `asker` answers for it unless the body names another.
pub(crate) fn token(body: &[u8], asker: &str) -> Result<TokenWish, Failure> {
    let TokenRequest { name, roles, twins, owner, expires } = read(body)?;
    let expires = expires.as_deref().map(instant).transpose()?;
    let owner = owner.unwrap_or_else(|| asker.to_owned());
    Ok(TokenWish { name, roles: held(&roles)?, scope: over(twins)?, owner, expires })
}

/// serde_json's words name places and keys of ours, and may show a value of the wrong type: never one of a secret, which
/// is text where text is expected. Unknown keys are shown, so their words are left out.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => bad(&format!(
            "a member is missing, unknown or of another type, near line {} column {}",
            error.line(),
            error.column()
        )),
        _ => bad(&format!("not JSON, near line {} column {}", error.line(), error.column())),
    })
}

fn held(roles: &[String]) -> Result<Roles, Failure> {
    roles.join(",").parse().map_err(|error: geminus_access::AccessError| bad(&error.to_string()))
}

fn over(twins: Option<Vec<String>>) -> Result<Scope, Failure> {
    match twins {
        None => Ok(Scope::all()),
        Some(patterns) => Scope::new(patterns).map_err(|error| bad(&error.to_string())),
    }
}

fn instant(text: &str) -> Result<Timestamp, Failure> {
    let wrong = || bad("expires must be an instant in RFC 3339, as 2027-01-01T00:00:00Z");
    let nanoseconds = text.parse::<jiff::Timestamp>().map_err(|_| wrong())?.as_nanosecond();
    u64::try_from(nanoseconds).map(Timestamp).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_strictly_and_refusals_repeat_nothing() {
        let wish = user(br#"{"name":"bob","password":"hunter2hunter2","roles":["operator","approver"],"twins":["pump-*"]}"#);
        let wish = wish.expect("user");
        assert_eq!(
            (wish.roles.to_string().as_str(), wish.scope.to_string().as_str()),
            ("operator,approver", "pump-*")
        );
        let wish = token(br#"{"name":"t","roles":["viewer"],"expires":"2027-01-01T00:00:00Z"}"#, "ada");
        let wish = wish.expect("token");
        assert_eq!((wish.owner.as_str(), wish.scope.is_all(), wish.expires.is_some()), ("ada", true, true));
        for body in [
            r#"{"name":"bob","password":"hunter2hunter2","roles":["operator"],"admin":true}"#,
            r#"{"name":"bob","password":"hunter2hunter2","roles":["root"]}"#,
            r#"{"name":"bob","password":"hunter2hunter2","roles":[]}"#,
            r#"{"name":"bob","password":"hunter2hunter2","roles":"operator"}"#,
            r#"{"name":"bob","password":"hunter2hunter2","roles":["operator"],"twins":[]}"#,
            r#"{"name":"bob","password":"hunter2hunter2","roles":["operator"]"#,
            r#"{"name":"bob","password":"hunter2hunter2","hunter2":1,"roles":["operator"]}"#,
        ] {
            let refusal = format!("{:?}", user(body.as_bytes()).expect_err("refused"));
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
        for expires in ["tomorrow", "1969-01-01T00:00:00Z", "2027-01-01"] {
            let body = format!(r#"{{"name":"t","roles":["viewer"],"expires":"{expires}"}}"#);
            assert!(token(body.as_bytes(), "ada").is_err(), "{expires}");
        }
    }
}
