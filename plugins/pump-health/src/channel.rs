//! One input of the pump against its own healthy past: learns median and spread, then gives a smoothed deviation.
//!
//! ```text
//! z = clip((value − median) / spread − reference)      smoothed ← smoothed + a (z − smoothed)
//! ```
//!
//! `median` and `spread` (from the quartiles) are learnt once; `reference` follows slow change, but only while the
//! pump is healthy and only so far.

use geminus_models::quartiles::{MARKERS, Quartiles};
use geminus_sdk::Pack;

/// What is remembered of one input.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Channel {
    /// Samples learnt from.
    pub count: u32,
    /// Markers of the quartiles while learning, in the unit of the input.
    pub height: [f64; MARKERS],
    /// Their positions.
    pub position: [f64; MARKERS],
    /// Smoothed deviation from the baseline, in its standard deviations.
    pub smoothed: f64,
    /// How far the baseline has followed, in its standard deviations.
    pub reference: f64,
}

impl Default for Channel {
    fn default() -> Self {
        let Quartiles { count, height, position } = Quartiles::default();
        Self { count, height, position, smoothed: 0.0, reference: 0.0 }
    }
}

/// What an input is when the pump is healthy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Baseline {
    pub(crate) median: f64,
    /// Standard deviation, above 0.
    pub(crate) spread: f64,
}

impl Baseline {
    /// Deviation of a value, in standard deviations.
    pub(crate) fn deviation(&self, value: f64) -> f64 {
        (value - self.median) / self.spread
    }
}

impl Channel {
    /// Takes in one more healthy sample.
    pub(crate) fn learn(&mut self, value: f64) {
        let mut quartiles = self.quartiles();
        quartiles.push(value);
        (self.count, self.height, self.position) = (quartiles.count, quartiles.height, quartiles.position);
    }

    /// The learnt baseline, once `rows` samples were seen. A spread below `floor` or `relative_floor` of the median
    /// is raised to that.
    pub(crate) fn baseline(&self, rows: u32, floor: f64, relative_floor: f64) -> Option<Baseline> {
        let (median, spread) = self.quartiles().robust().filter(|_| self.count >= rows)?;
        Some(Baseline { median, spread: spread.max(floor).max(relative_floor * median.abs()) })
    }

    /// Moves the smoothed deviation by the part `a` of the way to `deviation`.
    pub(crate) fn smooth(&mut self, deviation: f64, a: f64, cap: f64) {
        let z = (deviation - self.reference).clamp(-cap, cap);
        self.smoothed += a * (z - self.smoothed);
    }

    /// Lets the baseline follow by the part `b` of the way, not beyond `limit`.
    pub(crate) fn follow(&mut self, deviation: f64, b: f64, limit: f64) {
        self.reference = (self.reference + b * (deviation - self.reference)).clamp(-limit, limit);
    }

    fn quartiles(&self) -> Quartiles {
        Quartiles { count: self.count, height: self.height, position: self.position }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(samples: u32) -> Channel {
        let mut channel = Channel::default();
        (0..samples).for_each(|k| channel.learn(100.0 + f64::from(k % 5)));
        channel
    }

    #[test]
    fn there_is_no_baseline_before_enough_was_learnt() {
        assert_eq!(learnt(99).baseline(100, 0.1, 0.0), None);
        let baseline = learnt(100).baseline(100, 0.1, 0.0).expect("learnt");
        assert!((baseline.median - 102.0).abs() < 0.3, "{baseline:?}");
        assert!((baseline.spread - 2.0 / 1.349).abs() < 0.4, "{baseline:?}");
    }

    #[test]
    fn a_spread_has_floors() {
        let spread = |floor, relative| learnt(100).baseline(100, floor, relative).expect("learnt").spread;
        assert_eq!(spread(7.0, 0.0), 7.0);
        assert!((spread(0.1, 0.5) - 51.0).abs() < 0.2);
    }

    #[test]
    fn one_spike_counts_for_the_cap_and_a_smoothing_only() {
        let mut channel = Channel::default();
        channel.smooth(1e9, 0.1, 8.0);
        assert!((channel.smoothed - 0.8).abs() < 1e-12);
    }

    #[test]
    fn the_baseline_follows_only_so_far() {
        let mut channel = Channel::default();
        (0..10_000).for_each(|_| channel.follow(100.0, 0.01, 6.0));
        assert_eq!(channel.reference, 6.0);
        channel.smooth(100.0, 1.0, 1000.0);
        assert_eq!(channel.smoothed, 94.0, "what is beyond remains a deviation");
    }
}
