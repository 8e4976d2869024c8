//! The JSON Schema of `site.toml`, made from the types: for editors, for the reference, and for the check of
//! unknown keys, which therefore cannot disagree with what is read.

use schemars::generate::SchemaSettings;

use super::Document;

/// JSON Schema (draft 2020-12) of `site.toml`, every part written out in place.
#[must_use]
pub fn site_schema() -> serde_json::Value {
    let mut generator =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    generator.root_schema_for::<Document>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_GENERATED=1` rewrites the file; it is what editors and the reference in the book read.
    #[test]
    fn the_generated_schema_is_the_committed_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/generated/site.schema.json");
        let fresh = format!("{}\n", serde_json::to_string_pretty(&site_schema()).expect("json"));
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/generated"))
                .expect("folder");
            std::fs::write(path, &fresh).expect("write");
        }
        let committed = std::fs::read_to_string(path).expect("docs/generated/site.schema.json");
        assert!(committed == fresh, "run the tests with UPDATE_GENERATED=1 and commit docs/generated");
    }
}
