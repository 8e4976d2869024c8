//! Decimation that keeps extremes: a range of time in equal parts, each summed up.

use geminus_core::{Quality, Sample, Timestamp};
use serde::Serialize;

/// One part of a range, with at least one sample. NaN values count as samples but not as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bucket {
    /// Where it begins, in nanoseconds since the epoch.
    pub start_ns: u64,
    /// Where it ends; this time is not in it.
    pub end_ns: u64,
    /// Samples in it.
    pub count: u64,
    /// Samples whose value is a number.
    pub numbers: u64,
    /// Least number; NaN when there is none.
    pub min: f64,
    /// When the least number was first.
    pub min_ns: u64,
    /// Greatest number; NaN when there is none.
    pub max: f64,
    /// When the greatest number was first.
    pub max_ns: u64,
    /// Value of the first sample, perhaps NaN.
    pub first: f64,
    /// When the first sample was.
    pub first_ns: u64,
    /// Value of the last sample, perhaps NaN.
    pub last: f64,
    /// When the last sample was.
    pub last_ns: u64,
    /// Mean of the numbers; NaN when there is none.
    pub mean: f64,
    /// Worst quality of its samples.
    pub quality: Quality,
}

/// Sums up samples that come in order of time.
#[derive(Debug)]
pub(crate) struct Buckets {
    from: u64,
    span: u128,
    count: u128,
    done: Vec<Bucket>,
    open: Option<(u128, Bucket, Sum)>,
}

impl Buckets {
    pub(crate) fn new(from: Timestamp, to: Timestamp, count: usize) -> Self {
        let span = u128::from(to.0.saturating_sub(from.0)).max(1);
        Self { from: from.0, span, count: count as u128, done: Vec::new(), open: None }
    }

    pub(crate) fn add(&mut self, sample: &Sample) {
        if self.count == 0 {
            return;
        }
        let at = u128::from(sample.time.0.saturating_sub(self.from)) * self.count / self.span;
        match &mut self.open {
            Some((open, bucket, sum)) if *open == at => extend(bucket, sum, sample),
            _ => {
                self.close();
                let (start_ns, end_ns) = (self.edge(at), self.edge(at + 1));
                let mut bucket = begin(start_ns, end_ns, sample);
                let mut sum = Sum::default();
                extend(&mut bucket, &mut sum, sample);
                self.open = Some((at, bucket, sum));
            }
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Bucket> {
        self.close();
        self.done
    }

    fn close(&mut self) {
        if let Some((_, mut bucket, sum)) = self.open.take() {
            bucket.mean = sum.total() / bucket.numbers as f64;
            self.done.push(bucket);
        }
    }

    /// The first time that falls into part `at`.
    fn edge(&self, at: u128) -> u64 {
        let nanos = u128::from(self.from) + (at * self.span).div_ceil(self.count);
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

fn begin(start_ns: u64, end_ns: u64, sample: &Sample) -> Bucket {
    Bucket {
        start_ns,
        end_ns,
        count: 0,
        numbers: 0,
        min: f64::NAN,
        min_ns: sample.time.0,
        max: f64::NAN,
        max_ns: sample.time.0,
        first: sample.value,
        first_ns: sample.time.0,
        last: sample.value,
        last_ns: sample.time.0,
        mean: f64::NAN,
        quality: sample.quality,
    }
}

fn extend(bucket: &mut Bucket, sum: &mut Sum, sample: &Sample) {
    let (value, nanos) = (sample.value, sample.time.0);
    bucket.count += 1;
    (bucket.last, bucket.last_ns) = (value, nanos);
    bucket.quality = bucket.quality.worse(sample.quality);
    if value.is_nan() {
        return;
    }
    if bucket.numbers == 0 || value < bucket.min {
        (bucket.min, bucket.min_ns) = (value, nanos);
    }
    if bucket.numbers == 0 || value > bucket.max {
        (bucket.max, bucket.max_ns) = (value, nanos);
    }
    bucket.numbers += 1;
    sum.add(value);
}

/// Neumaier's compensated sum, so that long ranges keep their mean to the last digits.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let next = self.sum + value;
        self.lost += match self.sum.abs() >= value.abs() {
            true => (self.sum - next) + value,
            false => (value - next) + self.sum,
        };
        self.sum = next;
    }

    fn total(self) -> f64 {
        match self.lost.is_finite() {
            true => self.sum + self.lost,
            false => self.sum,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::SeriesId;

    fn sample(nanos: u64, value: f64, quality: Quality) -> Sample {
        let time = Timestamp(nanos);
        Sample { series: SeriesId(1), quality, value, time, received: time }
    }

    #[test]
    fn parts_keep_extremes_first_last_mean_and_the_worst_quality() {
        let mut buckets = Buckets::new(Timestamp(0), Timestamp(100), 4);
        let samples = [
            sample(0, 1.0, Quality::Good),
            sample(10, 5.0, Quality::Uncertain),
            sample(24, -2.0, Quality::Good),
            sample(75, f64::NAN, Quality::Bad),
        ];
        samples.iter().for_each(|sample| buckets.add(sample));
        let parts = buckets.finish();
        assert_eq!(parts.len(), 2, "empty parts are left out");
        let part = parts[0];
        assert_eq!((part.start_ns, part.end_ns, part.count, part.numbers), (0, 25, 3, 3));
        assert_eq!((part.min, part.min_ns, part.max, part.max_ns), (-2.0, 24, 5.0, 10));
        assert_eq!((part.first, part.first_ns, part.last, part.last_ns), (1.0, 0, -2.0, 24));
        assert!((part.mean - 4.0 / 3.0).abs() < 1e-15);
        assert_eq!(part.quality, Quality::Uncertain);
        let bad = parts[1];
        assert_eq!((bad.start_ns, bad.count, bad.numbers, bad.quality), (75, 1, 0, Quality::Bad));
        assert!(bad.min.is_nan() && bad.max.is_nan() && bad.mean.is_nan());
    }

    #[test]
    fn every_sample_falls_between_the_edges_of_its_part() {
        for (from, to, count) in [(0u64, 7u64, 3usize), (5, 1000, 7), (0, u64::MAX, 1_000_000), (9, 10, 5)] {
            let mut buckets = Buckets::new(Timestamp(from), Timestamp(to), count);
            let times = [from, from + (to - from) / 3, from + (to - from) / 2, to - 1];
            times.iter().for_each(|nanos| buckets.add(&sample(*nanos, 1.0, Quality::Good)));
            for part in buckets.finish() {
                assert!(part.start_ns <= part.first_ns && part.last_ns < part.end_ns, "{part:?}");
            }
        }
    }

    #[test]
    fn the_mean_does_not_lose_small_numbers_beside_large_ones() {
        let mut sum = Sum::default();
        [1e16, 1.0, 1.0, -1e16].iter().for_each(|value| sum.add(*value));
        assert!((sum.total() - 2.0).abs() < 1e-12);
        sum.add(f64::INFINITY);
        assert!(sum.total().is_infinite());
    }
}
