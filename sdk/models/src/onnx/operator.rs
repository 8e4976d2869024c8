//! What the operators compute. `check` refuses a node that no run could compute; `compute` takes its tensors.

use super::graph::{Attribute, Node};
use super::tensor::{Tensor, elements};
use super::{OnnxError, recurrent};

/// The operators that can be run.
pub const OPERATORS: [&str; 23] = [
    "Add",
    "Clip",
    "Concat",
    "Constant",
    "Div",
    "Dropout",
    "Flatten",
    "GRU",
    "Gather",
    "Gemm",
    "Identity",
    "LSTM",
    "MatMul",
    "Mul",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
];

/// Whether the operator is known, in the standard domain, and its node has an output.
pub(crate) fn check(node: &Node) -> Result<(), OnnxError> {
    if !(node.domain.is_empty() || node.domain == "ai.onnx") {
        return Err(node.wrong(format!("of domain {:?}: only standard operators can be run", node.domain)));
    }
    if !OPERATORS.contains(&node.operator.as_str()) {
        let reason = format!("this operator cannot be run here; known are {}", OPERATORS.join(", "));
        return Err(node.wrong(reason));
    }
    if node.outputs.is_empty() {
        return Err(node.wrong("has no output"));
    }
    match node.operator.as_str() {
        "GRU" | "LSTM" => recurrent::check(node),
        _ => Ok(()),
    }
}

/// The outputs of a node.
pub(crate) fn compute(node: &Node, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OnnxError> {
    let input = |place: usize| -> Result<&Tensor, OnnxError> {
        inputs
            .get(place)
            .copied()
            .flatten()
            .ok_or_else(|| node.wrong(format!("its input {place} is missing")))
    };
    let made = match node.operator.as_str() {
        "GRU" | "LSTM" => return recurrent::compute(node, inputs),
        "Identity" | "Dropout" => input(0)?.clone(),
        "Constant" => match node.attribute("value") {
            Some(Attribute::Tensor(tensor)) => tensor.clone(),
            _ => return Err(node.wrong("attribute value is not a tensor")),
        },
        "Add" => pairwise(node, input(0)?, input(1)?, |a, b| a + b)?,
        "Sub" => pairwise(node, input(0)?, input(1)?, |a, b| a - b)?,
        "Mul" => pairwise(node, input(0)?, input(1)?, |a, b| a * b)?,
        "Div" => pairwise(node, input(0)?, input(1)?, |a, b| a / b)?,
        "Relu" => each(node, input(0)?, |x| x.max(0.0))?,
        "Sigmoid" => each(node, input(0)?, recurrent::sigmoid)?,
        "Tanh" => each(node, input(0)?, libm::tanhf)?,
        "Clip" => {
            let bound = |place: usize, none: f32| -> Result<f32, OnnxError> {
                let Some(bound) = inputs.get(place).copied().flatten() else { return Ok(none) };
                match bound.floats() {
                    Some([bound]) => Ok(*bound),
                    _ => Err(node.wrong(format!("its bound {place} is not a single float"))),
                }
            };
            let (low, high) = (bound(1, f32::MIN)?, bound(2, f32::MAX)?);
            each(node, input(0)?, |x| x.max(low).min(high))?
        }
        "MatMul" => matrix_product(node, input(0)?, input(1)?)?,
        "Gemm" => gemm(node, input(0)?, input(1)?, inputs.get(2).copied().flatten())?,
        "Squeeze" | "Unsqueeze" | "Reshape" | "Flatten" => {
            let dims = new_shape(node, input(0)?, inputs.get(1).copied().flatten())?;
            let wrong = || node.wrong(format!("its input has not as many numbers as shape {dims:?}"));
            input(0)?.reshaped(&dims).ok_or_else(wrong)?
        }
        "Transpose" => transposed(node, input(0)?)?,
        "Concat" => joined(node, inputs)?,
        "Gather" => gathered(node, input(0)?, input(1)?)?,
        "ReduceMean" => averaged(node, input(0)?, inputs.get(1).copied().flatten())?,
        _ => return Err(node.wrong("this operator cannot be run here")),
    };
    Ok(vec![made])
}

pub(crate) fn floats<'a>(node: &Node, tensor: &'a Tensor) -> Result<&'a [f32], OnnxError> {
    tensor.floats().ok_or_else(|| node.wrong("takes floats, not integers"))
}

