//! Context records: what systems around the plant (ERP, MES, maintenance) say about an asset. A work order, a batch, an
//! inspection, a calibration.
//!
//! A record belongs to one twin and is known by its source and the id that it has there, so that sending it again is no
//! second record. Where it came in, `api` makes it; `store` keeps it; nothing here reads or writes.

use serde_json::Value;

use crate::Timestamp;

/// Most bytes of the name of a source, a kind or a state.
pub const WORD_BYTES_MAX: usize = 64;
/// Most bytes of an id.
pub const ID_BYTES_MAX: usize = 128;
/// Most bytes of a title.
pub const TITLE_BYTES_MAX: usize = 300;
/// Most bytes of a detail.
pub const DETAIL_BYTES_MAX: usize = 4_096;
/// Most bytes of a link.
pub const LINK_BYTES_MAX: usize = 1_024;
/// Most bytes of facts, as JSON.
pub const FACTS_BYTES_MAX: usize = 8_192;
/// The last time that is taken: the end of the year 2261, which every file of the store can hold.
pub const TIME_MAX: Timestamp = Timestamp(9_214_646_400_000_000_000);

/// A record of another system about one twin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContextRecord {
    /// System that says it, for example `sap-pm`.
    pub source: String,
    /// Its id there, for example `WO-4711`.
    pub id: String,
    /// What it is: `work-order`, `batch`, `inspection`, `calibration`, or any other word.
    pub kind: String,
    /// One line for people.
    pub title: String,
    /// How it stands, in the source's word; empty when it says none.
    pub state: String,
    /// When it happened or began.
    pub time: Timestamp,
    /// When it ended; `None` for what has no length or no end yet.
    pub until: Option<Timestamp>,
    /// When the source changed it last: an older version never takes the place of a newer one. `None`: what comes last
    /// counts.
    pub changed: Option<Timestamp>,
    /// The source takes it back.
    pub removed: bool,
    /// Address of it there, of `http` or `https`.
    pub link: Option<String>,
    /// More words; may be empty.
    pub detail: String,
    /// Facts for programs: an object, or null.
    pub facts: Value,
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A word that is none.
    #[error(
        "{field} is {given:?}: use 1 to {WORD_BYTES_MAX} small letters, digits and dashes, a letter first"
    )]
    Word {
        /// Which one.
        field: &'static str,
        /// What was given, cut.
        given: String,
    },
    /// Something is missing.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// Something is too long.
    #[error("{field} has {found} bytes, at most {most} fit")]
    Long {
        /// Which one.
        field: &'static str,
        /// Its length in bytes.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// A text holds what no terminal and no page should be given.
    #[error("{0} may not have control characters")]
    Control(&'static str),
    /// A time that cannot be kept.
    #[error("{0} is after the year 2261")]
    Late(&'static str),
    /// The end comes before the beginning.
    #[error("until is before time")]
    Backwards,
    /// The link is none that a page may show.
    #[error("link must begin with http:// or https://")]
    Link,
    /// Facts are something else than an object.
    #[error("facts must be an object")]
    Facts,
}

impl ContextRecord {
    /// Refuses what cannot be kept or shown.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), RecordError> {
        word("source", &self.source)?;
        word("kind", &self.kind)?;
        text("id", &self.id, ID_BYTES_MAX)?;
        text("title", &self.title, TITLE_BYTES_MAX)?;
        text("state", &self.state, WORD_BYTES_MAX)?;
        let lines = |c: char| c == '\n' || c == '\t';
        fits("detail", self.detail.len(), DETAIL_BYTES_MAX)?;
        plain("detail", self.detail.chars().filter(|c| !lines(*c)))?;
        for (field, given) in [("id", &self.id), ("title", &self.title)] {
            if given.trim().is_empty() {
                return Err(RecordError::Empty(field));
            }
        }
        self.check_times()?;
        self.check_link()?;
        match &self.facts {
            Value::Null => Ok(()),
            Value::Object(_) => fits("facts", self.facts.to_string().len(), FACTS_BYTES_MAX),
            _ => Err(RecordError::Facts),
        }
    }

    fn check_times(&self) -> Result<(), RecordError> {
        for (field, time) in [("time", Some(self.time)), ("until", self.until), ("changed", self.changed)] {
            if time.is_some_and(|time| time > TIME_MAX) {
                return Err(RecordError::Late(field));
            }
        }
        match self.until {
            Some(until) if until < self.time => Err(RecordError::Backwards),
            _ => Ok(()),
        }
    }

    fn check_link(&self) -> Result<(), RecordError> {
        let Some(link) = &self.link else { return Ok(()) };
        text("link", link, LINK_BYTES_MAX)?;
        match ["https://", "http://"].iter().any(|scheme| link.starts_with(scheme)) {
            true => Ok(()),
            false => Err(RecordError::Link),
        }
    }
}

/// `sap-pm`, `work-order`: what can stand in an address and a command line as it is.
fn word(field: &'static str, given: &str) -> Result<(), RecordError> {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fine = given.len() <= WORD_BYTES_MAX
        && given.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && given.bytes().all(known);
    match fine {
        true => Ok(()),
        false => Err(RecordError::Word { field, given: given.chars().take(WORD_BYTES_MAX).collect() }),
    }
}

fn text(field: &'static str, given: &str, most: usize) -> Result<(), RecordError> {
    fits(field, given.len(), most)?;
    plain(field, given.chars())
}

fn fits(field: &'static str, found: usize, most: usize) -> Result<(), RecordError> {
    if found <= most { Ok(()) } else { Err(RecordError::Long { field, found, most }) }
}

fn plain(field: &'static str, mut given: impl Iterator<Item = char>) -> Result<(), RecordError> {
    if given.any(char::is_control) { Err(RecordError::Control(field)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order() -> ContextRecord {
        ContextRecord {
            source: "sap-pm".to_owned(),
            id: "WO-4711".to_owned(),
            kind: "work-order".to_owned(),
            title: "Replace the bearing".to_owned(),
            time: Timestamp(10),
            ..ContextRecord::default()
        }
    }

    #[test]
    fn what_can_be_kept_and_shown_is_taken() {
        let whole = ContextRecord {
            until: Some(Timestamp(10)),
            changed: Some(TIME_MAX),
            link: Some("https://erp.example/WO-4711".to_owned()),
            detail: "first line\n\tsecond line".to_owned(),
            state: "Released".to_owned(),
            facts: json!({"cost": 12.5}),
            ..order()
        };
        assert_eq!(whole.check(), Ok(()));
        assert_eq!(order().check(), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |change: &dyn Fn(&mut ContextRecord), says: &str| {
            let mut record = order();
            change(&mut record);
            let refusal = record.check().expect_err(says).to_string();
            assert!(refusal.contains(says), "{refusal}, not {says}");
        };
        check(&|it| it.source = "SAP".to_owned(), "source is \"SAP\"");
        check(&|it| it.source = "x".repeat(WORD_BYTES_MAX + 1), "source is");
        check(&|it| it.kind = String::new(), "kind is \"\"");
        check(&|it| it.kind = "4m".to_owned(), "kind is \"4m\"");
        check(&|it| it.id = " ".to_owned(), "id is empty");
        check(&|it| it.title = String::new(), "title is empty");
        check(&|it| it.title = "a\u{1b}[2J".to_owned(), "title may not have control characters");
        check(&|it| it.detail = "a\u{7}".to_owned(), "detail may not have control characters");
        check(&|it| it.title = "x".repeat(TITLE_BYTES_MAX + 1), "title has 301 bytes, at most 300 fit");
        check(&|it| it.detail = "x".repeat(DETAIL_BYTES_MAX + 1), "detail has 4097 bytes");
        check(&|it| it.until = Some(Timestamp(9)), "until is before time");
        check(&|it| it.time = Timestamp(u64::MAX), "time is after the year 2261");
        check(&|it| it.link = Some("javascript:alert(1)".to_owned()), "link must begin with http");
        check(&|it| it.facts = json!([1]), "facts must be an object");
        check(&|it| it.facts = json!({"x": "y".repeat(FACTS_BYTES_MAX)}), "facts has");
    }
}
