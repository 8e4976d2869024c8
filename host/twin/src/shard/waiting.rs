//! Closed rows whose inputs are outputs that another behavior has yet to compute.
//!
//! A row is closed, with the measured values of its time, as soon as its time is over; the columns that another
//! behavior computes are filled in when the outcome of that very row is applied. So a batch of a thousand rows gives
//! the same values as a thousand batches of one. Rows of one (twin, behavior) form a list in order of time, through
//! one slab for each binding.

use geminus_core::{Frame, Quality, Timestamp, TwinIndex};

use super::NONE;

/// One value of a row: number, quality, age in milliseconds.
pub(super) type Cell = (f64, Quality, u32);

/// A list of waiting rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) head: u32,
    tail: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { head: NONE, tail: NONE }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct WaitingRow {
    pub(super) twin: TwinIndex,
    pub(super) time: u64,
    pub(super) seen: u64,
    /// How many upstream stages it still waits for.
    pub(super) left: u32,
    pub(super) next: u32,
}

#[derive(Debug)]
pub(super) struct Waiting {
    inputs: usize,
    upstreams: usize,
    rows: Vec<WaitingRow>,
    /// Row time of each upstream stage that it waits for; 0 when it does not.
    needs: Vec<u64>,
    cells: Vec<Cell>,
    free: Vec<u32>,
}

#[expect(clippy::indexing_slicing, reason = "places come from `add`, which sizes all columns together")]
impl Waiting {
    pub(super) fn new(inputs: usize, upstreams: usize) -> Self {
        let (rows, needs, cells, free) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { inputs, upstreams, rows, needs, cells, free }
    }

    /// Appends a row to `list`; its needs and cells are to be set next.
    pub(super) fn add(&mut self, list: &mut List, row: WaitingRow) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.rows.push(row);
            self.needs.resize(self.rows.len() * self.upstreams, 0);
            self.cells.resize(self.rows.len() * self.inputs, (f64::NAN, Quality::Missing, u32::MAX));
            (self.rows.len() - 1) as u32
        });
        self.rows[place as usize] = WaitingRow { next: NONE, ..row };
        match list.tail {
            NONE => list.head = place,
            tail => self.rows[tail as usize].next = place,
        }
        list.tail = place;
        place
    }

    pub(super) fn row(&self, place: u32) -> WaitingRow {
        self.rows[place as usize]
    }

    pub(super) fn need(&mut self, place: u32, upstream: usize) -> &mut u64 {
        &mut self.needs[place as usize * self.upstreams + upstream]
    }

    pub(super) fn cell(&mut self, place: u32, input: usize) -> &mut Cell {
        &mut self.cells[place as usize * self.inputs + input]
    }

    /// One upstream stage less to wait for.
    pub(super) fn satisfied(&mut self, place: u32) {
        self.rows[place as usize].left -= 1;
    }

    /// Moves the rows at the front of `list` that wait for nothing any more to `frame`.
    pub(super) fn release(&mut self, list: &mut List, frame: &mut Frame, ages: bool) {
        while list.head != NONE && self.rows[list.head as usize].left == 0 {
            let place = list.head;
            let row = self.rows[place as usize];
            frame.twins.push(row.twin);
            frame.times.push(Timestamp(row.time));
            let from = place as usize * self.inputs;
            for (value, quality, age) in &self.cells[from..from + self.inputs] {
                frame.values.push(*value);
                frame.quality.push(*quality);
                if ages {
                    frame.ages_ms.push(*age);
                }
            }
            list.head = row.next;
            if list.head == NONE {
                list.tail = NONE;
            }
            self.free.push(place);
        }
    }
}
