//! Recorded rows of one behavior of one twin, read from history a reel at a time.
//!
//! A row is where the `by` series has a sample. Its inputs stand in the series `<behavior>/in/<input>` at the same time; a
//! missing input has left none. Its outputs are the samples of the estimated points `<behavior>.<output>`; what it said
//! besides them stands in `<behavior>/said`.

use geminus_core::{Declaration, Frame, Quality, Sample, Timestamp};
use geminus_store::{Reader, Row, Rows, StoreError};

use super::deck::TWIN;
use super::{Span, Subject};
use crate::said;

/// What a series of the tape holds.
#[derive(Clone, Copy, Debug)]
enum Track {
    By,
    Input(usize),
    Age(usize),
    Output(usize),
    Said,
}

/// A reading of rows.
#[derive(Debug)]
pub(super) struct Tape {
    rows: Rows,
    /// The row after the last reel, which was looked at already.
    next: Option<Row>,
    tracks: Vec<Track>,
    inputs: usize,
    ages: bool,
    outputs: usize,
    /// Names of inputs, whether ages are there, names of outputs.
    layout: Layout,
    /// Names of series that history should have and has not.
    pub(super) absent: Vec<String>,
    /// Times that were looked at, at which outputs or inputs were recorded, but no row.
    pub(super) stray: u64,
    /// Whether a row of it was run, so that its columns are those that the site had.
    pub(super) used: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Layout(Vec<String>, bool, Vec<String>);

impl Layout {
    fn of(declaration: &Declaration) -> Self {
        let inputs = declaration.inputs.iter().map(|input| input.name.clone()).collect();
        let outputs = declaration.outputs.iter().map(|output| output.name.clone()).collect();
        Self(inputs, declaration.ages, outputs)
    }
}

/// Some rows, in order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Reel {
    /// What they held.
    pub(super) frame: Frame,
    /// Rows: the incarnation that answered; 0 when nobody did.
    pub(super) by: Vec<u32>,
    /// Rows × outputs: what was recorded, if anything.
    pub(super) outputs: Vec<Option<(f64, Quality)>>,
    /// Rows: what was recorded of what they said besides outputs, 0 when they said nothing; `None` when that was not
    /// recorded.
    pub(super) said: Vec<Option<f64>>,
    /// Rows: [`Tape::stray`] as it was before that row.
    pub(super) stray: Vec<u64>,
}

impl Tape {
    /// The tape of rows that are laid out as `declaration` says.
    pub(super) fn open(
        reader: &Reader,
        subject: &Subject,
        declaration: &Declaration,
        span: Span,
    ) -> Result<Self, StoreError> {
        let behavior = &subject.behavior;
        let inputs = || declaration.inputs.iter().map(|input| &input.name).enumerate();
        let outputs = declaration.outputs.iter().map(|output| &output.name).enumerate();
        let wanted = std::iter::once((Track::By, format!("{behavior}/by")))
            .chain(inputs().map(|(at, name)| (Track::Input(at), format!("{behavior}/in/{name}"))))
            .chain(
                inputs()
                    .filter(|_| declaration.ages)
                    .map(|(at, name)| (Track::Age(at), format!("{behavior}/age/{name}"))),
            )
            .chain(outputs.map(|(at, name)| (Track::Output(at), format!("{behavior}.{name}"))))
            .chain([(Track::Said, format!("{behavior}/said"))]);
        let (mut tracks, mut series, mut absent) = (Vec::new(), Vec::new(), Vec::new());
        for (track, name) in wanted {
            match reader.series(&subject.twin, &name)? {
                Some(found) => {
                    tracks.push(track);
                    series.push(found);
                }
                // Whether it should be there stands in each row.
                None if matches!(track, Track::Said) => {}
                None => absent.push(name),
            }
        }
        let rows = reader.rows(&series, span.from, span.to)?;
        let (inputs, outputs) = (declaration.inputs.len(), declaration.outputs.len());
        let (ages, layout) = (declaration.ages, Layout::of(declaration));
        let next = None;
        Ok(Self { rows, next, tracks, inputs, ages, outputs, layout, absent, stray: 0, used: false })
    }

