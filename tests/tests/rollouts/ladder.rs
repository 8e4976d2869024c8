//! What the ladder makes of versions: a pair of twin and version that it has given up stays given up, also over a restart,
//! until a rollout brings it together again; and each rung goes by what the version declares that the twin runs.

use std::time::Duration;

use geminus_tests::{Guest, START_MS, component, probe, slow_bomb, wait_for};
use serde_json::{Value, json};

use crate::hall::{Hall, SOON, cells, version};

/// The cell that fails, and on what.
const BAD: &str = "cell-07";
const POISON: f64 = 666.0;
/// Each failure leads at once to the version before, and where there is none into quarantine.
const STRICT: &str = "arrivals = \"ignore\"\nsubstitute = \"fail-safe\"\nfail_safe = { sum = -1.0, count = -2.0 }\n\n\
                      [containment]\nrestarts_max = 0\nrestarts_older_max = 0\nrestart_wait_s = 0";

fn breaks() -> String {
    format!("step trap twin={BAD} value={POISON}")
}

impl Hall {
    fn tally(&self) -> anyhow::Result<Value> {
        self.host.behavior(BAD, "tally")
    }

    /// Poisons the cell once, and waits for the entry of this kind that says `words`.
    fn rung(&self, kind: &str, words: &str) -> anyhow::Result<Value> {
        self.pulse.poison(BAD, &[POISON]);
        let says = |entry: &Value| entry["message"].as_str().is_some_and(|text| text.contains(words));
        self.host.entry(kind, |entry| entry["twin"] == BAD && says(entry))
    }

    fn count(&self, kind: &str) -> anyhow::Result<usize> {
        Ok(self.host.journal()?.iter().filter(|entry| entry["kind"] == kind).count())
    }

    /// Waits until the cell is as `wish` has it.
    fn stands(&self, what: &str, wish: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        wait_for(&format!("{BAD} {what}"), SOON, || {
            let tally = self.tally()?;
            anyhow::ensure!(wish(&tally), "{tally}");
            Ok(Some(tally))
        })
    }

    /// Waits until the cell has its substitute, which is shown and stored, and everybody else goes on.
    fn is_stood_in_for(&self) -> anyhow::Result<()> {
        let held = self.stands("stood in for", |tally| {
            tally["state"] == "quarantined" && tally["cost"]["substitute"] == "fail-safe"
        })?;
        assert!(held["fault"].as_str().is_some_and(|fault| fault.contains("trap")), "{held}");
        assert_eq!(held["cost"]["strikes"], 1, "{held}");
        let metric = "geminus_quarantined{plugin=\"tally\"}";
        wait_for(metric, SOON, || Ok((self.host.metric(metric)? == Some(1.0)).then_some(())))?;
        self.seen("others go on", |cell, tally| cell == BAD || tally["state"] == "running")?;
        wait_for("the safe values", SOON, || {
            let end = START_MS + self.pulse.done() * 1_000;
            let sums = self.host.stored(BAD, "tally.sum", (end.saturating_sub(20_000), end), 1_000)?;
            Ok((sums.last().and_then(|(_, sum)| *sum) == Some(-1.0)).then_some(()))
        })
    }
}

#[test]
fn two_versions_that_both_fail_do_not_hand_a_twin_to_and_fro() -> anyhow::Result<()> {
    let hall = Hall::start_with(STRICT, &[version("1.0.0", &breaks())?])?;
    hall.offer(&version("1.1.0", &breaks())?)?;
    hall.says(&["start", "tally@1.1.0", "--probation-seconds", "1"])?;
    hall.reach(1, "permanent")?;
    hall.rung("twin-restarted", "in tally@1.0.0, which ran before")?;
    hall.stands("moved back", |tally| tally["version"] == "1.0.0" && tally["state"] == "running")?;
    let end = hall.rung("twin-quarantined", "(tally@1.0.0)")?;
    assert_eq!(end["plugin"], "tally@1.0.0", "{end}");
    hall.pulse.wait(40)?;
    hall.stands("quarantined", |tally| tally["version"] == "1.0.0" && tally["state"] == "quarantined")?;
    assert_eq!((hall.count("twin-restarted")?, hall.count("twin-quarantined")?), (1, 1));
    // The same after a restart: neither of the two is tried.
    let hall = hall.restarted()?;
    hall.host.entry("quarantine-kept", |entry| entry["plugin"] == "tally@1.0.0")?;
    hall.is_stood_in_for()?;
    assert_eq!(hall.count("twin-restarted")?, 1);
    hall.seen("as they were", |cell, tally| tally["version"] == if cell == BAD { "1.0.0" } else { "1.1.0" })?;
    hall.host.stop()
}

