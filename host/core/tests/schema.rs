//! The JSON Schema of the declaration, as authors in other languages read it, is the committed one.
//! `UPDATE_GENERATED=1` writes it anew.

use std::path::Path;

use geminus_core::Declaration;
use serde_json::Value;

fn made() -> Value {
    let mut schema = schemars::schema_for!(Declaration);
    schema.insert("title".to_owned(), "Declaration of a Geminus behavior".into());
    schema.to_value()
}

#[test]
fn the_schema_of_the_declaration_is_the_committed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/declaration.schema.json");
    let fresh = format!("{}\n", serde_json::to_string_pretty(&made()).expect("json"));
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, &fresh).expect("written");
    }
    let committed = std::fs::read_to_string(&path).expect("wit/declaration.schema.json");
    assert!(
        committed == fresh,
        "wit/declaration.schema.json is not what the code makes: run the tests with UPDATE_GENERATED=1 and commit it"
    );
}

#[test]
fn it_asks_for_what_the_reader_asks_for_and_for_nothing_unknown() {
    let schema = made();
    assert_eq!(schema["additionalProperties"], false);
    let required: Vec<&str> =
        schema["required"].as_array().expect("list").iter().filter_map(Value::as_str).collect();
    assert_eq!(required, ["declaration", "name", "version", "kind", "outputs", "state"]);
    let silent: Vec<&String> = schema["properties"]
        .as_object()
        .expect("members")
        .iter()
        .filter(|(_, member)| member["description"].as_str().is_none_or(str::is_empty))
        .map(|(name, _)| name)
        .collect();
    assert!(silent.is_empty(), "members that nobody explains: {silent:?}");
}
