//! What is wrong with a site, collected: an operator mends a file once, not once per mistake.

use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake, where it stands, and what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File it stands in.
    pub file: PathBuf,
    /// Line, from 1; `None` when the whole file is meant.
    pub line: Option<u32>,
    /// One sentence, lower case, without a full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file.display(), self.message),
            None => write!(f, "{}: {}", self.file.display(), self.message),
        }
    }
}

/// All mistakes found in one go, in the order of the files. Never empty when returned as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn add(&mut self, file: &Path, line: Option<u32>, message: impl Into<String>) {
        self.0.push(Problem { file: file.to_owned(), line, message: message.into() });
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// What was found so far.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.0
    }

    /// `value` when nothing was found.
    ///
    /// # Errors
    /// What was found, sorted by file and line, each mistake once.
    pub fn or<T>(mut self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        self.0.dedup();
        Err(self)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.0.iter();
        if let Some(first) = lines.next() {
            write!(f, "{first}")?;
        }
        lines.try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

impl std::error::Error for Problems {}

/// The name of `known` nearest to `written` by edit distance, when near enough to be a slip of the finger.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| strsim::damerau_levenshtein(&written.to_lowercase(), &name.to_lowercase());
    let best = known.into_iter().min_by_key(|name| distance(name))?;
    (distance(best) <= written.chars().count().max(best.chars().count()).div_ceil(2)).then_some(best)
}

/// ", did you mean `x`?" or nothing, for the end of a message.
#[must_use]
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(written, known).map_or_else(String::new, |name| format!(", did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        for (written, expect) in [
            ("interval", Some("interval_ms")),
            ("intervall_ms", Some("interval_ms")),
            ("tpye", Some("type")),
            ("zzzzzz", None),
        ] {
            assert_eq!(nearest(written, ["interval_ms", "type", "authority"]), expect, "{written}");
        }
    }

    #[test]
    fn problems_come_sorted_and_once() {
        let mut problems = Problems::default();
        problems.add(Path::new("b"), Some(2), "two");
        problems.add(Path::new("b"), None, "whole");
        problems.add(Path::new("a"), Some(9), "nine");
        problems.add(Path::new("b"), Some(2), "two");
        let text = problems.or(()).expect_err("three").to_string();
        assert_eq!(text, "a:9: nine\nb: whole\nb:2: two");
        assert_eq!(Problems::default().or(7), Ok(7));
    }
}
