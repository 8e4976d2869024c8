//! Durable journal entries a second, each held against SQLite inserting rows of the same bytes with the same durability:
//! one at a time, and in transactions as large as the number of those who wait at the same time.

use geminus_store::bench::append::{journal, rows};
use serde_json::json;

use super::{Figure, Workbench, median};

/// Turns of each side; they alternate, so that a busy moment of the machine meets both, and the middle one counts.
const TURNS: usize = 3;
/// Entries of one turn.
const SINGLE: usize = 2_000;
const GROUPED: usize = 32_000;
/// Who waits at the same time.
pub(super) const CALLERS: usize = 64;

pub(super) fn measure(bench: &Workbench, callers: usize) -> anyhow::Result<Figure> {
    let entries = if callers == 1 { SINGLE } else { GROUPED };
    let (mut appended, mut inserted) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let folder = tempfile::tempdir()?;
        appended.push(journal(folder.path(), &bench.clock, (callers, entries / callers))?);
        let folder = tempfile::tempdir()?;
        inserted.push(rows(folder.path(), &bench.clock, (entries, callers))?);
    }
    let detail = json!({ "entries": entries, "callers": callers, "turns": TURNS });
    let name = if callers == 1 { "SQLite, a row a commit" } else { "SQLite, 64 rows a commit" };
    Ok(Figure::new(median(appended), detail).slower_than(name, median(inserted)))
}
