//! Bodies of requests: bounded in bytes and in time, read only after it was decided that whoever asks may.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use bytes::Bytes;
use tokio::time::timeout;

use crate::error::Failure;

/// The body, whole; it may be empty. `what` is its name in a refusal.
pub(crate) async fn read(
    request: Request,
    what: &str,
    bytes_max: usize,
    time_max: Duration,
) -> Result<Bytes, Failure> {
    let declared =
        request.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > u64::try_from(bytes_max).unwrap_or(u64::MAX)) {
        return Err(too_large(what, bytes_max));
    }
    match timeout(time_max, collect(request.into_body(), what, bytes_max)).await {
        Ok(bytes) => bytes,
        Err(_) => {
            let message = format!("{what} took longer than {} s to arrive", time_max.as_secs());
            Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "too-slow", message))
        }
    }
}

async fn collect(body: Body, what: &str, bytes_max: usize) -> Result<Bytes, Failure> {
    to_bytes(body, bytes_max).await.map_err(|error| match is_too_large(&error) {
        true => too_large(what, bytes_max),
        false => {
            Failure::new(StatusCode::BAD_REQUEST, "broken-body", "the body ended before it was complete")
        }
    })
}

fn too_large(what: &str, bytes_max: usize) -> Failure {
    let message = format!("{what} may have at most {bytes_max} bytes");
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
