//! From the messages of a file to a graph: nodes in order, weights, names and shapes of inputs and outputs.
//!
//! Field numbers are those of `onnx.proto3`. What is not needed to compute is passed over; what would change the result
//! and is not known is refused.

use super::tensor::{Tensor, elements};
use super::wire::{Message, Value};
use super::{NODES_MAX, OPSETS, OnnxError, Shape};

/// `TensorProto.DataType`.
const FLOAT: u64 = 1;
const INT64: u64 = 7;
/// `TensorProto.DataLocation`.
const EXTERNAL: u64 = 1;

#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) weights: Vec<(String, Tensor)>,
    pub(crate) inputs: Vec<Shape>,
    pub(crate) outputs: Vec<Shape>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) operator: String,
    pub(crate) domain: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
    pub(crate) attributes: Vec<(String, Attribute)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Attribute {
    Float(f32),
    Integer(i64),
    Text(String),
    Tensor(Tensor),
    Integers(Vec<i64>),
    Texts(Vec<String>),
    /// Of a kind that no known operator takes.
    Other,
}

impl Graph {
    pub(crate) fn read(file: &[u8]) -> Result<Self, OnnxError> {
        let (mut graph, mut opset) = (None, None);
        let file = Message::file(file);
        file.fields(|number, value| {
            match (number, value) {
                (7, Value::Bytes(message)) => graph = Some(Self::of(message)?),
                (8, Value::Bytes(message)) => {
                    let (domain, version) = operator_set(message)?;
                    if domain.is_empty() {
                        opset = Some(version);
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        let graph: Self =
            graph.ok_or_else(|| OnnxError::model("graph", "there is none: give an ONNX model"))?;
        match opset {
            Some(version) if OPSETS.contains(&version) => Ok(graph),
            Some(version) => {
                let reason = format!("version {version}: export with {} to {}", OPSETS.start(), OPSETS.end());
                Err(OnnxError::model("opset_import", reason))
            }
            None => Err(OnnxError::model("opset_import", "does not name the standard operators")),
        }
    }

    fn of(message: Message<'_>) -> Result<Self, OnnxError> {
        let mut graph = Self::default();
        message.fields(|number, value| {
            let Value::Bytes(message) = value else { return Ok(()) };
            match number {
                1 if graph.nodes.len() >= NODES_MAX => {
                    return Err(OnnxError::model("graph.node", format!("more than {NODES_MAX} nodes")));
                }
                1 => graph.nodes.push(Node::of(message)?),
                5 => graph.weights.push(tensor(message)?),
                11 => graph.inputs.push(described(message)?),
                12 => graph.outputs.push(described(message)?),
                15 => {
                    return Err(OnnxError::model(
                        "graph.sparse_initializer",
                        "is not read: give dense weights",
                    ));
                }
                _ => {}
            }
            Ok(())
        })?;
        // Older files name weights among the inputs too; what has a value need not be given.
        let weights = &graph.weights;
        graph.inputs.retain(|(name, _)| !weights.iter().any(|(weight, _)| weight == name));
        Ok(graph)
    }
}

impl Node {
    fn of(message: Message<'_>) -> Result<Self, OnnxError> {
        let mut node = Self::default();
        message.fields(|number, value| {
            let Value::Bytes(message) = value else { return Ok(()) };
            match number {
                1 => node.inputs.push(message.text()?),
                2 => node.outputs.push(message.text()?),
                3 => node.name = message.text()?,
                4 => node.operator = message.text()?,
                5 => node.attributes.push(attribute(message)?),
                7 => node.domain = message.text()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(node)
    }

    pub(crate) fn wrong(&self, reason: impl Into<String>) -> OnnxError {
        let node = if self.name.is_empty() {
            self.outputs.first().cloned().unwrap_or_default()
        } else {
            self.name.clone()
        };
        OnnxError::Node { node, operator: self.operator.clone(), reason: reason.into() }
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(one, _)| one == name).map(|(_, attribute)| attribute)
    }

    pub(crate) fn integer(&self, name: &str, default: i64) -> Result<i64, OnnxError> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Integer(value)) => Ok(*value),
            Some(_) => Err(self.wrong(format!("attribute {name} is not an integer"))),
        }
    }

    pub(crate) fn float(&self, name: &str, default: f32) -> Result<f32, OnnxError> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Float(value)) if value.is_finite() => Ok(*value),
            Some(_) => Err(self.wrong(format!("attribute {name} is not a finite float"))),
        }
    }

    pub(crate) fn integers(&self, name: &str) -> Result<Option<&[i64]>, OnnxError> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Integers(values)) => Ok(Some(values)),
            Some(_) => Err(self.wrong(format!("attribute {name} is not a list of integers"))),
        }
    }
}

fn operator_set(message: Message<'_>) -> Result<(String, i64), OnnxError> {
    let (mut domain, mut version) = (String::new(), 0);
    message.fields(|number, value| {
        match (number, value) {
            (1, Value::Bytes(text)) => domain = text.text()?,
            (2, Value::Varint(number)) => version = number.cast_signed(),
            _ => {}
        }
        Ok(())
    })?;
    Ok((domain, version))
}

