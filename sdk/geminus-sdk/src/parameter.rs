//! What a site sets: the trait behind `#[derive(Parameters)]`, and the types a parameter may have.
//!
//! The derive writes a JSON Schema (draft 2020-12 keywords `type`, `items`, `minItems`, `maxItems`, `minimum`,
//! `maximum`, `default`, `description`, and our own annotation `unit`) and reads the object by it: what the schema
//! refuses, the code refuses as well. The one thing that the code takes besides is `null` for an optional parameter,
//! which is as if it were left out; the schema declares no default for it.

use crate::Fault;
use crate::json::{self, Value};

mod schema;

pub use schema::FieldSchema;

/// Parameters. Derive it.
pub trait Parameters: Sized {
    /// JSON Schema of the object.
    const SCHEMA: &'static str;
    /// Reads the object; what is left out takes its default.
    ///
    /// # Errors
    /// `Fault::Parameter`, naming the member and what would do.
    fn from_object(object: &[(String, Value)]) -> Result<Self, Fault>;
}

/// For behaviors that nobody can adjust.
impl Parameters for () {
    const SCHEMA: &'static str = r#"{"type":"object","additionalProperties":false,"properties":{}}"#;

    fn from_object(object: &[(String, Value)]) -> Result<Self, Fault> {
        known(object, &[])
    }
}

/// Reads parameters from the bytes of a JSON object.
///
/// # Errors
/// `Fault::Parameter`, naming the member and what would do.
pub fn from_json<P: Parameters>(json: &[u8]) -> Result<P, Fault> {
    let object = json::object(json).map_err(|reason| Fault::Parameter { pointer: String::new(), reason })?;
    P::from_object(&object)
}

/// A type that a parameter may have.
pub trait ParameterField: Sized {
    /// Members of its schema, `"type":"number"` say.
    const SCHEMA: FieldSchema;
    /// From JSON; `None` when it is of another type.
    fn from_json(value: &Value) -> Option<Self>;
    /// Every number in it, for bounds.
    fn numbers(&self) -> impl Iterator<Item = f64>;
}

/// What the derive knows of one parameter.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Member of the object.
    pub name: &'static str,
    /// JSON text of its default; `None` when it must be given.
    pub default: Option<&'static str>,
    /// Lowest number.
    pub minimum: f64,
    /// Highest number.
    pub maximum: f64,
}

impl Field {
    /// Reads this parameter.
    ///
    /// # Errors
    /// `Fault::Parameter` when it is absent without a default, of another type, or out of bounds.
    pub fn read<T: ParameterField>(&self, object: &[(String, Value)]) -> Result<T, Fault> {
        let fault = |reason: String| Fault::parameter(self.name, reason);
        let member = object.iter().find(|(name, _)| name == self.name);
        let given = match (member, self.default) {
            (Some((_, value)), _) => T::from_json(value),
            (None, Some(text)) => json::value(text).and_then(|value| T::from_json(&value)),
            (None, None) => return Err(fault("is required".to_owned())),
        };
        let value =
            given.ok_or_else(|| fault(format!("is not of the declared type ({})", T::SCHEMA.text())))?;
        let outside = value.numbers().find(|number| !(self.minimum..=self.maximum).contains(number));
        match outside {
            Some(number) => {
                Err(fault(format!("{number} is not within {} to {}", self.minimum, self.maximum)))
            }
            None => Ok(value),
        }
    }
}

/// Refuses members that are not among `names`.
///
/// # Errors
/// `Fault::Parameter`, naming the first.
pub fn known(object: &[(String, Value)], names: &[&str]) -> Result<(), Fault> {
    match object.iter().find(|(key, _)| !names.contains(&key.as_str())) {
        Some((key, _)) => {
            Err(Fault::parameter(key, format!("is not known, known are: {}", names.join(", "))))
        }
        None => Ok(()),
    }
}

impl ParameterField for f64 {
    const SCHEMA: FieldSchema = FieldSchema::numbers(r#""type":"number""#, "");

    fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        std::iter::once(*self)
    }
}

impl ParameterField for bool {
    const SCHEMA: FieldSchema = FieldSchema::without_numbers(r#""type":"boolean""#);

    fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        std::iter::empty()
    }
}

impl ParameterField for String {
    const SCHEMA: FieldSchema = FieldSchema::without_numbers(r#""type":"string""#);

    fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        std::iter::empty()
    }
}

/// A number without a fraction; all that `i64` and `f64` share below 2⁵³.
#[expect(clippy::cast_possible_truncation, reason = "bounded just before")]
fn whole(value: &Value) -> Option<i64> {
    f64::from_json(value)
        .filter(|number| number.fract() == 0.0 && number.abs() < 9e15)
        .map(|number| number as i64)
}

macro_rules! integers {
    ($($integer:ty, $least:literal, $most:literal);*) => {$(
        impl ParameterField for $integer {
            const SCHEMA: FieldSchema = FieldSchema::numbers(r#""type":"integer""#, "").within(
                (<$integer>::MIN as f64, concat!(r#","minimum":"#, $least)),
                (<$integer>::MAX as f64, concat!(r#","maximum":"#, $most)),
            );

            fn from_json(value: &Value) -> Option<Self> {
                whole(value).and_then(|number| Self::try_from(number).ok())
            }

            fn numbers(&self) -> impl Iterator<Item = f64> {
                std::iter::once(f64::from(*self))
            }
        }
    )*};
}
integers!(u8, 0, 255; u16, 0, 65535; u32, 0, 4294967295; i32, -2147483648, 2147483647);

impl<T: ParameterField> ParameterField for Option<T> {
    const SCHEMA: FieldSchema = T::SCHEMA;

    fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_json(value).map(Some),
        }
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        self.iter().flat_map(T::numbers)
    }
}

impl ParameterField for Vec<f64> {
    const SCHEMA: FieldSchema = FieldSchema::numbers(r#""type":"array","items":{"type":"number""#, "}");

    fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::List(values) => values.iter().map(f64::from_json).collect(),
            _ => None,
        }
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        self.iter().copied()
    }
}

impl<const N: usize> ParameterField for [f64; N] {
    const SCHEMA: FieldSchema = FieldSchema::numbers(schema::Length::<N>::TEXT, "}");

    fn from_json(value: &Value) -> Option<Self> {
        Vec::from_json(value)?.try_into().ok()
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        self.iter().copied()
    }
}
