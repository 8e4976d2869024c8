//! What files that arrive do to a rollout that is under way, and to what a person has decided.

use anyhow::ensure;
use geminus_tests::Guest;
use serde_json::json;

use crate::hall::{Hall, cells, version};

fn rollouts(hall: &Hall) -> anyhow::Result<usize> {
    Ok(hall.host.get("/rollouts")?["rollouts"].as_array().map_or(0, Vec::len))
}

#[test]
fn what_a_person_cancels_for_a_pinned_twin_is_not_begun_again_by_itself() -> anyhow::Result<()> {
    let hall = Hall::start_with(
        "pin = [{ twins = \"cell-05\", version = \"~1.0.0\" }]\nrollout = { shadow = { seconds = 600 } }",
        &[version("1.0.0", "")?, version("1.1.0", "")?],
    )?;
    let pinned_to = |hall: &Hall, own: &str| {
        hall.seen("as pinned", |cell, tally| {
            tally["version"] == if cell == "cell-05" { own } else { "1.1.0" } && tally["trial"].is_null()
        })
    };
    pinned_to(&hall, "1.0.0")?;
    hall.offer(&version("1.0.1", "")?)?;
    let view = hall.reach(1, "shadow")?;
    ensure!(view["twins"]["all"] == 1 && view["from"]["version"] == "1.0.0", "{view}");
    hall.says(&["cancel", "1"])?;
    hall.reach(1, "cancelled")?;
    hall.pulse.wait(40)?;
    ensure!(rollouts(&hall)? == 1, "it was begun again");
    let hall = hall.restarted()?;
    pinned_to(&hall, "1.0.0")?;
    hall.pulse.wait(40)?;
    ensure!(rollouts(&hall)? == 1, "it was begun again after a restart");
    // At a person's word it is.
    hall.says(&["start", "tally@1.0.1", "--twins", "cell-05", "--probation-seconds", "1"])?;
    hall.reach(2, "permanent")?;
    pinned_to(&hall, "1.0.1")?;
    hall.switches()?.0.stop()
}

#[test]
fn all_twins_of_a_pin_get_a_version_that_arrives_in_one_rollout() -> anyhow::Result<()> {
    let pinned = ["cell-05", "cell-06", "cell-07"];
    let hall = Hall::start_with(
        "pin = [{ twins = \"cell-0[567]\", version = \"~1.0.0\" }]\nrollout = { probation = { rows = 5, seconds = 1 } }",
        &[version("1.0.0", "")?, version("1.1.0", "")?],
    )?;
    let pinned_to = |own: &str| {
        hall.seen("as pinned", |cell, tally| {
            tally["version"] == if pinned.contains(&cell) { own } else { "1.1.0" } && tally["trial"].is_null()
        })
    };
    pinned_to("1.0.0")?;
    hall.offer(&version("1.0.1", "")?)?;
    let view = hall.reach(1, "permanent")?;
    ensure!(view["twins"]["all"] == 3, "{view}");
    pinned_to("1.0.1")?;
    hall.pulse.wait(40)?;
    ensure!(rollouts(&hall)? == 1, "nothing was left to do");
    hall.host.stop()
}

#[test]
fn a_file_that_would_be_refused_ends_nothing_and_a_good_one_is_not_held_up_by_it() -> anyhow::Result<()> {
    let policy = |version: &str, top: f64| -> anyhow::Result<Guest> {
        Ok(Guest::hostile("tally", version)?.declares(|it| {
            it["kind"] = "command-policy".into();
            it["commands"] = json!([{ "name": "speed", "unit": "1", "minimum": 0.0, "maximum": top }]);
        }))
    };
    let hall = Hall::start_with("rollout = { shadow = { seconds = 600 } }", &[policy("1.0.0", 1.0)?])?;
    hall.offer(&policy("1.0.1", 1.0)?)?;
    hall.reach(1, "shadow")?;
    // One that asks for more than a file may begin, and one that cannot run here at all.
    hall.offer(&policy("1.2.0", 2.0)?)?;
    hall.offer(
        &policy("1.3.0", 1.0)?.declares(|it| it["outputs"] = json!([{ "name": "total", "unit": "1" }])),
    )?;
    // The same file under another name is being tried already.
    geminus_tests::drop_bytes(&hall.site.path("plugins"), "tally-again", &policy("1.0.1", 1.0)?.bytes()?)?;
    hall.pulse.wait(20)?;
    let view = hall.view(1)?;
    ensure!(view["phase"] == "shadow" && rollouts(&hall)? == 1, "{view}");
    // A lower one that is good takes the place, and the others are refused by name.
    hall.offer(&policy("1.1.0", 1.0)?)?;
    hall.reach(1, "cancelled")?;
    let view = hall.reach(2, "shadow")?;
    ensure!(view["to"]["version"] == "1.1.0", "{view}");
    for refused in ["tally@1.2.0", "tally@1.3.0"] {
        hall.host.entry("swap-refused", |entry| entry["plugin"] == refused)?;
    }
    hall.says(&["cancel", "2"])?;
    hall.alone("1.0.0")?;
    hall.switches()?.0.stop()
}

#[test]
fn a_twin_with_a_version_of_its_own_is_taken_along_with_its_own_state() -> anyhow::Result<()> {
    // Version 2 has another schema of state, can write the older one, and reads both.
    let second = |number: &str| -> anyhow::Result<Guest> {
        Ok(version(number, "schema=2")?
            .declares(|it| it["state"] = json!({ "schema": 2, "reads": [1, 2], "writes": [1, 2] })))
    };
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&second("2.0.0")?)?;
    hall.offer(&second("2.1.0")?)?;
    let begin = |number: u64, words: &[&str]| {
        hall.says(&[&["start"], words, &["--probation-seconds", "1"]].concat())?;
        hall.reach(number, "permanent")
    };
    begin(1, &["tally@2.0.0"])?;
    let down = begin(2, &["tally@1.0.0", "--twins", "cell-05"])?;
    ensure!(down["from"]["version"] == "2.0.0", "{down}");
    hall.pulse.wait(5)?;
    let all = begin(3, &["tally@2.1.0"])?;
    ensure!(all["twins"]["all"] == cells().len() && all["from"]["version"] == "2.0.0", "{all}");
    hall.alone("2.1.0")?;
    // Alone it is measured against what it runs.
    begin(4, &["tally@1.0.0", "--twins", "cell-05"])?;
    let up = begin(5, &["tally@2.0.0", "--twins", "cell-05"])?;
    ensure!(up["from"]["version"] == "1.0.0", "{up}");
    let cold = hall.host.journal()?.into_iter().find(|entry| entry["kind"] == "cold-start");
    ensure!(cold.is_none(), "{cold:?}");
    hall.pulse.wait(5)?;
    // Every row counts on from the one before, in every version.
    let (host, switches) = hall.switches()?;
    ensure!(switches.values().all(Option::is_none), "{switches:?}");
    host.stop()
}
