//! Elementary functions that give the same bits natively and in wasm.
//!
//! `f64::exp` and its kin call whatever library the platform has (glibc natively, its own in wasm), which differ in
//! the last bits. The functions re-exported here are the `libm` crate's, the same code on both sides: use them for
//! everything beyond `+ - * /`, comparisons, and what IEEE 754 defines exactly. The exact ones (`sqrt`, `abs`, `floor`,
//! `ceil`, `trunc`) are single instructions on both sides and are here as such: libm's own `sqrt` would be computed
//! in software in wasm. Sign and payload of a NaN are not part of the promise.

pub use libm::{
    acos, acosh, asin, asinh, atan, atan2, atanh, cbrt, cos, cosh, erf, erfc, exp, exp2, exp10, expm1, fmod,
    hypot, ldexp, lgamma, log as ln, log1p as ln_1p, log2, log10, pow, round, sin, sincos, sinh, tan, tanh,
    tgamma,
};

macro_rules! exact {
    ($($name:ident $text:literal)*) => {$(
        #[doc = $text]
        #[must_use]
        #[inline]
        pub fn $name(x: f64) -> f64 {
            f64::$name(x)
        }
    )*};
}
exact! {
    sqrt "The square root, correctly rounded; NaN below 0."
    abs "The magnitude."
    floor "The greatest whole number that is not above."
    ceil "The least whole number that is not below."
    trunc "The whole part."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bits_are_libms() {
        // Pinned: an update of libm that moves a bit moves every replay, and must be noticed here.
        let check = |got: f64, bits: u64| assert_eq!(got.to_bits(), bits, "{got:e} {:#x}", got.to_bits());
        check(exp(1.0), 0x4005_bf0a_8b14_576a);
        check(ln(2.0), std::f64::consts::LN_2.to_bits());
        assert_eq!(sqrt(3.0).to_bits(), libm::sqrt(3.0).to_bits());
        check(sqrt(2.0), std::f64::consts::SQRT_2.to_bits());
    }
}
