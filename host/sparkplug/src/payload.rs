//! A Sparkplug B payload, with the field numbers of the specification's `sparkplug_b.proto`.
//!
//! By hand rather than by generated code, because a host needs two of its nine messages: names and values are
//! borrowed, and data sets, templates and metadata, which no point can hold, are passed over unread and so can
//! nest as deeply as they like.

use crate::Refusal;
use crate::wire::{Field, Reader, Writer};

/// Metrics in one payload at most.
pub const METRICS_MAX: usize = 65_536;
/// Properties of one metric that are looked at.
const PROPERTIES_MAX: usize = 1_024;

/// What a message carries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Payload<'a> {
    /// When it was sent, in milliseconds since the epoch.
    pub timestamp: Option<u64>,
    /// 0 to 255 in turn, by edge node.
    pub seq: Option<u64>,
    /// In the order sent.
    pub metrics: Vec<Metric<'a>>,
}

/// One metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metric<'a> {
    /// Its name; always in a birth, elsewhere where it has no alias.
    pub name: Option<&'a str>,
    /// A number that a birth gave for the name.
    pub alias: Option<u64>,
    /// When the value was taken, in milliseconds since the epoch.
    pub timestamp: Option<u64>,
    /// Number of its type; see [`crate::value`].
    pub datatype: Option<u32>,
    /// It happened before what was sent already.
    pub is_historical: bool,
    /// There is no value.
    pub is_null: bool,
    /// Property `Quality`: 192 good, 0 bad, 500 stale; good when absent.
    pub quality: Option<u64>,
    /// Property `engUnit`, as the edge node writes it.
    pub unit: Option<&'a str>,
    /// The value.
    pub value: Option<Value<'a>>,
}

/// A value as it stands on the wire; what it means depends on the datatype.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// `int_value`: up to 32 bits, two's complement where signed.
    Int(u32),
    /// `long_value`: 64 bits, two's complement where signed.
    Long(u64),
    /// `float_value`.
    Float(f32),
    /// `double_value`.
    Double(f64),
    /// `boolean_value`.
    Boolean(bool),
    /// `string_value`.
    Text(&'a str),
    /// `bytes_value`.
    Bytes(&'a [u8]),
    /// A data set, a template or an extension, unread.
    Unread,
}

impl<'a> Payload<'a> {
    /// Reads a payload. Unknown fields are passed over, as the format asks.
    ///
    /// # Errors
    /// [`Refusal::Malformed`], or [`Refusal::TooMany`] metrics.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let (mut payload, mut reader) = (Self::default(), Reader::new(bytes));
        while let Some((number, field)) = reader.next()? {
            match number {
                1 => payload.timestamp = Some(field.number()?),
                2 if payload.metrics.len() >= METRICS_MAX => return Err(Refusal::TooMany),
                2 => payload.metrics.push(metric(field.bytes()?)?),
                3 => payload.seq = Some(field.number()?),
                _ => {}
            }
        }
        Ok(payload)
    }

    /// Its bytes. A value that was not read is left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        put(&mut writer, 1, self.timestamp);
        for metric in &self.metrics {
            writer.bytes(2, &encoded(metric));
        }
        put(&mut writer, 3, self.seq);
        writer.into_bytes()
    }
}

fn metric(bytes: &[u8]) -> Result<Metric<'_>, Refusal> {
    let (mut metric, mut reader) = (Metric::default(), Reader::new(bytes));
    while let Some((number, field)) = reader.next()? {
        match number {
            1 => metric.name = Some(field.text()?),
            2 => metric.alias = Some(field.number()?),
            3 => metric.timestamp = Some(field.number()?),
            4 => metric.datatype = Some(low(field)?),
            5 => metric.is_historical = field.number()? != 0,
            7 => metric.is_null = field.number()? != 0,
            9 => properties(field.bytes()?, &mut metric)?,
            10 => metric.value = Some(Value::Int(low(field)?)),
            11 => metric.value = Some(Value::Long(field.number()?)),
            12 => metric.value = Some(Value::Float(field.float()?)),
            13 => metric.value = Some(Value::Double(field.double()?)),
            14 => metric.value = Some(Value::Boolean(field.number()? != 0)),
            15 => metric.value = Some(Value::Text(field.text()?)),
            16 => metric.value = Some(Value::Bytes(field.bytes()?)),
            17..=19 => {
                field.bytes()?;
                metric.value = Some(Value::Unread);
            }
            _ => {}
        }
    }
    Ok(metric)
}

