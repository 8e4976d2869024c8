//! Alarms: which there are, and what a person may do to one.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::{Extension, Json};
use geminus_access::{Permission, Principal};
use geminus_alarm::{Action, Order};

use super::{Shared, body, in_time};
use crate::error::{ErrorView, Failure};
use crate::guard::admission;
use crate::house::House;
use crate::query::{AlarmsQuery, Params};
use crate::request::{self, AlarmOrder, AlarmOrderRequest, ShelveRequest};
use crate::view::{AlarmView, AlarmsView};

type Names = Result<Path<(String, String)>, PathRejection>;

/// Alarms that are not normal, with counts of the site and the figures of its operator station.
#[utoipa::path(get, path = "/api/v1/alarms", tag = "alarms",
    params(
        ("limit" = Option<u32>, Query, description = "Alarms, 200 unless given", minimum = 1, maximum = 1000),
        ("twin" = Option<String>, Query, description = "Only those of this twin"),
        ("priority" = Option<String>, Query, description = "Only those of this priority: `low`, `medium`, `high`, `critical`"),
        ("state" = Option<String>, Query, description = "Only those in this state, any but `normal`"),
    ),
    responses(
        (status = 200, description = "Alarms", body = AlarmsView),
        (status = 404, description = "There is no such twin", body = ErrorView),
    ))]
pub(crate) async fn alarms<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
) -> Result<Json<AlarmsView>, Failure> {
    let query = AlarmsQuery { scope: principal.scope.clone(), ..AlarmsQuery::read(query.as_deref())? };
    if let Some(twin) = &query.twin {
        admission::see(&principal, twin)?;
    }
    in_time(shared.options.limits.answer, shared.house.alarms(query)).await.map(Json)
}

