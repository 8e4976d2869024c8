//! Times as sources write them: RFC 3339 text, or a number since the epoch in a unit that is configured or
//! told by its size.

use geminus_core::Timestamp;

use super::{Token, token};
use crate::route::TimeUnit;

/// `None` when it is no time, or one before the epoch or after the year 2554.
pub(super) fn timestamp(raw: Token<'_>, unit: TimeUnit) -> Option<Timestamp> {
    match raw.first()? {
        b'"' => {
            let text = token::string(raw)?;
            of_text(&text, unit)
        }
        _ => from_number(raw, unit),
    }
}

/// Of text without quotes.
pub(super) fn of_text(text: &str, unit: TimeUnit) -> Option<Timestamp> {
    from_text(text).or_else(|| from_number(text.as_bytes(), unit))
}

fn from_text(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok().map(Timestamp)
}

/// Digits, and for a fraction at most nine more, are read exactly; beyond nanoseconds they are cut.
fn from_number(raw: &[u8], unit: TimeUnit) -> Option<Timestamp> {
    let point = raw.iter().position(|byte| *byte == b'.').unwrap_or(raw.len());
    let (whole, fraction) = raw.split_at_checked(point)?;
    let fraction = fraction.strip_prefix(b".").unwrap_or(fraction);
    if whole.is_empty() || (point < raw.len() && fraction.is_empty()) {
        return None;
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
    number.checked_mul(factor)?.checked_add(extra).map(Timestamp)
}

/// Times like `1.5e9`, which some JSON writers make of large numbers; exact to what a double holds.
fn from_exponent(raw: &[u8], unit: TimeUnit) -> Option<Timestamp> {
    let number = token::number(raw)?;
    if !(0.0..18_446_744_073_709_551_616.0).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range, as checked")]
    let whole = number as u64;
    let factor = nanos_per(whole, unit);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of at most 1e9")]
    #[expect(clippy::cast_precision_loss, reason = "factor is at most 1e9")]
    let extra = (number.fract() * factor as f64) as u64;
    whole.checked_mul(factor)?.checked_add(extra).map(Timestamp)
}

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
        let cases: [(&str, Option<u64>); 18] = [
            ("1581168647", Some(1_581_168_647_000_000_000)),
            ("1581168647.25", Some(1_581_168_647_250_000_000)),
            ("1581168647.123456789", Some(1_581_168_647_123_456_789)),
            ("1581168647.1234567899", Some(1_581_168_647_123_456_789)),
            ("1581168647123", Some(1_581_168_647_123_000_000)),
            ("1581168647123456", Some(1_581_168_647_123_456_000)),
            ("1581168647123456789", Some(1_581_168_647_123_456_789)),
            ("1.581168647e9", Some(1_581_168_647_000_000_000)),
            ("\"2020-02-08T13:30:47Z\"", Some(1_581_168_647_000_000_000)),
            ("\"2020-02-08T14:30:47.5+01:00\"", Some(1_581_168_647_500_000_000)),
            ("\"1581168647123\"", Some(1_581_168_647_123_000_000)),
            ("\"2020-02-08 13:30:47\"", None),
            ("-5", None),
            ("1581168647.", None),
            ("true", None),
            ("\"yesterday\"", None),
            ("99999999999999999999999", None),
            ("{}", None),
        ];
        for (raw, expect) in cases {
            assert_eq!(timestamp(raw.as_bytes(), TimeUnit::Auto), expect.map(Timestamp), "{raw}");
        }
    }

    #[test]
    fn a_configured_unit_is_obeyed() {
        for (unit, nanos) in [
            (TimeUnit::Seconds, 7_000_000_000),
            (TimeUnit::Millis, 7_000_000),
            (TimeUnit::Micros, 7_000),
            (TimeUnit::Nanos, 7),
        ] {
            assert_eq!(timestamp(b"7", unit), Some(Timestamp(nanos)));
        }
    }
}
