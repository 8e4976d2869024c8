//! What is known of the process: a bounded window of batches, the hyperparameters learned from them, and the Gaussian
//! process that is made of both whenever it is needed.
//!
//! The window keeps few batches at each place and many places: of two that are alike the newer stays. So a furnace that has
//! found its settings does not forget what lies around them. All figures are in units of the process; the models' own are
//! parts of the spread of the window, which changes with every batch.

use geminus_models::domain::{Domain, Verdict};
use geminus_models::gaussian_process::{Fit, GaussianProcess, Hyperparameters, Prediction};
use geminus_sdk::{Pack, math};

use crate::FurnaceParameters;
use crate::settings::{Point, bounds};

/// Evaluations of the likelihood at each batch. Learning goes on from where the last batch left it.
const EVALUATIONS: usize = 2;
/// How far around its data a prediction is believed, as part of the range of a setting.
const MARGIN: f64 = 0.05;
/// Of squared deviations from what was predicted: 1 % of honest predictions are further off.
const GATE: f64 = 6.634_9;

/// A finished batch.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Batch {
    /// Settings: °C, decades of min, decades of K/s.
    pub at: [f64; 3],
    /// HRC
    pub hardness: f64,
    /// Which batch it was, from 0.
    pub number: u32,
}

/// Hyperparameters in units of the process.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Learned {
    /// Over which difference of each setting the hardness changes: K, decades, decades.
    pub lengths: [f64; 3],
    /// Prior deviation of the hardness, HRC.
    pub deviation: f64,
    /// Noise of one batch, HRC.
    pub noise: f64,
}

/// What is remembered of the process.
#[derive(Clone, Debug, Default, PartialEq, Pack)]
pub struct Knowledge {
    /// In the order in which they came.
    pub batches: Vec<Batch>,
    /// How many there ever were.
    pub taken: u32,
    /// None until there was enough to learn from.
    pub learned: Option<Learned>,
    /// Which of the last 16 predicted batches were further off than one of a hundred, newest in the lowest bit.
    pub surprises: u16,
}

/// What is expected of settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) prediction: Prediction,
    pub(crate) verdict: Verdict,
}

impl Learned {
    pub(crate) fn known_beforehand(p: &FurnaceParameters) -> Self {
        Self {
            lengths: [p.temperature_length, p.soak_length, p.quench_length],
            deviation: p.hardness_deviation,
            noise: p.hardness_noise,
        }
    }

    fn times(&self, factor: f64) -> Self {
        Self {
            lengths: self.lengths.map(|length| factor * length),
            deviation: factor * self.deviation,
            noise: factor * self.noise,
        }
    }

    fn relative(&self, spread: f64) -> Hyperparameters {
        let square = |value: f64| value * value;
        Hyperparameters {
            amplitude: square(self.deviation / spread),
            lengths: self.lengths.to_vec(),
            noise: square(self.noise / spread),
        }
    }

    fn from_relative(found: &Hyperparameters, spread: f64) -> Option<Self> {
        let lengths = found.lengths.as_slice().try_into().ok()?;
        let (deviation, noise) = (math::sqrt(found.amplitude), math::sqrt(found.noise));
        Some(Self { lengths, deviation: spread * deviation, noise: spread * noise })
    }
}

impl Knowledge {
    /// The surrogate of the window; none of fewer than two batches, or while all are equally hard.
    pub(crate) fn surrogate(&self, p: &FurnaceParameters) -> Option<GaussianProcess> {
        let (x, y) = self.columns();
        let start = self.learned.unwrap_or_else(|| Learned::known_beforehand(p));
        GaussianProcess::new(&x, &y, start.relative(spread(&y)?)).ok()
    }

    /// What is expected at a point.
    pub(crate) fn expected(
        &self,
        surrogate: &mut GaussianProcess,
        at: Point,
        p: &FurnaceParameters,
    ) -> Option<Expected> {
        let prediction = surrogate.predict(&at).ok()?;
        let verdict = self.domain(p)?.judge(&at, &prediction);
        Some(Expected { prediction, verdict })
    }

