//! JSON Schemas of what is asked and answered, made from the types: for the API's document and for editors.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use crate::{ForecastAsk, ForecastReport, Study, StudyReport};

/// JSON Schema (draft 2020-12) of a [`ForecastAsk`], every part written out in place.
#[must_use]
pub fn forecast_ask_schema() -> serde_json::Value {
    schema_of::<ForecastAsk>()
}

/// The same of a [`ForecastReport`].
#[must_use]
pub fn forecast_report_schema() -> serde_json::Value {
    schema_of::<ForecastReport>()
}

/// The same of a [`Study`].
#[must_use]
pub fn study_schema() -> serde_json::Value {
    schema_of::<Study>()
}

/// The same of a [`StudyReport`].
#[must_use]
pub fn study_report_schema() -> serde_json::Value {
    schema_of::<StudyReport>()
}

fn schema_of<T: JsonSchema>() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().root_schema_for::<T>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_stand_alone_and_say_what_is_needed() {
        for schema in [forecast_ask_schema(), forecast_report_schema(), study_schema(), study_report_schema()]
        {
            assert!(!schema.to_string().contains("$ref"), "{schema:#}");
            assert_eq!(schema["type"], "object");
        }
        assert_eq!(forecast_ask_schema()["required"], serde_json::json!(["horizon_s"]));
        assert_eq!(study_schema()["properties"]["scenarios"]["items"]["additionalProperties"], false);
    }
}
