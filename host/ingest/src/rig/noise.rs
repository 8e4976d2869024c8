//! Seeded noise: SplitMix64 (Steele, Lea, Flood 2014), normal deviates by Box and Muller (1958).

use std::f64::consts::TAU;

#[derive(Clone, Debug)]
pub(super) struct Noise {
    state: u64,
    spare: Option<f64>,
}

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed, spare: None }
    }

    /// In (0, 1).
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(super) fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((mixed >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Mean 0, standard deviation 1.
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut noise = Noise::new(42);
        let n = 100_000.0;
        let normal: Vec<f64> = (0..100_000).map(|_| noise.normal()).collect();
        let mean = normal.iter().sum::<f64>() / n;
        let variance = normal.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 0.013 && (variance - 1.0).abs() < 0.018, "{mean} {variance}");
        assert!((0..100_000).all(|_| (f64::MIN_POSITIVE..1.0).contains(&noise.uniform())));
    }
}
