//! Where a surrogate may be believed: the box that its data spans, and how much of the prior uncertainty is left.
//!
//! Outside either, a prediction still has a number, but `Verdict` says that it rests on nothing: a behavior marks its
//! output uncertain then, and proposes nothing (or lets an interlock ask for a good quality).

use std::fmt;

use crate::bad_input::{self, BadInput};
use crate::gaussian_process::Prediction;

/// The domain of validity of a model with some inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    lower: Vec<f64>,
    upper: Vec<f64>,
    share_max: f64,
}

/// Whether a prediction rests on data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// It does.
    Inside,
    /// An input is outside of what the data spans.
    Outside {
        /// Which input, from 0.
        column: usize,
        /// Where it is.
        value: f64,
        /// Lowest that is inside.
        lower: f64,
        /// Highest that is inside.
        upper: f64,
    },
    /// The data says too little there.
    Unsure {
        /// Part of the prior deviation that is left, 0 … 1.
        share: f64,
        /// Most that is accepted.
        most: f64,
    },
}

impl Verdict {
    /// Whether the prediction may be acted on.
    #[must_use]
    pub fn is_inside(self) -> bool {
        self == Self::Inside
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inside => f.write_str("within the data"),
            Self::Outside { column, value, lower, upper } => {
                write!(f, "input {column} is {value:.4}, the data spans {lower:.4} to {upper:.4}")
            }
            Self::Unsure { share, most } => {
                write!(
                    f,
                    "{:.0} % of the prior deviation is left, at most {:.0} % may be",
                    100.0 * share,
                    100.0 * most
                )
            }
        }
    }
}

impl Domain {
    /// The box between `lower` and `upper`. `share_max` is the part of the prior deviation (without noise) that may be
    /// left, above 0 and up to 1; 1 goes by the box alone.
    ///
    /// # Errors
    /// For bounds that are empty, uneven, not finite or not in order, and a share outside its range.
    pub fn new(lower: &[f64], upper: &[f64], share_max: f64) -> Result<Self, BadInput> {
        bad_input::bounds(lower, upper)?;
        bad_input::within("share_max", &[share_max], "above 0 and at most 1", |s| s > 0.0 && s <= 1.0)?;
        Ok(Self { lower: lower.to_vec(), upper: upper.to_vec(), share_max })
    }

    /// The box that rows with `inputs` inputs span, wider by `margin` of its width on each side.
    ///
    /// # Errors
    /// As `new`; for rows that are empty or uneven, a column that is constant, and a negative margin.
    pub fn of_rows(x: &[f64], inputs: usize, margin: f64, share_max: f64) -> Result<Self, BadInput> {
        if inputs == 0 || x.is_empty() {
            return Err(BadInput::Empty { field: "x", least: inputs.max(1) });
        }
        bad_input::finite("x", x, x.len().div_ceil(inputs) * inputs)?;
        bad_input::finite("margin", &[margin], 1)?;
        bad_input::within("margin", &[margin], "0 or more", |margin| margin >= 0.0)?;
        let (mut lower, mut upper) = (vec![f64::INFINITY; inputs], vec![f64::NEG_INFINITY; inputs]);
        for row in x.chunks_exact(inputs) {
            for ((lower, upper), value) in lower.iter_mut().zip(&mut upper).zip(row) {
                (*lower, *upper) = (lower.min(*value), upper.max(*value));
            }
        }
        for (column, (lower, upper)) in lower.iter_mut().zip(&mut upper).enumerate() {
            let width = *upper - *lower;
            if width <= 0.0 {
                return Err(BadInput::Constant { field: "x", column });
            }
            (*lower, *upper) = (*lower - margin * width, *upper + margin * width);
        }
        Self::new(&lower, &upper, share_max)
    }

    /// Judges the inputs alone. What is not a number is outside; so is the first input that is missing or too many.
    #[must_use]
    pub fn place(&self, at: &[f64]) -> Verdict {
        let bounds = self.lower.iter().zip(&self.upper);
        for (column, (lower, upper)) in bounds.enumerate() {
            let value = at.get(column).copied().unwrap_or(f64::NAN);
            if !(*lower..=*upper).contains(&value) {
                return Verdict::Outside { column, value, lower: *lower, upper: *upper };
            }
        }
        match at.get(self.lower.len()) {
            Some(value) => {
                let column = self.lower.len();
                Verdict::Outside { column, value: *value, lower: f64::NAN, upper: f64::NAN }
            }
            None => Verdict::Inside,
        }
    }

    /// Judges a prediction at these inputs.
    #[must_use]
    pub fn judge(&self, at: &[f64], prediction: &Prediction) -> Verdict {
        let place = self.place(at);
        let share = prediction.latent_deviation / prediction.prior_deviation;
        if place.is_inside() && (share.is_nan() || share > self.share_max) {
            return Verdict::Unsure { share, most: self.share_max };
        }
        place
    }

    /// Lowest of each input that is inside.
    #[must_use]
    pub fn lower(&self) -> &[f64] {
        &self.lower
    }

    /// Highest of each input that is inside.
    #[must_use]
    pub fn upper(&self) -> &[f64] {
        &self.upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(latent_deviation: f64) -> Prediction {
        Prediction { mean: 0.0, deviation: latent_deviation, latent_deviation, prior_deviation: 2.0 }
    }

    #[test]
    fn the_box_and_the_share_both_count() {
        let domain = Domain::of_rows(&[0.0, 10.0, 4.0, 30.0], 2, 0.25, 0.5).expect("a domain");
        assert_eq!((domain.lower(), domain.upper()), ([-1.0, 5.0].as_slice(), [5.0, 35.0].as_slice()));
        let check = |at: &[f64], deviation: f64, expect: &str| {
            assert_eq!(domain.judge(at, &told(deviation)).to_string(), expect, "{at:?}");
        };
        check(&[5.0, 35.0], 1.0, "within the data");
        check(&[5.1, 35.0], 1.0, "input 0 is 5.1000, the data spans -1.0000 to 5.0000");
        check(&[5.0, 4.0], 0.0, "input 1 is 4.0000, the data spans 5.0000 to 35.0000");
        check(&[1.0, 20.0], 1.2, "60 % of the prior deviation is left, at most 50 % may be");
        assert!(!domain.judge(&[1.0, 20.0], &told(f64::NAN)).is_inside());
        assert!(!domain.place(&[1.0, f64::NAN]).is_inside());
        assert!(!domain.place(&[1.0]).is_inside() && !domain.place(&[1.0, 20.0, 3.0]).is_inside());
    }

    #[test]
    fn what_spans_nothing_is_refused() {
        let check = |x: &[f64], inputs, margin, share, says: &str| {
            let refused = Domain::of_rows(x, inputs, margin, share).expect_err("refused");
            assert!(refused.to_string().starts_with(says), "{refused}");
        };
        check(&[], 2, 0.0, 1.0, "x is empty");
        check(&[1.0, 2.0, 3.0], 2, 0.0, 1.0, "x has 3 numbers, give 4");
        check(&[1.0, 2.0, 1.0, 3.0], 2, 0.0, 1.0, "column 0 of x is constant");
        check(&[1.0, f64::NAN], 1, 0.0, 1.0, "x[1] is NaN");
        check(&[1.0, 2.0], 1, -1.0, 1.0, "margin[0] is -1");
        check(&[1.0, 2.0], 1, 0.0, 1.5, "share_max[0] is 1.5");
    }
}
