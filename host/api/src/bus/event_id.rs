//! Names of events: which process, and which event of it.

use std::fmt;
use std::str::FromStr;

/// `<epoch>-<number>`: the epoch is the start of the process in nanoseconds, hexadecimal; the number grows by one
/// with each event, so gaps are what the reader did not ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventId {
    pub(crate) epoch: u64,
    pub(crate) number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch, self.number)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (epoch, number) = text.split_once('-').ok_or(())?;
        let epoch = u64::from_str_radix(epoch, 16).map_err(|_| ())?;
        Ok(Self { epoch, number: number.parse().map_err(|_| ())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_both_ways_and_nonsense_is_refused() {
        let id = EventId { epoch: 0xfeed, number: 42 };
        assert_eq!(id.to_string(), "feed-42");
        assert_eq!("feed-42".parse(), Ok(id));
        for nonsense in
            ["", "42", "-", "feed-", "-42", "feed-x", "xyz-1", "feed-1-2", "feed-99999999999999999999"]
        {
            assert_eq!(nonsense.parse::<EventId>(), Err(()), "{nonsense}");
        }
    }
}
