//! The one answer that every order gets. An egress that forgets it, or dies, has answered too: nobody knows.

use std::fmt;

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The field cannot have seen it.
    NotSent {
        /// Why.
        reason: String,
    },
    /// The transport has it, which says nothing of its effect.
    Acknowledged {
        /// What the transport said.
        receipt: String,
    },
    /// The transport turned it down.
    Declined {
        /// Its words.
        reason: String,
    },
    /// Nobody knows whether the field has seen it.
    Lost {
        /// Why not.
        reason: String,
    },
}

/// Where the answer to one order goes. It is given exactly once: one that is dropped answers [`Answer::Lost`].
pub struct Reply(Option<Box<dyn FnOnce(Answer) + Send>>);

impl Reply {
    /// Tells `hear`, which must not block.
    pub fn new(hear: impl FnOnce(Answer) + Send + 'static) -> Self {
        Self(Some(Box::new(hear)))
    }

    /// Gives the answer.
    pub fn answer(mut self, answer: Answer) {
        if let Some(hear) = self.0.take() {
            hear(answer);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(hear) = self.0.take() {
            hear(Answer::Lost { reason: "whoever carried it has gone without an answer".to_owned() });
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}
