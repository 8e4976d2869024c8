//! Commands: what is wished of targets, and what people do about it.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use geminus_access::{Permission, Principal};

use super::{Shared, body, in_time};
use crate::actor::Actor;
use crate::error::{ErrorView, Failure};
use crate::guard::admission;
use crate::house::House;
use crate::orders::{self, ApproveRequest, CommandOrder, ProposeRequest, ReasonRequest};
use crate::query::{CommandsQuery, Params};
use crate::view::{CommandDetail, CommandView, CommandsView};

type Id = Result<Path<String>, PathRejection>;

/// Commands, newest first.
#[utoipa::path(get, path = "/api/v1/commands", tag = "commands",
    params(
        ("limit" = Option<u32>, Query, description = "Commands, 100 unless given", minimum = 1, maximum = 1000),
        ("before" = Option<u64>, Query, description = "Only commands with a lower number: `next` of the page before"),
        ("twin" = Option<String>, Query, description = "Only those of this twin"),
        ("target" = Option<String>, Query, description = "Only those of targets of this name"),
        ("state" = Option<String>, Query, description = "Only those in this state"),
    ),
    responses(
        (status = 200, description = "Commands", body = CommandsView),
        (status = 404, description = "There is no such twin", body = ErrorView),
    ))]
pub(crate) async fn commands<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
) -> Result<Json<CommandsView>, Failure> {
    let query = CommandsQuery { scope: principal.scope.clone(), ..CommandsQuery::read(query.as_deref())? };
    if let Some(twin) = &query.twin {
        admission::see(&principal, twin)?;
    }
    in_time(shared.options.limits.answer, shared.house.commands(query)).await.map(Json)
}

/// One command: its course, its evidence, and what the interlocks say of it now.
#[utoipa::path(get, path = "/api/v1/commands/{id}", tag = "commands",
    params(("id" = String, Path, description = "Id of the command, a UUID")),
    responses(
        (status = 200, description = "The command", body = CommandDetail),
        (status = 404, description = "There is no such command", body = ErrorView),
    ))]
pub(crate) async fn command<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    path: Id,
    RawQuery(query): RawQuery,
) -> Result<Json<CommandDetail>, Failure> {
    Params::read(query.as_deref(), &[])?;
    let command = in_time(shared.options.limits.answer, shared.house.command(id(path)?)).await?;
    admission::see(&principal, &command.command.twin)?;
    Ok(Json(command))
}

