//! Commands that a policy may propose: the traits behind `#[derive(Commands)]`, and the proposal itself. A
//! behavior never acts; the host judges every wish against interlocks that the behavior cannot see.

use std::time::Duration;

/// The commands of a policy: an enum without fields (derive it), or `()` for every other kind.
pub trait Commands {
    /// The declaration's list of commands: JSON objects with commas between.
    const DECLARATION: &'static str;
    /// Names in declared order.
    const NAMES: &'static [&'static str];
}

/// Commands of which there is at least one. Derived along with `Commands`.
#[diagnostic::on_unimplemented(
    message = "this behavior declares no commands, so it can propose none",
    note = "a `#[command_policy]` names them in the row: `row: &mut Row<Inputs, Alerts, Commands>`"
)]
pub trait Proposable: Commands + Copy {
    /// Place in the declared order.
    fn index(self) -> u32;
    /// Lowest and highest value that may be proposed, in the declared unit.
    fn range(self) -> (f64, f64);
}

/// For every kind but command policies.
pub type NoCommands = ();

impl Commands for () {
    const DECLARATION: &'static str = "";
    const NAMES: &'static [&'static str] = &[];
}

/// A wish to act.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal<C> {
    /// What to set.
    pub command: C,
    /// To which value, in the declared unit, inside the declared range.
    pub value: f64,
    /// 0 … 1
    pub confidence: f64,
    /// For how long after the row's time the wish stands.
    pub valid_for: Duration,
    /// For people.
    pub reason: String,
}
