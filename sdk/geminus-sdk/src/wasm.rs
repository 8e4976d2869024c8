//! The border in wasm: the contract's calls, handed to the slot table. Only the expansion of the attribute macros
//! names this module.

use std::cell::RefCell;
use std::sync::Once;

use bindings::exports::geminus::behavior::behavior as contract;
use bindings::geminus::behavior::types;

use crate::columns::{self, Outcome, Rows, States};
use crate::{Behavior, Fault, SlotTable};

#[expect(missing_docs, reason = "generated from the contract, which documents every line")]
#[allow(clippy::all, clippy::pedantic, unsafe_code, unreachable_pub, reason = "generated from the contract")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/next",
        world: "plugin",
        pub_export_macro: true,
        default_bindings_module: "geminus_sdk::wasm::bindings",
    });
}

pub use bindings::export;

/// The one table of an instance.
pub type Slots<B> = RefCell<SlotTable<B>>;

/// The table without slots.
#[must_use]
pub const fn slots<B: Behavior>() -> Slots<B> {
    RefCell::new(SlotTable::new())
}

/// What the attribute macro makes of a plugin: a place where its table stands.
pub trait Instance {
    /// Whose slots.
    type Behavior: Behavior;

    /// Lends the table.
    fn slots<T>(call: impl FnOnce(&Slots<Self::Behavior>) -> T) -> T;
}

/// Sends a line to the host.
pub(crate) fn log(level: u8, message: &str) {
    bindings::geminus::behavior::log::write(level, message);
}

/// A panic ends in a trap that says nothing; its message goes to the operator's log before that.
fn tell_panics() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| std::panic::set_hook(Box::new(|panic| log(0, &panic.to_string()))));
}

/// The host never makes two calls at once; if one did, it gets a fault instead of a trap.
fn with<I: Instance, T>(
    call: impl FnOnce(&mut SlotTable<I::Behavior>) -> Result<T, Fault>,
) -> Result<T, contract::Fault> {
    I::slots(|slots| match slots.try_borrow_mut() {
        Ok(mut table) => call(&mut table),
        Err(_) => Err(Fault::other("called from inside a call")),
    })
    .map_err(contract::Fault::from)
}

impl<I: Instance> contract::Guest for I {
    fn open(openings: Vec<contract::Opening>) -> Result<(), contract::Fault> {
        tell_panics();
        let requests: Vec<_> = openings.into_iter().map(columns::OpeningRequest::from).collect();
        with::<I, _>(|table| table.open(&requests))
    }

    fn step(rows: contract::Rows) -> Result<contract::Outcome, contract::Fault> {
        let columns =
            Rows { slots: &rows.slots, times: &rows.times, values: &rows.values, quality: &rows.quality };
        with::<I, _>(|table| table.step(columns)).map(contract::Outcome::from)
    }

    fn forecast(request: contract::ForecastRequest) -> Result<contract::Prediction, contract::Fault> {
        let contract::ForecastRequest { slot, times, values } = request;
        let answer = with::<I, _>(|table| table.forecast(&columns::ForecastRequest { slot, times, values }))?;
        Ok(contract::Prediction { mean: answer.mean, deviation: answer.deviation })
    }

    fn snapshot(slots: Vec<u32>, schema: Option<u32>) -> Result<contract::States, contract::Fault> {
        let States { schema, slots, bytes, ends } = with::<I, _>(|table| table.snapshot(&slots, schema))?;
        Ok(contract::States { schema, slots, bytes, ends })
    }

    fn restore(states: contract::States) -> Result<(), contract::Fault> {
        let contract::States { schema, slots, bytes, ends } = states;
        with::<I, _>(|table| table.restore(&States { schema, slots, bytes, ends }))
    }

    fn close(slots: Vec<u32>) {
        // Inside a call there is nothing to forget yet: the host never does that.
        I::slots(|table| table.try_borrow_mut().map(|mut table| table.close(&slots)).unwrap_or_default());
    }
}

impl From<contract::Opening> for columns::OpeningRequest {
    fn from(opening: contract::Opening) -> Self {
        let contract::Opening { slot, twin, parameters, seed } = opening;
        Self { slot, twin, parameters, seed }
    }
}

impl From<Outcome> for contract::Outcome {
    fn from(outcome: Outcome) -> Self {
        let alerts = outcome.alerts.into_iter().map(|one| types::Alert {
            row: one.row,
            alert: one.alert,
            value: one.value,
            detail: one.detail,
        });
        let proposals = outcome.proposals.into_iter().map(|one| types::Proposal {
            row: one.row,
            command: one.command,
            value: one.value,
            confidence: one.confidence,
            valid_for_ms: one.valid_for_ms,
            reason: one.reason,
        });
        Self {
            values: outcome.values,
            quality: outcome.quality,
            alerts: alerts.collect(),
            proposals: proposals.collect(),
        }
    }
}

impl From<Fault> for contract::Fault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Parameter { pointer, reason } => Self::Parameter((pointer, reason)),
            Fault::State(reason) => Self::State(reason),
            Fault::Input { row, reason } => Self::Input((row, reason)),
            Fault::NotDeclared(what) => Self::NotDeclared(what),
            Fault::Other(reason) => Self::Other(reason),
        }
    }
}
