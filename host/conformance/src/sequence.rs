//! Rows for a behavior of which nothing is known but its declaration: seeded, near what is usual for each input's unit,
//! with noise, sometimes uncertain or missing. The same seed gives the same rows on every machine.

use geminus_core::declaration::Input;
use geminus_core::{Declaration, Frame, Quality, Timestamp, TwinIndex};
use geminus_sdk::Random;

/// 2026-01-01T00:00:00Z
const START: u64 = 1_767_225_600_000_000_000;
/// Nanoseconds from row to row.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// A stream of rows, one for each twin at a time.
#[derive(Debug)]
pub struct Sequence {
    random: Random,
    usual: Vec<f64>,
    ages: bool,
    time: u64,
    /// Some readings are uncertain or missing.
    gaps: bool,
}

/// What is about usual in a machine, by unit; 1 where nothing is known, and for deviations, which have the unit of a value and not its
/// size.
fn usual(input: &Input) -> f64 {
    if input.name.ends_with("deviation") {
        return 1.0;
    }
    match input.unit.as_str() {
        "Cel" => 60.0,
        "K" => 330.0,
        "V" => 230.0,
        "Hz" => 50.0,
        "A" => 5.0,
        "kW" => 11.0,
        "W" => 1_500.0,
        "Pa" => 250_000.0,
        "bar" => 3.0,
        "/min" | "{rpm}" | "1/min" => 1_480.0,
        "%" => 50.0,
        "L/min" => 100.0,
        _ => 1.0,
    }
}

impl Sequence {
    /// Rows for the declared inputs. With `gaps`, one reading in fifty is uncertain and one in fifty missing.
    #[must_use]
    pub fn new(declaration: &Declaration, seed: u64, gaps: bool) -> Self {
        let usual = declaration.inputs.iter().map(usual).collect();
        Self { random: Random::new(seed), usual, ages: declaration.ages, time: START, gaps }
    }

    /// One row a second later for each of the first `twins` twins.
    pub fn frame(&mut self, twins: u32) -> Frame {
        self.time += SECOND;
        let mut frame = Frame::new(self.usual.len());
        for twin in 0..twins {
            self.row(&mut frame, twin);
        }
        frame
    }

    /// So many frames of one row for each twin.
    pub fn frames(&mut self, count: usize, twins: u32) -> Vec<Frame> {
        (0..count).map(|_| self.frame(twins)).collect()
    }

    /// Lets time go by without rows.
    pub(crate) fn pass(&mut self, nanoseconds: u64) {
        self.time += nanoseconds;
    }

    /// A row of one twin with every input like this, a second later.
    pub(crate) fn odd(&mut self, value: f64, quality: Quality) -> Frame {
        self.time += SECOND;
        let mut frame = Frame::new(self.usual.len());
        frame.twins.push(TwinIndex(0));
        frame.times.push(Timestamp(self.time));
        let value = if quality == Quality::Missing { f64::NAN } else { value };
        frame.values.resize(self.usual.len(), value);
        frame.quality.resize(self.usual.len(), quality);
        self.age(&mut frame);
        frame
    }

    fn row(&mut self, frame: &mut Frame, twin: u32) {
        frame.twins.push(TwinIndex(twin));
        frame.times.push(Timestamp(self.time));
        for usual in &self.usual {
            let quality = match self.random.bits() % 100 {
                0 | 1 if self.gaps => Quality::Uncertain,
                2 | 3 if self.gaps => Quality::Missing,
                _ => Quality::Good,
            };
            let value = usual * (1.0 + 0.02 * self.random.normal());
            frame.values.push(if quality == Quality::Missing { f64::NAN } else { value });
            frame.quality.push(quality);
        }
        self.age(frame);
    }

    fn age(&self, frame: &mut Frame) {
        if self.ages {
            frame.ages_ms.resize(frame.values.len(), 20);
        }
    }
}

/// Frames put together into one, in their order.
pub(crate) fn joined(frames: &[Frame]) -> Frame {
    let mut all = Frame::new(frames.first().map_or(0, |frame| frame.inputs));
    for frame in frames {
        all.extend_from(frame, 0, frame.rows());
    }
    all
}

/// The rows of one twin, as if it were twin 0.
pub(crate) fn of_twin(frames: &[Frame], twin: u32) -> Vec<Frame> {
    let one = |frame: &Frame| {
        let place = frame.twins.iter().position(|one| one.0 == twin)?;
        let mut row = Frame::new(frame.inputs);
        row.extend_from(frame, place, place + 1);
        row.twins = vec![TwinIndex(0)];
        Some(row)
    };
    frames.iter().filter_map(one).collect()
}
