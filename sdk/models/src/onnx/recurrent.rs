//! GRU and LSTM, forward, with the standard activations; `layout` 0: X is [steps, batch, inputs].
//!
//! Gates in ONNX's order: z, r, h of a GRU, i, o, f, c of an LSTM. Each has a row of W and R for every hidden number, and
//! two biases. Sums run in the order of the weights, so that their bits do not depend on the machine.

use super::graph::{Attribute, Node};
use super::operator::{floats, made};
use super::tensor::Tensor;
use super::{ELEMENTS_MAX, OnnxError};

/// Refuses what would compute something else: other activations, directions, layouts, clipping.
pub(crate) fn check(node: &Node) -> Result<(), OnnxError> {
    let standard: &[&str] =
        if node.operator == "GRU" { &["Sigmoid", "Tanh"] } else { &["Sigmoid", "Tanh", "Tanh"] };
    match node.attribute("direction") {
        None => {}
        Some(Attribute::Text(direction)) if direction == "forward" => {}
        Some(_) => return Err(node.wrong("attribute direction: only \"forward\" can be run")),
    }
    match node.attribute("activations") {
        None => {}
        Some(Attribute::Texts(given)) if given == standard => {}
        Some(_) => return Err(node.wrong(format!("attribute activations: only {standard:?} can be run"))),
    }
    for name in ["clip", "activation_alpha", "activation_beta"] {
        if node.attribute(name).is_some() {
            return Err(node.wrong(format!("attribute {name} cannot be run: export without it")));
        }
    }
    for name in ["layout", "input_forget"] {
        if node.integer(name, 0)? != 0 {
            return Err(node.wrong(format!("attribute {name}: only 0 can be run")));
        }
    }
    for (place, name) in [(4, "sequence_lens"), (7, "P")] {
        if node.inputs.get(place).is_some_and(|input| !input.is_empty()) {
            return Err(node.wrong(format!("input {name} cannot be run: export without it")));
        }
    }
    Ok(())
}

/// Sizes and weights of a layer, checked against each other.
struct Layer<'a> {
    hidden: usize,
    inputs: usize,
    /// [gates · hidden, inputs]
    w: &'a [f32],
    /// [gates · hidden, hidden]
    r: &'a [f32],
    /// Biases of W, then of R; empty for none.
    b: &'a [f32],
}

