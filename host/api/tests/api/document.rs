//! The OpenAPI document: whole, valid, and about the router that there is.

use std::collections::BTreeSet;

use geminus_api::view::{ActivationView, RolloutEvent, RolloutPreview, RolloutView};
use geminus_api::{openapi, routes};
use geminus_rollout::Plan;
use serde_json::Value;

use crate::client::get;
use crate::fake::{FakeHouse, served};
use crate::schema::{self, resolve};

pub(crate) fn document() -> Value {
    serde_json::from_str(&openapi::json()).expect("JSON")
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("path item");
        item.iter().map(|(method, operation)| (method.clone(), path.clone(), operation.clone()))
    });
    operations.collect()
}

#[test]
fn it_describes_every_route_and_no_other() {
    let document = document();
    let described: BTreeSet<_> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routed: BTreeSet<_> = routes::<FakeHouse>()
        .into_iter()
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn every_reference_leads_somewhere_and_nothing_is_of_openapi_3_0() {
    fn walk(document: &Value, at: &Value) {
        match at {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref") {
                    resolve(document, reference);
                }
                assert!(!members.contains_key("nullable"), "{at}");
                members.values().for_each(|member| walk(document, member));
            }
            Value::Array(members) => members.iter().for_each(|member| walk(document, member)),
            _ => {}
        }
    }
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    walk(&document, &document);
}

#[test]
fn every_operation_says_what_it_needs_and_what_it_answers() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].to_string()), "{at}: the operation id is not unique");
        assert!(operation["summary"].is_string(), "{at}: no summary");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        assert!(parameters.iter().all(|parameter| parameter["description"].is_string()), "{at}");
        let named = |kind: &str| {
            let of_kind = parameters.iter().filter(|parameter| parameter["in"] == kind);
            of_kind.map(|parameter| parameter["name"].as_str().expect("name").to_owned()).collect::<Vec<_>>()
        };
        let placeholders: Vec<_> = path.split('/').filter_map(|part| part.strip_prefix('{')).collect();
        assert_eq!(placeholders.len(), named("path").len(), "{at}");
        let responses = operation["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with(['2', '3'])), "{at}");
        if path.starts_with("/api/v1/") {
            for status in ["400", "403", "500", "503"] {
                let schema = &responses[status]["content"]["application/json"]["schema"];
                assert_eq!(schema["$ref"], "#/components/schemas/ErrorView", "{at} {status}");
            }
        }
        let secured = operation.get("security").is_some();
        // Whoever logs in has nothing yet; who may do what is no matter for whoever only reads.
        let access = ["/api/v1/session", "/api/v1/users", "/api/v1/tokens"].contains(&path.as_str());
        let login = (method.as_str(), path.as_str()) == ("post", "/api/v1/session");
        assert_eq!(secured, (method != "get" || access) && !login, "{at}: what writes needs the token");
        assert_eq!(responses.contains_key("401"), secured || login, "{at}");
    }
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
}

#[test]
fn query_parameters_in_the_document_are_those_that_are_read() {
    // An undocumented parameter would be refused by name, and the refusal lists the known ones.
    let document = document();
    for (path, known) in [
        ("/api/v1/twins", &["search", "state", "after", "limit"][..]),
        ("/api/v1/twins/{id}/history", &["points", "from", "to", "buckets"]),
        ("/api/v1/twins/{id}/thread", &["from", "to", "kind", "order", "after", "limit"]),
        ("/api/v1/journal", &["limit", "before", "twin"]),
        ("/api/v1/commands", &["limit", "before", "twin", "target", "state"]),
        ("/api/v1/targets", &["twin"]),
        ("/api/v1/activations", &["limit", "binding", "plugin"]),
        ("/api/v1/events", &["twins", "last_event_id"]),
        ("/api/v1/session/oidc/callback", &["state", "code", "iss", "error"]),
    ] {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().expect("parameters");
        let named = parameters.iter().filter(|one| one["in"] == "query").map(|one| one["name"].as_str());
        assert_eq!(named.flatten().collect::<Vec<_>>(), known, "{path}");
    }
}

#[test]
fn an_upload_is_bytes() {
    let upload = &document()["paths"]["/api/v1/plugins"]["post"]["requestBody"];
    let schema = &upload["content"]["application/wasm"]["schema"];
    assert_eq!((&schema["type"], &schema["format"]), (&"string".into(), &"binary".into()));
    assert_eq!(upload["required"], true);
    let order = &document()["paths"]["/api/v1/rollouts/{id}/cancel"]["post"]["requestBody"];
    assert_eq!(order["required"], false, "an order may come without a body");
}

#[test]
fn the_example_of_a_plan_is_one_and_the_schemas_are_those_of_the_rollout_room() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let mut example = schemas["RolloutStart"]["example"].clone();
    schema::check(&document, &schemas["RolloutStart"], &example);
    example.as_object_mut().expect("object").remove("by").expect("who wants it");
    schema::check(&document, &schemas["RolloutPlan"], &example);
    let plan: Plan = serde_json::from_value(example).expect("a plan");
    assert_eq!(plan.check(), Ok(()));
    assert!(plan.stages.shadow.wanted() && plan.stages.canary.wanted());
    for name in ["RolloutPlan", "RolloutVerdict", "RolloutEvidence"] {
        let properties = schemas[name]["properties"].as_object().expect("properties");
        assert!(properties.values().all(|one| one["description"].is_string()), "{name}");
        assert_eq!(schemas[name]["additionalProperties"], false, "{name}");
    }
    for (path, method) in [("/api/v1/rollouts", "post"), ("/api/v1/rollouts/plan", "post")] {
        let body = &document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["$ref"], "#/components/schemas/RolloutStart", "{path}");
    }
}

#[test]
fn every_example_fits_its_schema() {
    let document = document();
    let mut seen = 0;
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        if let Some(example) = schema.get("example") {
            seen += 1;
            schema::check(&document, schema, example);
            let text = example.to_string();
            let read = match name.as_str() {
                "RolloutView" => serde_json::from_str::<RolloutView>(&text).map(drop),
                "RolloutPreview" => serde_json::from_str::<RolloutPreview>(&text).map(drop),
                "RolloutEvent" => serde_json::from_str::<RolloutEvent>(&text).map(drop),
                "ActivationView" => serde_json::from_str::<ActivationView>(&text).map(drop),
                _ => Ok(()),
            };
            read.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    assert!(seen >= 6, "only {seen} examples are found");
}

#[tokio::test]
async fn it_is_served() {
    let served = served().await;
    let answer = get(served.at, "/api/v1/openapi.json").await;
    assert_eq!((answer.status, answer.json()), (200, document()));
}
