//! Commands on the way of a rollout: who proposed what, by whose words it is judged, and that a change of versions does
//! not bump the plant.
//!
//! A proposal stands for some seconds of its row's time, so the field here sends rows of this very moment.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use geminus_tests::{Broker, Cells, Guest, Host, Publisher, SiteFolder, drop_bytes, wait_for};
use serde_json::{Value, json};

use crate::hall::SOON;
use crate::ledger::books;

const CELL: &str = "cell-1";

/// A cell whose proposals a person is shown.
struct Desk {
    _broker: Broker,
    site: SiteFolder,
    host: Host,
    field: RefCell<Publisher>,
}

/// A policy with these commands (name, highest value), which always proposes `value` for the first of them, or nothing.
fn policy(version: &str, commands: &[(&str, f64)], value: Option<f64>) -> anyhow::Result<Guest> {
    let declared: Vec<Value> = commands
        .iter()
        .map(|(name, top)| json!({ "name": name, "unit": "1", "minimum": 0.0, "maximum": top }))
        .collect();
    let script = value.map_or(String::new(), |value| format!("step propose={value}"));
    Ok(Guest::hostile("tally", version)?.script(&script).declares(|it| {
        it["kind"] = "command-policy".into();
        it["commands"] = json!(declared);
    }))
}

impl Desk {
    fn start(authority: &str, first: &Guest) -> anyhow::Result<Self> {
        Self::start_with(authority, first, "")
    }

    /// With more lines at the end of the site file.
    fn start_with(authority: &str, first: &Guest, more: &str) -> anyhow::Result<Self> {
        let broker = Broker::start(100_000)?;
        let cells =
            Cells::new(&broker.url()).twins(CELL, 1_000).lines(&format!("authority = \"{authority}\""));
        let site = cells.behavior("tally", "tally", CELL, "arrivals = \"ignore\"").lines(more).folder()?;
        drop_bytes(&site.path("plugins"), "tally-1.0.0", &first.bytes()?)?;
        let host = Host::start(&site.site())?;
        host.entry("source-connected", |_| true)?;
        let field = RefCell::new(Publisher::connect(broker.port, "desk")?);
        Ok(Self { _broker: broker, site, host, field })
    }

    /// Ends the host so, and starts it again.
    fn restarted(self, end: impl FnOnce(Host) -> anyhow::Result<()>) -> anyhow::Result<Self> {
        end(self.host)?;
        let host = Host::start(&self.site.site())?;
        Ok(Self { host, ..self })
    }

    /// Waits until this was saved of what was commanded last.
    fn saved(&self, words: &str) -> anyhow::Result<()> {
        let books = books(&self.site)?;
        wait_for(&format!("{words} to be saved"), SOON, || {
            let document: String = books.query_row("SELECT document FROM commanded", [], |row| row.get(0))?;
            anyhow::ensure!(document.contains(words), "{document}");
            Ok(Some(()))
        })
    }

    /// Waits, without a row, until a rollout is in this phase.
    fn comes_to(&self, id: u64, phase: &str) -> anyhow::Result<()> {
        wait_for(&format!("rollout {id} to be in {phase}"), SOON, || {
            let view = self.host.get(&format!("/rollouts/{id}"))?;
            anyhow::ensure!(view["phase"] == phase, "{}: {}", view["phase"], view["reason"]);
            Ok(Some(()))
        })
    }

    /// Puts a version into the plugin folder and begins its rollout.
    fn begin(&self, guest: &Guest, stages: &Value) -> anyhow::Result<u64> {
        let version = guest.declaration["version"].as_str().unwrap_or_default();
        drop_bytes(&self.site.path("plugins"), &format!("tally-{version}"), &guest.bytes()?)?;
        self.host.entry("plugin-arrived", |entry| entry["plugin"] == format!("tally@{version}"))?;
        let (status, answer) = self.host.post(
            "/rollouts",
            &json!({ "plugin": "tally", "version": version, "stages": stages, "by": "test" }),
        )?;
        anyhow::ensure!(status < 300, "{status} {answer}");
        Ok(answer["id"].as_u64().unwrap_or_default())
    }

