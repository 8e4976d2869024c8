//! A ledger that cannot be written: the incumbent stays, and nothing is left over that the next rollout stumbles over.

use std::time::Duration;

use anyhow::ensure;
use geminus_tests::SiteFolder;
use rusqlite::Connection;

use crate::hall::{Hall, version};

/// A connection that meddles beside the host's.
pub(crate) fn books(site: &SiteFolder) -> anyhow::Result<Connection> {
    let connection = Connection::open(site.path("data/control.db"))?;
    connection.busy_timeout(Duration::from_secs(30))?;
    Ok(connection)
}

/// The digest that is assigned to the behavior as a whole.
fn assigned(books: &Connection) -> anyhow::Result<String> {
    Ok(books.query_row("SELECT digest FROM assignment WHERE twin = ''", [], |row| row.get(0))?)
}

#[test]
fn what_cannot_be_assigned_is_not_permanent() -> anyhow::Result<()> {
    let hall = Hall::start("arrivals = \"ignore\"")?;
    hall.offer(&version("1.1.0", "")?)?;
    let books = books(&hall.site)?;
    let before = assigned(&books)?;
    books.execute_batch(
        "CREATE TRIGGER shut BEFORE INSERT ON assignment BEGIN SELECT raise(ABORT, 'the ledger is shut'); END",
    )?;
    hall.says(&["start", "tally@1.1.0", "--probation-seconds", "1"])?;
    let view = hall.reach(1, "rolled-back")?;
    ensure!(view["reason"].as_str().is_some_and(|why| why.contains("the ledger is shut")), "{view}");
    ensure!(assigned(&books)? == before, "the ledger has changed");
    let done = hall.host.journal()?.into_iter().find(|entry| entry["kind"] == "swap-done");
    ensure!(done.is_none(), "{done:?}");
    let past = hall.host.get("/activations?binding=tally")?;
    let outcome = past["activations"][0]["outcome"].as_str().unwrap_or_default();
    ensure!(outcome.starts_with("rolled back: the new version cannot be assigned"), "{past}");
    hall.alone("1.0.0")?;
    hall.pulse.wait(5)?;
    // Nothing of it stands in the way of the next one.
    books.execute_batch("DROP TRIGGER shut")?;
    hall.says(&["start", "tally@1.1.0", "--probation-seconds", "1"])?;
    hall.reach(2, "permanent")?;
    hall.alone("1.1.0")?;
    ensure!(assigned(&books)? != before);
    drop(books);
    let hall = hall.restarted()?;
    hall.alone("1.1.0")?;
    hall.pulse.wait(5)?;
    let (host, switches) = hall.switches()?;
    ensure!(switches.values().all(Option::is_none), "{switches:?}");
    host.stop()
}
