//! The OpenAPI 3.1 document, made from the handlers and shapes themselves.
//!
//! It is committed as `docs/generated/openapi.json`; a test fails when it differs, and another holds its paths
//! against the router's.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, Response, ResponseBuilder};

mod example;

use crate::bus::values::{HelloEvent, ResyncEvent, TwinEvent, ValuesEvent};
use crate::error::{ErrorDetail, ErrorView};
use crate::request::{BY_CHARS_MAX, BY_DEFAULT, OrderRequest};
use crate::routes::{
    access, ahead, alarms, certificates, clients, commands, elsewhere, events, health, house, plugins,
    rollouts, targets, thread,
};
use crate::view::{AlarmView, RolloutEvent};

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
        access::session,
        access::login,
        access::logout,
        elsewhere::ways,
        elsewhere::begin,
        elsewhere::finish,
        access::users,
        access::add_user,
        access::remove_user,
        access::tokens,
        access::add_token,
        access::remove_token,
        access::change_password,
        certificates::certificates,
        certificates::own,
        certificates::trust,
        certificates::reject,
        certificates::remove,
        clients::trust,
        clients::reject,
        clients::remove,
        house::site,
        house::twins,
        house::twin,
        house::history,
        ahead::forecast,
        ahead::what_if,
        thread::thread,
        thread::keep,
        plugins::plugins,
        plugins::upload,
        rollouts::rollouts,
        rollouts::start,
        rollouts::plan,
        rollouts::rollout,
        rollouts::promote,
        rollouts::cancel,
        rollouts::rollback,
        rollouts::activations,
        alarms::alarms,
        alarms::acknowledge,
        alarms::shelve,
        alarms::unshelve,
        alarms::out_of_service,
        alarms::in_service,
        alarms::reset,
        commands::commands,
        commands::propose,
        commands::command,
        commands::approve,
        commands::refuse,
        commands::withdraw,
        commands::resolve,
        targets::targets,
        targets::hold,
        targets::release,
        targets::lockout,
        targets::reset,
        targets::bypass,
        targets::authority,
        targets::order_authority,
        house::journal,
        events::events,
        health::openapi,
        health::livez,
        health::readyz,
        health::metrics,
    ),
    components(schemas(ErrorView, ErrorDetail, HelloEvent, ValuesEvent, TwinEvent, RolloutEvent, AlarmView, ResyncEvent, OrderRequest)),
    tags(
        (name = "access", description = "Who may do what"),
        (name = "certificates", description = "Who is spoken to and let in, and until when"),
        (name = "site", description = "The house at a glance"),
        (name = "twins", description = "Twins now and in the past"),
        (name = "plugins", description = "What computes"),
        (name = "rollouts", description = "How versions take over, and how they are taken back"),
        (name = "alarms", description = "What needs a response, after ISA-18.2"),
        (name = "commands", description = "What is wished of targets, and what became of it"),
        (name = "targets", description = "What may be written, by whom, and under which rules"),
        (name = "journal", description = "What happened"),
        (name = "events", description = "What happens"),
        (name = "health", description = "For machines"),
    )
)]
struct Document;

/// Answers that any part of the API may give.
const COMMON: [(&str, &str); 4] = [
    ("400", "The request cannot be carried out as it stands; the message says what to change"),
    (
        "403",
        "The request came under a foreign name or from a page of another origin, or whoever asks may not do this",
    ),
    ("500", "A fault of the host; its log says more"),
    ("503", "It could be answered at another time"),
];

/// The document as indented JSON with a line break at its end.
#[must_use]
pub fn json() -> String {
    let mut text = written(document()).unwrap_or_else(|error| {
        tracing::error!(%error, "the OpenAPI document could not be written");
        "{}".to_owned()
    });
    text.push('\n');
    text
}

/// The document with its components, where the schemas of the rollout room are added as JSON: they say more than the
/// builder's types can hold.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    head: utoipa::openapi::OpenApi,
    components: Value,
}

fn written(mut document: utoipa::openapi::OpenApi) -> Result<String, serde_json::Error> {
    let mut components = serde_json::to_value(document.components.take())?;
    if let Some(Value::Object(schemas)) = components.get_mut("schemas") {
        schemas.extend(rollout_schemas().map(|(name, schema)| (name.to_owned(), schema)));
        schemas.extend(scenario_schemas().map(|(name, schema)| (name.to_owned(), schema)));
        for (name, example) in example::all() {
            if let Some(Value::Object(schema)) = schemas.get_mut(name) {
                schema.insert("example".to_owned(), example);
            }
        }
    }
    serde_json::to_string_pretty(&Whole { head: document, components })
}

/// Schemas that the rollout room makes of its own types.
fn rollout_schemas() -> [(&'static str, Value); 4] {
    let plan = bare(geminus_rollout::plan_schema());
    let findings = geminus_rollout::evidence_schema();
    let part =
        |name: &str| bare(findings.pointer(&format!("/properties/{name}")).cloned().unwrap_or_default());
    [
        ("RolloutStart", start(plan.clone())),
        ("RolloutPlan", plan),
        ("RolloutVerdict", part("verdict")),
        ("RolloutEvidence", part("evidence")),
    ]
}

/// Schemas that the room of scenarios makes of its own types.
fn scenario_schemas() -> [(&'static str, Value); 4] {
    [
        ("ForecastAsk", bare(geminus_scenario::forecast_ask_schema())),
        ("ForecastReport", bare(geminus_scenario::forecast_report_schema())),
        ("Study", bare(geminus_scenario::study_schema())),
        ("StudyReport", bare(geminus_scenario::study_report_schema())),
    ]
}

/// Without what only a schema that stands alone says.
fn bare(mut schema: Value) -> Value {
    if let Value::Object(members) = &mut schema {
        members.retain(|name, _| !["$schema", "title"].contains(&name.as_str()));
    }
    schema
}

/// A plan as a request brings it: with who wants it beside.
fn start(mut plan: Value) -> Value {
    let about = format!("Who wants it, for the journal; `{BY_DEFAULT}` unless given.");
    if let Some(Value::Object(properties)) = plan.get_mut("properties") {
        let by = json!({"type": ["string", "null"], "maxLength": BY_CHARS_MAX, "description": about});
        properties.insert("by".to_owned(), by);
    }
    plan
}

fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    if let Some(components) = &mut document.components {
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description =
            Some("A token that an admin made; at a site without users, the one in the host's data folder. A program brings it; \
                  a page brings the cookie of its session instead".to_owned());
        components.add_security_scheme("token", SecurityScheme::Http(token));
    }
    for (path, item) in &mut document.paths.paths {
        let api = path.starts_with("/api/v1/");
        if let Some(RefOr::T(body)) = item.post.as_mut().and_then(|operation| operation.request_body.as_mut())
        {
            // An order says all there is to say by its address.
            let order = path.starts_with("/api/v1/rollouts/{id}/")
                || path.starts_with("/api/v1/certificates/")
                || (path.starts_with("/api/v1/alarms/") && !path.ends_with("/shelve"));
            body.required = Some(if order { Required::False } else { Required::True });
        }
        for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
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
