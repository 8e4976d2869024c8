//! What the evidence says: one check for each limit of the acceptance, and what they say together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Checks that are told in one sentence: a plugin may have hundreds of outputs, and the sentence goes into the journal.
const WORDS_MAX: usize = 16;
/// Checks that are kept of a phase that is over.
const SAMPLE_MAX: usize = 64;

/// What the checks say together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// `fail` when one check fails, else `open` when one is open, else `pass`.
    pub state: VerdictState,
    /// Each check, in the order of the acceptance.
    pub checks: Vec<Check>,
}

/// What a check, or all of them, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerdictState {
    /// Inside its limit, over enough rows.
    Pass,
    /// Too few rows to say.
    Open,
    /// Beyond its limit.
    Fail,
}

/// One limit held against what was counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What is checked, with the output it is about: `difference winding_temperature`.
    pub name: String,
    /// What it says.
    pub state: VerdictState,
    /// The limit, in words with its unit.
    pub limit: String,
    /// The number that is held against the limit; null when there is none yet.
    pub value: Option<f64>,
    /// What was seen, in an operator's words with numbers.
    pub detail: String,
}

impl Verdict {
    /// Of these checks.
    #[must_use]
    pub fn of(checks: Vec<Check>) -> Self {
        let state = checks.iter().map(|check| check.state).max().unwrap_or(VerdictState::Open);
        Self { state, checks }
    }

    /// The details of the checks in this state, as one sentence, of many the first and how many more there are; empty
    /// when there is none.
    #[must_use]
    pub fn words(&self, state: VerdictState) -> String {
        let all = || self.checks.iter().filter(|check| check.state == state);
        let mut words: Vec<String> =
            all().take(WORDS_MAX).map(|check| format!("{}: {}", check.name, check.detail)).collect();
        match all().count().saturating_sub(WORDS_MAX) {
            0 => {}
            more => words.push(format!("and {more} more checks")),
        }
        words.join("; ")
    }

    /// The same with a bounded number of checks: those that fail before those that are open before those that pass, in the
    /// order of the acceptance.
    #[must_use]
    pub fn sample(&self) -> Self {
        let mut places: Vec<usize> = (0..self.checks.len()).collect();
        places.sort_by_key(|place| std::cmp::Reverse(self.checks.get(*place).map(|check| check.state)));
        places.truncate(SAMPLE_MAX);
        places.sort_unstable();
        let checks = places.into_iter().filter_map(|place| self.checks.get(place).cloned()).collect();
        Self { state: self.state, checks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use VerdictState::{Fail, Open, Pass};

    fn verdict(states: impl IntoIterator<Item = VerdictState>) -> Verdict {
        let check = |(number, state): (usize, VerdictState)| Check {
            name: format!("c{number}"),
            state,
            limit: String::new(),
            value: None,
            detail: "far".to_owned(),
        };
        Verdict::of(states.into_iter().enumerate().map(check).collect())
    }

    #[test]
    fn many_checks_are_told_by_the_first_and_their_number() {
        assert_eq!(verdict([Pass, Fail, Open, Fail]).words(Fail), "c1: far; c3: far");
        assert_eq!(verdict([Pass]).words(Fail), "");
        let words = verdict([Fail; 500]).words(Fail);
        assert!(words.starts_with("c0: far; c1: far;"), "{words}");
        assert!(words.ends_with("; c15: far; and 484 more checks"), "{words}");
    }

    #[test]
    fn a_sample_has_what_fails_and_no_more_than_its_size() {
        let few = verdict([Pass, Fail, Open]);
        assert_eq!(few.sample(), few);
        let many = verdict((0..500).map(|number| match number {
            499 => Fail,
            250 => Open,
            _ => Pass,
        }));
        let sample = many.sample();
        let names: Vec<&str> = sample.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!((sample.state, names.len()), (Fail, SAMPLE_MAX));
        assert_eq!((names[0], names[61], names[62], names[63]), ("c0", "c61", "c250", "c499"));
    }
}
