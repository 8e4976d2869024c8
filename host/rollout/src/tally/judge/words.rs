//! Numbers as a person reads them.

/// A number with the digits that a person reads.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    match value {
        _ if value.is_nan() => "none".to_owned(),
        _ if value.is_infinite() => "infinite".to_owned(),
        _ if value == 0.0 || (value.fract() == 0.0 && size < 1e9) => format!("{value}"),
        _ if (1e-3..1e6).contains(&size) => {
            let text = format!("{value:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{value:.3e}"),
    }
}

/// A number with its UCUM unit, which is left out for a plain number.
pub(super) fn with_unit(value: f64, unit: &str) -> String {
    if unit == "1" { short(value) } else { format!("{} {unit}", short(value)) }
}

/// A ratio, to four places: what is smaller is nothing.
pub(super) fn ratio(value: f64) -> String {
    if value.is_finite() { short((value * 1e4).round() / 1e4) } else { short(value) }
}

pub(super) fn percent(share: f64) -> String {
    format!("{} %", short(share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_a_person_reads() {
        for (value, words) in [
            (0.0, "0"),
            (12.0, "12"),
            (12_000_000.0, "12000000"),
            (0.5, "0.5"),
            (-0.25, "-0.25"),
            (1.0 / 3.0, "0.3333"),
            (0.000_123_4, "1.234e-4"),
            (1_234_567.8, "1.235e6"),
            (f64::NAN, "none"),
            (f64::INFINITY, "infinite"),
        ] {
            assert_eq!(short(value), words);
        }
        assert_eq!(percent(0.001), "0.1 %");
        assert_eq!((with_unit(0.5, "Cel"), with_unit(0.5, "1")), ("0.5 Cel".to_owned(), "0.5".to_owned()));
        assert_eq!(
            (ratio(2.0 / 3.0), ratio(1.2e-17), ratio(f64::INFINITY)),
            ("0.6667".to_owned(), "0".to_owned(), "infinite".to_owned())
        );
    }
}
