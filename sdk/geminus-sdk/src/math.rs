//! Elementary functions that give the same bits natively and in wasm.
//!
//! `f64::exp` and its kin call whatever library the platform has (glibc natively, its own in wasm), which differ in
//! the last bits. These are the `libm` crate's, the same code on both sides. Use them for everything beyond
//! `+ - * /`, `abs`, `min`, `max`, `sqrt` and comparisons, which IEEE 754 defines exactly.

pub use libm::{
    acos, acosh, asin, asinh, atan, atan2, atanh, cbrt, ceil, cos, cosh, erf, erfc, exp, exp2, exp10, expm1,
    fabs as abs, floor, fmod, hypot, ldexp, lgamma, log as ln, log1p as ln_1p, log2, log10, pow, round, sin,
    sincos, sinh, sqrt, tan, tanh, tgamma, trunc,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bits_are_libms() {
        // Pinned: an update of libm that moves a bit moves every replay, and must be noticed here.
        let check = |got: f64, bits: u64| assert_eq!(got.to_bits(), bits, "{got:e} {:#x}", got.to_bits());
        check(exp(1.0), 0x4005_bf0a_8b14_576a);
        check(ln(2.0), std::f64::consts::LN_2.to_bits());
        check(sqrt(2.0), std::f64::consts::SQRT_2.to_bits());
    }
}
