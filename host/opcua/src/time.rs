//! When a value was so: from the server's two clocks to ours. Pure.

use geminus_core::Timestamp;
use opcua::types::{DataValue, DateTime};

/// 100-nanosecond steps from 1601, where OPC UA starts to count, to 1970.
const TICKS_TO_1970: i64 = 116_444_736_000_000_000;
/// Nanoseconds of a step.
const TICK_NS: u64 = 100;

/// The time of the source, else that of the server. `None` when there is neither, which is so too for a time before 1970.
pub(crate) fn of(value: &DataValue) -> Option<Timestamp> {
    let source = value.source_timestamp.as_ref().and_then(|time| timestamp(time, value.source_picoseconds));
    let server =
        || value.server_timestamp.as_ref().and_then(|time| timestamp(time, value.server_picoseconds));
    source.or_else(server)
}

/// `picoseconds` come in tens of them; what is below a nanosecond is cut off, and more than a step is no fraction of it.
fn timestamp(time: &DateTime, picoseconds: Option<u16>) -> Option<Timestamp> {
    let since_1970 = time.ticks().checked_sub(TICKS_TO_1970)?;
    let ticks = u64::try_from(since_1970).ok().filter(|ticks| *ticks > 0)?;
    let fraction = picoseconds.map_or(0, |tens| (u64::from(tens) / 100).min(TICK_NS - 1));
    Some(Timestamp(ticks.checked_mul(TICK_NS)?.checked_add(fraction)?))
}

/// Ours as the library has it.
pub(crate) fn date_time(time: Timestamp) -> DateTime {
    let ticks = i64::try_from(time.0 / TICK_NS).unwrap_or(i64::MAX - TICKS_TO_1970);
    DateTime::from(TICKS_TO_1970.saturating_add(ticks))
}

/// What [`date_time`] leaves out of a time, in tens of picoseconds.
pub(crate) fn picoseconds(time: Timestamp) -> u16 {
    // Below 10,000: a step has a hundred nanoseconds, each of a hundred tens.
    u16::try_from(time.0 % TICK_NS * 100).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(source: Option<&str>, server: Option<&str>) -> DataValue {
        let read = |text: &str| DateTime::parse_from_rfc3339(text).expect("a time");
        DataValue {
            source_timestamp: source.map(read),
            server_timestamp: server.map(read),
            ..DataValue::null()
        }
    }

    #[test]
    fn the_source_counts_before_the_server_and_to_the_step() {
        let (early, late) = ("2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:01Z");
        let early_ns = Timestamp(1_767_225_600_123_456_700);
        let late_ns = Timestamp(1_767_225_601_000_000_000);
        assert_eq!(of(&value(Some(early), Some(late))), Some(early_ns));
        assert_eq!(of(&value(None, Some(late))), Some(late_ns));
        assert_eq!(of(&value(None, None)), None);
    }

    #[test]
    fn a_time_that_says_nothing_is_none_and_the_server_counts() {
        let late = "2026-01-01T00:00:01Z";
        for nothing in ["1601-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"] {
            let time = of(&value(Some(nothing), Some(late)));
            assert_eq!(time, Some(Timestamp(1_767_225_601_000_000_000)), "{nothing}");
            assert_eq!(of(&value(Some(nothing), None)), None, "{nothing}");
        }
    }

    #[test]
    fn a_time_of_ours_comes_back_as_it_was() {
        let time = Timestamp(1_767_225_600_123_456_700);
        let value = DataValue { source_timestamp: Some(date_time(time)), ..DataValue::null() };
        assert_eq!(of(&value), Some(time));
        let time = Timestamp(time.0 + 99);
        let value = DataValue {
            source_timestamp: Some(date_time(time)),
            source_picoseconds: Some(picoseconds(time)),
            ..DataValue::null()
        };
        assert_eq!(of(&value), Some(time));
    }

    #[test]
    fn picoseconds_add_whole_nanoseconds_below_a_step() {
        let at = |tens| {
            let mut value = value(Some("2026-01-01T00:00:00Z"), None);
            value.source_picoseconds = Some(tens);
            of(&value).map(|time| time.0 - 1_767_225_600_000_000_000)
        };
        assert_eq!(at(0), Some(0));
        assert_eq!(at(250), Some(2));
        assert_eq!(at(9_999), Some(99));
        assert_eq!(at(u16::MAX), Some(99));
    }
}
