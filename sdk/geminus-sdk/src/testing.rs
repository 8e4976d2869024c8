//! A host for `cargo test`: the same slot table, columns and all-or-nothing as in wasm, with typed rows, names
//! instead of indices, and the log lines that a call wrote.

use crate::behavior::Answer;
use crate::columns::{ForecastRequest, OpeningRequest, Outcome, Prediction, Rows, States};
use crate::log::{Line, collect};
use crate::state::unknown_schema;
use crate::{Alerts, Behavior, Commands, Fault, Inputs, Outputs, Quality, SlotTable, State};

#[cfg(not(target_arch = "wasm32"))]
pub mod case;
#[cfg(not(target_arch = "wasm32"))]
pub mod golden;
#[cfg(not(target_arch = "wasm32"))]
pub mod pace;

/// Seed of every slot that the testing host opens.
pub const SEED: u64 = 20_260_101;

/// One behavior with one twin, in slot 0.
pub struct Host<B: Behavior> {
    table: SlotTable<B>,
    parameters: String,
    lines: Vec<Line>,
}

/// What one row gave, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Stepped {
    /// Raised alerts, in order.
    pub alerts: Vec<Raised>,
    /// Proposals, in order.
    pub proposals: Vec<Proposed>,
    cells: Vec<(&'static str, f64, Quality)>,
}

/// A raised alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Raised {
    /// Declared code.
    pub code: &'static str,
    /// What tripped it.
    pub value: f64,
    /// For people.
    pub detail: String,
}

/// A proposal.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposed {
    /// Declared name of the command.
    pub command: &'static str,
    /// In the declared unit.
    pub value: f64,
    /// 0 … 1
    pub confidence: f64,
    /// Milliseconds after the row's time.
    pub valid_for_ms: u32,
    /// For people.
    pub reason: String,
}

impl<B: Behavior> std::fmt::Debug for Host<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("table", &self.table).finish_non_exhaustive()
    }
}

impl Stepped {
    /// The output's number; `None` when there is no value.
    ///
    /// # Panics
    /// When there is no output of that name.
    #[must_use]
    pub fn value(&self, output: &str) -> Option<f64> {
        Some(self.cell(output).1).filter(|value| !value.is_nan())
    }

    /// The output's quality.
    ///
    /// # Panics
    /// When there is no output of that name.
    #[must_use]
    pub fn quality(&self, output: &str) -> Quality {
        self.cell(output).2
    }

    #[expect(clippy::panic, reason = "a test that asks for an unknown output is wrong")]
    fn cell(&self, output: &str) -> &(&'static str, f64, Quality) {
        let found = self.cells.iter().find(|(name, ..)| *name == output);
        found.unwrap_or_else(|| panic!("there is no output {output:?} among {:?}", self.cells))
    }

    /// The same for a case to be held against.
    #[cfg(not(target_arch = "wasm32"))]
    fn given(&self) -> case::Given {
        let cells =
            self.cells.iter().map(|(name, value, quality)| ((*name).to_owned(), *value, *quality as u8));
        let alerts = self.alerts.iter().map(|alert| (alert.code.to_owned(), alert.value));
        let proposals = self.proposals.iter().map(|wish| (wish.command.to_owned(), wish.value));
        case::Given { cells: cells.collect(), alerts: alerts.collect(), proposals: proposals.collect() }
    }

    fn from_outcome<B: Behavior>(outcome: Outcome) -> Self {
        let names = <<B::Answer as Answer>::Outputs as Outputs>::NAMES;
        let quality =
            outcome.quality.iter().map(|&q| Quality::from_u8(q)).chain(std::iter::repeat(Quality::Good));
        let cells = names.iter().zip(outcome.values).zip(quality).map(|((name, value), q)| (*name, value, q));
        let alerts = outcome.alerts.into_iter().map(|alert| Raised {
            code: B::Alerts::CODES.get(alert.alert as usize).copied().unwrap_or("undeclared"),
            value: alert.value,
            detail: alert.detail,
        });
        let proposals = outcome.proposals.into_iter().map(|wish| Proposed {
            command: B::Commands::NAMES.get(wish.command as usize).copied().unwrap_or("undeclared"),
            value: wish.value,
            confidence: wish.confidence,
            valid_for_ms: wish.valid_for_ms,
            reason: wish.reason,
        });
        Self { cells: cells.collect(), alerts: alerts.collect(), proposals: proposals.collect() }
    }
}

