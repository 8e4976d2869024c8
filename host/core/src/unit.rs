//! Units of measure: UCUM codes, what they measure, and how one becomes another.
//!
//! Codes follow the case-sensitive UCUM syntax (ucum.org/ucum): prefix and atom (`kPa`), exponents (`m3`),
//! products and quotients (`N.m`, `L/min`), annotations in braces that carry no meaning (`{rev}/min`). Known are
//! the atoms that an industrial plant uses, in the table below; anything else is refused by name rather than
//! guessed. Everything is worked out once when a site is loaded, nothing per sample.

use std::fmt;

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

/// Exponents of metre, kilogram, second, ampere, kelvin, radian, candela and bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dimension([i8; BASE.len()]);

const BASE: [&str; 8] = ["m", "kg", "s", "A", "K", "rad", "cd", "bit"];

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
    term(code).ok_or_else(|| UnitError::Unknown { code: code.to_owned(), hint: hint(code) })
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

/// component (('.' | '/') component)*, with a leading '/' allowed, as in `/min`.
fn term(code: &str) -> Option<Unit> {
    if code.is_empty() {
        return None;
    }
    let mut unit = Unit { dimension: Dimension::default(), factor: 1.0, zero: 0.0 };
    let (mut rest, mut sign, mut parts) = (code, 1_i8, 0);
    if let Some(after) = rest.strip_prefix('/') {
        (rest, sign) = (after, -1);
    }
    loop {
        let end = separator(rest)?;
        let (part, after) = rest.split_at(end);
        let factor = component(part)?;
        parts += 1;
        unit.dimension = unit.dimension.plus(factor.dimension, sign);
        match sign {
            1 => unit.factor *= factor.factor,
            _ => unit.factor /= factor.factor,
        }
        // A scale with its own zero has a meaning only when it stands alone.
        unit.zero = if parts == 1 && sign == 1 && after.is_empty() { factor.zero } else { 0.0 };
        let Some(separator) = after.chars().next() else { return Some(unit) };
        sign = if separator == '/' { -1 } else { 1 };
        rest = after.get(1..)?;
    }
}

/// Where the first '.' or '/' outside brackets and braces stands, or the end; `None` when one is left open.
fn separator(code: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, letter) in code.char_indices() {
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            '.' | '/' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    (depth == 0).then_some(code.len())
}

/// Atom with optional prefix, exponent and annotation; or a whole number; or an annotation alone, which is 1.
fn component(part: &str) -> Option<Unit> {
    let (symbol, annotation) = match part.find('{') {
        Some(at) => part.split_at(at),
        None => (part, ""),
    };
    let one = Unit { dimension: Dimension::default(), factor: 1.0, zero: 0.0 };
    if symbol.is_empty() {
        return (annotation.len() > 1 && annotation.ends_with('}')).then_some(one);
    }
    if symbol.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: f64 = symbol.parse().ok()?;
        return (number > 0.0).then_some(Unit { factor: number, ..one });
    }
    let letters = symbol.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let (letters, power) = match symbol.get(letters.len()..)? {
        "" => (letters, 1),
        digits => {
            let (bare, sign) = letters.strip_suffix('-').map_or((letters, 1), |bare| (bare, -1));
            (bare, digits.parse::<i8>().ok().filter(|power| (1..=9).contains(power))? * sign)
        }
    };
    let unit = atom(letters)?;
    let zero = if power == 1 { unit.zero } else { 0.0 };
    let dimension = Dimension::default().plus(unit.dimension, power);
    Some(Unit { dimension, factor: unit.factor.powi(i32::from(power)), zero })
}

fn atom(symbol: &str) -> Option<Unit> {
    let entry = |name: &str| ATOMS.iter().find(|entry| entry.0 == name);
    let made = |prefix: f64, &(_, factor, zero, dimension, _): &Atom| Unit {
        dimension: Dimension(dimension),
        factor: prefix * factor,
        zero,
    };
    if let Some(found) = entry(symbol) {
        return Some(made(1.0, found));
    }
    PREFIXES.iter().find_map(|(letters, prefix)| {
        let found = entry(symbol.strip_prefix(letters)?)?;
        found.4.then(|| made(*prefix, found))
    })
}