    fn order(&self, id: u64, order: &str) -> anyhow::Result<()> {
        let (status, answer) =
            self.host.post(&format!("/rollouts/{id}/{order}"), &json!({ "by": "test" }))?;
        anyhow::ensure!(status < 300, "{status} {answer}");
        Ok(())
    }

    /// One row of this moment.
    fn row(&self) -> anyhow::Result<()> {
        self.row_of(1.0)
    }

    fn row_of(&self, a: f64) -> anyhow::Result<()> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let mut field = self.field.borrow_mut();
        for (point, value) in [("a", a), ("b", 1.0)] {
            let payload = format!(r#"{{"value":{value:?},"time":{time},"quality":"good"}}"#);
            field.publish(&format!("plant/{CELL}/{point}"), payload.as_bytes(), 1)?;
        }
        field.flush().map(drop)
    }

    /// Sends rows until a proposal was told in these words.
    fn told(&self, kind: &str, words: &str) -> anyhow::Result<()> {
        wait_for(&format!("{kind}: {words}"), SOON, || {
            self.row()?;
            let journal = self.host.journal()?;
            let of_it: Vec<&Value> = journal.iter().filter(|entry| entry["kind"] == kind).collect();
            let found =
                of_it.iter().any(|entry| entry["message"].as_str().is_some_and(|it| it.contains(words)));
            anyhow::ensure!(found, "{of_it:?}");
            Ok(Some(()))
        })
    }

    /// Sends rows until a rollout is in this phase, and gives it.
    fn reach(&self, id: u64, phase: &str) -> anyhow::Result<Value> {
        wait_for(&format!("rollout {id} to be in {phase}"), SOON, || {
            self.row()?;
            let view = self.host.get(&format!("/rollouts/{id}"))?;
            anyhow::ensure!(
                view["phase"] == phase,
                "{}: {}; {}",
                view["phase"],
                view["reason"],
                view["verdict"]
            );
            Ok(Some(view))
        })
    }
}

#[test]
fn the_first_commands_after_a_change_are_limited_in_step_forward_and_back() -> anyhow::Result<()> {
    let speed: &[(&str, f64)] = &[("speed", 1.0)];
    let desk = Desk::start("advise", &policy("1.0.0", speed, Some(0.0))?)?;
    desk.told("proposal-held", "speed = 0 1 is advised (")?;
    let stages = json!({
        "probation": { "rows": 1_000_000, "seconds_max": 3_600 }, "bumpless": { "step_share": 0.25, "commands": 2 },
    });
    let id = desk.begin(&policy("1.1.0", speed, Some(1.0))?, &stages)?;
    desk.reach(id, "probation")?;
    desk.told("proposal-held", "speed = 0.25 1 is advised, limited from 1 after a change of versions (")?;
    desk.told("proposal-held", "speed = 1 1 is advised (")?;
    desk.order(id, "rollback")?;
    desk.reach(id, "rolled-back")?;
    desk.told("proposal-held", "speed = 0.75 1 is advised, limited from 0 after a change of versions (")?;
    desk.host.stop()
}

/// Neither a stop nor a kill lets the first command of another version through as it is.
#[test]
fn what_was_commanded_last_outlives_the_host() -> anyhow::Result<()> {
    let speed: &[(&str, f64)] = &[("speed", 1.0)];
    let desk = Desk::start_with("advise", &policy("1.0.0", speed, Some(0.0))?, "[store]\nsnapshot_s = 1")?;
    desk.told("proposal-held", "speed = 0 1 is advised (")?;
    // Stopped in order: what a run without a row begins, steps from the wish of the run before.
    let desk = desk.restarted(Host::stop)?;
    let stages = json!({
        "probation": { "rows": 1_000_000, "seconds_max": 3_600 }, "bumpless": { "step_share": 0.25, "commands": 2 },
    });
    let id = desk.begin(&policy("1.1.0", speed, Some(1.0))?, &stages)?;
    desk.comes_to(id, "probation")?;
    desk.told("proposal-held", "speed = 0.25 1 is advised, limited from 1 after a change of versions (")?;
    desk.told("proposal-held", "speed = 1 1 is advised (")?;
    // Killed in probation: the version before runs again, and steps from the wish of the one that was tried.
    desk.saved("\"speed\":1.0")?;
    let desk = desk.restarted(Host::kill_outside)?;
    desk.told("proposal-held", "speed = 0.9 1 is advised, limited from 0 after a change of versions (")?;
    desk.host.stop()
}

