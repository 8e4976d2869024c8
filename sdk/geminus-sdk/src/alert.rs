//! Alerts a behavior may raise: the traits behind `#[derive(Alerts)]`.

/// The alerts of a behavior: an enum without fields (derive it), or `()` for none.
pub trait Alerts {
    /// The declaration's list of alerts: JSON objects with commas between.
    const DECLARATION: &'static str;
    /// Codes in declared order.
    const CODES: &'static [&'static str];
}

/// Alerts of which there is at least one. Derived along with `Alerts`.
#[diagnostic::on_unimplemented(
    message = "this behavior declares no alerts, so it can raise none",
    note = "name them in the row: `row: &mut Row<Inputs, Alerts>`, with `#[derive(Alerts)]` on the enum"
)]
pub trait Raisable: Alerts + Copy {
    /// Place in the declared order.
    fn index(self) -> u32;
}

/// For behaviors that raise none.
pub type NoAlerts = ();

impl Alerts for () {
    const DECLARATION: &'static str = "";
    const CODES: &'static [&'static str] = &[];
}
