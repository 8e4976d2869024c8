//! Rows of behavior input, as columns: what `twin` gives and `behavior` takes.

use crate::{Quality, Timestamp, TwinIndex};

/// R rows for the slots of one cohort. Row r belongs to twin `twins[r]` and stands for `times[r]`; rows of one
/// twin come in increasing time. Values and quality are row-major in the declared order of inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// Number of declared inputs, I.
    pub inputs: usize,
    /// R: whose row.
    pub twins: Vec<TwinIndex>,
    /// R: the row's time.
    pub times: Vec<Timestamp>,
    /// R × I; in the *declared* unit; NaN exactly where quality says missing.
    pub values: Vec<f64>,
    /// R × I
    pub quality: Vec<Quality>,
    /// R × I milliseconds between an input's source time and the row's time, saturating; empty unless the
    /// declaration asks for ages.
    pub ages_ms: Vec<u32>,
}

impl Frame {
    /// An empty frame of `inputs` columns.
    #[must_use]
    pub fn new(inputs: usize) -> Self {
        Self { inputs, ..Self::default() }
    }

    /// R.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.twins.len()
    }

    /// True when there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.twins.is_empty()
    }

    /// Forgets the rows, keeps the memory.
    pub fn clear(&mut self) {
        self.twins.clear();
        self.times.clear();
        self.values.clear();
        self.quality.clear();
        self.ages_ms.clear();
    }

    /// Appends rows `from..to` of `other`, which has as many inputs.
    #[expect(clippy::indexing_slicing, reason = "lengths follow from rows × inputs, which this type keeps")]
    pub fn extend_from(&mut self, other: &Self, from: usize, to: usize) {
        let (start, end) = (from * other.inputs, to * other.inputs);
        self.twins.extend_from_slice(&other.twins[from..to]);
        self.times.extend_from_slice(&other.times[from..to]);
        self.values.extend_from_slice(&other.values[start..end]);
        self.quality.extend_from_slice(&other.quality[start..end]);
        if !other.ages_ms.is_empty() {
            self.ages_ms.extend_from_slice(&other.ages_ms[start..end]);
        }
    }
}