impl<B: Behavior> Host<B> {
    /// Opens one slot with a JSON object of parameters.
    ///
    /// # Errors
    /// What the behavior does not accept.
    pub fn open(parameters: &str) -> Result<Self, Fault> {
        let (table, lines) = collect(|| opened(parameters));
        Ok(Self { table: table?, parameters: parameters.to_owned(), lines })
    }

    /// Takes one row, `seconds` after 2026-01-01T00:00:00Z.
    ///
    /// # Errors
    /// The behavior's fault, after which the state is as before.
    pub fn step(&mut self, seconds: f64, inputs: B::Inputs) -> Result<Stepped, Fault> {
        let (values, quality) = inputs.cells();
        self.step_cells(nanoseconds(seconds), values.as_ref(), quality.as_ref())
    }

    /// One row of bare cells, in declared order.
    fn step_cells(&mut self, time: u64, values: &[f64], quality: &[u8]) -> Result<Stepped, Fault> {
        let rows = Rows { slots: &[0], times: &[time], values, quality };
        self.call(|table| table.step(rows)).map(Stepped::from_outcome::<B>)
    }

    /// Looks ahead to `seconds` (the same clock as `step`) with the last inputs held.
    ///
    /// # Errors
    /// The behavior's fault.
    pub fn forecast(&mut self, seconds: &[f64]) -> Result<Prediction, Fault> {
        let times: Vec<u64> = seconds.iter().copied().map(nanoseconds).collect();
        let values = vec![f64::NAN; times.len() * B::Inputs::WIDTH];
        self.call(|table| table.forecast(&ForecastRequest { slot: 0, times, values }))
    }

    /// The state in the newest schema, or an older one.
    ///
    /// # Errors
    /// For a schema that is not written.
    pub fn snapshot(&self, schema: Option<u32>) -> Result<States, Fault> {
        self.table.snapshot(&[0], schema)
    }

    /// Replaces the state.
    ///
    /// # Errors
    /// For bytes or a schema that cannot be read.
    pub fn restore(&mut self, states: &States) -> Result<(), Fault> {
        self.call(|table| table.restore(states))
    }

    /// What a swap does: snapshot, a new instance with the same parameters, restore.
    ///
    /// # Errors
    /// What any of the three answers.
    pub fn swap(&mut self) -> Result<(), Fault> {
        let states = self.snapshot(None)?;
        self.table = opened(&self.parameters)?;
        self.restore(&states)
    }

    /// What a swap to another version does, up or down: opens it with these parameters and restores the state in the
    /// newest schema that this one writes and the other reads. This one stays as it is.
    ///
    /// # Errors
    /// When there is no such schema, or what either answers.
    pub fn hand_to<C: Behavior>(&self, parameters: &str) -> Result<Host<C>, Fault> {
        let numbers = |list: &str| list.split(',').filter_map(|one| one.parse().ok()).collect::<Vec<u32>>();
        let reads = numbers(C::State::READS);
        let common = numbers(B::State::WRITES).into_iter().filter(|schema| reads.contains(schema)).max();
        let schema = common.ok_or_else(|| unknown_schema(B::State::SCHEMA, C::State::READS))?;
        let mut other = Host::<C>::open(parameters)?;
        other.restore(&self.snapshot(Some(schema))?)?;
        Ok(other)
    }

    /// Takes the lines that were logged since the last time.
    pub fn log(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// The table itself, for rows of many slots.
    pub fn table(&mut self) -> &mut SlotTable<B> {
        &mut self.table
    }

    fn call<T>(&mut self, call: impl FnOnce(&mut SlotTable<B>) -> T) -> T {
        let (answer, lines) = collect(|| call(&mut self.table));
        self.lines.extend(lines);
        answer
    }
}

fn opened<B: Behavior>(parameters: &str) -> Result<SlotTable<B>, Fault> {
    let mut table = SlotTable::new();
    let (twin, parameters) = ("test".to_owned(), parameters.as_bytes().to_vec());
    table.open(&[OpeningRequest { slot: 0, twin, parameters, seed: SEED }])?;
    Ok(table)
}

/// 2026-01-01T00:00:00Z plus `seconds`, to the nanosecond.
#[expect(clippy::cast_possible_truncation, reason = "tests give small times; `as` saturates")]
fn nanoseconds(seconds: f64) -> u64 {
    1_767_225_600_000_000_000_u64.saturating_add_signed((seconds * 1e9) as i64)
}
