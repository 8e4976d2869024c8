//! State is carried, or nothing changes: no twin starts cold unless the plan says that it may, and then the journal says
//! so before there is no way back.

use serde_json::{Value, json};

use crate::hall::{Hall, cells, version};

/// The way of a rollout that is judged by little.
const BRIEF: [&str; 4] = ["--shadow-rows", "5", "--probation-seconds", "1"];

#[test]
fn a_state_that_is_refused_for_one_twin_stops_the_rollout_before_any_twin_has_changed() -> anyhow::Result<()>
{
    let hall = Hall::start("arrivals = \"ignore\"")?;
    // What it saves right after opening it takes back; what the twin has by now it does not.
    hall.offer(&version("1.1.0", "restore fault twin=cell-07 from=5")?)?;
    hall.pulse.wait(5)?;
    // Leave to start cold is no leave to throw a state away that could be handed over.
    for (id, more) in [(1, &[][..]), (2, &["--cold-start"][..])] {
        hall.says(&[&["start", "tally@1.1.0"], &BRIEF[..], more].concat())?;
        let view = hall.reach(id, "failed")?;
        let reason = view["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("cell-07") && reason.contains("on request"), "{reason}");
        let entered: Vec<&Value> = view["history"].as_array().into_iter().flatten().collect();
        assert!(entered.iter().all(|step| step["phase"] != "shadow"), "it ends while raising: {entered:?}");
        hall.alone("1.0.0")?;
    }
    let cold = hall.host.journal()?.into_iter().find(|entry| entry["kind"] == "cold-start");
    assert!(cold.is_none(), "{cold:?}");
    hall.pulse.wait(5)?;
    let (host, switches) = hall.switches()?;
    assert!(
        switches.values().all(Option::is_none),
        "every row as the old version alone has it: {switches:?}"
    );
    host.stop()
}

/// The running version has lost a twin: it cannot save it any more, and what it saved before is in a schema that the other
/// version does not read.
#[test]
fn a_twin_whose_state_is_lost_starts_cold_only_where_the_plan_lets_it() -> anyhow::Result<()> {
    let newer = version("2.0.0", "schema=2; snapshot trap twin=cell-07 from=20")?
        .declares(|it| it["state"] = json!({ "schema": 2, "reads": [1, 2], "writes": [1, 2] }));
    let hall = Hall::start_with("arrivals = \"ignore\"\n\n[containment]\nrestart_wait_s = 3600", &[newer])?;
    hall.host.entry("twin-apart", |entry| entry["twin"] == "cell-07")?;
    hall.offer(&version("1.1.0", "")?)?;
    hall.says(&[&["start", "tally@1.1.0"], &BRIEF[..]].concat())?;
    let view = hall.reach(1, "failed")?;
    let reason = view["reason"].as_str().unwrap_or_default();
    for part in ["cell-07", "tally@1.1.0", "tally@2.0.0", "schema 1", "cold_start"] {
        assert!(reason.contains(part), "{part:?} is not in {reason:?}");
    }
    hall.seen("the old version", |cell, tally| {
        tally["version"] == "2.0.0"
            && tally["trial"].is_null()
            && (cell == "cell-07") == (tally["state"] != "running")
    })?;
    let cold = hall.host.journal()?.into_iter().find(|entry| entry["kind"] == "cold-start");
    assert!(cold.is_none(), "{cold:?}");

    hall.says(&["start", "tally@1.1.0", "--cold-start", "--shadow-rows", "5", "--probation-seconds", "600"])?;
    hall.reach(2, "probation")?;
    let told = hall.host.entry("cold-start", |entry| entry["plugin"] == "tally@1.1.0")?;
    assert!(
        told["message"].as_str().is_some_and(|text| text.contains("1 twins of tally start cold")),
        "{told}"
    );
    hall.seen("the new version", |_, tally| tally["version"] == "1.1.0" && tally["state"] == "running")?;
    hall.pulse.wait(5)?;
    // The others were carried: only the one that was lost counts from nothing.
    let counts = |cell: &String| -> anyhow::Result<f64> {
        let twin = hall.host.get(&format!("/twins/{cell}"))?;
        let points = twin["estimated"].as_array().cloned().unwrap_or_default();
        let count = points.iter().find(|point| point["name"] == "tally.count");
        Ok(count.and_then(|point| point["value"].as_f64()).unwrap_or_default())
    };
    let lost = counts(&"cell-07".to_owned())?;
    for cell in cells().iter().filter(|cell| *cell != "cell-07") {
        let all = counts(cell)?;
        assert!(all >= lost + 20.0, "{cell}: {all} rows, cell-07: {lost}");
    }
    hall.host.stop()
}