#[test]
fn a_version_that_another_twin_was_given_is_no_way_back() -> anyhow::Result<()> {
    let hall = Hall::start_with(STRICT, &[version("1.0.0", &breaks())?])?;
    hall.offer(&version("1.1.0", "")?)?;
    hall.says(&["start", "tally@1.1.0", "--twins", "cell-06", "--probation-seconds", "1"])?;
    hall.reach(1, "permanent")?;
    hall.rung("twin-quarantined", "(tally@1.0.0)")?;
    // Once more after a start of the host, which writes down again what runs.
    let hall = hall.restarted()?;
    hall.says(&["start", "tally@1.0.0", "--twins", BAD, "--probation-seconds", "1"])?;
    hall.reach(2, "permanent")?;
    hall.stands("back", |tally| tally["state"] == "running" && tally["trial"].is_null())?;
    hall.pulse.poison(BAD, &[POISON]);
    wait_for("another quarantine", SOON, || Ok((hall.count("twin-quarantined")? == 2).then_some(())))?;
    assert_eq!(hall.count("twin-restarted")?, 0);
    hall.seen("as they were given", |cell, tally| {
        tally["version"] == if cell == "cell-06" { "1.1.0" } else { "1.0.0" }
    })?;
    hall.host.stop()
}

#[test]
fn nothing_waits_while_the_ladder_compiles_the_version_before() -> anyhow::Result<()> {
    // What takes the compiler minutes is said to have run before.
    let slow = Guest::of(component(&probe(&slow_bomb())?, "0.1.0", &[])?, "tally", "0.9.0").declares(|it| {
        it["parameters"] =
            json!({ "type": "object", "properties": { "m": { "type": "string", "default": "n" } } });
    });
    let hall = Hall::start_with(STRICT, &[version("1.0.0", &breaks())?, slow])?;
    let plugins = hall.host.get("/plugins")?;
    let mut all = plugins["plugins"].as_array().into_iter().flatten();
    let slow = all.find(|one| one["version"] == "0.9.0").and_then(|one| one["digest"].as_str());
    let books = rusqlite::Connection::open(hall.site.path("data/control.db"))?;
    books.busy_timeout(Duration::from_secs(10))?;
    books.execute(
        "INSERT INTO activation(time, binding, plugin, version, digest, twins, outcome)
         VALUES (1, 'tally', 'tally', '0.9.0', ?1, 20, 'activated')",
        [slow.unwrap_or_default()],
    )?;
    drop(books);
    hall.pulse.poison(BAD, &[POISON]);
    wait_for("a compiler", SOON, || Ok((hall.host.children()? > 0).then_some(())))?;
    // The manager hears of files and of orders, and a whole rollout goes by.
    hall.offer(&version("1.1.0", "")?)?;
    hall.says(&["start", "tally@1.1.0", "--probation-seconds", "1"])?;
    hall.reach(1, "permanent")?;
    assert!(hall.host.children()? > 0, "the ladder has ended before: nothing was shown");
    hall.alone("1.1.0")?;
    assert_eq!(hall.count("twin-quarantined")?, 0);
    hall.host.stop()
}

#[test]
fn a_quarantine_holds_over_restarts_until_another_version_runs() -> anyhow::Result<()> {
    let hall = Hall::start_with(STRICT, &[version("1.0.0", &breaks())?])?;
    hall.rung("twin-quarantined", "substitute: fail-safe")?;
    hall.is_stood_in_for()?;
    let hall = hall.restarted()?;
    let kept = hall.host.entry("quarantine-kept", |_| true)?;
    assert_eq!((&kept["plugin"], &kept["facts"]["twins"]), (&"tally@1.0.0".into(), &1.into()), "{kept}");
    assert!(kept["message"].as_str().is_some_and(|text| text.contains(BAD)), "{kept}");
    hall.is_stood_in_for()?;
    // Neither does one that was killed forget it.
    let hall = hall.killed(|_| Ok(()))?;
    hall.is_stood_in_for()?;
    hall.offer(&version("1.1.0", "")?)?;
    hall.says(&["start", "tally@1.1.0", "--probation-seconds", "1"])?;
    hall.reach(1, "permanent")?;
    hall.alone("1.1.0")?;
    let hall = hall.restarted()?;
    hall.alone("1.1.0")?;
    assert_eq!(hall.count("quarantine-kept")?, 2, "at two starts, and not at the last");
    hall.host.stop()
}

