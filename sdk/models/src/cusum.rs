//! Cumulative sums: finds a small change that lasts, which no single value betrays.
//!
//! ```text
//! high ← max(0, high + z − slack)      low ← max(0, low − z − slack)      alarm when one exceeds the limit
//! ```
//!
//! `z` is a deviation in standard deviations. With `slack` 0.5 (half of the change that matters) and limit 5 it alarms
//! once in 465 rows by chance, and 10.4 rows after a change by one deviation (Page 1954; figures: Montgomery,
//! *Introduction to Statistical Quality Control*, §9.1). Sums stop at `ceiling`, so that what has passed is forgotten
//! in bounded time; Page's own has no ceiling.

/// Two sums. Fields are public so that a behavior can keep them in its state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cusum {
    /// Evidence of a change upwards, 0 … ceiling.
    pub high: f64,
    /// Evidence of a change downwards, 0 … ceiling.
    pub low: f64,
}

/// What a test is set to; all in standard deviations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Page {
    /// What each row forgives.
    pub slack: f64,
    /// Sum at which there is an alarm.
    pub limit: f64,
    /// Sums go no higher; infinity for the classic test.
    pub ceiling: f64,
}

impl Page {
    /// The classic test.
    #[must_use]
    pub const fn new(slack: f64, limit: f64) -> Self {
        Self { slack, limit, ceiling: f64::INFINITY }
    }
}

impl Cusum {
    /// Takes in a deviation that held for `weight` rows (1, or the time since the last in units of a row). What is not
    /// finite, and a weight that is not above 0, changes nothing.
    pub fn push(&mut self, z: f64, weight: f64, page: &Page) {
        if !(z.is_finite() && weight > 0.0 && weight.is_finite()) {
            return;
        }
        let sum = |before: f64, by: f64| (before + weight * (by - page.slack)).max(0.0).min(page.ceiling);
        self.high = sum(self.high, z);
        self.low = sum(self.low, -z);
    }

    /// The larger sum as a part of the limit: an alarm above 1.
    #[must_use]
    pub fn part(&self, page: &Page) -> f64 {
        self.high.max(self.low) / page.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_change_that_lasts_is_found_and_forgotten() {
        let page = Page { ceiling: 6.0, ..Page::new(0.5, 5.0) };
        let mut cusum = Cusum::default();
        let until = |cusum: &mut Cusum, z: f64, done: &dyn Fn(&Cusum) -> bool| {
            (1..1000).find(|_| {
                cusum.push(z, 1.0, &page);
                done(cusum)
            })
        };
        assert_eq!(until(&mut cusum, 0.4, &|c| c.part(&page) > 1.0), None, "less than the slack");
        assert_eq!(until(&mut cusum, 1.0, &|c| c.part(&page) > 1.0), Some(11));
        (0..1000).for_each(|_| cusum.push(1.0, 1.0, &page));
        assert_eq!(cusum.high, 6.0, "the ceiling");
        assert_eq!(until(&mut cusum, 0.0, &|c| c.part(&page) <= 1.0), Some(2));
        assert_eq!(until(&mut cusum, -1.0, &|c| c.low > page.limit), Some(11), "downwards too");
    }

    #[test]
    fn what_is_not_a_number_changes_nothing() {
        let page = Page::new(0.5, 5.0);
        let mut cusum = Cusum { high: 2.0, low: 0.0 };
        for (z, weight) in [(f64::NAN, 1.0), (f64::INFINITY, 1.0), (9.0, 0.0), (9.0, -1.0), (9.0, f64::NAN)] {
            cusum.push(z, weight, &page);
            assert_eq!(cusum, Cusum { high: 2.0, low: 0.0 }, "{z} {weight}");
        }
        cusum.push(1.0, 2.0, &page);
        assert_eq!(cusum.high, 3.0, "a weight of two is two rows");
    }
}
