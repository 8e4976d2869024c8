//! Logins over an issuer: a browser is sent there and comes back with what ends in a session like any other. Whoever comes back
//! without one gets a page that says why.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use geminus_access::{Answered, Gate, Now};
use tokio::time::timeout;

use super::Shared;
use crate::error::{ErrorView, Failure};
use crate::guard::{admission, cookie};
use crate::house::{House, Trouble};
use crate::query::Params;
use crate::view::WaysView;

/// What is read of what an issuer sends back with a browser. Issuers may send more, which the standard bids to pass over.
const ANSWER: [&str; 4] = ["state", "code", "iss", "error"];

/// How people log in here.
#[utoipa::path(get, path = "/api/v1/session/ways", tag = "access", operation_id = "login_ways",
    responses((status = 200, description = "With a password, over an issuer, or both", body = WaysView)))]
pub(crate) async fn ways<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
) -> Result<Json<WaysView>, Failure> {
    Params::read(query.as_deref(), &[])?;
    let access = &shared.options.access;
    let oidc = access.issuer().map(|issuer| issuer.title().to_owned());
    Ok(Json(WaysView { password: access.has_users(), oidc }))
}

/// Begins a login over the issuer: for browsers, which it sends there.
#[utoipa::path(get, path = "/api/v1/session/oidc", tag = "access", operation_id = "begin_oidc",
    responses(
        (status = 303, description = "The header Location leads to the issuer"),
        (status = 404, description = "The site has no issuer", body = ErrorView),
        (status = 429, description = "Too many logins have begun; the header Retry-After says how long to wait", body = ErrorView),
    ))]
pub(crate) async fn begin<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let (headers, address) = (request.headers().clone(), admission::address(request.extensions()));
    let begun = async {
        Params::read(query.as_deref(), &[])?;
        let begun = waiting(&shared, move |gate, now| gate.begin_elsewhere(address, now())).await??;
        let cookie = cookie::set_login(begun.binding.reveal(), shared.options.secure);
        leave(&begun.url, cookie)
    };
    begun.await.unwrap_or_else(|failure: Failure| failed(failure, &headers))
}

/// Where the issuer sends a browser back to. The answer sets the cookie of a new session, and ends the one that was brought.
#[utoipa::path(get, path = "/api/v1/session/oidc/callback", tag = "access", operation_id = "finish_oidc",
    params(
        ("state" = Option<String>, Query, description = "Which login it is"),
        ("code" = Option<String>, Query, description = "What the issuer gives tokens for, once"),
        ("iss" = Option<String>, Query, description = "The issuer (RFC 9207)"),
        ("error" = Option<String>, Query, description = "Why the issuer refused"),
    ),
    responses(
        (status = 303, description = "Logged in: the header Set-Cookie carries the session, Location leads to the page"),
        (status = 404, description = "The site has no issuer", body = ErrorView),
        (status = 429, description = "Too many failed logins; the header Retry-After says how long to wait", body = ErrorView),
    ))]
pub(crate) async fn finish<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let (headers, address) = (request.headers().clone(), admission::address(request.extensions()));
    let secure = shared.options.secure;
    let ended = async {
        let params = Params::pick(query.as_deref(), &ANSWER)?;
        let text = |name: &str| params.text(name).map(str::to_owned);
        let (state, issuer) = (text("state").unwrap_or_default(), text("iss"));
        let code = match (text("error"), text("code")) {
            (Some(error), _) => Err(error),
            (None, code) => Ok(code.unwrap_or_default()),
        };
        let binding = cookie::read_login(&headers, secure).unwrap_or_default().to_owned();
        let before = cookie::read(&headers, secure).map(str::to_owned);
        let login = waiting(&shared, move |gate, now| {
            let code = code.as_deref().map_err(String::as_str);
            let answered = Answered { state: &state, binding: &binding, code, issuer: issuer.as_deref() };
            gate.finish_elsewhere(answered, address, before.as_deref(), now)
        });
        leave("/", cookie::set(login.await??.session.reveal(), secure))
    };
    let mut response = ended.await.unwrap_or_else(|failure: Failure| failed(failure, &headers));
    if let Some(cookie) = cookie::clear_login(secure) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn leave(to: &str, cookie: Option<HeaderValue>) -> Result<Response, Failure> {
    let fault = |what: &str| Trouble::Internal(format!("{what} cannot stand in a header"));
    let to = HeaderValue::from_str(to).map_err(|_| fault("the issuer's address"))?;
    let cookie = cookie.ok_or_else(|| fault("a cookie"))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::SET_COOKIE, cookie)]).into_response())
}

/// A page for browsers, which came by themselves; JSON for whoever asks otherwise.
fn failed(failure: Failure, headers: &HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    match accept.contains("text/html") {
        true => failure.into_page(),
        false => failure.into_response(),
    }
}

/// Work that waits for the issuer: few at once. What has begun is finished, whoever hangs up.
async fn waiting<H: House, T: Send + 'static>(
    shared: &Shared<H>,
    work: impl FnOnce(&Gate, &dyn Fn() -> Now) -> T + Send + 'static,
) -> Result<T, Failure> {
    let place = timeout(shared.options.limits.answer, Arc::clone(&shared.issuer).acquire_owned()).await;
    let Ok(Ok(place)) = place else {
        let message = "many logins wait for the issuer; try again when they are done";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message));
    };
    let options = Arc::clone(&shared.options);
    let done = tokio::task::spawn_blocking(move || {
        let done = work(&options.access, &|| Now::of(options.clock.as_ref()));
        drop(place);
        done
    });
    done.await.map_err(|error| Trouble::Internal(error.to_string()).into())
}
