//! `hot.db`: recent history as blocks. One thread writes it (`writer`), anybody reads it (`crate::reader`).
//!
//! Samples are committed as mixed blocks; `fold` turns old ones into blocks of one series each; [`crate::sealed`]
//! moves those of closed hours into files and leaves their place in the table `sealed`; `retention` removes the oldest
//! of what is here. A sample is known by (series, source time): the one stored first wins, in
//! queries as in folding, so that a sample delivered twice is there once.

pub(crate) mod commit;
pub(crate) mod fold;
pub(crate) mod place;
pub(crate) mod recorder;
pub(crate) mod retention;
pub(crate) mod writer;

use crate::sqlite::File;

/// Bytes of a page: a commit of few samples writes two or three, a block of many takes few to read.
pub(crate) const PAGE_BYTES: u32 = 8192;

/// The file and its schema. Times in the directory columns end in the year 2262, where SQLite's integers end.
pub(crate) const FILE: File = File {
    name: "hot.db",
    page_bytes: PAGE_BYTES,
    migrations: &["
        CREATE TABLE series(id INTEGER PRIMARY KEY, twin TEXT NOT NULL, point TEXT NOT NULL, UNIQUE(twin, point)) STRICT;
        CREATE TABLE mixed(id INTEGER PRIMARY KEY, t_min INTEGER NOT NULL, t_max INTEGER NOT NULL,
            points INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
        CREATE TABLE folded(id INTEGER PRIMARY KEY, series INTEGER NOT NULL, t_min INTEGER NOT NULL,
            t_max INTEGER NOT NULL, points INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
        CREATE INDEX folded_by_series ON folded(series, t_min, t_max, points);
        CREATE INDEX folded_by_age ON folded(t_max);
        CREATE TABLE damaged(id INTEGER PRIMARY KEY, origin TEXT NOT NULL, origin_id INTEGER NOT NULL,
            finding TEXT NOT NULL, data BLOB NOT NULL) STRICT;
        CREATE TABLE state(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT",
        // Numbers of sealed files are never used twice, because the names of files are made of them.
        "
        ALTER TABLE series ADD COLUMN class INTEGER NOT NULL DEFAULT 0;
        UPDATE series SET class = CASE WHEN instr(point, '/') > 0 THEN 4 WHEN instr(point, '.') > 0 THEN 1 ELSE 0 END;
        CREATE TABLE sealed(id INTEGER PRIMARY KEY AUTOINCREMENT, hour INTEGER NOT NULL, class INTEGER NOT NULL,
            series_min INTEGER NOT NULL, series_max INTEGER NOT NULL, t_min INTEGER NOT NULL, t_max INTEGER NOT NULL,
            points INTEGER NOT NULL, bytes INTEGER NOT NULL, file TEXT NOT NULL UNIQUE, whole INTEGER NOT NULL,
            directory BLOB NOT NULL, sums BLOB NOT NULL) STRICT;
        CREATE INDEX sealed_by_age ON sealed(t_max, t_min, series_min, series_max);
        CREATE INDEX sealed_by_hour ON sealed(hour, class)"],
};
