//! What a restart of the host, and a folder that has lost a file, make of versions.

use std::fs;

use geminus_tests::START_MS;
use serde_json::json;

use crate::hall::{Hall, OFF, version};

#[test]
fn what_failed_is_not_tried_again_by_itself_after_a_restart() -> anyhow::Result<()> {
    let hall = Hall::start(
        "rollout = { shadow = { rows = 10 }, acceptance = { difference = { sum = { absolute = 0.125 } } } }",
    )?;
    hall.offer(&version("1.1.0", OFF)?)?;
    hall.host.entry("swap-refused", |entry| entry["facts"]["rollout"] == 1)?;
    let plugins = hall.host.get("/plugins")?;
    let mut all = plugins["plugins"].as_array().into_iter().flatten();
    let tried = all.find(|one| one["version"] == "1.1.0").cloned().unwrap_or_default();
    assert_eq!(tried["failed_for"], json!(["tally"]), "{plugins}");
    hall.pulse.wait(10)?;
    let hall = hall.restarted()?;
    hall.alone("1.0.0")?;
    hall.pulse.wait(60)?;
    let all = hall.host.get("/rollouts")?;
    let list = all["rollouts"].as_array().cloned().unwrap_or_default();
    assert_eq!((list.len(), &list[0]["phase"]), (1, &"failed".into()), "{all}");
    // Its evidence is kept.
    let view = hall.view(1)?;
    assert!(view["evidence"]["worst"].as_array().is_some_and(|worst| !worst.is_empty()), "{view}");
    // A person may, and a better version goes by itself.
    hall.says(&["start", "tally@1.1.0", "--shadow-seconds", "600"])?;
    hall.reach(2, "shadow")?;
    hall.says(&["cancel", "2"])?;
    hall.reach(2, "cancelled")?;
    hall.offer(&version("1.2.0", "")?)?;
    hall.reach(3, "probation")?;
    hall.seen("the better one", |_, tally| tally["version"] == "1.2.0")?;
    let (host, switches) = hall.switches()?;
    assert!(switches.values().all(Option::is_none), "{switches:?}");
    host.stop()
}

#[test]
fn a_version_whose_file_is_gone_can_be_gone_back_to() -> anyhow::Result<()> {
    let hall = Hall::start("rollout = { probation = { rows = 5, seconds = 1 } }")?;
    hall.pulse.wait(5)?;
    hall.offer(&version("1.1.0", "")?)?;
    hall.reach(1, "permanent")?;
    for file in ["tally-1.0.0.wasm", "tally-1.1.0.wasm"] {
        fs::remove_file(hall.site.path("plugins").join(file))?;
    }
    hall.host.entry("plugin-gone", |entry| {
        entry["message"].as_str().is_some_and(|text| text.contains("tally-1.0.0.wasm"))
    })?;
    hall.says(&["start", "tally@1.0.0", "--probation-seconds", "1"])?;
    let view = hall.reach(2, "permanent")?;
    assert_eq!((&view["from"]["version"], &view["to"]["version"]), (&"1.1.0".into(), &"1.0.0".into()));
    hall.alone("1.0.0")?;
    hall.pulse.wait(5)?;
    let mark = |hall: &Hall| -> anyhow::Result<serde_json::Value> {
        Ok(hall.host.get(&format!("/twins/cell-07/history?points=a&from={START_MS}"))?["marks"].take())
    };
    let before = mark(&hall)?;
    assert_eq!(before.as_array().map(Vec::len), Some(2), "up and down: {before}");
    let hall = hall.restarted()?;
    hall.alone("1.0.0")?;
    hall.host.entry("plugin-revived", |_| true)?;
    let after = mark(&hall)?;
    let times = |marks: &serde_json::Value| -> Vec<serde_json::Value> {
        marks.as_array().into_iter().flatten().map(|mark| mark["time_ms"].clone()).collect()
    };
    assert_eq!(times(&after), times(&before), "a restart loses no mark: {before} {after}");
    // And up again, after a restart, by its digest.
    let digest = view["from"]["digest"].as_str().unwrap_or_default();
    hall.says(&["start", &format!("tally@{digest}"), "--probation-seconds", "1"])?;
    hall.reach(3, "permanent")?;
    hall.alone("1.1.0")?;
    let (host, switches) = hall.switches()?;
    assert!(switches.values().all(Option::is_none), "up, down and up again without a trace: {switches:?}");
    host.stop()
}
