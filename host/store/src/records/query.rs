//! Records as they are read: of one twin, in order of time.

use geminus_core::{ContextRecord, Timestamp};
use rusqlite::Row;
use rusqlite::types::Value as Column;
use serde::{Deserialize, Serialize};

use super::{KeptRecord, Records};
use crate::StoreError;
use crate::sqlite::{column_from_count, column_from_time};
use crate::stretch::{Bounds, Stretch};

/// Most records of one answer.
const ANSWER_MAX: usize = 10_000;

pub(super) const COLUMNS: &str = "number, twin, source, id, kind, time, until, changed, removed, revision, received, corrected, by, document";

/// Which records of a twin are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordFilter<'a> {
    /// Only those of this kind.
    pub kind: Option<&'a str>,
    /// None of this kind.
    pub but: Option<&'a str>,
}

/// What of a record has no column of its own.
#[derive(Deserialize, Serialize)]
struct Document {
    title: String,
    state: String,
    link: Option<String>,
    detail: String,
    facts: serde_json::Value,
}

impl Records {
    /// Records of a twin that lie in a stretch of time or reach into it, in order of the time at which they began: at most
    /// `limit`, and never more than 10,000. Those that were taken back are not among them. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn line(
        &self,
        twin: &str,
        filter: RecordFilter<'_>,
        stretch: &Stretch,
        limit: usize,
    ) -> Result<Vec<KeptRecord>, StoreError> {
        let Bounds { to, time, number, .. } = stretch.bounds();
        let (beyond, order) = stretch.order();
        // What began before the stretch and ended in it is in it, too, so that the beginning narrows no index.
        let from = column_from_time(stretch.from);
        let sql = format!(
            "SELECT {COLUMNS} FROM record WHERE twin = ?1 AND time < ?2 AND coalesce(until, time) >= ?3 AND removed = 0
             AND (time, number) {beyond} (?4, ?5) AND (?6 IS NULL OR kind = ?6) AND (?7 IS NULL OR kind <> ?7)
             ORDER BY time {order}, number {order} LIMIT ?8"
        );
        let text = |given: Option<&str>| given.map_or(Column::Null, |given| Column::Text(given.to_owned()));
        let values = [
            Column::Text(twin.to_owned()),
            Column::Integer(to),
            Column::Integer(from),
            Column::Integer(time),
            Column::Integer(number),
            text(filter.kind),
            text(filter.but),
            Column::Integer(column_from_count(limit.min(ANSWER_MAX))),
        ];
        self.with("reading records", |connection, _| {
            connection.prepare(&sql)?.query_map(rusqlite::params_from_iter(values), read)?.collect()
        })
    }
}

/// The part without columns. Texts and a JSON value always are JSON.
pub(super) fn document(record: &ContextRecord) -> String {
    let ContextRecord { title, state, link, detail, facts, .. } = record.clone();
    serde_json::to_string(&Document { title, state, link, detail, facts }).unwrap_or_default()
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<KeptRecord> {
    let text: String = row.get(13)?;
    let unreadable = |error: serde_json::Error| Document {
        title: format!("this record is damaged: {error}"),
        state: String::new(),
        link: None,
        detail: String::new(),
        facts: serde_json::Value::Null,
    };
    let Document { title, state, link, detail, facts } =
        serde_json::from_str(&text).unwrap_or_else(unreadable);
    let record = ContextRecord {
        source: row.get(2)?,
        id: row.get(3)?,
        kind: row.get(4)?,
        title,
        state,
        time: time(row.get(5)?),
        until: row.get::<_, Option<i64>>(6)?.map(time),
        changed: row.get::<_, Option<i64>>(7)?.map(time),
        removed: row.get(8)?,
        link,
        detail,
        facts,
    };
    Ok(KeptRecord {
        number: row.get::<_, i64>(0)?.cast_unsigned(),
        twin: row.get(1)?,
        record,
        revision: row.get(9)?,
        received: time(row.get(10)?),
        corrected: row.get::<_, Option<i64>>(11)?.map(time),
        by: row.get(12)?,
    })
}

fn time(column: i64) -> Timestamp {
    Timestamp(column.cast_unsigned())
}
