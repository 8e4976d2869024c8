//! How an operator station fares: alarms told in ten minutes, floods, and the worst ten minutes of a day.
//!
//! ISA-18.2-2016, clause 16, and EEMUA 191: about one alarm in ten minutes can be handled, a flood is more than ten in
//! ten minutes and lasts until fewer than five come. One site is one operator station here. Counted since the host
//! started.

use std::collections::VecDeque;
use std::time::Duration;

use geminus_core::Timestamp;

use crate::{Now, nanos};

/// The window that the standards count in.
const WINDOW: Duration = Duration::from_secs(600);
/// Windows of a day.
const WINDOWS: usize = 144;
/// Times that are remembered: beyond them a flood is a flood all the same.
const TIMES_MAX: usize = 10_000;

/// Alarms told at one operator station.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    times: VecDeque<u64>,
    /// Told in each ten minutes of the last day, by number of the window.
    windows: VecDeque<(u64, u64)>,
    /// Told since the start.
    pub told: u64,
    /// Floods since the start.
    pub floods: u64,
    /// Since when there is one.
    pub flood_since: Option<Timestamp>,
}

impl Figures {
    /// An alarm was told.
    pub fn told(&mut self, now: Now) {
        self.told += 1;
        self.times.push_back(now.monotonic);
        if self.times.len() > TIMES_MAX {
            self.times.pop_front();
        }
        let window = now.monotonic / nanos(WINDOW);
        match self.windows.back_mut() {
            Some((last, count)) if *last == window => *count += 1,
            _ => self.windows.push_back((window, 1)),
        }
    }

    /// Lets go of what is too old; gives whether a flood began or ended.
    pub fn tick(&mut self, now: Now, (above, over_below): (u32, u32)) -> Option<bool> {
        let from = now.monotonic.saturating_sub(nanos(WINDOW));
        while self.times.front().is_some_and(|time| *time < from) {
            self.times.pop_front();
        }
        let oldest = (now.monotonic / nanos(WINDOW)).saturating_sub(WINDOWS as u64 - 1);
        while self.windows.front().is_some_and(|(window, _)| *window < oldest) {
            self.windows.pop_front();
        }
        match (self.flood_since, self.last_10_min()) {
            (None, told) if told > u64::from(above) => {
                self.flood_since = Some(now.wall);
                self.floods += 1;
                Some(true)
            }
            (Some(_), told) if told < u64::from(over_below) => {
                self.flood_since = None;
                Some(false)
            }
            _ => None,
        }
    }

    /// Told in the last ten minutes.
    #[must_use]
    pub fn last_10_min(&self) -> u64 {
        self.times.len() as u64
    }

    /// Told in the last day.
    #[must_use]
    pub fn last_day(&self) -> u64 {
        self.windows.iter().map(|(_, count)| count).sum()
    }

    /// Told in the worst ten minutes of the last day.
    #[must_use]
    pub fn peak_10_min(&self) -> u64 {
        self.windows.iter().map(|(_, count)| *count).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now { wall: Timestamp::from_millis(seconds * 1000), monotonic: seconds * 1_000_000_000 }
    }

    #[test]
    fn a_flood_begins_above_ten_and_is_over_below_five() {
        let mut figures = Figures::default();
        let limits = (10, 5);
        for second in 0..10 {
            figures.told(at(second));
            assert_eq!(figures.tick(at(second), limits), None);
        }
        figures.told(at(10));
        assert_eq!(figures.tick(at(10), limits), Some(true));
        assert_eq!(figures.flood_since, Some(at(10).wall));
        assert_eq!(figures.tick(at(606), limits), None, "five are left");
        assert_eq!(figures.tick(at(607), limits), Some(false));
        assert_eq!((figures.floods, figures.flood_since), (1, None));
        assert_eq!((figures.told, figures.last_day(), figures.peak_10_min()), (11, 11, 11));
        figures.tick(at(2 * 86_400), limits);
        assert_eq!((figures.told, figures.last_day(), figures.last_10_min()), (11, 0, 0));
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let mut figures = Figures::default();
        (0..TIMES_MAX + 10).for_each(|_| figures.told(at(1)));
        assert_eq!(figures.last_10_min(), TIMES_MAX as u64);
    }
}
