//! The atoms of UCUM that an industrial plant uses, with their sizes in base units, and the metric prefixes.
//!
//! Sizes are exact by definition where there is one (CGPM, the international yard and pound of 1959); the columns
//! of mercury and water are the conventional ones of UCUM, constants of nature those of CODATA 2018. Levels (bel, pH)
//! are no multiples of what they are levels of: each is a dimension of its own, so that decibels become bels and
//! nothing else. The SDK's macros check units by a list of their own; a test of theirs holds it against this one.

use super::{Dimension, Unit};

/// Every atom, and whether prefixes may stand before it.
pub fn atoms() -> impl Iterator<Item = (&'static str, bool)> {
    ATOMS.iter().map(|atom| (atom.0, atom.4))
}

/// Every prefix.
pub fn prefixes() -> impl Iterator<Item = &'static str> {
    PREFIXES.iter().map(|prefix| prefix.0)
}

/// The unit of an atom, with a prefix before it where one may stand.
pub(super) fn find(symbol: &str) -> Option<Unit> {
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

const PREFIXES: [(&str, f64); 16] = [
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
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
];

/// Code, factor, zero, exponents of the base units, whether prefixes may stand before it.
type Atom = (&'static str, f64, f64, Exponents, bool);
type Exponents = [i8; super::BASE.len()];

const PI: f64 = std::f64::consts::PI;
/// Standard acceleration of free fall, exact by definition (CGPM 1901).
const FREE_FALL: f64 = 9.806_65;
/// Charge of an electron in coulombs, and an electronvolt in joules, exact (CGPM 2018).
const ELEMENTARY_CHARGE: f64 = 1.602_176_634e-19;
/// International avoirdupois pound, exact.
const POUND: f64 = 0.453_592_37;

/// Exponents of what has nothing to do with moles and levels.
const fn si([m, kg, s, a, k, rad, cd, bit]: [i8; 8]) -> Exponents {
    [m, kg, s, a, k, rad, cd, bit, 0, 0, 0, 0, 0, 0]
}

const NUMBER: Exponents = si([0, 0, 0, 0, 0, 0, 0, 0]);
const LENGTH: Exponents = si([1, 0, 0, 0, 0, 0, 0, 0]);
const AREA: Exponents = si([2, 0, 0, 0, 0, 0, 0, 0]);
const VOLUME: Exponents = si([3, 0, 0, 0, 0, 0, 0, 0]);
const MASS: Exponents = si([0, 1, 0, 0, 0, 0, 0, 0]);
const TIME: Exponents = si([0, 0, 1, 0, 0, 0, 0, 0]);
const RATE: Exponents = si([0, 0, -1, 0, 0, 0, 0, 0]);
const SPEED: Exponents = si([1, 0, -1, 0, 0, 0, 0, 0]);
const ACCELERATION: Exponents = si([1, 0, -2, 0, 0, 0, 0, 0]);
const CURRENT: Exponents = si([0, 0, 0, 1, 0, 0, 0, 0]);
const CHARGE: Exponents = si([0, 0, 1, 1, 0, 0, 0, 0]);
const TEMPERATURE: Exponents = si([0, 0, 0, 0, 1, 0, 0, 0]);
const ANGLE: Exponents = si([0, 0, 0, 0, 0, 1, 0, 0]);
const FORCE: Exponents = si([1, 1, -2, 0, 0, 0, 0, 0]);
const PRESSURE: Exponents = si([-1, 1, -2, 0, 0, 0, 0, 0]);
const ENERGY: Exponents = si([2, 1, -2, 0, 0, 0, 0, 0]);
const POWER: Exponents = si([2, 1, -3, 0, 0, 0, 0, 0]);
const VOLTAGE: Exponents = si([2, 1, -3, -1, 0, 0, 0, 0]);
const RESISTANCE: Exponents = si([2, 1, -3, -2, 0, 0, 0, 0]);
const CONDUCTANCE: Exponents = si([-2, -1, 3, 2, 0, 0, 0, 0]);
const CAPACITANCE: Exponents = si([-2, -1, 4, 2, 0, 0, 0, 0]);
const INDUCTANCE: Exponents = si([2, 1, -2, -2, 0, 0, 0, 0]);
const FLUX_DENSITY: Exponents = si([0, 1, -2, -1, 0, 0, 0, 0]);
const VOLTAGE_TIME: Exponents = si([2, 1, -2, -1, 0, 0, 0, 0]);
const VISCOSITY: Exponents = si([-1, 1, -1, 0, 0, 0, 0, 0]);
const LUMINOUS: Exponents = si([0, 0, 0, 0, 0, 0, 1, 0]);
const ILLUMINANCE: Exponents = si([-2, 0, 0, 0, 0, 0, 1, 0]);
const DATA: Exponents = si([0, 0, 0, 0, 0, 0, 0, 1]);
const SOLID_ANGLE: Exponents = si([0, 0, 0, 0, 0, 2, 0, 0]);
const DOSE: Exponents = si([2, 0, -2, 0, 0, 0, 0, 0]);
const DIFFUSIVITY: Exponents = si([2, 0, -1, 0, 0, 0, 0, 0]);
const DENSITY: Exponents = si([-3, 1, 0, 0, 0, 0, 0, 0]);
const ACTION: Exponents = si([2, 1, -1, 0, 0, 0, 0, 0]);
const HEAT_CAPACITY: Exponents = si([2, 1, -2, 0, -1, 0, 0, 0]);
const GRAVITATION: Exponents = si([3, -1, -2, 0, 0, 0, 0, 0]);
const AMOUNT: Exponents = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
const LEVEL: Exponents = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
const LEVEL_OF_VOLTAGE: Exponents = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
const LEVEL_OF_POWER: Exponents = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0];
const LEVEL_OF_SOUND: Exponents = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const ACIDITY: Exponents = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

const ATOMS: &[Atom] = &[
    ("10*", 10.0, 0.0, NUMBER, false),
    ("10^", 10.0, 0.0, NUMBER, false),
    ("[pi]", PI, 0.0, NUMBER, false),
    ("%", 1e-2, 0.0, NUMBER, false),
    ("[ppth]", 1e-3, 0.0, NUMBER, false),
    ("[ppm]", 1e-6, 0.0, NUMBER, false),
    ("ppm", 1e-6, 0.0, NUMBER, false),
    ("[ppb]", 1e-9, 0.0, NUMBER, false),
    ("[pptr]", 1e-12, 0.0, NUMBER, false),
    ("mol", 1.0, 0.0, AMOUNT, true),
    ("m", 1.0, 0.0, LENGTH, true),
    ("[in_i]", 0.0254, 0.0, LENGTH, false),
    ("[ft_i]", 0.3048, 0.0, LENGTH, false),
    ("[yd_i]", 0.9144, 0.0, LENGTH, false),
    ("[mi_i]", 1609.344, 0.0, LENGTH, false),
    ("[nmi_i]", 1852.0, 0.0, LENGTH, false),
    ("[acr_us]", 4_046.872_609_874_252, 0.0, AREA, false),
    ("ar", 1e2, 0.0, AREA, true),
    ("[sft_i]", 0.092_903_04, 0.0, AREA, false),
    ("L", 1e-3, 0.0, VOLUME, true),
    ("l", 1e-3, 0.0, VOLUME, true),
    ("[gal_us]", 3.785_411_784e-3, 0.0, VOLUME, false),
    ("[foz_us]", 2.957_352_956_25e-5, 0.0, VOLUME, false),
    ("[bbl_us]", 0.158_987_294_928, 0.0, VOLUME, false),
    ("[gal_br]", 4.546_09e-3, 0.0, VOLUME, false),
    ("[cft_i]", 0.028_316_846_592, 0.0, VOLUME, false),
    ("g", 1e-3, 0.0, MASS, true),
    ("t", 1e3, 0.0, MASS, true),
    ("u", 1.660_539_066_60e-27, 0.0, MASS, true),
    ("g%", 10.0, 0.0, DENSITY, true),
    ("[lb_av]", POUND, 0.0, MASS, false),
    ("[slug]", POUND * FREE_FALL / 0.3048, 0.0, MASS, false),
    ("[oz_av]", POUND / 16.0, 0.0, MASS, false),
    ("s", 1.0, 0.0, TIME, true),
    ("min", 60.0, 0.0, TIME, false),
    ("h", 3600.0, 0.0, TIME, false),
    ("d", 86_400.0, 0.0, TIME, false),
    ("wk", 604_800.0, 0.0, TIME, false),
    ("mo", 2_629_800.0, 0.0, TIME, false),
    ("a", 31_557_600.0, 0.0, TIME, false),
    ("Hz", 1.0, 0.0, RATE, true),
    ("Bq", 1.0, 0.0, RATE, true),
    ("Bd", 1.0, 0.0, RATE, true),
    ("[kn_i]", 1852.0 / 3600.0, 0.0, SPEED, false),
    ("[c]", 299_792_458.0, 0.0, SPEED, false),
    ("[g]", FREE_FALL, 0.0, ACCELERATION, true),
    ("A", 1.0, 0.0, CURRENT, true),
    ("C", 1.0, 0.0, CHARGE, true),
    ("Ah", 3600.0, 0.0, CHARGE, true),
    ("[e]", ELEMENTARY_CHARGE, 0.0, CHARGE, false),
    ("K", 1.0, 0.0, TEMPERATURE, true),
    ("Cel", 1.0, 273.15, TEMPERATURE, true),
    ("[degF]", 5.0 / 9.0, 459.67 * 5.0 / 9.0, TEMPERATURE, false),
    ("[degR]", 5.0 / 9.0, 0.0, TEMPERATURE, false),
    ("[degRe]", 1.25, 273.15, TEMPERATURE, false),
    ("rad", 1.0, 0.0, ANGLE, true),
    ("deg", PI / 180.0, 0.0, ANGLE, false),
    ("gon", PI / 200.0, 0.0, ANGLE, false),
    ("sr", 1.0, 0.0, SOLID_ANGLE, true),
    ("'", PI / 10_800.0, 0.0, ANGLE, false),
    ("''", PI / 648_000.0, 0.0, ANGLE, false),
    ("circ", 2.0 * PI, 0.0, ANGLE, false),
    ("N", 1.0, 0.0, FORCE, true),
    ("dyn", 1e-5, 0.0, FORCE, true),
    ("[lbf_av]", POUND * FREE_FALL, 0.0, FORCE, false),
    ("[ozf_av]", POUND * FREE_FALL / 16.0, 0.0, FORCE, false),
    ("[tonf_us]", 2000.0 * POUND * FREE_FALL, 0.0, FORCE, false),
    ("Pa", 1.0, 0.0, PRESSURE, true),
    ("bar", 1e5, 0.0, PRESSURE, true),
    ("atm", 101_325.0, 0.0, PRESSURE, false),
    ("att", 98_066.5, 0.0, PRESSURE, false),
    ("[psi]", POUND * FREE_FALL / (0.0254 * 0.0254), 0.0, PRESSURE, false),
    ("m[Hg]", 133_322.387_415, 0.0, PRESSURE, true),
    ("m[H2O]", 9_806.65, 0.0, PRESSURE, true),
    ("[in_i'Hg]", 3_386.388_640_341, 0.0, PRESSURE, false),
    ("[in_i'H2O]", 249.088_91, 0.0, PRESSURE, false),
    ("J", 1.0, 0.0, ENERGY, true),
    ("Wh", 3600.0, 0.0, ENERGY, true),
    ("cal", 4.184, 0.0, ENERGY, true),
    ("cal_th", 4.184, 0.0, ENERGY, true),
    ("cal_IT", 4.186_8, 0.0, ENERGY, true),
    ("erg", 1e-7, 0.0, ENERGY, true),
    ("eV", ELEMENTARY_CHARGE, 0.0, ENERGY, true),
    ("[Btu]", 1_054.35, 0.0, ENERGY, false),
    ("[Btu_th]", 1_054.35, 0.0, ENERGY, false),
    ("[Btu_IT]", 1_055.055_852_62, 0.0, ENERGY, false),
    ("W", 1.0, 0.0, POWER, true),
    ("VA", 1.0, 0.0, POWER, true),
    ("var", 1.0, 0.0, POWER, true),
    ("[HP]", 550.0 * 0.3048 * POUND * FREE_FALL, 0.0, POWER, false),
    ("V", 1.0, 0.0, VOLTAGE, true),
    ("Ohm", 1.0, 0.0, RESISTANCE, true),
    ("S", 1.0, 0.0, CONDUCTANCE, true),
    ("F", 1.0, 0.0, CAPACITANCE, true),
    ("H", 1.0, 0.0, INDUCTANCE, true),
    ("Wb", 1.0, 0.0, VOLTAGE_TIME, true),
    ("G", 1e-4, 0.0, FLUX_DENSITY, true),
    ("T", 1.0, 0.0, FLUX_DENSITY, true),
    ("P", 0.1, 0.0, VISCOSITY, true),
    ("St", 1e-4, 0.0, DIFFUSIVITY, true),
    ("cd", 1.0, 0.0, LUMINOUS, true),
    ("lm", 1.0, 0.0, LUMINOUS, true),
    ("lx", 1.0, 0.0, ILLUMINANCE, true),
    ("bit", 1.0, 0.0, DATA, true),
    ("By", 8.0, 0.0, DATA, true),
    ("Gy", 1.0, 0.0, DOSE, true),
    ("Sv", 1.0, 0.0, DOSE, true),
    ("[h]", 6.626_070_15e-34, 0.0, ACTION, false),
    ("[k]", 1.380_649e-23, 0.0, HEAT_CAPACITY, false),
    ("[G]", 6.674_30e-11, 0.0, GRAVITATION, false),
    ("B", 1.0, 0.0, LEVEL, true),
    ("B[V]", 1.0, 0.0, LEVEL_OF_VOLTAGE, true),
    ("B[W]", 1.0, 0.0, LEVEL_OF_POWER, true),
    ("B[SPL]", 1.0, 0.0, LEVEL_OF_SOUND, true),
    ("[pH]", 1.0, 0.0, ACIDITY, false),
];