    /// Where predictions are believed: around the batches, and where they leave little doubt.
    pub(crate) fn domain(&self, p: &FurnaceParameters) -> Option<Domain> {
        let (floor, ceiling) = bounds(p);
        let (mut lower, mut upper) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for batch in &self.batches {
            for ((lower, upper), at) in lower.iter_mut().zip(&mut upper).zip(batch.at) {
                (*lower, *upper) = (lower.min(at), upper.max(at));
            }
        }
        for ((lower, upper), width) in
            lower.iter_mut().zip(&mut upper).zip(ceiling.iter().zip(floor).map(|(high, low)| high - low))
        {
            (*lower, *upper) = (*lower - MARGIN * width, *upper + MARGIN * width);
        }
        let prior = self.learned.unwrap_or_else(|| Learned::known_beforehand(p)).deviation;
        Domain::new(&lower, &upper, (p.uncertainty_max / prior).min(1.0)).ok()
    }

    /// Holds a batch against what was expected of it. Gives the squared deviation in units of the expected one.
    pub(crate) fn judge(&mut self, expected: &Expected, hardness: f64) -> f64 {
        let off = (hardness - expected.prediction.mean) / expected.prediction.deviation;
        if expected.verdict.is_inside() {
            self.surprises = self.surprises << 1 | u16::from(off * off > GATE);
        }
        off * off
    }

    /// Takes a batch in, forgets one where there are too many, and learns. Gives the surrogate of now.
    pub(crate) fn learn(
        &mut self,
        at: Point,
        hardness: f64,
        p: &FurnaceParameters,
    ) -> Option<GaussianProcess> {
        self.batches.push(Batch { at, hardness, number: self.taken });
        self.taken = self.taken.saturating_add(1);
        let oldest = self.taken.saturating_sub(u32::from(p.batch_age_max));
        self.batches.retain(|batch| batch.number >= oldest);
        while self.batches.len() > usize::from(p.batches_kept) {
            let place = self.superseded(p);
            self.batches.remove(place);
        }
        self.fitted(p).or_else(|| self.surrogate(p))
    }

    /// The batch that a newer one says most about.
    fn superseded(&self, p: &FurnaceParameters) -> usize {
        let lengths = self.learned.unwrap_or_else(|| Learned::known_beforehand(p)).lengths;
        let distance = |a: &Batch, b: &Batch| -> f64 {
            let steps = a.at.iter().zip(&b.at).zip(&lengths).map(|((a, b), length)| (a - b) / length);
            steps.map(|step| step * step).sum()
        };
        let mut least = (f64::INFINITY, 0);
        for (place, batch) in self.batches.iter().enumerate() {
            for newer in self.batches.iter().skip(place + 1) {
                let apart = distance(batch, newer);
                if apart < least.0 {
                    least = (apart, place);
                }
            }
        }
        least.1
    }

    /// Learns the hyperparameters a little further; none where there is too little to learn from, or nothing may be learned.
    fn fitted(&mut self, p: &FurnaceParameters) -> Option<GaussianProcess> {
        if self.batches.len() < usize::from(p.first_batches) || p.learning_factor <= 1.0 {
            return None;
        }
        let (x, y) = self.columns();
        let spread = spread(&y)?;
        let before = Learned::known_beforehand(p);
        let rules = Fit {
            restarts: 0,
            start: Some(self.learned.unwrap_or(before).relative(spread)),
            evaluations_max: EVALUATIONS,
            within: Some((
                before.times(1.0 / p.learning_factor).relative(spread),
                before.times(p.learning_factor).relative(spread),
            )),
        };
        // Without restarts nothing is drawn.
        let surrogate = GaussianProcess::fit(&x, &y, 3, &rules, &mut || 0.5).ok()?;
        self.learned = Learned::from_relative(surrogate.hyperparameters(), spread);
        Some(surrogate)
    }

    fn columns(&self) -> (Vec<f64>, Vec<f64>) {
        let x = self.batches.iter().flat_map(|batch| batch.at).collect();
        (x, self.batches.iter().map(|batch| batch.hardness).collect())
    }
}

