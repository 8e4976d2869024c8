//! How many entries a second the journal makes durable, for one who waits for each and for many who share commits, and
//! what SQLite alone does with rows of the same bytes under the same durability.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Clock, Event, Severity};

use crate::sqlite::File;
use crate::{Options, Store, StoreError};

/// A file like the journal's, without chain, head and index.
const BARE: File = File {
    name: "bare.db",
    page_bytes: 4096,
    migrations: &[
        "CREATE TABLE entry(seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
    ],
};

/// Appends `each` entries from each of `threads` threads, every one waiting until its entry is durable. Gives entries a
/// second.
///
/// # Errors
/// When the journal cannot be written.
pub fn journal(
    dir: &Path,
    clock: &Arc<dyn Clock>,
    (threads, each): (usize, usize),
) -> Result<f64, StoreError> {
    let store = Store::open(dir, Options::default(), Arc::clone(clock))?;
    let begin = clock.monotonic();
    std::thread::scope(|scope| {
        let append = |thread: usize| {
            let journal = store.journal();
            (0..each).try_for_each(|at| journal.record(event(thread * each + at)).map(drop))
        };
        let handles: Vec<_> = (0..threads).map(|thread| scope.spawn(move || append(thread))).collect();
        handles.into_iter().try_for_each(|handle| handle.join().unwrap_or(Err(StoreError::Closed)))
    })?;
    let took = clock.monotonic().saturating_sub(begin);
    store.close()?;
    Ok(rate(threads * each, took))
}

/// Inserts `rows` rows of the same bytes, `group` to a transaction. Gives rows a second.
///
/// # Errors
/// When the file cannot be written.
pub fn rows(dir: &Path, clock: &Arc<dyn Clock>, (rows, group): (usize, usize)) -> Result<f64, StoreError> {
    let mut connection = BARE.open_writer(dir)?;
    let failed = StoreError::database(BARE.name, "inserting rows");
    let begin = clock.monotonic();
    let mut made = 0;
    while made < rows {
        let transaction = connection.transaction().map_err(&failed)?;
        let end = (made + group.max(1)).min(rows);
        {
            // Once a transaction, as the journal does.
            let insert = "INSERT INTO entry(time, body) VALUES (?1, ?2)";
            let mut statement = transaction.prepare(insert).map_err(&failed)?;
            for at in made..end {
                let body = serde_json::to_string(&event(at)).unwrap_or_default();
                let time = crate::sqlite::column_from_time(clock.now());
                statement.execute((time, body)).map_err(&failed)?;
            }
        }
        transaction.commit().map_err(&failed)?;
        made = end;
    }
    Ok(rate(rows, clock.monotonic().saturating_sub(begin)))
}

/// An entry as rollouts and commands leave them.
fn event(at: usize) -> Event {
    let facts = serde_json::json!({ "command": at, "target": "valve", "value": 42.5, "by": "operator" });
    Event::new("rollout-phase", Severity::Info, format!("command {at} of pump-17 was approved"))
        .twin("pump-17")
        .facts(facts)
}

fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_make_what_they_count() {
        let clock: Arc<dyn Clock> = Arc::new(geminus_core::SystemClock::new());
        let dir = tempfile::tempdir().expect("folder");
        assert!(journal(dir.path(), &clock, (4, 5)).expect("journal") > 0.0);
        assert!(rows(dir.path(), &clock, (20, 3)).expect("rows") > 0.0);
        let file = rusqlite::Connection::open(dir.path().join("bare.db")).expect("file");
        let count: i64 = file.query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).expect("count");
        assert_eq!(count, 20);
        let audit = crate::audit(dir.path(), &crate::Kept::default()).expect("read");
        assert_eq!((audit.chain, audit.signed_to), (crate::Chain::Whole { entries: 20 }, 20));
    }
}
