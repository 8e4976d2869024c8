//! A check of UCUM codes (<https://ucum.org/ucum>) in their case-sensitive form, so that a mistyped unit is a compile
//! error: terms of atoms with metric prefixes, exponents, `.`, `/`, brackets and annotations. It knows the atoms
//! that plants use, not all of UCUM's three hundred: the same as the host, which refuses a plugin whose units it does
//! not know. A test holds the two lists together.

const METRIC: &[&str] = &[
    "m", "s", "g", "K", "A", "cd", "mol", "rad", "sr", "Hz", "N", "Pa", "J", "W", "C", "V", "F", "Ohm", "S",
    "Wb", "T", "H", "lm", "lx", "Bq", "Gy", "Sv", "Cel", "L", "l", "t", "bar", "eV", "u", "B", "B[V]",
    "B[W]", "B[SPL]", "m[Hg]", "m[H2O]", "bit", "By", "Bd", "ar", "G", "P", "St", "dyn", "erg", "cal",
    "cal_th", "cal_IT", "g%", "var", "VA", "Wh", "Ah", "[g]",
];
const PLAIN: &[&str] = &[
    "%",
    "[ppth]",
    "[ppm]",
    "[ppb]",
    "[pptr]",
    "[pi]",
    "10*",
    "10^",
    "min",
    "h",
    "d",
    "wk",
    "mo",
    "a",
    "deg",
    "'",
    "''",
    "gon",
    "circ",
    "atm",
    "att",
    "[degF]",
    "[degR]",
    "[degRe]",
    "[in_i]",
    "[ft_i]",
    "[yd_i]",
    "[mi_i]",
    "[nmi_i]",
    "[acr_us]",
    "[sft_i]",
    "[cft_i]",
    "[lb_av]",
    "[oz_av]",
    "[lbf_av]",
    "[ozf_av]",
    "[tonf_us]",
    "[slug]",
    "[psi]",
    "[gal_us]",
    "[foz_us]",
    "[bbl_us]",
    "[gal_br]",
    "[HP]",
    "[Btu]",
    "[Btu_IT]",
    "[Btu_th]",
    "[kn_i]",
    "[c]",
    "[h]",
    "[k]",
    "[e]",
    "[G]",
    "[pH]",
    "[in_i'Hg]",
    "[in_i'H2O]",
];
const PREFIXES: &[&str] =
    &["da", "T", "G", "M", "k", "h", "d", "c", "m", "u", "n", "p", "Ki", "Mi", "Gi", "Ti"];
const HINTS: &[(&str, &str)] = &[
    ("°C", "Cel"),
    ("degC", "Cel"),
    ("celsius", "Cel"),
    ("Celsius", "Cel"),
    ("°F", "[degF]"),
    ("degF", "[degF]"),
    ("°", "deg"),
    ("rpm", "/min"),
    ("RPM", "/min"),
    ("1/min", "/min"),
    ("psi", "[psi]"),
    ("ohm", "Ohm"),
    ("Ω", "Ohm"),
    ("sec", "s"),
    ("secs", "s"),
    ("hr", "h"),
    ("hour", "h"),
    ("minute", "min"),
    ("amp", "A"),
    ("volt", "V"),
    ("watt", "W"),
    ("kelvin", "K"),
    ("percent", "%"),
    ("g-force", "[g]"),
    ("ppm", "[ppm]"),
    ("hp", "[HP]"),
    ("µm", "um"),
    ("-", "1"),
    ("none", "1"),
    ("m³/h", "m3/h"),
    ("m^3/h", "m3/h"),
    ("l/min", "L/min"),
];

/// `Ok` for a code that UCUM reads; otherwise what to write instead.
pub(crate) fn check(code: &str) -> Result<(), String> {
    let hint = HINTS.iter().find(|(wrong, _)| *wrong == code).map(|(_, right)| right);
    match (term(code), hint) {
        (Ok(""), _) => Ok(()),
        (_, Some(right)) => Err(format!("{code:?} is no UCUM unit; write {right:?}")),
        (Ok(rest), None) | (Err(rest), None) => Err(format!(
            "{code:?} is no UCUM unit that this SDK knows (stopped at {rest:?}); \
             examples: \"1\", \"Cel\", \"K\", \"%\", \"bar\", \"m3/h\", \"/min\", \"mm/s\", \"kW.h\""
        )),
    }
}

/// Reads `component (('.'|'/') component)*`; gives what is left, or where it stopped.
fn term(code: &str) -> Result<&str, &str> {
    let mut rest = component(code.strip_prefix('/').unwrap_or(code))?;
    while let Some(next) = rest.strip_prefix(['.', '/']) {
        rest = component(next)?;
    }
    Ok(rest)
}

