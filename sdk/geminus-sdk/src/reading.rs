//! What goes in: readings, which cannot be mistaken for a number when there is none, and the trait behind
//! `#[derive(Inputs)]`.

/// How far a value may be trusted, worst last; the numbers are those of the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Quality {
    /// The source vouches for the value.
    Good = 0,
    /// Usable with care.
    Uncertain = 1,
    /// Not to be used.
    Bad = 2,
    /// No sample for five times the expected interval.
    Stale = 3,
    /// There is no value.
    #[default]
    Missing = 4,
}

impl Quality {
    /// From the contract's number; an unknown number is `Bad`.
    #[must_use]
    #[inline]
    pub fn from_u8(number: u8) -> Self {
        match number {
            0 => Self::Good,
            1 => Self::Uncertain,
            3 => Self::Stale,
            4 => Self::Missing,
            _ => Self::Bad,
        }
    }

    /// Good or uncertain.
    #[must_use]
    #[inline]
    pub fn usable(self) -> bool {
        self <= Self::Uncertain
    }
}

/// One input of one row. The number is reachable only when it may enter a calculation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    value: Option<f64>,
    quality: Quality,
}

impl Reading {
    /// From the columns: the value counts when its quality is good or uncertain and it is finite; a number that
    /// is not finite and yet called usable becomes `Bad`.
    #[must_use]
    #[inline]
    pub fn from_cell(value: f64, quality: u8) -> Self {
        match Quality::from_u8(quality) {
            usable if usable.usable() && value.is_finite() => Self { value: Some(value), quality: usable },
            usable if usable.usable() => Self { value: None, quality: Quality::Bad },
            quality => Self { value: None, quality },
        }
    }

    /// A value that its source vouches for.
    #[must_use]
    pub fn good(value: f64) -> Self {
        Self::from_cell(value, Quality::Good as u8)
    }

    /// A value to be used with care.
    #[must_use]
    pub fn uncertain(value: f64) -> Self {
        Self::from_cell(value, Quality::Uncertain as u8)
    }

    /// No value, because of `quality`; `Bad` when that would have one.
    #[must_use]
    pub fn without(quality: Quality) -> Self {
        Self { value: None, quality: quality.max(Quality::Bad) }
    }

    /// No sample in this row.
    #[must_use]
    pub fn missing() -> Self {
        Self::without(Quality::Missing)
    }

    /// The number in the declared unit; `None` unless it is finite and its quality good or uncertain.
    #[must_use]
    #[inline]
    pub fn value(self) -> Option<f64> {
        self.value
    }

    /// Its quality.
    #[must_use]
    #[inline]
    pub fn quality(self) -> Quality {
        self.quality
    }
}

/// A type that an input field may have: `Reading`, or `Option<f64>` where quality does not matter.
pub trait InputField: Sized {
    /// From one cell of the columns.
    fn from_cell(value: f64, quality: u8) -> Self;
    /// Back to a cell, for tests and for holding a value.
    fn cell(&self) -> (f64, u8);
}

impl InputField for Reading {
    #[inline]
    fn from_cell(value: f64, quality: u8) -> Self {
        Self::from_cell(value, quality)
    }

    fn cell(&self) -> (f64, u8) {
        (self.value.unwrap_or(f64::NAN), self.quality as u8)
    }
}

impl InputField for Option<f64> {
    #[inline]
    fn from_cell(value: f64, quality: u8) -> Self {
        Reading::from_cell(value, quality).value()
    }

    fn cell(&self) -> (f64, u8) {
        self.map_or(Reading::missing(), Reading::good).cell()
    }
}

/// A row of inputs. Derive it.
pub trait Inputs: Sized {
    /// Number of inputs, I.
    const WIDTH: usize;
    /// The declaration's list of inputs: JSON objects with commas between.
    const DECLARATION: &'static str;
    /// Names in declared order.
    const NAMES: &'static [&'static str];
    /// R × I cells, row-major, as rows; what is left over at the end is no row.
    fn rows<'a>(values: &'a [f64], quality: &'a [u8]) -> impl Iterator<Item = Self> + 'a;
    /// `[f64; I]`
    type Values: AsRef<[f64]>;
    /// `[u8; I]`
    type Qualities: AsRef<[u8]>;
    /// This row's cells.
    fn cells(&self) -> (Self::Values, Self::Qualities);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_counts_only_when_finite_and_usable() {
        let check = |value: f64, quality: u8, expect: Option<f64>, kept: Quality| {
            let reading = Reading::from_cell(value, quality);
            assert_eq!((reading.value(), reading.quality()), (expect, kept), "{value} {quality}");
        };
        check(1.5, 0, Some(1.5), Quality::Good);
        check(0.0, 1, Some(0.0), Quality::Uncertain);
        check(1.5, 2, None, Quality::Bad);
        check(1.5, 3, None, Quality::Stale);
        check(f64::NAN, 4, None, Quality::Missing);
        check(f64::NAN, 0, None, Quality::Bad);
        check(f64::INFINITY, 1, None, Quality::Bad);
        check(1.5, 9, None, Quality::Bad);
        assert_eq!(Reading::without(Quality::Good).quality(), Quality::Bad);
    }
}