pub(crate) fn made(node: &Node, dims: &[usize], data: Vec<f32>) -> Result<Tensor, OnnxError> {
    Tensor::new(dims, data).ok_or_else(|| node.wrong(format!("shape {dims:?} is beyond the limits")))
}

fn each(node: &Node, tensor: &Tensor, f: impl Fn(f32) -> f32) -> Result<Tensor, OnnxError> {
    made(node, tensor.dims(), floats(node, tensor)?.iter().map(|x| f(*x)).collect())
}

/// Two tensors of shapes that fit by NumPy's rule.
fn pairwise(node: &Node, a: &Tensor, b: &Tensor, f: impl Fn(f32, f32) -> f32) -> Result<Tensor, OnnxError> {
    let (left, right) = (floats(node, a)?, floats(node, b)?);
    let axes = a.dims().len().max(b.dims().len());
    let padded = |dims: &[usize]| -> Vec<usize> {
        std::iter::repeat_n(1, axes - dims.len()).chain(dims.iter().copied()).collect()
    };
    let (one, other) = (padded(a.dims()), padded(b.dims()));
    let mut dims = Vec::with_capacity(axes);
    for (x, y) in one.iter().zip(&other) {
        match (x, y) {
            (x, y) if x == y => dims.push(*x),
            (1, y) => dims.push(*y),
            (x, 1) => dims.push(*x),
            _ => return Err(node.wrong(format!("shapes {:?} and {:?} do not fit", a.dims(), b.dims()))),
        }
    }
    let count = elements(&dims).ok_or_else(|| node.wrong(format!("shape {dims:?} is beyond the limits")))?;
    let value = |data: &[f32], own: &[usize], place: usize| {
        let (mut rest, mut at, mut stride) = (place, 0, 1);
        for (dim, mine) in dims.iter().zip(own).rev() {
            let step = rest % dim;
            rest /= dim;
            if *mine != 1 {
                at += step * stride;
            }
            stride *= mine;
        }
        data.get(at).copied().unwrap_or(f32::NAN)
    };
    made(node, &dims, (0..count).map(|k| f(value(left, &one, k), value(right, &other, k))).collect())
}

/// Rows times columns of two matrices.
fn matrix_product(node: &Node, a: &Tensor, b: &Tensor) -> Result<Tensor, OnnxError> {
    let (&[rows, inner], &[height, columns]) = (a.dims(), b.dims()) else {
        return Err(node.wrong(format!("multiplies matrices, not shapes {:?} and {:?}", a.dims(), b.dims())));
    };
    if inner != height {
        return Err(node.wrong(format!("shapes {:?} and {:?} do not fit", a.dims(), b.dims())));
    }
    if elements(&[rows, columns]).is_none() {
        return Err(node.wrong(format!("shape [{rows}, {columns}] is beyond the limits")));
    }
    let (left, right) = (floats(node, a)?, floats(node, b)?);
    let mut data = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for column in 0..columns {
            let row = left.iter().skip(row * inner).take(inner);
            let column = right.iter().skip(column).step_by(columns);
            data.push(row.zip(column).map(|(a, b)| a * b).sum());
        }
    }
    made(node, &[rows, columns], data)
}

/// `alpha A' B' + beta C`.
fn gemm(node: &Node, a: &Tensor, b: &Tensor, c: Option<&Tensor>) -> Result<Tensor, OnnxError> {
    let turned = |tensor: &Tensor, name: &str| -> Result<Tensor, OnnxError> {
        if node.integer(name, 0)? == 0 { Ok(tensor.clone()) } else { turn(node, tensor, &[1, 0]) }
    };
    let (alpha, beta) = (node.float("alpha", 1.0)?, node.float("beta", 1.0)?);
    let product = matrix_product(node, &turned(a, "transA")?, &turned(b, "transB")?)?;
    let product = each(node, &product, |x| alpha * x)?;
    match c {
        Some(c) => pairwise(node, &product, c, |x, c| x + beta * c),
        None => Ok(product),
    }
}

/// An axis that may be counted from the end.
fn axis(node: &Node, axis: i64, axes: usize) -> Result<usize, OnnxError> {
    let count = i64::try_from(axes).unwrap_or(i64::MAX);
    let placed = if axis < 0 { axis.saturating_add(count) } else { axis };
    usize::try_from(placed)
        .ok()
        .filter(|placed| *placed < axes)
        .ok_or_else(|| node.wrong(format!("there is no axis {axis} among {axes}")))
}

