//! A cohort: the twins of one plugin version that share one instance, each in a slot.
//!
//! Owned by one shard thread. Rows since the last snapshot are kept, so that after a crash the instance is built
//! anew exactly as it was (`recovery`). Opening and closing stand in `membership`, state in and out in `saving` and
//! `handover`, what a new version needs in `heir` and `succession`; here is the step, which is the hot path: a frame's
//! columns are copied once into the log and once from there into the guest.

mod foresight;
mod handover;
mod heir;
mod ladder;
mod membership;
mod recovery;
mod saving;
mod search;
mod settlement;
mod sift;
mod succession;
mod walk;

use std::sync::Arc;

use geminus_core::{Frame, Outcome, Quality, TwinIndex};

pub use foresight::{ForecastError, Prediction};
pub use heir::{Heir, Household};
pub use membership::StartError;
pub use saving::{RestoreError, SnapshotError};
pub use succession::{ColdStart, SwapError, handover_schema};

use crate::base::Base;
use crate::columns::Sheet;
use crate::compiled::Compiled;
use crate::flood::Flood;
use crate::host::HostCalls;
use crate::instance::Instance;
use crate::meter::Meter;
use crate::slots::{Opening, Slots, Standing};
use crate::trouble::{FaultKind, TwinFault};
use search::Purse;

/// Twins of one plugin version in one instance.
pub struct Cohort {
    compiled: Arc<Compiled>,
    host: Arc<dyn HostCalls>,
    slots: Slots,
    /// `None` before the first twin, and when the cohort was given up.
    instance: Option<Instance>,
    /// State at the last snapshot.
    base: Base,
    /// Rows that had a result since then; during a step its tail is the work.
    log: Sheet,
    /// Row of the frame for each row of the work; empty when they are the same.
    origin: Vec<u32>,
    /// Rows of the log that were refused during the running step, and so are no part of what happened.
    refused_rows: Vec<usize>,
    /// Faults found outside a step, for the next one to report.
    faults: Vec<TwinFault>,
    /// What all its instances have used.
    meter: Arc<Meter>,
    /// What the running step may spend on searching.
    purse: Purse,
    rows: u64,
    /// Times that an instance was built for it since its start, whatever for: for good, or to find out who broke it.
    rebuilds: u64,
}

/// What a step gave.
#[derive(Debug, Default)]
pub struct Stepped {
    /// Results, by row of the frame. Rows without a result are NaN and bad.
    pub outcome: Outcome,
    /// Why rows had no result. A quarantined twin is named once, when it happens.
    pub faults: Vec<TwinFault>,
    /// Fuel used, which is a deterministic measure of work; recovery included.
    pub fuel: u64,
    /// Times that an instance was built during this step: anew, or to find out who broke it.
    pub rebuilds: u64,
    /// Proposals that were left out because their twin is not warm yet.
    pub inhibited: u64,
    /// What was cut because it was too much, since the step before.
    pub floods: Vec<Flood>,
}

/// A frame that was not made for this cohort's declaration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame does not fit {label}: {what}")]
pub struct FrameError {
    label: String,
    what: String,
}

impl Cohort {
    /// The plugin version that runs.
    #[must_use]
    pub fn compiled(&self) -> &Arc<Compiled> {
        &self.compiled
    }

    /// Its twins, in order of their slots, quarantined ones too.
    pub fn twins(&self) -> impl Iterator<Item = TwinIndex> {
        self.slots.iter().map(|(_, opening, _)| opening.twin)
    }

    /// Twins that get no rows because of what they did.
    pub fn quarantined(&self) -> impl Iterator<Item = TwinIndex> {
        let out = self.slots.iter().filter(|(.., pace)| pace.standing != Standing::Live);
        out.map(|(_, opening, _)| opening.twin)
    }

