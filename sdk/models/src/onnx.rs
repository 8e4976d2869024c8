//! Learned models in ONNX, read and run in the guest: small networks of a behavior, not a general runtime.
//!
//! `wire` reads the file's encoding, `graph` makes nodes and weights of it, `operator` and `recurrent` compute them, and
//! this file checks a model once and runs it. [`Model::read`] refuses what it cannot run by the name of the node and the
//! field to mend: an operator that is not in [`OPERATORS`], a type other than `float` and `int64`, weights in another
//! file, a cut-off file. [`Model::run`] refuses inputs of another shape and numbers that are not finite, also when they
//! come out. Single precision, in the order of the file, `exp` and `tanh` from `libm`: the same bits natively and in wasm.
//!
//! A run allocates what its tensors need, at most [`ELEMENTS_MAX`] numbers each.

mod graph;
mod operator;
mod recurrent;
mod tensor;
mod wire;

use std::fmt;

use graph::{Graph, Node};
pub use operator::OPERATORS;
pub use tensor::Tensor;

/// Bytes of a file.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// Nodes of a graph.
pub const NODES_MAX: usize = 1_000;
/// Numbers in a tensor.
pub const ELEMENTS_MAX: usize = 1 << 20;
/// Axes of a tensor.
pub const AXES_MAX: usize = 6;
/// Oldest and newest operator set that the operators are known to mean the same in.
pub const OPSETS: std::ops::RangeInclusive<i64> = 13..=21;

/// Why a model cannot be read or run. Every message names what to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnnxError {
    /// The file ends early or is not one.
    File {
        /// Byte at which reading stopped.
        at: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The file is whole, but not one of these models.
    Model {
        /// The field: `opset_import`, `initializer "W"`, `input "x"`.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A node that cannot be computed.
    Node {
        /// Its name, or that of its first output.
        node: String,
        /// Its operator.
        operator: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What was given to a run does not fit.
    Input {
        /// Its name.
        input: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl OnnxError {
    pub(crate) fn model(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Model { field: field.into(), reason: reason.into() }
    }
}

impl fmt::Display for OnnxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { at, reason } => write!(f, "the file is not whole at byte {at}: {reason}"),
            Self::Model { field, reason } => write!(f, "{field}: {reason}"),
            Self::Node { node, operator, reason } => write!(f, "node {node:?} ({operator}): {reason}"),
            Self::Input { input, reason } => write!(f, "input {input:?}: {reason}"),
        }
    }
}

impl std::error::Error for OnnxError {}

/// A model that can be run.
#[derive(Clone, Debug)]
pub struct Model {
    graph: Graph,
}

/// Name and shape of an input or output; `None` for an axis that may have any length.
pub type Shape = (String, Vec<Option<usize>>);

impl Model {
    /// Reads a file and checks that every node can be computed, as far as that does not depend on lengths.
    ///
    /// # Errors
    /// As described above.
    pub fn read(file: &[u8]) -> Result<Self, OnnxError> {
        if file.len() > FILE_BYTES_MAX {
            let reason = format!("{} bytes, at most {FILE_BYTES_MAX} are read", file.len());
            return Err(OnnxError::File { at: FILE_BYTES_MAX, reason });
        }
        let graph = Graph::read(file)?;
        for node in &graph.nodes {
            operator::check(node)?;
        }
        let mut known: Vec<&str> = graph.weights.iter().map(|(name, _)| name.as_str()).collect();
        known.extend(graph.inputs.iter().map(|(name, _)| name.as_str()));
        for node in &graph.nodes {
            if let Some(missing) =
                node.inputs.iter().find(|name| !name.is_empty() && !known.contains(&name.as_str()))
            {
                return Err(node.wrong(format!("its input {missing:?} is made by no node before it")));
            }
            known.extend(node.outputs.iter().map(String::as_str));
        }
        match graph.outputs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(OnnxError::model(format!("output {name:?}"), "is made by no node")),
            None => Ok(Self { graph }),
        }
    }

    /// What a run takes, in this order.
    #[must_use]
    pub fn inputs(&self) -> &[Shape] {
        &self.graph.inputs
    }

    /// What a run gives, in this order.
    #[must_use]
    pub fn outputs(&self) -> &[Shape] {
        &self.graph.outputs
    }

    /// Runs the model once.
    ///
    /// # Errors
    /// Inputs that are too few, of another shape or not finite; a node whose inputs do not fit each other; a result that
    /// is not finite. Never a NaN that is passed on.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, OnnxError> {
        let graph = &self.graph;
        for (place, (name, shape)) in graph.inputs.iter().enumerate() {
            let refuse = |reason: String| Err(OnnxError::Input { input: name.clone(), reason });
            let Some(given) = inputs.get(place) else { return refuse("is not given".to_owned()) };
            if !fits(given.dims(), shape) {
                return refuse(format!("has shape {:?}, the model wants {}", given.dims(), shown(shape)));
            }
            if given.floats().is_none_or(|values| values.iter().any(|value| !value.is_finite())) {
                return refuse("has a value that is not a finite number".to_owned());
            }
        }
        let mut made: Vec<(&str, Tensor)> = Vec::with_capacity(graph.nodes.len());
        for node in &graph.nodes {
            let results = self.step(node, inputs, &made)?;
            // Looked at after every node: what follows might hide it, as a limit does.
            let finite = |tensor: &Tensor| {
                tensor.floats().is_none_or(|values| values.iter().all(|value| value.is_finite()))
            };
            if !results.iter().all(finite) {
                return Err(
                    node.wrong("gives what is not a finite number: the inputs are far from what was learnt")
                );
            }
            for (name, result) in node.outputs.iter().zip(results) {
                if !name.is_empty() {
                    made.push((name, result));
                }
            }
        }
        let mut outputs = Vec::with_capacity(graph.outputs.len());
        for (name, _) in &graph.outputs {
            let failed =
                || OnnxError::model(format!("output {name:?}"), "is not made by its node: export without it");
            outputs.push(self.tensor(name, inputs, &made).ok_or_else(failed)?.clone());
        }
        Ok(outputs)
    }

    fn step(
        &self,
        node: &Node,
        inputs: &[Tensor],
        made: &[(&str, Tensor)],
    ) -> Result<Vec<Tensor>, OnnxError> {
        let mut taken = Vec::with_capacity(node.inputs.len());
        for name in &node.inputs {
            taken.push(if name.is_empty() { None } else { self.tensor(name, inputs, made) });
        }
        operator::compute(node, &taken)
    }

    fn tensor<'a>(
        &'a self,
        name: &str,
        inputs: &'a [Tensor],
        made: &'a [(&str, Tensor)],
    ) -> Option<&'a Tensor> {
        let given =
            || self.graph.inputs.iter().position(|(input, _)| input == name).and_then(|at| inputs.get(at));
        let weight =
            || self.graph.weights.iter().find(|(weight, _)| weight == name).map(|(_, tensor)| tensor);
        made.iter()
            .rev()
            .find(|(one, _)| *one == name)
            .map(|(_, tensor)| tensor)
            .or_else(given)
            .or_else(weight)
    }
}

fn fits(dims: &[usize], shape: &[Option<usize>]) -> bool {
    dims.len() == shape.len() && dims.iter().zip(shape).all(|(dim, wanted)| wanted.is_none_or(|w| w == *dim))
}

fn shown(shape: &[Option<usize>]) -> String {
    let lengths: Vec<String> =
        shape.iter().map(|length| length.map_or("any".to_owned(), |length| length.to_string())).collect();
    format!("[{}]", lengths.join(", "))
}
