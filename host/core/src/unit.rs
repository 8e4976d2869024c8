//! Units of measure: UCUM codes, what they measure, and how one becomes another.
//!
//! Codes follow the case-sensitive UCUM syntax (ucum.org/ucum): prefix and atom (`kPa`), exponents (`m3`),
//! products and quotients (`N.m`, `L/min`), parentheses (`W/(m2.K)`), annotations in braces that carry no meaning
//! (`{rev}/min`). Known are the atoms that an industrial plant uses, in the table below; anything else is refused by name rather than
//! guessed. Everything is worked out once when a site is loaded, nothing per sample.

use std::fmt;

mod atom;
mod dtdl;
mod spelling;

pub use atom::{atoms, prefixes};
pub use dtdl::ucum_from_dtdl;

/// `to = from × scale + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    /// Factor.
    pub scale: f64,
    /// Added after scaling; zero unless temperature scales with different zeros are involved.
    pub offset: f64,
}

impl Conversion {
    /// Leaves a value as it is.
    pub const IDENTITY: Self = Self { scale: 1.0, offset: 0.0 };

    /// The converted value; NaN stays NaN.
    #[must_use]
    pub fn apply(self, value: f64) -> f64 {
        value * self.scale + self.offset
    }

    /// True when nothing has to be done, and bits stay as they are.
    #[must_use]
    pub fn is_identity(self) -> bool {
        self == Self::IDENTITY
    }

    /// First `self`, then `next`.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self { scale: self.scale * next.scale, offset: self.offset * next.scale + next.offset }
    }
}

/// Why a unit cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a code of the table.
    #[error("unit \"{code}\" is not a known UCUM code{hint}")]
    Unknown {
        /// As written.
        code: String,
        /// ", write …" when a common other spelling was recognised.
        hint: String,
    },
    /// Both are known but measure different things.
    #[error("unit \"{from}\" ({from_dimension}) cannot be converted to \"{to}\" ({to_dimension})")]
    Dimension {
        /// As written.
        from: String,
        /// Base units of `from`.
        from_dimension: Dimension,
        /// As written.
        to: String,
        /// Base units of `to`.
        to_dimension: Dimension,
    },
}

/// Exponents of metre, kilogram, second, ampere, kelvin, radian, candela, bit and mole, and of levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dimension([i8; BASE.len()]);

const BASE: [&str; 14] =
    ["m", "kg", "s", "A", "K", "rad", "cd", "bit", "mol", "B", "B[V]", "B[W]", "B[SPL]", "[pH]"];

impl Dimension {
    fn plus(self, other: Self, times: i8) -> Self {
        let mut sum = self;
        for (here, there) in sum.0.iter_mut().zip(other.0) {
            *here = here.saturating_add(there.saturating_mul(times));
        }
        sum
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, exponent) in BASE.iter().zip(self.0).filter(|(_, exponent)| *exponent != 0) {
            match exponent {
                1 => write!(f, "{separator}{name}")?,
                _ => write!(f, "{separator}{name}{exponent}")?,
            }
            separator = ".";
        }
        if separator.is_empty() { f.write_str("a number") } else { Ok(()) }
    }
}

/// A parsed code: `base = value × factor + zero`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// What it measures.
    pub dimension: Dimension,
    /// Size in base units.
    pub factor: f64,
    /// Where its zero lies, in base units; not zero for temperature scales only.
    pub zero: f64,
}

/// Parses a UCUM code.
///
/// # Errors
/// [`UnitError::Unknown`] with the code as written.
pub fn parse(code: &str) -> Result<Unit, UnitError> {
    let whole = term(code, 0).filter(|(_, rest)| rest.is_empty()).map(|(unit, _)| unit);
    whole.ok_or_else(|| UnitError::Unknown { code: code.to_owned(), hint: spelling::hint(code) })
}

