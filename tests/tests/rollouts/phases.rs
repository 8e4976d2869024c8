//! Each phase is judged by what happens in it: by its own rows, and a canary by its own twins. And the version that runs
//! is answerable for what it does beside a candidate.

use serde_json::{Value, json};

use crate::hall::{Hall, OFF, TWINS, version};

/// A value that the field does not send by itself.
const POISON: f64 = 666.0;

impl Hall {
    /// Begins a rollout of 1.1.0 over the API.
    fn begin(&self, stages: &Value) -> anyhow::Result<()> {
        self.begin_of("1.1.0", stages)
    }
}

#[test]
fn good_rows_of_a_shadow_hide_no_bad_ones_of_a_canary() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", &format!("step offset=5 value={POISON}"))?)?;
    // A tenth of the rows may differ: of hundreds of rows in the shadow three are nothing, of twenty they are much.
    hall.begin(&json!({
        "promote": "manual", "shadow": { "rows": 20 },
        "canary": { "twins": ["cell-07"], "rows": 1_000_000, "seconds_max": 3_600 },
        "acceptance": { "rows_min": 20, "difference": { "sum": { "absolute": 0.125 } }, "exceed_share_max": 0.1 },
    }))?;
    hall.reach(1, "shadow")?;
    let view = hall.pass(1, 40)?;
    assert_eq!(view["evidence"]["twins"], TWINS, "{view}");
    hall.says(&["promote", "1"])?;
    hall.reach(1, "canary")?;
    hall.pulse.poison("cell-07", &[POISON; 3]);
    let view = hall.reach(1, "rolled-back")?;
    assert!(view["reason"].as_str().is_some_and(|reason| reason.contains("difference sum")), "{view}");
    assert_eq!(view["evidence"]["twins"], 1, "only the canary was looked at: {}", view["evidence"]);
    hall.alone("1.0.0")?;
    keeps_both_verdicts(&hall)?;
    let said = hall.says(&["status", "1"])?;
    assert!(said.contains("\nshadow from ") && said.contains(": pass\n"), "{said}");
    assert!(said.contains("verdict: fail") && said.contains("\nworst rows of "), "{said}");
    // The books have them too.
    let hall = hall.restarted()?;
    keeps_both_verdicts(&hall)?;
    hall.host.stop()
}

/// The shadow passed with all twins, the canary failed with one: the later verdict does not take the place of the earlier.
fn keeps_both_verdicts(hall: &Hall) -> anyhow::Result<()> {
    let view = hall.view(1)?;
    let phases = view["phases"].as_array().cloned().unwrap_or_default();
    let [shadow, canary] = phases.as_slice() else { anyhow::bail!("two phases were judged: {phases:?}") };
    for (phase, name, state, twins) in [(shadow, "shadow", "pass", TWINS), (canary, "canary", "fail", 1)] {
        assert_eq!((&phase["phase"], &phase["verdict"]["state"]), (&name.into(), &state.into()), "{phase}");
        let evidence = &phase["evidence"];
        assert_eq!(evidence["twins"], twins, "{evidence}");
        let list = |member: &str| evidence[member].as_array().cloned().unwrap_or_default();
        assert!(!list("outputs").is_empty() && !list("curves").is_empty(), "{evidence}");
        let points = |curve: &Value| curve["times_ms"].as_array().map_or(0, Vec::len);
        assert!(list("curves").iter().all(|curve| (1..=60).contains(&points(curve))), "{evidence}");
    }
    let worst = &canary["evidence"]["worst"][0];
    assert_eq!((&worst["twin"], &worst["output"]), (&"cell-07".into(), &"sum".into()), "{worst}");
    assert_eq!(shadow["until"], canary["since"], "one ends where the other begins");
    let list = hall.host.get("/rollouts")?["rollouts"][0]["phases"].take();
    assert!(list[0]["verdict"].is_object() && list[0]["evidence"].is_null(), "the list is brief: {list}");
    Ok(())
}

