//! Kinds of series by who made their values: each is sealed into files of its own, so that each can be kept as long as
//! it is worth.

use serde::{Deserialize, Serialize};

/// Who made the values of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The field sent them.
    Measured,
    /// A behavior computed them of what was.
    Estimated,
    /// A behavior said them of what will be.
    Predicted,
    /// Somebody wished for them.
    SetPoint,
    /// What behaviors were given and who answered, for replay.
    Record,
}

impl Class {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Measured, Self::Estimated, Self::Predicted, Self::SetPoint, Self::Record];

    /// What is known of a series by its name alone: rows are recorded under names with a slash, outputs of behaviors have
    /// a dot behind the behavior's name.
    #[must_use]
    pub fn of_name(point: &str) -> Self {
        match (point.contains('/'), point.contains('.')) {
            (true, _) => Self::Record,
            (false, true) => Self::Estimated,
            (false, false) => Self::Measured,
        }
    }

    /// One word, as it stands in names of files and in configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Estimated => "estimated",
            Self::Predicted => "predicted",
            Self::SetPoint => "set-point",
            Self::Record => "record",
        }
    }

    pub(crate) fn number(self) -> i64 {
        self as i64
    }

    /// What a number that nobody gave stands for is kept longest: as measured.
    pub(crate) fn from_number(number: i64) -> Self {
        let known = usize::try_from(number).ok().and_then(|place| Self::ALL.get(place).copied());
        known.unwrap_or(Self::Measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back() {
        for class in Class::ALL {
            assert_eq!(Class::from_number(class.number()), class);
            let json = serde_json::to_string(&class).expect("json");
            assert_eq!(json, format!("\"{}\"", class.name()));
        }
        assert_eq!(Class::from_number(99), Class::Measured);
    }

    #[test]
    fn a_name_says_who_made_the_values() {
        let check = |point: &str, expect: Class| assert_eq!(Class::of_name(point), expect, "{point}");
        check("temperature", Class::Measured);
        check("thermal.winding_temperature", Class::Estimated);
        check("thermal/in/load", Class::Record);
        check("thermal/by", Class::Record);
    }
}
