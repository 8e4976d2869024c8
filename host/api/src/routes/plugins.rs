//! Answers about plugins, and the one request that writes.

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;

use super::{Shared, body, in_time};
use crate::error::{ErrorView, Failure};
use crate::guard::admission;
use crate::house::House;
use crate::query::Params;
use crate::view::{PluginsView, UploadView};

/// Plugin versions that exist, and files that were refused.
#[utoipa::path(get, path = "/api/v1/plugins", tag = "plugins", responses((status = 200, description = "Plugins", body = PluginsView)))]
pub(crate) async fn plugins<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
) -> Result<Json<PluginsView>, Failure> {
    Params::read(query.as_deref(), &[])?;
    in_time(shared.options.limits.answer, shared.house.plugins()).await.map(Json)
}

/// Puts a component into the plugin folder. Whether it is taken into service is decided after the answer and shows
/// in the journal.
#[utoipa::path(post, path = "/api/v1/plugins", tag = "plugins",
    security(("token" = [])),
    request_body(content = inline(crate::request::ComponentBytes), content_type = "application/wasm", description = "The component, at most 64 MiB"),
    responses(
        (status = 202, description = "It lies in the plugin folder", body = UploadView),
        (status = 401, description = "Neither a token nor a session that counts", body = ErrorView),
        (status = 413, description = "It is larger than 64 MiB", body = ErrorView),
    ))]
pub(crate) async fn upload<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<(StatusCode, Json<UploadView>), Failure> {
    Params::read(query.as_deref(), &[])?;
    let limits = &shared.options.limits;
    let Ok(_place) = shared.uploads.try_acquire() else {
        let message = "other uploads are under way; try again when they are done";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message));
    };
    let by = admission::principal(&request)?.signature();
    let bytes = body::read(request, "a component", limits.upload_bytes_max, limits.upload).await?;
    if bytes.is_empty() {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "empty-body", "send the component as the body"));
    }
    let view = in_time(limits.upload, shared.house.upload_plugin(bytes, by)).await?;
    Ok((StatusCode::ACCEPTED, Json(view)))
}
