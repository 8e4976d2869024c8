//! Spans of time as people type them: `250ms`, `30s`, `5m`, `2h`.

use std::time::Duration;

/// Reads a span; a number without a unit is in seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..).unwrap_or_default() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        unit => return Err(format!("unknown unit {unit:?}: use ms, s, m, h or d")),
    };
    let number: f64 = digits.parse().map_err(|_| format!("{text:?} is no span of time: try 30s"))?;
    Duration::try_from_secs_f64(number * factor).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_every_unit_and_nonsense_is_named() {
        let check = |text: &str, seconds: f64| {
            assert_eq!(parse(text).expect(text), Duration::from_secs_f64(seconds));
        };
        check("30s", 30.0);
        check("30", 30.0);
        check("250ms", 0.25);
        check("1.5m", 90.0);
        check("2h", 7_200.0);
        assert!(parse("5 parsecs").is_err());
        assert!(parse("-1s").is_err());
        assert!(parse("").is_err());
    }
}
