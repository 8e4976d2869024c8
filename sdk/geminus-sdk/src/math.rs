//! Elementary functions that give the same bits natively and in wasm.
//!
//! `f64::exp` and its kin call whatever library the platform has (glibc natively, its own in wasm), which differ in
//! the last bits. These are the `libm` crate's, the same code on both sides. Use them for everything beyond
//! `+ - * /`, `abs`, `min`, `max`, `sqrt` and comparisons, which IEEE 754 defines exactly. Do not use
//! `f64::mul_add` either: it is one rounding here and a call there.

pub use libm::{
    acos, acosh, asin, asinh, atan, atan2, atanh, cbrt, ceil, cos, cosh, erf, erfc, exp, exp2, exp10, expm1,
    fabs as abs, floor, fmod, hypot, ldexp, lgamma, log as ln, log1p as ln_1p, log2, log10, pow, round, sin,
    sincos, sinh, sqrt, tan, tanh, tgamma, trunc,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_have_known_bits() {
        assert_eq!(exp(1.0).to_bits(), std::f64::consts::E.to_bits());
        assert_eq!(ln(2.0).to_bits(), std::f64::consts::LN_2.to_bits());
        assert_eq!(sqrt(2.0).to_bits(), std::f64::consts::SQRT_2.to_bits());
    }
}
