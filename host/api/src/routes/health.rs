//! Answers for machines: is it alive, is it ready, what does it count, what can be asked.

use std::sync::LazyLock;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use crate::house::House;
use crate::metrics::{CONTENT_TYPE, Exposition, catalogue, process, streams};

/// Whether the host's loops turn. A supervisor restarts the process when this says no for long.
#[utoipa::path(get, path = "/livez", tag = "health",
    responses((status = 200, description = "`ok`", content_type = "text/plain", body = String),
              (status = 503, description = "Which loop does not turn", content_type = "text/plain", body = String)))]
pub(crate) async fn livez<H: House>(State(shared): State<Shared<H>>) -> Response {
    verdict(shared.house.alive())
}

/// Whether the host does its work: journal writable, store ready.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, description = "`ok`", content_type = "text/plain", body = String),
              (status = 503, description = "What is missing", content_type = "text/plain", body = String)))]
pub(crate) async fn readyz<H: House>(State(shared): State<Shared<H>>) -> Response {
    verdict(shared.house.ready())
}

fn verdict(verdict: Result<(), String>) -> Response {
    match verdict {
        Ok(()) => "ok\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

/// Metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, description = "Prometheus text format 0.0.4; docs/generated/metrics.md lists the metrics",
               content_type = "text/plain", body = String)))]
pub(crate) async fn metrics<H: House>(State(shared): State<Shared<H>>) -> Response {
    let mut out = Exposition::default();
    out.count(&catalogue::INFO, &[&shared.options.version], 1);
    shared.house.metrics(&mut out);
    streams::write(&shared.options.bus.stats(), &mut out);
    shared.options.traffic.write(&mut out);
    process::write(&mut out);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], out.text()).into_response()
}

static DOCUMENT: LazyLock<String> = LazyLock::new(crate::openapi::json);

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "health",
    responses((status = 200, description = "The OpenAPI 3.1 document of this API", content_type = "application/json", body = Object)))]
pub(crate) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}
