//! Logins, users, tokens. Handlers ask the gate; what takes a core or waits for the disk runs where it may.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use geminus_access::{Gate, Now, Principal};
use tokio::time::timeout;

use super::{Shared, body};
use crate::error::{ErrorView, Failure};
use crate::guard::{admission, cookie};
use crate::house::{House, Trouble};
use crate::query::Params;
use crate::request::{self, LoginRequest, TokenRequest, UserRequest};
use crate::view::{SessionView, TokenMadeView, TokenView, TokensView, UserView, UsersView};

type Name = Result<Path<String>, PathRejection>;

/// Who asks, and what that one may do.
#[utoipa::path(get, path = "/api/v1/session", tag = "access", operation_id = "session", security(("token" = [])),
    responses(
        (status = 200, description = "Who asks", body = SessionView),
        (status = 401, description = "Nobody: log in", body = ErrorView),
    ))]
pub(crate) async fn session<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
) -> Result<Json<SessionView>, Failure> {
    Params::read(query.as_deref(), &[])?;
    Ok(Json(SessionView::new(&principal, shared.options.access.has_logins())))
}

/// Logs in. The answer sets the cookie of a new session, and ends the one that was brought.
#[utoipa::path(post, path = "/api/v1/session", tag = "access", operation_id = "login",
    request_body(content = LoginRequest, content_type = "application/json", description = "Who, and the password"),
    responses(
        (status = 200, description = "Who it is now; the header Set-Cookie carries the session", body = SessionView),
        (status = 401, description = "Name and password do not belong together", body = ErrorView),
        (status = 409, description = "The site has no users", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
        (status = 429, description = "Too many failed logins; the header Retry-After says how long to wait", body = ErrorView),
    ))]
pub(crate) async fn login<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Failure> {
    let address = admission::address(request.extensions());
    let before = cookie::read(request.headers(), shared.options.secure).map(str::to_owned);
    let LoginRequest { name, password } =
        request::login(&ordered(&shared, query.as_deref(), request).await?)?;
    let login =
        hashing(&shared, move |gate, now| gate.login((&name, &password), address, before.as_deref(), now))
            .await??;
    let view = Json(SessionView::new(&login.principal, true));
    let mut response = view.into_response();
    let cookie = cookie::set(login.session.reveal(), shared.options.secure)
        .ok_or_else(|| Trouble::Internal("a session has no cookie".to_owned()))?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Logs out: ends the session that was brought.
#[utoipa::path(delete, path = "/api/v1/session", tag = "access", operation_id = "logout", security(("token" = [])),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 401, description = "There is none", body = ErrorView),
    ))]
pub(crate) async fn logout<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Failure> {
    Params::read(query.as_deref(), &[])?;
    if let Some(session) = cookie::read(&headers, shared.options.secure) {
        shared.options.access.logout(session, admission::address(request.extensions()));
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(cookie) = cookie::clear(shared.options.secure) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Users.
#[utoipa::path(get, path = "/api/v1/users", tag = "access", operation_id = "users", security(("token" = [])),
    responses(
        (status = 200, description = "Users, in order of name", body = UsersView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
    ))]
pub(crate) async fn users<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
) -> Result<Json<UsersView>, Failure> {
    Params::read(query.as_deref(), &[])?;
    Ok(Json(UsersView { users: shared.options.access.users().into_iter().map(UserView::from).collect() }))
}