fn attribute(message: Message<'_>) -> Result<(String, Attribute), OnnxError> {
    let (mut name, mut found) = (String::new(), Attribute::Other);
    let (mut integers, mut texts) = (Vec::new(), Vec::new());
    message.fields(|number, value| {
        match (number, value) {
            (1, Value::Bytes(text)) => name = text.text()?,
            (2, Value::Four(bytes)) => found = Attribute::Float(f32::from_le_bytes(bytes)),
            (3, Value::Varint(number)) => found = Attribute::Integer(number.cast_signed()),
            (4, Value::Bytes(text)) => found = Attribute::Text(text.text()?),
            (5, Value::Bytes(message)) => found = Attribute::Tensor(tensor(message)?.1),
            (8, Value::Varint(number)) => integers.push(number.cast_signed()),
            (8, Value::Bytes(packed)) => integers.extend(packed.varints()?.into_iter().map(u64::cast_signed)),
            (9, Value::Bytes(text)) => texts.push(text.text()?),
            _ => {}
        }
        Ok(())
    })?;
    if !integers.is_empty() {
        found = Attribute::Integers(integers);
    } else if !texts.is_empty() {
        found = Attribute::Texts(texts);
    }
    Ok((name, found))
}

/// Name and value of a `TensorProto`.
fn tensor(message: Message<'_>) -> Result<(String, Tensor), OnnxError> {
    let (mut name, mut kind, mut location) = (String::new(), 0, 0);
    let (mut dims, mut floats, mut integers, mut raw) = (Vec::new(), Vec::new(), Vec::new(), None);
    message.fields(|number, value| {
        match (number, value) {
            (1, Value::Varint(dim)) => dims.push(dim),
            (1, Value::Bytes(packed)) => dims.extend(packed.varints()?),
            (2, Value::Varint(number)) => kind = number,
            (4, Value::Four(bytes)) => floats.push(f32::from_le_bytes(bytes)),
            (4, Value::Bytes(packed)) => floats.extend(packed.floats()?),
            (7, Value::Varint(number)) => integers.push(number.cast_signed()),
            (7, Value::Bytes(packed)) => integers.extend(packed.varints()?.into_iter().map(u64::cast_signed)),
            (8, Value::Bytes(text)) => name = text.text()?,
            (9, Value::Bytes(bytes)) => raw = Some(bytes),
            (14, Value::Varint(number)) => location = number,
            _ => {}
        }
        Ok(())
    })?;
    let wrong = |reason: String| OnnxError::model(format!("initializer {name:?}"), reason);
    if location == EXTERNAL {
        return Err(wrong("its numbers are in another file: save the model in one".to_owned()));
    }
    let dims: Option<Vec<usize>> = dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
    let Some(dims) = dims.filter(|dims| elements(dims).is_some()) else {
        return Err(wrong("its shape has too many axes or numbers".to_owned()));
    };
    let made = match kind {
        FLOAT => {
            let values = raw.map_or(Ok(floats), Message::floats)?;
            if values.iter().any(|value| !value.is_finite()) {
                return Err(wrong("has a number that is not finite: train anew".to_owned()));
            }
            Tensor::new(&dims, values)
        }
        INT64 => Tensor::integers_of(&dims, raw.map_or(Ok(integers), Message::integers)?),
        other => return Err(wrong(format!("data_type {other}: only float (1) and int64 (7) are read"))),
    };
    let made = made.ok_or_else(|| wrong(format!("has not as many numbers as its shape {dims:?}")))?;
    Ok((name, made))
}

/// Name and shape of a `ValueInfoProto`.
fn described(message: Message<'_>) -> Result<Shape, OnnxError> {
    let (mut name, mut kind, mut shape) = (String::new(), 0, None);
    message.fields(|number, value| {
        match (number, value) {
            (1, Value::Bytes(text)) => name = text.text()?,
            (2, Value::Bytes(described)) => described.fields(|number, value| {
                let (1, Value::Bytes(tensor)) = (number, value) else { return Ok(()) };
                tensor.fields(|number, value| {
                    match (number, value) {
                        (1, Value::Varint(number)) => kind = number,
                        (2, Value::Bytes(message)) => shape = Some(lengths(message)?),
                        _ => {}
                    }
                    Ok(())
                })
            })?,
            _ => {}
        }
        Ok(())
    })?;
    if kind != FLOAT {
        let reason = format!("elem_type {kind}: only float (1) goes in and out");
        return Err(OnnxError::model(format!("input or output {name:?}"), reason));
    }
    let shape = shape.ok_or_else(|| OnnxError::model(format!("input or output {name:?}"), "has no shape"))?;
    Ok((name, shape))
}

/// Lengths of the axes; none where a name stands for it.
fn lengths(message: Message<'_>) -> Result<Vec<Option<usize>>, OnnxError> {
    let mut lengths = Vec::new();
    message.fields(|number, value| {
        let (1, Value::Bytes(axis)) = (number, value) else { return Ok(()) };
        let mut length = None;
        axis.fields(|number, value| {
            if let (1, Value::Varint(number)) = (number, value) {
                length = usize::try_from(number).ok();
            }
            Ok(())
        })?;
        lengths.push(length);
        Ok(())
    })?;
    Ok(lengths)
}
