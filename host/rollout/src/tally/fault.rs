//! Failures of the candidate: all are counted, the first and the last are kept with their words.

use std::collections::VecDeque;

use geminus_core::{Timestamp, TwinIndex};

/// Failures that are kept: so many of the first and so many of the last.
pub(super) const FAULTS_MAX: usize = 16;
/// Longest message that is kept, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) twin: TwinIndex,
    pub(super) time: Timestamp,
    pub(super) kind: String,
    pub(super) message: String,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) total: u64,
    first: Vec<Fault>,
    last: VecDeque<Fault>,
}

impl Faults {
    pub(super) fn add(&mut self, twin: TwinIndex, time: Timestamp, kind: &str, message: &str) {
        let short = |text: &str| text.chars().take(MESSAGE_CHARS_MAX).collect();
        self.total += 1;
        self.keep(Fault { twin, time, kind: short(kind), message: short(message) });
    }

    fn keep(&mut self, fault: Fault) {
        if self.first.len() < FAULTS_MAX {
            self.first.push(fault);
            return;
        }
        if self.last.len() == FAULTS_MAX {
            self.last.pop_front();
        }
        self.last.push_back(fault);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.total += other.total;
        other.kept().for_each(|fault| self.keep(fault.clone()));
    }

    pub(super) fn kept(&self) -> impl Iterator<Item = &Fault> {
        self.first.iter().chain(&self.last)
    }
}
