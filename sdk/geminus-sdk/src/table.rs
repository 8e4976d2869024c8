//! The slots of one instance: what runs in wasm behind the contract, natively under `testing`, and as the
//! baseline of benches. It checks the columns, keeps time and state per slot, and puts everything back when a
//! call ends in a fault.

use std::collections::BTreeSet;
use std::fmt;

use crate::behavior::{Answer, Opening};
use crate::columns::{OpeningRequest, Outcome, Rows};
use crate::{Behavior, Fault, Inputs, Outputs, Row, Timestamp, parameter};

mod foresight;
mod pages;
mod snapshot;

use pages::Pages;

/// Highest slot number; the host gives them out densely from 0.
const SLOT_MAX: u32 = (1 << 24) - 1;

type OutputsOf<B> = <<B as Behavior>::Answer as Answer>::Outputs;

/// Twins of one behavior, each in its slot.
pub struct SlotTable<B: Behavior> {
    slots: Pages<Slot<B>>,
    /// What slots were before the running call touched them.
    undo: Vec<Before<B>>,
    /// Number of the running call.
    call: u64,
}

struct Slot<B: Behavior> {
    behavior: B,
    state: B::State,
    /// Time of the last row taken.
    last: Option<Timestamp>,
    /// Time of the last row admitted; differs from `last` only inside a call.
    admitted: Option<Timestamp>,
    /// Number of the call that last kept a copy of `state`.
    kept: u64,
    /// Last usable inputs, for forecasts; empty for behaviors that make none.
    held: Vec<f64>,
}

struct Before<B: Behavior> {
    slot: u32,
    state: B::State,
    last: Option<Timestamp>,
    held: Vec<f64>,
}

impl<B: Behavior> fmt::Debug for SlotTable<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotTable").field("open", &self.slots.count()).finish_non_exhaustive()
    }
}

