//! How far a value may be trusted. Missing quality is never good.

use serde::{Deserialize, Serialize};

/// Quality of one value, worst last; the numbers are those of the contract (`rows.quality`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Quality {
    /// The source vouches for the value.
    Good = 0,
    /// Usable with care: the source gave no verdict, or an input of it was uncertain.
    Uncertain = 1,
    /// Not to be used; kept because it happened.
    Bad = 2,
    /// No sample for five times the expected interval.
    Stale = 3,
    /// There is no value.
    Missing = 4,
}

impl Quality {
    /// From the contract's number; an unknown number is `Bad`.
    #[must_use]
    pub fn from_u8(number: u8) -> Self {
        match number {
            0 => Self::Good,
            1 => Self::Uncertain,
            3 => Self::Stale,
            4 => Self::Missing,
            _ => Self::Bad,
        }
    }

    /// The worse of two.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        self.max(other)
    }

    /// Good or uncertain: a number that may enter a calculation.
    #[must_use]
    pub fn usable(self) -> bool {
        self <= Self::Uncertain
    }

    /// Lower-case name, as APIs show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertain => "uncertain",
            Self::Bad => "bad",
            Self::Stale => "stale",
            Self::Missing => "missing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_both_ways_and_unknown_ones_are_bad() {
        for quality in [Quality::Good, Quality::Uncertain, Quality::Bad, Quality::Stale, Quality::Missing] {
            assert_eq!(Quality::from_u8(quality as u8), quality);
        }
        assert_eq!(Quality::from_u8(77), Quality::Bad);
    }

    #[test]
    fn worse_is_symmetric_and_only_good_and_uncertain_are_usable() {
        assert_eq!(Quality::Good.worse(Quality::Stale), Quality::Stale);
        assert_eq!(Quality::Bad.worse(Quality::Uncertain), Quality::Bad);
        assert!(Quality::Uncertain.usable() && !Quality::Stale.usable());
    }
}
