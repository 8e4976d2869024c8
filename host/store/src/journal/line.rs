//! The journal as a line of time: entries about one twin, and those about the whole site that every twin's line shows.
//!
//! Entries are numbered in the order in which they were written, which a clock that was set back makes another one than
//! that of their times; so both orders have an index. An entry whose text was damaged is on no line.

use super::{Entry, Journal};
use crate::StoreError;
use crate::sqlite::column_from_count;
use crate::stretch::{Bounds, Stretch};

/// Kinds of entries about no twin that belong on the line of each.
pub const SITE_KINDS: [&str; 3] = ["host-started", "host-stopped", "site-changed"];

/// What makes the indices; statements repeat the expressions word by word, or they are not used.
pub(super) const INDICES: &str = "
    CREATE INDEX entry_by_twin_time ON entry(CASE WHEN json_valid(body) THEN json_extract(body, '$.twin') END, time, seq);
    CREATE INDEX entry_of_site ON entry(time, seq) WHERE CASE WHEN json_valid(body) THEN json_extract(body, '$.kind') END
        IN ('host-started', 'host-stopped', 'site-changed')";

const OF_TWIN: &str =
    "entry_by_twin_time WHERE CASE WHEN json_valid(body) THEN json_extract(body, '$.twin') END = ?6";
const OF_SITE: &str = "entry_of_site WHERE CASE WHEN json_valid(body) THEN json_extract(body, '$.kind') END
        IN ('host-started', 'host-stopped', 'site-changed') AND ?6 IS NULL";

impl Journal {
    /// The first `limit` entries of a stretch about this twin; `None`: those of [`SITE_KINDS`]. Blocks on the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn line(
        &self,
        twin: Option<&str>,
        stretch: &Stretch,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let Bounds { from, to, time, number } = stretch.bounds();
        let select = statement(twin.is_some(), stretch);
        self.select(&select, (from, to, time, number, column_from_count(limit), twin))
    }
}

/// Reads by the index that fits, or not at all: a journal is too long to be walked through for a page.
fn statement(is_of_twin: bool, stretch: &Stretch) -> String {
    let (beyond, order) = stretch.order();
    let which = if is_of_twin { OF_TWIN } else { OF_SITE };
    format!(
        "SELECT seq, time, body FROM entry INDEXED BY {which} AND time >= ?1 AND time < ?2
         AND (time, seq) {beyond} (?3, ?4) ORDER BY time {order}, seq {order} LIMIT ?5"
    )
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use rusqlite::types::Null;

    use super::super::FILE;
    use super::*;

    fn seqs(file: &Connection, twin: Option<&str>) -> Vec<i64> {
        let mut select = file.prepare(&statement(twin.is_some(), &Stretch::all())).expect("statement");
        let rows = select.query_map((0, i64::MAX, -1, -1, 10, twin), |row| row.get(0)).expect("rows");
        rows.collect::<Result<_, _>>().expect("read")
    }

    #[test]
    fn both_lines_are_read_by_their_index_without_sorting() {
        let dir = tempfile::tempdir().expect("folder");
        let file = FILE.open_writer(dir.path()).expect("file");
        for (is_of_twin, newest_first) in [(true, true), (true, false), (false, true), (false, false)] {
            let stretch = Stretch { newest_first, ..Stretch::all() };
            let sql = format!("EXPLAIN QUERY PLAN {}", statement(is_of_twin, &stretch));
            let mut select = file.prepare(&sql).expect("the index can be used");
            let rows = select.query_map([Null; 6], |row| row.get::<_, String>(3)).expect("plan");
            let plan: Vec<String> = rows.collect::<Result<_, _>>().expect("plan");
            assert!(plan.iter().all(|step| !step.contains("TEMP B-TREE")), "{plan:?}");
        }
    }

    #[test]
    fn a_journal_of_the_version_before_gets_its_lines_also_where_an_entry_is_damaged() {
        let dir = tempfile::tempdir().expect("folder");
        let file = FILE.open_writer(dir.path()).expect("file");
        let insert = "INSERT INTO entry(seq, time, body, hash) VALUES (?1, ?1 * 10, ?2, x'00')";
        let bodies = [
            r#"{"kind":"alert-raised","twin":"pump-1"}"#,
            r#"{"kind":"alert-raised","n":2,"twin":"pump-1"}"#,
            r#"{"kind":"host-started"}"#,
            r#"{"kind":"plugin-arrived"}"#,
            r#"{"kind":"alert-raised","twin":"pump-2"}"#,
        ];
        for (seq, body) in (1_i64..).zip(bodies) {
            file.execute(insert, (seq, body)).expect("entry");
        }
        let before = "DROP INDEX entry_by_twin_time; DROP INDEX entry_of_site; DROP INDEX entry_by_twin;
            PRAGMA user_version = 2";
        file.execute_batch(before).expect("the version before");
        file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("all in one file");
        drop(file);
        // As a disk damages it: SQLite itself puts nothing there that is no JSON.
        let path = dir.path().join(FILE.name);
        let mut bytes = std::fs::read(&path).expect("the file");
        let whole = br#"{"kind":"alert-raised","n":2"#;
        let at = bytes.windows(whole.len()).position(|some| some == whole).expect("the entry");
        bytes[at] = b'x';
        std::fs::write(&path, bytes).expect("damage");
        let file = FILE.open_writer(dir.path()).expect("migrated");
        assert_eq!(seqs(&file, Some("pump-1")), [1]);
        assert_eq!(seqs(&file, None), [3]);
    }
}
