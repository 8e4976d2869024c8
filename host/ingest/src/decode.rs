//! From the bytes of a payload to samples.
//!
//! Flat JSON objects and plain numbers, which is what machines send, are read by [`fast`] without allocating;
//! everything else goes through `serde_json` in [`general`]. Both give raw tokens, and [`token`] alone decides
//! what a token means, so the two paths cannot disagree about values. Nothing here panics on any input.

use std::time::Duration;

use geminus_core::{Quality, Sample, Timestamp};

use crate::refusal::Reason;
use crate::route::{Envelope, Field, Payload, Point, Route};

mod fast;
mod general;
mod time;
mod token;

pub(crate) use token::{Reading, label};

/// What a decoder accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// A source time further ahead of the time of receipt is refused.
    pub accept_future: Duration,
    /// A larger payload is refused unread.
    pub payload_bytes_max: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { accept_future: Duration::from_mins(10), payload_bytes_max: 1 << 20 }
    }
}

/// Time of a text as other rooms' files write it: RFC 3339, or a number whose unit is told by its size.
///
/// # Errors
/// [`Reason::FutureTime`] of one that is later than there are times, [`Reason::BadTime`] of everything else.
pub(crate) fn timestamp_of_text(text: &str) -> Result<Timestamp, Reason> {
    time::of_text(text, crate::route::TimeUnit::Auto)
}

/// How a payload came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it was received.
    pub received: Timestamp,
    /// A broker had kept it, or may have: nobody knows for how long, and its source may be gone since.
    pub kept: bool,
}

impl From<Timestamp> for Arrival {
    fn from(received: Timestamp) -> Self {
        Self { received, kept: false }
    }
}

/// Raw JSON of one member.
pub(crate) type Token<'a> = &'a [u8];

/// The members of an object that a route asks for.
#[derive(Debug, Default)]
struct Members<'a> {
    time: Option<Token<'a>>,
    quality: Option<Token<'a>>,
    value: Option<Token<'a>>,
}

/// Turns payloads into samples; keeps its scratch memory between calls.
#[derive(Debug, Default)]
pub struct Decoder {
    limits: DecodeLimits,
    /// Start and length of each field's token in the payload at hand; length 0 is absent.
    spans: Vec<(u32, u32)>,
    /// Time of the last payload that had none.
    untimed: u64,
}

impl Decoder {
    /// With these limits.
    #[must_use]
    pub fn new(limits: DecodeLimits) -> Self {
        Self { limits, spans: Vec::new(), untimed: 0 }
    }

    /// The time that the last payload without one was given; 0 before the first.
    pub(crate) fn last_untimed(&self) -> u64 {
        self.untimed
    }

    /// Appends the samples of one payload. Those of one that a broker had kept and that has no time of its own are stale.
    ///
    /// # Errors
    /// Why it, or the first member of it, was refused. What other members gave stays in `samples`.
    pub fn decode(
        &mut self,
        route: &Route,
        payload: &[u8],
        arrival: impl Into<Arrival>,
        samples: &mut Vec<Sample>,
    ) -> Result<(), Reason> {
        if payload.len() > self.limits.payload_bytes_max {
            return Err(Reason::TooLarge);
        }
        let (payload, arrival) = (payload.trim_ascii(), arrival.into());
        match &route.payload {
            Payload::Value { point, member } => {
                samples.push(self.value(route, point, member, payload, arrival)?);
                Ok(())
            }
            Payload::Object { fields } => self.object(route, fields, payload, arrival, samples),
        }
    }

    fn value(
        &mut self,
        route: &Route,
        point: &Point,
        member: &str,
        payload: &[u8],
        arrival: Arrival,
    ) -> Result<Sample, Reason> {
        let envelope = &route.envelope;
        match payload.first() {
            None => Err(Reason::NoValue),
            Some(b'{') => {
                let members = fast::members(payload, envelope, member)
                    .map_or_else(|| general::members(payload, envelope, member), Ok)?;
                let time = self.time(envelope, members.time, arrival)?;
                let quality = token::quality(envelope, members.quality)?;
                let reading = token::reading(point, members.value.ok_or(Reason::NoValue)?)?;
                let (quality, time) = self.dated(quality, time, arrival);
                Ok(sample(point, reading, quality, time, arrival.received))
            }
            Some(b'[') => Err(general::check(payload).map_or(Reason::Malformed, |()| Reason::WrongType)),
            Some(_) => {
                let reading = token::text(point, payload)?;
                let (quality, time) = self.dated(envelope.quality_absent, None, arrival);
                Ok(sample(point, reading, quality, time, arrival.received))
            }
        }
    }

