//! The OpenAPI document: whole, valid, and about the router that there is.

use std::collections::BTreeSet;

use geminus_api::{openapi, routes};
use serde_json::Value;

use crate::client::get;
use crate::fake::{FakeHouse, served};
use crate::schema::resolve;

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
        assert!(responses.keys().any(|status| status.starts_with('2')), "{at}");
        if path.starts_with("/api/v1/") {
            for status in ["400", "403", "500", "503"] {
                let schema = &responses[status]["content"]["application/json"]["schema"];
                assert_eq!(schema["$ref"], "#/components/schemas/ErrorView", "{at} {status}");
            }
        }
        let secured = operation.get("security").is_some();
        assert_eq!(secured, method != "get", "{at}: what writes needs the token");
        assert_eq!(responses.contains_key("401"), secured, "{at}");
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
        ("/api/v1/journal", &["limit", "before", "twin"]),
        ("/api/v1/events", &["twins", "last_event_id"]),
    ] {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().expect("parameters");
        let named = parameters.iter().filter(|one| one["in"] == "query").map(|one| one["name"].as_str());
        assert_eq!(named.flatten().collect::<Vec<_>>(), known, "{path}");
    }
}

#[tokio::test]
async fn it_is_served() {
    let served = served().await;
    let answer = get(served.at, "/api/v1/openapi.json").await;
    assert_eq!((answer.status, answer.json()), (200, document()));
}
