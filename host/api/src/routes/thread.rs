//! The thread of an asset, and the records that other systems bring to it.

use axum::extract::{RawQuery, Request, State};
use axum::{Extension, Json};
use geminus_access::{Permission, Principal};

use super::house::{Id, id};
use super::{Shared, body, in_time};
use crate::error::{ErrorView, Failure};
use crate::guard::admission;
use crate::house::House;
use crate::query::{Params, ThreadQuery};
use crate::request::{self, RecordsRequest};
use crate::view::{RecordsFiledView, ThreadView};

/// Most bytes of records in one request.
const RECORDS_BYTES_MAX: usize = 4 << 20;

/// Everything about an asset on one line: design, versions, calibrations, samples, alerts, decisions, records of other
/// systems. Each entry says what explains it: rows, version, replay. What is about the whole site is only for those who
/// see all twins.
#[utoipa::path(get, path = "/api/v1/twins/{id}/thread", tag = "twins",
    params(
        ("id" = String, Path, description = "Id of the twin"),
        ("from" = Option<String>, Query, description = "First instant, inclusive: RFC 3339 or milliseconds since 1970; what reaches into it counts"),
        ("to" = Option<String>, Query, description = "End, exclusive: RFC 3339 or milliseconds since 1970"),
        ("kind" = Option<String>, Query, description = "Only these kinds, separated by commas: design, version, calibration, samples, alert, decision, record, event"),
        ("order" = Option<String>, Query, description = "`newest` first, unless given, or `oldest`"),
        ("after" = Option<String>, Query, description = "`next` of the page before, in the same order"),
        ("limit" = Option<u32>, Query, description = "Most entries of the page, 100 unless given", minimum = 1, maximum = 500),
    ),
    responses((status = 200, description = "A page of the thread", body = ThreadView), (status = 404, description = "There is no such twin", body = ErrorView)))]
pub(crate) async fn thread<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    path: Id,
    RawQuery(query): RawQuery,
) -> Result<Json<ThreadView>, Failure> {
    let query = ThreadQuery::read(id(path)?, query.as_deref())?;
    admission::see(&principal, &query.twin)?;
    let query = ThreadQuery { scope: principal.scope, ..query };
    in_time(shared.options.limits.answer, shared.house.thread(query)).await.map(Json)
}

/// Keeps records of another system about an asset: work orders, batches, inspections, calibrations. All of them or none.
/// Source and id say which record it is, so that sending them again changes nothing.
#[utoipa::path(post, path = "/api/v1/twins/{id}/records", tag = "twins", operation_id = "keep_records", security(("token" = [])),
    params(("id" = String, Path, description = "Id of the twin")),
    request_body(content = RecordsRequest, content_type = "application/json", description = "The records"),
    responses(
        (status = 200, description = "What became of them", body = RecordsFiledView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin", body = ErrorView),
        (status = 413, description = "The body is larger than 4 MiB", body = ErrorView),
    ))]
pub(crate) async fn keep<H: House>(
    State(shared): State<Shared<H>>,
    path: Id,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<RecordsFiledView>, Failure> {
    let (principal, twin) = (admission::principal(&request)?, id(path)?);
    admission::act(&principal, Permission::Records, &twin)?;
    Params::read(query.as_deref(), &[])?;
    let limit = shared.options.limits.answer;
    let body = body::read(request, "the body", RECORDS_BYTES_MAX, limit).await?;
    let (records, by) = request::records(&body)?;
    let by = admission::signed(&principal, by)?;
    in_time(limit, shared.house.keep_records(twin, records, by)).await.map(Json)
}
