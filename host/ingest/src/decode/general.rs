//! Every other JSON object, through `serde_json`: nesting, escapes, any script, any size that is accepted.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Members, fast};
use crate::refusal::Reason;
use crate::route::{Envelope, Field};

/// The members of a value payload; of a member that comes twice the last counts.
pub(super) fn members<'a>(
    payload: &'a [u8],
    envelope: &Envelope,
    value: &str,
) -> Result<Members<'a>, Reason> {
    let mut found = Members::default();
    for (key, raw) in object(payload)? {
        match key.as_ref() {
            key if key == value => found.value = Some(raw),
            key if key == envelope.time => found.time = Some(raw),
            key if key == envelope.quality => found.quality = Some(raw),
            _ => {}
        }
    }
    Ok(found)
}

/// The members of an object payload; `spans` gets the place of each field's token.
pub(super) fn fields<'a>(
    payload: &'a [u8],
    envelope: &Envelope,
    fields: &[Field],
    spans: &mut Vec<(u32, u32)>,
) -> Result<Members<'a>, Reason> {
    spans.clear();
    spans.resize(fields.len(), (0, 0));
    let mut found = Members::default();
    for (key, raw) in object(payload)? {
        let place = fields.iter().position(|field| field.name == key);
        match (place.and_then(|place| spans.get_mut(place)), key.as_ref()) {
            (Some(span), _) => {
                // The raw text is a part of the payload, so the distance of the two is its place.
                let start = raw.as_ptr().addr().wrapping_sub(payload.as_ptr().addr());
                *span = fast::span_of(start, raw.len());
            }
            (None, key) if key == envelope.time => found.time = Some(raw),
            (None, key) if key == envelope.quality => found.quality = Some(raw),
            (None, _) => {}
        }
    }
    Ok(found)
}

/// Whether it is JSON at all.
pub(super) fn check(payload: &[u8]) -> Result<(), Reason> {
    serde_json::from_slice::<IgnoredAny>(payload).map(|_| ()).map_err(|_| Reason::Malformed)
}

type RawMembers<'a> = Vec<(Cow<'a, str>, &'a [u8])>;

fn object(payload: &[u8]) -> Result<RawMembers<'_>, Reason> {
    match serde_json::from_slice::<RawObject<'_>>(payload) {
        Ok(object) => Ok(object.0),
        Err(error) if error.is_data() => Err(Reason::WrongType),
        Err(_) => Err(Reason::Malformed),
    }
}

struct RawObject<'a>(RawMembers<'a>);

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for RawObject<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = RawObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Key(key), raw)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    members.push((key, raw.get().as_bytes()));
                }
                Ok(RawObject(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
