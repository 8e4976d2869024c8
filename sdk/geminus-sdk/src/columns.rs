//! The contract's records as plain Rust: what the slot table takes and gives, in wasm as well as natively.
//! Everything is columns, row-major, in declared order; see `wit/next/behavior.wit` for each line.

/// R rows for open slots, borrowed. Rows of one slot come in strictly increasing time.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// R
    pub slots: &'a [u32],
    /// R nanoseconds since the epoch.
    pub times: &'a [u64],
    /// R × I, NaN where missing.
    pub values: &'a [f64],
    /// R × I numbers of `Quality`.
    pub quality: &'a [u8],
}

/// Answer for R rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// R × O, NaN where there is no value.
    pub values: Vec<f64>,
    /// R × O numbers of `Quality`; empty when all are good.
    pub quality: Vec<u8>,
    /// In row order.
    pub alerts: Vec<Alert>,
    /// In row order.
    pub proposals: Vec<Wish>,
}

/// One raised alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Row of the call.
    pub row: u32,
    /// Index into the declared alerts.
    pub alert: u32,
    /// What tripped it.
    pub value: f64,
    /// For people.
    pub detail: String,
}

/// One proposal, by index.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// Row of the call.
    pub row: u32,
    /// Index into the declared commands.
    pub command: u32,
    /// In the declared unit.
    pub value: f64,
    /// 0 … 1
    pub confidence: f64,
    /// Milliseconds after the row's time.
    pub valid_for_ms: u32,
    /// For people.
    pub reason: String,
}

/// A twin is given a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningRequest {
    /// Not open at this moment.
    pub slot: u32,
    /// The twin's id, for messages only.
    pub twin: String,
    /// JSON object.
    pub parameters: Vec<u8>,
    /// The only source of randomness.
    pub seed: u64,
}

/// State of S slots, all in one schema, end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct States {
    /// Number of the schema that the bytes follow.
    pub schema: u32,
    /// S
    pub slots: Vec<u32>,
    /// All states, end to end.
    pub bytes: Vec<u8>,
    /// S exclusive ends into `bytes`.
    pub ends: Vec<u32>,
}

/// A question about the future of one slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForecastRequest {
    /// Whose future.
    pub slot: u32,
    /// N, after the slot's last row, strictly increasing.
    pub times: Vec<u64>,
    /// N × I assumed inputs; NaN holds the last value.
    pub values: Vec<f64>,
}

/// The answer for N times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prediction {
    /// N × O
    pub mean: Vec<f64>,
    /// N × O standard deviations; NaN where not known.
    pub deviation: Vec<f64>,
}
