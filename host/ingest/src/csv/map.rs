//! Which column of a recording is which topic: a small TOML file, or a rule that needs none.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Which column becomes what. As TOML:
///
/// ```toml
/// prefix = "skab/rig-1"           # columns not named below go to {prefix}/{column-in-kebab-case}
/// time_column = "datetime"        # default: the first column
/// delimiter = ";"                 # default: what the header has more of, `;` or `,`
///
/// [columns]
/// Temperature = "skab/rig-1/surface"                     # a topic of its own
/// Current = { topic = "skab/rig-1/all", field = "amps" } # a member of an object, with all others of its topic
/// anomaly = false                                        # left out
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnMap {
    /// Start of the topics of columns that are not named in `columns`.
    #[serde(default)]
    pub prefix: String,
    /// Column with the time; the first when not given.
    #[serde(default)]
    pub time_column: Option<String>,
    /// Between the cells of a row; found out when not given.
    #[serde(default)]
    pub delimiter: Option<char>,
    /// Columns by name.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnTarget>,
}

/// Where a column goes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ColumnTarget {
    /// `false`: nowhere. `true`: as if it were not named.
    Wanted(bool),
    /// To a topic of its own, as `{"value":…,"time":…}`.
    Topic(String),
    /// Into the object of a topic.
    Member {
        /// The topic, shared with other columns.
        topic: String,
        /// Name of the member.
        field: String,
    },
}

/// Why a map cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// Not TOML, or keys that are not known.
    #[error("the column map cannot be read: {0}")]
    Malformed(String),
    /// A column that the recording does not have.
    #[error("the column map names `{column}`, but the recording has only: {known}")]
    UnknownColumn {
        /// This one.
        column: String,
        /// The header.
        known: String,
    },
    /// A topic that is used both for a value and for an object.
    #[error("topic `{0}` is given both to a whole column and to a member of an object")]
    Mixed(String),
    /// Two columns in the same place.
    #[error("two columns go to `{0}`")]
    Twice(String),
}

impl ColumnMap {
    /// Every column to `{prefix}/{column-in-kebab-case}`.
    #[must_use]
    pub fn with_prefix(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..Self::default() }
    }

    /// From the text of a MAP file.
    ///
    /// # Errors
    /// [`MapError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, MapError> {
        toml::from_str(text).map_err(|error| MapError::Malformed(error.to_string()))
    }

    /// Topic and member of a column; `None` when it is left out.
    pub(super) fn target(&self, column: &str) -> Option<(String, Option<String>)> {
        match self.columns.get(column) {
            Some(ColumnTarget::Wanted(false)) => None,
            Some(ColumnTarget::Topic(topic)) => Some((topic.clone(), None)),
            Some(ColumnTarget::Member { topic, field }) => Some((topic.clone(), Some(field.clone()))),
            Some(ColumnTarget::Wanted(true)) | None => {
                let prefix = self.prefix.trim_end_matches('/');
                let slash = if prefix.is_empty() { "" } else { "/" };
                Some((format!("{prefix}{slash}{}", kebab(column)), None))
            }
        }
    }
}

/// `Volume Flow RateRMS` → `volume-flow-rate-rms`, `Accelerometer1RMS` → `accelerometer1-rms`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    let mut before = None;
    for letter in name.chars() {
        if !letter.is_alphanumeric() {
            before = None;
            continue;
        }
        let new_word = match before {
            None => !out.is_empty(),
            Some(before) => letter.is_uppercase() && !char::is_uppercase(before),
        };
        if new_word {
            out.push('-');
        }
        out.extend(letter.to_lowercase());
        before = Some(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_names_become_kebab_case() {
        for (name, expect) in [
            ("Volume Flow RateRMS", "volume-flow-rate-rms"),
            ("Accelerometer1RMS", "accelerometer1-rms"),
            ("Temperature", "temperature"),
            ("motor_speed (1/min)", "motor-speed-1-min"),
            ("already-kebab", "already-kebab"),
            ("RUL", "rul"),
        ] {
            assert_eq!(kebab(name), expect);
        }
    }

    #[test]
    fn a_map_says_where_columns_go() {
        let map = ColumnMap::parse(
            "prefix = \"p/\"\n[columns]\nA = \"x/a\"\nB = { topic = \"x/all\", field = \"b\" }\nC = false\nD = true",
        )
        .expect("map");
        assert_eq!(map.target("A"), Some(("x/a".to_owned(), None)));
        assert_eq!(map.target("B"), Some(("x/all".to_owned(), Some("b".to_owned()))));
        assert_eq!(map.target("C"), None);
        assert_eq!(map.target("D"), Some(("p/d".to_owned(), None)));
        assert_eq!(map.target("Else"), Some(("p/else".to_owned(), None)));
        assert_eq!(ColumnMap::default().target("Else"), Some(("else".to_owned(), None)));
        let error = ColumnMap::parse("prefx = \"p\"").expect_err("unknown key").to_string();
        assert!(error.contains("prefx"), "{error}");
    }
}
