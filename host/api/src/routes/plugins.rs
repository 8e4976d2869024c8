//! Answers about plugins, and the one request that writes.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use bytes::Bytes;
use tokio::time::timeout;

use super::{Shared, in_time};
use crate::error::{ErrorView, Failure};
use crate::guard;
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
    request_body(content = Vec<u8>, content_type = "application/wasm", description = "The component, at most 64 MiB"),
    responses(
        (status = 202, description = "It lies in the plugin folder", body = UploadView),
        (status = 401, description = "The token is missing or wrong", body = ErrorView),
        (status = 413, description = "It is larger than 64 MiB", body = ErrorView),
    ))]
pub(crate) async fn upload<H: House>(
    State(shared): State<Shared<H>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<(StatusCode, Json<UploadView>), Failure> {
    // Before the first byte of the body is read.
    guard::check_token(&shared.options.token, request.headers())?;
    Params::read(query.as_deref(), &[])?;
    let limits = &shared.options.limits;
    let Ok(_place) = shared.uploads.try_acquire() else {
        let message = "other uploads are under way; try again when they are done";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message));
    };
    let bytes = match timeout(limits.upload, body(request, limits.upload_bytes_max)).await {
        Ok(bytes) => bytes?,
        Err(_) => {
            let message = format!("the upload took longer than {} s", limits.upload.as_secs());
            return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "too-slow", message));
        }
    };
    let view = in_time(limits.upload, shared.house.upload_plugin(bytes)).await?;
    Ok((StatusCode::ACCEPTED, Json(view)))
}

async fn body(request: Request, bytes_max: usize) -> Result<Bytes, Failure> {
    let declared =
        request.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > u64::try_from(bytes_max).unwrap_or(u64::MAX)) {
        return Err(too_large(bytes_max));
    }
    let bytes =
        to_bytes(request.into_body(), bytes_max).await.map_err(|error| match is_too_large(&error) {
            true => too_large(bytes_max),
            false => {
                Failure::new(StatusCode::BAD_REQUEST, "broken-body", "the body ended before it was complete")
            }
        })?;
    match bytes.is_empty() {
        true => Err(Failure::new(StatusCode::BAD_REQUEST, "empty-body", "send the component as the body")),
        false => Ok(bytes),
    }
}

fn too_large(bytes_max: usize) -> Failure {
    let message = format!("a component may have at most {bytes_max} bytes");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        cause = error.source();
    }
    false
}
