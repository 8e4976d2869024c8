//! In which order recordings are played, and where they overlap.
//!
//! A shell gives `0.csv 1.csv 10.csv 2.csv`, which is rarely the order in which they were recorded. A point takes only
//! what is newer than what it has, so a file that begins before the former one has ended would be late, and step no
//! behavior.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use geminus_core::Timestamp;
use geminus_ingest::csv::Recording;

/// Names of files that are shown.
const NAMES_MAX: usize = 20;

/// A recording and its file.
#[derive(Debug)]
pub(super) struct Tape {
    pub(super) path: PathBuf,
    pub(super) recording: Recording,
}

/// In order of their first times, and whether that is another order than before.
pub(super) fn by_time(mut tapes: Vec<Tape>) -> (Vec<Tape>, bool) {
    let first = |tape: &Tape| tape.recording.span().0;
    let moved = !tapes.is_sorted_by_key(first);
    tapes.sort_by_cached_key(first);
    (tapes, moved)
}

/// The files by name, in order.
pub(super) fn names(tapes: &[Tape]) -> String {
    let shown: Vec<_> = tapes.iter().take(NAMES_MAX).map(|tape| tape.path.display().to_string()).collect();
    match tapes.len().saturating_sub(NAMES_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A file with rows that are not later than what an earlier file sends to the same topics.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overlap<'a> {
    earlier: &'a Path,
    later: &'a Path,
    topics: usize,
    rows: usize,
    of: usize,
}

/// Where files overlap in time on the same topics, played in this order.
pub(super) fn overlaps(tapes: &[Tape]) -> Vec<Overlap<'_>> {
    let mut latest: HashMap<&str, (Timestamp, &Path)> = HashMap::new();
    let mut found = Vec::new();
    for Tape { path, recording } in tapes {
        let (from, to) = recording.span();
        let before = recording.topics().filter_map(|topic| latest.get(topic).copied());
        let before: Vec<_> = before.filter(|(end, _)| from <= *end).collect();
        if let Some((end, earlier)) = before.iter().copied().max_by_key(|(end, _)| *end) {
            let (rows, of) = (recording.rows_until(end), recording.len());
            found.push(Overlap { earlier, later: path, topics: before.len(), rows, of });
        }
        for topic in recording.topics() {
            let entry = latest.entry(topic).or_insert((to, path.as_path()));
            if to > entry.0 {
                *entry = (to, path.as_path());
            }
        }
    }
    found
}

impl fmt::Display for Overlap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { earlier, later, topics, rows, of } = self;
        let (earlier, later) = (earlier.display(), later.display());
        write!(
            f,
            "{later} overlaps {earlier} in time on {topics} topics: {rows} of its {of} rows are not later than what was played before, so a host takes them as late and steps no behavior with them"
        )
    }
}

#[cfg(test)]
mod tests {
    use geminus_ingest::csv::ColumnMap;

    use super::*;

    /// A row a second of the given columns.
    fn tape(name: &str, columns: &str, seconds: std::ops::Range<u64>) -> Tape {
        let cells = ",1".repeat(columns.split(',').count());
        let rows: String = seconds.map(|second| format!("{second}{cells}\n")).collect();
        let recording = Recording::parse(&format!("t,{columns}\n{rows}"), &ColumnMap::default());
        Tape { path: PathBuf::from(name), recording: recording.expect("a recording") }
    }

    #[test]
    fn files_are_played_in_order_of_their_first_times() {
        let given = vec![tape("0", "a", 0..10), tape("10", "a", 100..110), tape("2", "a", 20..30)];
        let (tapes, moved) = by_time(given);
        assert_eq!((names(&tapes).as_str(), moved), ("0, 2, 10", true));
        assert_eq!(overlaps(&tapes), []);
        let (tapes, moved) = by_time(tapes);
        assert_eq!((names(&tapes).as_str(), moved), ("0, 2, 10", false));
        let many: Vec<Tape> = (0..25).map(|n| tape("x", "a", n..n + 1)).collect();
        assert!(names(&many).ends_with("x, x and 5 more"));
    }

    #[test]
    fn files_that_overlap_on_the_same_topics_are_told_with_their_rows() {
        let tapes = [
            tape("first", "a,b", 0..100),
            tape("beside", "c", 50..150),
            tape("into", "b,d", 90..130),
            tape("after", "a,b", 130..140),
            tape("on", "d,c", 129..131),
        ];
        let found = overlaps(&tapes);
        let overlap = |earlier, later, topics, rows, of| Overlap {
            earlier: Path::new(earlier),
            later: Path::new(later),
            topics,
            rows,
            of,
        };
        assert_eq!(found, [overlap("first", "into", 1, 10, 40), overlap("beside", "on", 2, 2, 2)]);
        assert!(
            found[0].to_string().starts_with("into overlaps first in time on 1 topics: 10 of its 40 rows")
        );
    }
}