/// Axes as an attribute or as an input; `None` when neither is there.
fn axes_of(node: &Node, given: Option<&Tensor>) -> Result<Option<Vec<i64>>, OnnxError> {
    match given {
        Some(tensor) => match tensor.integers() {
            Some(axes) => Ok(Some(axes.to_vec())),
            None => Err(node.wrong("its axes or lengths are not integers")),
        },
        None => Ok(node.integers("axes")?.map(<[i64]>::to_vec)),
    }
}

fn new_shape(node: &Node, tensor: &Tensor, given: Option<&Tensor>) -> Result<Vec<usize>, OnnxError> {
    let dims = tensor.dims();
    match node.operator.as_str() {
        "Squeeze" => {
            let Some(axes) = axes_of(node, given)? else {
                return Ok(dims.iter().copied().filter(|dim| *dim != 1).collect());
            };
            let axes = axes.iter().map(|one| axis(node, *one, dims.len())).collect::<Result<Vec<_>, _>>()?;
            let kept = dims.iter().enumerate().filter(|(place, _)| !axes.contains(place));
            Ok(kept.map(|(_, dim)| *dim).collect())
        }
        "Unsqueeze" => {
            let axes = axes_of(node, given)?.ok_or_else(|| node.wrong("has no axes"))?;
            let all = dims.len() + axes.len();
            let axes = axes.iter().map(|one| axis(node, *one, all)).collect::<Result<Vec<_>, _>>()?;
            let mut old = dims.iter().copied();
            Ok((0..all)
                .map(|place| if axes.contains(&place) { 1 } else { old.next().unwrap_or(1) })
                .collect())
        }
        "Flatten" => {
            let from = node.integer("axis", 1)?;
            let split = if from == i64::try_from(dims.len()).unwrap_or(i64::MAX) {
                dims.len()
            } else {
                axis(node, from, dims.len())?
            };
            let (outer, inner) = dims.split_at(split);
            Ok(vec![outer.iter().product(), inner.iter().product()])
        }
        _ => {
            let lengths = axes_of(node, given)?.ok_or_else(|| node.wrong("has no shape"))?;
            if lengths.iter().filter(|length| **length == -1).count() > 1 {
                return Err(node.wrong("more than one length is -1"));
            }
            let mut shape = Vec::with_capacity(lengths.len());
            for (place, length) in lengths.iter().enumerate() {
                shape.push(match length {
                    0 => dims
                        .get(place)
                        .copied()
                        .ok_or_else(|| node.wrong("a length 0 has nothing to copy"))?,
                    -1 => 1,
                    length => usize::try_from(*length).map_err(|_| node.wrong(format!("length {length}")))?,
                });
            }
            if let Some(open) = lengths.iter().position(|length| *length == -1) {
                let count: usize = dims.iter().product();
                let known = elements(&shape).filter(|known| *known > 0 && count.is_multiple_of(*known));
                let known = known.ok_or_else(|| node.wrong(format!("{dims:?} cannot become {lengths:?}")))?;
                if let Some(length) = shape.get_mut(open) {
                    *length = count / known;
                }
            }
            Ok(shape)
        }
    }
}

fn transposed(node: &Node, tensor: &Tensor) -> Result<Tensor, OnnxError> {
    let axes = tensor.dims().len();
    let order = match node.integers("perm")? {
        Some(order) => order.iter().map(|one| axis(node, *one, axes)).collect::<Result<Vec<_>, _>>()?,
        None => (0..axes).rev().collect(),
    };
    if (0..axes).any(|axis| !order.contains(&axis)) || order.len() != axes {
        return Err(node.wrong(format!("perm {order:?} does not name each of {axes} axes once")));
    }
    turn(node, tensor, &order)
}

/// Axes in another order, which names each once.
fn turn(node: &Node, tensor: &Tensor, order: &[usize]) -> Result<Tensor, OnnxError> {
    let (data, dims) = (floats(node, tensor)?, tensor.dims());
    if dims.len() != order.len() {
        return Err(node.wrong(format!("{dims:?} has not {} axes", order.len())));
    }
    let stride = |axis: usize| dims.iter().skip(axis + 1).product::<usize>();
    let turned: Vec<(usize, usize)> =
        order.iter().map(|axis| (dims.get(*axis).copied().unwrap_or(1), stride(*axis))).collect();
    let value = |place: usize| {
        let (mut rest, mut at) = (place, 0);
        for (dim, stride) in turned.iter().rev() {
            at += rest % dim * stride;
            rest /= dim;
        }
        data.get(at).copied().unwrap_or(f32::NAN)
    };
    let new: Vec<usize> = turned.iter().map(|(dim, _)| *dim).collect();
    made(node, &new, (0..data.len()).map(value).collect())
}

