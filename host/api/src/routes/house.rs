//! Answers about the site, its twins, their past and the journal.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::{Extension, Json};
use geminus_access::Principal;

use super::{Shared, in_time, json};
use crate::error::{ErrorView, Failure};
use crate::guard::admission;
use crate::house::{House, Trouble};
use crate::query::{HistoryQuery, JournalQuery, Params, TwinsQuery};
use crate::view::{HistoryView, JournalView, SiteView, TwinView, TwinsView};

/// A twin's id in a path, as far as it could be read.
pub(super) type Id = Result<Path<String>, PathRejection>;

pub(super) fn id(id: Id) -> Result<String, Failure> {
    let Path(id) = id.map_err(|_| Failure::bad_query("the twin's id in the path is not valid UTF-8"))?;
    Ok(id)
}

/// The site at a glance. Counts are those of the twins that whoever asks may see.
#[utoipa::path(get, path = "/api/v1/site", tag = "site", responses((status = 200, description = "The site", body = SiteView)))]
pub(crate) async fn site<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
) -> Result<Json<SiteView>, Failure> {
    Params::read(query.as_deref(), &[])?;
    in_time(shared.options.limits.answer, shared.house.site(principal.scope)).await.map(Json)
}

/// One page of the fleet, in order of id.
#[utoipa::path(get, path = "/api/v1/twins", tag = "twins",
    params(
        ("search" = Option<String>, Query, description = "Only twins whose id, display name or type contains this, whatever the case"),
        ("state" = Option<crate::view::TwinState>, Query, description = "Only twins in this state"),
        ("after" = Option<String>, Query, description = "Only twins whose id sorts after this: `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "Twins on the page, 100 unless given", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "A page of twins", body = TwinsView)))]
pub(crate) async fn twins<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
) -> Result<Json<TwinsView>, Failure> {
    let query = TwinsQuery { scope: principal.scope, ..TwinsQuery::read(query.as_deref())? };
    in_time(shared.options.limits.answer, shared.house.twins(query)).await.map(Json)
}

/// Everything that is known of one twin now.
#[utoipa::path(get, path = "/api/v1/twins/{id}", tag = "twins",
    params(("id" = String, Path, description = "Id of the twin")),
    responses((status = 200, description = "The twin", body = TwinView), (status = 404, description = "There is no such twin", body = ErrorView)))]
pub(crate) async fn twin<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    path: Id,
    RawQuery(query): RawQuery,
) -> Result<Json<TwinView>, Failure> {
    Params::read(query.as_deref(), &[])?;
    let id = id(path)?;
    admission::see(&principal, &id)?;
    in_time(shared.options.limits.answer, shared.house.twin(id)).await.map(Json)
}

/// The past of a twin's points. A series with more samples in the range than `buckets` is decimated: each entry
/// then stands for a stretch of time, with the lowest and highest value in it.
#[utoipa::path(get, path = "/api/v1/twins/{id}/history", tag = "twins",
    params(
        ("id" = String, Path, description = "Id of the twin"),
        ("points" = Option<String>, Query, description = "Full names of at most 64 points, separated by commas; all points unless given"),
        ("from" = Option<String>, Query, description = "First instant, inclusive: RFC 3339 or milliseconds since 1970; one hour before `to` unless given"),
        ("to" = Option<String>, Query, description = "End, exclusive: RFC 3339 or milliseconds since 1970; just after the newest sample unless given"),
        ("buckets" = Option<u32>, Query, description = "Most entries of a series, 1000 unless given", minimum = 1, maximum = 10000),
    ),
    responses((status = 200, description = "Columns, one series a point", body = HistoryView), (status = 404, description = "There is no such twin or point", body = ErrorView)))]
pub(crate) async fn history<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    path: Id,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let query = HistoryQuery::read(id(path)?, query.as_deref())?;
    admission::see(&principal, &query.twin)?;
    let view = in_time(shared.options.limits.answer, shared.house.history(query)).await?;
    // Megabytes of numbers: written on a thread that may be busy.
    let written = tokio::task::spawn_blocking(move || serde_json::to_vec(&view)).await;
    match written {
        Ok(Ok(bytes)) => Ok(json(bytes)),
        Ok(Err(error)) => Err(Trouble::Internal(format!("history as JSON: {error}")).into()),
        Err(error) => Err(Trouble::Internal(format!("history as JSON: {error}")).into()),
    }
}

/// A page of the journal, newest first. Whoever sees some twins only reads what is about one of them; a page may then
/// hold fewer entries than asked for, and `next` goes on all the same.
#[utoipa::path(get, path = "/api/v1/journal", tag = "journal",
    params(
        ("limit" = Option<u32>, Query, description = "Entries, 100 unless given", minimum = 1, maximum = 1000),
        ("before" = Option<u64>, Query, description = "Only entries with a lower number: `next` of the page before"),
        ("twin" = Option<String>, Query, description = "Only entries about this twin"),
    ),
    responses((status = 200, description = "Entries of the journal", body = JournalView)))]
pub(crate) async fn journal<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
) -> Result<Json<JournalView>, Failure> {
    let query = JournalQuery::read(query.as_deref())?;
    if let Some(twin) = &query.twin {
        admission::see(&principal, twin)?;
    }
    let mut view = in_time(shared.options.limits.answer, shared.house.journal(query)).await?;
    view.entries.retain(|entry| admission::sees(&principal.scope, entry.twin.as_deref()));
    Ok(Json(view))
}
