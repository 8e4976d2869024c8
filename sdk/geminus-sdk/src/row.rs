//! One row in the hands of a behavior: typed inputs, time, and the sinks for alerts and proposals.

use std::fmt::Display;
use std::marker::PhantomData;

use crate::columns::{Alert, Wish};
use crate::{Fault, NoAlerts, NoCommands, Proposable, Proposal, Raisable};

/// Nanoseconds since 1970-01-01T00:00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// `self - earlier` in seconds, 0 when `earlier` is later.
    #[must_use]
    #[inline]
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 ns are 104 days; beyond, one part in 2^53 is plenty"
    )]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 * 1e-9
    }
}

/// A row of `I`, for a behavior that raises `A` and proposes `C`.
#[derive(Debug)]
pub struct Row<'a, I, A = NoAlerts, C = NoCommands> {
    /// The inputs.
    pub inputs: I,
    number: u32,
    time: Timestamp,
    elapsed: Option<f64>,
    alerts: &'a mut Vec<Alert>,
    wishes: &'a mut Vec<Wish>,
    kinds: PhantomData<(A, C)>,
}

impl<'a, I, A, C> Row<'a, I, A, C> {
    pub(crate) fn new(
        inputs: I,
        number: u32,
        (time, elapsed): (Timestamp, Option<f64>),
        (alerts, wishes): (&'a mut Vec<Alert>, &'a mut Vec<Wish>),
    ) -> Self {
        Self { inputs, number, time, elapsed, alerts, wishes, kinds: PhantomData }
    }

    /// Source time that the row stands for.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Seconds since the last row of this twin, always above 0; `None` in its first row.
    #[must_use]
    #[inline]
    pub fn elapsed(&self) -> Option<f64> {
        self.elapsed
    }
}

impl<I, A, C> Row<'_, I, A, C> {
    /// Raises an alert in this row: `value` is what tripped it, in the alert's unit; `detail` is for people.
    /// The alert stands as long as rows raise it.
    pub fn alert(&mut self, alert: A, value: f64, detail: impl Display)
    where
        A: Raisable,
    {
        let detail = detail.to_string();
        self.alerts.push(Alert { row: self.number, alert: alert.index(), value, detail });
    }
}

impl<I, A, C> Row<'_, I, A, C> {
    /// Proposes to act.
    ///
    /// # Errors
    /// When the value is outside the declared range or the confidence outside 0 … 1 (or either is NaN): such a
    /// wish is a mistake of the policy, not something to be cut to size.
    pub fn propose(&mut self, proposal: Proposal<C>) -> Result<(), Fault>
    where
        C: Proposable,
    {
        let (minimum, maximum) = proposal.command.range();
        if !(minimum..=maximum).contains(&proposal.value) {
            let value = proposal.value;
            return Err(Fault::other(format!(
                "proposed {value}, outside the declared {minimum} to {maximum}"
            )));
        }
        if !(0.0..=1.0).contains(&proposal.confidence) {
            return Err(Fault::other(format!("confidence {} is not within 0 to 1", proposal.confidence)));
        }
        self.wishes.push(Wish {
            row: self.number,
            command: proposal.command.index(),
            value: proposal.value,
            confidence: proposal.confidence,
            valid_for_ms: u32::try_from(proposal.valid_for.as_millis()).unwrap_or(u32::MAX),
            reason: proposal.reason,
        });
        Ok(())
    }
}
