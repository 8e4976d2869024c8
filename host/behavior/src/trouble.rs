//! What can go wrong in a call, and what is told about a twin that is left out because of it.

use std::fmt;

use geminus_core::{Fault, TwinIndex};
use wasmtime::Trap;

use crate::bindings::geminus::behavior::types;
use crate::limits::cut;

/// What a behavior did that it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// Crashed: unreachable code, memory out of bounds, stack overflow, division by zero.
    Trap,
    /// Used more fuel than its rows are worth.
    Fuel,
    /// Ran longer than a call may; journaled as wall-clock, because this one is not deterministic.
    WallClock,
    /// Asked for more memory or table space than an instance may have.
    Memory,
    /// Called the host more often, or with more words, than one call may.
    HostCalls,
    /// As many instances are alive as the process may have.
    Instances,
    /// Handed over what the host cannot take: more bytes than a call may, or text that is not UTF-8.
    Transfer,
    /// Answered something that its declaration or the contract does not allow.
    Answer,
    /// Answered with a fault of the contract: it goes on, only this row has no result.
    Fault,
    /// The row does not fit the cohort: unknown twin, or not later than the twin's last row.
    Row,
    /// Could not be told apart from its neighbours within the trials allowed.
    Unresolved,
}

impl FaultKind {
    /// Kebab-case name, for journals and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Fuel => "fuel",
            Self::WallClock => "wall-clock",
            Self::Memory => "memory",
            Self::HostCalls => "host-calls",
            Self::Instances => "instances",
            Self::Transfer => "transfer",
            Self::Answer => "answer",
            Self::Fault => "fault",
            Self::Row => "row",
            Self::Unresolved => "unresolved",
        }
    }
}

/// Why a call gave no result. All but `Fault` have poisoned the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) kind: FaultKind,
    /// Which export, and what happened there, in words.
    pub(crate) message: String,
    /// Row of the work at which it happened, when only one row was tried.
    pub(crate) row: Option<usize>,
    /// True when the twin's state could still be brought back: it broke in the step, not before.
    pub(crate) state_kept: bool,
    /// Rows or slots that the call carried.
    pub(crate) items: usize,
    /// The slot that the call was about, when it was about one only.
    pub(crate) slot: Option<u32>,
}

impl Trouble {
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), row: None, state_kept: false, items: 0, slot: None }
    }

    pub(crate) fn answer(export: &str, what: impl fmt::Display) -> Self {
        Self::new(FaultKind::Answer, format!("{export}: {what}"))
    }

    pub(crate) fn fault(export: &str, fault: types::Fault, bytes_max: usize) -> Self {
        Self::new(FaultKind::Fault, format!("{export}: {}", fault_from_wire(fault, bytes_max)))
    }

    /// Sorts what wasmtime reports. `refused`: what the host itself said no to during the call.
    pub(crate) fn from_wasm(export: &str, error: &wasmtime::Error, refused: Option<FaultKind>) -> Self {
        let kind = refused.unwrap_or(match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => FaultKind::Fuel,
            Some(Trap::Interrupt) => FaultKind::WallClock,
            Some(_) => FaultKind::Trap,
            // Neither wasm code nor the limiter: the engine refused to carry what the guest handed over.
            None => FaultKind::Transfer,
        });
        Self::new(kind, format!("{export}: {}", error.root_cause()))
    }
}

/// The contract's fault as the house's.
fn fault_from_wire(fault: types::Fault, bytes_max: usize) -> Fault {
    match fault {
        types::Fault::Parameter((pointer, reason)) => {
            Fault::Parameter { pointer: cut(pointer, bytes_max), reason: cut(reason, bytes_max) }
        }
        types::Fault::State(reason) => Fault::State(cut(reason, bytes_max)),
        types::Fault::Input((row, reason)) => Fault::Input { row, reason: cut(reason, bytes_max) },
        types::Fault::NotDeclared(reason) => Fault::NotDeclared(cut(reason, bytes_max)),
        types::Fault::Other(reason) => Fault::Other(cut(reason, bytes_max)),
    }
}

/// A twin whose row (or more) had no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinFault {
    /// Whose.
    pub twin: TwinIndex,
    /// First row of the frame without a result; `None` when it was no row that did it.
    pub row: Option<u32>,
    /// What happened.
    pub kind: FaultKind,
    /// In words, for the journal.
    pub message: String,
    /// Whether the twin gets no more rows until a new version or a new opening.
    pub quarantined: bool,
}

/// A twin that was not taken up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("twin {id}: {message}")]
pub struct Refused {
    /// Which.
    pub twin: TwinIndex,
    /// Its id, as opened.
    pub id: String,
    /// What happened.
    pub kind: FaultKind,
    /// In words.
    pub message: String,
}
