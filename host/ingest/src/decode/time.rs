//! Times as sources write them: RFC 3339 text, or a number since the epoch in a unit that is configured or
//! told by its size.

use geminus_core::Timestamp;

use super::{Token, token};
use crate::refusal::Reason;
use crate::route::TimeUnit;

/// Of a raw JSON scalar.
///
/// # Errors
/// [`Reason::FutureTime`] when it lies after the year 2554, where times end here; [`Reason::BadTime`] when it is none, or
/// one before the epoch.
pub(super) fn timestamp(raw: Token<'_>, unit: TimeUnit) -> Result<Timestamp, Reason> {
    match raw.first() {
        Some(b'"') => of_text(&token::string(raw).ok_or(Reason::BadTime)?, unit),
        _ => from_number(raw, unit),
    }
}

/// Of text without quotes; errors as above.
pub(super) fn of_text(text: &str, unit: TimeUnit) -> Result<Timestamp, Reason> {
    from_text(text).unwrap_or_else(|| from_number(text.as_bytes(), unit))
}

/// `None` when it is not of the shape of RFC 3339.
fn from_text(text: &str) -> Option<Result<Timestamp, Reason>> {
    let Ok(time) = text.parse::<jiff::Timestamp>() else {
        // The last hours of the year 9999, by which some mean "for ever", are beyond what the parser holds.
        let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
        let beyond = pieces.date().year() == 9999 && pieces.time().is_some();
        return (beyond && pieces.to_numeric_offset().is_some()).then_some(Err(Reason::FutureTime));
    };
    let nanos = time.as_nanosecond();
    let beyond = if nanos < 0 { Reason::BadTime } else { Reason::FutureTime };
    Some(u64::try_from(nanos).map(Timestamp).map_err(|_| beyond))
}

/// Digits, and for a fraction at most nine more, are read exactly; beyond nanoseconds they are cut.
fn from_number(raw: &[u8], unit: TimeUnit) -> Result<Timestamp, Reason> {
    let point = raw.iter().position(|byte| *byte == b'.').unwrap_or(raw.len());
    let (whole, fraction) = raw.split_at_checked(point).ok_or(Reason::BadTime)?;
    let fraction = fraction.strip_prefix(b".").unwrap_or(fraction);
    if whole.is_empty() || (point < raw.len() && fraction.is_empty()) {
        return Err(Reason::BadTime);
    }
    let Some(number) = digits(whole) else { return from_exponent(raw, unit) };
    let factor = nanos_per(number, unit);
    let (mut extra, mut worth) = (0, factor);
    for byte in fraction {
        if !byte.is_ascii_digit() {
            return from_exponent(raw, unit);
        }
        worth /= 10;
        extra += u64::from(byte - b'0') * worth;
    }
    at(number, factor, extra)
}

/// Times like `1.5e9`, which some JSON writers make of large numbers; exact to what a double holds.
fn from_exponent(raw: &[u8], unit: TimeUnit) -> Result<Timestamp, Reason> {
    let number = token::number(raw).filter(|number| *number >= 0.0).ok_or(Reason::BadTime)?;
    if number >= 18_446_744_073_709_551_616.0 {
        // A word for infinity is no number here.
        let written = raw.first().is_some_and(u8::is_ascii_digit);
        return Err(if written { Reason::FutureTime } else { Reason::BadTime });
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range, as checked")]
    let whole = number as u64;
    let factor = nanos_per(whole, unit);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of at most 1e9")]
    #[expect(clippy::cast_precision_loss, reason = "factor is at most 1e9")]
    let extra = (number.fract() * factor as f64) as u64;
    at(whole, factor, extra)
}

fn at(number: u64, factor: u64, extra: u64) -> Result<Timestamp, Reason> {
    let nanos = number.checked_mul(factor).and_then(|nanos| nanos.checked_add(extra));
    nanos.map(Timestamp).ok_or(Reason::FutureTime)
}

/// `None` when something else than digits is there, or more than 64 bits hold.
fn digits(raw: &[u8]) -> Option<u64> {
    raw.iter().try_fold(0_u64, |number, byte| {
        if !byte.is_ascii_digit() {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))
    })
}

fn nanos_per(number: u64, unit: TimeUnit) -> u64 {
    match unit {
        TimeUnit::Seconds => 1_000_000_000,
        TimeUnit::Millis => 1_000_000,
        TimeUnit::Micros => 1_000,
        TimeUnit::Nanos => 1,
        TimeUnit::Auto => match number {
            0..100_000_000_000 => 1_000_000_000,
            100_000_000_000..100_000_000_000_000 => 1_000_000,
            100_000_000_000_000..100_000_000_000_000_000 => 1_000,
            _ => 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_exactly() {
        let cases: [(&str, u64); 11] = [
            ("1581168647", 1_581_168_647_000_000_000),
            ("1581168647.25", 1_581_168_647_250_000_000),
            ("1581168647.123456789", 1_581_168_647_123_456_789),
            ("1581168647.1234567899", 1_581_168_647_123_456_789),
            ("1581168647123", 1_581_168_647_123_000_000),
            ("1581168647123456", 1_581_168_647_123_456_000),
            ("1581168647123456789", 1_581_168_647_123_456_789),
            ("1.581168647e9", 1_581_168_647_000_000_000),
            ("\"2020-02-08T13:30:47Z\"", 1_581_168_647_000_000_000),
            ("\"2020-02-08T14:30:47.5+01:00\"", 1_581_168_647_500_000_000),
            ("\"1581168647123\"", 1_581_168_647_123_000_000),
        ];
        for (raw, expect) in cases {
            assert_eq!(timestamp(raw.as_bytes(), TimeUnit::Auto), Ok(Timestamp(expect)), "{raw}");
        }
    }

    #[test]
    fn what_is_no_time_and_what_is_too_late_a_time_are_told_apart() {
        let none = [
            "\"2020-02-08 13:30:47\"",
            "\"1969-12-31T23:59:59Z\"",
            "\"9999-99-99T00:00:00Z\"",
            "\"9999-12-31\"",
            "-5",
            "-99999999999999999999999",
            "1581168647.",
            "true",
            "\"yesterday\"",
            "\"Infinity\"",
            "NaN",
            "Infinity",
            "{}",
            "",
        ];
        let beyond = [
            "99999999999999999999999",
            "99999999999999999999999.5",
            "1e30",
            "1e999",
            "\"18446744073709551616\"",
            "\"2554-07-22T00:00:00Z\"",
            "\"3000-01-01T00:00:00+02:00\"",
            "\"9999-12-31T23:59:59Z\"",
            "\"9999-12-31T23:59:59.999-11:00\"",
        ];
        for (all, reason) in [(none.as_slice(), Reason::BadTime), (beyond.as_slice(), Reason::FutureTime)] {
            for raw in all {
                assert_eq!(timestamp(raw.as_bytes(), TimeUnit::Auto), Err(reason), "{raw}");
            }
        }
        assert_eq!(timestamp(b"18446744074", TimeUnit::Seconds), Err(Reason::FutureTime));
        assert!(timestamp(b"\"2554-07-21T00:00:00Z\"", TimeUnit::Auto).is_ok(), "the last day");
    }

    #[test]
    fn a_configured_unit_is_obeyed() {
        for (unit, nanos) in [
            (TimeUnit::Seconds, 7_000_000_000),
            (TimeUnit::Millis, 7_000_000),
            (TimeUnit::Micros, 7_000),
            (TimeUnit::Nanos, 7),
        ] {
            assert_eq!(timestamp(b"7", unit), Ok(Timestamp(nanos)));
        }
    }
}
