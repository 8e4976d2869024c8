//! Flat JSON objects of ASCII without escapes, read in one pass without allocating.
//!
//! `None` means "not of that shape", never "wrong": the general path then decides. Besides JSON it takes the
//! bare words `NaN`, `Infinity` and `-Infinity`, which Python's `json` writes by default.

use super::{Members, Token};
use crate::route::{Envelope, Field};

/// The members of a value payload.
pub(super) fn members<'a>(payload: &'a [u8], envelope: &Envelope, value: &str) -> Option<Members<'a>> {
    let mut found = Members::default();
    walk(payload, |key, _, token| match key {
        _ if key == value.as_bytes() => found.value = Some(token),
        _ if key == envelope.time.as_bytes() => found.time = Some(token),
        _ if key == envelope.quality.as_bytes() => found.quality = Some(token),
        _ => {}
    })?;
    Some(found)
}

/// The members of an object payload; `spans` gets the place of each field's token.
pub(super) fn fields<'a>(
    payload: &'a [u8],
    envelope: &Envelope,
    fields: &[Field],
    spans: &mut Vec<(u32, u32)>,
) -> Option<Members<'a>> {
    spans.clear();
    spans.resize(fields.len(), (0, 0));
    let (mut found, mut next) = (Members::default(), 0);
    walk(payload, |key, start, token| {
        // Sources write their members in the same order every time, mostly in ours.
        let is_next = fields.get(next).is_some_and(|field| field.name.as_bytes() == key);
        let place = match is_next {
            true => Some(next),
            false => fields.iter().position(|field| field.name.as_bytes() == key),
        };
        match place {
            Some(place) => {
                next = place + 1;
                if let Some(span) = spans.get_mut(place) {
                    *span = span_of(start, token.len());
                }
            }
            None if key == envelope.time.as_bytes() => found.time = Some(token),
            None if key == envelope.quality.as_bytes() => found.quality = Some(token),
            None => {}
        }
    })?;
    Some(found)
}

/// Payloads are bounded far below 4 GiB; one beyond would read as absent.
pub(super) fn span_of(start: usize, length: usize) -> (u32, u32) {
    match (u32::try_from(start), u32::try_from(length)) {
        (Ok(start), Ok(length)) => (start, length),
        _ => (0, 0),
    }
}

/// Calls `each` with key, start and bytes of every member of a flat object.
fn walk<'a>(payload: &'a [u8], mut each: impl FnMut(&'a [u8], usize, Token<'a>)) -> Option<()> {
    let mut at = space(payload, 1);
    if payload.first() != Some(&b'{') {
        return None;
    }
    if payload.get(at) == Some(&b'}') {
        return (at + 1 == payload.len()).then_some(());
    }
    loop {
        let key_end = string(payload, at)?;
        let key = payload.get(at + 1..key_end - 1)?;
        at = space(payload, key_end);
        if payload.get(at) != Some(&b':') {
            return None;
        }
        at = space(payload, at + 1);
        let end = scalar(payload, at)?;
        each(key, at, payload.get(at..end)?);
        at = space(payload, end);
        match payload.get(at)? {
            b',' => at = space(payload, at + 1),
            b'}' => return (at + 1 == payload.len()).then_some(()),
            _ => return None,
        }
    }
}

fn space(payload: &[u8], mut at: usize) -> usize {
    while matches!(payload.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// End of the plain ASCII string that starts at `at`.
fn string(payload: &[u8], at: usize) -> Option<usize> {
    if payload.get(at) != Some(&b'"') {
        return None;
    }
    let mut end = at + 1;
    loop {
        match payload.get(end)? {
            b'"' => return Some(end + 1),
            b'\\' | ..0x20 | 0x80.. => return None,
            _ => end += 1,
        }
    }
}

/// End of the scalar that starts at `at`.
fn scalar(payload: &[u8], at: usize) -> Option<usize> {
    let rest = payload.get(at..)?;
    match rest.first()? {
        b'"' => string(payload, at),
        b'-' if rest.starts_with(b"-Infinity") => Some(at + 9),
        b'-' | b'0'..=b'9' => number(rest).map(|length| at + length),
        b't' if rest.starts_with(b"true") => Some(at + 4),
        b'f' if rest.starts_with(b"false") => Some(at + 5),
        b'n' if rest.starts_with(b"null") => Some(at + 4),
        b'N' if rest.starts_with(b"NaN") => Some(at + 3),
        b'I' if rest.starts_with(b"Infinity") => Some(at + 8),
        _ => None,
    }
}

/// Length of the JSON number (RFC 8259 §6) that `rest` starts with.
fn number(rest: &[u8]) -> Option<usize> {
    let start = usize::from(rest.first() == Some(&b'-'));
    let whole = digits(rest, start);
    let leading_zero = rest.get(start) == Some(&b'0') && whole > start + 1;
    if whole == start || leading_zero {
        return None;
    }
    let mut end = whole;
    if rest.get(end) == Some(&b'.') {
        let fraction = digits(rest, end + 1);
        if fraction == end + 1 {
            return None;
        }
        end = fraction;
    }
    if matches!(rest.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(rest, end + 1 + sign);
        if exponent == end + 1 + sign {
            return None;
        }
        end = exponent;
    }
    Some(end)
}

fn digits(rest: &[u8], mut at: usize) -> usize {
    while matches!(rest.get(at), Some(b'0'..=b'9')) {
        at += 1;
    }
    at
}
