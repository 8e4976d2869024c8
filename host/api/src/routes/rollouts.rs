//! Rollouts: which there are, what a plan would do, and the orders that a person may give.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;

use super::{Shared, body, in_time};
use crate::error::{ErrorView, Failure};
use crate::guard::admission;
use crate::house::House;
use crate::query::{ActivationsQuery, Params};
use crate::request::{self, StartRequest};
use crate::view::{ActivationsView, RolloutOrder, RolloutPreview, RolloutView, RolloutsView};

type Id = Result<Path<String>, PathRejection>;

/// The newest rollouts, under way or over.
#[utoipa::path(get, path = "/api/v1/rollouts", tag = "rollouts",
    responses((status = 200, description = "Rollouts, newest first, at most 100, without their evidence", body = RolloutsView)))]
pub(crate) async fn rollouts<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
) -> Result<Json<RolloutsView>, Failure> {
    Params::read(query.as_deref(), &[])?;
    in_time(shared.options.limits.answer, shared.house.rollouts()).await.map(Json)
}

/// One rollout with its verdict and the evidence for it.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}", tag = "rollouts",
    params(("id" = u64, Path, description = "Number of the rollout", example = 12)),
    responses(
        (status = 200, description = "The rollout", body = RolloutView),
        (status = 404, description = "There is no such rollout", body = ErrorView),
    ))]
pub(crate) async fn rollout<H: House>(
    State(shared): State<Shared<H>>,
    path: Id,
    RawQuery(query): RawQuery,
) -> Result<Json<RolloutView>, Failure> {
    Params::read(query.as_deref(), &[])?;
    in_time(shared.options.limits.answer, shared.house.rollout(id(path)?)).await.map(Json)
}

