//! Alerts a behavior may raise: the trait behind `#[derive(Alerts)]`.

/// The alerts of a behavior, an enum without fields. Derive it.
pub trait Alerts: Copy {
    /// The declaration's list of alerts: JSON objects with commas between.
    const DECLARATION: &'static str;
    /// Codes in declared order.
    const CODES: &'static [&'static str];
    /// Place in the declared order.
    fn index(self) -> u32;
}

/// For behaviors that raise none; it has no value, so nothing can be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAlerts {}

impl Alerts for NoAlerts {
    const DECLARATION: &'static str = "";
    const CODES: &'static [&'static str] = &[];

    fn index(self) -> u32 {
        match self {}
    }
}