    /// Linear memory of the instance.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.instance.as_ref().map_or(0, Instance::memory_bytes)
    }

    /// Rows that had a result since the cohort was started.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Times that an instance was built for its twins since it was started: anew after a crash, or to find out who broke
    /// it. Each costs the time of the rows since the last save, which all twins of the shard wait for.
    #[must_use]
    pub fn rebuilds(&self) -> u64 {
        self.rebuilds
    }

    /// The twin's slot, dense from 0 and given out anew after a close, and how it stands; `None` when it has none here.
    #[must_use]
    #[inline]
    pub fn slot(&self, twin: TwinIndex) -> Option<(u32, Standing)> {
        let slot = self.slots.find(twin)?;
        self.slots.pace(slot).map(|pace| (slot, pace.standing))
    }

    /// What a twin was opened with; `None` when it has no slot here.
    #[must_use]
    pub fn opening(&self, twin: TwinIndex) -> Option<&Opening> {
        self.slots.opening(self.slots.find(twin)?).map(|opening| &**opening)
    }

    /// Faults found since the last step: by a snapshot, an opening, a closing. The next step reports them too.
    pub fn take_faults(&mut self) -> Vec<TwinFault> {
        std::mem::take(&mut self.faults)
    }

    /// Steps the twins of `frame` by its rows. Takes as long as the behavior needs, at most the site's wall-clock
    /// limit for each call, and blocks the thread for it.
    ///
    /// # Errors
    /// When the frame does not fit the declaration; nothing has changed then.
    pub fn step(&mut self, frame: &Frame) -> Result<Stepped, FrameError> {
        self.check(frame)?;
        self.begin();
        let (fuel_before, rebuilds_before) = (self.meter.fuel(), self.rebuilds);
        let mut faults = std::mem::take(&mut self.faults);
        let start = self.log.rows();
        self.admit(frame, start, &mut faults);
        let answers = self.run(start, &mut faults);
        let (outcome, inhibited) = self.settle(frame, start, answers, &mut faults);
        if self.compiled.declaration().state.schema == 0 {
            self.log.truncate(0);
        } else if self.log.rows() >= self.compiled.engine.limits.replay_rows(self.slots.len()) {
            self.save(&mut faults);
        }
        let fuel = self.meter.fuel().saturating_sub(fuel_before);
        let rebuilds = self.rebuilds - rebuilds_before;
        Ok(Stepped { outcome, faults, fuel, rebuilds, inhibited, floods: self.meter.take_floods() })
    }

    fn check(&self, frame: &Frame) -> Result<(), FrameError> {
        let declaration = self.compiled.declaration();
        let inputs = declaration.inputs.len();
        let cells = frame.rows() * inputs;
        let ages = if declaration.ages { cells } else { 0 };
        let fits = frame.inputs == inputs
            && frame.times.len() == frame.rows()
            && frame.values.len() == cells
            && frame.quality.len() == cells
            && frame.ages_ms.len() == ages;
        if fits {
            return Ok(());
        }
        let what = format!(
            "{} rows of {} inputs with {} times, {} values, {} qualities, {} ages; {inputs} inputs and {ages} ages are declared",
            frame.rows(),
            frame.inputs,
            frame.times.len(),
            frame.values.len(),
            frame.quality.len(),
            frame.ages_ms.len()
        );
        Err(FrameError { label: declaration.label(), what })
    }

    /// Copies the rows that may be stepped to the end of the log.
    fn admit(&mut self, frame: &Frame, start: usize, faults: &mut Vec<TwinFault>) {
        self.origin.clear();
        for ((&twin, &time), row) in frame.twins.iter().zip(&frame.times).zip(0..) {
            match self.slots.admit(twin, time) {
                Ok(slot) => {
                    self.log.push_row(slot, time.0);
                    self.origin.push(row);
                }
                Err(None) => {}
                Err(Some(message)) => faults.push(TwinFault {
                    twin,
                    row: Some(row),
                    kind: FaultKind::Row,
                    message,
                    quarantined: false,
                }),
            }
        }
        let quality = |cells: &[Quality], log: &mut Sheet, values: &[f64], ages: &[u32]| {
            log.extend_inputs(values, cells.iter().map(|&quality| quality as u8), ages);
        };
        if self.log.rows() - start == frame.rows() {
            quality(&frame.quality, &mut self.log, &frame.values, &frame.ages_ms);
            self.origin.clear();
            return;
        }
        for &row in &self.origin {
            let cells = row as usize * frame.inputs..(row as usize + 1) * frame.inputs;
            let values = frame.values.get(cells.clone()).unwrap_or_default();
            let ages = frame.ages_ms.get(cells.clone()).unwrap_or_default();
            quality(frame.quality.get(cells).unwrap_or_default(), &mut self.log, values, ages);
        }
    }
}

impl std::fmt::Debug for Cohort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cohort")
            .field("compiled", &self.compiled)
            .field("twins", &self.slots.len())
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}
