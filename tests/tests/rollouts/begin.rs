//! Who may begin a rollout, and what is left out of it.

use geminus_tests::Guest;
use serde_json::json;

use crate::hall::{Hall, OFF, cells, version};

#[test]
fn a_pinned_twin_stays_with_its_version_also_over_a_restart() -> anyhow::Result<()> {
    let hall = Hall::start(
        "pin = [{ twins = \"cell-05\", version = \"=1.0.0\" }]\nrollout = { probation = { rows = 5, seconds = 1 } }",
    )?;
    hall.offer(&version("1.1.0", OFF)?)?;
    let view = hall.reach(1, "permanent")?;
    assert_eq!(view["twins"]["all"], 19, "{view}");
    let as_pinned = |hall: &Hall| {
        hall.seen("as pinned", |cell, tally| {
            let version = if cell == "cell-05" { "1.0.0" } else { "1.1.0" };
            tally["version"] == version && tally["trial"].is_null()
        })
    };
    as_pinned(&hall)?;
    let said = hall.refuses(&["start", "tally@1.1.0", "--twins", "cell-05"])?;
    assert!(said.contains("outside =1.0.0 of the site file; cell-05 runs tally@1.0.0"), "{said}");
    assert!(!said.contains("runs already"), "what others run is not its own: {said}");
    let said = hall.says(&["plan", "tally@1.1.0", "--twins", "cell-05"])?;
    assert!(said.contains("1: cell-05") && !said.contains("nothing runs"), "{said}");
    hall.pulse.wait(10)?;
    let hall = hall.restarted()?;
    as_pinned(&hall)?;
    hall.pulse.wait(10)?;
    let all = hall.host.get("/rollouts")?;
    assert_eq!(all["rollouts"].as_array().map(Vec::len), Some(1), "nothing is left to do: {all}");
    let (host, switches) = hall.switches()?;
    let stayed: Vec<&String> =
        switches.iter().filter(|(_, switch)| switch.is_none()).map(|(cell, _)| cell).collect();
    assert_eq!(stayed, ["cell-05"]);
    host.stop()
}

#[test]
fn a_second_rollout_is_told_of_the_first_and_changes_nothing() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", OFF)?)?;
    hall.offer(&version("1.2.0", OFF)?)?;
    hall.says(&["start", "tally@1.1.0", "--shadow-seconds", "600"])?;
    let before = hall.reach(1, "shadow")?;
    let (status, answer) =
        hall.host.post("/rollouts", &json!({ "plugin": "tally", "version": "1.2.0", "by": "test" }))?;
    assert_eq!(status, 409, "{answer}");
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("rollout 1 of this behavior is under way"), "{answer}");
    let said = hall.refuses(&["start", "tally@1.2.0"])?;
    assert!(said.contains("rollout 1 of this behavior is under way"), "{said}");
    let said = hall.says(&["plan", "tally@1.2.0"])?;
    assert!(said.contains("it would be refused") && said.contains("rollout 1 of this behavior"), "{said}");
    let after = hall.view(1)?;
    assert_eq!((&after["phase"], &after["phase_since"]), (&before["phase"], &before["phase_since"]));
    assert_eq!(hall.host.get("/rollouts")?["rollouts"].as_array().map(Vec::len), Some(1));
    hall.says(&["cancel", "1"])?;
    hall.reach(1, "cancelled")?;
    // What does not exist, and what makes no sense, is told before anything begins.
    for (words, says) in [
        (vec!["start", "tally@7.0.0"], "7.0.0"),
        (vec!["start", "telly@1.1.0"], "telly"),
        (vec!["start", "tally@1.1.0", "--twins", "sell-*"], "sell-*"),
        (vec!["start", "tally@1.1.0", "--canary-twins", "cell-77"], "cell-77"),
        (vec!["start", "tally@1.1.0", "--accept", "winding=1"], "winding"),
        (vec!["start", "tally@1.1.0", "--canary-share", "1.5"], "canary.share"),
    ] {
        let said = hall.refuses(&words)?;
        assert!(said.contains(says), "{words:?}: {said}");
    }
    assert_eq!(hall.host.get("/rollouts")?["rollouts"].as_array().map(Vec::len), Some(1));
    let (host, switches) = hall.switches()?;
    assert!(switches.values().all(Option::is_none), "nobody ever heard of it: {switches:?}");
    host.stop()
}

