//! Schemas: the types of values.

use std::collections::BTreeMap;

use serde_json::Value;

use super::DtdlError;
use super::interface::{Members, text};

/// The type of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Schema {
    /// `double`, `float`, `integer`, `long`.
    Number(String),
    /// `boolean`.
    Boolean,
    /// `string`, `dateTime`, `date`, `time`, `duration`, and geospatial ones: kept by name.
    Other(String),
    /// An enumeration of integers or of words.
    Enum(Vec<EnumValue>),
    /// A list.
    Array(Box<Schema>),
    /// Named fields.
    Object(Vec<(String, Schema)>),
    /// Keys and values.
    Map(Box<Schema>),
}

/// One value of an enumeration.
#[derive(Clone, Debug, PartialEq)]
pub struct EnumValue {
    /// Its name.
    pub name: String,
    /// Its integer; `None` in an enumeration of words.
    pub value: Option<i64>,
}

const NUMBERS: [&str; 4] = ["double", "float", "integer", "long"];
const OTHERS: [&str; 12] = [
    "string",
    "dateTime",
    "date",
    "time",
    "duration",
    "point",
    "multiPoint",
    "lineString",
    "multiLineString",
    "polygon",
    "multiPolygon",
    "uuid",
];

impl Schema {
    /// Reads a schema: its name, the DTMI of one in `known`, or an object in place.
    pub(super) fn read(json: &Value, at: &str, known: &BTreeMap<String, Self>) -> Result<Self, DtdlError> {
        if let Value::String(name) = json {
            return Self::named(name, at, known);
        }
        let members = Members::of(json, at)?;
        let kind = text(members.need("@type")?, &members.at("@type"))?;
        let inner = |member: &str| Self::read(members.need(member)?, &members.at(member), known);
        match kind.as_str() {
            "Enum" => Self::enumeration(&members),
            "Array" => Ok(Self::Array(Box::new(inner("elementSchema")?))),
            "Map" => {
                let value = Members::of(members.need("mapValue")?, at)?.need("schema")?;
                Ok(Self::Map(Box::new(Self::read(value, &members.at("mapValue/schema"), known)?)))
            }
            "Object" => Ok(Self::Object(members.each("fields", |field, at| {
                let field = Members::of(field, at)?;
                Ok((field.name()?, Self::read(field.need("schema")?, &field.at("schema"), known)?))
            })?)),
            other => Err(DtdlError::new(
                &members.at("@type"),
                format!("\"{other}\" is not Array, Enum, Map or Object"),
            )),
        }
    }

    fn named(name: &str, at: &str, known: &BTreeMap<String, Self>) -> Result<Self, DtdlError> {
        if NUMBERS.contains(&name) {
            return Ok(Self::Number(name.to_owned()));
        }
        if name == "boolean" {
            return Ok(Self::Boolean);
        }
        if OTHERS.contains(&name) {
            return Ok(Self::Other(name.to_owned()));
        }
        known.get(name).cloned().ok_or_else(|| {
            let names = NUMBERS.iter().chain(&OTHERS).chain(&["boolean"]).copied();
            let hint = crate::problem::did_you_mean(name, names);
            DtdlError::new(at, format!("schema \"{name}\" is not known{hint}"))
        })
    }

    fn enumeration(members: &Members<'_>) -> Result<Self, DtdlError> {
        let at = members.at("valueSchema");
        let integers = match text(members.need("valueSchema")?, &at)?.as_str() {
            "integer" => true,
            "string" => false,
            other => return Err(DtdlError::new(&at, format!("\"{other}\" is not integer or string"))),
        };
        let values = members.each("enumValues", |item, at| {
            let item = Members::of(item, at)?;
            let (value, at) = (item.need("enumValue")?, item.at("enumValue"));
            let value = match integers {
                true => Some(value.as_i64().ok_or_else(|| DtdlError::new(&at, "must be an integer"))?),
                false => text(value, &at).map(|_| None)?,
            };
            Ok(EnumValue { name: item.name()?, value })
        })?;
        Ok(Self::Enum(values))
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    /// Words that stand for values when it can be bound, else why it cannot.
    pub(super) fn labels(&self) -> Result<Vec<(String, f64)>, String> {
        let reason = match self {
            Self::Number(_) => return Ok(Vec::new()),
            Self::Boolean => return Ok(vec![("false".to_owned(), 0.0), ("true".to_owned(), 1.0)]),
            Self::Enum(values) => {
                // Integers of an enumeration are small; beyond 2^53 a number could not tell them apart.
                let label = |item: &EnumValue| {
                    let value = item.value.filter(|value| value.unsigned_abs() <= 1 << 53)?;
                    #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
                    Some((item.name.clone(), value as f64))
                };
                match values.iter().map(label).collect::<Option<Vec<_>>>() {
                    Some(labels) => return Ok(labels),
                    None => "an enumeration of text",
                }
            }
            Self::Other(name) => name,
            Self::Array(_) => "an Array",
            Self::Object(_) => "an Object",
            Self::Map(_) => "a Map",
        };
        Err(format!("its schema is {reason}; this version binds numbers, booleans and integer enumerations"))
    }
}
