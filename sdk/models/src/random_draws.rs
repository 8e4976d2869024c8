//! Random numbers that depend on a seed and a count alone: the n-th draw of a seed is the same on every machine, and
//! sixteen bytes of state bring a stream back.
//!
//! The n-th 64 bits are SplitMix64's finaliser of `seed + n γ` (Steele, Lea, Flood, *Fast splittable pseudorandom number
//! generators*, OOPSLA 2014), which passes the usual batteries. Not for secrets. `geminus-sdk` has a generator of its own for
//! authors; models do not lean on the SDK.

/// A stream of draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// Which stream: from the host (`Opening::seed`), the same for the same twin.
    pub seed: u64,
    /// How many 64-bit draws were taken.
    pub count: u64,
}

/// 2⁶⁴ over the golden ratio, odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
/// 2⁻⁵³
const STEP: f64 = 1.0 / 9_007_199_254_740_992.0;

impl Draws {
    /// At the start of a stream.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.count = self.count.wrapping_add(1);
        let z = self.seed.wrapping_add(self.count.wrapping_mul(GAMMA));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in 0 ≤ x < 1, in steps of 2⁻⁵³.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * STEP
    }

    /// Normal with mean 0 and deviation 1, by Marsaglia's polar method (*SIAM Review* 6(3), 1964).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = u * u + v * v;
            if square > 0.0 && square < 1.0 {
                return u * libm::sqrt(-2.0 * libm::log(square) / square);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_seed_0_is_that_of_the_paper_and_comes_back_from_its_count() {
        let mut draws = Draws::new(0);
        let first: Vec<u64> = (0..3).map(|_| draws.bits()).collect();
        assert_eq!(first, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
        let mut back = Draws { seed: 0, count: 2 };
        assert_eq!(back.bits(), first[2]);
    }

    #[test]
    fn normal_numbers_have_mean_0_deviation_1_and_kurtosis_3() {
        const COUNT: u32 = 200_000;
        let mut draws = Draws::new(11);
        let (mut sum, mut squares, mut fourths) = (0.0, 0.0, 0.0);
        for _ in 0..COUNT {
            let drawn = draws.normal();
            sum += drawn;
            squares += drawn * drawn;
            fourths += drawn.powi(4);
        }
        let n = f64::from(COUNT);
        // Five standard errors: 1, √2 and √96 over √n.
        assert!((sum / n).abs() < 5.0 / n.sqrt(), "mean {}", sum / n);
        assert!((squares / n - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "variance {}", squares / n);
        assert!((fourths / n - 3.0).abs() < 5.0 * (96.0 / n).sqrt(), "fourth moment {}", fourths / n);
    }
}
