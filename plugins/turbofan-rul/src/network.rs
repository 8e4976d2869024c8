//! The model in its file, checked once, and one cycle through it.

use std::sync::OnceLock;

use geminus_models::onnx::{Model, OnnxError, Tensor};
use geminus_sdk::{Fault, Pack};

/// Sensors of a cycle.
pub const SENSORS: usize = 14;
/// Networks whose mean is the answer.
pub const NETWORKS: usize = 5;
/// Numbers that each remembers.
pub const HIDDEN: usize = 24;

/// What training wrote.
const FILE: &[u8] = include_bytes!("../model.onnx");

/// Cycles that remain, with an interval that holds in nine of ten cases.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Said {
    /// Expected.
    pub remaining: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end, not below the lower one.
    pub high: f64,
}

/// What the networks remember.
pub(crate) type Hidden = [[f32; HIDDEN]; NETWORKS];

/// A model with the inputs and outputs that this behavior needs.
#[derive(Debug)]
pub(crate) struct Network {
    model: Model,
}

impl Network {
    /// The shipped model, read once for all engines.
    ///
    /// # Errors
    /// When it cannot be run, which a test of this crate excludes.
    pub(crate) fn shipped() -> Result<&'static Self, Fault> {
        static SHIPPED: OnceLock<Result<Network, String>> = OnceLock::new();
        let read = || Self::read(FILE).map_err(|error| error.to_string());
        SHIPPED.get_or_init(read).as_ref().map_err(|error| Fault::other(format!("model.onnx: {error}")))
    }

    /// Reads a model and holds its inputs and outputs against what goes in and out here.
    fn read(file: &[u8]) -> Result<Self, OnnxError> {
        let model = Model::read(file)?;
        let sensors = ("sensors".to_owned(), vec![1, 1, SENSORS]);
        let memory = |end: &str| {
            let named = |i: usize| (format!("memory_{i}{end}"), vec![1, 1, HIDDEN]);
            (0..NETWORKS).map(named).collect::<Vec<_>>()
        };
        let answer = [("remaining".to_owned(), vec![1, 1]), ("interval".to_owned(), vec![1, 2])];
        let inputs: Vec<_> = std::iter::once(sensors).chain(memory("")).collect();
        let outputs: Vec<_> = answer.into_iter().chain(memory("_next")).collect();
        for (found, wanted) in [(model.inputs(), inputs), (model.outputs(), outputs)] {
            for (place, (name, shape)) in wanted.iter().enumerate() {
                let fits = |(one, lengths): &(String, Vec<Option<usize>>)| {
                    one == name && lengths.iter().copied().eq(shape.iter().copied().map(Some))
                };
                if !found.get(place).is_some_and(fits) {
                    let reason = format!("is not at place {place} with shape {shape:?}: train anew");
                    return Err(OnnxError::Model { field: format!("input or output {name:?}"), reason });
                }
            }
        }
        Ok(Self { model })
    }

    /// One cycle: what is said, and what is remembered for the next.
    ///
    /// # Errors
    /// Sensors beyond single precision, or so far from what was learnt that a result is no number.
    pub(crate) fn step(
        &self,
        sensors: &[f32; SENSORS],
        hidden: &Hidden,
    ) -> Result<(Said, Hidden), OnnxError> {
        let tensor = |name: &str, values: &[f32]| {
            let lost =
                || OnnxError::Input { input: name.to_owned(), reason: "has too many numbers".to_owned() };
            Tensor::new(&[1, 1, values.len()], values.to_vec()).ok_or_else(lost)
        };
        let mut inputs = vec![tensor("sensors", sensors)?];
        for memory in hidden {
            inputs.push(tensor("memory", memory)?);
        }
        let outputs = self.model.run(&inputs)?;
        let lost =
            || OnnxError::Model { field: "outputs".to_owned(), reason: "are too few: train anew".to_owned() };
        let mut outputs = outputs.iter().map(|output| output.floats().unwrap_or_default());
        let (Some([remaining]), Some([low, high])) = (outputs.next(), outputs.next()) else {
            return Err(lost());
        };
        let mut next = [[0.0; HIDDEN]; NETWORKS];
        for memory in &mut next {
            *memory = outputs.next().and_then(|values| values.try_into().ok()).ok_or_else(lost)?;
        }
        let remaining = f64::from(*remaining);
        // The lines of the interval were fitted one by one and may cross at their ends.
        let (low, high) = (f64::from(*low).min(remaining), f64::from(*high).max(remaining));
        Ok((Said { remaining, low, high }, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_model_fits_and_one_that_is_cut_or_another_is_refused_by_name() {
        Network::shipped().expect("the shipped model");
        let cut = Network::read(&FILE[..FILE.len() / 2]).expect_err("half a file");
        assert!(matches!(cut, OnnxError::File { .. }), "{cut}");
        let mut other = FILE.to_vec();
        while let Some(at) = other.windows(7).position(|name| name == b"sensors") {
            other[at] = b'c';
        }
        let error = Network::read(&other).expect_err("another input").to_string();
        assert!(error.contains("\"sensors\"") && error.contains("train anew"), "{error}");
    }

    #[test]
    fn sensors_that_are_no_numbers_are_an_error_and_never_an_answer() {
        let network = Network::shipped().expect("the shipped model");
        for bad in [f32::NAN, f32::INFINITY] {
            let error = network.step(&[bad; SENSORS], &[[0.0; HIDDEN]; NETWORKS]).expect_err("no number");
            assert!(error.to_string().starts_with("input \"sensors\""), "{error}");
        }
    }
}
