//! The OpenAPI 3.1 document, made from the handlers and shapes themselves.
//!
//! It is committed as `docs/generated/openapi.json`; a test fails when it differs, and another holds its paths
//! against the router's.

use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::bus::values::{HelloEvent, ResyncEvent, TwinEvent, ValuesEvent};
use crate::error::{ErrorDetail, ErrorView};
use crate::routes::{events, health, house, plugins};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Geminus",
        description = "Twins, their points, behaviors, history and events. Times are RFC 3339 in UTC unless the name \
                       ends in `_ms`; a number that is not known is null; units are UCUM codes.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        version = "1"
    ),
    servers((url = "/", description = "The host that serves this document")),
    paths(
        house::site,
        house::twins,
        house::twin,
        house::history,
        plugins::plugins,
        plugins::upload,
        house::journal,
        events::events,
        health::openapi,
        health::livez,
        health::readyz,
        health::metrics,
    ),
    components(schemas(ErrorView, ErrorDetail, HelloEvent, ValuesEvent, TwinEvent, ResyncEvent)),
    tags(
        (name = "site", description = "The house at a glance"),
        (name = "twins", description = "Twins now and in the past"),
        (name = "plugins", description = "What computes"),
        (name = "journal", description = "What happened"),
        (name = "events", description = "What happens"),
        (name = "health", description = "For machines"),
    )
)]
struct Document;

/// Answers that any part of the API may give.
const COMMON: [(&str, &str); 4] = [
    ("400", "The request cannot be carried out as it stands; the message says what to change"),
    ("403", "The request came under a foreign name or from a page of another origin"),
    ("500", "A fault of the host; its log says more"),
    ("503", "It could be answered at another time"),
];

/// The document as indented JSON with a line break at its end.
#[must_use]
pub fn json() -> String {
    let mut text = document().to_pretty_json().unwrap_or_else(|error| {
        tracing::error!(%error, "the OpenAPI document could not be written");
        "{}".to_owned()
    });
    text.push('\n');
    text
}

fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    if let Some(components) = &mut document.components {
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description =
            Some("The token that the host wrote into its data folder when it first started".to_owned());
        components.add_security_scheme("token", SecurityScheme::Http(token));
    }
    for (path, item) in &mut document.paths.paths {
        let api = path.starts_with("/api/v1/");
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            let common = COMMON.iter().filter(|(status, _)| api || *status == "403");
            for (status, about) in common {
                let responses = &mut operation.responses.responses;
                responses.entry((*status).to_owned()).or_insert_with(|| RefOr::T(error(about)));
            }
        }
    }
    document
}

fn error(about: &str) -> Response {
    let schema = Ref::from_schema_name("ErrorView");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(about).content("application/json", content).build()
}