const PREFIXES: [(&str, f64); 14] = [
    ("da", 1e1),
    ("T", 1e12),
    ("G", 1e9),
    ("M", 1e6),
    ("k", 1e3),
    ("h", 1e2),
    ("d", 1e-1),
    ("c", 1e-2),
    ("m", 1e-3),
    ("u", 1e-6),
    ("n", 1e-9),
    ("p", 1e-12),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
];

/// Code, factor, zero, exponents of the base units, whether prefixes may stand before it.
type Atom = (&'static str, f64, f64, [i8; 8], bool);

const PI: f64 = std::f64::consts::PI;
/// Standard acceleration of free fall, exact by definition (CGPM 1901).
const FREE_FALL: f64 = 9.806_65;
/// International avoirdupois pound, exact.
const POUND: f64 = 0.453_592_37;

const NUMBER: [i8; 8] = [0, 0, 0, 0, 0, 0, 0, 0];
const LENGTH: [i8; 8] = [1, 0, 0, 0, 0, 0, 0, 0];
const AREA: [i8; 8] = [2, 0, 0, 0, 0, 0, 0, 0];
const VOLUME: [i8; 8] = [3, 0, 0, 0, 0, 0, 0, 0];
const MASS: [i8; 8] = [0, 1, 0, 0, 0, 0, 0, 0];
const TIME: [i8; 8] = [0, 0, 1, 0, 0, 0, 0, 0];
const RATE: [i8; 8] = [0, 0, -1, 0, 0, 0, 0, 0];
const SPEED: [i8; 8] = [1, 0, -1, 0, 0, 0, 0, 0];
const ACCELERATION: [i8; 8] = [1, 0, -2, 0, 0, 0, 0, 0];
const CURRENT: [i8; 8] = [0, 0, 0, 1, 0, 0, 0, 0];
const CHARGE: [i8; 8] = [0, 0, 1, 1, 0, 0, 0, 0];
const TEMPERATURE: [i8; 8] = [0, 0, 0, 0, 1, 0, 0, 0];
const ANGLE: [i8; 8] = [0, 0, 0, 0, 0, 1, 0, 0];
const FORCE: [i8; 8] = [1, 1, -2, 0, 0, 0, 0, 0];
const PRESSURE: [i8; 8] = [-1, 1, -2, 0, 0, 0, 0, 0];
const ENERGY: [i8; 8] = [2, 1, -2, 0, 0, 0, 0, 0];
const POWER: [i8; 8] = [2, 1, -3, 0, 0, 0, 0, 0];
const VOLTAGE: [i8; 8] = [2, 1, -3, -1, 0, 0, 0, 0];
const RESISTANCE: [i8; 8] = [2, 1, -3, -2, 0, 0, 0, 0];
const CONDUCTANCE: [i8; 8] = [-2, -1, 3, 2, 0, 0, 0, 0];
const CAPACITANCE: [i8; 8] = [-2, -1, 4, 2, 0, 0, 0, 0];
const INDUCTANCE: [i8; 8] = [2, 1, -2, -2, 0, 0, 0, 0];
const FLUX_DENSITY: [i8; 8] = [0, 1, -2, -1, 0, 0, 0, 0];
const VISCOSITY: [i8; 8] = [-1, 1, -1, 0, 0, 0, 0, 0];
const LUMINOUS: [i8; 8] = [0, 0, 0, 0, 0, 0, 1, 0];
const ILLUMINANCE: [i8; 8] = [-2, 0, 0, 0, 0, 0, 1, 0];
const DATA: [i8; 8] = [0, 0, 0, 0, 0, 0, 0, 1];

const ATOMS: &[Atom] = &[
    ("%", 1e-2, 0.0, NUMBER, false),
    ("[ppth]", 1e-3, 0.0, NUMBER, false),
    ("[ppm]", 1e-6, 0.0, NUMBER, false),
    ("ppm", 1e-6, 0.0, NUMBER, false),
    ("[ppb]", 1e-9, 0.0, NUMBER, false),
    ("m", 1.0, 0.0, LENGTH, true),
    ("[in_i]", 0.0254, 0.0, LENGTH, false),
    ("[ft_i]", 0.3048, 0.0, LENGTH, false),
    ("[yd_i]", 0.9144, 0.0, LENGTH, false),
    ("[mi_i]", 1609.344, 0.0, LENGTH, false),
    ("[nmi_i]", 1852.0, 0.0, LENGTH, false),
    ("har", 1e4, 0.0, AREA, false),
    ("L", 1e-3, 0.0, VOLUME, true),
    ("l", 1e-3, 0.0, VOLUME, true),
    ("[gal_us]", 3.785_411_784e-3, 0.0, VOLUME, false),
    ("[foz_us]", 2.957_352_956_25e-5, 0.0, VOLUME, false),
    ("[bbl_us]", 0.158_987_294_928, 0.0, VOLUME, false),
    ("g", 1e-3, 0.0, MASS, true),
    ("t", 1e3, 0.0, MASS, true),
    ("[lb_av]", POUND, 0.0, MASS, false),
    ("[oz_av]", POUND / 16.0, 0.0, MASS, false),
    ("s", 1.0, 0.0, TIME, true),
    ("min", 60.0, 0.0, TIME, false),
    ("h", 3600.0, 0.0, TIME, false),
    ("d", 86_400.0, 0.0, TIME, false),
    ("a", 31_557_600.0, 0.0, TIME, false),
    ("Hz", 1.0, 0.0, RATE, true),
    ("[kn_i]", 1852.0 / 3600.0, 0.0, SPEED, false),
    ("[g]", FREE_FALL, 0.0, ACCELERATION, true),
    ("A", 1.0, 0.0, CURRENT, true),
    ("C", 1.0, 0.0, CHARGE, true),
    ("Ah", 3600.0, 0.0, CHARGE, true),
    ("K", 1.0, 0.0, TEMPERATURE, true),
    ("Cel", 1.0, 273.15, TEMPERATURE, false),
    ("[degF]", 5.0 / 9.0, 459.67 * 5.0 / 9.0, TEMPERATURE, false),
    ("[degR]", 5.0 / 9.0, 0.0, TEMPERATURE, false),
    ("rad", 1.0, 0.0, ANGLE, true),
    ("deg", PI / 180.0, 0.0, ANGLE, false),
    ("'", PI / 10_800.0, 0.0, ANGLE, false),
    ("''", PI / 648_000.0, 0.0, ANGLE, false),
    ("circ", 2.0 * PI, 0.0, ANGLE, false),
    ("N", 1.0, 0.0, FORCE, true),
    ("[lbf_av]", POUND * FREE_FALL, 0.0, FORCE, false),
    ("Pa", 1.0, 0.0, PRESSURE, true),
    ("bar", 1e5, 0.0, PRESSURE, true),
    ("atm", 101_325.0, 0.0, PRESSURE, false),
    ("[psi]", POUND * FREE_FALL / (0.0254 * 0.0254), 0.0, PRESSURE, false),
    ("m[Hg]", 133_322.387_415, 0.0, PRESSURE, true),
    ("m[H2O]", 9_806.65, 0.0, PRESSURE, true),
    ("[in_i'Hg]", 3_386.388_640_341, 0.0, PRESSURE, false),
    ("[in_i'H2O]", 249.088_91, 0.0, PRESSURE, false),
    ("J", 1.0, 0.0, ENERGY, true),
    ("Wh", 3600.0, 0.0, ENERGY, true),
    ("cal", 4.184, 0.0, ENERGY, true),
    ("[Btu_IT]", 1_055.055_852_62, 0.0, ENERGY, false),
    ("W", 1.0, 0.0, POWER, true),
    ("VA", 1.0, 0.0, POWER, true),
    ("[HP]", 550.0 * 0.3048 * POUND * FREE_FALL, 0.0, POWER, false),
    ("V", 1.0, 0.0, VOLTAGE, true),
    ("Ohm", 1.0, 0.0, RESISTANCE, true),
    ("S", 1.0, 0.0, CONDUCTANCE, true),
    ("F", 1.0, 0.0, CAPACITANCE, true),
    ("H", 1.0, 0.0, INDUCTANCE, true),
    ("T", 1.0, 0.0, FLUX_DENSITY, true),
    ("P", 0.1, 0.0, VISCOSITY, true),
    ("cd", 1.0, 0.0, LUMINOUS, true),
    ("lm", 1.0, 0.0, LUMINOUS, true),
    ("lx", 1.0, 0.0, ILLUMINANCE, true),
    ("bit", 1.0, 0.0, DATA, true),
    ("By", 8.0, 0.0, DATA, true),
];

/// What people write where UCUM has another code.
fn hint(code: &str) -> String {
    const SPELLINGS: &[(&str, &str)] = &[
        ("°C", "Cel"),
        ("degC", "Cel"),
        ("celsius", "Cel"),
        ("°F", "[degF]"),
        ("degF", "[degF]"),
        ("rpm", "/min"),
        ("RPM", "/min"),
        ("psi", "[psi]"),
        ("sec", "s"),
        ("hr", "h"),
        ("Nm", "N.m"),
        ("Ω", "Ohm"),
        ("ohm", "Ohm"),
        ("°", "deg"),
        ("µm", "um"),
        ("percent", "%"),
        ("m³/h", "m3/h"),
        ("l/m", "L/min"),
        ("lpm", "L/min"),
        ("hp", "[HP]"),
        ("in", "[in_i]"),
        ("ft", "[ft_i]"),
        ("lb", "[lb_av]"),
    ];
    if code.is_empty() {
        return ", write \"1\" for a plain number".to_owned();
    }
    let ucum = ucum_from_dtdl(code)
        .or_else(|| SPELLINGS.iter().find(|(written, _)| *written == code).map(|(_, ucum)| *ucum));
    ucum.map_or_else(String::new, |ucum| format!(", write \"{ucum}\""))
}

/// UCUM code of a unit of the DTDL v3 QuantitativeTypes extension; `None` when it is not one that this house knows.
#[must_use]
pub fn ucum_from_dtdl(name: &str) -> Option<&'static str> {
    DTDL.iter().find(|(dtdl, _)| *dtdl == name).map(|(_, ucum)| *ucum)
}

