//! Units of points as OPC UA knows them: the code of UNECE Recommendation 20 where it is known, else the UCUM code. Pure.

use opcua::types::EUInformation;

/// Whose codes `unit_id` is made of, by OPC UA part 8.
const UNECE: &str = "http://www.opcfoundation.org/UA/units/un/cefact";
/// Whose codes the display names are of, where there is no number.
const UCUM: &str = "http://unitsofmeasure.org";

/// UCUM code, common code of UNECE, and how people write it.
const UNITS: &[(&str, &str, &str)] = &[
    ("1", "C62", ""),
    ("%", "P1", "%"),
    ("Cel", "CEL", "°C"),
    ("K", "KEL", "K"),
    ("[degF]", "FAH", "°F"),
    ("Pa", "PAL", "Pa"),
    ("hPa", "A97", "hPa"),
    ("kPa", "KPA", "kPa"),
    ("MPa", "MPA", "MPa"),
    ("bar", "BAR", "bar"),
    ("mbar", "MBR", "mbar"),
    ("m", "MTR", "m"),
    ("mm", "MMT", "mm"),
    ("cm", "CMT", "cm"),
    ("km", "KMT", "km"),
    ("m2", "MTK", "m²"),
    ("m3", "MTQ", "m³"),
    ("L", "LTR", "l"),
    ("m3/h", "MQH", "m³/h"),
    ("m3/s", "MQS", "m³/s"),
    ("L/min", "L2", "l/min"),
    ("L/s", "G51", "l/s"),
    ("s", "SEC", "s"),
    ("ms", "C26", "ms"),
    ("min", "MIN", "min"),
    ("h", "HUR", "h"),
    ("d", "DAY", "d"),
    ("Hz", "HTZ", "Hz"),
    ("kHz", "KHZ", "kHz"),
    ("A", "AMP", "A"),
    ("mA", "4K", "mA"),
    ("V", "VLT", "V"),
    ("mV", "2Z", "mV"),
    ("kV", "KVT", "kV"),
    ("W", "WTT", "W"),
    ("kW", "KWT", "kW"),
    ("MW", "MAW", "MW"),
    ("J", "JOU", "J"),
    ("kJ", "KJO", "kJ"),
    ("kW.h", "KWH", "kW·h"),
    ("Ohm", "OHM", "Ω"),
    ("N", "NEW", "N"),
    ("kN", "B47", "kN"),
    ("N.m", "NU", "N·m"),
    ("kg", "KGM", "kg"),
    ("g", "GRM", "g"),
    ("t", "TNE", "t"),
    ("kg/m3", "KMQ", "kg/m³"),
    ("kg/s", "KGS", "kg/s"),
    ("kg/h", "E93", "kg/h"),
    ("m/s", "MTS", "m/s"),
    ("m/s2", "MSK", "m/s²"),
    ("mm/s", "C16", "mm/s"),
    ("rad", "C81", "rad"),
    ("deg", "DD", "°"),
    ("rad/s", "2A", "rad/s"),
    ("{rpm}", "RPM", "r/min"),
];

/// The unit of a UCUM code.
pub(crate) fn information(ucum: &str) -> EUInformation {
    match UNITS.iter().find(|(known, ..)| *known == ucum) {
        Some((_, code, shown)) => EUInformation {
            namespace_uri: UNECE.into(),
            unit_id: unit_id(code),
            display_name: (*shown).into(),
            description: ucum.into(),
        },
        None => EUInformation {
            namespace_uri: UCUM.into(),
            unit_id: -1,
            display_name: ucum.into(),
            description: ucum.into(),
        },
    }
}

/// The letters of a common code as one number, the last the lowest.
fn unit_id(code: &str) -> i32 {
    code.bytes().fold(0, |id, letter| (id << 8) | i32::from(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_units_have_the_number_of_the_specification() {
        // As in the table that the OPC Foundation publishes.
        assert_eq!((unit_id("CEL"), unit_id("P1")), (4_408_652, 20_529));
        let degrees = information("Cel");
        assert_eq!((degrees.unit_id, degrees.display_name.text.as_ref()), (4_408_652, "°C"));
        assert_eq!(degrees.namespace_uri.as_ref(), UNECE);
    }

    #[test]
    fn other_units_keep_their_ucum_code() {
        let odd = information("mol/kg");
        assert_eq!((odd.unit_id, odd.display_name.text.as_ref()), (-1, "mol/kg"));
        assert_eq!(odd.namespace_uri.as_ref(), UCUM);
    }

    #[test]
    fn no_unit_stands_twice() {
        let mut codes: Vec<&str> = UNITS.iter().map(|(ucum, ..)| *ucum).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), UNITS.len());
        assert!(UNITS.iter().all(|(_, code, _)| (2..=3).contains(&code.len())));
    }
}
