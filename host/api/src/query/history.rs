//! Which stretch of the past of which points, and how finely.

use std::time::Duration;

use geminus_core::Timestamp;

use super::Params;
use crate::error::Failure;

/// Most points in one request.
pub const POINTS_MAX: usize = 64;
/// Most buckets (and undecimated samples) of one series in an answer.
pub const BUCKETS_MAX: u32 = 10_000;
/// Buckets when the request does not say.
pub const BUCKETS_DEFAULT: u32 = 1_000;
/// Stretch when the request does not say.
pub const STRETCH_DEFAULT: Duration = Duration::from_secs(3_600);

/// A question about the past. `from < to` wherever both are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Id of the twin.
    pub twin: String,
    /// Full names of points; empty means all of the twin.
    pub points: Vec<String>,
    /// First instant, inclusive; `None`: one hour before `to`.
    pub from: Option<Timestamp>,
    /// End, exclusive; `None`: just after the newest sample of the requested points.
    pub to: Option<Timestamp>,
    /// 1 … 10,000. A series with more samples than this in the range is decimated to as many buckets.
    pub buckets: u32,
}

impl HistoryQuery {
    pub(crate) const PARAMETERS: [&str; 4] = ["points", "from", "to", "buckets"];

    pub(crate) fn read(twin: String, query: Option<&str>) -> Result<Self, Failure> {
        let params = Params::read(query, &Self::PARAMETERS)?;
        let points = params.list("points", POINTS_MAX)?;
        let from = params.text("from").map(|text| time("from", text)).transpose()?;
        let to = params.text("to").map(|text| time("to", text)).transpose()?;
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(Failure::bad_query("from must be earlier than to"));
        }
        let buckets = params.number("buckets", 1..=BUCKETS_MAX, BUCKETS_DEFAULT)?;
        Ok(Self { twin, points, from, to, buckets })
    }

    /// The range [from, to) that is meant when the newest sample of the requested points is of `newest`
    /// (`None`: there is none). An empty range when `from` lies after the newest sample.
    #[must_use]
    pub fn range(&self, newest: Option<Timestamp>) -> (Timestamp, Timestamp) {
        let after_newest = newest.unwrap_or_default().plus(Duration::from_nanos(1));
        let to = self.to.unwrap_or(after_newest.max(self.from.unwrap_or_default()));
        (self.from.unwrap_or_else(|| to.minus(STRETCH_DEFAULT)), to)
    }
}

/// RFC 3339 with an offset, or whole milliseconds since the epoch.
pub(super) fn time(name: &str, text: &str) -> Result<Timestamp, Failure> {
    if let Ok(millis) = text.parse::<u64>() {
        return Ok(Timestamp::from_millis(millis));
    }
    let parsed =
        text.parse::<jiff::Timestamp>().ok().and_then(|time| u64::try_from(time.as_nanosecond()).ok());
    parsed.map(Timestamp).ok_or_else(|| {
        Failure::bad_query(format!(
            "{name} must be a time such as 2026-03-01T12:00:00Z (a + in an offset is written %2B), or \
             milliseconds since 1970, not {text:?}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: u64 = 1_772_366_400_000;

    fn read(query: &str) -> Result<HistoryQuery, String> {
        HistoryQuery::read("pump-1".to_owned(), Some(query)).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn times_are_read_in_both_spellings() {
        let check = |text: &str, millis: u64| {
            let query = read(&format!("from={text}")).expect(text);
            assert_eq!(query.from, Some(Timestamp::from_millis(millis)), "{text}");
        };
        check("1772366400000", NOON_MS);
        check("2026-03-01T12:00:00Z", NOON_MS);
        check("2026-03-01T13:00:00%2B01:00", NOON_MS);
        check("2026-03-01T12:00:00.250Z", NOON_MS + 250);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |query: &str, expect: &str| {
            let refusal = read(query).expect_err(query);
            assert!(refusal.contains(expect), "{refusal}");
        };
        check("from=yesterday", "from must be a time such as");
        check("to=2026-03-01", "to must be a time such as");
        check("from=1960-01-01T00:00:00Z", "from must be a time such as");
        check("from=-5", "from must be a time such as");
        check("from=20&to=10", "from must be earlier than to");
        check("from=20&to=20", "from must be earlier than to");
        check("buckets=0", "buckets must be a whole number from 1 to 10000");
        check("buckets=10001", "buckets must be a whole number from 1 to 10000");
        check("bucket=5", "unknown query parameter");
    }

    #[test]
    fn the_range_ends_after_the_newest_sample_and_is_an_hour_long() {
        let newest = Some(Timestamp::from_millis(NOON_MS));
        let end = Timestamp(NOON_MS * 1_000_000 + 1);
        let check = |query: &str, expect: (Timestamp, Timestamp)| {
            assert_eq!(read(query).expect(query).range(newest), expect, "{query}");
        };
        check("", (end.minus(STRETCH_DEFAULT), end));
        check("from=5", (Timestamp::from_millis(5), end));
        check("to=7200000", (Timestamp::from_millis(3_600_000), Timestamp::from_millis(7_200_000)));
        check("from=5&to=9", (Timestamp::from_millis(5), Timestamp::from_millis(9)));
        let late = Timestamp::from_millis(NOON_MS + 1);
        check(&format!("from={}", NOON_MS + 1), (late, late));
    }
}
