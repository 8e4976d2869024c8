//! Takes permits and nothing else, and would write the field.
//!
//! This version sends no commands: no [`Egress`] is wired, and `site.toml` refuses the authority that permits come
//! from. What stands here is the border that later releases fill: a permit is checked once more against generation
//! and expiry at the last moment, given to the egress once, never again by itself, and answered with a receipt.

use geminus_core::{Timestamp, TwinIndex};
use geminus_interlock::Permit;

/// The port to the field: a protocol that can carry one command.
pub trait Egress {
    /// Sends `order`. May block up to the protocol's own time limit.
    ///
    /// # Errors
    /// [`EgressError::NotSent`] only when the field cannot have seen it.
    fn send(&mut self, order: &Order<'_>) -> Result<(), EgressError>;
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order<'a> {
    /// Grows by one with each order of a dispatcher; for the field to drop repetitions.
    pub number: u64,
    /// Whose command.
    pub twin: TwinIndex,
    /// Name of the command.
    pub command: &'a str,
    /// Value in the command's unit.
    pub value: f64,
    /// The field must not act on it from this time on.
    pub expires: Timestamp,
}

/// Why an order has no receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The field cannot have seen it.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Nobody knows whether the field has seen it; a person must look before anything else is sent.
    #[error("sent, but without an answer: {0}")]
    Indeterminate(String),
}

/// Why a permit was not turned into a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DispatchError {
    /// Authority, rules or owner of the twin changed after the permit was given.
    #[error("{command} is superseded: its permit is of generation {permit}, the twin is at {current}")]
    Superseded {
        /// Name of the command.
        command: String,
        /// Of the permit.
        permit: u64,
        /// Of the twin.
        current: u64,
    },
    /// Too late.
    #[error("{command} expired {late_ms} ms ago")]
    Expired {
        /// Name of the command.
        command: String,
        /// Milliseconds since it expired.
        late_ms: u128,
    },
    /// The egress did not carry it.
    #[error("{command}: {source}")]
    Egress {
        /// Name of the command.
        command: String,
        /// What the egress says.
        source: EgressError,
    },
}

/// Proof that an order was handed to the field.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Number of the order.
    pub number: u64,
    /// Whose command.
    pub twin: TwinIndex,
    /// Name of the command.
    pub command: String,
    /// Value in the command's unit.
    pub value: f64,
    /// When it was sent.
    pub sent: Timestamp,
}

/// Sends what is permitted through one egress.
#[derive(Debug)]
pub struct Dispatcher<E> {
    egress: E,
    orders: u64,
}

impl<E: Egress> Dispatcher<E> {
    /// A dispatcher that has sent nothing.
    pub fn new(egress: E) -> Self {
        Self { egress, orders: 0 }
    }

    /// Sends what `permit` allows, if it still does: `current` is the generation of the twin at this moment. The
    /// permit is used up whatever happens.
    ///
    /// # Errors
    /// Superseded and expired permits are not sent; nothing is ever sent twice.
    pub fn send(&mut self, permit: Permit, current: u64, now: Timestamp) -> Result<Receipt, DispatchError> {
        let command = permit.command().to_owned();
        if permit.generation() != current {
            return Err(DispatchError::Superseded { command, permit: permit.generation(), current });
        }
        if now >= permit.expires() {
            let late_ms = now.since(permit.expires()).as_millis();
            return Err(DispatchError::Expired { command, late_ms });
        }
        self.orders += 1;
        let (number, twin, value) = (self.orders, permit.twin(), permit.value());
        let order = Order { number, twin, command: &command, value, expires: permit.expires() };
        match self.egress.send(&order) {
            Ok(()) => Ok(Receipt { number, twin, command, value, sent: now }),
            Err(source) => Err(DispatchError::Egress { command, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use geminus_core::declaration::Command;
    use geminus_core::{Authority, Proposal, Quality};
    use geminus_interlock::{Rules, TwinFacts, Verdict, judge};

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    /// Remembers what it was given, and answers as told.
    struct Recording {
        sent: Vec<(u64, TwinIndex, String, f64, Timestamp)>,
        answer: Result<(), EgressError>,
    }

    impl Egress for Recording {
        fn send(&mut self, order: &Order<'_>) -> Result<(), EgressError> {
            self.sent.push((order.number, order.twin, order.command.to_owned(), order.value, order.expires));
            self.answer.clone()
        }
    }

    fn dispatcher(answer: Result<(), EgressError>) -> Dispatcher<Recording> {
        Dispatcher::new(Recording { sent: Vec::new(), answer })
    }

    fn permit() -> Permit {
        let command = Command {
            name: "speed".to_owned(),
            unit: "/min".to_owned(),
            minimum: 0.0,
            maximum: 10.0,
            description: String::new(),
        };
        let proposal = Proposal {
            row: 0,
            command: 0,
            value: 5.0,
            confidence: 1.0,
            valid_for_ms: 1000,
            reason: String::new(),
        };
        let facts = TwinFacts {
            twin: TwinIndex(1),
            authority: Authority::Control,
            generation: 3,
            live: true,
            inputs: &[("flow", Quality::Good)],
            row_time: NOW,
            present: None,
        };
        let rules = Rules {
            command: &command,
            minimum: None,
            maximum: None,
            step_max: None,
            confidence_min: 0.5,
            permit_ms: 1000,
            bumpless: None,
        };
        match judge(&proposal, &facts, &rules, NOW) {
            Verdict::Permit(permit) => permit,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_valid_permit_is_sent_once_and_has_a_receipt() {
        let mut dispatcher = dispatcher(Ok(()));
        let last = Timestamp(NOW.0 + 999_999_999);
        let receipt = dispatcher.send(permit(), 3, last).expect("sent");
        assert_eq!((receipt.number, receipt.value, receipt.sent), (1, 5.0, last));
        let expires = Timestamp(NOW.0 + 1_000_000_000);
        assert_eq!(dispatcher.egress.sent, [(1, TwinIndex(1), "speed".to_owned(), 5.0, expires)]);
    }

    #[test]
    fn superseded_and_expired_permits_never_reach_the_egress() {
        let mut dispatcher = dispatcher(Ok(()));
        for (current, now_ns, expect) in [
            (4, NOW.0, "speed is superseded: its permit is of generation 3, the twin is at 4"),
            (2, NOW.0, "speed is superseded: its permit is of generation 3, the twin is at 2"),
            (3, NOW.0 + 1_000_000_000, "speed expired 0 ms ago"),
            (3, NOW.0 + 1_250_000_000, "speed expired 250 ms ago"),
        ] {
            let error = dispatcher.send(permit(), current, Timestamp(now_ns)).expect_err("not sent");
            assert_eq!(error.to_string(), expect);
        }
        assert_eq!(dispatcher.egress.sent, []);
    }

    #[test]
    fn a_failed_order_is_reported_and_not_repeated() {
        let mut dispatcher = dispatcher(Err(EgressError::Indeterminate("no answer in 1 s".to_owned())));
        let error = dispatcher.send(permit(), 3, NOW).expect_err("failed");
        assert_eq!(error.to_string(), "speed: sent, but without an answer: no answer in 1 s");
        assert_eq!(dispatcher.egress.sent.len(), 1);
    }
}
