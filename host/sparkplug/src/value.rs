//! What a value means by its datatype, and a quality by its code.

use geminus_core::Quality;

use crate::{Metric, Refusal, Value};

/// Numbers of the datatypes that a point can hold, under the names of the specification.
pub mod datatype {
    pub const INT8: u32 = 1;
    pub const INT16: u32 = 2;
    pub const INT32: u32 = 3;
    pub const INT64: u32 = 4;
    pub const UINT8: u32 = 5;
    pub const UINT16: u32 = 6;
    pub const UINT32: u32 = 7;
    pub const UINT64: u32 = 8;
    pub const FLOAT: u32 = 9;
    pub const DOUBLE: u32 = 10;
    pub const BOOLEAN: u32 = 11;
    pub const STRING: u32 = 12;
    pub const DATE_TIME: u32 = 13;
    pub const TEXT: u32 = 14;
    pub const UUID: u32 = 15;
}
use datatype as of;

/// A value as a point takes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading<'a> {
    /// Integers, floating-point numbers, and a time in milliseconds since the epoch. A float is exact; a 64-bit integer
    /// beyond 2^53 is rounded to the nearest number that there is.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A text, which a point may know as a label.
    Label(&'a str),
    /// The edge node says that there is no value.
    Null,
}

/// The value of a metric under the datatype that it carries or that its birth gave.
///
/// # Errors
/// [`Refusal::WrongType`] when it does not fit, [`Refusal::NoValue`] when there is none.
pub fn reading<'a>(metric: &Metric<'a>, datatype: u32) -> Result<Reading<'a>, Refusal> {
    if metric.is_null {
        return Ok(Reading::Null);
    }
    let value = metric.value.ok_or(Refusal::NoValue)?;
    let number = match (datatype, value) {
        (of::INT8, Value::Int(bits)) => signed(bits, 8)?,
        (of::INT16, Value::Int(bits)) => signed(bits, 16)?,
        (of::INT32, Value::Int(bits)) => f64::from(bits.cast_signed()),
        (of::INT32, Value::Long(bits)) => {
            f64::from(i32::try_from(bits.cast_signed()).map_err(|_| Refusal::WrongType)?)
        }
        (of::INT64, Value::Long(bits)) => bits.cast_signed() as f64,
        (of::UINT8, Value::Int(number)) => f64::from(u8::try_from(number).map_err(|_| Refusal::WrongType)?),
        (of::UINT16, Value::Int(number)) => f64::from(u16::try_from(number).map_err(|_| Refusal::WrongType)?),
        (of::UINT32, Value::Int(number)) => f64::from(number),
        // Tahu writes it so.
        (of::UINT32, Value::Long(number)) => {
            f64::from(u32::try_from(number).map_err(|_| Refusal::WrongType)?)
        }
        (of::UINT64 | of::DATE_TIME, Value::Long(number)) => number as f64,
        (of::UINT64 | of::DATE_TIME, Value::Int(number)) => f64::from(number),
        (of::FLOAT | of::DOUBLE, Value::Float(number)) => f64::from(number),
        (of::FLOAT | of::DOUBLE, Value::Double(number)) => number,
        (of::BOOLEAN, Value::Boolean(truth)) => return Ok(Reading::Boolean(truth)),
        (of::STRING | of::TEXT | of::UUID, Value::Text(text)) => return Ok(Reading::Label(text)),
        _ => return Err(Refusal::WrongType),
    };
    Ok(Reading::Number(number))
}

/// Two's complement of 8 or 16 bits; some write it extended to 32.
fn signed(bits: u32, width: u32) -> Result<f64, Refusal> {
    let half = 1_i64 << (width - 1);
    let number = i64::from(bits.cast_signed());
    match number {
        _ if (-half..half).contains(&number) => Ok(number as f64),
        _ if (half..2 * half).contains(&number) => Ok((number - 2 * half) as f64),
        _ => Err(Refusal::WrongType),
    }
}

