//! Questions about what has not happened: forecasts, and what would be if.

use axum::extract::{RawQuery, Request, State};
use axum::response::Response;
use geminus_access::Permission;
use geminus_scenario::{ForecastAsk, Study};
use serde::Serialize;

use super::commands::ordered;
use super::house::{Id, id};
use super::{Shared, in_time, json};
use crate::error::{ErrorView, Failure};
use crate::guard::admission;
use crate::house::{House, Trouble};
use crate::request::bad;

/// What a behavior of a twin foresees: means, intervals, times to thresholds. Asked of a copy of it, so that no row waits.
#[utoipa::path(post, path = "/api/v1/twins/{id}/forecast", tag = "twins", security(("token" = [])),
    params(("id" = String, Path, description = "Id of the twin")),
    request_body(content = ref("#/components/schemas/ForecastAsk"), content_type = "application/json", description = "How far ahead, and what is assumed"),
    responses(
        (status = 200, description = "The forecast", body = ref("#/components/schemas/ForecastReport")),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin or behavior", body = ErrorView),
        (status = 409, description = "It does not forecast, or has had no row yet", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn forecast<H: House>(
    State(shared): State<Shared<H>>,
    path: Id,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Failure> {
    let (principal, twin) = (admission::principal(&request)?, id(path)?);
    admission::see(&principal, &twin)?;
    let body = ordered(&shared, query.as_deref(), request).await?;
    let ask: ForecastAsk = serde_json::from_slice(&body).map_err(|error| bad(&error.to_string()))?;
    written(in_time(shared.options.limits.answer, shared.house.forecast(twin, ask)).await?).await
}

/// What would be if: copies of the twin step rows that have not come, as they are and with scenarios, faster than they could
/// come. Nothing leads from a copy to the field; alerts and proposals are counted in the answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/twins/{id}/what-if", tag = "twins", security(("token" = [])),
    params(("id" = String, Path, description = "Id of the twin")),
    request_body(content = ref("#/components/schemas/Study"), content_type = "application/json", description = "How far ahead, scenarios, draws"),
    responses(
        (status = 200, description = "The baseline, the scenarios and the draws", body = ref("#/components/schemas/StudyReport")),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 404, description = "There is no such twin or behavior", body = ErrorView),
        (status = 409, description = "It has had no row yet, or is held apart", body = ErrorView),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorView),
    ))]
pub(crate) async fn what_if<H: House>(
    State(shared): State<Shared<H>>,
    path: Id,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Failure> {
    let (principal, twin) = (admission::principal(&request)?, id(path)?);
    admission::see(&principal, &twin)?;
    admission::act(&principal, Permission::Explore, &twin)?;
    let body = ordered(&shared, query.as_deref(), request).await?;
    let study: Study = serde_json::from_slice(&body).map_err(|error| bad(&error.to_string()))?;
    written(in_time(shared.options.limits.answer, shared.house.what_if(twin, study)).await?).await
}

/// Hundreds of thousands of numbers perhaps: written on a thread that may be busy.
async fn written<T: Serialize + Send + 'static>(report: T) -> Result<Response, Failure> {
    match tokio::task::spawn_blocking(move || serde_json::to_vec(&report)).await {
        Ok(Ok(bytes)) => Ok(json(bytes)),
        Ok(Err(error)) => Err(Trouble::Internal(format!("a report as JSON: {error}")).into()),
        Err(error) => Err(Trouble::Internal(format!("a report as JSON: {error}")).into()),
    }
}
