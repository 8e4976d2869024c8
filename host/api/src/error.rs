//! What a client reads when a request fails: `{"error":{"code","message"}}`, in operator's words.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use geminus_access::{AccessError, IssuerError, LoginError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::house::Trouble;

/// Body of every answer with a status of 400 and above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorView {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// Kebab-case, stable.
    pub code: String,
    /// What to change, in an operator's words.
    pub message: String,
}

/// A failed request on its way out.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Seconds after which asking again may go better.
    retry_s: Option<u64>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let retry_s = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(5);
        Self { status, code, message: message.into(), retry_s }
    }

    /// Not before so many seconds.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_s = Some(seconds);
        self
    }

    /// The same as a page, for somebody whose browser came here by itself.
    pub(crate) fn into_page(self) -> Response {
        let text = self.message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Geminus: not logged in</title>\
             <h1>Not logged in</h1><p>{text}</p><p><a href=\"/\">Back to the login</a></p></html>\n"
        );
        let mut response = self.into_response();
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = page.into();
        response
    }

    pub(crate) fn bad_query(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-query", message)
    }

    pub(crate) fn no_such_route(path: &str) -> Self {
        let message = format!("there is nothing at {path}; /api/v1/openapi.json lists what there is");
        Self::new(StatusCode::NOT_FOUND, "no-such-route", message)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NotFound(what) => Self::new(StatusCode::NOT_FOUND, "not-found", what),
            Trouble::Invalid(why) => Self::new(StatusCode::BAD_REQUEST, "invalid", why),
            Trouble::Conflict(why) => Self::new(StatusCode::CONFLICT, "conflict", why),
            Trouble::Unavailable(why) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", why),
            Trouble::Internal(cause) => {
                tracing::error!(cause, "a request failed inside the host");
                let message = "the host could not do this; its log says why";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
            }
        }
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        let why = error.to_string();
        match error {
            AccessError::Unknown { .. } => Trouble::NotFound(why),
            AccessError::Taken { .. }
            | AccessError::LastAdmin(_)
            | AccessError::FirstAdmin
            | AccessError::Users
            | AccessError::Tokens => Trouble::Conflict(why),
            AccessError::Keep(_) | AccessError::Hash(_) | AccessError::Randomness(_) => {
                Trouble::Internal(why)
            }
            AccessError::Name(_)
            | AccessError::Role(_)
            | AccessError::NoRole
            | AccessError::Pattern(_)
            | AccessError::ScopeSize { .. }
            | AccessError::Password
            | AccessError::Expired => Trouble::Invalid(why),
        }
        .into()
    }
}

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Self {
        let why = error.to_string();
        match error {
            LoginError::Wrong => Self::new(StatusCode::UNAUTHORIZED, "wrong-login", why),
            LoginError::TooMany { wait } => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-logins", why).retry_after(seconds)
            }
            LoginError::NoUsers => Self::new(StatusCode::CONFLICT, "no-users", why),
            LoginError::Issuer(error) => error.into(),
            LoginError::Fault(fault) => fault.into(),
        }
    }
}

impl From<IssuerError> for Failure {
    fn from(error: IssuerError) -> Self {
        let why = error.to_string();
        match error {
            IssuerError::Refused(_) => Self::new(StatusCode::UNAUTHORIZED, "issuer-refused", why),
            IssuerError::NoRole(_) => Self::new(StatusCode::FORBIDDEN, "no-role", why),
            IssuerError::Away(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "issuer-away", why),
            IssuerError::TooMany { wait } => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-logins", why).retry_after(seconds)
            }
            IssuerError::None => Self::new(StatusCode::NOT_FOUND, "no-issuer", why),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let detail = ErrorDetail { code: self.code.to_owned(), message: self.message };
        let mut response = (self.status, Json(ErrorView { error: detail })).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"geminus\""));
        }
        if let Some(seconds) = self.retry_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
