//! Every way back: a verdict, a trap, a person before and after the change. The incumbent goes on as if nothing had
//! been, and no row lacks its answer.

use std::collections::BTreeMap;

use geminus_tests::{
    Broker, Host, PATIENCE, Rounds, START_MS, SiteFolder, answered, rebuild, tally, wait_for,
};
use serde_json::Value;

use crate::hall::{Hall, OFF, cells, version};

/// A value that the field does not send by itself.
const POISON: f64 = 666.0;

impl Hall {
    /// Stops the field: every row of every cell was answered as the incumbent alone answers it.
    fn leaves_no_trace(self) -> anyhow::Result<()> {
        self.alone("1.0.0")?;
        self.pulse.wait(5)?;
        let sent = self.pulse.stop()?;
        for cell in cells() {
            answered(&self.host, &cell, "tally", &tally(&sent[&cell]))?;
        }
        self.host.stop()
    }
}

#[test]
fn wrong_answers_fail_in_the_shadow_and_the_verdict_names_the_output() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", OFF)?)?;
    let said =
        hall.refuses(&["start", "tally@1.1.0", "--shadow-rows", "20", "--accept", "sum=0.125", "--watch"])?;
    assert!(said.contains("rollout 1 ended as failed: difference sum: "), "{said}");
    let view = hall.view(1)?;
    let checks = view["verdict"]["checks"].as_array().cloned().unwrap_or_default();
    let failed: Vec<&Value> = checks.iter().filter(|check| check["state"] == "fail").collect();
    assert_eq!(failed.len(), 1, "{checks:?}");
    assert_eq!(
        (&failed[0]["name"], &failed[0]["value"]),
        (&"difference sum".into(), &1.0.into()),
        "{failed:?}"
    );
    assert_eq!(
        (&view["evidence"]["worst"][0]["output"], &view["evidence"]["worst"][0]["times_limit"]),
        (&"sum".into(), &2.0.into())
    );
    let entry = hall.host.entry("swap-refused", |entry| entry["plugin"] == "tally@1.1.0")?;
    let message = entry["message"].as_str().unwrap_or_default();
    assert!(message.contains("difference sum") && message.ends_with("tally@1.0.0 goes on"), "{message}");
    let said = hall.says(&["status", "1"])?;
    assert!(said.contains("verdict: fail") && said.contains("worst rows of "), "{said}");
    hall.leaves_no_trace()
}

#[test]
fn a_version_that_traps_for_a_canary_is_taken_back_and_the_row_is_answered() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", &format!("step trap twin=cell-07 value={POISON}"))?)?;
    hall.says(&["start", "tally@1.1.0", "--canary-twins", "cell-07", "--canary-seconds", "600"])?;
    hall.reach(1, "canary")?;
    hall.seen("one canary", |cell, tally| (tally["version"] == "1.1.0") == (cell == "cell-07"))?;
    hall.pulse.wait(5)?;
    hall.pulse.poison("cell-07", &[POISON]);
    let view = hall.reach(1, "rolled-back")?;
    let fault = &view["evidence"]["faults"][0];
    assert_eq!((&fault["twin"], &fault["kind"]), (&"cell-07".into(), &"trap".into()), "{fault}");
    let reason = view["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("faults: ") && reason.contains(" of cell-07: trap: "), "{reason}");
    let entry = hall.host.entry("rollout-rolled-back", |entry| entry["facts"]["rollout"] == 1)?;
    assert!(entry["message"].as_str().is_some_and(|text| text.contains("unreachable")), "{entry}");
    hall.leaves_no_trace()
}