    fn object(
        &mut self,
        route: &Route,
        fields: &[Field],
        payload: &[u8],
        arrival: Arrival,
        samples: &mut Vec<Sample>,
    ) -> Result<(), Reason> {
        if payload.is_empty() {
            return Err(Reason::NoValue);
        }
        let envelope = &route.envelope;
        let members = match fast::fields(payload, envelope, fields, &mut self.spans) {
            Some(members) => members,
            None => general::fields(payload, envelope, fields, &mut self.spans)?,
        };
        let time = self.time(envelope, members.time, arrival)?;
        let quality = token::quality(envelope, members.quality)?;
        let (quality, time) = self.dated(quality, time, arrival);
        let (mut found, mut refused) = (false, None);
        for (field, &(start, length)) in fields.iter().zip(&self.spans) {
            let (start, length) = (start as usize, length as usize);
            let Some(raw) = payload.get(start..start + length).filter(|raw| !raw.is_empty()) else {
                continue;
            };
            found = true;
            match token::reading(&field.point, raw) {
                Ok(reading) => samples.push(sample(&field.point, reading, quality, time, arrival.received)),
                Err(reason) => refused = refused.or(Some(reason)),
            }
        }
        match refused {
            Some(reason) => Err(reason),
            None if found => Ok(()),
            None => Err(Reason::NoValue),
        }
    }

    /// The time of a payload that has none: when it was received, and always later than the one before. Many are read
    /// in one burst, and two measurements of a point at one time would be taken for one that came twice.
    fn untimed(&mut self, received: Timestamp) -> Timestamp {
        self.untimed = received.0.max(self.untimed.saturating_add(1));
        Timestamp(self.untimed)
    }

    /// Quality and time of a payload whose own time may be missing. A value that a broker kept for so long that nobody knows
    /// since when must not pass for one that was measured now.
    fn dated(&mut self, quality: Quality, own: Option<Timestamp>, arrival: Arrival) -> (Quality, Timestamp) {
        match own {
            Some(time) => (quality, time),
            None if arrival.kept => (quality.worse(Quality::Stale), self.untimed(arrival.received)),
            None => (quality, self.untimed(arrival.received)),
        }
    }

    /// The time that the payload says; `None` if it says none.
    fn time(
        &self,
        envelope: &Envelope,
        raw: Option<Token<'_>>,
        arrival: Arrival,
    ) -> Result<Option<Timestamp>, Reason> {
        let Some(raw) = raw.filter(|raw| *raw != b"null") else { return Ok(None) };
        let time = time::timestamp(raw, envelope.time_unit)?;
        if time > arrival.received.plus(self.limits.accept_future) {
            return Err(Reason::FutureTime);
        }
        Ok(Some(time))
    }
}

/// A value that is no number keeps the quality that its source gave it, so that whoever takes the sample can tell a
/// source that says so from one that does not know it.
pub(crate) fn sample(
    point: &Point,
    reading: Reading,
    quality: Quality,
    time: Timestamp,
    received: Timestamp,
) -> Sample {
    let series = point.series;
    let value = match (reading, point.conversion) {
        (Reading::Number(number), Some(conversion)) => number * conversion.scale + conversion.offset,
        (Reading::Number(number) | Reading::Exact(number), _) => number,
        (Reading::Nothing, _) => {
            return Sample { series, quality: Quality::Bad, value: f64::NAN, time, received };
        }
    };
    let value = if value.is_finite() { value } else { f64::NAN };
    Sample { series, quality, value, time, received }
}

#[cfg(test)]
mod tests;
