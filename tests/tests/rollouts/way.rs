//! The whole way: shadow, canary, promotion, probation, permanent; seen at each step by each twin.

use geminus_tests::START_MS;
use serde_json::{Value, json};

use crate::hall::{Hall, OFF, QUARTER, TWINS, cells, version};

fn names(view: &Value, list: &str, member: &str) -> Vec<String> {
    let all = view[list].as_array().cloned().unwrap_or_default();
    all.iter().filter_map(|one| one[member].as_str().map(str::to_owned)).collect()
}

/// The numbers behind the verdict: both versions differ by a quarter in every row.
fn proves(view: &Value, rows: u64) {
    let evidence = &view["evidence"];
    assert!(evidence["rows"].as_u64() >= Some(rows) && evidence["twins"] == TWINS, "{view}");
    let output = |name: &str| {
        let mut all = evidence["outputs"].as_array().into_iter().flatten();
        all.find(|output| output["output"] == name).cloned().unwrap_or_default()
    };
    let (sum, count) = (output("sum"), output("count"));
    assert_eq!((&sum["difference_max"], &sum["bias"]), (&QUARTER.into(), &QUARTER.into()), "{sum}");
    assert_eq!(
        (&sum["equal"], &sum["beyond"], &sum["allowed"]["absolute"]),
        (&0.into(), &0.into(), &0.5.into())
    );
    assert_eq!((&count["equal"], &count["difference_max"]), (&count["rows"], &0.0.into()), "{count}");
    let worst = evidence["worst"].as_array().expect("worst rows");
    assert!(!worst.is_empty(), "{evidence}");
    for row in worst.iter().filter(|row| row["output"] == "sum") {
        assert!(cells().iter().any(|cell| row["twin"] == *cell), "{row}");
        let [old, new] = ["old", "new"].map(|side| row[side].as_f64().expect("a number"));
        assert_eq!((new - old, &row["times_limit"]), (QUARTER, &0.5.into()), "{row}");
    }
    let curves = evidence["curves"].as_array().expect("curves");
    let curve = curves.iter().find(|curve| curve["output"] == "sum").expect("a curve of the sum");
    let [times, old, new] = ["times_ms", "old", "new"].map(|side| curve[side].as_array().expect("numbers"));
    assert!(times.len() >= 30 && old.len() == times.len() && new.len() == times.len(), "{curve}");
    let apart =
        old.iter().zip(new).map(|(old, new)| new.as_f64().unwrap_or(0.0) - old.as_f64().unwrap_or(0.0));
    assert!(apart.clone().all(|apart| apart == QUARTER), "{:?}", apart.collect::<Vec<_>>());
    let mut checks = view["verdict"]["checks"].as_array().into_iter().flatten();
    let check = checks.find(|check| check["name"] == "difference sum").expect("a check of the sum");
    assert_eq!((&check["state"], &check["value"]), (&"pass".into(), &0.0.into()), "{check}");
    assert!(
        check["detail"].as_str().is_some_and(|words| words.ends_with("the largest difference is 0.25")),
        "{check}"
    );
}