/// A plan may forgive some faults: each costs no row, the twin goes back to the old version and comes again later, and one
/// too many ends it all.
#[test]
fn faults_are_forgiven_as_often_as_the_plan_says() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", &format!("step trap twin=cell-07 value={POISON}"))?)?;
    let plan = serde_json::json!({
        "plugin": "tally", "version": "1.1.0", "by": "test",
        "stages": {
            "promote": "manual", "shadow": { "rows": 20 },
            "canary": { "twins": ["cell-07"], "rows": 1_000_000, "seconds_max": 3_600 },
            "acceptance": { "faults_max": 2, "difference": { "*": { "absolute": 0.0 } } },
        },
    });
    let (status, answer) = hall.host.post("/rollouts", &plan)?;
    assert_eq!(status, 201, "{answer}");
    let fails = |count: u64, phase: &str| {
        hall.pulse.poison("cell-07", &[POISON]);
        wait_for(&format!("fault {count}"), PATIENCE, || {
            let view = hall.view(1)?;
            let found = &view["evidence"]["faults_total"];
            anyhow::ensure!(*found == count, "{found}");
            anyhow::ensure!(view["phase"] == phase, "{}: {}", view["phase"], view["reason"]);
            Ok(Some(view))
        })
    };
    hall.reach(1, "shadow")?;
    hall.pulse.wait(5)?;
    fails(1, "shadow")?;
    // It has no rows for a while, and then as many as the others again.
    hall.pulse.wait(60)?;
    let view = hall.pass(1, 40)?;
    let checks = view["verdict"]["checks"].as_array().cloned().unwrap_or_default();
    let faults = checks.iter().find(|check| check["name"] == "faults").cloned().unwrap_or_default();
    assert_eq!((&faults["state"], &faults["value"]), (&"pass".into(), &1.0.into()), "{faults}");

    hall.says(&["promote", "1"])?;
    hall.reach(1, "canary")?;
    let counts = |hall: &Hall| {
        hall.seen("one canary", |cell, tally| (tally["version"] == "1.1.0") == (cell == "cell-07"))
    };
    counts(&hall)?;
    fails(2, "canary")?;
    counts(&hall)?;
    hall.pulse.poison("cell-07", &[POISON]);
    let view = hall.reach(1, "rolled-back")?;
    assert!(view["reason"].as_str().is_some_and(|reason| reason.contains("faults: ")), "{view}");
    assert_eq!(view["evidence"]["faults_total"], 3, "{view}");
    hall.leaves_no_trace()
}

/// What a shard knows by now counts, not what the host looked at last.
#[test]
fn a_version_that_has_just_failed_is_not_promoted() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", &format!("step trap twin=cell-07 value={POISON}"))?)?;
    for rollout in 1..=3 {
        hall.says(&["start", "tally@1.1.0", "--probation-seconds", "600"])?;
        hall.reach(rollout, "probation")?;
        hall.pulse.wait(3)?;
        hall.pulse.poison("cell-07", &[POISON]);
        wait_for("the fault", PATIENCE, || {
            let fell = hall.host.behavior("cell-07", "tally")?["version"] == "1.0.0";
            Ok(fell.then_some(()))
        })?;
        let by = serde_json::json!({ "by": "shift lead" });
        let (status, answer) = hall.host.post(&format!("/rollouts/{rollout}/promote"), &by)?;
        assert_eq!(status, 409, "{answer}");
        hall.reach(rollout, "rolled-back")?;
    }
    hall.leaves_no_trace()
}

#[test]
fn a_rollout_is_cancelled_in_the_shadow() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", OFF)?)?;
    hall.says(&["start", "tally@1.1.0", "--shadow-seconds", "600"])?;
    hall.reach(1, "shadow")?;
    hall.pulse.wait(5)?;
    hall.says(&["cancel", "1", "--by", "shift lead"])?;
    let view = hall.reach(1, "cancelled")?;
    assert_eq!(view["reason"], "cancelled by shift lead");
    hall.host.entry("rollout-cancelled", |entry| entry["facts"]["rollout"] == 1)?;
    assert!(hall.refuses(&["promote", "1"])?.contains("rollout 1 has ended: cancelled"));
    hall.leaves_no_trace()
}

#[test]
fn what_a_person_cancels_is_not_begun_again_by_itself() -> anyhow::Result<()> {
    let hall =
        Hall::start("rollout = { shadow = { seconds = 600 }, probation = { rows = 5, seconds = 1 } }")?;
    hall.offer(&version("1.1.0", OFF)?)?;
    hall.reach(1, "shadow")?;
    hall.says(&["cancel", "1"])?;
    hall.reach(1, "cancelled")?;
    hall.pulse.wait(40)?;
    let hall = hall.restarted()?;
    hall.alone("1.0.0")?;
    hall.pulse.wait(40)?;
    let all = hall.host.get("/rollouts")?;
    assert_eq!(all["rollouts"].as_array().map(Vec::len), Some(1), "{all}");
    // At a person's word it is.
    hall.says(&["start", "tally@1.1.0", "--probation-seconds", "1"])?;
    hall.reach(2, "permanent")?;
    hall.alone("1.1.0")?;
    hall.switches()?.0.stop()
}

/// `geminus rollout …` at a host whose site is this.
fn order(host: &Host, site: &SiteFolder, words: &[&str]) -> anyhow::Result<std::process::Output> {
    let url = format!("http://127.0.0.1:{}", host.port);
    let mut command = std::process::Command::new(geminus_tests::geminus()?);
    command.arg("rollout").args(words).args(["--url", &url, "--token-file"]).arg(site.path("data/token"));
    Ok(command.output()?)
}

/// What the estimator of a rig gave in one row, by output. What a row has no value for is not there: the first row of a
/// filter, say, has no innovation.
type Given = BTreeMap<String, Option<f64>>;

