//! A reading of the host as a value of OPC UA: number, quality and source time, each to the last bit. Pure.

use geminus_core::{Quality, Timestamp};
use opcua::types::{DataValue, StatusCode, TimestampsToReturn, Variant};

use crate::time;

/// What a variable says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Content {
    /// A number of a point; what is not finite is none.
    Number(f64),
    /// An index of health, as it stands since the source time; `None` while nobody knows.
    Index(Option<f64>),
    /// A word, as it stands since the source time.
    Word(&'static str),
}

/// How a variable stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What it says.
    pub content: Content,
    /// How far to trust it.
    pub quality: Quality,
    /// Source time.
    pub time: Timestamp,
}

impl Reading {
    /// Whether nothing is different. A point that says the same at a later time has said it again; what stands since a time
    /// has not changed.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let content = match (self.content, other.content) {
            (Content::Number(own), Content::Number(new)) => {
                own.to_bits() == new.to_bits() && self.time == other.time
            }
            (own, new) => own == new,
        };
        content && self.quality == other.quality
    }

    /// The value, `None` where there is none, and its status: a number that is none is bad at best.
    pub(crate) fn value(&self) -> (Option<Variant>, StatusCode) {
        let number = match self.content {
            Content::Number(number) => number,
            Content::Index(index) => index.unwrap_or(f64::NAN),
            Content::Word(word) => return (Some(Variant::from(word)), status(self.quality)),
        };
        match self.quality {
            quality if number.is_finite() => (Some(Variant::Double(number)), status(quality)),
            // There is no last usable value either.
            Quality::Missing => (None, status(Quality::Missing)),
            _ => (None, status(Quality::Bad)),
        }
    }
}

/// The status code of a quality, from which `quality` makes the same again where OPC UA has a word for it. What is stale is
/// the last usable value of a source that has fallen silent.
pub(crate) fn status(quality: Quality) -> StatusCode {
    match quality {
        Quality::Good => StatusCode::Good,
        Quality::Uncertain => StatusCode::Uncertain,
        Quality::Bad => StatusCode::Bad,
        Quality::Stale => StatusCode::UncertainLastUsableValue,
        Quality::Missing => StatusCode::BadWaitingForInitialData,
    }
}

/// As a client reads it at `now`; without a reading, the server still waits for one.
pub(crate) fn data_value(reading: Option<&Reading>, now: Timestamp) -> DataValue {
    let server = (Some(time::date_time(now)), Some(time::picoseconds(now)));
    let Some(reading) = reading else {
        return DataValue {
            status: Some(status(Quality::Missing)),
            server_timestamp: server.0,
            server_picoseconds: server.1,
            ..DataValue::default()
        };
    };
    let (value, status) = reading.value();
    DataValue {
        value,
        status: Some(status),
        source_timestamp: Some(time::date_time(reading.time)),
        source_picoseconds: Some(time::picoseconds(reading.time)),
        server_timestamp: server.0,
        server_picoseconds: server.1,
    }
}

/// Leaves only the times that a client has asked for.
pub(crate) fn with_times(mut value: DataValue, wanted: TimestampsToReturn) -> DataValue {
    let (source, server) = match wanted {
        TimestampsToReturn::Both => (true, true),
        TimestampsToReturn::Source => (true, false),
        TimestampsToReturn::Server => (false, true),
        TimestampsToReturn::Neither | TimestampsToReturn::Invalid => (false, false),
    };
    if !source {
        (value.source_timestamp, value.source_picoseconds) = (None, None);
    }
    if !server {
        (value.server_timestamp, value.server_picoseconds) = (None, None);
    }
    value
}

#[cfg(test)]
mod tests {
    use crate::quality;

    use super::*;

    #[test]
    fn a_quality_comes_back_as_it_was_and_what_has_no_word_is_no_better() {
        for own in [Quality::Good, Quality::Uncertain, Quality::Bad] {
            assert_eq!(quality(status(own).bits()), own);
        }
        assert_eq!(status(Quality::Stale).bits(), 0x4090_0000);
        assert_eq!(quality(status(Quality::Stale).bits()), Quality::Uncertain);
        assert_eq!(quality(status(Quality::Missing).bits()), Quality::Bad);
    }

    #[test]
    fn numbers_and_times_are_the_same_to_the_last_bit() {
        let now = Timestamp(1_767_225_601_000_000_000);
        let at = Timestamp(1_767_225_600_123_456_789);
        for number in [0.1, -0.0, 5e-324, f64::MAX, 1.0 / 3.0] {
            let reading = Reading { content: Content::Number(number), quality: Quality::Uncertain, time: at };
            let value = data_value(Some(&reading), now);
            let Some(Variant::Double(read)) = value.value else { panic!("{value:?}") };
            assert_eq!(read.to_bits(), number.to_bits());
            assert_eq!(value.status, Some(StatusCode::Uncertain));
            assert_eq!(time::of(&value), Some(at), "to the nanosecond");
        }
    }

    #[test]
    fn what_is_no_number_is_no_value_and_never_good() {
        for (number, quality, expect) in [
            (f64::NAN, Quality::Good, StatusCode::Bad),
            (f64::INFINITY, Quality::Uncertain, StatusCode::Bad),
            (f64::NAN, Quality::Stale, StatusCode::Bad),
            (f64::NAN, Quality::Missing, StatusCode::BadWaitingForInitialData),
        ] {
            let reading = Reading { content: Content::Number(number), quality, time: Timestamp(1) };
            assert_eq!(reading.value(), (None, expect), "{number} {quality:?}");
        }
        let nothing = data_value(None, Timestamp(1));
        assert_eq!((nothing.value, nothing.status), (None, Some(StatusCode::BadWaitingForInitialData)));
    }

    #[test]
    fn only_the_times_that_were_asked_for_are_given() {
        let reading =
            Reading { content: Content::Word("ok"), quality: Quality::Good, time: Timestamp(1_000) };
        for (wanted, source, server) in [
            (TimestampsToReturn::Both, true, true),
            (TimestampsToReturn::Source, true, false),
            (TimestampsToReturn::Server, false, true),
            (TimestampsToReturn::Neither, false, false),
        ] {
            let value = with_times(data_value(Some(&reading), Timestamp(2_000)), wanted);
            assert_eq!(value.source_timestamp.is_some(), source, "{wanted:?}");
            assert_eq!(value.server_timestamp.is_some(), server, "{wanted:?}");
        }
    }
}
