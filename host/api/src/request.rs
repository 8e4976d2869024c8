//! Bodies in JSON: a plan that is to be begun, who orders, who logs in, who is to be made. Read strictly, like queries.

mod access;
mod records;

use axum::http::StatusCode;
use geminus_alarm::REASON_CHARS_MAX;
use geminus_rollout::Plan;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::Failure;
pub(crate) use access::{
    LoginRequest, PasswordRequest, TokenRequest, UserRequest, login, password, token, user,
};

pub use records::{RECORDS_MAX, RecordRequest};
pub(crate) use records::{RecordsRequest, records};

/// Longest name of who orders something, in characters.
pub const BY_CHARS_MAX: usize = 100;
/// Who ordered it at a site without users when the request does not say.
pub const BY_DEFAULT: &str = "token";

/// A plan, and who wants it.
#[derive(Debug)]
pub(crate) struct StartRequest {
    pub(crate) plan: Plan,
    pub(crate) by: Option<String>,
}

/// Body of an order; it may be empty.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderRequest {
    /// Who orders it, for the journal. At a site with users it is who asks, and may be left out; elsewhere `token` unless
    /// given. At most 100 characters.
    #[schema(example = "shift lead")]
    by: Option<String>,
}

/// Body of an order to an alarm; it may be empty.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlarmOrderRequest {
    /// Who orders it, for the journal. At a site with users it is who asks, and may be left out; elsewhere `token` unless
    /// given. At most 100 characters.
    #[schema(example = "shift lead")]
    by: Option<String>,
    /// Why, for the journal. At most 500 characters.
    #[schema(example = "sensor is being replaced")]
    reason: Option<String>,
}

/// Body of an order that shelves an alarm.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShelveRequest {
    /// For how long; at most what the site allows (`alarms.shelve_max_min`).
    #[schema(example = 60, minimum = 1, maximum = 10080)]
    minutes: u32,
    /// Who orders it, for the journal. At a site with users it is who asks, and may be left out; elsewhere `token` unless
    /// given. At most 100 characters.
    #[schema(example = "shift lead")]
    by: Option<String>,
    /// Why, for the journal. At most 500 characters.
    #[schema(example = "sensor is being replaced")]
    reason: Option<String>,
}

/// Who orders something of an alarm, and why.
#[derive(Debug)]
pub(crate) struct AlarmOrder {
    pub(crate) by: Option<String>,
    pub(crate) reason: String,
}

/// The bytes of a component.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it exists for its schema")]
pub(crate) struct ComponentBytes(Vec<u8>);

/// The plan's own members, and beside them `by`.
pub(crate) fn start(body: &[u8]) -> Result<StartRequest, Failure> {
    let value: Value = serde_json::from_slice(body).map_err(|error| bad(&format!("not JSON: {error}")))?;
    let Value::Object(mut members) = value else {
        return Err(bad("it must be a JSON object: the plan"));
    };
    let by = match members.remove("by") {
        None | Some(Value::Null) => None,
        Some(Value::String(by)) => Some(by),
        Some(other) => return Err(bad(&format!("by must be text, not {other}"))),
    };
    let by = named(by)?;
    let plan: Plan = serde_json::from_value(Value::Object(members))
        .map_err(|error| bad(&format!("not a plan: {error}")))?;
    match plan.check() {
        Ok(()) => Ok(StartRequest { plan, by }),
        Err(mistakes) => Err(Failure::new(
            StatusCode::BAD_REQUEST,
            "bad-plan",
            format!("the plan cannot be carried out: {}", mistakes.join("; ")),
        )),
    }
}

/// Who orders, when it says so.
pub(crate) fn by(body: &[u8]) -> Result<Option<String>, Failure> {
    if body.trim_ascii().is_empty() {
        return named(None);
    }
    let order: OrderRequest = serde_json::from_slice(body).map_err(|error| bad(&error.to_string()))?;
    named(order.by)
}

/// Who orders something of an alarm, and why.
pub(crate) fn alarm(body: &[u8]) -> Result<AlarmOrder, Failure> {
    if body.trim_ascii().is_empty() {
        return Ok(AlarmOrder { by: named(None)?, reason: String::new() });
    }
    let order: AlarmOrderRequest = serde_json::from_slice(body).map_err(|error| bad(&error.to_string()))?;
    Ok(AlarmOrder { by: named(order.by)?, reason: reasoned(order.reason)? })
}

/// For how many minutes, who, and why.
pub(crate) fn shelve(body: &[u8]) -> Result<(u32, AlarmOrder), Failure> {
    let order: ShelveRequest = serde_json::from_slice(body).map_err(|error| bad(&error.to_string()))?;
    Ok((order.minutes, AlarmOrder { by: named(order.by)?, reason: reasoned(order.reason)? }))
}

pub(crate) fn reasoned(reason: Option<String>) -> Result<String, Failure> {
    let reason = reason.unwrap_or_default().trim().to_owned();
    if reason.chars().count() > REASON_CHARS_MAX {
        return Err(bad(&format!("reason may have at most {REASON_CHARS_MAX} characters")));
    }
    match reason.chars().any(char::is_control) {
        true => Err(bad("reason may not have control characters")),
        false => Ok(reason),
    }
}

pub(crate) fn named(by: Option<String>) -> Result<Option<String>, Failure> {
    let by = by.unwrap_or_default();
    let by = by.trim();
    if by.chars().count() > BY_CHARS_MAX {
        return Err(bad(&format!("by may have at most {BY_CHARS_MAX} characters")));
    }
    if by.chars().any(char::is_control) {
        return Err(bad("by may not have control characters"));
    }
    Ok((!by.is_empty()).then(|| by.to_owned()))
}

pub(crate) fn bad(why: &str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "bad-body", format!("the body cannot be used: {why}"))
}
