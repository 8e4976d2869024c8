//! What a value of the field is as a number, exactly or not at all; and a number as a value of a type. Pure.

use opcua::types::{Variant, VariantScalarTypeId, VariantTypeId};

/// The largest whole number below which `f64` holds every whole number.
const WHOLE_MAX: u64 = 1 << 53;

/// A value as a point takes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reading {
    /// Integers and floating-point numbers, exactly.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A text, which a point may know as a label.
    Text(String),
    /// The server says that there is no value.
    Nothing,
}

/// Why a value is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    /// Of a type that a point cannot hold.
    #[error("a value of the type {0} fits no point")]
    Type(String),
    /// An array.
    #[error("an array fits no point: name a node with one value")]
    Array,
    /// A whole number that `f64` does not hold.
    #[error("{0} is a whole number that a point cannot hold exactly")]
    Inexact(String),
}

/// The value as a point takes it.
///
/// # Errors
/// [`ValueError`] of everything that it does not hold bit for bit.
pub(crate) fn reading(value: Option<&Variant>) -> Result<Reading, ValueError> {
    let number = match value {
        None | Some(Variant::Empty) => return Ok(Reading::Nothing),
        Some(Variant::Boolean(truth)) => return Ok(Reading::Boolean(*truth)),
        Some(Variant::String(text)) => {
            return Ok(text.value().as_ref().map_or(Reading::Nothing, |text| Reading::Text(text.clone())));
        }
        Some(Variant::SByte(number)) => f64::from(*number),
        Some(Variant::Byte(number)) => f64::from(*number),
        Some(Variant::Int16(number)) => f64::from(*number),
        Some(Variant::UInt16(number)) => f64::from(*number),
        Some(Variant::Int32(number)) => f64::from(*number),
        Some(Variant::UInt32(number)) => f64::from(*number),
        Some(Variant::Int64(number)) => whole(number.unsigned_abs(), *number < 0)?,
        Some(Variant::UInt64(number)) => whole(*number, false)?,
        Some(Variant::Float(number)) => f64::from(*number),
        Some(Variant::Double(number)) => *number,
        Some(Variant::Array(_)) => return Err(ValueError::Array),
        Some(other) => return Err(ValueError::Type(type_name(other))),
    };
    Ok(Reading::Number(number))
}

/// Exact when `f64` has it, as it has every whole number up to 2^53 and those above that are multiples of enough.
fn whole(magnitude: u64, negative: bool) -> Result<f64, ValueError> {
    let spare = 64 - magnitude.leading_zeros();
    if magnitude > WHOLE_MAX && magnitude.trailing_zeros() < spare.saturating_sub(53) {
        let sign = if negative { "-" } else { "" };
        return Err(ValueError::Inexact(format!("{sign}{magnitude}")));
    }
    let number = magnitude as f64;
    Ok(if negative { -number } else { number })
}

/// Name of its type, for people.
pub(crate) fn type_name(value: &Variant) -> String {
    match value.type_id() {
        VariantTypeId::Empty => "nothing".to_owned(),
        VariantTypeId::Scalar(scalar) => format!("{scalar:?}"),
        VariantTypeId::Array(scalar, _) => format!("array of {scalar:?}"),
    }
}

/// `number` as a value of the type `wanted`.
///
/// # Errors
/// What does not fit, in words: only a `Float` is rounded, to the nearest that it has.
pub(crate) fn variant(number: f64, wanted: VariantScalarTypeId) -> Result<Variant, String> {
    use VariantScalarTypeId as Type;
    if !number.is_finite() {
        return Err(format!("{number} is no number to write"));
    }
    let refuse = |why: &str| Err(format!("{number} {why}"));
    let integer = |min: f64, max: f64| -> Result<f64, String> {
        match number {
            _ if number.fract() != 0.0 => {
                Err(format!("{number} is no whole number, and the node holds {wanted:?}"))
            }
            _ if !(min..=max).contains(&number) => Err(format!("{number} does not fit into {wanted:?}")),
            _ => Ok(number),
        }
    };
    let exact = WHOLE_MAX as f64;
    Ok(match wanted {
        Type::Double => Variant::Double(number),
        Type::Float => {
            let rounded = number as f32;
            if !rounded.is_finite() {
                return refuse("does not fit into Float");
            }
            Variant::Float(rounded)
        }
        Type::Boolean if number == 0.0 || number == 1.0 => Variant::Boolean(number == 1.0),
        Type::Boolean => return refuse("is neither 0 nor 1, and the node holds Boolean"),
        Type::SByte => Variant::SByte(integer(f64::from(i8::MIN), f64::from(i8::MAX))? as i8),
        Type::Byte => Variant::Byte(integer(0.0, f64::from(u8::MAX))? as u8),
        Type::Int16 => Variant::Int16(integer(f64::from(i16::MIN), f64::from(i16::MAX))? as i16),
        Type::UInt16 => Variant::UInt16(integer(0.0, f64::from(u16::MAX))? as u16),
        Type::Int32 => Variant::Int32(integer(f64::from(i32::MIN), f64::from(i32::MAX))? as i32),
        Type::UInt32 => Variant::UInt32(integer(0.0, f64::from(u32::MAX))? as u32),
        Type::Int64 => Variant::Int64(integer(-exact, exact)? as i64),
        Type::UInt64 => Variant::UInt64(integer(0.0, exact)? as u64),
        other => return Err(format!("the node holds {other:?}, and only numbers and booleans are written")),
    })
}

