//! Hosts that are killed in the last steps of a rollout. They are too short to be met by chance, so the host is made to
//! stand still there: a trigger in its books counts for minutes, and the kill comes in the middle of the write.

use anyhow::{Context as _, ensure};
use geminus_tests::wait_for;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::hall::{Hall, OFF, SOON, version};
use crate::ledger::books;

/// Lets the host stand still before it writes this, for longer than any test.
fn stall(books: &Connection, before: &str) -> anyhow::Result<()> {
    books.execute_batch(&format!(
        "CREATE VIEW ages AS
           WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000000000) SELECT count(*) AS all_of_it FROM n;
         CREATE TRIGGER stalled BEFORE {before} BEGIN SELECT all_of_it FROM ages; END"
    ))?;
    Ok(())
}

/// Phase of rollout 1 as its row has it, and as the machine has it that was written last.
fn written(books: &Connection) -> anyhow::Result<(String, String)> {
    let read = "SELECT phase, document FROM rollout WHERE id = 1";
    let (phase, document): (String, String) =
        books.query_row(read, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let document: Value = serde_json::from_str(&document)?;
    Ok((phase, document["machine"]["phase"].as_str().context("a phase")?.to_owned()))
}

/// The version that is assigned to the behavior as a whole.
fn assigned(books: &Connection) -> anyhow::Result<String> {
    let read = "SELECT version FROM package WHERE digest = (SELECT digest FROM assignment WHERE twin = '')";
    Ok(books.query_row(read, [], |row| row.get(0))?)
}

/// Waits until rollout 1 is written down so, kills the host, makes sure that it died there, and starts it again.
fn killed_in(hall: Hall, (row, machine): (&str, &str), runs: &str) -> anyhow::Result<Hall> {
    let wished = (row.to_owned(), machine.to_owned());
    let beside = books(&hall.site)?;
    wait_for(&format!("rollout 1 to be written down as {wished:?}"), SOON, || {
        let found = written(&beside)?;
        ensure!(found == wished, "it is {found:?}");
        Ok(Some(()))
    })?;
    drop(beside);
    hall.killed_at_once(|site| {
        let books = books(site)?;
        let found = written(&books)?;
        ensure!(found == wished, "it died in {found:?}");
        let found = assigned(&books)?;
        ensure!(found == runs, "{found} is assigned");
        books.execute_batch("DROP TRIGGER stalled; DROP VIEW ages")?;
        Ok(())
    })
}

/// Some rows later there is no other rollout, and every row was answered as by one version that was never left.
fn comes_to(hall: Hall, version: &str) -> anyhow::Result<()> {
    hall.alone(version)?;
    hall.pulse.wait(40)?;
    hall.alone(version)?;
    let all = hall.host.get("/rollouts")?;
    ensure!(all["rollouts"].as_array().map(Vec::len) == Some(1), "{all}");
    let (host, switches) = hall.switches()?;
    ensure!(switches.values().all(Option::is_none), "{switches:?}");
    host.stop()
}

#[test]
fn in_settling_before_the_ledger_the_incumbent_runs() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", "")?)?;
    stall(&books(&hall.site)?, "INSERT ON assignment")?;
    hall.says(&["start", "tally@1.1.0", "--probation-seconds", "1"])?;
    let hall = killed_in(hall, ("settling", "settling"), "1.0.0")?;
    let view = hall.view(1)?;
    ensure!(view["phase"] == "rolled-back" && !view["ended"].is_null(), "{view}");
    comes_to(hall, "1.0.0")
}

#[test]
fn in_settling_after_the_ledger_the_new_version_runs() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", "")?)?;
    let beside = books(&hall.site)?;
    // A version that takes over is forgiven its crashes, after the ledger; this one has none yet.
    let crash = "INSERT INTO crash SELECT digest, 1, 0, 0 FROM package WHERE version = '1.1.0'";
    ensure!(beside.execute(crash, [])? == 1, "1.1.0 is not in the books");
    stall(&beside, "DELETE ON crash")?;
    drop(beside);
    hall.says(&["start", "tally@1.1.0", "--probation-seconds", "1"])?;
    let hall = killed_in(hall, ("permanent", "settling"), "1.1.0")?;
    let view = hall.view(1)?;
    ensure!(view["phase"] == "permanent" && !view["ended"].is_null(), "{view}");
    let past = hall.host.get("/activations?binding=tally")?;
    let done = |one: &Value| one["outcome"] == "activated" && one["rollout"] == 1;
    ensure!(past["activations"].as_array().is_some_and(|all| all.iter().any(done)), "{past}");
    comes_to(hall, "1.1.0")
}

#[test]
fn in_a_withdrawal_its_reason_stays_and_the_version_is_not_tried_again() -> anyhow::Result<()> {
    let hall = Hall::start(
        "rollout = { shadow = { rows = 10 }, acceptance = { difference = { sum = { absolute = 0.125 } } } }",
    )?;
    // The candidate is gone by then, and only its end is still to be written down.
    stall(&books(&hall.site)?, "UPDATE ON rollout WHEN NEW.phase = 'failed'")?;
    hall.offer(&version("1.1.0", OFF)?)?;
    let hall = killed_in(hall, ("withdrawing", "withdrawing"), "1.0.0")?;
    let view = hall.view(1)?;
    let reason = view["reason"].as_str().unwrap_or_default();
    ensure!(view["phase"] == "failed" && reason.contains("difference sum"), "{view}");
    let plugins = hall.host.get("/plugins")?;
    let mut all = plugins["plugins"].as_array().into_iter().flatten();
    let tried = all.find(|one| one["version"] == "1.1.0").cloned().unwrap_or_default();
    ensure!(tried["failed_for"] == json!(["tally"]), "{plugins}");
    comes_to(hall, "1.0.0")
}