/// A uint32: the low half of what came, as the format asks.
fn low(field: Field<'_>) -> Result<u32, Refusal> {
    Ok((field.number()? & u64::from(u32::MAX)) as u32)
}

/// Keys and values stand in two lists of the same order.
fn properties<'a>(bytes: &'a [u8], metric: &mut Metric<'a>) -> Result<(), Refusal> {
    let (mut keys, mut values, mut reader) = (Vec::new(), Vec::new(), Reader::new(bytes));
    while let Some((number, field)) = reader.next()? {
        match number {
            1 => keys.push(field.text()?),
            2 => values.push(field.bytes()?),
            _ => {}
        }
        if keys.len() > PROPERTIES_MAX || values.len() > PROPERTIES_MAX {
            return Err(Refusal::TooMany);
        }
    }
    if keys.len() != values.len() {
        return Err(Refusal::Malformed);
    }
    for (key, value) in keys.into_iter().zip(values) {
        match key {
            // What is there but no number is no word that anything is good.
            "Quality" => metric.quality = Some(property_number(value)?.unwrap_or(u64::MAX)),
            "engUnit" => metric.unit = property_text(value)?,
            _ => {}
        }
    }
    Ok(())
}

fn property_number(bytes: &[u8]) -> Result<Option<u64>, Refusal> {
    let (mut found, mut reader) = (None, Reader::new(bytes));
    while let Some((number, field)) = reader.next()? {
        match number {
            3 => found = Some(u64::from(low(field)?)),
            4 => found = Some(field.number()?),
            _ => {}
        }
    }
    Ok(found)
}

fn property_text(bytes: &[u8]) -> Result<Option<&str>, Refusal> {
    let (mut found, mut reader) = (None, Reader::new(bytes));
    while let Some((number, field)) = reader.next()? {
        if number == 8 {
            found = Some(field.text()?);
        }
    }
    Ok(found)
}

/// Int32 and String, of the datatypes of properties.
const INT32: u64 = 3;
const STRING: u64 = 12;

fn encoded(metric: &Metric<'_>) -> Vec<u8> {
    let mut writer = Writer::default();
    if let Some(name) = metric.name {
        writer.bytes(1, name.as_bytes());
    }
    put(&mut writer, 2, metric.alias);
    put(&mut writer, 3, metric.timestamp);
    put(&mut writer, 4, metric.datatype.map(u64::from));
    put(&mut writer, 5, metric.is_historical.then_some(1));
    put(&mut writer, 7, metric.is_null.then_some(1));
    if metric.quality.is_some() || metric.unit.is_some() {
        writer.bytes(9, &encoded_properties(metric));
    }
    match metric.value {
        Some(Value::Int(number)) => writer.number(10, number.into()),
        Some(Value::Long(number)) => writer.number(11, number),
        Some(Value::Float(number)) => writer.float(12, number),
        Some(Value::Double(number)) => writer.double(13, number),
        Some(Value::Boolean(truth)) => writer.number(14, truth.into()),
        Some(Value::Text(text)) => writer.bytes(15, text.as_bytes()),
        Some(Value::Bytes(bytes)) => writer.bytes(16, bytes),
        Some(Value::Unread) | None => {}
    }
    writer.into_bytes()
}

fn encoded_properties(metric: &Metric<'_>) -> Vec<u8> {
    let mut set = Writer::default();
    if let Some(quality) = metric.quality {
        let mut value = Writer::default();
        value.number(1, INT32);
        value.number(3, quality);
        set.bytes(1, b"Quality");
        set.bytes(2, &value.into_bytes());
    }
    if let Some(unit) = metric.unit {
        let mut value = Writer::default();
        value.number(1, STRING);
        value.bytes(8, unit.as_bytes());
        set.bytes(1, b"engUnit");
        set.bytes(2, &value.into_bytes());
    }
    set.into_bytes()
}

fn put(writer: &mut Writer, field: u64, number: Option<u64>) {
    if let Some(number) = number {
        writer.number(field, number);
    }
}