#[test]
fn a_version_goes_step_by_step_at_a_persons_word() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", OFF)?)?;
    hall.alone("1.0.0")?;
    let plan = [
        "tally@^1.1",
        "--manual",
        "--shadow-rows",
        "30",
        "--canary-count",
        "1",
        "--canary-rows",
        "20",
        "--probation-seconds",
        "600",
        "--accept",
        "sum=0.5",
        "--accept",
        "count=0",
    ];
    let said = hall.says(&[&["plan"], &plan[..]].concat())?;
    for part in
        ["nothing is begun", "20: cell-01, ", "1: cell-01\n", "shadow", "probation", "it would be begun"]
    {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    assert_eq!(hall.host.get("/rollouts")?["rollouts"], json!([]));

    let said = hall.says(&[&["start"], &plan[..], &["--by", "shift lead"]].concat())?;
    assert!(said.contains("rollout 1: tally 1.0.0 → 1.1.0"), "{said}");
    hall.reach(1, "shadow")?;
    let view = hall.pass(1, 30)?;
    assert_eq!(
        (&view["by"], &view["automatic"], &view["phase"]),
        (&"shift lead".into(), &false.into(), &"shadow".into())
    );
    proves(&view, 30 * TWINS as u64);
    let in_trial = |tally: &Value, phase: &str, version: &str, authoritative: bool| {
        let trial = json!({ "rollout": 1, "phase": phase, "authoritative": authoritative, "warm": true });
        tally["version"] == version && tally["trial"] == trial
    };
    hall.seen("in the shadow", |_, tally| in_trial(tally, "shadow", "1.0.0", false))?;

    hall.says(&["promote", "1", "--by", "night shift"])?;
    let canary = |tally: &Value, is: bool| in_trial(tally, "canary", if is { "1.1.0" } else { "1.0.0" }, is);
    hall.seen("one canary", |cell, tally| canary(tally, cell == "cell-01"))?;
    hall.pulse.wait(30)?;
    let view = hall.reach(1, "canary")?;
    assert_eq!(
        (&view["twins"]["authoritative"], &view["twins"]["all"]),
        (&1.into(), &TWINS.into()),
        "{view}"
    );

    hall.says(&["promote", "1", "--by", "night shift"])?;
    let view = hall.reach(1, "probation")?;
    assert_eq!(view["twins"]["authoritative"], TWINS);
    hall.seen("in probation", |_, tally| in_trial(tally, "probation", "1.1.0", true))?;
    hall.pulse.wait(30)?;

    hall.says(&["promote", "1", "--by", "night shift"])?;
    let view = hall.reach(1, "permanent")?;
    hall.alone("1.1.0")?;
    let phases = [
        "verifying",
        "compiling",
        "raising",
        "shadow",
        "canary",
        "promoting",
        "probation",
        "settling",
        "permanent",
    ];
    assert_eq!(names(&view, "history", "phase"), phases);
    let reasons = names(&view, "history", "reason");
    assert_eq!(
        reasons.iter().filter(|reason| reason.contains("promoted by night shift")).count(),
        3,
        "{reasons:?}"
    );
    assert!(hall.refuses(&["cancel", "1"])?.contains("has ended"));
    let done = hall.host.entry("swap-done", |_| true)?;
    assert_eq!((&done["facts"]["rollout"], &done["facts"]["twins"]), (&1.into(), &TWINS.into()), "{done}");
    let past = hall.host.get("/activations?binding=tally")?;
    let newest = &past["activations"][0];
    assert_eq!((&newest["version"], &newest["outcome"]), (&"1.1.0".into(), &"activated".into()), "{past}");
    assert_eq!((&newest["rollout"], &newest["twins"]), (&1.into(), &TWINS.into()), "{past}");
    let said = hall.says(&["status"])?;
    assert!(said.contains("permanent") && said.contains("1.0.0 → 1.1.0"), "{said}");

    hall.pulse.wait(10)?;
    let (host, switches) = hall.switches()?;
    let first = switches["cell-01"].expect("the canary changed over");
    for (cell, switch) in &switches {
        let switch = switch.expect("every twin changed over");
        assert!(
            cell == "cell-01" || switch >= first + 20,
            "{cell} changed over at {switch}, the canary at {first}"
        );
    }
    let marks = host.get(&format!("/twins/cell-07/history?points=a&from={START_MS}"))?["marks"].take();
    assert_eq!((&marks[0]["kind"], marks.as_array().map(Vec::len)), (&"swap".into(), Some(1)), "{marks}");
    host.stop()
}

#[test]
fn a_file_that_arrives_goes_the_same_way_by_itself() -> anyhow::Result<()> {
    let hall = Hall::start(
        "rollout = { shadow = { rows = 20 }, canary = { share = 0.05, rows = 20 }, probation = { rows = 20, seconds = 1 } }",
    )?;
    hall.offer(&version("1.1.0", OFF)?)?;
    let view = hall.reach(1, "permanent")?;
    assert_eq!((&view["automatic"], &view["by"]), (&true.into(), &"plugin folder".into()), "{view}");
    let phases = names(&view, "history", "phase");
    assert_eq!(
        phases[2..],
        ["raising", "shadow", "canary", "promoting", "probation", "settling", "permanent"]
    );
    // Evidence and verdict stay with it.
    assert!(view["evidence"]["rows"].as_u64() >= Some(60) && view["verdict"]["state"] == "pass", "{view}");
    hall.alone("1.1.0")?;
    hall.pulse.wait(5)?;
    let (host, switches) = hall.switches()?;
    let first = switches.values().flatten().min().copied();
    let early = switches.values().filter(|switch| **switch < first.map(|first| first + 15)).count();
    assert_eq!(
        (early, switches.values().flatten().count()),
        (1, TWINS),
        "one of twenty goes first: {switches:?}"
    );
    host.stop()
}
