//! What a component costs: nanoseconds and fuel a row, alone and in batches, memory and state a twin. The clock is the
//! caller's, so that this room has none.

use std::time::Duration;

use geminus_behavior::Cohort;
use geminus_core::Frame;
use geminus_sdk::testing::pace::{Columns, Course};
use serde::Serialize;

use crate::bed::{Bed, BedError, SEED, played};
use crate::sequence::{Sequence, joined};

/// Twins of the measured cohort.
const TWINS: u32 = 1_024;
/// Rows of each twin in one run.
const ROUNDS: usize = 16;
/// Runs, of which the median counts.
const RUNS: usize = 9;

/// Tells the time since some moment.
pub type Timer<'a> = &'a dyn Fn() -> Duration;

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum CostsError {
    /// It cannot be started.
    #[error(transparent)]
    Bed(#[from] BedError),
    /// A usual row was not answered.
    #[error("a usual row was not answered: {0}")]
    Row(String),
}

/// What a row and a twin cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Costs {
    /// `name@version`.
    pub plugin: String,
    /// Nanoseconds a row in calls of 256 rows: many twins, or a host that is busy.
    pub batch_ns: f64,
    /// Nanoseconds a row in calls of one: a host that is idle.
    pub single_ns: f64,
    /// Fuel of a row in a batch, the mean.
    pub fuel_per_row: u64,
    /// Fuel of a row alone, the dearest.
    pub fuel_per_row_max: u64,
    /// Memory of an instance with one twin, in bytes.
    pub memory_bytes: usize,
    /// Memory that each further twin takes, in bytes.
    pub memory_bytes_per_twin: usize,
    /// State of a twin as it is saved, in bytes.
    pub state_bytes: usize,
    /// The same rows natively, where the author offers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<Native>,
}

/// The same code without a component around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Native {
    /// Nanoseconds a row.
    pub batch_ns: f64,
    /// How many times as long the component takes.
    pub ratio: f64,
}

/// Measures the component; takes some seconds.
///
/// # Errors
/// When it cannot be started or does not answer usual rows.
pub fn measure(bed: &Bed, timer: Timer<'_>) -> Result<Costs, CostsError> {
    let declaration = bed.declaration();
    let mut one = bed.cohort(1)?;
    let single = Sequence::new(declaration, SEED, false).frames(ROUNDS * 64, 1);
    let (single_ns, dearest) = single_rows(&mut one, &single, timer)?;
    let memory_bytes = one.memory_bytes();
    let mut fleet = bed.cohort(TWINS)?;
    let (batch_ns, fuel_per_row) = batches(&mut fleet, bed, timer)?;
    let state = fleet.snapshot(None).map_err(|error| CostsError::Row(error.to_string()))?;
    Ok(Costs {
        plugin: declaration.label(),
        batch_ns,
        single_ns,
        fuel_per_row,
        fuel_per_row_max: dearest,
        memory_bytes,
        memory_bytes_per_twin: fleet.memory_bytes().saturating_sub(memory_bytes) / (TWINS as usize - 1),
        state_bytes: state.twins.iter().map(|twin| twin.bytes.len()).max().unwrap_or(0),
        native: None,
    })
}

/// The rows that the component takes in its batches, for a native run of the same code.
#[must_use]
pub fn course(bed: &Bed) -> Course {
    let columns = |frame: &Frame| Columns {
        slots: frame.twins.iter().map(|twin| twin.0).collect(),
        times: frame.times.iter().map(|time| time.0).collect(),
        values: frame.values.clone(),
        quality: frame.quality.iter().map(|&quality| quality as u8).collect(),
    };
    let frames = batch_frames(bed).iter().flatten().map(columns).collect();
    Course { twins: TWINS, parameters: bed.parameters().to_owned(), frames }
}

fn batch_frames(bed: &Bed) -> Vec<Vec<Frame>> {
    let mut rows = Sequence::new(bed.declaration(), SEED, false);
    (0..RUNS).map(|_| rows.frames(ROUNDS, TWINS)).collect()
}

fn batches(cohort: &mut Cohort, bed: &Bed, timer: Timer<'_>) -> Result<(f64, u64), CostsError> {
    let (mut times, mut fuel) = (Vec::new(), 0);
    for frames in batch_frames(bed) {
        let start = timer();
        let given = played(cohort, &frames).map_err(CostsError::Row)?;
        times.push((timer() - start).as_secs_f64() * 1e9 / (ROUNDS * TWINS as usize) as f64);
        fuel += given.iter().map(|step| step.fuel).sum::<u64>();
    }
    Ok((median(times), fuel / (RUNS * ROUNDS * TWINS as usize) as u64))
}

fn single_rows(cohort: &mut Cohort, frames: &[Frame], timer: Timer<'_>) -> Result<(f64, u64), CostsError> {
    let (mut times, mut dearest) = (Vec::new(), 0);
    for frames in frames.chunks(128) {
        let start = timer();
        let given = played(cohort, frames).map_err(CostsError::Row)?;
        times.push((timer() - start).as_secs_f64() * 1e9 / joined(frames).rows() as f64);
        dearest = given.iter().map(|step| step.fuel).fold(dearest, u64::max);
    }
    Ok((median(times), dearest))
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
