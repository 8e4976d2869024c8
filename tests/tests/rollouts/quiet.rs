//! Twins that send nothing while a version is tried: nobody is made to wait for them without need, and nothing is made
//! permanent because of them. And rows that come thick and fast while rollouts settle.

use anyhow::ensure;
use geminus_tests::wait_for;
use serde_json::json;

use crate::hall::{Hall, OFF, SOON, TWINS, cells, version};

impl Hall {
    /// Waits until so many cells are stale.
    fn stale(&self, count: usize) -> anyhow::Result<()> {
        wait_for(&format!("{count} stale cells"), SOON, || {
            let total = self.host.get("/twins?state=stale&limit=1")?["total"].take();
            ensure!(total == count, "{total} are");
            Ok(Some(()))
        })
    }

    /// Waits until the reason of a rollout in this phase says so.
    fn says_why(&self, id: u64, phase: &str, words: &str) -> anyhow::Result<()> {
        wait_for(&format!("rollout {id} to say {words:?} in {phase}"), SOON, || {
            let view = self.view(id)?;
            let says = view["reason"].as_str().is_some_and(|reason| reason.contains(words));
            ensure!(
                view["phase"] == phase && says,
                "{}: {}; {}",
                view["phase"],
                view["reason"],
                view["twins"]
            );
            Ok(Some(()))
        })
    }
}

#[test]
fn a_named_canary_that_sends_nothing_holds_its_phase_up_and_is_named() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", OFF)?)?;
    hall.offer(&version("1.2.0", OFF)?)?;
    hall.pulse.silence("cell-07");
    hall.stale(1)?;
    let canary = |seconds_max: u64| {
        json!({
            "canary": { "twins": ["cell-06", "cell-07"], "rows": 40, "seconds_max": seconds_max },
            "probation": { "rows": 5, "seconds": 1 },
        })
    };
    hall.begin_of("1.1.0", &canary(3_600))?;
    let words = "it waits for canary twins that send nothing: cell-07 (0 of 40 rows)";
    hall.says_why(1, "canary", words)?;
    // The other one has its rows, and every check passes.
    hall.pulse.wait(100)?;
    let view = hall.reach(1, "canary")?;
    ensure!(view["verdict"]["state"] == "pass" && view["twins"]["rows_min"] == 0, "{view}");
    let said = hall.says(&["status", "1"])?;
    ensure!(said.contains(words), "{said}");
    hall.pulse.speak("cell-07");
    hall.reach(1, "permanent")?;
    hall.alone("1.1.0")?;
    // One that stays quiet ends it, at its time and not before.
    hall.pulse.silence("cell-07");
    hall.stale(1)?;
    hall.begin_of("1.2.0", &canary(8))?;
    let view = hall.reach(2, "rolled-back")?;
    ensure!(view["reason"] == format!("canary did not pass within 8 s: {words}"), "{view}");
    hall.alone("1.1.0")?;
    let (host, switches) = hall.switches()?;
    ensure!(switches.values().all(Option::is_some), "{switches:?}");
    host.stop()
}

#[test]
fn a_twin_that_is_stale_at_promotion_gets_the_version_when_that_is_permanent() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.pulse.silence("cell-05");
    hall.stale(1)?;
    let before = hall.pulse.sent("cell-05").iter().flatten().count();
    // It wants more rows than that twin has had, and fewer than the others will have soon.
    let warm_up_rows = before + 60;
    hall.offer(&version("1.1.0", OFF)?.declares(|it| it["warm_up_rows"] = warm_up_rows.into()))?;
    hall.begin_of("1.1.0", &json!({ "warm_up_seconds_max": 30, "probation": { "rows": 5, "seconds": 1 } }))?;
    hall.says_why(1, "promoting", "not warm for 1 twins, which send nothing")?;
    hall.seen("promoted where it is warm", |cell, tally| {
        (tally["version"] == "1.1.0") == (cell != "cell-05")
    })?;
    let view = hall.reach(1, "permanent")?;
    let steps = view["history"].as_array().cloned().unwrap_or_default();
    let says = |words: &str| {
        let mut reasons = steps.iter().filter_map(|step| step["reason"].as_str());
        reasons.any(|reason| reason.contains(words))
    };
    ensure!(says("answers for 19 of 20 twins; the others have gone stale"), "{steps:?}");
    hall.seen("1.1.0", |_, tally| tally["version"] == "1.1.0" && tally["trial"].is_null())?;
    // It has taken that twin too, and its first row after the silence is the new version's.
    hall.pulse.speak("cell-05");
    hall.pulse.wait(20)?;
    let (host, switches) = hall.switches()?;
    ensure!(switches["cell-05"] == Some(before), "{before}: {switches:?}");
    ensure!(switches.values().all(Option::is_some), "{switches:?}");
    host.stop()
}

#[test]
fn a_version_that_nobody_has_seen_at_work_is_taken_back() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", OFF)?.declares(|it| it["warm_up_rows"] = 1_000_000.into()))?;
    hall.offer(&version("1.2.0", OFF)?)?;
    hall.pulse.pause();
    hall.stale(TWINS)?;
    // It becomes warm for nobody.
    hall.begin_of("1.1.0", &json!({ "warm_up_seconds_max": 3, "probation": { "rows": 1, "seconds": 1 } }))?;
    let view = hall.reach(1, "rolled-back")?;
    let reason = view["reason"].as_str().unwrap_or_default();
    ensure!(reason.contains("answers for 0 of 20 twins") && reason.contains("; 20 send nothing"), "{view}");
    // It answers for all, and nobody asks.
    hall.begin_of("1.2.0", &json!({ "probation": { "rows": 1, "seconds": 1, "seconds_max": 3 } }))?;
    let view = hall.reach(2, "rolled-back")?;
    let reason = view["reason"].as_str().unwrap_or_default();
    ensure!(reason.starts_with("no row of any twin was compared"), "{view}");
    hall.pulse.resume();
    hall.pulse.wait(10)?;
    hall.alone("1.0.0")?;
    let (host, switches) = hall.switches()?;
    ensure!(switches.values().all(Option::is_none), "{switches:?}");
    host.stop()
}

#[test]
fn no_row_is_lost_or_doubled_where_rollouts_settle_under_load() -> anyhow::Result<()> {
    const ROLLOUTS: u64 = 6;
    let hall = Hall::start_at(100, "arrivals = \"ignore\"", &[version("1.0.0", "")?])?;
    // All but the last answer alike, so that every row tells whether a state was left behind.
    for number in 1..=ROLLOUTS {
        let name = format!("1.{number}.0");
        hall.offer(&version(&name, if number == ROLLOUTS { OFF } else { "" })?)?;
        hall.begin_of(&name, &json!({ "probation": { "rows": 1, "seconds": 1 } }))?;
        let at = hall.pulse.done();
        hall.reach(number, "permanent")?;
        ensure!(hall.pulse.done() > at, "no rows came while it settled");
        hall.alone(&name)?;
    }
    hall.pulse.wait(50)?;
    let marks =
        hall.host.get(&format!("/twins/cell-07/history?points=a&from={}", geminus_tests::START_MS))?;
    let marks = marks["marks"].as_array().cloned().unwrap_or_default();
    ensure!(marks.len() as u64 == ROLLOUTS, "{marks:?}");
    let sent = cells().iter().map(|cell| hall.pulse.sent(cell).len()).min().unwrap_or_default();
    let (host, switches) = hall.switches()?;
    for (cell, switch) in &switches {
        ensure!(switch.is_some_and(|switch| switch > 0 && switch < sent), "{cell}: {switch:?} of {sent}");
    }
    host.stop()
}