/// Proposes a value for a target. What the rules say at once is in the answer: a command that they do not let through is
/// kept, and `refused`.
#[utoipa::path(post, path = "/api/v1/commands", tag = "commands", security(("token" = [])),
    request_body(content = ProposeRequest, content_type = "application/json", description = "The wish"),
    responses(
        (status = 200, description = "It was here before: the command as it stands", body = CommandView),
        (status = 201, description = "It is written down: what it became at once", body = CommandView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin or target", body = ErrorView),
        (status = 409, description = "The id is of another command", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn propose<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<(StatusCode, Json<CommandView>), Failure> {
    let principal = admission::principal(&request)?;
    let (wish, actor) = orders::propose(&ordered(&shared, query.as_deref(), request).await?, &principal)?;
    admission::act(&principal, Permission::Command, &wish.twin)?;
    let proposed = shared.house.propose(wish, actor);
    let (command, is_new) = in_time(shared.options.limits.answer, proposed).await?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(command)))
}

/// Approves a command: these very bytes, once for each person, and nobody his own.
#[utoipa::path(post, path = "/api/v1/commands/{id}/approve", tag = "commands", operation_id = "approve_command", security(("token" = [])),
    params(("id" = String, Path, description = "Id of the command, a UUID")),
    request_body(content = ApproveRequest, content_type = "application/json", description = "Who, and why"),
    responses(
        (status = 200, description = "The command as it stands now", body = CommandView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such command", body = ErrorView),
        (status = 409, description = "It does not wait for approval, these are other bytes, or who approves it may not", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn approve<H: House>(
    State(shared): State<Shared<H>>,
    path: Id,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<CommandView>, Failure> {
    give(&shared, path, query.as_deref(), request, (Permission::Approve, orders::approve)).await
}

/// Does not approve a command.
#[utoipa::path(post, path = "/api/v1/commands/{id}/refuse", tag = "commands", operation_id = "refuse_command", security(("token" = [])),
    params(("id" = String, Path, description = "Id of the command, a UUID")),
    request_body(content = ReasonRequest, content_type = "application/json", description = "Who, and why"),
    responses(
        (status = 200, description = "The command as it stands now", body = CommandView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such command", body = ErrorView),
        (status = 409, description = "It does not wait for approval", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn refuse<H: House>(
    State(shared): State<Shared<H>>,
    path: Id,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<CommandView>, Failure> {
    give(&shared, path, query.as_deref(), request, (Permission::Approve, orders::refuse)).await
}

/// Takes a command back that was not sent.
#[utoipa::path(post, path = "/api/v1/commands/{id}/withdraw", tag = "commands", operation_id = "withdraw_command", security(("token" = [])),
    params(("id" = String, Path, description = "Id of the command, a UUID")),
    request_body(content = ReasonRequest, content_type = "application/json", description = "Who, and why"),
    responses(
        (status = 200, description = "The command as it stands now", body = CommandView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such command", body = ErrorView),
        (status = 409, description = "It was sent, or is over", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn withdraw<H: House>(
    State(shared): State<Shared<H>>,
    path: Id,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<CommandView>, Failure> {
    give(&shared, path, query.as_deref(), request, (Permission::Command, orders::withdraw)).await
}

/// Says what became of a command of which the host does not know it.
#[utoipa::path(post, path = "/api/v1/commands/{id}/resolve", tag = "commands", operation_id = "resolve_command", security(("token" = [])),
    params(("id" = String, Path, description = "Id of the command, a UUID")),
    request_body(content = ReasonRequest, content_type = "application/json", description = "Who, and why"),
    responses(
        (status = 200, description = "The command as it stands now", body = CommandView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such command", body = ErrorView),
        (status = 409, description = "It is not indeterminate, or somebody has looked already", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn resolve<H: House>(
    State(shared): State<Shared<H>>,
    path: Id,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<CommandView>, Failure> {
    give(&shared, path, query.as_deref(), request, (Permission::Command, orders::resolve)).await
}

/// What an order takes, and how its body is read.
type Kind = (Permission, fn(&[u8], &Principal) -> Result<(CommandOrder, Actor), Failure>);

/// Carries an order out if whoever gives it may do so to the command's twin.
async fn give<H: House>(
    shared: &Shared<H>,
    path: Id,
    query: Option<&str>,
    request: Request,
    (permission, read): Kind,
) -> Result<Json<CommandView>, Failure> {
    let (principal, limit) = (admission::principal(&request)?, shared.options.limits.answer);
    let (order, actor) = read(&ordered(shared, query, request).await?, &principal)?;
    let id = id(path)?;
    if !principal.scope.is_all() {
        let command = in_time(limit, shared.house.command(id)).await?;
        admission::act(&principal, permission, &command.command.twin)?;
    }
    in_time(limit, shared.house.order_command(id, order, actor)).await.map(Json)
}

fn id(path: Id) -> Result<uuid::Uuid, Failure> {
    let Path(id) = path.map_err(|_| Failure::bad_query("the id in the path is not valid UTF-8"))?;
    orders::uuid(&id)
}

/// The body of whatever orders something.
pub(super) async fn ordered<H: House>(
    shared: &Shared<H>,
    query: Option<&str>,
    request: Request,
) -> Result<bytes::Bytes, Failure> {
    Params::read(query, &[])?;
    let limits = &shared.options.limits;
    body::read(request, "the body", limits.order_bytes_max, limits.answer).await
}
