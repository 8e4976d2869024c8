//! Whether two runs gave the same, bit for bit, and if not where: outputs, quality, alerts, proposals.

use geminus_behavior::Stepped;
use geminus_core::{Declaration, Outcome};

/// All NaN are one: there is no value.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

/// The first difference of two runs, frame by frame.
pub(crate) fn difference(declaration: &Declaration, one: &[Stepped], other: &[Stepped]) -> Option<String> {
    if one.len() != other.len() {
        return Some(format!("{} frames were answered, then {}", one.len(), other.len()));
    }
    let frames = one.iter().zip(other).enumerate();
    frames.map(|(frame, (a, b))| of_frame(declaration, frame, &a.outcome, &b.outcome)).find_map(|found| found)
}

/// The first difference of two outcomes.
pub(crate) fn of_frame(declaration: &Declaration, frame: usize, a: &Outcome, b: &Outcome) -> Option<String> {
    if a.values.len() != b.values.len() {
        return Some(format!("row {frame}: {} values, then {}", a.values.len(), b.values.len()));
    }
    let outputs = declaration.outputs.len().max(1);
    let cells = a.values.iter().zip(&b.values).zip(a.quality.iter().zip(&b.quality)).enumerate();
    for (cell, ((value, other), (quality, worse))) in cells {
        if bits(*value) != bits(*other) || quality != worse {
            let name = declaration.outputs.get(cell % outputs).map_or("?", |output| output.name.as_str());
            let row = frame + cell / outputs;
            return Some(format!(
                "row {row}, output {name}: {value:?} {}, then {other:?} {}",
                quality.name(),
                worse.name()
            ));
        }
    }
    events(frame, a, b)
}

fn events(frame: usize, a: &Outcome, b: &Outcome) -> Option<String> {
    let alert = |outcome: &Outcome| {
        let one = |it: &geminus_core::Alert| (it.row, it.alert, bits(it.value), it.detail.clone());
        outcome.alerts.iter().map(one).collect::<Vec<_>>()
    };
    let wish = |outcome: &Outcome| {
        let one = |it: &geminus_core::Proposal| {
            (it.row, it.command, bits(it.value), bits(it.confidence), it.valid_for_ms, it.reason.clone())
        };
        outcome.proposals.iter().map(one).collect::<Vec<_>>()
    };
    if alert(a) != alert(b) {
        return Some(format!("row {frame}: alerts {:?}, then {:?}", a.alerts, b.alerts));
    }
    (wish(a) != wish(b)).then(|| format!("row {frame}: proposals {:?}, then {:?}", a.proposals, b.proposals))
}

/// Names of the outputs that had a number in the last of these rows.
pub(crate) fn numbers(declaration: &Declaration, outcome: &Outcome) -> Vec<String> {
    let outputs = declaration.outputs.iter().zip(&outcome.values);
    outputs.filter(|(_, value)| value.is_finite()).map(|(output, _)| output.name.clone()).collect()
}