/// The property `Quality`. Edge nodes leave it out where it is good, so its absence is their word for that while the
/// session lives. A code that the specification does not have is bad.
#[must_use]
pub fn quality(code: Option<u64>) -> Quality {
    match code {
        None | Some(192) => Quality::Good,
        Some(500) => Quality::Stale,
        Some(_) => Quality::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_value(datatype: u32, value: Value<'_>) -> Result<Reading<'_>, Refusal> {
        reading(&Metric { value: Some(value), ..Metric::default() }, datatype)
    }

    #[test]
    fn a_value_is_read_by_its_datatype() {
        let number = |number| Ok(Reading::Number(number));
        let wrong = || Err(Refusal::WrongType);
        for (datatype, value, expect) in [
            (of::INT8, Value::Int(u32::MAX), number(-1.0)),
            (of::INT8, Value::Int(0xff), number(-1.0)),
            (of::INT8, Value::Int(0x80), number(-128.0)),
            (of::INT8, Value::Int(300), wrong()),
            (of::INT16, Value::Int(0xffff_8000), number(-32_768.0)),
            (of::INT16, Value::Int(0x8000), number(-32_768.0)),
            (of::INT16, Value::Int(0x1_0000), wrong()),
            (of::INT32, Value::Int(0x8000_0000), number(-2_147_483_648.0)),
            (of::INT32, Value::Long(u64::MAX), number(-1.0)),
            (of::INT32, Value::Long(1 << 40), wrong()),
            (of::INT64, Value::Long(u64::MAX), number(-1.0)),
            (of::INT64, Value::Long(1 << 63), number(-9_223_372_036_854_775_808.0)),
            (of::UINT8, Value::Int(255), number(255.0)),
            (of::UINT8, Value::Int(256), wrong()),
            (of::UINT16, Value::Int(65_535), number(65_535.0)),
            (of::UINT16, Value::Int(65_536), wrong()),
            (of::UINT32, Value::Int(u32::MAX), number(4_294_967_295.0)),
            (of::UINT32, Value::Long(u64::from(u32::MAX)), number(4_294_967_295.0)),
            (of::UINT32, Value::Long(1 << 32), wrong()),
            (of::UINT64, Value::Long(1 << 53), number(9_007_199_254_740_992.0)),
            (of::FLOAT, Value::Float(0.1), number(f64::from(0.1_f32))),
            (of::DOUBLE, Value::Double(0.1), number(0.1)),
            (of::DATE_TIME, Value::Long(1_772_359_200_000), number(1_772_359_200_000.0)),
            (of::BOOLEAN, Value::Boolean(true), Ok(Reading::Boolean(true))),
            (of::BOOLEAN, Value::Int(1), wrong()),
            (of::STRING, Value::Text("open"), Ok(Reading::Label("open"))),
            (of::DOUBLE, Value::Text("1.5"), wrong()),
            // A data set, and types of a later version.
            (16, Value::Unread, wrong()),
            (99, Value::Double(1.0), wrong()),
        ] {
            assert_eq!(of_value(datatype, value), expect, "{datatype} {value:?}");
        }
        let null = Metric { is_null: true, value: Some(Value::Double(7.0)), ..Metric::default() };
        assert_eq!(reading(&null, of::DOUBLE), Ok(Reading::Null), "the value beside it does not count");
        assert_eq!(reading(&Metric::default(), of::DOUBLE), Err(Refusal::NoValue));
    }

    #[test]
    fn only_good_is_good() {
        for (code, expect) in [
            (None, Quality::Good),
            (Some(192), Quality::Good),
            (Some(0), Quality::Bad),
            (Some(500), Quality::Stale),
            (Some(193), Quality::Bad),
            (Some(u64::MAX), Quality::Bad),
        ] {
            assert_eq!(quality(code), expect, "{code:?}");
        }
    }
}