fn joined(node: &Node, inputs: &[Option<&Tensor>]) -> Result<Tensor, OnnxError> {
    let parts: Vec<&Tensor> = inputs.iter().copied().flatten().collect();
    let Some(first) = parts.first() else { return Err(node.wrong("joins nothing")) };
    let along = axis(node, node.integer("axis", 0)?, first.dims().len())?;
    let without = |tensor: &Tensor| -> Vec<usize> {
        tensor.dims().iter().enumerate().filter(|(place, _)| *place != along).map(|(_, dim)| *dim).collect()
    };
    if let Some(odd) = parts.iter().find(|part| without(part) != without(first)) {
        return Err(node.wrong(format!("shapes {:?} and {:?} do not fit", first.dims(), odd.dims())));
    }
    let outer: usize = first.dims().iter().take(along).product();
    let mut data = Vec::new();
    for block in 0..outer {
        for part in &parts {
            let length: usize = part.dims().iter().skip(along).product();
            data.extend(floats(node, part)?.iter().skip(block * length).take(length));
        }
    }
    let mut dims = first.dims().to_vec();
    if let Some(length) = dims.get_mut(along) {
        *length = parts.iter().filter_map(|part| part.dims().get(along)).sum();
    }
    made(node, &dims, data)
}

fn gathered(node: &Node, tensor: &Tensor, indices: &Tensor) -> Result<Tensor, OnnxError> {
    let along = axis(node, node.integer("axis", 0)?, tensor.dims().len())?;
    let wanted = indices.integers().ok_or_else(|| node.wrong("its indices are not integers"))?;
    let (outer, from) = tensor.dims().split_at(along);
    let (length, inner) = (from.first().copied().unwrap_or(1), from.iter().skip(1).product::<usize>());
    let data = floats(node, tensor)?;
    let mut picked = Vec::new();
    for block in 0..outer.iter().product::<usize>() {
        for index in wanted {
            let index = axis(node, *index, length)
                .map_err(|_| node.wrong(format!("there is no element {index} among {length}")))?;
            picked.extend(data.iter().skip((block * length + index) * inner).take(inner));
        }
    }
    let dims: Vec<usize> = outer.iter().chain(indices.dims()).chain(from.iter().skip(1)).copied().collect();
    made(node, &dims, picked)
}

/// Mean along axes; they stay with length 1 unless `keepdims` is 0.
fn averaged(node: &Node, tensor: &Tensor, given: Option<&Tensor>) -> Result<Tensor, OnnxError> {
    let (data, dims) = (floats(node, tensor)?, tensor.dims());
    let axes = match axes_of(node, given)? {
        Some(axes) => axes.iter().map(|one| axis(node, *one, dims.len())).collect::<Result<Vec<_>, _>>()?,
        None => (0..dims.len()).collect(),
    };
    let kept: Vec<usize> =
        dims.iter().enumerate().map(|(place, dim)| if axes.contains(&place) { 1 } else { *dim }).collect();
    let count: usize = kept.iter().product();
    let mut sums = vec![0.0_f32; count];
    for (place, value) in data.iter().enumerate() {
        let (mut rest, mut at, mut stride) = (place, 0, 1);
        for (dim, kept) in dims.iter().zip(&kept).rev() {
            at += if *kept == 1 { 0 } else { rest % dim * stride };
            rest /= dim;
            stride *= kept;
        }
        if let Some(sum) = sums.get_mut(at) {
            *sum += value;
        }
    }
    let share = data.len().checked_div(count).unwrap_or(0);
    if share == 0 {
        return Err(node.wrong("averages nothing"));
    }
    #[expect(clippy::cast_precision_loss, reason = "at most ELEMENTS_MAX")]
    sums.iter_mut().for_each(|sum| *sum /= share as f32);
    let flat = node.integer("keepdims", 1)? == 0;
    let shown: Vec<usize> = if flat {
        dims.iter().enumerate().filter(|(place, _)| !axes.contains(place)).map(|(_, dim)| *dim).collect()
    } else {
        kept
    };
    made(node, &shown, sums)
}