/// What a plan would do here and now: which digest its words mean, what the new version declares otherwise, each
/// phase with its limit, and every reason why it would be refused. Begins nothing.
#[utoipa::path(post, path = "/api/v1/rollouts/plan", tag = "rollouts", operation_id = "plan_rollout",
    security(("token" = [])),
    request_body(content = ref("#/components/schemas/RolloutStart"), content_type = "application/json", description = "The plan, at most 64 KiB"),
    responses(
        (status = 200, description = "What it would do", body = RolloutPreview),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such plugin or behavior", body = ErrorView),
        (status = 413, description = "The plan is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn plan<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<RolloutPreview>, Failure> {
    let StartRequest { plan, by: _ } = request::start(&orders(&shared, query.as_deref(), request).await?)?;
    in_time(shared.options.limits.answer, shared.house.plan_rollout(plan)).await.map(Json)
}

/// Begins a rollout. How it goes shows in its page, in the event stream and in the journal.
#[utoipa::path(post, path = "/api/v1/rollouts", tag = "rollouts", operation_id = "start_rollout",
    security(("token" = [])),
    request_body(content = ref("#/components/schemas/RolloutStart"), content_type = "application/json", description = "The plan, at most 64 KiB"),
    responses(
        (status = 201, description = "It has begun", body = RolloutView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such plugin, version, behavior or twin", body = ErrorView),
        (status = 409, description = "Another rollout of this behavior is under way", body = ErrorView),
        (status = 413, description = "The plan is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn start<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<(StatusCode, Json<RolloutView>), Failure> {
    let principal = admission::principal(&request)?;
    let StartRequest { plan, by } = request::start(&orders(&shared, query.as_deref(), request).await?)?;
    let by = admission::signed(&principal, by)?;
    let view = in_time(shared.options.limits.answer, shared.house.start_rollout(plan, by)).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Goes on to the next phase: what a rollout with manual promotion waits for.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/promote", tag = "rollouts", operation_id = "promote_rollout",
    security(("token" = [])),
    params(("id" = u64, Path, description = "Number of the rollout", example = 12)),
    request_body(content = crate::request::OrderRequest, content_type = "application/json", description = "May be left out"),
    responses(
        (status = 200, description = "The rollout as it stands now", body = RolloutView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such rollout", body = ErrorView),
        (status = 409, description = "It waits for no promotion in this phase", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn promote<H: House>(
    State(shared): State<Shared<H>>,
    path: Id,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<RolloutView>, Failure> {
    order(&shared, path, query.as_deref(), request, RolloutOrder::Promote).await
}

/// Ends a rollout in whatever phase it is: the version that ran before goes on.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/cancel", tag = "rollouts", operation_id = "cancel_rollout",
    security(("token" = [])),
    params(("id" = u64, Path, description = "Number of the rollout", example = 12)),
    request_body(content = crate::request::OrderRequest, content_type = "application/json", description = "May be left out"),
    responses(
        (status = 200, description = "The rollout as it stands now", body = RolloutView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such rollout", body = ErrorView),
        (status = 409, description = "It has ended, is already being withdrawn, or the old version is already being dropped", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn cancel<H: House>(
    State(shared): State<Shared<H>>,
    path: Id,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<RolloutView>, Failure> {
    order(&shared, path, query.as_deref(), request, RolloutOrder::Cancel).await
}

/// Takes the authority back from the new version, at a row boundary: the old one was fed all the while. A new version
/// that has none yet is withdrawn, and the rollout ends as `cancelled`.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/rollback", tag = "rollouts", operation_id = "rollback_rollout",
    security(("token" = [])),
    params(("id" = u64, Path, description = "Number of the rollout", example = 12)),
    request_body(content = crate::request::OrderRequest, content_type = "application/json", description = "May be left out"),
    responses(
        (status = 200, description = "The rollout as it stands now", body = RolloutView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such rollout", body = ErrorView),
        (status = 409, description = "It has ended, is already being withdrawn, or the old version is already being dropped", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn rollback<H: House>(
    State(shared): State<Shared<H>>,
    path: Id,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<RolloutView>, Failure> {
    order(&shared, path, query.as_deref(), request, RolloutOrder::Rollback).await
}

/// Which versions were put to work, taken back or refused, newest first.
#[utoipa::path(get, path = "/api/v1/activations", tag = "rollouts",
    params(
        ("limit" = Option<u32>, Query, description = "Activations, 100 unless given", minimum = 1, maximum = 1000),
        ("binding" = Option<String>, Query, description = "Only those of the behavior of this name"),
        ("plugin" = Option<String>, Query, description = "Only those of this plugin"),
    ),
    responses((status = 200, description = "Activations", body = ActivationsView)))]
pub(crate) async fn activations<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
) -> Result<Json<ActivationsView>, Failure> {
    let query = ActivationsQuery::read(query.as_deref())?;
    in_time(shared.options.limits.answer, shared.house.activations(query)).await.map(Json)
}

async fn order<H: House>(
    shared: &Shared<H>,
    path: Id,
    query: Option<&str>,
    request: Request,
    order: RolloutOrder,
) -> Result<Json<RolloutView>, Failure> {
    let principal = admission::principal(&request)?;
    let by = request::by(&orders(shared, query, request).await?)?;
    let by = admission::signed(&principal, by)?;
    let ordered = shared.house.order_rollout(id(path)?, order, by);
    in_time(shared.options.limits.answer, ordered).await.map(Json)
}

/// The body of whatever orders something.
async fn orders<H: House>(
    shared: &Shared<H>,
    query: Option<&str>,
    request: Request,
) -> Result<bytes::Bytes, Failure> {
    Params::read(query, &[])?;
    let limits = &shared.options.limits;
    body::read(request, "the body", limits.order_bytes_max, limits.answer).await
}

/// What is no number is no rollout either.
fn id(path: Id) -> Result<u64, Failure> {
    let Path(text) =
        path.map_err(|_| Failure::bad_query("the rollout's number in the path is not valid UTF-8"))?;
    let unknown = || Failure::new(StatusCode::NOT_FOUND, "not-found", format!("there is no rollout {text}"));
    text.parse().map_err(|_| unknown())
}