/// Outputs of an estimator, row by row. Whatever one row gave is committed together.
fn outputs(host: &Host, twin: &str, behavior: &str, rounds: u64) -> anyhow::Result<Vec<Given>> {
    let range = (START_MS, START_MS + rounds * 1_000);
    wait_for(&format!("{rounds} rows of {behavior}"), PATIENCE, || {
        let found = host.stored(twin, &format!("{behavior}.winding_temperature"), range, 1_000)?;
        anyhow::ensure!(found.len() as u64 >= rounds, "{} are there", found.len());
        Ok(Some(()))
    })?;
    let answer = host.get(&format!("/twins/{twin}"))?;
    let all = answer["estimated"].as_array().cloned().unwrap_or_default();
    let prefix = format!("{behavior}.");
    let names: Vec<&str> =
        all.iter().filter_map(|point| point["name"].as_str()?.strip_prefix(&prefix)).collect();
    anyhow::ensure!(names.len() > 3, "{behavior} has {} outputs", names.len());
    let mut rows = vec![Given::new(); rounds as usize];
    for name in names {
        let found = host.stored(twin, &format!("{behavior}.{name}"), range, 1_000)?;
        let first = found.first().map_or(f64::NAN, |(time, _)| *time);
        anyhow::ensure!(found.len() as u64 + 1 >= rounds, "{name}: {} rows, first at {first}", found.len());
        for (time, value) in found {
            let row = rows.get_mut(((time - START_MS as f64) / 1_000.0) as usize);
            let row =
                row.ok_or_else(|| anyhow::anyhow!("{name} has a value at {time}, which is no round"))?;
            anyhow::ensure!(row.insert(name.to_owned(), value).is_none(), "{name} has two at {time}");
        }
    }
    Ok(rows)
}

/// A second behavior of the same plugin gets the same rows and never has a rollout.
#[test]
fn a_rollback_in_probation_leaves_a_filter_as_if_it_had_never_been_left() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site = SiteFolder::from_example("pump-rig", |text| {
        let behavior = text.split("[[behavior]]").nth(1).expect("the estimator").to_owned();
        let ignores = |name: &str| {
            let named = format!("name = \"{name}\"\narrivals = \"ignore\"");
            format!("[[behavior]]{}", behavior.replace("name = \"thermal\"", &named))
        };
        let both = format!("{}\n{}", ignores("thermal"), ignores("reference"));
        text.replace("mqtt://127.0.0.1:1883", &broker.url())
            .replace(&format!("[[behavior]]{behavior}"), &format!("{both}\n"))
    })?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let rounds = Rounds::start(broker.port, &["pump-rig-1"])?;
    rebuild("motor-thermal", "0.1.1", &site.path("plugins"), |lib| {
        let other =
            "Motor::new(MotorParameters { rated_current: parameters.rated_current * 1.25, ..parameters })?";
        assert!(lib.contains("Motor::new(parameters)?"), "motor-thermal opens otherwise");
        lib.replace("Motor::new(parameters)?", other)
    })?;
    host.entry("plugin-arrived", |entry| entry["plugin"] == "motor-thermal@0.1.1")?;
    let output = order(&host, &site, &["start", "motor-thermal@0.1.1"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("name one of thermal, reference"), "which of them is not guessed: {said}");
    let begun = order(
        &host,
        &site,
        &["start", "motor-thermal@0.1.1", "--behavior", "thermal", "--probation-seconds", "600"],
    )?;
    anyhow::ensure!(begun.status.success(), "{begun:?}");
    let reach = |phase: &str| {
        wait_for(phase, PATIENCE, || Ok((host.get("/rollouts/1")?["phase"] == phase).then_some(())))
    };
    let more = |count: u64| {
        let until = rounds.done() + count;
        wait_for("rounds", PATIENCE, || Ok((rounds.done() >= until).then_some(())))
    };
    reach("probation")?;
    more(40)?;
    let back = order(&host, &site, &["rollback", "1", "--by", "shift lead"])?;
    anyhow::ensure!(back.status.success(), "{back:?}");
    reach("rolled-back")?;
    more(40)?;
    let rounds = rounds.stop()?;
    let thermal = outputs(&host, "pump-rig-1", "thermal", rounds)?;
    let reference = outputs(&host, "pump-rig-1", "reference", rounds)?;
    let differs: Vec<usize> = (0..thermal.len()).filter(|row| thermal[*row] != reference[*row]).collect();
    let (first, last) = (differs.first().copied().unwrap_or(0), differs.last().copied().unwrap_or(0));
    assert!(differs.len() >= 30, "the new version answered otherwise in {} rows only", differs.len());
    assert!(first > 20 && last + 30 < thermal.len(), "rows {first} to {last} of {} differ", thermal.len());
    assert_eq!(last - first + 1, differs.len(), "it answered without a gap");
    host.stop()
}
