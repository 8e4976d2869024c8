//! Targets and authority: who owns what, which rules guard it, how far behaviors may reach.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::{Extension, Json};
use geminus_access::{Permission, Principal};

use super::commands::ordered;
use super::house::{Id, id};
use super::{Shared, in_time};
use crate::actor::Actor;
use crate::error::{ErrorView, Failure};
use crate::guard::admission;
use crate::house::House;
use crate::orders::{
    self, AuthorityRequest, BypassRequest, HoldRequest, LockoutRequest, ReleaseRequest, ResetRequest,
    TargetOrder,
};
use crate::query::{Params, TargetsQuery};
use crate::view::{AuthorityView, TargetView, TargetsView};

type Names = Result<Path<(String, String)>, PathRejection>;

/// Targets: what they show, who owns them, which rules guard them and what these read now.
#[utoipa::path(get, path = "/api/v1/targets", tag = "targets",
    params(("twin" = Option<String>, Query, description = "Only those of this twin")),
    responses(
        (status = 200, description = "Targets", body = TargetsView),
        (status = 404, description = "There is no such twin", body = ErrorView),
    ))]
pub(crate) async fn targets<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
) -> Result<Json<TargetsView>, Failure> {
    let query = TargetsQuery { scope: principal.scope.clone(), ..TargetsQuery::read(query.as_deref())? };
    if let Some(twin) = &query.twin {
        admission::see(&principal, twin)?;
    }
    in_time(shared.options.limits.answer, shared.house.targets(query)).await.map(Json)
}

/// How far the behaviors of a twin may reach, and why not further.
#[utoipa::path(get, path = "/api/v1/twins/{id}/authority", tag = "targets",
    params(("id" = String, Path, description = "Id of the twin")),
    responses(
        (status = 200, description = "Its authority", body = AuthorityView),
        (status = 404, description = "There is no such twin", body = ErrorView),
    ))]
pub(crate) async fn authority<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    path: Id,
    RawQuery(query): RawQuery,
) -> Result<Json<AuthorityView>, Failure> {
    Params::read(query.as_deref(), &[])?;
    let twin = id(path)?;
    admission::see(&principal, &twin)?;
    in_time(shared.options.limits.answer, shared.house.authority(twin)).await.map(Json)
}