impl<B: Behavior> Default for SlotTable<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Behavior> SlotTable<B> {
    /// A table without slots.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Pages::new(), undo: Vec::new(), call: 0 }
    }

    /// Makes slots, all or none.
    ///
    /// # Errors
    /// The behavior's own fault, or `Other` for a slot that is open already or out of range.
    pub fn open(&mut self, openings: &[OpeningRequest]) -> Result<(), Fault> {
        let (mut made, mut named) = (Vec::with_capacity(openings.len()), BTreeSet::new());
        for opening in openings {
            let taken = !named.insert(opening.slot) || self.get(opening.slot).is_some();
            if taken || opening.slot > SLOT_MAX {
                let why = if taken { "open already" } else { "above the highest" };
                return Err(Fault::other(format!("slot {} for {} is {why}", opening.slot, opening.twin)));
            }
            made.push((opening.slot, Slot::open(opening)?));
        }
        for (number, slot) in made {
            self.slots.put(number, slot);
        }
        Ok(())
    }

    /// Advances slots by their rows, in order, all or none.
    ///
    /// # Errors
    /// `Input` for a row that is not open or not later than the one before; the behavior's own fault.
    pub fn step(&mut self, rows: Rows<'_>) -> Result<Outcome, Fault> {
        self.fits(&rows)?;
        self.admit(&rows)?;
        self.call += 1;
        let outcome = self.take(&rows);
        if outcome.is_err() {
            self.put_back(&rows);
        }
        self.undo.clear();
        outcome
    }

    /// Forgets slots; those that are not open are passed over.
    pub fn close(&mut self, slots: &[u32]) {
        for slot in slots {
            self.slots.remove(*slot);
        }
    }

    fn get(&self, slot: u32) -> Option<&Slot<B>> {
        self.slots.get(slot)
    }

    fn get_mut(&mut self, slot: u32) -> Option<&mut Slot<B>> {
        self.slots.get_mut(slot)
    }

    fn fits(&self, rows: &Rows<'_>) -> Result<(), Fault> {
        let (count, cells) = (rows.slots.len(), rows.slots.len() * B::Inputs::WIDTH);
        let have = [rows.times.len(), rows.values.len(), rows.quality.len()];
        if have != [count, cells, cells] {
            return Err(Fault::other(format!(
                "columns of {have:?} do not fit {count} rows of {} inputs",
                B::Inputs::WIDTH
            )));
        }
        Ok(())
    }

    /// Looks at every row's slot and time before any is taken.
    fn admit(&mut self, rows: &Rows<'_>) -> Result<(), Fault> {
        for (row, (&slot, &time)) in (0..).zip(rows.slots.iter().zip(rows.times)) {
            let time = Timestamp(time);
            let reason = match self.get_mut(slot) {
                None => format!("slot {slot} is not open"),
                Some(open) if open.admitted.is_some_and(|before| time <= before) => {
                    format!("time {} of slot {slot} is not after its row before", time.0)
                }
                Some(open) => {
                    open.admitted = Some(time);
                    continue;
                }
            };
            self.forget_admitted(rows);
            return Err(Fault::Input { row, reason });
        }
        Ok(())
    }

    fn take(&mut self, rows: &Rows<'_>) -> Result<Outcome, Fault> {
        let width = <OutputsOf<B>>::WIDTH;
        let mut outcome =
            Outcome { values: Vec::with_capacity(rows.slots.len() * width), ..Outcome::default() };
        let (call, undo) = (self.call, &mut self.undo);
        let inputs = B::Inputs::rows(rows.values, rows.quality);
        for (row, ((&number, &time), inputs)) in (0..).zip(rows.slots.iter().zip(rows.times).zip(inputs)) {
            let Some(slot) = self.slots.get_mut(number) else { continue };
            if B::Answer::FALLIBLE && slot.kept != call {
                slot.kept = call;
                undo.push(slot.before(number));
            }
            slot.hold(&inputs);
            let outputs =
                slot.step(row, Timestamp(time), inputs, &mut outcome).map_err(|fault| fault.at(row))?;
            outcome.push(&outputs);
        }
        Ok(outcome)
    }

    fn put_back(&mut self, rows: &Rows<'_>) {
        for Before { slot, state, last, held } in std::mem::take(&mut self.undo) {
            if let Some(open) = self.get_mut(slot) {
                (open.state, open.last, open.held) = (state, last, held);
            }
        }
        self.forget_admitted(rows);
    }

    fn forget_admitted(&mut self, rows: &Rows<'_>) {
        for &slot in rows.slots {
            if let Some(open) = self.get_mut(slot) {
                open.admitted = open.last;
            }
        }
    }
}

impl<B: Behavior> Slot<B> {
    fn open(opening: &OpeningRequest) -> Result<Self, Fault> {
        let parameters = parameter::from_json(&opening.parameters)?;
        let behavior = B::open(parameters, &Opening { twin: &opening.twin, seed: opening.seed })?;
        let state = behavior.start();
        let held = if B::FORECAST { vec![f64::NAN; B::Inputs::WIDTH] } else { Vec::new() };
        Ok(Self { behavior, state, last: None, admitted: None, kept: 0, held })
    }

    #[inline]
    fn before(&self, slot: u32) -> Before<B> {
        Before { slot, state: self.state.clone(), last: self.last, held: self.held.clone() }
    }

    #[inline]
    fn step(
        &mut self,
        row: u32,
        time: Timestamp,
        inputs: B::Inputs,
        outcome: &mut Outcome,
    ) -> Result<OutputsOf<B>, Fault> {
        let elapsed = self.last.map(|last| time.seconds_since(last));
        self.last = Some(time);
        let sinks = (&mut outcome.alerts, &mut outcome.proposals);
        let mut row = Row::new(inputs, row, (time, elapsed), sinks);
        self.behavior.step(&mut self.state, &mut row).outputs()
    }
}

impl Outcome {
    /// Appends a row; quality stays empty until something is not good.
    #[inline]
    fn push(&mut self, outputs: &impl Outputs) {
        let (values, quality) = outputs.cells();
        if !self.quality.is_empty() || quality.as_ref().iter().any(|&q| q != 0) {
            self.quality.resize(self.values.len(), 0);
            self.quality.extend_from_slice(quality.as_ref());
        }
        self.values.extend_from_slice(values.as_ref());
    }
}