    /// Whether rows are laid out as this declaration says.
    pub(super) fn fits(&self, declaration: &Declaration) -> bool {
        self.layout == Layout::of(declaration)
    }

    /// The next rows before `limit`, at most `rows_max`.
    pub(super) fn read(&mut self, limit: Timestamp, rows_max: usize) -> Result<Reel, StoreError> {
        let mut reel = Reel { frame: Frame::new(self.inputs), ..Reel::default() };
        while reel.by.len() < rows_max {
            let Some(row) = self.next.take().map(Ok).or_else(|| self.rows.next()).transpose()? else { break };
            if row.time >= limit {
                self.next = Some(row);
                break;
            }
            self.put(&mut reel, &row);
        }
        Ok(reel)
    }

    fn put(&mut self, reel: &mut Reel, row: &Row) {
        let samples =
            || self.tracks.iter().zip(&row.values).filter_map(|(track, sample)| Some((*track, (*sample)?)));
        let Some((_, by)) = samples().find(|(track, _)| matches!(track, Track::By)) else {
            self.stray += 1;
            return;
        };
        let (cells, outputs) = (reel.frame.values.len(), reel.outputs.len());
        reel.frame.twins.push(TWIN);
        reel.frame.times.push(row.time);
        reel.frame.values.resize(cells + self.inputs, f64::NAN);
        reel.frame.quality.resize(cells + self.inputs, Quality::Missing);
        // What the host gives as the age of an input that is missing.
        reel.frame.ages_ms.resize(if self.ages { cells + self.inputs } else { 0 }, u32::MAX);
        reel.outputs.resize(outputs + self.outputs, None);
        reel.by.push(incarnation(&by));
        reel.stray.push(self.stray);
        let kept = by.quality == Quality::Good && by.value.fract() == said::KEPT;
        reel.said.push(kept.then_some(0.0));
        for (track, sample) in samples() {
            match track {
                Track::By => {}
                Track::Input(at) => {
                    set(&mut reel.frame.values, cells + at, sample.value);
                    set(&mut reel.frame.quality, cells + at, sample.quality);
                }
                Track::Age(at) => set(&mut reel.frame.ages_ms, cells + at, whole(sample.value)),
                Track::Output(at) => {
                    set(&mut reel.outputs, outputs + at, Some((sample.value, sample.quality)))
                }
                Track::Said => {
                    let row = reel.said.len().saturating_sub(1);
                    set(&mut reel.said, row, Some(sample.value));
                }
            }
        }
    }
}

fn set<T>(column: &mut [T], at: usize, value: T) {
    if let Some(cell) = column.get_mut(at) {
        *cell = value;
    }
}

impl Reel {
    /// Rows `from..to`.
    pub(super) fn part(&self, from: usize, to: usize) -> Self {
        let outputs = self.outputs.len().checked_div(self.by.len()).unwrap_or(0);
        Self {
            frame: super::part::frame(&self.frame, from, to),
            by: self.by.get(from..to).unwrap_or_default().to_vec(),
            outputs: self.outputs.get(from * outputs..to * outputs).unwrap_or_default().to_vec(),
            said: self.said.get(from..to).unwrap_or_default().to_vec(),
            stray: self.stray.get(from..to).unwrap_or_default().to_vec(),
        }
    }

    /// The same rows, in parts that the same one answered.
    pub(super) fn runs(self) -> Vec<Self> {
        if self.by.windows(2).all(|pair| matches!(pair, [a, b] if a == b)) {
            return if self.by.is_empty() { Vec::new() } else { vec![self] };
        }
        let mut from = 0;
        let run = |run: &[u32]| {
            let part = self.part(from, from + run.len());
            from += run.len();
            part
        };
        self.by.chunk_by(|a, b| a == b).map(run).collect()
    }
}

/// Who answered, by the sample that says so; the half that may be added is no part of it.
fn incarnation(sample: &Sample) -> u32 {
    match sample.quality {
        Quality::Good => whole(sample.value),
        _ => 0,
    }
}

/// A whole number that was kept as a sample.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "written from a u32; anything else saturates, NaN becomes 0"
)]
fn whole(value: f64) -> u32 {
    value as u32
}