#[test]
fn the_first_commands_after_the_ladder_went_back_a_version_are_limited_in_step_too() -> anyhow::Result<()> {
    let speed: &[(&str, f64)] = &[("speed", 1.0)];
    let strict = "[containment]\nrestarts_max = 0\nrestarts_older_max = 0\nrestart_wait_s = 0";
    let desk = Desk::start_with("advise", &policy("1.0.0", speed, Some(0.0))?, strict)?;
    desk.told("proposal-held", "speed = 0 1 is advised (")?;
    let stages =
        json!({ "probation": { "rows": 1, "seconds": 1 }, "bumpless": { "step_share": 1.0, "commands": 0 } });
    let next = policy("1.1.0", speed, Some(1.0))?.script("step propose=1; step trap value=666");
    let id = desk.begin(&next, &stages)?;
    // It has wished for 1 in every row of its probation; the journal tells a like wish once a minute.
    desk.reach(id, "permanent")?;
    wait_for("the ladder to go back", SOON, || {
        desk.row_of(666.0)?;
        let journal = desk.host.journal()?;
        let back = |entry: &&Value| entry["kind"] == "twin-restarted";
        let entry = journal.iter().find(back);
        let says = entry.and_then(|entry| entry["message"].as_str()).unwrap_or_default();
        Ok(says.contains("in tally@1.0.0, which ran before").then_some(()))
    })?;
    // As the site says where no plan does: a tenth of the range, from where the other version was.
    desk.told("proposal-held", "speed = 0.9 1 is advised, limited from 0 after a change of versions (")?;
    desk.host.stop()
}

#[test]
fn proposals_that_would_be_refused_count_against_the_version_that_makes_them() -> anyhow::Result<()> {
    // Of a twin that is only observed every proposal is refused.
    let speed: &[(&str, f64)] = &[("speed", 1.0)];
    let acceptance = json!({ "rows_min": 5, "proposals_refused_max": 2 });
    for (stages, ending) in [
        (
            json!({ "shadow": { "rows": 1_000_000, "seconds_max": 3_600 }, "acceptance": acceptance }),
            "failed",
        ),
        (
            json!({ "probation": { "rows": 1_000_000, "seconds_max": 3_600 }, "acceptance": acceptance }),
            "rolled-back",
        ),
    ] {
        let desk = Desk::start("observe", &policy("1.0.0", speed, None)?)?;
        let id = desk.begin(&policy("1.1.0", speed, Some(0.5))?, &stages)?;
        let view = desk.reach(id, ending)?;
        let reason = view["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("of the new version and 0 of the running version"), "{view}");
        desk.host.stop()?;
    }
    Ok(())
}

#[test]
fn a_version_is_held_to_its_own_commands_as_soon_as_it_answers() -> anyhow::Result<()> {
    let desk = Desk::start("advise", &policy("1.0.0", &[("speed", 1.0)], Some(0.5))?)?;
    desk.told("proposal-held", "tally proposes speed = 0.5 1: ")?;
    let wider = policy("1.1.0", &[("speed", 2.0), ("brake", 1.0)], Some(1.5))?;
    let id = desk.begin(&wider, &json!({ "probation": { "rows": 1, "seconds": 1 } }))?;
    desk.told("proposal-held", "tally proposes speed = 1.5 1: speed = 1.5 1 is advised (")?;
    desk.reach(id, "permanent")?;
    desk.host.stop()
}
