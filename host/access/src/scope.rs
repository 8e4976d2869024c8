//! Which twins a role holds for: all of them, or those whose ids match a pattern.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::AccessError;

/// Most patterns of one scope.
const PATTERNS_MAX: usize = 100;
/// Longest pattern; no id of a twin is longer.
const PATTERN_BYTES_MAX: usize = 128;

/// Twins by their ids. `*` in a pattern stands for any run of characters, `?` for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Scope(Vec<String>);

impl Scope {
    /// Every twin, and the site itself.
    #[must_use]
    pub fn all() -> Self {
        Self(vec!["*".to_owned()])
    }

    /// Twins that match one of these.
    ///
    /// # Errors
    /// When there is no pattern, or one that no id could match.
    pub fn new(patterns: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, AccessError> {
        let patterns: Vec<String> = patterns.into_iter().map(Into::into).collect();
        if patterns.is_empty() || patterns.len() > PATTERNS_MAX {
            return Err(AccessError::ScopeSize { limit: PATTERNS_MAX });
        }
        match patterns.iter().find(|pattern| !is_pattern(pattern)) {
            Some(wrong) => Err(AccessError::Pattern(wrong.chars().take(40).collect())),
            None if patterns.iter().any(|pattern| pattern == "*") => Ok(Self::all()),
            None => Ok(Self(patterns)),
        }
    }

    /// Whether it reaches everything, also what is about no twin.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.iter().any(|pattern| pattern == "*")
    }

    /// Whether this twin is inside. Takes the id as the site has it, not as an address spells it.
    #[must_use]
    pub fn contains(&self, twin: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern.as_bytes(), twin.as_bytes()))
    }
}

fn is_pattern(pattern: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:*?".contains(c);
    !pattern.is_empty() && pattern.len() <= PATTERN_BYTES_MAX && pattern.chars().all(plain)
}

/// In time proportional to the product of both lengths at most: the last `*` alone is ever tried again.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(wanted) if wanted == letter || *wanted == b'?' => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|rest| *rest == b'*')
}

/// `pump-*,motor-1`
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// Reads what `Display` writes.
impl FromStr for Scope {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Self, AccessError> {
        Self::new(text.split(',').map(str::trim))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_whole_ids() {
        let check = |scope: &str, twin: &str, expect: bool| {
            assert_eq!(scope.parse::<Scope>().expect("scope").contains(twin), expect, "{scope} {twin}");
        };
        check("*", "anything", true);
        check("pump-*", "pump-1", true);
        check("pump-*", "pump-", true);
        check("pump-*", "Pump-1", false);
        check("pump-*", "my-pump-1", false);
        check("pump-1", "pump-10", false);
        check("pump-?", "pump-10", false);
        check("pump-?", "pump-1", true);
        check("*-1", "pump-1-1", true);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("pump-1,motor-*", "motor-7", true);
        check("pump-1,motor-*", "fan-7", false);
        check("pump-1", "", false);
    }

    #[test]
    fn what_no_id_can_match_is_refused() {
        for text in ["", "pump 1", "pump/1", "pump-1,", "p\u{e9}", "{a}", "[ab]"] {
            assert!(text.parse::<Scope>().is_err(), "{text:?}");
        }
        assert!(Scope::new(vec!["a"; PATTERNS_MAX]).is_ok());
        assert!(Scope::new(vec!["a"; PATTERNS_MAX + 1]).is_err());
        assert!(Scope::new(["x".repeat(PATTERN_BYTES_MAX + 1)]).is_err());
        assert!("pump-1,*".parse::<Scope>().expect("scope").is_all());
        assert!(!"pump-*".parse::<Scope>().expect("scope").is_all());
    }

    /// The plainest definition of the same.
    fn slowly(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=text.len()).any(|skip| slowly(rest, &text[skip..])),
            (Some((b'?', rest)), Some((_, more))) => slowly(rest, more),
            (Some((a, rest)), Some((b, more))) => a == b && slowly(rest, more),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_plain_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), slowly(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