fn component(code: &str) -> Result<&str, &str> {
    if let Some(inner) = code.strip_prefix('(') {
        return term(inner)?.strip_prefix(')').ok_or(code);
    }
    if code.starts_with('{') {
        return annotation(code);
    }
    let digits = code.len() - code.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let zero = code.bytes().take(digits).all(|digit| digit == b'0');
    if digits > 0 && zero {
        return Err(code);
    }
    if digits > 0 && !code.starts_with("10*") && !code.starts_with("10^") {
        return annotation(code.split_at(digits).1);
    }
    annotation(exponent(atom(code).ok_or(code)?))
}

/// The longest atom at the front, with or without a prefix.
fn atom(code: &str) -> Option<&str> {
    let after = |atom: &&str| code.strip_prefix(*atom);
    let plain = METRIC.iter().chain(PLAIN).filter_map(after);
    let prefixed = PREFIXES.iter().filter_map(after);
    let prefixed = prefixed.flat_map(|rest| METRIC.iter().filter_map(move |atom| rest.strip_prefix(*atom)));
    plain.chain(prefixed).min_by_key(|rest| rest.len())
}

/// After an exponent of one digit but zero, where one stands.
fn exponent(code: &str) -> &str {
    let unsigned = code.strip_prefix(['-', '+']).unwrap_or(code);
    unsigned.strip_prefix(|c: char| matches!(c, '1'..='9')).unwrap_or(code)
}

fn annotation(code: &str) -> Result<&str, &str> {
    let Some(inner) = code.strip_prefix('{') else { return Ok(code) };
    inner.split_once('}').filter(|(note, _)| note.is_ascii()).map(|(_, rest)| rest).ok_or(code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const PLANT: &[&str] = &[
        "1",
        "Cel",
        "K",
        "%",
        "bar",
        "mbar",
        "kPa",
        "Pa",
        "m3/h",
        "L/min",
        "/min",
        "{rpm}",
        "/min{rpm}",
        "mm/s",
        "m/s2",
        "[g]",
        "kW.h",
        "kW",
        "A",
        "mA",
        "V",
        "Hz",
        "Ohm",
        "K/W",
        "J/K",
        "W/(m2.K)",
        "kg/m3",
        "[degF]",
        "[psi]",
        "deg",
        "10*3/uL",
        "um",
        "dB[SPL]",
        "N.m",
        "rad/s",
        "s",
        "ms",
        "min",
        "h",
        "d",
        "kg",
        "t/h",
        "Cel2",
        "K2",
        "s-1",
        "mm[Hg]",
        "kWh",
        "Ah",
        "kVA",
        "circ/min",
        "W/(m2.K{wall})",
        "dB",
        "[pH]",
        "kvar",
        "cSt",
        "mmol/L",
        "wk",
        "10*-2",
        "m+2",
    ];

    #[test]
    fn units_of_plants_are_known_here_and_to_the_host() {
        for unit in PLANT {
            assert_eq!(check(unit), Ok(()), "{unit}");
            assert!(geminus_core::unit::parse(unit).is_ok(), "{unit} is unknown to the host");
        }
    }

    #[test]
    fn the_host_knows_the_same_atoms_and_prefixes() {
        let ours = METRIC.iter().map(|atom| (*atom, true)).chain(PLAIN.iter().map(|atom| (*atom, false)));
        let ours: BTreeSet<_> = ours.collect();
        // "ppm" is what sites write; an author is told to write "[ppm]".
        let host = geminus_core::unit::atoms().filter(|(atom, _)| !HINTS.iter().any(|hint| hint.0 == *atom));
        assert_eq!(ours, host.collect::<BTreeSet<_>>());
        let prefixes = PREFIXES.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(prefixes, geminus_core::unit::prefixes().collect());
    }

    proptest! {
        #[test]
        fn what_is_taken_here_is_taken_by_the_host(
            parts in proptest::collection::vec(0_usize..200, 1..8),
        ) {
            let signs = ["(", ")", ".", "/", "2", "-1", "+3", "0", "12", "{a}", "{", "}", "10*", " "];
            let pieces = METRIC.iter().chain(PLAIN).chain(PREFIXES).chain(&signs);
            let pieces: Vec<&str> = pieces.copied().collect();
            let code: String = parts.iter().filter_map(|part| pieces.get(part % pieces.len())).copied().collect();
            let taken = check(&code).is_ok();
            prop_assert!(!taken || geminus_core::unit::parse(&code).is_ok(), "{code:?}");
        }
    }

    #[test]
    fn what_is_no_unit_says_what_to_write() {
        for (unit, says) in [
            ("°C", "\"Cel\""),
            ("rpm", "\"/min\""),
            ("psi", "\"[psi]\""),
            ("furlong", "stopped at"),
            ("m3//h", "stopped at"),
            ("m/", "stopped at"),
            ("(m", "stopped at"),
            ("m ", "stopped at"),
            ("m{a", "stopped at"),
            ("mCel°", "stopped at"),
        ] {
            let error = check(unit).expect_err(unit);
            assert!(error.contains(says), "{unit}: {error}");
        }
    }
}
