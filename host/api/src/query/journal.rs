//! Which entries of the journal.

use super::Params;
use crate::error::Failure;

/// Most entries in one answer.
pub const ENTRIES_MAX: u32 = 1_000;
/// Entries when the request does not say.
pub const ENTRIES_DEFAULT: u32 = 100;

/// A question about the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalQuery {
    /// 1 … 1,000
    pub limit: u32,
    /// Only entries with a lower number.
    pub before: Option<u64>,
    /// Only entries about this twin.
    pub twin: Option<String>,
}

impl JournalQuery {
    pub(crate) const PARAMETERS: [&str; 3] = ["limit", "before", "twin"];

    pub(crate) fn read(query: Option<&str>) -> Result<Self, Failure> {
        let params = Params::read(query, &Self::PARAMETERS)?;
        Ok(Self {
            limit: params.number("limit", 1..=ENTRIES_MAX, ENTRIES_DEFAULT)?,
            before: params.text("before").map(number).transpose()?,
            twin: params.text("twin").map(str::to_owned),
        })
    }
}

fn number(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| {
        Failure::bad_query(format!("before must be the number of a journal entry, not {text:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_checked() {
        let query = JournalQuery::read(Some("limit=5&before=77&twin=pump-1")).expect("query");
        assert_eq!(query, JournalQuery { limit: 5, before: Some(77), twin: Some("pump-1".to_owned()) });
        let refusal = format!("{:?}", JournalQuery::read(Some("before=last")).expect_err("refused"));
        assert!(refusal.contains("before must be the number of a journal entry"), "{refusal}");
    }
}