#[test]
fn a_version_that_may_do_more_waits_for_a_person() -> anyhow::Result<()> {
    let policy = |version: &str, top: f64| -> anyhow::Result<Guest> {
        Ok(Guest::hostile("tally", version)?.declares(|it| {
            it["kind"] = "command-policy".into();
            it["commands"] = json!([{ "name": "speed", "unit": "1", "minimum": 0.0, "maximum": top }]);
        }))
    };
    let hall =
        Hall::start_with("rollout = { probation = { rows = 5, seconds = 1 } }", &[policy("1.0.0", 1.0)?])?;
    hall.offer(&policy("1.1.0", 2.0)?)?;
    let entry = hall.host.entry("swap-refused", |entry| entry["plugin"] == "tally@1.1.0")?;
    let message = entry["message"].as_str().unwrap_or_default();
    assert!(message.contains("a person has to start the rollout") && message.contains("speed"), "{message}");
    hall.alone("1.0.0")?;
    assert_eq!(hall.host.get("/rollouts")?["rollouts"], json!([]));
    let said = hall.says(&["plan", "tally@1.1.0"])?;
    assert!(said.contains("widening") && said.contains("it would be begun"), "{said}");
    hall.says(&["start", "tally@1.1.0", "--probation-seconds", "1", "--by", "shift lead"])?;
    let view = hall.reach(1, "permanent")?;
    assert_eq!(view["diff"][0]["severity"], "widening", "{view}");
    hall.alone("1.1.0")?;
    hall.switches()?.0.stop()
}

#[test]
fn a_rollout_may_be_for_some_twins_only_and_they_keep_what_they_got() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", OFF)?)?;
    hall.says(&["start", "tally@1.1.0", "--twins", "cell-1*", "--probation-seconds", "1"])?;
    let view = hall.reach(1, "permanent")?;
    assert_eq!(view["twins"]["all"], 10, "{view}");
    let some = |hall: &Hall| {
        hall.seen("ten of them", |cell, tally| {
            let version = if cell.starts_with("cell-1") { "1.1.0" } else { "1.0.0" };
            tally["version"] == version && tally["trial"].is_null()
        })
    };
    some(&hall)?;
    hall.pulse.wait(10)?;
    let hall = hall.restarted()?;
    some(&hall)?;
    hall.pulse.wait(10)?;
    let (host, switches) = hall.switches()?;
    for cell in cells() {
        assert_eq!(switches[&cell].is_some(), cell.starts_with("cell-1"), "{cell}");
    }
    host.stop()
}

/// Its incumbent has had no row of it either, so there is nothing to wait for; and it is no canary while others send.
#[test]
fn a_twin_that_has_never_sent_holds_no_rollout_up() -> anyhow::Result<()> {
    let fed: Vec<String> = cells().into_iter().filter(|cell| cell != "cell-01").collect();
    let hall = Hall::start_feeding("arrivals = \"ignore\"", &[version("1.0.0", "")?], &fed)?;
    hall.offer(&version("1.1.0", OFF)?.declares(|it| it["warm_up_rows"] = 30.into()))?;
    let said = hall.says(&["plan", "tally@1.1.0", "--canary-count", "1"])?;
    assert!(said.contains("canary  1: cell-02"), "{said}");
    hall.says(&["start", "tally@1.1.0", "--probation-seconds", "1"])?;
    let view = hall.reach(1, "permanent")?;
    assert_eq!(view["twins"]["authoritative"], 20, "{view}");
    hall.seen("the new version", |_, tally| tally["version"] == "1.1.0" && tally["trial"].is_null())?;
    hall.host.stop()
}
