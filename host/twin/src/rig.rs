//! A small site for tests: one type, two plugins of which the second needs the first, no files but the types.

use std::path::Path;
use std::sync::Arc;

use geminus_core::{Declaration, SeriesId};
use serde_json::json;

use crate::{Plant, Problems, Site};

const TYPE: &str = r#"{
    "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
    "@id": "dtmi:t:Rig;1", "@type": "Interface", "displayName": "Rig", "contents": [
        {"@type": ["Telemetry", "Temperature"], "name": "hot", "schema": "double", "unit": "degreeCelsius"},
        {"@type": ["Telemetry", "Current"], "name": "load", "schema": "double", "unit": "milliampere"},
        {"@type": "Telemetry", "name": "shake", "schema": "double"},
        {"@type": "Property", "name": "running", "schema": "boolean"},
        {"@type": "Telemetry", "name": "wave", "schema": {"@type": "Array", "elementSchema": "double"}}]}"#;

/// Twins, sources and the two behaviors of most tests.
pub(crate) const SITE: &str = r#"
[[source]]
name = "field"
mqtt = { url = "mqtt://127.0.0.1:1883" }
[[twin]]
id = "rig-{1..2}"
type = "dtmi:t:Rig;1"
[[bind]]
source = "field"
topic = "rig/{twin}/{point}"
[[behavior]]
name = "judge"
plugin = "judge"
inputs = { inside = "core.inside", sure = "core.inside_deviation" }
[[behavior]]
name = "core"
plugin = "core"
"#;

/// `core` estimates `inside` from `hot` (event) and `load` (held, in ampere); `judge` needs what `core` says.
pub(crate) fn declarations() -> Vec<Declaration> {
    let state = json!({"schema": 0, "reads": [], "writes": []});
    let core = json!({
        "declaration": 1, "name": "core", "version": "1.2.0", "kind": "estimator", "state": state, "ages": true,
        "inputs": [
            {"name": "hot", "unit": "K", "arrival": "event"},
            {"name": "load", "unit": "A"},
            {"name": "spare", "unit": "V", "required": false}],
        "outputs": [
            {"name": "inside", "unit": "K", "role": "estimate", "of": "hot"},
            {"name": "inside_deviation", "unit": "K", "role": "deviation", "of": "inside"}],
        "parameters": {"type": "object", "additionalProperties": false,
            "properties": {"gain": {"type": "number", "minimum": 0, "default": 0.5}}},
        "alerts": [{"code": "too-hot", "priority": "high", "text": "too hot", "unit": "K"},
            {"code": "odd", "priority": "low", "text": "odd"}],
        "warm_up_rows": 2
    });
    let judge = json!({
        "declaration": 1, "name": "judge", "version": "1.0.0", "kind": "health-rule", "state": state,
        "inputs": [{"name": "inside", "unit": "Cel"}, {"name": "sure", "unit": "[degF]"},
            {"name": "shake", "unit": "1"}],
        "outputs": [{"name": "index", "unit": "1", "role": "health-index"}],
    });
    let older = {
        let mut older = core.clone();
        older["version"] = json!("1.1.9");
        older
    };
    let parsed =
        [older, judge, core].map(|json| Declaration::parse(json.to_string().as_bytes()).expect("valid"));
    parsed.into()
}

/// The site of `toml`, with the types folder in place.
pub(crate) fn site(toml: &str) -> Result<Site, Problems> {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::create_dir(folder.path().join("types")).expect("types");
    std::fs::write(folder.path().join("types/rig.json"), TYPE).expect("type");
    let mut site = Site::parse(&folder.path().join("site.toml"), toml)?;
    // Messages name the file: a short name makes them comparable.
    site.path = Path::new("site.toml").to_owned();
    Ok(site)
}

/// The plant of `toml`; series are numbered from 100.
pub(crate) fn plant(toml: &str) -> Result<Arc<Plant>, Problems> {
    let mut next = 99;
    let mut number = |_: &str, _: &str| {
        next += 1;
        Ok(SeriesId(next))
    };
    Plant::resolve(&site(toml)?, &declarations(), &mut number).map(Arc::new)
}
