//! What is wrong with numbers that were handed in: which field, where in it, and what would do.
//!
//! The models that take lists of any length (surrogates, programmes, horizons) check them with these before they
//! compute, so that nothing that is not a number is ever passed on as a good result. Their own errors wrap this one.

use thiserror::Error;

/// A field that cannot be worked with.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum BadInput {
    /// Nothing in it.
    #[error("{field} is empty, give at least {least}")]
    Empty {
        /// Name of the argument.
        field: &'static str,
        /// What is needed.
        least: usize,
    },
    /// Another number of values than its fellows call for.
    #[error("{field} has {found} numbers, give {expected}")]
    Length {
        /// Name of the argument.
        field: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// Not a number, or infinite.
    #[error("{field}[{index}] is {value}, give a finite number")]
    NotFinite {
        /// Name of the argument.
        field: &'static str,
        /// Where in it.
        index: usize,
        /// What stands there.
        value: f64,
    },
    /// Outside what makes sense.
    #[error("{field}[{index}] is {value}, it must be {must}")]
    Range {
        /// Name of the argument.
        field: &'static str,
        /// Where in it.
        index: usize,
        /// What stands there.
        value: f64,
        /// What would do.
        must: &'static str,
    },
    /// A column that is the same in every row and so teaches nothing.
    #[error("column {column} of {field} is constant, leave it out or give rows in which it varies")]
    Constant {
        /// Name of the argument.
        field: &'static str,
        /// Which column.
        column: usize,
    },
    /// More than is computed here.
    #[error("{field} asks for {found}, at most {most} are computed here")]
    TooMany {
        /// Name of the argument.
        field: &'static str,
        /// What is asked for.
        found: usize,
        /// The limit.
        most: usize,
    },
}

/// Refuses a list that has not this many numbers, or one that is not finite.
///
/// # Errors
/// `Length` or `NotFinite`.
pub(crate) fn finite(field: &'static str, values: &[f64], expected: usize) -> Result<(), BadInput> {
    if values.len() != expected {
        return Err(BadInput::Length { field, found: values.len(), expected });
    }
    match values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        Some((index, value)) => Err(BadInput::NotFinite { field, index, value: *value }),
        None => Ok(()),
    }
}

/// Refuses the first number of which `holds` says no.
///
/// # Errors
/// `Range`.
pub(crate) fn within(
    field: &'static str,
    values: &[f64],
    must: &'static str,
    holds: impl Fn(f64) -> bool,
) -> Result<(), BadInput> {
    match values.iter().enumerate().find(|(_, value)| !holds(**value)) {
        Some((index, value)) => Err(BadInput::Range { field, index, value: *value, must }),
        None => Ok(()),
    }
}

/// Refuses bounds of which one is not finite, or not below its upper one. `lower` and `upper` are equally long.
///
/// # Errors
/// `Empty`, `Length`, `NotFinite` or `Range`.
pub(crate) fn bounds(lower: &[f64], upper: &[f64]) -> Result<(), BadInput> {
    if lower.is_empty() {
        return Err(BadInput::Empty { field: "lower", least: 1 });
    }
    finite("lower", lower, lower.len())?;
    finite("upper", upper, lower.len())?;
    match upper.iter().zip(lower).enumerate().find(|(_, (upper, lower))| upper <= lower) {
        Some((index, (upper, _))) => {
            Err(BadInput::Range { field: "upper", index, value: *upper, must: "above lower" })
        }
        None => Ok(()),
    }
}