/// How many numbers from 0 on a type tells apart, each by one from the next.
pub(crate) fn turn(of: VariantScalarTypeId) -> u64 {
    use VariantScalarTypeId as Type;
    match of {
        Type::Boolean => 2,
        Type::SByte => 1 << 7,
        Type::Byte => 1 << 8,
        Type::Int16 => 1 << 15,
        Type::UInt16 => 1 << 16,
        Type::Int32 => 1 << 31,
        Type::UInt32 => 1 << 32,
        Type::Float => 1 << 24,
        _ => WHOLE_MAX,
    }
}

#[cfg(test)]
mod tests {
    use opcua::types::{Array, UAString};
    use proptest::prelude::*;

    use super::*;

    fn number(value: Variant) -> Option<u64> {
        match reading(Some(&value)) {
            Ok(Reading::Number(number)) => Some(number.to_bits()),
            _ => None,
        }
    }

    #[test]
    fn numbers_come_through_bit_for_bit() {
        for value in [0.1, -0.0, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(number(Variant::Double(value)), Some(value.to_bits()), "{value}");
        }
        let odd = f64::from_bits(0x7ff8_0000_0000_1234);
        assert_eq!(number(Variant::Double(odd)), Some(odd.to_bits()), "a NaN keeps its bits");
        let float = 0.1_f32;
        assert_eq!(number(Variant::Float(float)), Some(f64::from(float).to_bits()));
        for (value, expect) in [
            (Variant::SByte(i8::MIN), -128.0),
            (Variant::Byte(u8::MAX), 255.0),
            (Variant::Int16(i16::MIN), -32_768.0),
            (Variant::UInt16(u16::MAX), 65_535.0),
            (Variant::Int32(i32::MIN), -2_147_483_648.0),
            (Variant::UInt32(u32::MAX), 4_294_967_295.0),
            (Variant::Int64(i64::MIN), -9_223_372_036_854_775_808.0),
            (Variant::Int64(1 << 53), 9_007_199_254_740_992.0),
            (Variant::UInt64(1 << 63), 9_223_372_036_854_775_808.0),
        ] {
            assert_eq!(number(value.clone()), Some(f64::to_bits(expect)), "{value:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let says = |value: Variant| reading(Some(&value)).expect_err("refused").to_string();
        assert!(says(Variant::Int64((1 << 53) + 1)).contains("9007199254740993"));
        assert!(says(Variant::Int64(i64::MAX)).contains("9223372036854775807"));
        assert!(says(Variant::Int64(-(1 << 53) - 1)).contains("-9007199254740993"));
        assert!(says(Variant::UInt64(u64::MAX)).contains("18446744073709551615"));
        assert!(says(Variant::StatusCode(opcua::types::StatusCode::Good)).contains("StatusCode"));
        let array = Array::new(VariantScalarTypeId::Double, vec![Variant::Double(1.0)]).expect("an array");
        assert!(says(Variant::Array(Box::new(array))).contains("array"));
    }

    #[test]
    fn booleans_texts_and_nothing_are_told_apart() {
        assert_eq!(reading(Some(&Variant::Boolean(true))), Ok(Reading::Boolean(true)));
        assert_eq!(reading(Some(&Variant::from("open"))), Ok(Reading::Text("open".to_owned())));
        assert_eq!(reading(Some(&Variant::String(UAString::null()))), Ok(Reading::Nothing));
        assert_eq!(reading(Some(&Variant::Empty)), Ok(Reading::Nothing));
        assert_eq!(reading(None), Ok(Reading::Nothing));
    }

    #[test]
    fn a_number_is_written_in_the_type_of_the_node_or_not_at_all() {
        use VariantScalarTypeId as Type;
        for (value, wanted, expect) in [
            (1.5, Type::Double, Some(Variant::Double(1.5))),
            (0.1, Type::Float, Some(Variant::Float(0.1))),
            (1e39, Type::Float, None),
            (1.0, Type::Boolean, Some(Variant::Boolean(true))),
            (0.0, Type::Boolean, Some(Variant::Boolean(false))),
            (2.0, Type::Boolean, None),
            (-128.0, Type::SByte, Some(Variant::SByte(-128))),
            (-129.0, Type::SByte, None),
            (255.0, Type::Byte, Some(Variant::Byte(255))),
            (255.5, Type::Byte, None),
            (-1.0, Type::UInt16, None),
            (65_535.0, Type::UInt16, Some(Variant::UInt16(65_535))),
            (2_147_483_648.0, Type::Int32, None),
            (4_294_967_295.0, Type::UInt32, Some(Variant::UInt32(u32::MAX))),
            (9_007_199_254_740_994.0, Type::Int64, None),
            (-7.0, Type::Int64, Some(Variant::Int64(-7))),
            (-7.0, Type::UInt64, None),
            (1.0, Type::String, None),
            (f64::NAN, Type::Double, None),
            (f64::INFINITY, Type::Double, None),
        ] {
            assert_eq!(variant(value, wanted).ok(), expect, "{value} as {wanted:?}");
        }
    }

    proptest! {
        #[test]
        fn a_whole_number_is_exact_or_refused(number: i64) {
            match reading(Some(&Variant::Int64(number))) {
                Ok(Reading::Number(read)) => prop_assert_eq!(read as i128, i128::from(number)),
                Ok(other) => prop_assert!(false, "{:?}", other),
                Err(_) => prop_assert!((number as f64) as i128 != i128::from(number)),
            }
        }
    }
}