/// How a value in `from` becomes a value in `to`; temperatures keep their zeros apart (20 Cel = 293.15 K).
///
/// # Errors
/// [`UnitError`] names the unknown code, or both when they measure different things.
pub fn convert(from: &str, to: &str) -> Result<Conversion, UnitError> {
    let (source, target) = same_dimension(from, to)?;
    if from == to {
        return Ok(Conversion::IDENTITY);
    }
    let offset = (source.zero - target.zero) / target.factor;
    Ok(Conversion { scale: source.factor / target.factor, offset })
}

/// The same for differences and standard deviations, where zeros of scales do not count (1 Cel = 1.8 [degF]).
///
/// # Errors
/// As [`convert`].
pub fn convert_difference(from: &str, to: &str) -> Result<Conversion, UnitError> {
    let (source, target) = same_dimension(from, to)?;
    if from == to {
        return Ok(Conversion::IDENTITY);
    }
    Ok(Conversion { scale: source.factor / target.factor, offset: 0.0 })
}

fn same_dimension(from: &str, to: &str) -> Result<(Unit, Unit), UnitError> {
    let (source, target) = (parse(from)?, parse(to)?);
    if source.dimension == target.dimension {
        return Ok((source, target));
    }
    Err(UnitError::Dimension {
        from: from.to_owned(),
        from_dimension: source.dimension,
        to: to.to_owned(),
        to_dimension: target.dimension,
    })
}

/// How deep parentheses may stand in each other, so that a code of parentheses only ends.
const DEPTH_MAX: usize = 8;

const ONE: Unit = Unit { dimension: Dimension([0; BASE.len()]), factor: 1.0, zero: 0.0 };

/// component (('.' | '/') component)*, with a leading '/' allowed, as in `/min`; and what stands after it.
fn term(code: &str, depth: usize) -> Option<(Unit, &str)> {
    let (mut sign, mut rest) = code.strip_prefix('/').map_or((1_i8, code), |rest| (-1, rest));
    let (mut unit, mut parts) = (ONE, 0);
    loop {
        let (factor, after) = component(rest, depth)?;
        parts += 1;
        unit.dimension = unit.dimension.plus(factor.dimension, sign);
        match sign {
            1 => unit.factor *= factor.factor,
            _ => unit.factor /= factor.factor,
        }
        let next = after.strip_prefix('.').map(|rest| (1, rest));
        let next = next.or_else(|| after.strip_prefix('/').map(|rest| (-1, rest)));
        // A scale with its own zero has a meaning only when it stands alone.
        unit.zero = if parts == 1 && sign == 1 && next.is_none() { factor.zero } else { 0.0 };
        let Some(next) = next else { return Some((unit, after)) };
        (sign, rest) = next;
    }
}

/// A term in parentheses, or a symbol with an annotation, or one of these two; and what stands after it.
fn component(code: &str, depth: usize) -> Option<(Unit, &str)> {
    if let Some(inner) = code.strip_prefix('(') {
        let (unit, after) = if depth < DEPTH_MAX { term(inner, depth + 1)? } else { return None };
        return Some((unit, after.strip_prefix(')')?));
    }
    let (symbol, rest) = code.split_at(symbol_end(code)?);
    let annotated = rest.strip_prefix('{').map(|inner| inner.split_once('}'));
    match annotated {
        Some(annotated) => {
            let (_, after) = annotated?;
            let unit = if symbol.is_empty() { Some(ONE) } else { unit_of(symbol) };
            Some((unit?, after))
        }
        None => Some((unit_of(symbol)?, rest)),
    }
}

/// Where the symbol in front ends: at the first sign outside brackets that no symbol has; `None` when a bracket is
/// left open.
fn symbol_end(code: &str) -> Option<usize> {
    let mut bracket = false;
    for (at, letter) in code.char_indices() {
        match letter {
            '[' => bracket = true,
            ']' => bracket = false,
            '.' | '/' | '(' | ')' | '{' | '}' if !bracket => return Some(at),
            _ => {}
        }
    }
    (!bracket).then_some(code.len())
}