/// Deviation of the hardnesses around their mean; none where there is none to speak of.
fn spread(y: &[f64]) -> Option<f64> {
    let count = f64::from(u16::try_from(y.len()).ok()?);
    let mean = y.iter().sum::<f64>() / count;
    let spread = math::sqrt(y.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / count);
    (spread > 1e-9).then_some(spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(json: &str) -> FurnaceParameters {
        geminus_sdk::parameter::from_json(json.as_bytes()).expect("parameters")
    }

    fn hardness(at: Point) -> f64 {
        45.0 - 0.05 * (at[0] - 500.0) + 4.0 * at[2]
    }

    #[test]
    fn of_two_batches_that_are_alike_the_newer_stays() {
        let p = parameters(r#"{"first_batches": 3, "batches_kept": 5}"#);
        let mut knowledge = Knowledge::default();
        let places = [400.0, 600.0, 500.0, 450.0, 550.0];
        for temperature in places.into_iter().chain([500.0; 40]) {
            let at = [temperature, 2.0, 1.0];
            knowledge.learn(at, hardness(at), &p);
        }
        let mut kept: Vec<(f64, u32)> = knowledge.batches.iter().map(|b| (b.at[0], b.number)).collect();
        kept.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_eq!(kept, [(400.0, 0), (450.0, 3), (500.0, 44), (550.0, 4), (600.0, 1)]);
    }

    #[test]
    fn what_is_old_no_longer_counts() {
        let p = parameters(r#"{"first_batches": 3, "batches_kept": 5, "batch_age_max": 24}"#);
        let mut knowledge = Knowledge::default();
        for number in 0..30_u8 {
            let at =
                [if number < 3 { 350.0 + f64::from(number) } else { 500.0 + f64::from(number) }, 2.0, 1.0];
            knowledge.learn(at, hardness(at), &p);
        }
        assert!(knowledge.batches.iter().all(|batch| batch.number >= 6), "{:?}", knowledge.batches);
        let domain = knowledge.domain(&p).expect("a domain");
        assert!(!domain.place(&[360.0, 2.0, 1.0]).is_inside());
        assert!(
            domain.place(&[525.0, 2.0, 1.0]).is_inside(),
            "a setting that never changed has a margin too"
        );
    }

    #[test]
    fn learning_stays_within_its_factor_and_is_none_at_one() {
        let knowledge = |json: &str| {
            let p = parameters(json);
            let mut knowledge = Knowledge::default();
            for number in 0..24_u8 {
                let part = |k: u8| f64::from(number * k % 24) / 24.0;
                let at = [350.0 + 300.0 * part(5), 1.5 + part(7), 0.7 + part(11)];
                knowledge.learn(at, hardness(at), &p);
            }
            (knowledge.learned, Learned::known_beforehand(&p))
        };
        assert_eq!(knowledge(r#"{"learning_factor": 1.0}"#).0, None);
        let (learned, before) = knowledge(r#"{"learning_factor": 2.0}"#);
        let learned = learned.expect("learned");
        assert_ne!(learned, before);
        // There is no noise in it, so the least is learned.
        assert!((learned.noise / before.noise - 0.5).abs() < 0.05, "{learned:?}");
        for (learned, before) in learned.lengths.iter().zip(before.lengths) {
            assert!((0.5 - 1e-9..=2.0 + 1e-9).contains(&(learned / before)), "{learned} {before}");
        }
    }

    #[test]
    fn one_batch_and_equal_ones_make_no_surrogate() {
        let p = parameters("{}");
        let mut knowledge = Knowledge::default();
        assert!(knowledge.surrogate(&p).is_none());
        assert!(knowledge.learn([500.0, 2.0, 1.0], 40.0, &p).is_none());
        assert!(knowledge.learn([510.0, 2.0, 1.0], 40.0, &p).is_none());
        assert!(knowledge.learn([520.0, 2.0, 1.0], 41.0, &p).is_some());
    }
}
