//! What comes out: the types an output field may have, and the trait behind `#[derive(Outputs)]`.

use crate::Quality;

/// A value with its own quality, where plain `f64` (good) and `Option<f64>` (good or missing) are not enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Output {
    value: f64,
    quality: Quality,
}

impl Output {
    /// A value that the behavior stands for.
    #[must_use]
    pub fn good(value: f64) -> Self {
        Self { value, quality: Quality::Good }
    }

    /// A value to be used with care.
    #[must_use]
    pub fn uncertain(value: f64) -> Self {
        Self { value, quality: Quality::Uncertain }
    }

    /// No value.
    #[must_use]
    pub fn missing() -> Self {
        Self { value: f64::NAN, quality: Quality::Missing }
    }
}

/// A type that an output field may have.
pub trait OutputField {
    /// Value and quality. NaN is always missing; the host makes infinities bad.
    fn cell(&self) -> (f64, u8);
}

impl OutputField for Output {
    #[inline]
    fn cell(&self) -> (f64, u8) {
        match self.value.is_nan() || self.quality == Quality::Missing {
            true => (f64::NAN, Quality::Missing as u8),
            false if self.value.is_infinite() => (self.value, self.quality.max(Quality::Bad) as u8),
            false => (self.value, self.quality as u8),
        }
    }
}

impl OutputField for f64 {
    #[inline]
    fn cell(&self) -> (f64, u8) {
        Output::good(*self).cell()
    }
}

impl OutputField for Option<f64> {
    #[inline]
    fn cell(&self) -> (f64, u8) {
        self.map_or(Output::missing(), Output::good).cell()
    }
}

/// A row of outputs. Derive it.
pub trait Outputs {
    /// Number of outputs, O.
    const WIDTH: usize;
    /// The declaration's list of outputs: JSON objects with commas between.
    const DECLARATION: &'static str;
    /// Names in declared order.
    const NAMES: &'static [&'static str];
    /// What outputs say they are about (`of`), each an input or an output.
    const ABOUT: &'static [&'static str];
    /// `[f64; O]`
    type Values: AsRef<[f64]>;
    /// `[u8; O]`
    type Qualities: AsRef<[u8]>;
    /// This row's cells.
    fn cells(&self) -> (Self::Values, Self::Qualities);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_missing_and_infinity_is_never_good() {
        let check = |field: &dyn OutputField, value: f64, quality: Quality| {
            let (got, kept) = field.cell();
            assert!(got.to_bits() == value.to_bits() && kept == quality as u8, "{got} {kept}");
        };
        check(&1.0, 1.0, Quality::Good);
        check(&f64::NAN, f64::NAN, Quality::Missing);
        check(&None::<f64>, f64::NAN, Quality::Missing);
        check(&Some(0.0), 0.0, Quality::Good);
        check(&Output::uncertain(3.0), 3.0, Quality::Uncertain);
        check(&Output::missing(), f64::NAN, Quality::Missing);
        check(&f64::INFINITY, f64::INFINITY, Quality::Bad);
    }
}