/// Atom with optional prefix and exponent, or a whole number.
fn unit_of(symbol: &str) -> Option<Unit> {
    if symbol.is_empty() {
        return None;
    }
    if symbol.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: f64 = symbol.parse().ok()?;
        return (number > 0.0).then_some(Unit { factor: number, ..ONE });
    }
    if let Some(unit) = atom::find(symbol) {
        return Some(unit);
    }
    let letters = symbol.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let (letters, power) = match symbol.get(letters.len()..)? {
        "" => (letters, 1),
        digits => {
            let negative = letters.strip_suffix('-').map(|bare| (bare, -1));
            let (bare, sign) = negative.unwrap_or_else(|| (letters.strip_suffix('+').unwrap_or(letters), 1));
            (bare, digits.parse::<i8>().ok().filter(|power| (1..=9).contains(power))? * sign)
        }
    };
    let unit = atom::find(letters)?;
    let zero = if power == 1 { unit.zero } else { 0.0 };
    let dimension = Dimension::default().plus(unit.dimension, power);
    Some(Unit { dimension, factor: unit.factor.powi(i32::from(power)), zero })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, value: f64, to: &str, expect: f64) {
        let got = convert(from, to).unwrap_or_else(|error| panic!("{error}")).apply(value);
        assert!(
            (got - expect).abs() <= 1e-12 * expect.abs().max(1e-12),
            "{value} {from} = {got} {to}, not {expect}"
        );
    }

    #[test]
    fn values_convert() {
        for (from, value, to, expect) in [
            ("Cel", 20.0, "K", 293.15),
            ("K", 293.15, "Cel", 20.0),
            ("[degF]", 212.0, "Cel", 100.0),
            ("Cel", -40.0, "[degF]", -40.0),
            ("bar", 1.5, "Pa", 150_000.0),
            ("kPa", 100.0, "bar", 1.0),
            ("MPa", 1.0, "mbar", 10_000.0),
            ("[psi]", 1.0, "Pa", 6_894.757_293_168_361),
            ("[g]", 1.0, "m/s2", 9.806_65),
            ("L/min", 60.0, "m3/h", 3.6),
            ("L/s", 1.0, "l/min", 60.0),
            ("kg/h", 3600.0, "kg/s", 1.0),
            ("t", 1.0, "kg", 1000.0),
            ("kWh", 1.0, "MJ", 3.6),
            ("kW.h", 1.0, "kWh", 1.0),
            ("/min", 60.0, "Hz", 1.0),
            ("{rev}/min", 1500.0, "Hz", 25.0),
            ("%", 12.5, "1", 0.125),
            ("[ppm]", 1.0, "%", 1e-4),
            ("mA", 4.0, "A", 0.004),
            ("kV", 1.0, "V", 1000.0),
            ("N.m", 1.0, "J", 1.0),
            ("deg", 180.0, "rad", std::f64::consts::PI),
            ("mm/s", 1000.0, "m/s", 1.0),
            ("um", 1.0, "mm", 1e-3),
            ("mL", 1000.0, "L", 1.0),
            ("m3", 1.0, "dm3", 1000.0),
            ("min", 1.0, "ms", 60_000.0),
            ("kOhm", 1.0, "V/A", 1000.0),
            ("m.s-2", 9.806_65, "[g]", 1.0),
            ("100.W", 2.0, "W", 200.0),
            ("10*3.[Btu_IT]/h", 1.0, "W", 293.071_070_172_222_2),
            ("circ/min", 30.0, "rad/s", std::f64::consts::PI),
            ("W/(m2.K)", 2.0, "W/m2/K", 2.0),
            ("W/(m2.K)", 1.0, "mW/(cm2.Cel{at the wall})", 0.1),
            ("(Cel)", 20.0, "K", 293.15),
            ("mCel", 20_000.0, "Cel", 20.0),
            ("10*3/uL", 1.0, "/mL", 1e6),
            ("10*-2.m+2", 1.0, "[pptr].km2", 1e4),
            ("dB[SPL]", 85.0, "B[SPL]", 8.5),
            ("har", 1.0, "m2", 1e4),
            ("kvar", 1.0, "VA", 1e3),
            ("cSt", 1.0, "mm2/s", 1.0),
            ("mmol/L", 1.0, "mol/m3", 1.0),
            ("kcal_IT/h", 860.0, "W", 1000.18),
            ("GiBy", 1.0, "MiBy", 1024.0),
            ("[slug]", 1.0, "kg", 14.593_902_937_206_365),
        ] {
            check(from, value, to, expect);
        }
    }

    #[test]
    fn differences_forget_the_zero() {
        for (from, to, scale) in [("Cel", "K", 1.0), ("Cel", "[degF]", 1.8), ("bar", "kPa", 100.0)] {
            let conversion = convert_difference(from, to).expect("same dimension");
            assert!((conversion.scale - scale).abs() < 1e-12 && conversion.offset == 0.0, "{from} {to}");
        }
        // In a product the zero has no meaning either: W/Cel is W/K.
        assert_eq!(convert("W/Cel", "W/K").map(|c| (c.scale, c.offset)), Ok((1.0, 0.0)));
    }

    #[test]
    fn the_same_unit_changes_no_bit() {
        for unit in ["Cel", "[degF]", "L/min", "1", "[psi]"] {
            assert!(convert(unit, unit).expect("known").is_identity());
        }
    }

    #[test]
    fn unknown_and_unlike_units_are_refused_by_name() {
        for (from, to, expect) in [
            ("bar", "Cel", "unit \"bar\" (m-1.kg.s-2) cannot be converted to \"Cel\" (K)"),
            ("dB", "1", "unit \"dB\" (B) cannot be converted to \"1\" (a number)"),
            ("dB[SPL]", "Pa", "unit \"dB[SPL]\" (B[SPL]) cannot be converted to \"Pa\" (m-1.kg.s-2)"),
            ("1", "V", "unit \"1\" (a number) cannot be converted to \"V\" (m2.kg.s-3.A-1)"),
            ("{rpm}", "/min", "unit \"{rpm}\" (a number) cannot be converted to \"/min\" (s-1)"),
            ("furlong", "m", "unit \"furlong\" is not a known UCUM code"),
            ("°C", "Cel", "unit \"°C\" is not a known UCUM code, write \"Cel\""),
            ("Cel", "rpm", "unit \"rpm\" is not a known UCUM code, write \"/min\""),
            ("degreeCelsius", "K", "unit \"degreeCelsius\" is not a known UCUM code, write \"Cel\""),
            ("", "K", "unit \"\" is not a known UCUM code, write \"1\" for a plain number"),
        ] {
            assert_eq!(convert(from, to).expect_err("refused").to_string(), expect);
        }
    }

    #[test]
    fn what_is_not_a_code_is_unknown() {
        for code in [
            "m//s", "m/", ".m", "[psi", "psi]", "kmin", "m0", "0", "mm[", "{", "{}x", " m", "m s", "k",
            "m99", "é", "(", "()", "(m", "m)", "(m)2", "m(s)", "m{a}b", "m{a}{b}", "m/{", "m+", "m+-2",
        ] {
            assert!(parse(code).is_err(), "{code:?} was taken");
        }
        let nested = |depth: usize| format!("{}m{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        assert!(parse(&nested(DEPTH_MAX + 1)).is_err());
        assert!(parse(&nested(100_000)).is_err(), "refused before it goes deep");
    }

    #[test]
    fn every_dtdl_unit_has_a_known_code() {
        for (name, code) in dtdl::DTDL {
            assert!(parse(code).is_ok(), "{name} → {code}");
            assert_eq!(ucum_from_dtdl(name), Some(*code));
        }
        assert_eq!(ucum_from_dtdl("furlong"), None);
    }
}