/// Y, the last h, and for an LSTM the last c.
pub(crate) fn compute(node: &Node, given: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OnnxError> {
    let gates = if node.operator == "GRU" { 3 } else { 4 };
    let input = |place: usize| given.get(place).copied().flatten();
    let needed =
        |place: usize, name: &str| input(place).ok_or_else(|| node.wrong(format!("input {name} is missing")));
    let (x, w, r) = (needed(0, "X")?, needed(1, "W")?, needed(2, "R")?);
    let &[steps, batch, inputs] = x.dims() else {
        return Err(node.wrong(format!("input X has shape {:?}, not [steps, batch, inputs]", x.dims())));
    };
    let &[1, _, hidden] = r.dims() else {
        return Err(node.wrong(format!("input R has shape {:?}, not [1, {gates} hidden, hidden]", r.dims())));
    };
    let shaped = |tensor: &Tensor, name: &str, wanted: &[usize]| {
        let wrong = || Err(node.wrong(format!("input {name} has shape {:?}, not {wanted:?}", tensor.dims())));
        if tensor.dims() == wanted { Ok(()) } else { wrong() }
    };
    if batch == 0 || steps == 0 || inputs == 0 || hidden == 0 {
        return Err(node.wrong("an axis of length 0: an empty window has no answer"));
    }
    shaped(w, "W", &[1, gates * hidden, inputs])?;
    shaped(r, "R", &[1, gates * hidden, hidden])?;
    if let Some(b) = input(3) {
        shaped(b, "B", &[1, 2 * gates * hidden])?;
    }
    if node.integer("hidden_size", i64::try_from(hidden).unwrap_or(-1))?
        != i64::try_from(hidden).unwrap_or(-1)
    {
        return Err(node.wrong(format!("attribute hidden_size is not the {hidden} of its weights")));
    }
    if steps.saturating_mul(batch).saturating_mul(hidden) > ELEMENTS_MAX {
        return Err(node.wrong("its output is beyond the limits"));
    }
    let start = |place: usize, name: &str| -> Result<Vec<f32>, OnnxError> {
        let Some(tensor) = input(place) else { return Ok(vec![0.0; batch * hidden]) };
        shaped(tensor, name, &[1, batch, hidden])?;
        Ok(floats(node, tensor)?.to_vec())
    };
    let (mut h, mut c) = (start(5, "initial_h")?, start(6, "initial_c")?);
    let b = input(3).map_or(Ok(&[][..]), |b| floats(node, b))?;
    let layer = Layer { hidden, inputs, w: floats(node, w)?, r: floats(node, r)?, b };
    let before_reset = node.integer("linear_before_reset", 0)? != 0;
    let mut y = Vec::with_capacity(steps * batch * hidden);
    for row in floats(node, x)?.chunks_exact(batch * inputs) {
        let states = h.chunks_exact_mut(hidden).zip(c.chunks_exact_mut(hidden));
        for (x, (h, c)) in row.chunks_exact(inputs).zip(states) {
            if gates == 3 { layer.gru(x, h, before_reset) } else { layer.lstm(x, h, c) }
        }
        y.extend_from_slice(&h);
    }
    let mut outputs = vec![made(node, &[steps, 1, batch, hidden], y)?, made(node, &[1, batch, hidden], h)?];
    if gates == 4 {
        outputs.push(made(node, &[1, batch, hidden], c)?);
    }
    Ok(outputs)
}

impl Layer<'_> {
    /// What goes into a gate from the inputs, without the recurrence: one number for each hidden one.
    fn forward(&self, gate: usize, x: &[f32]) -> Vec<f32> {
        self.product(self.w, gate, self.inputs, x, 0)
    }

    /// What goes into a gate from the memory.
    fn back(&self, gate: usize, h: &[f32]) -> Vec<f32> {
        self.product(self.r, gate, self.hidden, h, self.b.len() / 2)
    }

    fn product(&self, weights: &[f32], gate: usize, width: usize, x: &[f32], bias: usize) -> Vec<f32> {
        let first = gate * self.hidden;
        let rows = weights.chunks_exact(width).skip(first).take(self.hidden).enumerate();
        let sum = |(row, weights): (usize, &[f32])| {
            let start = self.b.get(bias + first + row).copied().unwrap_or(0.0);
            weights.iter().zip(x).fold(start, |sum, (weight, x)| sum + weight * x)
        };
        rows.map(sum).collect()
    }

    fn gru(&self, x: &[f32], h: &mut [f32], before_reset: bool) {
        let gate = |number: usize, h: &[f32]| -> Vec<f32> {
            let both = self.forward(number, x).into_iter().zip(self.back(number, h));
            both.map(|(forward, back)| sigmoid(forward + back)).collect()
        };
        let (z, r) = (gate(0, h), gate(1, h));
        let candidate: Vec<f32> = if before_reset {
            let back = self.back(2, h).into_iter().zip(&r).map(|(back, r)| r * back);
            self.forward(2, x)
                .into_iter()
                .zip(back)
                .map(|(forward, back)| libm::tanhf(forward + back))
                .collect()
        } else {
            let reset: Vec<f32> = h.iter().zip(&r).map(|(h, r)| r * h).collect();
            let back = self.back(2, &reset);
            self.forward(2, x)
                .into_iter()
                .zip(back)
                .map(|(forward, back)| libm::tanhf(forward + back))
                .collect()
        };
        for ((h, z), n) in h.iter_mut().zip(z).zip(candidate) {
            *h = (1.0 - z) * n + z * *h;
        }
    }

    fn lstm(&self, x: &[f32], h: &mut [f32], c: &mut [f32]) {
        let sums: [Vec<f32>; 4] = std::array::from_fn(|gate| {
            let both = self.forward(gate, x).into_iter().zip(self.back(gate, h));
            both.map(|(forward, back)| forward + back).collect()
        });
        let [input, output, forget, candidate] = sums;
        let gates = input.into_iter().zip(output).zip(forget.into_iter().zip(candidate));
        for (((i, o), (f, n)), (h, c)) in gates.zip(h.iter_mut().zip(c.iter_mut())) {
            *c = sigmoid(f) * *c + sigmoid(i) * libm::tanhf(n);
            *h = sigmoid(o) * libm::tanhf(*c);
        }
    }
}

pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}
