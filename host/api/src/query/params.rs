//! The parameters of one request, by name.

use std::borrow::Cow;

use crate::error::Failure;

/// Longest text that one parameter may hold, in bytes.
const VALUE_BYTES_MAX: usize = 16 * 1024;

/// Decoded parameters, each of a known name and given at most once.
pub(crate) struct Params<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Params<'a> {
    /// Reads what follows the `?`. Refuses names that are not in `known`, names given twice and overlong values.
    pub(crate) fn read(query: Option<&'a str>, known: &[&str]) -> Result<Self, Failure> {
        let mut given = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        match given.find(|(name, _)| !known.contains(&name.as_ref())) {
            Some((name, _)) => Err(Failure::bad_query(unknown(&name, known))),
            None => Self::pick(query, known),
        }
    }

    /// The same of a query that somebody else wrote, who may add names that are not known here: they are passed over.
    pub(crate) fn pick(query: Option<&'a str>, known: &[&str]) -> Result<Self, Failure> {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        let given = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        for (name, value) in given.filter(|(name, _)| known.contains(&name.as_ref())) {
            if pairs.iter().any(|(seen, _)| *seen == name) {
                return Err(Failure::bad_query(format!("query parameter {name} is given twice")));
            }
            if value.len() > VALUE_BYTES_MAX {
                let message = format!("query parameter {name} is longer than {VALUE_BYTES_MAX} bytes");
                return Err(Failure::bad_query(message));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// The text of `name`, unless it is absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let value = self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref());
        value.filter(|text| !text.is_empty())
    }

    /// A whole number in `range`, or `default` when absent.
    pub(crate) fn number(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<u32>,
        default: u32,
    ) -> Result<u32, Failure> {
        let Some(text) = self.text(name) else { return Ok(default) };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let (low, high) = (range.start(), range.end());
            Failure::bad_query(format!("{name} must be a whole number from {low} to {high}, not {text:?}"))
        })
    }

    /// A comma-separated list without empty and repeated members, at most `most` of them.
    pub(crate) fn list(&self, name: &str, most: usize) -> Result<Vec<String>, Failure> {
        let mut members: Vec<String> = Vec::new();
        for member in self.text(name).unwrap_or_default().split(',').map(str::trim) {
            if !member.is_empty() && !members.iter().any(|seen| seen == member) {
                members.push(member.to_owned());
            }
        }
        match members.len() > most {
            true => Err(Failure::bad_query(format!("{name} may name at most {most}, not {}", members.len()))),
            false => Ok(members),
        }
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    match known {
        [] => format!("unknown query parameter {name:?}; this path takes none"),
        _ => format!("unknown query parameter {name:?}; known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(query: &str) -> String {
        match Params::read(Some(query), &["a", "b"]).and_then(|params| {
            params.number("a", 1..=10, 5)?;
            params.list("b", 2)
        }) {
            Ok(list) => panic!("{query} was accepted: {list:?}"),
            Err(failure) => format!("{failure:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(refusal("c=1").contains("unknown query parameter \\\"c\\\"; known are a, b"));
        assert!(refusal("a=1&a=2").contains("query parameter a is given twice"));
        assert!(refusal("a=0").contains("a must be a whole number from 1 to 10"));
        assert!(refusal("a=eleven").contains("a must be a whole number from 1 to 10"));
        assert!(refusal("a=-1").contains("a must be a whole number from 1 to 10"));
        assert!(refusal("b=x,y,z").contains("b may name at most 2, not 3"));
        assert!(
            refusal(&format!("b={}", "x".repeat(VALUE_BYTES_MAX + 1))).contains("longer than 16384 bytes")
        );
    }

    #[test]
    fn absent_and_empty_are_the_same_and_lists_are_tidied() {
        let params = Params::read(Some("a=&b=x,,%20y%20,x"), &["a", "b"]).expect("accepted");
        assert_eq!(params.number("a", 1..=10, 5).expect("default"), 5);
        assert_eq!(params.list("b", 2).expect("list"), ["x", "y"]);
        assert!(Params::read(None, &[]).expect("none").text("a").is_none());
    }
}