#[test]
fn a_canary_without_rows_proves_nothing_and_a_twin_that_went_silent_holds_nobody_up() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", OFF)?)?;
    hall.begin(&json!({
        "shadow": { "rows": 160, "seconds_max": 3_600 },
        "canary": { "twins": ["cell-07"], "rows": 5, "seconds_max": 3_600 },
    }))?;
    hall.reach(1, "shadow")?;
    hall.pulse.wait(10)?;
    hall.pulse.silence("cell-05");
    hall.pulse.silence("cell-07");
    // They have some rows of the shadow and get no more; the others have enough.
    hall.reach(1, "canary")?;
    hall.pulse.wait(60)?;
    let view = hall.reach(1, "canary")?;
    assert_eq!((&view["twins"]["rows_min"], &view["evidence"]["rows"]), (&0.into(), &0.into()), "{view}");
    hall.says(&["cancel", "1"])?;
    hall.reach(1, "cancelled")?;
    hall.host.stop()
}

#[test]
fn a_twin_that_broke_the_old_version_meanwhile_comes_back_after_a_rollback() -> anyhow::Result<()> {
    let hall = Hall::start_with(
        "arrivals = \"ignore\"",
        &[version("1.0.0", &format!("step trap twin=cell-07 value={POISON}"))?],
    )?;
    hall.offer(&version("1.1.0", OFF)?)?;
    hall.says(&["start", "tally@1.1.0", "--probation-seconds", "600"])?;
    hall.reach(1, "probation")?;
    hall.seen("in probation", |_, tally| tally["version"] == "1.1.0")?;
    hall.pulse.poison("cell-07", &[POISON]);
    let fault = hall.host.entry("behavior-fault", |entry| entry["twin"] == "cell-07")?;
    assert_eq!(fault["plugin"], "tally@1.0.0", "{fault}");
    hall.seen("still answered", |_, tally| tally["version"] == "1.1.0" && tally["state"] == "running")?;
    hall.pulse.wait(5)?;
    hall.says(&["rollback", "1"])?;
    hall.reach(1, "rolled-back")?;
    let apart = hall.host.entry("twin-apart", |entry| entry["twin"] == "cell-07")?;
    assert_eq!(apart["plugin"], "tally@1.0.0", "{apart}");
    assert!(apart["message"].as_str().is_some_and(|text| text.contains("trap")), "{apart}");
    hall.host.entry("twin-restarted", |entry| entry["twin"] == "cell-07")?;
    hall.alone("1.0.0")?;
    hall.host.stop()
}

#[test]
fn a_version_that_mends_what_the_old_one_cannot_do_is_not_held_to_it() -> anyhow::Result<()> {
    let hall =
        Hall::start_with("arrivals = \"ignore\"", &[version("1.0.0", "step trap twin=cell-07 from=5")?])?;
    hall.host.entry("twin-quarantined", |entry| entry["twin"] == "cell-07")?;
    hall.offer(&version("1.1.0", "")?)?;
    hall.begin(&json!({
        "shadow": { "rows": 20 }, "canary": { "twins": ["cell-07"], "rows": 20 },
        "probation": { "rows": 5, "seconds": 1 },
        "acceptance": { "difference": { "*": { "absolute": 0.125 } } },
    }))?;
    let view = hall.reach(1, "permanent")?;
    assert!(view["evidence"]["rows_unanswered"].as_u64() > Some(0), "{}", view["evidence"]);
    hall.alone("1.1.0")?;
    hall.host.stop()
}

#[test]
fn the_ladder_leaves_a_twin_alone_that_another_version_has_taken_over() -> anyhow::Result<()> {
    let hall = Hall::start_with(
        "arrivals = \"ignore\"\n\n[containment]\nrestart_wait_s = 15",
        &[version("1.0.0", &format!("step trap twin=cell-07 value={POISON}"))?],
    )?;
    hall.offer(&version("1.1.0", "")?)?;
    hall.pulse.wait(20)?;
    hall.pulse.poison("cell-07", &[POISON]);
    hall.host.entry("twin-apart", |entry| entry["twin"] == "cell-07")?;
    hall.begin(&json!({ "probation": { "rows": 1, "seconds": 1 } }))?;
    hall.reach(1, "permanent")?;
    hall.alone("1.1.0")?;
    // Longer than the ladder waits.
    hall.pulse.wait(400)?;
    let journal = hall.host.journal()?;
    let rungs = ["twin-restarted", "twin-quarantined"];
    let climbed: Vec<&Value> =
        journal.iter().filter(|entry| rungs.iter().any(|kind| entry["kind"] == *kind)).collect();
    assert!(climbed.is_empty(), "it is well: {climbed:?}");
    hall.alone("1.1.0")?;
    hall.host.stop()
}
