//! Which units fit which semantic type: the chart of the DTDL v3 QuantitativeTypes extension, version 1.
//!
//! By name, not by dimension: a torque in joule has the right dimension and is wrong all the same.

/// The kind of quantity that a semantic type names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quantity {
    /// The semantic type.
    pub(super) name: &'static str,
    /// Units it is given in.
    pub(super) units: &'static [&'static str],
}

/// The semantic type with this name.
pub(super) fn find(name: &str) -> Option<Quantity> {
    TYPES.iter().find(|(known, _)| *known == name).map(|(name, units)| Quantity { name, units })
}

/// Names of all semantic types.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|(name, _)| *name)
}

const ANGLE: &[&str] = &["radian", "degreeOfArc", "minuteOfArc", "secondOfArc", "turn"];
const DENSITY: &[&str] =
    &["kilogramPerCubicMetre", "gramPerCubicMetre", "milligramPerCubicMetre", "microgramPerCubicMetre"];
const FORCE: &[&str] = &["newton", "pound", "ounce", "ton"];
const LENGTH: &[&str] = &[
    "metre",
    "millimetre",
    "centimetre",
    "kilometre",
    "micrometre",
    "nanometre",
    "foot",
    "inch",
    "mile",
    "nauticalMile",
    "astronomicalUnit",
];
const POWER: &[&str] = &[
    "watt",
    "kilowatt",
    "megawatt",
    "gigawatt",
    "milliwatt",
    "microwatt",
    "horsepower",
    "joulePerSecond",
    "joulePerHour",
    "kilojoulePerSecond",
    "kilojoulePerHour",
    "megajoulePerHour",
    "gigajoulePerHour",
    "kilowattHourPerYear",
    "britishThermalUnitPerHour",
    "kiloBritishThermalUnitPerHour",
    "tonOfRefrigeration",
];
const UNITLESS: &[&str] =
    &["unity", "percent", "partsPerMillion", "partsPerBillion", "partsPerTrillion", "partsPerQuadrillion"];