/// Makes a user. The first one must be an admin of all twins, and closes the site to whoever does not log in.
#[utoipa::path(post, path = "/api/v1/users", tag = "access", operation_id = "add_user", security(("token" = [])),
    request_body(content = UserRequest, content_type = "application/json", description = "Who"),
    responses(
        (status = 201, description = "The user", body = UserView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 409, description = "The name is taken, or there are as many users as there can be", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn add_user<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<(StatusCode, Json<UserView>), Failure> {
    let by = admission::principal(&request)?.signature();
    let wish = request::user(&ordered(&shared, query.as_deref(), request).await?)?;
    let user = hashing(&shared, move |gate, now| gate.add_user(wish, &by, now)).await??;
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// Removes a user, with its sessions and the tokens for which it answers.
#[utoipa::path(delete, path = "/api/v1/users/{name}", tag = "access", operation_id = "remove_user", security(("token" = [])),
    params(("name" = String, Path, description = "Name of the user", example = "bob")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such user", body = ErrorView),
        (status = 409, description = "It is the last admin of all twins", body = ErrorView),
    ))]
pub(crate) async fn remove_user<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    path: Name,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Failure> {
    Params::read(query.as_deref(), &[])?;
    let (name, by) = (named(path)?, principal.signature());
    blocking(&shared, move |gate, _| gate.remove_user(&name, false, &by)).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Tokens, without themselves.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "access", operation_id = "tokens", security(("token" = [])),
    responses(
        (status = 200, description = "Tokens, in order of name", body = TokensView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
    ))]
pub(crate) async fn tokens<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
) -> Result<Json<TokensView>, Failure> {
    Params::read(query.as_deref(), &[])?;
    let (all, now) = (shared.options.access.tokens(), shared.options.clock.now());
    Ok(Json(TokensView { tokens: all.into_iter().map(|token| TokenView::new(token, now)).collect() }))
}

/// Makes a token for a program. The answer is the only place where it can be read.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "access", operation_id = "add_token", security(("token" = [])),
    request_body(content = TokenRequest, content_type = "application/json", description = "Which"),
    responses(
        (status = 201, description = "The token, shown once", body = TokenMadeView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no user of the owner's name", body = ErrorView),
        (status = 409, description = "The name is taken, or there are as many tokens as there can be", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn add_token<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<(StatusCode, Json<TokenMadeView>), Failure> {
    let principal = admission::principal(&request)?;
    let wish = request::token(&ordered(&shared, query.as_deref(), request).await?, principal.person())?;
    let by = principal.signature();
    let (secret, token) = blocking(&shared, move |gate, now| gate.add_token(wish, &by, now)).await??;
    let token = TokenView::new(token, shared.options.clock.now());
    Ok((StatusCode::CREATED, Json(TokenMadeView { secret: secret.reveal().to_owned(), token })))
}

/// Removes a token.
#[utoipa::path(delete, path = "/api/v1/tokens/{name}", tag = "access", operation_id = "remove_token", security(("token" = [])),
    params(("name" = String, Path, description = "Name of the token", example = "historian")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such token", body = ErrorView),
    ))]
pub(crate) async fn remove_token<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    path: Name,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Failure> {
    Params::read(query.as_deref(), &[])?;
    let (name, by) = (named(path)?, principal.signature());
    blocking(&shared, move |gate, _| gate.remove_token(&name, &by)).await??;
    Ok(StatusCode::NO_CONTENT)
}

fn named(path: Name) -> Result<String, Failure> {
    let Path(name) = path.map_err(|_| Failure::bad_query("the name in the path is not valid UTF-8"))?;
    Ok(name)
}

async fn ordered<H: House>(
    shared: &Shared<H>,
    query: Option<&str>,
    request: Request,
) -> Result<bytes::Bytes, Failure> {
    Params::read(query, &[])?;
    let limits = &shared.options.limits;
    body::read(request, "the body", limits.order_bytes_max, limits.answer).await
}

/// Work that hashes a password: few at once, others wait their turn. What has begun is finished, whoever hangs up.
async fn hashing<H: House, T: Send + 'static>(
    shared: &Shared<H>,
    work: impl FnOnce(&Gate, Now) -> T + Send + 'static,
) -> Result<T, Failure> {
    let place =
        timeout(shared.options.limits.answer, std::sync::Arc::clone(&shared.hashes).acquire_owned()).await;
    let Ok(Ok(place)) = place else {
        let message = "many logins are under way; try again when they are done";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message));
    };
    blocking(shared, move |gate, now| {
        let done = work(gate, now);
        drop(place);
        done
    })
    .await
}

async fn blocking<H: House, T: Send + 'static>(
    shared: &Shared<H>,
    work: impl FnOnce(&Gate, Now) -> T + Send + 'static,
) -> Result<T, Failure> {
    let options = std::sync::Arc::clone(&shared.options);
    let done = tokio::task::spawn_blocking(move || {
        let now = Now::of(options.clock.as_ref());
        work(&options.access, now)
    });
    done.await.map_err(|error| Trouble::Internal(error.to_string()).into())
}