#[test]
fn what_is_held_while_a_twin_is_quarantined_is_held_over_a_restart_too() -> anyhow::Result<()> {
    let lines = "arrivals = \"ignore\"\nsubstitute = \"uncertain\"\n\n\
                 [containment]\nrestarts_max = 0\nrestarts_older_max = 0";
    let hall = Hall::start_with(lines, &[version("1.0.0", &breaks())?])?;
    hall.rung("twin-quarantined", "substitute: uncertain")?;
    hall.pulse.wait(20)?;
    let held = |hall: &Hall| {
        wait_for("a held value", SOON, || {
            let point = hall.host.point(BAD, "tally.count")?;
            anyhow::ensure!(point["value"].is_number() && point["quality"] == "uncertain", "{point}");
            Ok(Some(point["value"].clone()))
        })
    };
    let before = held(&hall)?;
    assert!(before.as_f64() > Some(0.0), "{before}");
    let hall = hall.restarted()?;
    hall.stands("stood in for", |tally| tally["cost"]["substitute"] == "uncertain")?;
    hall.pulse.wait(20)?;
    assert_eq!(held(&hall)?, before, "the count of its last answered row");
    hall.host.stop()
}

#[test]
fn a_person_gives_a_twin_the_version_anew_that_it_is_quarantined_in() -> anyhow::Result<()> {
    let hall = Hall::start_with(STRICT, &[version("1.0.0", &breaks())?])?;
    hall.rung("twin-quarantined", "substitute: fail-safe")?;
    hall.is_stood_in_for()?;
    let again = |cell: &'static str| ["start", "tally@1.0.0", "--twins", cell, "--probation-seconds", "1"];
    let refused = hall.refuses(&again("cell-06"))?;
    assert!(refused.contains("tally@1.0.0 runs already"), "{refused}");
    hall.says(&again(BAD))?;
    hall.reach(1, "permanent")?;
    let back = hall.stands("back", |tally| tally["state"] == "running" && tally["trial"].is_null())?;
    assert_eq!((&back["version"], &back["cost"]["strikes"]), (&"1.0.0".into(), &0.into()), "{back}");
    let hall = hall.restarted()?;
    hall.alone("1.0.0")?;
    assert_eq!(hall.count("quarantine-kept")?, 0);
    hall.host.stop()
}

#[test]
fn a_behavior_without_state_is_opened_anew_on_the_second_rung() -> anyhow::Result<()> {
    let stateless = version("1.0.0", &breaks())?
        .declares(|it| it["state"] = json!({ "schema": 0, "reads": [], "writes": [] }));
    let hall = Hall::start_with("arrivals = \"ignore\"\n\n[containment]\nrestart_wait_s = 0", &[stateless])?;
    let runs = |hall: &Hall| hall.stands("running", |tally| tally["state"] == "running").map(drop);
    hall.rung("twin-restarted", "with its last good state")?;
    runs(&hall)?;
    hall.rung("twin-restarted", "opened anew: it keeps no state")?;
    runs(&hall)?;
    hall.rung("twin-quarantined", "strike 3")?;
    hall.host.stop()
}

#[test]
fn a_twin_with_a_version_of_its_own_is_opened_anew_with_the_parameters_of_that_version() -> anyhow::Result<()>
{
    let own = format!("step offset=0.125; {}", breaks());
    let lines = format!(
        "arrivals = \"ignore\"\npin = [{{ twins = \"{BAD}\", version = \"=1.0.0\" }}]\n\n[containment]\n\
         restart_wait_s = 0"
    );
    let hall = Hall::start_with(&lines, &[version("1.0.0", &own)?, version("1.1.0", "")?])?;
    hall.seen("as pinned", |cell, tally| {
        tally["version"] == if cell == BAD { "1.0.0" } else { "1.1.0" } && tally["state"] == "running"
    })?;
    hall.rung("twin-restarted", "with its last good state")?;
    hall.stands("running", |tally| tally["state"] == "running")?;
    // State is saved each second, and an older one has to be there.
    hall.pulse.wait(60)?;
    hall.rung("twin-restarted", "with its state of")?;
    hall.stands("running", |tally| tally["state"] == "running")?;
    let from = START_MS + (hall.pulse.done() + 2) * 1_000;
    let sums = wait_for("ten rows more", SOON, || {
        let end = START_MS + hall.pulse.done() * 1_000;
        let sums =
            if end > from { hall.host.stored(BAD, "tally.sum", (from, end), 1_000)? } else { Vec::new() };
        Ok((sums.len() >= 10).then_some(sums))
    })?;
    // Sums of what is sent are multiples of a quarter; this version adds an eighth to each answer.
    let off = |sum: &Option<f64>| sum.map(|sum| sum.rem_euclid(0.25));
    assert!(sums.iter().all(|(_, sum)| off(sum) == Some(0.125)), "{sums:?}");
    // What it fails on is in its parameters too: as its own version it fails again, and no other is allowed for it.
    hall.rung("twin-quarantined", "(tally@1.0.0), strike 3")?;
    let others = cells().into_iter().filter(|cell| cell != BAD);
    for cell in others {
        assert_eq!(hall.host.behavior(&cell, "tally")?["state"], "running", "{cell}");
    }
    hall.host.stop()
}