const TYPES: &[(&str, &[&str])] = &[
    ("Acceleration", &["metrePerSecondSquared", "centimetrePerSecondSquared", "gForce"]),
    ("Angle", ANGLE),
    ("AngularAcceleration", &["radianPerSecondSquared"]),
    (
        "AngularVelocity",
        &["radianPerSecond", "degreePerSecond", "revolutionPerSecond", "revolutionPerMinute"],
    ),
    ("ApparentEnergy", &["voltAmpereHour", "kilovoltAmpereHour", "megavoltAmpereHour", "gigavoltAmpereHour"]),
    (
        "ApparentPower",
        &["voltAmpere", "millivoltAmpere", "kilovoltAmpere", "megavoltAmpere", "gigavoltAmpere"],
    ),
    (
        "Area",
        &[
            "squareMetre",
            "squareCentimetre",
            "squareMillimetre",
            "squareKilometre",
            "hectare",
            "squareFoot",
            "squareInch",
            "acre",
        ],
    ),
    ("Capacitance", &["farad", "millifarad", "microfarad", "nanofarad", "picofarad"]),
    ("Concentration", UNITLESS),
    ("Current", &["ampere", "milliampere", "microampere", "kiloampere"]),
    (
        "DataRate",
        &[
            "bitPerSecond",
            "bytePerSecond",
            "kibibitPerSecond",
            "kibibytePerSecond",
            "mebibitPerSecond",
            "mebibytePerSecond",
            "gibibitPerSecond",
            "gibibytePerSecond",
            "tebibitPerSecond",
            "tebibytePerSecond",
            "exbibitPerSecond",
            "exbibytePerSecond",
            "zebibitPerSecond",
            "zebibytePerSecond",
            "yobibitPerSecond",
            "yobibytePerSecond",
        ],
    ),
    (
        "DataSize",
        &[
            "bit", "byte", "kibibit", "kibibyte", "mebibit", "mebibyte", "gibibit", "gibibyte", "tebibit",
            "tebibyte", "exbibit", "exbibyte", "zebibit", "zebibyte", "yobibit", "yobibyte",
        ],
    ),
    ("Density", DENSITY),
    ("Distance", LENGTH),
    ("ElectricCharge", &["coulomb", "ampereHour", "milliampereHour"]),
    (
        "Energy",
        &[
            "joule",
            "kilojoule",
            "megajoule",
            "gigajoule",
            "wattHour",
            "milliwattHour",
            "kilowattHour",
            "megawattHour",
            "gigawattHour",
            "terawattHour",
            "britishThermalUnit",
            "kiloBritishThermalUnit",
            "electronvolt",
            "megaelectronvolt",
        ],
    ),
    ("EnergyRate", POWER),
    ("Force", FORCE),
    ("Frequency", &["hertz", "millihertz", "kilohertz", "megahertz", "gigahertz"]),
    ("Humidity", DENSITY),
    ("Illuminance", &["lux", "footcandle"]),
    ("Inductance", &["henry", "millihenry", "microhenry"]),
    ("IonizingRadiationDose", &["gray", "milligray", "microgray", "sievert", "millisievert", "microsievert"]),
    ("Irradiance", &["wattPerSquareMetre"]),
    ("Latitude", ANGLE),
    ("Length", LENGTH),
    ("Longitude", ANGLE),
    ("Luminance", &["candelaPerSquareMetre"]),
    ("Luminosity", POWER),
    ("LuminousFlux", &["lumen"]),
    ("LuminousIntensity", &["candela"]),
    ("MagneticFlux", &["weber", "maxwell"]),
    ("MagneticInduction", &["tesla", "gauss"]),
    ("Mass", &["kilogram", "gram", "milligram", "microgram", "tonne", "massPound", "slug"]),
    (
        "MassFlowRate",
        &["gramPerSecond", "kilogramPerSecond", "gramPerHour", "kilogramPerHour", "massPoundPerHour"],
    ),
    ("Power", POWER),
    (
        "Pressure",
        &[
            "pascal",
            "kilopascal",
            "hectopascal",
            "decapascal",
            "bar",
            "millibar",
            "poundPerSquareInch",
            "millimetresOfMercury",
            "inchesOfMercury",
            "inchesOfWater",
        ],
    ),
    ("Radioactivity", &["becquerel", "kilobecquerel", "megabecquerel", "gigabecquerel"]),
    (
        "ReactiveEnergy",
        &[
            "voltAmpereReactiveHour",
            "kilovoltAmpereReactiveHour",
            "megavoltAmpereReactiveHour",
            "gigavoltAmpereReactiveHour",
        ],
    ),
    (
        "ReactivePower",
        &[
            "voltAmpereReactive",
            "millivoltAmpereReactive",
            "kilovoltAmpereReactive",
            "megavoltAmpereReactive",
            "gigavoltAmpereReactive",
        ],
    ),
    ("RelativeDensity", UNITLESS),
    ("RelativeHumidity", UNITLESS),
    ("Resistance", &["ohm", "milliohm", "kiloohm", "megaohm"]),
    ("SoundPressure", &["decibel", "bel"]),
    ("Temperature", &["degreeCelsius", "kelvin", "degreeFahrenheit"]),
    ("Thrust", FORCE),
    ("TimeSpan", &["second", "millisecond", "microsecond", "nanosecond", "minute", "hour", "day", "year"]),
    ("Torque", &["newtonMetre"]),
    (
        "Velocity",
        &[
            "metrePerSecond",
            "centimetrePerSecond",
            "kilometrePerSecond",
            "metrePerHour",
            "kilometrePerHour",
            "milePerHour",
            "milePerSecond",
            "knot",
        ],
    ),
    ("Voltage", &["volt", "millivolt", "microvolt", "kilovolt", "megavolt"]),
    (
        "Volume",
        &[
            "cubicMetre",
            "cubicCentimetre",
            "litre",
            "millilitre",
            "gallon",
            "cubicFoot",
            "cubicInch",
            "fluidOunce",
        ],
    ),
    (
        "VolumeFlowRate",
        &[
            "litrePerSecond",
            "litrePerMinute",
            "litrePerHour",
            "millilitrePerSecond",
            "millilitrePerMinute",
            "millilitrePerHour",
            "cubicMetrePerSecond",
            "cubicMetrePerMinute",
            "cubicMetrePerHour",
            "cubicFootPerMinute",
            "gallonPerMinute",
            "gallonPerHour",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use geminus_core::unit::{parse, ucum_from_dtdl};

    use super::*;

    #[test]
    fn the_units_of_a_type_measure_the_same_and_each_stands_once() {
        let mut known = 0;
        for (name, units) in TYPES {
            let mut seen = std::collections::BTreeSet::new();
            let mut dimensions = Vec::new();
            for unit in *units {
                assert!(seen.insert(unit), "{name} has {unit} twice");
                if let Some(ucum) = ucum_from_dtdl(unit) {
                    known += 1;
                    dimensions.push(parse(ucum).unwrap_or_else(|error| panic!("{unit}: {error}")).dimension);
                }
            }
            dimensions.dedup();
            assert!(dimensions.len() <= 1, "the units of {name} measure {dimensions:?}");
        }
        assert!(known > 190, "only {known} units of the chart are known to this house");
    }
}
