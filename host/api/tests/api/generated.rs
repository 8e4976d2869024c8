//! What is committed in docs/generated is what the code makes. `UPDATE_GENERATED=1` writes it anew.

use std::path::Path;

fn check(name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/generated").join(name);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::create_dir_all(path.parent().expect("folder")).expect("folder");
        std::fs::write(&path, made).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "docs/generated/{name} is not what the code makes: run the tests with UPDATE_GENERATED=1 and commit it"
    );
}

#[test]
fn the_openapi_document_is_up_to_date() {
    check("openapi.json", &geminus_api::openapi::json());
}

#[test]
fn the_list_of_metrics_is_up_to_date() {
    check("metrics.md", &geminus_api::metrics::catalogue::markdown());
}
