//! What the next start makes of a rollout in whose last steps the host was killed: the books are written as a kill there
//! leaves them, since each phase is in them before its order is obeyed. `killed` has the kills themselves.

use anyhow::ensure;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::hall::{Hall, version};
use crate::ledger::books;

/// A file begins it; probation goes on until something ends it.
const LONG: &str = "rollout = { probation = { rows = 1000000000, seconds_max = 3600 } }";

/// Brings a version into probation, kills the host, lets `edit` change the machine that it wrote and say in which phase
/// the row of the rollout is, and starts it again. Gives the rollout as it is then.
fn picked_up(
    edit: impl FnOnce(&mut Value, &Connection) -> anyhow::Result<&'static str>,
) -> anyhow::Result<(Hall, Value)> {
    let hall = Hall::start(LONG)?;
    hall.offer(&version("1.1.0", "")?)?;
    hall.reach(1, "probation")?;
    hall.pulse.wait(5)?;
    let hall = hall.killed(|site| {
        let books = books(site)?;
        let read = "SELECT document FROM rollout WHERE id = 1";
        let text: String = books.query_row(read, [], |row| row.get(0))?;
        let mut document: Value = serde_json::from_str(&text)?;
        let phase = edit(&mut document["machine"], &books)?;
        let write = "UPDATE rollout SET document = ?1, phase = ?2 WHERE id = 1";
        books.execute(write, (document.to_string(), phase))?;
        Ok(())
    })?;
    let view = hall.view(1)?;
    ensure!(!view["ended"].is_null(), "{view}");
    Ok((hall, view))
}

/// Lets the machine enter a phase.
fn enter(machine: &mut Value, phase: &str, reason: &str) {
    machine["phase"] = phase.into();
    let step = json!({ "time": machine["since"], "phase": phase, "reason": reason });
    if let Some(history) = machine["history"].as_array_mut() {
        history.push(step);
    }
}

/// Some rows later there is this many rollouts, and every row was answered as by one version that was never left.
fn comes_to(hall: Hall, version: &str, rollouts: usize) -> anyhow::Result<()> {
    hall.seen(version, |_, tally| tally["version"] == version)?;
    hall.pulse.wait(30)?;
    let all = hall.host.get("/rollouts")?;
    ensure!(all["rollouts"].as_array().map(Vec::len) == Some(rollouts), "{all}");
    let (host, switches) = hall.switches()?;
    ensure!(switches.values().all(Option::is_none), "{switches:?}");
    host.stop()
}

#[test]
fn killed_in_settling_before_the_ledger_the_incumbent_runs_and_the_file_gets_another_rollout()
-> anyhow::Result<()> {
    let (hall, view) = picked_up(|machine, _| {
        enter(machine, "settling", "every check passed");
        Ok("settling")
    })?;
    ensure!(view["phase"] == "rolled-back", "{view}");
    hall.reach(2, "probation")?;
    let second = hall.view(2)?;
    ensure!(second["from"]["version"] == "1.0.0" && second["automatic"] == true, "{second}");
    comes_to(hall, "1.1.0", 2)
}

#[test]
fn killed_in_settling_after_the_ledger_the_new_version_runs_and_the_books_say_so() -> anyhow::Result<()> {
    let (hall, view) = picked_up(|machine, books| {
        enter(machine, "settling", "every check passed");
        let digest =
            "UPDATE assignment SET digest = (SELECT to_digest FROM rollout WHERE id = 1) WHERE twin = ''";
        ensure!(books.execute(digest, [])? == 1, "nothing was assigned before");
        Ok("permanent")
    })?;
    ensure!(view["phase"] == "permanent" && view["history"][6]["phase"] == "permanent", "{view}");
    let past = hall.host.get("/activations?binding=tally")?;
    let done = |one: &Value| one["outcome"] == "activated" && one["rollout"] == 1;
    ensure!(past["activations"].as_array().is_some_and(|all| all.iter().any(done)), "{past}");
    hall.alone("1.1.0")?;
    comes_to(hall, "1.1.0", 1)
}

#[test]
fn killed_in_a_withdrawal_its_reason_stays_and_the_version_is_not_tried_again() -> anyhow::Result<()> {
    let (hall, view) = picked_up(|machine, _| {
        let reason = "difference sum: 3 of 9 rows";
        (machine["ending"], machine["reason"]) = ("rolled-back".into(), reason.into());
        enter(machine, "withdrawing", reason);
        Ok("withdrawing")
    })?;
    let reason = view["reason"].as_str().unwrap_or_default();
    ensure!(view["phase"] == "rolled-back" && reason.starts_with("difference sum: 3 of 9 rows"), "{view}");
    let plugins = hall.host.get("/plugins")?;
    let mut all = plugins["plugins"].as_array().into_iter().flatten();
    let tried = all.find(|one| one["version"] == "1.1.0").cloned().unwrap_or_default();
    ensure!(tried["failed_for"] == json!(["tally"]), "{plugins}");
    hall.alone("1.0.0")?;
    comes_to(hall, "1.0.0", 1)
}

#[test]
fn killed_while_a_person_cancels_it_stays_cancelled() -> anyhow::Result<()> {
    let (hall, view) = picked_up(|machine, _| {
        (machine["ending"], machine["reason"]) = ("cancelled".into(), "cancelled by ann".into());
        enter(machine, "withdrawing", "cancelled by ann");
        Ok("withdrawing")
    })?;
    ensure!(view["phase"] == "cancelled", "{view}");
    hall.alone("1.0.0")?;
    comes_to(hall, "1.0.0", 1)
}

#[test]
fn killed_in_raising_the_incumbent_runs_and_the_file_gets_another_rollout() -> anyhow::Result<()> {
    let (hall, view) = picked_up(|machine, _| {
        if let Some(history) = machine["history"].as_array_mut() {
            history.truncate(2);
        }
        enter(machine, "raising", "compiled");
        Ok("raising")
    })?;
    ensure!(view["phase"] == "failed", "{view}");
    hall.reach(2, "probation")?;
    comes_to(hall, "1.1.0", 2)
}
