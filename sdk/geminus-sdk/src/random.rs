//! Randomness from the opening's seed, so that a replay draws the same numbers.
//!
//! The generator is xoshiro256++ 1.0, seeded through SplitMix64, both by David Blackman and Sebastiano Vigna
//! (<https://prng.di.unimi.it>, public domain); written anew from the published recurrences.

use crate::pack::{Pack, Unpacker};
use crate::{Fault, math};

/// A generator; keep it in the state, where it is carried by snapshots. Not for secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random {
    s: [u64; 4],
}

impl Random {
    /// Starts from a seed, `Opening::seed` say.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut mix = seed;
        Self { s: std::array::from_fn(|_| split_mix(&mut mix)) }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.s;
        let drawn = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.s = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        drawn
    }

    /// Uniform in 0 ≤ x < 1, in steps of 2⁻⁵³.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Normal with mean 0 and deviation 1, by Marsaglia's polar method (two uniforms and their retries a number).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = u * u + v * v;
            if square > 0.0 && square < 1.0 {
                return u * math::sqrt(-2.0 * math::ln(square) / square);
            }
        }
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Pack for Random {
    fn pack(&self, out: &mut Vec<u8>) {
        self.s.pack(out);
    }

    fn unpack(input: &mut Unpacker<'_>) -> Result<Self, Fault> {
        let s = <[u64; 4]>::unpack(input)?;
        match s {
            [0, 0, 0, 0] => Err(Fault::state("a random generator cannot be all zero")),
            s => Ok(Self { s }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequences_come_out() {
        // SplitMix64 from seed 1234567, as published with several implementations of it.
        let mut mix = 1_234_567;
        assert_eq!(split_mix(&mut mix), 6_457_827_717_110_365_317);
        assert_eq!(split_mix(&mut mix), 3_203_168_211_198_807_973);
        // xoshiro256++ from the state 1, 2, 3, 4, as in the reference tests of rand_xoshiro.
        let mut random = Random { s: [1, 2, 3, 4] };
        assert_eq!(
            [random.bits(), random.bits(), random.bits()],
            [41_943_041, 58_720_359, 3_588_806_011_781_223]
        );
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut random = Random::new(7);
        let n = 100_000;
        let (mut sum, mut square, mut uniform) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let z = random.normal();
            sum += z;
            square += z * z;
            uniform += random.uniform();
        }
        let n = f64::from(n);
        // Five standard errors each.
        assert!(
            (sum / n).abs() < 0.016 && (square / n - 1.0).abs() < 0.023 && (uniform / n - 0.5).abs() < 0.0046
        );
    }

    #[test]
    fn a_packed_generator_goes_on_where_it_was() {
        let mut random = Random::new(42);
        random.bits();
        let mut bytes = Vec::new();
        random.pack(&mut bytes);
        let mut again = Random::unpack(&mut Unpacker::new(&bytes)).expect("readable");
        assert_eq!(random.bits(), again.bits());
    }
}
