//! What one raw token means: a number, a word, a quality.

use std::borrow::Cow;

use geminus_core::Quality;

use super::Token;
use crate::refusal::Reason;
use crate::route::{Envelope, Point, QualityCode};

/// A value before it has a point's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reading {
    /// A measured number, to be converted.
    Number(f64),
    /// A boolean, a label, or a word for what is no number: not to be converted.
    Exact(f64),
    /// `null`: the source's own word that there is no value.
    Nothing,
}

/// Meaning of a JSON scalar. `null` and not-a-number are readings too: they say when there was no value.
pub(super) fn reading(point: &Point, raw: Token<'_>) -> Result<Reading, Reason> {
    match raw.first() {
        Some(b'-' | b'0'..=b'9') => number(raw).map(Reading::Number).ok_or(Reason::Malformed),
        Some(b't') => Ok(Reading::Exact(1.0)),
        Some(b'f') => Ok(Reading::Exact(0.0)),
        Some(b'n') => Ok(Reading::Nothing),
        Some(b'N' | b'I') => Ok(Reading::Exact(f64::NAN)),
        Some(b'"') => label(point, &string(raw).ok_or(Reason::Malformed)?),
        Some(b'{' | b'[') => Err(Reason::WrongType),
        _ => Err(Reason::Malformed),
    }
}

/// Meaning of a payload that is no object: a number as Rust and most of the world write it, `true`, `false`,
/// a label with or without quotes.
pub(super) fn text(point: &Point, raw: &[u8]) -> Result<Reading, Reason> {
    if let Some(number) = number(raw) {
        return Ok(Reading::Number(number));
    }
    if raw.first() == Some(&b'"') {
        return label(point, &string(raw).ok_or(Reason::Malformed)?);
    }
    let word = std::str::from_utf8(raw).map_err(|_| Reason::Malformed)?;
    match word {
        "null" => Ok(Reading::Nothing),
        _ => label(point, word).map_err(|_| match point.labels.is_empty() {
            true => Reason::Malformed,
            false => Reason::UnknownLabel,
        }),
    }
}

/// Quality of a payload, from its member or by what the route says of payloads without one. What cannot be read is
/// refused: nobody knows what the source meant, and a value that is quietly called bad hides a mistake in the site.
pub(super) fn quality(envelope: &Envelope, raw: Option<Token<'_>>) -> Result<Quality, Reason> {
    let read = match raw {
        None | Some(b"null") => return Ok(envelope.quality_absent),
        Some(raw) if raw.first() == Some(&b'"') => string(raw).and_then(|word| worded(&word)),
        Some(raw) => number(raw).and_then(|code| coded(envelope.quality_code, code)),
    };
    read.ok_or(Reason::UnknownQuality)
}

/// Text of a JSON string token.
pub(super) fn string(raw: Token<'_>) -> Option<Cow<'_, str>> {
    if raw.contains(&b'\\') {
        return serde_json::from_slice::<String>(raw).ok().map(Cow::Owned);
    }
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if inner.iter().any(|byte| *byte == b'"' || *byte < 0x20) {
        return None;
    }
    std::str::from_utf8(inner).ok().map(Cow::Borrowed)
}

/// A number, correctly rounded.
pub(super) fn number(raw: &[u8]) -> Option<f64> {
    short_number(raw).or_else(|| std::str::from_utf8(raw).ok()?.parse().ok())
}

/// Decimal numbers of at most 15 digits: both the digits and the power of ten are exact in a double, so one
/// division rounds correctly (Clinger 1990). `None` for everything else, also for what is no number.
fn short_number(raw: &[u8]) -> Option<f64> {
    let (negative, digits) = match raw {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let (mut mantissa, mut scale, mut after_point) = (0_u64, 0_usize, false);
    for (place, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                scale += usize::from(after_point);
            }
            b'.' if !after_point && place > 0 && place + 1 < digits.len() => after_point = true,
            _ => return None,
        }
    }
    if mantissa >= 1 << 53 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "below 2^53, so exact")]
    let value = mantissa as f64 / POWERS_OF_TEN.get(scale)?;
    Some(if negative { -value } else { value })
}

const POWERS_OF_TEN: [f64; 17] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16];

pub(crate) fn label(point: &Point, word: &str) -> Result<Reading, Reason> {
    if let Some((_, value)) = point.labels.iter().find(|(label, _)| label == word) {
        return Ok(Reading::Exact(*value));
    }
    match word {
        "true" => Ok(Reading::Exact(1.0)),
        "false" => Ok(Reading::Exact(0.0)),
        "NaN" | "Infinity" | "-Infinity" => Ok(Reading::Exact(f64::NAN)),
        _ if point.labels.is_empty() => Err(Reason::WrongType),
        _ => Err(Reason::UnknownLabel),
    }
}

/// The words of this host's own API are read too. Stale and missing are said of a point, not of a sample: of one they
/// mean that its value is of no use.
fn worded(word: &str) -> Option<Quality> {
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    match word {
        _ if is("good") => Some(Quality::Good),
        _ if is("uncertain") => Some(Quality::Uncertain),
        _ if is("bad") || is("stale") || is("missing") => Some(Quality::Bad),
        _ => None,
    }
}

fn coded(code: QualityCode, number: f64) -> Option<Quality> {
    if !(0.0..=f64::from(u32::MAX)).contains(&number) || number.fract() != 0.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range, as checked"
    )]
    let number = number as u32;
    match code {
        QualityCode::Geminus => match number {
            0 => Some(Quality::Good),
            1 => Some(Quality::Uncertain),
            2..=4 => Some(Quality::Bad),
            _ => None,
        },
        QualityCode::OpcDa => match number {
            192..=255 => Some(Quality::Good),
            64..=127 => Some(Quality::Uncertain),
            0..=63 => Some(Quality::Bad),
            _ => None,
        },
        // The fourth severity is reserved, and to be taken for bad (OPC UA part 4, 7.39).
        QualityCode::OpcUa => match number >> 30 {
            0 => Some(Quality::Good),
            1 => Some(Quality::Uncertain),
            _ => Some(Quality::Bad),
        },
    }
}
