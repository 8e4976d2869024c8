//! Patterns of fleets: how one line of a site names many twins.
//!
//! `pump-{001..100}` *makes* ids (in `[[twin]]`): a number range keeps the width of its first end, several
//! ranges multiply, `{a,b,c}` lists words. `pump-*` or `pump-0[12]?` *selects* ids (in `[[bind]]` and
//! `[[behavior]]`) as shell globs do; a selection may be written with ranges too.

use globset::GlobBuilder;

/// The most ids that one line may make.
pub const IDS_MAX: usize = 1_000_000;

/// All ids that `pattern` makes, in order.
///
/// # Errors
/// What is wrong with the pattern, in words.
pub fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let mut made = vec![String::new()];
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        let (literal, tail) = rest.split_at(at);
        let inner = tail.strip_prefix('{').ok_or_else(|| format!("`}}` without `{{` in \"{pattern}\""))?;
        let (choice, after) =
            inner.split_once('}').ok_or_else(|| format!("`{{` is not closed in \"{pattern}\""))?;
        let choices = choices(choice, made.len())?;
        made = made
            .iter()
            .flat_map(|start| choices.iter().map(move |choice| format!("{start}{literal}{choice}")))
            .collect();
        rest = after;
    }
    made.iter_mut().for_each(|id| id.push_str(rest));
    Ok(made)
}

fn choices(text: &str, already: usize) -> Result<Vec<String>, String> {
    let Some((from, to)) = text.split_once("..") else {
        let words: Vec<String> = text.split(',').map(str::to_owned).collect();
        return match words.iter().any(String::is_empty) {
            true => Err(format!("`{{{text}}}` has an empty choice")),
            false => Ok(words),
        };
    };
    let number = |digits: &str| {
        digits.parse::<u64>().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (Some(first), Some(last)) = (number(from), number(to)) else {
        return Err(format!("`{{{text}}}` is not a range of numbers like {{001..100}}"));
    };
    if first > last {
        return Err(format!("range `{{{text}}}` runs backwards"));
    }
    let count = usize::try_from(last - first).unwrap_or(usize::MAX).saturating_add(1);
    if count.saturating_mul(already) > IDS_MAX {
        return Err(format!("`{{{text}}}` makes more than {IDS_MAX} ids in one line"));
    }
    let width = from.len();
    Ok((first..=last).map(|number| format!("{number:0width$}")).collect())
}

/// A selection of twin ids.
#[derive(Debug)]
pub struct Selection {
    globs: globset::GlobSet,
}

impl Selection {
    /// Reads a selection: a glob, whose `{001..100}` is expanded first.
    ///
    /// # Errors
    /// What is wrong with the pattern, in words.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let wrong = |error: globset::Error| format!("pattern \"{pattern}\": {}", error.kind());
        let mut globs = globset::GlobSetBuilder::new();
        for one in expand(pattern)? {
            globs.add(GlobBuilder::new(&one).literal_separator(false).build().map_err(wrong)?);
        }
        Ok(Self { globs: globs.build().map_err(wrong)? })
    }

    /// Whether `id` is selected.
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        self.globs.is_match(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_make_ids() {
        for (pattern, expect) in [
            ("pump", vec!["pump"]),
            ("p-{08..11}", vec!["p-08", "p-09", "p-10", "p-11"]),
            ("{a,b}-{1..2}x", vec!["a-1x", "a-2x", "b-1x", "b-2x"]),
        ] {
            assert_eq!(expand(pattern).expect(pattern), expect);
        }
    }

    #[test]
    fn wrong_patterns_say_why() {
        for (pattern, part) in [
            ("a{1..2", "not closed"),
            ("a}b", "without `{`"),
            ("a{5..1}", "backwards"),
            ("a{x..y}", "not a range"),
            ("a{1,,2}", "empty choice"),
            ("a{0..99999999}", "more than"),
            ("{0..9999}{0..9999}", "more than"),
            ("a{-1..3}", "not a range"),
        ] {
            let error = expand(pattern).expect_err(pattern);
            assert!(error.contains(part), "{pattern}: {error}");
        }
    }

    #[test]
    fn selections_match_like_globs() {
        for (pattern, id, expect) in [
            ("pump-*", "pump-001", true),
            ("pump-*", "fan-001", false),
            ("pump-{001..010}", "pump-010", true),
            ("pump-{001..010}", "pump-011", false),
            ("*", "hall/1/pump", true),
            ("pump-00[12]", "pump-002", true),
            ("pump-00?", "pump-003", true),
        ] {
            assert_eq!(Selection::new(pattern).expect(pattern).matches(id), expect, "{pattern} {id}");
        }
        assert!(Selection::new("pump-[").is_err());
    }
}
