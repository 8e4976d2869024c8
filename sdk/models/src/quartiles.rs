//! Median and spread of a stream without storing it: the P² algorithm.
//!
//! Nine markers stand at the minimum, the seven eighths and the maximum; each sample moves them by at most one
//! place, along a parabola through their neighbours. 152 bytes, whatever the number of samples. The median and
//! the distance of the quartiles do not mind a few wild values, unlike mean and standard deviation. Source: Jain
//! and Chlamtac, *The P² algorithm for dynamic calculation of quantiles and histograms without storing
//! observations*, CACM 28(10), 1985 (its histogram form, eight cells).
#![expect(clippy::indexing_slicing, reason = "all indices run over the nine markers")]

/// Markers.
pub const MARKERS: usize = 9;
/// Distance of the quartiles of a normal distribution in standard deviations.
const QUARTILE_DISTANCE_NORMAL: f64 = 1.348_979_500_392_163_5;

/// Running quartiles. Fields are public so that a behavior can keep them in its state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quartiles {
    /// Samples seen.
    pub count: u32,
    /// Marker heights, in the unit of the samples; sorted.
    pub height: [f64; MARKERS],
    /// Marker positions: how many samples are at or below a marker.
    pub position: [f64; MARKERS],
}

impl Default for Quartiles {
    fn default() -> Self {
        Self { count: 0, height: [0.0; MARKERS], position: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0] }
    }
}

impl Quartiles {
    /// Takes in a sample; what is not finite is passed over.
    pub fn push(&mut self, sample: f64) {
        if !sample.is_finite() {
            return;
        }
        let count = self.count as usize;
        self.count = self.count.saturating_add(1);
        if count < MARKERS {
            let place = self.height[..count].partition_point(|h| *h <= sample);
            self.height[place..=count].rotate_right(1);
            self.height[place] = sample;
            return;
        }
        self.height[0] = self.height[0].min(sample);
        self.height[MARKERS - 1] = self.height[MARKERS - 1].max(sample);
        let cell = self.height[1..MARKERS - 1].partition_point(|h| *h <= sample);
        for position in &mut self.position[cell + 1..] {
            *position += 1.0;
        }
        for i in 1..MARKERS - 1 {
            self.settle(i);
        }
    }

    /// Moves marker `i` by one place when it is a place or more from where it should be.
    #[expect(clippy::cast_precision_loss, reason = "marker numbers are below 9")]
    fn settle(&mut self, i: usize) {
        let last = f64::from(self.count) - 1.0;
        let wish = 1.0 + last * i as f64 / (MARKERS - 1) as f64;
        let (n, q) = (&self.position, &self.height);
        let away = wish - n[i];
        let up = away >= 1.0 && n[i + 1] - n[i] > 1.0;
        let down = away <= -1.0 && n[i - 1] - n[i] < -1.0;
        if !(up || down) {
            return;
        }
        let d = if up { 1.0 } else { -1.0 };
        let right = (n[i] - n[i - 1] + d) * (q[i + 1] - q[i]) / (n[i + 1] - n[i]);
        let left = (n[i + 1] - n[i] - d) * (q[i] - q[i - 1]) / (n[i] - n[i - 1]);
        let parabola = q[i] + d / (n[i + 1] - n[i - 1]) * (right + left);
        let moved = if q[i - 1] < parabola && parabola < q[i + 1] {
            parabola
        } else {
            let k = if up { i + 1 } else { i - 1 };
            q[i] + d * (q[k] - q[i]) / (n[k] - n[i])
        };
        self.height[i] = moved;
        self.position[i] += d;
    }

    /// Lower quartile, median, upper quartile; `None` before the ninth sample.
    #[must_use]
    pub fn quartiles(&self) -> Option<[f64; 3]> {
        (self.count as usize >= MARKERS).then(|| [self.height[2], self.height[4], self.height[6]])
    }

    /// Median, and the standard deviation that a normal distribution with the same quartiles has.
    #[must_use]
    pub fn robust(&self) -> Option<(f64, f64)> {
        self.quartiles().map(|[lower, median, upper]| (median, (upper - lower) / QUARTILE_DISTANCE_NORMAL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator (Knuth, MMIX constants): uniform in 0 … 1.
    fn uniform(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn of(samples: impl Iterator<Item = f64>) -> Quartiles {
        let mut quartiles = Quartiles::default();
        samples.for_each(|sample| quartiles.push(sample));
        quartiles
    }

    #[test]
    fn fewer_than_nine_samples_have_no_verdict() {
        assert_eq!(of((0..8).map(f64::from)).robust(), None);
        assert_eq!(of((0..9).rev().map(f64::from)).quartiles(), Some([2.0, 4.0, 6.0]));
    }

    #[test]
    fn agrees_with_exact_quartiles_and_shrugs_off_wild_values() {
        for wild in [0.0, 0.02] {
            let mut seed = 7;
            let samples: Vec<f64> = (0..2000)
                .map(|_| {
                    let bell: f64 = (0..12).map(|_| uniform(&mut seed)).sum::<f64>() - 6.0;
                    if uniform(&mut seed) < wild { 1e6 } else { 20.0 + 3.0 * bell }
                })
                .collect();
            let mut sorted = samples.clone();
            sorted.sort_by(f64::total_cmp);
            let [lower, median, upper] = of(samples.into_iter()).quartiles().expect("many samples");
            for (found, exact) in [(lower, sorted[500]), (median, sorted[1000]), (upper, sorted[1500])] {
                assert!((found - exact).abs() < 0.5, "wild {wild}: {found} instead of {exact}");
            }
        }
    }

    #[test]
    fn a_constant_stream_has_no_spread_and_what_is_not_finite_is_passed_over() {
        let stream = of((0..500).map(|k| if k % 7 == 0 { f64::NAN } else { 32.0 }));
        assert_eq!(stream.robust(), Some((32.0, 0.0)));
        assert_eq!(stream.count, 428);
    }
}
