//! Rows of a recording that cannot be read: counted by reason, with the lines of the first ones.

use std::fmt;

use geminus_core::{Event, Severity};

use crate::refusal::Reason;

/// Lines of a reason that are kept.
const LINES_MAX: usize = 20;

/// Rows that were left out, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedRows {
    kinds: Vec<RefusedKind>,
}

/// Rows that were left out for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedKind {
    /// Which.
    pub reason: Reason,
    /// How many.
    pub rows: u64,
    /// Lines of the file, from 1, of the first of them.
    pub lines: Vec<u64>,
    /// What is wrong with the first one.
    pub why: String,
    /// Start of the first one.
    pub excerpt: String,
}

impl RefusedRows {
    /// How many rows for any reason.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.rows).sum()
    }

    /// One for each reason, in order of the first line.
    #[must_use]
    pub fn kinds(&self) -> &[RefusedKind] {
        &self.kinds
    }

    /// One event for each reason, for the journal; `source` and `file` say where.
    pub fn events<'a>(&'a self, source: &'a str, file: &'a str) -> impl Iterator<Item = Event> + 'a {
        self.kinds.iter().map(move |kind| {
            let message = format!("{source}: a row of {file} was refused: {kind}");
            Event::new("sample-refused", Severity::Warning, message).facts(serde_json::json!({
                "source": source,
                "file": file,
                "reason": kind.reason.name(),
                "line": kind.lines.first(),
                "lines": kind.lines,
                "excerpt": kind.excerpt,
                "rows": kind.rows,
            }))
        })
    }

    pub(super) fn add(&mut self, line: u64, reason: Reason, why: String, excerpt: String) {
        match self.kinds.iter_mut().find(|kind| kind.reason == reason) {
            Some(kind) => {
                kind.rows += 1;
                if kind.lines.len() < LINES_MAX {
                    kind.lines.push(line);
                }
            }
            None => self.kinds.push(RefusedKind { reason, rows: 1, lines: vec![line], why, excerpt }),
        }
    }
}

impl fmt::Display for RefusedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.lines.first().unwrap_or(&0), self.why)?;
        match self.rows {
            1 => Ok(()),
            rows => write!(f, ", and {} more like it", rows - 1),
        }
    }
}

impl fmt::Display for RefusedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, kind) in self.kinds.iter().enumerate() {
            write!(f, "{}{kind}", if place == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// Counts the lines of a text on the way through it. The parser of tables does not count one that ends in CR and LF
/// before the next has begun, nor empty ones.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// Number, from 1, and text of the first line with something in it that begins at `byte` or after it. To be asked in
    /// rising order.
    pub(super) fn at(&mut self, byte: u64) -> (u64, &'a str) {
        let bytes = self.text.as_bytes();
        let mut to = usize::try_from(byte).unwrap_or(usize::MAX).min(bytes.len());
        while matches!(bytes.get(to), Some(b'\r' | b'\n')) {
            to += 1;
        }
        let between = bytes.get(self.at..to).unwrap_or_default().iter().enumerate();
        let ends = between.filter(|(place, byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(self.at + place + 1) != Some(&b'\n'),
            _ => false,
        });
        self.line += ends.count() as u64;
        self.at = self.at.max(to);
        let rest = self.text.get(to..).unwrap_or_default();
        (self.line, rest.split(['\r', '\n']).next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_whatever_they_end_in() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["head", "one", "", "", "four", "five"].join(end);
            let mut lines = Lines::new(&text);
            assert_eq!(lines.at(0), (1, "head"), "{end:?}");
            // As the parser has it: within the end of the line above.
            let above = "headone".len() + end.len() + 1;
            assert_eq!(lines.at(above as u64), (5, "four"), "{end:?}");
            let last = text.find("five").expect("it is there");
            assert_eq!(lines.at(last as u64), (6, "five"), "{end:?}");
            assert_eq!(lines.at(10_000), (6, ""), "{end:?}");
        }
    }

    #[test]
    fn rows_are_told_once_for_each_reason_with_their_lines() {
        let mut rows = RefusedRows::default();
        for line in 0..50 {
            rows.add(line + 2, Reason::Malformed, format!("has {line} columns"), "x".to_owned());
        }
        rows.add(60, Reason::BadTime, "`noon` is no time".to_owned(), "noon;1".to_owned());
        assert_eq!(rows.count(), 51);
        assert_eq!(
            rows.to_string(),
            "line 2: has 0 columns, and 49 more like it; line 60: `noon` is no time"
        );
        let events: Vec<_> = rows.events("recorder", "rig.csv").collect();
        assert_eq!(events.len(), 2);
        assert_eq!(
            events[0].message,
            "recorder: a row of rig.csv was refused: line 2: has 0 columns, and 49 more like it"
        );
        assert_eq!((&events[0].facts["line"], &events[0].facts["rows"]), (&2.into(), &50.into()));
        assert_eq!(events[0].facts["lines"].as_array().map(Vec::len), Some(LINES_MAX));
        assert_eq!(
            (&events[1].facts["reason"], &events[1].facts["excerpt"]),
            (&"bad-time".into(), &"noon;1".into())
        );
    }
}