const DTDL: &[(&str, &str)] = &[
    ("metrePerSecondSquared", "m/s2"),
    ("centimetrePerSecondSquared", "cm/s2"),
    ("gForce", "[g]"),
    ("radian", "rad"),
    ("degreeOfArc", "deg"),
    ("minuteOfArc", "'"),
    ("secondOfArc", "''"),
    ("turn", "circ"),
    ("radianPerSecondSquared", "rad/s2"),
    ("radianPerSecond", "rad/s"),
    ("degreePerSecond", "deg/s"),
    ("revolutionPerSecond", "{rev}/s"),
    ("revolutionPerMinute", "{rev}/min"),
    ("voltAmpere", "VA"),
    ("kilovoltAmpere", "kVA"),
    ("squareMetre", "m2"),
    ("squareCentimetre", "cm2"),
    ("squareMillimetre", "mm2"),
    ("squareKilometre", "km2"),
    ("hectare", "har"),
    ("squareFoot", "[ft_i]2"),
    ("squareInch", "[in_i]2"),
    ("farad", "F"),
    ("millifarad", "mF"),
    ("microfarad", "uF"),
    ("nanofarad", "nF"),
    ("picofarad", "pF"),
    ("ampere", "A"),
    ("milliampere", "mA"),
    ("microampere", "uA"),
    ("bit", "bit"),
    ("byte", "By"),
    ("bitPerSecond", "bit/s"),
    ("bytePerSecond", "By/s"),
    ("kilogramPerCubicMetre", "kg/m3"),
    ("gramPerCubicMetre", "g/m3"),
    ("coulomb", "C"),
    ("joule", "J"),
    ("kilojoule", "kJ"),
    ("megajoule", "MJ"),
    ("gigajoule", "GJ"),
    ("kilowattHour", "kWh"),
    ("newton", "N"),
    ("pound", "[lbf_av]"),
    ("hertz", "Hz"),
    ("kilohertz", "kHz"),
    ("megahertz", "MHz"),
    ("gigahertz", "GHz"),
    ("lux", "lx"),
    ("lumen", "lm"),
    ("candela", "cd"),
    ("henry", "H"),
    ("millihenry", "mH"),
    ("microhenry", "uH"),
    ("metre", "m"),
    ("centimetre", "cm"),
    ("millimetre", "mm"),
    ("micrometre", "um"),
    ("nanometre", "nm"),
    ("kilometre", "km"),
    ("foot", "[ft_i]"),
    ("inch", "[in_i]"),
    ("mile", "[mi_i]"),
    ("nauticalMile", "[nmi_i]"),
    ("kilogram", "kg"),
    ("gram", "g"),
    ("milligram", "mg"),
    ("microgram", "ug"),
    ("tonne", "t"),
    ("gramPerSecond", "g/s"),
    ("kilogramPerSecond", "kg/s"),
    ("gramPerHour", "g/h"),
    ("kilogramPerHour", "kg/h"),
    ("watt", "W"),
    ("microwatt", "uW"),
    ("milliwatt", "mW"),
    ("kilowatt", "kW"),
    ("megawatt", "MW"),
    ("gigawatt", "GW"),
    ("horsepower", "[HP]"),
    ("pascal", "Pa"),
    ("kilopascal", "kPa"),
    ("bar", "bar"),
    ("millibar", "mbar"),
    ("millimetresOfMercury", "mm[Hg]"),
    ("poundPerSquareInch", "[psi]"),
    ("inchesOfMercury", "[in_i'Hg]"),
    ("inchesOfWater", "[in_i'H2O]"),
    ("unity", "1"),
    ("percent", "%"),
    ("ohm", "Ohm"),
    ("milliohm", "mOhm"),
    ("kiloohm", "kOhm"),
    ("megaohm", "MOhm"),
    ("kelvin", "K"),
    ("degreeCelsius", "Cel"),
    ("degreeFahrenheit", "[degF]"),
    ("second", "s"),
    ("millisecond", "ms"),
    ("microsecond", "us"),
    ("nanosecond", "ns"),
    ("minute", "min"),
    ("hour", "h"),
    ("day", "d"),
    ("year", "a"),
    ("newtonMetre", "N.m"),
    ("metrePerSecond", "m/s"),
    ("centimetrePerSecond", "cm/s"),
    ("kilometrePerSecond", "km/s"),
    ("metrePerHour", "m/h"),
    ("kilometrePerHour", "km/h"),
    ("milePerHour", "[mi_i]/h"),
    ("milePerSecond", "[mi_i]/s"),
    ("knot", "[kn_i]"),
    ("volt", "V"),
    ("millivolt", "mV"),
    ("microvolt", "uV"),
    ("kilovolt", "kV"),
    ("megavolt", "MV"),
    ("cubicMetre", "m3"),
    ("cubicCentimetre", "cm3"),
    ("litre", "L"),
    ("millilitre", "mL"),
    ("gallon", "[gal_us]"),
    ("cubicFoot", "[ft_i]3"),
    ("cubicInch", "[in_i]3"),
    ("fluidOunce", "[foz_us]"),
    ("litrePerSecond", "L/s"),
    ("millilitrePerSecond", "mL/s"),
    ("litrePerHour", "L/h"),
    ("millilitrePerHour", "mL/h"),
];

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
            "m99", "é",
        ] {
            assert!(parse(code).is_err(), "{code:?} was taken");
        }
    }

    #[test]
    fn every_dtdl_unit_has_a_known_code() {
        for (name, code) in DTDL {
            assert!(parse(code).is_ok(), "{name} → {code}");
            assert_eq!(ucum_from_dtdl(name), Some(*code));
        }
        assert_eq!(ucum_from_dtdl("furlong"), None);
    }
}