/// Arms a twin, which lets its behaviors do what the site gives them; or holds it down.
#[utoipa::path(post, path = "/api/v1/twins/{id}/authority", tag = "targets", operation_id = "order_authority", security(("token" = [])),
    params(("id" = String, Path, description = "Id of the twin")),
    request_body(content = AuthorityRequest, content_type = "application/json", description = "How far, who, and why"),
    responses(
        (status = 200, description = "Its authority now", body = AuthorityView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin", body = ErrorView),
        (status = 409, description = "The site gives it no more", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn order_authority<H: House>(
    State(shared): State<Shared<H>>,
    path: Id,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<AuthorityView>, Failure> {
    let (principal, twin) = (admission::principal(&request)?, id(path)?);
    admission::act(&principal, Permission::Command, &twin)?;
    let body = ordered(&shared, query.as_deref(), request).await?;
    let (level, reason, actor) = orders::authority(&body, &principal)?;
    let ordered = shared.house.order_authority(twin, level, reason, actor);
    in_time(shared.options.limits.answer, ordered).await.map(Json)
}

/// Takes a target for a person, or for the machine's own panel.
#[utoipa::path(post, path = "/api/v1/targets/{twin}/{name}/hold", tag = "targets", operation_id = "hold_target", security(("token" = [])),
    params(
        ("twin" = String, Path, description = "Id of the twin", example = "pump-rig-1"),
        ("name" = String, Path, description = "Name of the target", example = "load-limit"),
    ),
    request_body(content = HoldRequest, content_type = "application/json", description = "Who, why, and for how long"),
    responses(
        (status = 200, description = "The target as it stands now", body = TargetView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin, target or rule", body = ErrorView),
        (status = 409, description = "It is not his to take", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn hold<H: House>(
    State(shared): State<Shared<H>>,
    path: Names,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<TargetView>, Failure> {
    give(&shared, path, query.as_deref(), request, (Permission::Command, orders::hold)).await
}

/// Gives a target back, to whoever comes next.
#[utoipa::path(post, path = "/api/v1/targets/{twin}/{name}/release", tag = "targets", operation_id = "release_target", security(("token" = [])),
    params(
        ("twin" = String, Path, description = "Id of the twin", example = "pump-rig-1"),
        ("name" = String, Path, description = "Name of the target", example = "load-limit"),
    ),
    request_body(content = ReleaseRequest, content_type = "application/json", description = "Who, and as what"),
    responses(
        (status = 200, description = "The target as it stands now", body = TargetView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin, target or rule", body = ErrorView),
        (status = 409, description = "Nobody holds it so, or it is somebody else's lockout", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn release<H: House>(
    State(shared): State<Shared<H>>,
    path: Names,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<TargetView>, Failure> {
    give(&shared, path, query.as_deref(), request, (Permission::Command, orders::release)).await
}

/// Locks a target: nobody may write it until the end or until who set it releases it.
#[utoipa::path(post, path = "/api/v1/targets/{twin}/{name}/lockout", tag = "targets", operation_id = "lockout_target", security(("token" = [])),
    params(
        ("twin" = String, Path, description = "Id of the twin", example = "pump-rig-1"),
        ("name" = String, Path, description = "Name of the target", example = "load-limit"),
    ),
    request_body(content = LockoutRequest, content_type = "application/json", description = "Who, why, and for how long"),
    responses(
        (status = 200, description = "The target as it stands now", body = TargetView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin, target or rule", body = ErrorView),
        (status = 409, description = "It is somebody else's lockout", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn lockout<H: House>(
    State(shared): State<Shared<H>>,
    path: Names,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<TargetView>, Failure> {
    give(&shared, path, query.as_deref(), request, (Permission::Command, orders::lockout)).await
}

/// Lets go of a latched trip whose cause is over.
#[utoipa::path(post, path = "/api/v1/targets/{twin}/{name}/reset", tag = "targets", operation_id = "reset_target", security(("token" = [])),
    params(
        ("twin" = String, Path, description = "Id of the twin", example = "pump-rig-1"),
        ("name" = String, Path, description = "Name of the target", example = "load-limit"),
    ),
    request_body(content = ResetRequest, content_type = "application/json", description = "Which, who, and as what"),
    responses(
        (status = 200, description = "The target as it stands now", body = TargetView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin, target or rule", body = ErrorView),
        (status = 409, description = "Its cause is there, or the role may not", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn reset<H: House>(
    State(shared): State<Shared<H>>,
    path: Names,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<TargetView>, Failure> {
    give(&shared, path, query.as_deref(), request, (Permission::Interlocks, orders::reset)).await
}

/// Passes over a permissive for a while, where its rule allows it.
#[utoipa::path(post, path = "/api/v1/targets/{twin}/{name}/bypass", tag = "targets", operation_id = "bypass_target", security(("token" = [])),
    params(
        ("twin" = String, Path, description = "Id of the twin", example = "pump-rig-1"),
        ("name" = String, Path, description = "Name of the target", example = "load-limit"),
    ),
    request_body(content = BypassRequest, content_type = "application/json", description = "Which, who, as what, why, and for how long"),
    responses(
        (status = 200, description = "The target as it stands now", body = TargetView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin, target or rule", body = ErrorView),
        (status = 409, description = "The role may not, or the time is too long", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn bypass<H: House>(
    State(shared): State<Shared<H>>,
    path: Names,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<TargetView>, Failure> {
    give(&shared, path, query.as_deref(), request, (Permission::Interlocks, orders::bypass)).await
}

/// What an order takes, and how its body is read.
type Kind = (Permission, fn(&[u8], &Principal) -> Result<(TargetOrder, Actor), Failure>);

/// Carries an order out if whoever gives it may do so to the twin.
async fn give<H: House>(
    shared: &Shared<H>,
    path: Names,
    query: Option<&str>,
    request: Request,
    (permission, read): Kind,
) -> Result<Json<TargetView>, Failure> {
    let (twin, name) = names(path)?;
    let principal = admission::principal(&request)?;
    admission::act(&principal, permission, &twin)?;
    let (order, actor) = read(&ordered(shared, query, request).await?, &principal)?;
    let ordered = shared.house.order_target(twin, name, order, actor);
    in_time(shared.options.limits.answer, ordered).await.map(Json)
}

fn names(path: Names) -> Result<(String, String), Failure> {
    let Path(names) = path.map_err(|_| Failure::bad_query("the names in the path are not valid UTF-8"))?;
    Ok(names)
}