/// Says that somebody knows of the alarm.
#[utoipa::path(post, path = "/api/v1/alarms/{twin}/{name}/acknowledge", tag = "alarms", operation_id = "acknowledge_alarm",
    security(("token" = [])),
    params(
        ("twin" = String, Path, description = "Id of the twin", example = "pump-rig-1"),
        ("name" = String, Path, description = "Name of the alarm", example = "winding-hot"),
    ),
    request_body(content = AlarmOrderRequest, content_type = "application/json", description = "May be left out"),
    responses(
        (status = 200, description = "The alarm as it stands now", body = AlarmView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin or alarm", body = ErrorView),
        (status = 409, description = "There is nothing to acknowledge, it is acknowledged already, or it is suppressed", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn acknowledge<H: House>(
    State(shared): State<Shared<H>>,
    path: Names,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<AlarmView>, Failure> {
    plain(&shared, path, query.as_deref(), request, Action::Acknowledge).await
}

/// Puts the alarm aside for a time, after which what still holds is told anew. Shelving again sets the time anew.
#[utoipa::path(post, path = "/api/v1/alarms/{twin}/{name}/shelve", tag = "alarms", operation_id = "shelve_alarm",
    security(("token" = [])),
    params(
        ("twin" = String, Path, description = "Id of the twin", example = "pump-rig-1"),
        ("name" = String, Path, description = "Name of the alarm", example = "winding-hot"),
    ),
    request_body(content = ShelveRequest, content_type = "application/json", description = "For how long, and why"),
    responses(
        (status = 200, description = "The alarm as it stands now", body = AlarmView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin or alarm", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn shelve<H: House>(
    State(shared): State<Shared<H>>,
    path: Names,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<AlarmView>, Failure> {
    let (principal, at) = aimed(path, &request)?;
    let (minutes, order) = request::shelve(&ordered(&shared, query.as_deref(), request).await?)?;
    give(&shared, principal, at, Action::Shelve { minutes }, order).await
}

/// Takes the alarm from the shelf before its time.
#[utoipa::path(post, path = "/api/v1/alarms/{twin}/{name}/unshelve", tag = "alarms", operation_id = "unshelve_alarm",
    security(("token" = [])),
    params(
        ("twin" = String, Path, description = "Id of the twin", example = "pump-rig-1"),
        ("name" = String, Path, description = "Name of the alarm", example = "winding-hot"),
    ),
    request_body(content = AlarmOrderRequest, content_type = "application/json", description = "May be left out"),
    responses(
        (status = 200, description = "The alarm as it stands now", body = AlarmView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin or alarm", body = ErrorView),
        (status = 409, description = "It is not shelved", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn unshelve<H: House>(
    State(shared): State<Shared<H>>,
    path: Names,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<AlarmView>, Failure> {
    plain(&shared, path, query.as_deref(), request, Action::Unshelve).await
}

/// Takes the alarm out of service until it is put back.
#[utoipa::path(post, path = "/api/v1/alarms/{twin}/{name}/out-of-service", tag = "alarms", operation_id = "take_alarm_out_of_service",
    security(("token" = [])),
    params(
        ("twin" = String, Path, description = "Id of the twin", example = "pump-rig-1"),
        ("name" = String, Path, description = "Name of the alarm", example = "winding-hot"),
    ),
    request_body(content = AlarmOrderRequest, content_type = "application/json", description = "May be left out"),
    responses(
        (status = 200, description = "The alarm as it stands now", body = AlarmView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin or alarm", body = ErrorView),
        (status = 409, description = "It is out of service already", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn out_of_service<H: House>(
    State(shared): State<Shared<H>>,
    path: Names,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<AlarmView>, Failure> {
    plain(&shared, path, query.as_deref(), request, Action::OutOfService).await
}

/// Puts the alarm back into service.
#[utoipa::path(post, path = "/api/v1/alarms/{twin}/{name}/in-service", tag = "alarms", operation_id = "put_alarm_into_service",
    security(("token" = [])),
    params(
        ("twin" = String, Path, description = "Id of the twin", example = "pump-rig-1"),
        ("name" = String, Path, description = "Name of the alarm", example = "winding-hot"),
    ),
    request_body(content = AlarmOrderRequest, content_type = "application/json", description = "May be left out"),
    responses(
        (status = 200, description = "The alarm as it stands now", body = AlarmView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin or alarm", body = ErrorView),
        (status = 409, description = "It is in service", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn in_service<H: House>(
    State(shared): State<Shared<H>>,
    path: Names,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<AlarmView>, Failure> {
    plain(&shared, path, query.as_deref(), request, Action::InService).await
}

/// Lets go of a latched alarm whose condition is gone and which is acknowledged.
#[utoipa::path(post, path = "/api/v1/alarms/{twin}/{name}/reset", tag = "alarms", operation_id = "reset_alarm",
    security(("token" = [])),
    params(
        ("twin" = String, Path, description = "Id of the twin", example = "pump-rig-1"),
        ("name" = String, Path, description = "Name of the alarm", example = "winding-hot"),
    ),
    request_body(content = AlarmOrderRequest, content_type = "application/json", description = "May be left out"),
    responses(
        (status = 200, description = "The alarm as it stands now", body = AlarmView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin or alarm", body = ErrorView),
        (status = 409, description = "It is not latched, not acknowledged, suppressed, or its condition still holds", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn reset<H: House>(
    State(shared): State<Shared<H>>,
    path: Names,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<AlarmView>, Failure> {
    plain(&shared, path, query.as_deref(), request, Action::Reset).await
}

async fn plain<H: House>(
    shared: &Shared<H>,
    path: Names,
    query: Option<&str>,
    request: Request,
    action: Action,
) -> Result<Json<AlarmView>, Failure> {
    let (principal, at) = aimed(path, &request)?;
    let order = request::alarm(&ordered(shared, query, request).await?)?;
    give(shared, principal, at, action, order).await
}

/// Who orders, and of which alarm: decided before the body is read. The name of the twin is the one that the address
/// means, not the one that it spells.
fn aimed(path: Names, request: &Request) -> Result<(Principal, (String, String)), Failure> {
    let Path((twin, name)) =
        path.map_err(|_| Failure::bad_query("the names in the path are not valid UTF-8"))?;
    let principal = admission::principal(request)?;
    admission::act(&principal, Permission::Alarms, &twin)?;
    Ok((principal, (twin, name)))
}

async fn give<H: House>(
    shared: &Shared<H>,
    principal: Principal,
    (twin, name): (String, String),
    action: Action,
    AlarmOrder { by, reason }: AlarmOrder,
) -> Result<Json<AlarmView>, Failure> {
    let by = admission::signed(&principal, by)?;
    let ordered = shared.house.order_alarm(twin, name, Order { action, by, reason });
    in_time(shared.options.limits.answer, ordered).await.map(Json)
}

/// The body of whatever orders something.
async fn ordered<H: House>(
    shared: &Shared<H>,
    query: Option<&str>,
    request: Request,
) -> Result<bytes::Bytes, Failure> {
    Params::read(query, &[])?;
    let limits = &shared.options.limits;
    body::read(request, "the body", limits.order_bytes_max, limits.answer).await
}
