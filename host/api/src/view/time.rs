//! A point in time as JSON shows it.

use geminus_core::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// RFC 3339 in UTC with as many fractional digits as it takes, for example `2026-03-01T12:00:00.25Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Time(pub Timestamp);

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0.0)) {
            Ok(time) => time.fmt(f),
            Err(_) => f.write_str("1970-01-01T00:00:00Z"),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        let nanos = u64::try_from(time.as_nanosecond()).map_err(serde::de::Error::custom)?;
        Ok(Self(Timestamp(nanos)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc_and_exact() {
        let check = |nanos: u64, expect: &str| {
            let time = Time(Timestamp(nanos));
            assert_eq!(time.to_string(), expect);
            let json = serde_json::to_string(&time).expect("JSON");
            assert_eq!(serde_json::from_str::<Time>(&json).expect("time"), time);
        };
        check(0, "1970-01-01T00:00:00Z");
        check(1_772_366_400_250_000_000, "2026-03-01T12:00:00.25Z");
        check(1_772_366_400_000_000_001, "2026-03-01T12:00:00.000000001Z");
        check(u64::MAX, "2554-07-21T23:34:33.709551615Z");
    }
}
